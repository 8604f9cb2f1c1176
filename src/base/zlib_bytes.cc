#include "base/zlib_bytes.h"

#include <zlib.h>

#include <algorithm>

#include "base/check.h"

namespace weir::base {
namespace {

/// zlib does not write through it.
Bytef* input_of(std::string_view bytes) noexcept {
  return const_cast<Bytef*>(reinterpret_cast<const Bytef*>(bytes.data()));
}

struct Inflater {
  z_stream stream{};
  Inflater() { WEIR_CHECK(inflateInit(&stream) == Z_OK); }
  ~Inflater() { inflateEnd(&stream); }
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;
};

}  // namespace

std::string zlib_compress(std::string_view bytes) {
  uLongf size = compressBound(bytes.size());
  std::string out(size, '\0');
  WEIR_CHECK(compress(reinterpret_cast<Bytef*>(out.data()), &size, input_of(bytes), bytes.size()) ==
             Z_OK);
  out.resize(size);
  return out;
}

std::optional<std::string> zlib_uncompress(std::string_view bytes, size_t most) {
  constexpr size_t kFirstStep = 16 * 1024;
  Inflater inflater;
  z_stream& stream = inflater.stream;
  stream.next_in = input_of(bytes);
  stream.avail_in = static_cast<uInt>(bytes.size());
  if (stream.avail_in != bytes.size()) return std::nullopt;
  std::string out;
  // One byte more than allowed tells too much from just enough.
  for (size_t step = kFirstStep;; step *= 2) {
    const size_t had = out.size();
    out.resize(std::min(had + step, most + 1));
    stream.next_out = reinterpret_cast<Bytef*>(out.data()) + had;
    stream.avail_out = static_cast<uInt>(out.size() - had);
    const int result = inflate(&stream, Z_NO_FLUSH);
    out.resize(out.size() - stream.avail_out);
    if (out.size() > most) return std::nullopt;
    if (result == Z_STREAM_END)
      return stream.avail_in == 0 ? std::optional(std::move(out)) : std::nullopt;
    // Room is left: the stream is cut off.
    if (result != Z_OK || stream.avail_out != 0) return std::nullopt;
  }
}

}  // namespace weir::base
