// The readers of each library's messages. Private to this folder.
#pragma once

#include "filters/http/compression/codec.h"

namespace weir::filters::compression {

std::unique_ptr<CompressorLibrary> read_gzip_compressor(ConfigView& config);
std::unique_ptr<CompressorLibrary> read_brotli_compressor(ConfigView& config);
std::unique_ptr<CompressorLibrary> read_zstd_compressor(ConfigView& config);
std::unique_ptr<DecompressorLibrary> read_gzip_decompressor(ConfigView& config);
std::unique_ptr<DecompressorLibrary> read_brotli_decompressor(ConfigView& config);
std::unique_ptr<DecompressorLibrary> read_zstd_decompressor(ConfigView& config);

/// "chunk_size": checked and without effect, for output goes into the blocks of Buffer.
inline void read_chunk_size(ConfigView& config) {
  static_cast<void>(config.integer("chunk_size", 4096, 4096, 65536));
}

/// Room that is asked of the output buffer at a time.
inline constexpr size_t kRoom = 1024;

/// True if so much output of so much input must not be.
inline bool over_ratio(uint64_t out, uint64_t in, uint64_t ratio) noexcept {
  return out > kFreeOutput && out / ratio > in;
}

}  // namespace weir::filters::compression
