// br (RFC 7932) by brotli.
#include <brotli/decode.h>
#include <brotli/encode.h>

#include <cstdlib>
#include <utility>
#include <vector>

#include "filters/http/compression/readers.h"

namespace weir::filters::compression {

namespace {

struct Settings {
  BrotliEncoderMode mode = BROTLI_MODE_GENERIC;
  uint32_t quality = 3;
  uint32_t window_bits = 18;
  uint32_t input_block_bits = 24;
  bool disable_literal_context_modeling = false;
};

struct DeleteEncoder {
  void operator()(BrotliEncoderState* state) const noexcept { BrotliEncoderDestroyInstance(state); }
};
struct DeleteDecoder {
  void operator()(BrotliDecoderState* state) const noexcept { BrotliDecoderDestroyInstance(state); }
};

const uint8_t* bytes(std::string_view text) noexcept {
  return reinterpret_cast<const uint8_t*>(text.data());
}

class BrotliCompressor final : public Compressor {
 public:
  explicit BrotliCompressor(const Settings& settings)
      : state_(BrotliEncoderCreateInstance(nullptr, nullptr, nullptr)) {
    if (!state_) std::abort();  // no memory
    set(BROTLI_PARAM_MODE, settings.mode);
    set(BROTLI_PARAM_QUALITY, settings.quality);
    set(BROTLI_PARAM_LGWIN, settings.window_bits);
    set(BROTLI_PARAM_LGBLOCK, settings.input_block_bits);
    set(BROTLI_PARAM_DISABLE_LITERAL_CONTEXT_MODELING,
        settings.disable_literal_context_modeling ? 1 : 0);
  }

  void compress(Buffer& data, Part part) override {
    Buffer out;
    data.for_each_slice(
        [this, &out](std::string_view slice) { run(slice, BROTLI_OPERATION_PROCESS, out); });
    if (part == Part::kLast)
      run({}, BROTLI_OPERATION_FINISH, out);
    else if (!data.empty())
      run({}, BROTLI_OPERATION_FLUSH, out);
    data = std::move(out);
  }

 private:
  void set(BrotliEncoderParameter name, uint32_t value) noexcept {
    BrotliEncoderSetParameter(state_.get(), name, value);
  }
  void run(std::string_view piece, BrotliEncoderOperation operation, Buffer& out) noexcept {
    size_t in_left = piece.size();
    const uint8_t* in = bytes(piece);
    do {
      const auto room = out.reserve(kRoom);
      size_t out_left = room.size();
      auto* to = reinterpret_cast<uint8_t*>(room.data());
      if (!BrotliEncoderCompressStream(state_.get(), operation, &in_left, &in, &out_left, &to,
                                       nullptr))
        return;
      out.commit(room.size() - out_left);
    } while (in_left > 0 || BrotliEncoderHasMoreOutput(state_.get()));
  }

  std::unique_ptr<BrotliEncoderState, DeleteEncoder> state_;
};

class BrotliDecompressor final : public Decompressor {
 public:
  BrotliDecompressor() : state_(BrotliDecoderCreateInstance(nullptr, nullptr, nullptr)) {}

  Decoded decompress(Buffer& data, Part part) override {
    Buffer out;
    Decoded result = state_ ? Decoded::kOk : Decoded::kBad;
    data.for_each_slice([this, &out, &result](std::string_view slice) {
      if (result == Decoded::kOk) result = run(slice, out);
    });
    if (result == Decoded::kOk && part == Part::kLast && in_ > 0 &&
        !BrotliDecoderIsFinished(state_.get()))
      result = Decoded::kBad;
    data = std::move(out);
    return result;
  }

 private:
  Decoded run(std::string_view piece, Buffer& out) noexcept {
    if (BrotliDecoderIsFinished(state_.get())) return Decoded::kBad;  // more behind the end
    size_t in_left = piece.size();
    const uint8_t* in = bytes(piece);
    in_ += piece.size();
    for (;;) {
      const auto room = out.reserve(kRoom);
      size_t out_left = room.size();
      auto* to = reinterpret_cast<uint8_t*>(room.data());
      const BrotliDecoderResult result =
          BrotliDecoderDecompressStream(state_.get(), &in_left, &in, &out_left, &to, nullptr);
      const size_t made = room.size() - out_left;
      out.commit(made);
      out_ += made;
      if (result == BROTLI_DECODER_RESULT_ERROR) return Decoded::kBad;
      if (over_ratio(out_, in_ - in_left, kMaxInflateRatio)) return Decoded::kTooMuch;
      if (result == BROTLI_DECODER_RESULT_SUCCESS)
        return in_left == 0 ? Decoded::kOk : Decoded::kBad;
      if (result == BROTLI_DECODER_RESULT_NEEDS_MORE_INPUT) return Decoded::kOk;
    }
  }

  std::unique_ptr<BrotliDecoderState, DeleteDecoder> state_;
  uint64_t in_ = 0, out_ = 0;
};

class BrotliCompressorLibrary final : public CompressorLibrary {
 public:
  explicit BrotliCompressorLibrary(const Settings& settings) : settings_(settings) {
    encoding = "br";
    stat_prefix = "brotli";
  }
  std::unique_ptr<Compressor> make() const override {
    return std::make_unique<BrotliCompressor>(settings_);
  }

 private:
  const Settings settings_;
};

class BrotliDecompressorLibrary final : public DecompressorLibrary {
 public:
  BrotliDecompressorLibrary() {
    encoding = "br";
    stat_prefix = "brotli";
    error_stat = "brotli_error";
  }
  std::unique_ptr<Decompressor> make() const override {
    return std::make_unique<BrotliDecompressor>();
  }
};

}  // namespace

std::unique_ptr<CompressorLibrary> read_brotli_compressor(ConfigView& config) {
  static const std::vector<std::string_view> kModes = {"DEFAULT", "GENERIC", "TEXT", "FONT"};
  constexpr BrotliEncoderMode kModeValues[] = {BROTLI_DEFAULT_MODE, BROTLI_MODE_GENERIC,
                                               BROTLI_MODE_TEXT, BROTLI_MODE_FONT};
  Settings out;
  out.mode = kModeValues[config.enumeration("encoder_mode", kModes, 0)];
  out.quality = static_cast<uint32_t>(config.integer("quality", 3, 0, 11));
  out.window_bits = static_cast<uint32_t>(config.integer("window_bits", 18, 10, 24));
  out.input_block_bits = static_cast<uint32_t>(config.integer("input_block_bits", 24, 16, 24));
  out.disable_literal_context_modeling = config.boolean("disable_literal_context_modeling", false);
  read_chunk_size(config);
  return std::make_unique<BrotliCompressorLibrary>(out);
}

std::unique_ptr<DecompressorLibrary> read_brotli_decompressor(ConfigView& config) {
  config.unsupported("disable_ring_buffer_reallocation", "is not supported");
  read_chunk_size(config);
  return std::make_unique<BrotliDecompressorLibrary>();
}

}  // namespace weir::filters::compression
