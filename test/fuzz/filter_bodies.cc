// What native filters parse of bodies and lists: codings, base64, messages of gRPC, accept-encoding. Byte 0 chooses what, byte 1
// where the rest is cut.
//
// Properties: the cut changes nothing; a decoder's output stays within its ratio; what is encoded again decodes to the same; a
// coding that is chosen was offered.
#include <memory>
#include <string>
#include <vector>

#include "config/text_view.h"
#include "filters/common/grpc.h"
#include "filters/http/compression/codec.h"
#include "filters/http/compressor/accept_encoding.h"
#include "filters/http/grpc_web/base64.h"
#include "fuzz/require.h"

namespace {

using namespace weir;
using namespace weir::filters;
using weir::fuzz::require;

constexpr const char* kNames[] = {"gzip.%.v3.Gzip", "brotli.%.v3.Brotli", "zstd.%.v3.Zstd"};

std::string yaml_of(size_t which, const std::string& way) {
  std::string type = kNames[which];
  type.replace(type.find('%'), 1, way);
  return way + "_library: {name: a, typed_config: {\"@type\": a/envoy.extensions.compression." +
         type + "}}";
}

template <typename Library>
std::shared_ptr<const Library> library_of(size_t which, const std::string& way,
                                          std::shared_ptr<const Library> (*read)(ConfigView&)) {
  std::vector<config::Diagnostic> diagnostics;
  std::shared_ptr<const Library> out;
  {
    auto view = config::view_of(yaml_of(which, way), diagnostics);
    out = read(*view);
  }
  require(out != nullptr && diagnostics.empty(), "the library is there");
  return out;
}

struct Result {
  Decoded decoded;
  std::string text;
};

Result decode(const DecompressorLibrary& library, std::string_view text, size_t cut) {
  auto decoder = library.make();
  Buffer first(text.substr(0, cut)), second(text.substr(cut));
  Result out{decoder->decompress(first, Part::kMore), first.to_string()};
  if (out.decoded != Decoded::kOk) return out;
  out.decoded = decoder->decompress(second, Part::kLast);
  out.text += second.to_string();
  return out;
}

void fuzz_coding(size_t which, std::string_view text, size_t cut) {
  static const std::shared_ptr<const DecompressorLibrary> kDecoders[] = {
      library_of(0, "decompressor", &read_decompressor_library),
      library_of(1, "decompressor", &read_decompressor_library),
      library_of(2, "decompressor", &read_decompressor_library)};
  static const std::shared_ptr<const CompressorLibrary> kEncoders[] = {
      library_of(0, "compressor", &read_compressor_library),
      library_of(1, "compressor", &read_compressor_library),
      library_of(2, "compressor", &read_compressor_library)};
  const Result whole = decode(*kDecoders[which], text, text.size());
  const Result cut_up = decode(*kDecoders[which], text, cut);
  require(
      whole.text.size() <= kFreeOutput + text.size() * kMaxInflateRatio + 2 * Buffer::kBlockSize,
      "the output stays within the ratio");
  if (whole.decoded == Decoded::kOk && cut_up.decoded == Decoded::kOk)
    require(whole.text == cut_up.text, "the cut changes nothing");
  auto encoder = kEncoders[which]->make();
  Buffer first(text.substr(0, cut)), second(text.substr(cut));
  encoder->compress(first, Part::kMore);
  encoder->compress(second, Part::kLast);
  first.append(std::move(second));
  const Result again = decode(*kDecoders[which], first.to_string(), first.size() / 2);
  if (again.decoded != Decoded::kTooMuch)
    require(again.decoded == Decoded::kOk && again.text == text, "what is encoded decodes");
}

void fuzz_base64(std::string_view text, size_t cut) {
  std::string whole, cut_up, encoded, decoded;
  Base64Decoder a, b, c;
  const bool good = a.decode(text, whole);
  const bool cut_good = b.decode(text.substr(0, cut), cut_up) && b.decode(text.substr(cut), cut_up);
  require(good == cut_good && (!good || whole == cut_up), "the cut changes nothing");
  Base64Encoder encoder;
  encoder.encode(text.substr(0, cut), encoded);
  encoder.encode(text.substr(cut), encoded);
  encoder.flush(encoded);
  require(c.decode(encoded, decoded) && c.complete() && decoded == text, "what is encoded decodes");
}

void fuzz_frames(std::string_view text, size_t cut) {
  GrpcFrames whole, cut_up;
  whole.skip(text);
  cut_up.skip(text.substr(0, cut));
  cut_up.skip(text.substr(cut));
  require(whole.messages() == cut_up.messages() && whole.at_boundary() == cut_up.at_boundary(),
          "the cut changes nothing");
}

void fuzz_accept(std::string_view text) {
  const Offer offers[] = {{"gzip"}, {"br", true}, {"zstd"}};
  const Choice choice = choose_encoding(text, offers);
  bool offered = choice.encoding.empty();
  for (const Offer& offer : offers) offered = offered || choice.encoding == offer.encoding;
  require(offered, "a coding that is chosen was offered");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::Input input(data, size);
  const unsigned what = input.byte() % 6;
  const size_t cut = input.byte();
  const std::string_view text = input.rest();
  const size_t at = text.empty() ? 0 : cut % (text.size() + 1);
  if (what < 3)
    fuzz_coding(what, text, at);
  else if (what == 3)
    fuzz_base64(text, at);
  else if (what == 4)
    fuzz_frames(text, at);
  else
    fuzz_accept(text);
  return 0;
}
