// Privacy of Wasm guests: rules, a request with secrets, and a guest that reads and changes its head. Byte 0 chooses the rules, byte 1
// how the head is made, byte 2 what the guest does; texts follow.
//
// Properties: what a guest is handed has no secret in it, whatever stands around it; whatever the guest writes, the secrets are
// in the head afterwards as they were; what is read and written back changes nothing that can be seen.
#include <memory>
#include <string>
#include <vector>

#include "config/text_view.h"
#include "fuzz/require.h"
#include "http/rules.h"
#include "wasm/header_access.h"
#include "wasm/privacy/private_field.h"
#include "wasm/stream_context.h"

namespace {

using namespace weir;
using namespace weir::wasm;
using weir::fuzz::Input;
using weir::fuzz::require;

constexpr std::string_view kSecret = "s3cr3t";

std::shared_ptr<const Privacy> make_rules(unsigned choice) {
  const bool masks = (choice & 1) != 0;
  const std::string rule = masks ? "mask" : "hide";
  std::string text = "privacy: {cookies: {" + rule + ": [{exact: sid}]}, query_parameters: {" +
                     rule + ": [{exact: token}]}, request_headers: {" + rule +
                     ": [{exact: authorization}, {prefix: x-secret}]";
  if ((choice & 2) != 0)
    text += ", allow_only: [{exact: cookie}, {exact: ':path'}, {exact: x-a}, {exact: referer}]";
  text += "}";
  if ((choice & 4) != 0) text += masks ? ", client_address: MASK" : ", client_address: HIDE";
  std::vector<config::Diagnostic> diagnostics;
  auto rules = Privacy::read(*config::view_of(text + "}", diagnostics));
  require(diagnostics.empty() && rules != nullptr, "the rules");
  return rules;
}

/// Without what would make another message of it.
std::string fit(std::string_view text, std::string_view unfit) {
  std::string out;
  for (const char c : text)
    if (static_cast<unsigned char>(c) > ' ' && c != '\x7f' &&
        unfit.find(c) == std::string_view::npos)
      out += c;
  return out;
}

bool has_secret(std::string_view text) { return text.find(kSecret) != std::string_view::npos; }

struct HeadUnderRules {
  std::shared_ptr<const Privacy> rules;
  RequestHead head;
  DirectionState direction;

  HeaderAccess access() {
    HeaderAccess out(head.headers, &head, nullptr, &direction, true);
    out.restrict(rules.get(), Direction::kRequest);
    return out;
  }
  std::string seen() {
    HeaderAccess map = access();
    size_t count = 0, size = 0;
    map.measure(count, size);
    std::string bytes(pairs_size(count, size), '#');
    PairsWriter writer(bytes.data(), count);
    map.write_pairs(writer);
    require(decode_pairs(bytes).has_value(), "what is written can be read");
    return bytes;
  }
  void check_sight() {
    require(!has_secret(seen()), "a map without secrets");
    for (const char* name : {"authorization", "Authorization", "cookie", ":path", "x-secret-a",
                             "referer", "x-forwarded-for"})
      require(!has_secret(access().get(name).value_or("")), "a field without");
  }
  /// `masks`: they may be replaced and removed.
  void check_head(bool masks) {
    if (masks) return;
    require(head.headers.joined("authorization") == "Bearer s3cr3t", "the hidden field");
    require(has_secret(head.headers.joined("cookie")), "the hidden cookie");
    require(has_secret(head.path()), "the hidden parameter");
    for (const HeaderMap::Entry& entry : head.headers)
      require(http::valid_header_name(entry.name) && http::valid_header_value(entry.value),
              "a field that may be sent");
  }
};

void act(HeadUnderRules& with, unsigned what, Input& input) {
  HeaderAccess map = with.access();
  constexpr std::string_view kNames[] = {
      "authorization", "Cookie",  ":path",           "x-a",
      "x-secret-a",    "referer", "x-forwarded-for", "set-cookie"};
  const std::string_view name = kNames[what / 4 % std::size(kNames)];
  switch (what % 4) {
    case 0:
      map.change(HeaderAccess::Change::kAdd, name, input.until('\0'));
      break;
    case 1:
      map.change(HeaderAccess::Change::kReplace, name, input.until('\0'));
      break;
    case 2:
      map.remove(name);
      break;
    default:
      if (const auto pairs = decode_pairs(input.rest())) map.set_all(*pairs);
      break;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  Input input(data, size);
  if (has_secret(fit(input.rest(), "#"))) return 0;  // an input that knows it
  const unsigned choice = input.byte();
  const unsigned count = input.byte();
  HeadUnderRules exchange;
  static const std::vector<std::shared_ptr<const Privacy>> all = [] {
    std::vector<std::shared_ptr<const Privacy>> made;
    for (unsigned each = 0; each < 8; ++each) made.push_back(make_rules(each));
    return made;
  }();
  exchange.rules = all[choice % 8];
  const std::string before = fit(input.until('\0'), "");
  const std::string after = fit(input.until('\0'), "");
  RequestHead& head = exchange.head;
  head.set_method("GET");
  head.set_authority("a");
  head.set_scheme("http");
  head.set_path("/" + fit(before, "#") + (before.find('?') == std::string::npos ? "?" : "&") +
                "token=s3cr3t&" + fit(after, "#"));
  head.headers.add("authorization", "Bearer s3cr3t");
  head.headers.add("cookie", before + "; sid=s3cr3t;" + after);
  head.headers.add("x-secret-a", "s3cr3t");
  head.headers.add("referer", "http://a/?" + before + "&tok%65n=s3cr3t&" + after);
  head.headers.add("x-forwarded-for", "203.0.113.77, " + before);
  head.headers.add("x-a", after);
  exchange.check_sight();
  // Written back: as it was.
  const std::string seen = exchange.seen();
  HeaderAccess map = exchange.access();
  require(map.set_all(*decode_pairs(seen)) == Status::kOk && exchange.seen() == seen, "stable");
  require(!map.refused(), "nothing of what is seen is refused");
  exchange.check_head(false);
  for (unsigned i = 0; i < count % 8; ++i) {
    act(exchange, input.byte(), input);
    if ((choice & 1) == 0) exchange.check_sight();
    exchange.check_head((choice & 1) != 0);
  }
  return 0;
}
