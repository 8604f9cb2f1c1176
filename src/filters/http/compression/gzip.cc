// gzip (RFC 1952) by zlib.
#include <zlib.h>

#include <cstdlib>
#include <utility>
#include <vector>

#include "filters/http/compression/readers.h"

namespace weir::filters::compression {

namespace {

constexpr int kGzipFormat = 16;  // added to the window's bits: gzip head and check sum

struct Settings {
  int level = Z_DEFAULT_COMPRESSION;
  int strategy = Z_DEFAULT_STRATEGY;
  int memory_level = 5;
  int window_bits = 12;
};

void set_input(z_stream& stream, std::string_view piece) noexcept {
  // zlib does not write there; its type says otherwise where ZLIB_CONST is not set.
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(piece.data()));
  stream.avail_in = static_cast<uInt>(piece.size());
}

class GzipCompressor final : public Compressor {
 public:
  explicit GzipCompressor(const Settings& settings) noexcept {
    // The settings have been checked: only a lack of memory can make it fail.
    if (deflateInit2(&stream_, settings.level, Z_DEFLATED, settings.window_bits + kGzipFormat,
                     settings.memory_level, settings.strategy) != Z_OK)
      std::abort();
  }
  ~GzipCompressor() override { deflateEnd(&stream_); }
  GzipCompressor(const GzipCompressor&) = delete;
  GzipCompressor& operator=(const GzipCompressor&) = delete;

  void compress(Buffer& data, Part part) override {
    Buffer out;
    data.for_each_slice([this, &out](std::string_view slice) { run(slice, Z_NO_FLUSH, out); });
    if (part == Part::kLast)
      run({}, Z_FINISH, out);
    else if (!data.empty())
      run({}, Z_SYNC_FLUSH, out);
    data = std::move(out);
  }

 private:
  void run(std::string_view piece, int flush, Buffer& out) noexcept {
    set_input(stream_, piece);
    do {
      const auto room = out.reserve(kRoom);
      stream_.next_out = reinterpret_cast<Bytef*>(room.data());
      stream_.avail_out = static_cast<uInt>(room.size());
      deflate(&stream_, flush);
      out.commit(room.size() - stream_.avail_out);
    } while (stream_.avail_out == 0);
  }

  z_stream stream_{};
};

class GzipDecompressor final : public Decompressor {
 public:
  GzipDecompressor(int window_bits, uint64_t ratio) noexcept : ratio_(ratio) {
    ready_ = inflateInit2(&stream_, window_bits + kGzipFormat) == Z_OK;
  }
  ~GzipDecompressor() override {
    if (ready_) inflateEnd(&stream_);
  }
  GzipDecompressor(const GzipDecompressor&) = delete;
  GzipDecompressor& operator=(const GzipDecompressor&) = delete;

  Decoded decompress(Buffer& data, Part part) override {
    Buffer out;
    Decoded result = ready_ ? Decoded::kOk : Decoded::kBad;
    data.for_each_slice([this, &out, &result](std::string_view slice) {
      if (result == Decoded::kOk) result = run(slice, out);
    });
    // A body of no bytes at all decodes to nothing.
    if (result == Decoded::kOk && part == Part::kLast && !at_end_ && in_ > 0)
      result = Decoded::kBad;
    data = std::move(out);
    return result;
  }

 private:
  Decoded run(std::string_view piece, Buffer& out) noexcept {
    set_input(stream_, piece);
    bool full = false;  // the room was: there may be more output of no more input
    while (stream_.avail_in > 0 || full) {
      // A body may have several members, one behind the other (RFC 1952 section 2.2).
      if (at_end_ && inflateReset(&stream_) != Z_OK) return Decoded::kBad;
      at_end_ = false;
      const auto room = out.reserve(kRoom);
      const uInt before = stream_.avail_in;
      stream_.next_out = reinterpret_cast<Bytef*>(room.data());
      stream_.avail_out = static_cast<uInt>(room.size());
      const int result = inflate(&stream_, Z_NO_FLUSH);
      const size_t made = room.size() - stream_.avail_out;
      out.commit(made);
      in_ += before - stream_.avail_in;
      out_ += made;
      full = stream_.avail_out == 0;
      at_end_ = result == Z_STREAM_END;
      if (at_end_) full = false;
      if (result == Z_BUF_ERROR && made == 0 && before == stream_.avail_in) break;
      if (result != Z_OK && result != Z_STREAM_END && result != Z_BUF_ERROR) return Decoded::kBad;
      if (over_ratio(out_, in_, ratio_)) return Decoded::kTooMuch;
    }
    return Decoded::kOk;
  }

  z_stream stream_{};
  const uint64_t ratio_;
  uint64_t in_ = 0, out_ = 0;
  bool ready_ = false;
  bool at_end_ = false;  // of a member
};

class GzipCompressorLibrary final : public CompressorLibrary {
 public:
  explicit GzipCompressorLibrary(const Settings& settings) : settings_(settings) {
    encoding = stat_prefix = "gzip";
  }
  std::unique_ptr<Compressor> make() const override {
    return std::make_unique<GzipCompressor>(settings_);
  }

 private:
  const Settings settings_;
};

class GzipDecompressorLibrary final : public DecompressorLibrary {
 public:
  GzipDecompressorLibrary(int window_bits, uint64_t ratio)
      : window_bits_(window_bits), ratio_(ratio) {
    encoding = stat_prefix = "gzip";
    error_stat = "zlib_data_error";
  }
  std::unique_ptr<Decompressor> make() const override {
    return std::make_unique<GzipDecompressor>(window_bits_, ratio_);
  }

 private:
  const int window_bits_;
  const uint64_t ratio_;
};

}  // namespace

std::unique_ptr<CompressorLibrary> read_gzip_compressor(ConfigView& config) {
  static const std::vector<std::string_view> kLevels = {
      "DEFAULT_COMPRESSION", "BEST_SPEED",          "COMPRESSION_LEVEL_1", "COMPRESSION_LEVEL_2",
      "COMPRESSION_LEVEL_3", "COMPRESSION_LEVEL_4", "COMPRESSION_LEVEL_5", "COMPRESSION_LEVEL_6",
      "COMPRESSION_LEVEL_7", "COMPRESSION_LEVEL_8", "COMPRESSION_LEVEL_9", "BEST_COMPRESSION"};
  constexpr int kLevelValues[] = {Z_DEFAULT_COMPRESSION, 1, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9};
  static const std::vector<std::string_view> kStrategies = {"DEFAULT_STRATEGY", "FILTERED",
                                                            "HUFFMAN_ONLY", "RLE", "FIXED"};
  constexpr int kStrategyValues[] = {Z_DEFAULT_STRATEGY, Z_FILTERED, Z_HUFFMAN_ONLY, Z_RLE,
                                     Z_FIXED};
  Settings out;
  out.level = kLevelValues[config.enumeration("compression_level", kLevels, 0)];
  out.strategy = kStrategyValues[config.enumeration("compression_strategy", kStrategies, 0)];
  out.memory_level = static_cast<int>(config.integer("memory_level", 5, 1, 9));
  out.window_bits = static_cast<int>(config.integer("window_bits", 12, 9, 15));
  read_chunk_size(config);
  return std::make_unique<GzipCompressorLibrary>(out);
}

std::unique_ptr<DecompressorLibrary> read_gzip_decompressor(ConfigView& config) {
  const auto window_bits = static_cast<int>(config.integer("window_bits", 15, 9, 15));
  const auto ratio = static_cast<uint64_t>(
      config.integer("max_inflate_ratio", static_cast<int64_t>(kMaxInflateRatio), 1, 1032));
  read_chunk_size(config);
  return std::make_unique<GzipDecompressorLibrary>(window_bits, ratio);
}

}  // namespace weir::filters::compression
