// Which library a TypedExtensionConfig names.
#include "filters/http/compression/readers.h"

namespace weir::filters {

namespace {

template <typename Library>
struct Kind {
  std::string_view type;
  std::unique_ptr<Library> (*read)(ConfigView&);
};

template <typename Library, size_t N>
std::shared_ptr<const Library> read_library(ConfigView& parent, std::string_view field,
                                            const Kind<Library> (&kinds)[N]) {
  auto extension = parent.required_message(field);
  if (!extension) return nullptr;
  const std::string name = extension->required_text("name");
  auto config = extension->required_message("typed_config");
  if (!config) return nullptr;
  const std::string type = config->type();
  for (const Kind<Library>& kind : kinds) {
    if (type != kind.type) continue;
    std::unique_ptr<Library> out = kind.read(*config);
    out->name = name;
    return out;
  }
  for (const std::string& key : config->keys()) static_cast<void>(config->json(key));
  std::string known;
  for (const Kind<Library>& kind : kinds) known.append(known.empty() ? "" : ", ").append(kind.type);
  config->error("@type", "is none of " + known);
  return nullptr;
}

}  // namespace

std::shared_ptr<const CompressorLibrary> read_compressor_library(ConfigView& parent) {
  static constexpr Kind<CompressorLibrary> kKinds[] = {
      {"envoy.extensions.compression.gzip.compressor.v3.Gzip", &compression::read_gzip_compressor},
      {"envoy.extensions.compression.brotli.compressor.v3.Brotli",
       &compression::read_brotli_compressor},
      {"envoy.extensions.compression.zstd.compressor.v3.Zstd", &compression::read_zstd_compressor}};
  return read_library(parent, "compressor_library", kKinds);
}

std::shared_ptr<const DecompressorLibrary> read_decompressor_library(ConfigView& parent) {
  static constexpr Kind<DecompressorLibrary> kKinds[] = {
      {"envoy.extensions.compression.gzip.decompressor.v3.Gzip",
       &compression::read_gzip_decompressor},
      {"envoy.extensions.compression.brotli.decompressor.v3.Brotli",
       &compression::read_brotli_decompressor},
      {"envoy.extensions.compression.zstd.decompressor.v3.Zstd",
       &compression::read_zstd_decompressor}};
  return read_library(parent, "decompressor_library", kKinds);
}

}  // namespace weir::filters
