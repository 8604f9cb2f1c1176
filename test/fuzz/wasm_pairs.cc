// What guests hand over as bytes: maps, property paths; and what a configuration hands to guests: structs, base64. Byte 0
// chooses.
//
// Properties: a map that is read is written as the same bytes; a head that a guest has set is one that may be sent, and
// one that was refused is the old one; nothing reads outside the input (the sanitizers look).
#include <algorithm>
#include <string>

#include "base/json.h"
#include "base/strings.h"
#include "fuzz/require.h"
#include "http/rules.h"
#include "wasm/header_access.h"
#include "wasm/limits.h"
#include "wasm/pairs.h"
#include "wasm/property.h"
#include "wasm/stream_context.h"

namespace {

using namespace weir;
using namespace weir::wasm;
using weir::fuzz::Input;
using weir::fuzz::require;

void check_pairs(std::string_view bytes) {
  const auto pairs = decode_pairs(bytes);
  if (!pairs) return;
  require(pairs->size() <= kMaxPairs, "the number is bounded");
  if (bytes.size() > 1) require(encode_pairs(*pairs) == bytes, "one map, one text");
  for (const auto& pair : *pairs)
    for (const std::string_view text : {pair.first, pair.second})
      require(
          text.data() >= bytes.data() && text.data() + text.size() < bytes.data() + bytes.size(),
          "views point into the input");
}

std::string written(HeaderAccess access) {
  size_t count = 0, size = 0;
  access.measure(count, size);
  std::string bytes(pairs_size(count, size), '#');
  PairsWriter writer(bytes.data(), count);
  access.write_pairs(writer);
  const auto pairs = decode_pairs(bytes);
  require(pairs && pairs->size() == count, "what is written can be read");
  return bytes;
}

void fuzz_head(std::string_view bytes) {
  const auto pairs = decode_pairs(bytes);
  if (!pairs) return;
  RequestHead head;
  head.set_method("GET");
  head.set_path("/");
  head.set_authority("a");
  head.set_scheme("http");
  head.headers.add("x-a", "1");
  DirectionState direction;
  const HeaderAccess access(head.headers, &head, nullptr, &direction, true);
  const std::string before = written(access);
  HeaderAccess changing = access;
  if (changing.set_all(*pairs) != Status::kOk)
    return require(written(access) == before, "a refused map changes nothing");
  require(http::valid_method(head.method()), "method");
  require(head.path() == "*" || head.path().starts_with('/'), "path");
  require(head.path().find_first_of(" #\r\n") == std::string_view::npos, "path in one piece");
  require(http::valid_authority(head.authority()), "authority");
  require(head.scheme() == "http" || head.scheme() == "https", "scheme");
  require(head.headers.count("content-length") <= 1, "one length");
  for (const HeaderMap::Entry& entry : head.headers) {
    require(http::valid_header_name(entry.name) && http::valid_header_value(entry.value), "field");
    require(entry.name == base::lower(entry.name), "names are in lower case");
    require(entry.name != "host" && entry.name != "transfer-encoding" && entry.name != "connection",
            "framing is the codec's");
  }
  // Set once more as it stands, nothing changes.
  const std::string now = written(access);
  HeaderAccess again = access;
  require(again.set_all(*decode_pairs(now)) == Status::kOk && written(access) == now, "stable");
}

void fuzz_path(std::string_view text) {
  const PropertyPath path(text);
  require(path.size() >= 1 && text.starts_with(path.whole()), "a path is what was given");
  require(text.size() - path.whole().size() == (text.ends_with('\0') ? 1 : 0), "less a terminator");
  std::string joined;
  for (size_t i = 0; i < path.size(); ++i) {
    if (i > 0) joined += '\0';
    joined += path.at(i);
  }
  require(joined == path.whole(), "the parts are the whole");
  require(path.at(path.size()).empty(), "nothing behind the end");
}

void fuzz_struct(std::string_view text) {
  const auto value = StructValue::parse(text);
  if (!value) {
    require(!value.error().detail.empty(), "an error says something");
    const auto nested =
        std::count_if(text.begin(), text.end(), [](char c) { return c == '[' || c == '{'; });
    const bool marked = text.starts_with("\xef\xbb\xbf");  // a byte order mark
    require(nested > 60 || marked || !base::json_valid(text), "JSON is taken");
    return;
  }
  const bool is_map =
      value->kind() == StructValue::Kind::kStruct || value->kind() == StructValue::Kind::kList;
  require(is_map || value->message().empty(), "a message is of a struct or list");
  static_cast<void>(value->find(text));
  static_cast<void>(value->find("0"));
}

void fuzz_base64(std::string_view text) {
  const auto bytes = base::base64_decode(text);
  if (!bytes) return;
  constexpr std::string_view kAlphabet =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string again;
  for (size_t i = 0; i < bytes->size(); i += 3) {
    uint32_t group = 0;
    for (size_t k = 0; k < 3; ++k)
      group =
          group << 8 | (i + k < bytes->size() ? static_cast<unsigned char>((*bytes)[i + k]) : 0u);
    for (size_t k = 0; k < 4; ++k)
      again += i + k <= bytes->size() ? kAlphabet[group >> (18 - 6 * k) & 63] : '=';
  }
  require(again == text, "one value, one text");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  Input input(data, size);
  switch (input.byte() % 5) {
    case 0:
      check_pairs(input.rest());
      break;
    case 1:
      fuzz_head(input.rest());
      break;
    case 2:
      fuzz_path(input.rest());
      break;
    case 3:
      fuzz_struct(input.rest());
      break;
    default:
      fuzz_base64(input.rest());
      break;
  }
  return 0;
}
