// zstd (RFC 8878) by libzstd.
#include <zstd.h>

#include <cstdlib>
#include <utility>
#include <vector>

#include "filters/http/compression/readers.h"

namespace weir::filters::compression {

namespace {

/// 8 MiB: what every receiver of HTTP must take, and none need exceed (RFC 8878 section 3.1.1.1.2, RFC 9659).
constexpr int kWindowLog = 23;

struct Settings {
  int level = 3;
  int strategy = 0;  // 0: the level's
  bool checksum = false;
};

struct DeleteCompressor {
  void operator()(ZSTD_CCtx* context) const noexcept { ZSTD_freeCCtx(context); }
};
struct DeleteDecompressor {
  void operator()(ZSTD_DCtx* context) const noexcept { ZSTD_freeDCtx(context); }
};

class ZstdCompressor final : public Compressor {
 public:
  explicit ZstdCompressor(const Settings& settings) : context_(ZSTD_createCCtx()) {
    if (!context_) std::abort();  // no memory
    set(ZSTD_c_compressionLevel, settings.level);
    if (settings.strategy != 0) set(ZSTD_c_strategy, settings.strategy);
    set(ZSTD_c_checksumFlag, settings.checksum ? 1 : 0);
    if (settings.level >= 20) set(ZSTD_c_windowLog, kWindowLog);  // these would take more
  }

  void compress(Buffer& data, Part part) override {
    Buffer out;
    data.for_each_slice([this, &out](std::string_view slice) { run(slice, ZSTD_e_continue, out); });
    if (part == Part::kLast)
      run({}, ZSTD_e_end, out);
    else if (!data.empty())
      run({}, ZSTD_e_flush, out);
    data = std::move(out);
  }

 private:
  void set(ZSTD_cParameter name, int value) noexcept {
    ZSTD_CCtx_setParameter(context_.get(), name, value);
  }
  void run(std::string_view piece, ZSTD_EndDirective directive, Buffer& out) noexcept {
    ZSTD_inBuffer in{piece.data(), piece.size(), 0};
    size_t left = 0;
    do {
      const auto room = out.reserve(kRoom);
      ZSTD_outBuffer to{room.data(), room.size(), 0};
      left = ZSTD_compressStream2(context_.get(), &to, &in, directive);
      if (ZSTD_isError(left)) return;
      out.commit(to.pos);
    } while (directive == ZSTD_e_continue ? in.pos < in.size : left > 0);
  }

  std::unique_ptr<ZSTD_CCtx, DeleteCompressor> context_;
};

class ZstdDecompressor final : public Decompressor {
 public:
  ZstdDecompressor() : context_(ZSTD_createDCtx()) {
    if (context_) ZSTD_DCtx_setParameter(context_.get(), ZSTD_d_windowLogMax, kWindowLog);
  }

  Decoded decompress(Buffer& data, Part part) override {
    Buffer out;
    Decoded result = context_ ? Decoded::kOk : Decoded::kBad;
    data.for_each_slice([this, &out, &result](std::string_view slice) {
      if (result == Decoded::kOk) result = run(slice, out);
    });
    if (result == Decoded::kOk && part == Part::kLast && !at_end_ && in_ > 0)
      result = Decoded::kBad;
    data = std::move(out);
    return result;
  }

 private:
  Decoded run(std::string_view piece, Buffer& out) noexcept {
    ZSTD_inBuffer in{piece.data(), piece.size(), 0};
    bool full = false;
    while (in.pos < in.size || full) {
      const auto room = out.reserve(kRoom);
      const size_t before = in.pos;
      ZSTD_outBuffer to{room.data(), room.size(), 0};
      const size_t left = ZSTD_decompressStream(context_.get(), &to, &in);
      if (ZSTD_isError(left)) return Decoded::kBad;
      out.commit(to.pos);
      in_ += in.pos - before;
      out_ += to.pos;
      at_end_ = left == 0;  // of a frame; another may follow
      full = to.pos == to.size && !at_end_;
      if (over_ratio(out_, in_, kMaxInflateRatio)) return Decoded::kTooMuch;
    }
    return Decoded::kOk;
  }

  std::unique_ptr<ZSTD_DCtx, DeleteDecompressor> context_;
  uint64_t in_ = 0, out_ = 0;
  bool at_end_ = false;
};

class ZstdCompressorLibrary final : public CompressorLibrary {
 public:
  explicit ZstdCompressorLibrary(const Settings& settings) : settings_(settings) {
    encoding = stat_prefix = "zstd";
  }
  std::unique_ptr<Compressor> make() const override {
    return std::make_unique<ZstdCompressor>(settings_);
  }

 private:
  const Settings settings_;
};

class ZstdDecompressorLibrary final : public DecompressorLibrary {
 public:
  ZstdDecompressorLibrary() {
    encoding = stat_prefix = "zstd";
    error_stat = "zstd_generic_error";
  }
  std::unique_ptr<Decompressor> make() const override {
    return std::make_unique<ZstdDecompressor>();
  }
};

}  // namespace

std::unique_ptr<CompressorLibrary> read_zstd_compressor(ConfigView& config) {
  static const std::vector<std::string_view> kStrategies = {
      "DEFAULT", "FAST",    "DFAST", "GREEDY",  "LAZY",
      "LAZY2",   "BTLAZY2", "BTOPT", "BTULTRA", "BTULTRA2"};
  Settings out;
  out.level = static_cast<int>(
      config.integer("compression_level", ZSTD_CLEVEL_DEFAULT, 1, ZSTD_maxCLevel()));
  out.strategy = static_cast<int>(config.enumeration("strategy", kStrategies, 0));
  out.checksum = config.boolean("enable_checksum", false);
  config.unsupported("dictionary", "comes later");
  read_chunk_size(config);
  return std::make_unique<ZstdCompressorLibrary>(out);
}

std::unique_ptr<DecompressorLibrary> read_zstd_decompressor(ConfigView& config) {
  config.unsupported("dictionaries", "comes later");
  read_chunk_size(config);
  return std::make_unique<ZstdDecompressorLibrary>();
}

}  // namespace weir::filters::compression
