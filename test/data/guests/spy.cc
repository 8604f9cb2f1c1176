// A guest that looks everywhere: with every host function that hands something over, in every callback, for every map, property
// and buffer it can name. What it looks for stands in its plugin configuration, separated by commas; what it is handed is
// searched for it. It also tries to change, add and remove what it may not see. Results are counters: `spy_looks`,
// `spy_found` (and `spy_found_<place>`), `spy_counts_differ` (a callback's count is not that of the map).
#include "raw_abi.h"

WEIR_EXPORT(proxy_abi_version_0_2_1) void spy_abi_version() {}
WEIR_EXPORT(malloc) void* spy_malloc(uint32_t size) { return malloc(size); }

namespace {

Text needles{};
uint32_t last_context = 0;
uint32_t looks = 0;  // the counter's id
bool called = false;

void count(const Text& name, uint32_t more = 1) {
  uint32_t id = 0;
  if (proxy_define_metric(0, name.address(), name.size, address_of(&id)) == 0)
    proxy_increment_metric(id, more);
}

bool contains(const Text& text, const Text& part) {
  for (uint32_t at = 0; part.size > 0 && at + part.size <= text.size; ++at)
    if (memcmp(text.data + at, part.data, part.size) == 0) return true;
  return false;
}

// Searches what was handed over, and frees it.
void search(const Text& place, uint32_t status, const Handed& handed) {
  proxy_increment_metric(looks, 1);
  if (status != 0 || handed.data == nullptr) return;
  Text rest = needles;
  while (!rest.empty()) {
    if (!contains(handed.text(), rest.cut(','))) continue;
    Builder<96> name;
    count("spy_found");
    count(name.add("spy_found_").add(place).text());
  }
  free(const_cast<char*>(handed.data));
}

const Text kFields[] = {":path",
                        ":authority",
                        "host",
                        ":method",
                        ":scheme",
                        ":status",
                        "authorization",
                        "Authorization",
                        "AUTHORIZATION",
                        "cookie",
                        "Cookie",
                        "set-cookie",
                        "Set-Cookie",
                        "x-secret-key",
                        "x-forwarded-for",
                        "X-Real-IP",
                        "forwarded",
                        "x-envoy-external-address",
                        "true-client-ip",
                        "referer",
                        "location",
                        "x-envoy-original-path",
                        "x-trailer-secret",
                        "x-visible"};

const char* const kProperties[] = {"request",
                                   "request/path",
                                   "request/url_path",
                                   "request/query",
                                   "request/host",
                                   "request/scheme",
                                   "request/method",
                                   "request/headers",
                                   "request/headers/authorization",
                                   "request/headers/Authorization",
                                   "request/headers/authorization/x",
                                   "request/headers/cookie",
                                   "request/headers/:path",
                                   "request/headers/x-forwarded-for",
                                   "request/headers/x-secret-key",
                                   "request/referer",
                                   "request/useragent",
                                   "request/id",
                                   "request/protocol",
                                   "request/time",
                                   "request/size",
                                   "request/total_size",
                                   "request/headers_bytes",
                                   "request/duration",
                                   "response",
                                   "response/code",
                                   "response/code_details",
                                   "response/flags",
                                   "response/headers",
                                   "response/headers/set-cookie",
                                   "response/headers/location",
                                   "response/trailers",
                                   "response/trailers/x-trailer-secret",
                                   "response/grpc_status",
                                   "source",
                                   "source/address",
                                   "source/address/x",
                                   "source/port",
                                   "destination/address",
                                   "connection",
                                   "connection/id",
                                   "connection/requested_server_name",
                                   "connection/subject_peer_certificate",
                                   "connection_id",
                                   "upstream/address",
                                   "upstream/local_address",
                                   "filter_state",
                                   "filter_state/wasm.left/secret",
                                   "filter_state/wasm.left",
                                   "left/secret",
                                   "left",
                                   "node",
                                   "node/id",
                                   "node/metadata",
                                   "node/metadata/secret",
                                   "xds",
                                   "xds/node",
                                   "xds/node/metadata",
                                   "xds/node/metadata/secret",
                                   "xds/cluster_name",
                                   "cluster_name",
                                   "route_name",
                                   "listener_direction",
                                   "plugin_name",
                                   "plugin_root_id",
                                   "metadata",
                                   "upstream/address/x",
                                   ""};

void look_at_maps() {
  for (uint32_t map = 0; map < 10; ++map) {
    for (const Text& name : kFields) {
      Handed value;
      const uint32_t status = proxy_get_header_map_value(map, name.address(), name.size,
                                                         value.data_at(), value.size_at());
      search("header", status, value);
    }
    Handed pairs;
    const uint32_t status = proxy_get_header_map_pairs(map, pairs.data_at(), pairs.size_at());
    uint32_t size = 0;
    if (proxy_get_header_map_size(map, address_of(&size)) == 0 && status == 0 && pairs.size > 0 &&
        size != pairs.size)
      count("spy_counts_differ");
    search("pairs", status, pairs);
  }
}

void look_at_properties() {
  for (const char* text : kProperties) {
    for (uint32_t trailing = 0; trailing < 2; ++trailing) {
      Builder<128> path;
      for (const char* c = text; *c != '\0'; ++c) path.add(*c == '/' ? '\0' : *c);
      if (trailing != 0) path.add('\0');
      Handed value;
      const uint32_t status =
          proxy_get_property(address_of(path.bytes), path.size, value.data_at(), value.size_at());
      search("property", status, value);
    }
  }
}

void look_at_the_rest() {
  // Bodies and its own configurations are no secrets.
  constexpr uint32_t kBuffers[] = {4, 5, 8};
  for (const uint32_t buffer : kBuffers) {
    Handed bytes;
    const uint32_t status =
        proxy_get_buffer_bytes(buffer, 0, 65536, bytes.data_at(), bytes.size_at());
    search("buffer", status, bytes);
  }
  Handed message;
  uint32_t code = 0;
  search("status", proxy_get_status(address_of(&code), message.data_at(), message.size_at()),
         message);
  const Text functions[] = {"clear_route_cache", "get_header", "expr_evaluate", "get_property"};
  for (const Text& name : functions) {
    Handed result;
    const uint32_t status = proxy_call_foreign_function(name.address(), name.size, 0, 0,
                                                        result.data_at(), result.size_at());
    search("foreign", status, result);
  }
  const Text keys[] = {"secret", "authorization"};
  for (const Text& key : keys) {
    Handed value;
    uint32_t cas = 0;
    const uint32_t status = proxy_get_shared_data(key.address(), key.size, value.data_at(),
                                                  value.size_at(), address_of(&cas));
    search("shared", status, value);
  }
}

void look() {
  look_at_maps();
  look_at_properties();
  look_at_the_rest();
}

// Everywhere, and in every context that it knows of.
void look_around(uint32_t id) {
  look();
  for (uint32_t other = 1; other <= last_context; ++other) {
    if (other == id || proxy_set_effective_context(other) != 0) continue;
    look();
  }
  proxy_set_effective_context(id);
}

// What a guest may not see it may not change: the other side finds these as they were.
void spoil(uint32_t map) {
  const Text forged = "forged";
  const Text hidden[] = {"authorization", "Authorization", "x-hidden", "x-forwarded-for"};
  for (const Text& name : hidden) {
    proxy_add_header_map_value(map, name.address(), name.size, forged.address(), forged.size);
    proxy_replace_header_map_value(map, name.address(), name.size, forged.address(), forged.size);
    proxy_remove_header_map_value(map, name.address(), name.size);
  }
  const Text cookie = "cookie";
  const Text cookies = "sid=forged; mine=1";
  proxy_replace_header_map_value(map, cookie.address(), cookie.size, cookies.address(),
                                 cookies.size);
  const Text path = ":path";
  const Text target = "/spoilt?token=forged&mine=1";
  proxy_replace_header_map_value(map, path.address(), path.size, target.address(), target.size);
  const Text set = "set-cookie";
  const Text sid = "sid=forged";
  proxy_add_header_map_value(map, set.address(), set.size, sid.address(), sid.size);
  proxy_remove_header_map_value(map, set.address(), set.size);
  // All that is seen is written back.
  Handed pairs;
  if (proxy_get_header_map_pairs(map, pairs.data_at(), pairs.size_at()) != 0) return;
  proxy_set_header_map_pairs(map, address_of(pairs.data), pairs.size);
  free(const_cast<char*>(pairs.data));
}

void compare_count(uint32_t map, uint32_t told) {
  Handed pairs;
  uint32_t there = 0;
  proxy_get_header_map_pairs(map, pairs.data_at(), pairs.size_at());
  if (pairs.size >= 4) memcpy(&there, pairs.data, 4);
  free(const_cast<char*>(pairs.data));
  if (there != told) count("spy_counts_differ");
}

// `cluster` answers with what it likes.
void call_out() {
  const Text cluster = "origin";
  Builder<512> block;
  const Text fields[] = {":method",    "GET", ":path",   "/callout",
                         ":authority", "a",   "x-guess", "***"};
  const uint32_t pairs = 4;
  block.add(Text(reinterpret_cast<const char*>(&pairs), 4));
  for (const Text& field : fields) block.add(Text(reinterpret_cast<const char*>(&field.size), 4));
  for (const Text& field : fields) block.add(field).add('\0');
  uint32_t id = 0;
  if (proxy_http_call(cluster.address(), cluster.size, address_of(block.bytes), block.size, 0, 0, 0,
                      0, 1000, address_of(&id)) == 0)
    called = true;
}

}  // namespace

WEIR_EXPORT(proxy_on_context_create) void on_context_create(uint32_t id, uint32_t) {
  if (id > last_context) last_context = id;
  look();
}

WEIR_EXPORT(proxy_on_configure) uint32_t on_configure(uint32_t, uint32_t size) {
  Handed bytes;
  if (proxy_get_buffer_bytes(7, 0, size, bytes.data_at(), bytes.size_at()) == 0)
    needles = bytes.text();
  const Text name = "spy_looks";
  proxy_define_metric(0, name.address(), name.size, address_of(&looks));
  count("spy_found", 0);
  count("spy_counts_differ", 0);
  return 1;
}

WEIR_EXPORT(proxy_on_request_headers)
uint32_t on_request_headers(uint32_t id, uint32_t told, uint32_t) {
  compare_count(0, told);
  look_around(id);
  spoil(0);
  look();
  if (!called) call_out();
  return 0;
}
WEIR_EXPORT(proxy_on_request_body) uint32_t on_request_body(uint32_t id, uint32_t, uint32_t) {
  look_around(id);
  return 0;
}
WEIR_EXPORT(proxy_on_request_trailers) uint32_t on_request_trailers(uint32_t id, uint32_t told) {
  compare_count(1, told);
  look_around(id);
  spoil(1);
  return 0;
}
WEIR_EXPORT(proxy_on_response_headers)
uint32_t on_response_headers(uint32_t id, uint32_t told, uint32_t) {
  compare_count(2, told);
  look_around(id);
  spoil(2);
  return 0;
}
WEIR_EXPORT(proxy_on_response_body) uint32_t on_response_body(uint32_t id, uint32_t, uint32_t) {
  look_around(id);
  return 0;
}
WEIR_EXPORT(proxy_on_response_trailers) uint32_t on_response_trailers(uint32_t id, uint32_t told) {
  compare_count(3, told);
  look_around(id);
  spoil(3);
  return 0;
}
WEIR_EXPORT(proxy_on_http_call_response)
void on_http_call_response(uint32_t id, uint32_t, uint32_t told, uint32_t, uint32_t trailers) {
  compare_count(6, told);
  compare_count(7, trailers);
  look_around(id);
  count("spy_answers");
}
WEIR_EXPORT(proxy_on_done) uint32_t on_done(uint32_t) {
  look();
  return 1;
}
WEIR_EXPORT(proxy_on_log) void on_log(uint32_t) { look(); }
WEIR_EXPORT(proxy_on_delete) void on_delete(uint32_t) { look(); }
