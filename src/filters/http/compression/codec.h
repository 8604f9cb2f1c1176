// Compressor, Decompressor: the content codings gzip, br and zstd over bodies that come piece by piece; and the libraries that the
// configuration makes them from. zlib, brotli and zstd are seen in this folder alone.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <weir/buffer.h>
#include <weir/config_view.h>

namespace weir::filters {

/// Whether more of the body comes.
enum class Part : bool { kMore, kLast };

/// One body. Owner: a filter. Thread: the stream's.
class Compressor {
 public:
  virtual ~Compressor() = default;
  /// Replaces `data` by its coded form, of which the receiver can decode all that has come so far: nothing waits in here,
  /// so that streams are not held up. After kLast: no more calls.
  virtual void compress(Buffer& data, Part part) = 0;
};

/// What came of a part of a coded body.
enum class Decoded : uint8_t {
  kOk,
  kBad,      // not what the coding says: corrupt, cut, or more behind its end
  kTooMuch,  // the ratio of the output to the input is over its limit
};

/// One body. Owner: a filter. Thread: the stream's.
class Decompressor {
 public:
  virtual ~Decompressor() = default;
  /// Replaces `data` by what it decodes to. After kLast or anything but kOk: no more calls.
  virtual Decoded decompress(Buffer& data, Part part) = 0;
};

/// Immutable. Shared by all workers.
class CompressorLibrary {
 public:
  virtual ~CompressorLibrary() = default;
  virtual std::unique_ptr<Compressor> make() const = 0;
  std::string_view encoding;  // of content-encoding: "gzip", "br", "zstd"
  std::string_view stat_prefix;
  std::string name;  // as configured
};

/// Immutable. Shared by all workers.
class DecompressorLibrary {
 public:
  virtual ~DecompressorLibrary() = default;
  virtual std::unique_ptr<Decompressor> make() const = 0;
  std::string_view encoding;
  std::string_view stat_prefix;
  std::string_view error_stat;  // "zlib_data_error", "brotli_error", "zstd_generic_error"
  std::string name;
};

/// Reads the field "compressor_library" or "decompressor_library", a TypedExtensionConfig. Null after an error.
std::shared_ptr<const CompressorLibrary> read_compressor_library(ConfigView& parent);
std::shared_ptr<const DecompressorLibrary> read_decompressor_library(ConfigView& parent);

/// Output that is let through whatever the ratio: small bodies of much repetition are no attack.
inline constexpr uint64_t kFreeOutput = 64 * 1024;
/// The ratio that bodies may reach where the configuration does not say another.
inline constexpr uint64_t kMaxInflateRatio = 100;

}  // namespace weir::filters
