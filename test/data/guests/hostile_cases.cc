// The cases of the hostile guest, group by group.
#include <wasi/api.h>

#include "hostile.h"

namespace hostile {

namespace {

const Text kKey = "x-some-key";
const Text kValue = "some value";
Address key() { return kKey.address(); }
uint32_t key_size() { return kKey.size; }
Address value() { return kValue.address(); }
uint32_t value_size() { return kValue.size; }

// {"x", "a\r\nb: c"}
constexpr char kSplitPairs[] = {1, 0,   0, 0,   1,    0,    0,   0,   7,   0,   0,
                                0, 'x', 0, 'a', '\r', '\n', 'b', ':', ' ', 'c', 0};
// {"x\r\ny", "a"}
constexpr char kSplitName[] = {1, 0, 0, 0, 4, 0, 0, 0, 1, 0, 0, 0, 'x', '\r', '\n', 'y', 0, 'a', 0};

// A map block of one pair, {"a", "b"}: 4 + 8 + 2 + 2 bytes.
constexpr char kGoodPairs[] = {1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 'a', 0, 'b', 0};

// Calls `use(name, block, size)` with every way in which a map block can be malformed.
template <typename Use>
void for_each_malformed_block(Use use) {
  auto* block = scratch;
  const auto reset = [block] { memcpy(block, kGoodPairs, sizeof(kGoodPairs)); };
  reset();
  use("cut_short", block, 15);
  use("three_bytes", block, 3);
  block[16] = 'x';
  use("trailing_byte", block, 17);
  reset();
  block[0] = 2;
  use("count_too_large", block, 16);
  memset(block, 0xFF, 4);
  use("count_huge", block, 16);
  reset();
  memset(block + 4, 0xFF, 4);
  use("length_huge", block, 16);
  reset();
  block[13] = 'x';
  use("missing_nul", block, 16);
}

}  // namespace

void cases_of_log() {
  if (!wants("log")) return;
  expect("log.level_6", proxy_log(6, value(), value_size()), kBadArgument);
  expect("log.level_huge", proxy_log(kHuge, value(), value_size()), kBadArgument);
  expect("log.wild", proxy_log(kTrace, kWild, 4), kMemory);
  expect("log.overflow", proxy_log(kTrace, value(), kHuge), kMemory);
  expect("log.edge", proxy_log(kTrace, beyond() - 2, 4), kMemory);
  expect("log.beyond", proxy_log(kTrace, beyond(), 1), kMemory);
  expect("log.wild_and_empty", proxy_log(kTrace, kWild, 0), kMemory | kOk);
  expect("log.empty", proxy_log(kTrace, 0, 0), kOk);
  expect("log.empty_at_the_end", proxy_log(kTrace, beyond(), 0), kOk);
  expect("log_level.wild", proxy_get_log_level(kWild), kMemory);
  expect("log_level.edge", proxy_get_log_level(beyond() - 3), kMemory);
  expect("status.wild_code", proxy_get_status(kWild, out(), out2()), kMemory);
  expect("time.wild", proxy_get_current_time_nanoseconds(kWild), kMemory);
  expect("time.edge", proxy_get_current_time_nanoseconds(beyond() - 7), kMemory);
  expect("time.unaligned", proxy_get_current_time_nanoseconds(address_of(scratch + 1)), kOk);
}

namespace {

void cases_of_large_properties() {
  constexpr uint32_t kPath = 64 * 1024;
  constexpr uint32_t kValueBytes = 2 * 1024 * 1024;
  auto* bytes = static_cast<char*>(malloc(kValueBytes));
  const Address at = address_of(bytes);
  const char fills[] = {'a', '\0', '\xff'};
  for (const char fill : fills) {
    memset(bytes, fill, kPath);
    expect("property.64k_path", proxy_get_property(at, kPath, out(), out2()),
           kNotFound | kBadArgument);
    expect("set_property.64k_path", proxy_set_property(at, kPath, value(), value_size()),
           kBadArgument);
  }
  memset(bytes, 'v', kValueBytes);
  expect("set_property.2m_value", proxy_set_property(key(), key_size(), at, kValueBytes),
         kBadArgument);
  free(bytes);
  // A path is bytes: what was stored under it is found under it.
  const char binary[] = "\xff\0\x80\r\n\0\0x";
  const Address path = address_of(binary);
  expect("set_property.binary", proxy_set_property(path, 8, value(), value_size()), kOk);
  expect("property.binary", proxy_get_property(path, 8, out(), out2()), kOk);
  expect("property.binary_cut", proxy_get_property(path, 4, out(), out2()), kNotFound);
}

}  // namespace

void cases_of_properties() {
  if (!wants("properties")) return;
  const Text name = "plugin_name";
  const Text missing = "no_such_property";
  expect("property.missing", proxy_get_property(missing.address(), missing.size, out(), out2()),
         kNotFound);
  expect("property.empty", proxy_get_property(0, 0, out(), out2()), kNotFound | kBadArgument);
  expect("property.only_nul", proxy_get_property(address_of("\0\0\0"), 3, out(), out2()),
         kNotFound | kBadArgument);
  expect("property.wild_path", proxy_get_property(kWild, 4, out(), out2()), kMemory);
  expect("property.long_path", proxy_get_property(name.address(), kHuge, out(), out2()), kMemory);
  expect("property.wild_value", proxy_get_property(name.address(), name.size, kWild, out2()),
         kMemory);
  expect("property.wild_size", proxy_get_property(name.address(), name.size, out(), kWild),
         kMemory);
  const auto odd_path = [](const char* title, const char* path, uint32_t size, uint32_t allowed) {
    expect(title, proxy_get_property(address_of(path), size, out(), out2()), allowed);
  };
  odd_path("property.nuls_behind", "plugin_name\0\0", 13, kOk | kNotFound);
  odd_path("property.nul_before", "\0plugin_name", 12, kNotFound | kBadArgument);
  odd_path("property.nuls_within", "a\0\0b\0\0", 6, kNotFound | kBadArgument);
  odd_path("property.no_text", "\xff\xfe\0\x80 \x7f", 6, kNotFound | kBadArgument);
  cases_of_large_properties();
  expect("set_property.wild_path", proxy_set_property(kWild, 4, value(), value_size()), kMemory);
  expect("set_property.wild_value", proxy_set_property(key(), key_size(), kWild, 4), kMemory);
  expect("foreign.unknown", proxy_call_foreign_function(key(), key_size(), 0, 0, out(), out2()),
         kNotFound);
  expect("foreign.wild_name", proxy_call_foreign_function(kWild, 4, 0, 0, out(), out2()), kMemory);
  expect("foreign.wild_arguments",
         proxy_call_foreign_function(key(), key_size(), kWild, 4, out(), out2()),
         kMemory | kNotFound);
}

void cases_of_streams() {
  if (!wants("streams")) return;
  expect("continue.type_4", proxy_continue_stream(4), kBadArgument);
  expect("continue.type_huge", proxy_continue_stream(kHuge), kBadArgument);
  expect("continue.not_paused", proxy_continue_stream(0), kOk);
  expect("continue.response_not_paused", proxy_continue_stream(1), kOk);
  expect("close.type_4", proxy_close_stream(4), kBadArgument);
  expect("close.type_huge", proxy_close_stream(kHuge), kBadArgument);
  expect("reply.wild_details", proxy_send_local_response(200, kWild, 4, 0, 0, 0, 0, kHuge),
         kMemory);
  expect("reply.wild_body", proxy_send_local_response(200, 0, 0, kWild, 4, 0, 0, kHuge), kMemory);
  expect("reply.wild_headers", proxy_send_local_response(200, 0, 0, 0, 0, kWild, 16, kHuge),
         kMemory);
  constexpr uint32_t kLarge = 17 * 1024 * 1024;
  if (void* large = malloc(kLarge)) {
    expect("reply.large_body",
           proxy_send_local_response(200, 0, 0, address_of(large), kLarge, 0, 0, kHuge),
           kBadArgument);
    free(large);
  }
  for_each_malformed_block([](const char* name, const char* block, uint32_t size) {
    Builder<64> title;
    title.add("reply.").add(name);
    expect(title.text(), proxy_send_local_response(200, 0, 0, 0, 0, address_of(block), size, kHuge),
           kBadArgument);
  });
  expect("reply.split_value",
         proxy_send_local_response(200, 0, 0, 0, 0, address_of(kSplitPairs), sizeof(kSplitPairs),
                                   kHuge),
         kOk);  // the field is left out
  expect(
      "reply.split_name",
      proxy_send_local_response(200, 0, 0, 0, 0, address_of(kSplitName), sizeof(kSplitName), kHuge),
      kOk);
  expect("effective.unknown", proxy_set_effective_context(0x7FFFFFF0), kBadArgument);
  expect("effective.huge", proxy_set_effective_context(kHuge), kBadArgument);
  expect("effective.own", proxy_set_effective_context(self_id), kOk);
}

void cases_of_shared() {
  if (!wants("shared")) return;
  const Text stored = "hostile.stored";
  const Text missing = "hostile.missing";
  expect("shared_get.missing",
         proxy_get_shared_data(missing.address(), missing.size, out(), out2(), out3()), kNotFound);
  expect("shared_get.wild_key", proxy_get_shared_data(kWild, 4, out(), out2(), out3()), kMemory);
  expect("shared_set.wild_key", proxy_set_shared_data(kWild, 4, value(), value_size(), 0), kMemory);
  expect("shared_set.wild_value", proxy_set_shared_data(stored.address(), stored.size, kWild, 4, 0),
         kMemory);
  expect("shared_set.good",
         proxy_set_shared_data(stored.address(), stored.size, value(), value_size(), 0), kOk);
  expect("shared_set.other_cas",
         proxy_set_shared_data(stored.address(), stored.size, value(), value_size(), 0xFFFFFFFE),
         kCasMismatch);
  expect("shared_get.wild_value",
         proxy_get_shared_data(stored.address(), stored.size, kWild, out2(), out3()), kMemory);
  expect("shared_get.wild_size",
         proxy_get_shared_data(stored.address(), stored.size, out(), kWild, out3()), kMemory);
  expect("shared_get.wild_cas",
         proxy_get_shared_data(stored.address(), stored.size, out(), out2(), kWild), kMemory);
  expect("queue_register.wild", proxy_register_shared_queue(kWild, 4, out()), kMemory);
  expect("queue_register.long_name", proxy_register_shared_queue(0, 64 * 1024, out()), kInternal);
  expect("queue_resolve.wild", proxy_resolve_shared_queue(0, 0, kWild, 4, out()), kMemory);
  expect("queue_resolve.missing",
         proxy_resolve_shared_queue(0, 0, missing.address(), missing.size, out()), kNotFound);
  expect("queue_put.unknown", proxy_enqueue_shared_queue(0x7FFFFFF0, value(), value_size()),
         kNotFound);
  expect("queue_put.wild", proxy_enqueue_shared_queue(0x7FFFFFF0, kWild, 4), kMemory | kNotFound);
  expect("queue_get.unknown", proxy_dequeue_shared_queue(0x7FFFFFF0, out(), out2()), kNotFound);
}

namespace {

// What is wrong whatever the map.
void cases_of_header_arguments() {
  const Text path = ":path";
  expect("header_get.map_8", proxy_get_header_map_value(8, key(), key_size(), out(), out2()),
         kBadArgument);
  expect("header_get.map_huge", proxy_get_header_map_value(kHuge, key(), key_size(), out(), out2()),
         kBadArgument);
  expect("header_get.missing", proxy_get_header_map_value(0, key(), key_size(), out(), out2()),
         kNotFound);
  expect("header_get.empty_key", proxy_get_header_map_value(0, 0, 0, out(), out2()),
         kNotFound | kBadArgument);
  expect("header_get.wild_key", proxy_get_header_map_value(0, kWild, 4, out(), out2()), kMemory);
  expect("header_get.long_key", proxy_get_header_map_value(0, key(), kHuge, out(), out2()),
         kMemory);
  expect("header_get.wild_value",
         proxy_get_header_map_value(0, path.address(), path.size, kWild, out2()), kMemory);
  expect("header_get.wild_size",
         proxy_get_header_map_value(0, path.address(), path.size, out(), kWild), kMemory);
  expect("header_add.map_8",
         proxy_add_header_map_value(8, key(), key_size(), value(), value_size()), kBadArgument);
  expect("header_add.wild_key", proxy_add_header_map_value(0, kWild, 4, value(), value_size()),
         kMemory);
  expect("header_add.wild_value", proxy_add_header_map_value(0, key(), key_size(), kWild, 4),
         kMemory);
  expect("header_add.bad_name",
         proxy_add_header_map_value(0, address_of("a b"), 3, value(), value_size()),
         kBadArgument | kOk);
  expect("header_add.line_break",
         proxy_add_header_map_value(0, key(), key_size(), address_of("a\r\nb: c"), 7),
         kBadArgument | kOk);
  expect("header_remove.bad_name", proxy_remove_header_map_value(0, address_of("a b"), 3),
         kBadArgument | kOk);
  expect("header_set.map_8",
         proxy_replace_header_map_value(8, key(), key_size(), value(), value_size()), kBadArgument);
  expect("header_set.wild_key", proxy_replace_header_map_value(0, kWild, 4, value(), value_size()),
         kMemory);
  expect("header_set.wild_value", proxy_replace_header_map_value(0, key(), key_size(), kWild, 4),
         kMemory);
  expect("header_remove.map_8", proxy_remove_header_map_value(8, key(), key_size()), kBadArgument);
  expect("header_remove.wild_key", proxy_remove_header_map_value(0, kWild, 4), kMemory);
  expect("header_remove.missing", proxy_remove_header_map_value(0, address_of("x-no-such"), 9),
         kOk);
  expect("header_remove.line_break", proxy_remove_header_map_value(0, key(), key_size()), kOk);
  expect("pairs.map_8", proxy_get_header_map_pairs(8, out(), out2()), kBadArgument);
  expect("pairs.wild_data", proxy_get_header_map_pairs(0, kWild, out2()), kMemory);
  expect("pairs.wild_size", proxy_get_header_map_pairs(0, out(), kWild), kMemory);
  expect("set_pairs.map_8", proxy_set_header_map_pairs(8, address_of(kGoodPairs), 16),
         kBadArgument);
  expect("set_pairs.wild", proxy_set_header_map_pairs(0, kWild, 16), kMemory);
  expect("map_size.map_8", proxy_get_header_map_size(8, out()), kBadArgument);
  expect("map_size.wild", proxy_get_header_map_size(0, kWild), kMemory);
}

}  // namespace

void cases_of_headers() {
  if (!wants("headers")) return;
  cases_of_header_arguments();
  for_each_malformed_block([](const char* name, const char* block, uint32_t size) {
    Builder<64> title;
    title.add("set_pairs.").add(name);
    expect(title.text(), proxy_set_header_map_pairs(0, address_of(block), size), kBadArgument);
  });
  // None of the malformed blocks may have emptied the map.
  const Text method = ":method";
  expect("header_get.still_there",
         proxy_get_header_map_value(0, method.address(), method.size, out(), out2()), kOk);
  // Maps that do not exist while the request's head is being looked at.
  for (uint32_t map = 1; map <= 7; ++map) {
    const auto named = [map](const Text& name) {
      static Builder<64> title;
      title.size = 0;
      return title.add(name).add_number(map).text();
    };
    expect(named("absent_get.map_"),
           proxy_get_header_map_value(map, key(), key_size(), out(), out2()),
           kNotFound | kBadArgument);
    expect(named("absent_add.map_"),
           proxy_add_header_map_value(map, key(), key_size(), value(), value_size()), kBadArgument);
    expect(named("absent_set.map_"),
           proxy_replace_header_map_value(map, key(), key_size(), value(), value_size()),
           kBadArgument);
    expect(named("absent_remove.map_"), proxy_remove_header_map_value(map, key(), key_size()),
           kBadArgument);
    expect(named("absent_pairs.map_"), proxy_get_header_map_pairs(map, out(), out2()), kOk);
    expect(named("absent_set_pairs.map_"),
           proxy_set_header_map_pairs(map, address_of(kGoodPairs), 16), kBadArgument);
    expect(named("absent_size.map_"), proxy_get_header_map_size(map, out()), kBadArgument);
  }
}

void cases_of_buffers() {
  if (!wants("buffers")) return;
  expect("buffer_get.type_10", proxy_get_buffer_bytes(10, 0, 1, out(), out2()), kBadArgument);
  expect("buffer_get.type_huge", proxy_get_buffer_bytes(kHuge, 0, 1, out(), out2()), kBadArgument);
  expect("buffer_get.no_body_yet", proxy_get_buffer_bytes(0, 0, 10, out(), out2()),
         kOk | kNotFound);
  expect("buffer_get.no_callout", proxy_get_buffer_bytes(4, 0, 10, out(), out2()), kNotFound | kOk);
  expect("buffer_get.no_call_data", proxy_get_buffer_bytes(8, 0, 10, out(), out2()), kNotFound);
  expect("buffer_get.overflow", proxy_get_buffer_bytes(7, kHuge, kHuge, out(), out2()),
         kBadArgument);
  expect("buffer_get.far_offset", proxy_get_buffer_bytes(7, 0x7FFFFFFF, 1, out(), out2()), kOk);
  expect("buffer_get.wild_data", proxy_get_buffer_bytes(7, 0, 10, kWild, out2()), kMemory);
  expect("buffer_get.wild_size", proxy_get_buffer_bytes(7, 0, 10, out(), kWild), kMemory);
  expect("buffer_status.type_10", proxy_get_buffer_status(10, out(), out2()), kBadArgument);
  expect("buffer_status.wild_length", proxy_get_buffer_status(7, kWild, out2()), kMemory);
  expect("buffer_status.wild_flags", proxy_get_buffer_status(7, out(), kWild), kMemory);
  expect("buffer_set.type_10", proxy_set_buffer_bytes(10, 0, 1, value(), value_size()),
         kBadArgument);
  expect("buffer_set.plugin_configuration", proxy_set_buffer_bytes(7, 0, 1, value(), value_size()),
         kBadArgument);
  expect("buffer_set.vm_configuration", proxy_set_buffer_bytes(6, 0, 1, value(), value_size()),
         kBadArgument | kNotFound);
  expect("buffer_set.callout", proxy_set_buffer_bytes(4, 0, 1, value(), value_size()),
         kBadArgument | kNotFound);
  expect("buffer_set.wild", proxy_set_buffer_bytes(0, 0, 1, kWild, 4), kMemory);
}

namespace {

uint32_t call(Address upstream, uint32_t size, Address headers, uint32_t headers_size, Address id) {
  return proxy_http_call(upstream, size, headers, headers_size, 0, 0, 0, 0, 100, id);
}

}  // namespace

void cases_of_callouts() {
  if (!wants("callouts")) return;
  const Text nowhere = "no_such_cluster";
  const Address at = nowhere.address();
  const uint32_t size = nowhere.size;
  const Address good = address_of(kGoodPairs);
  expect("http_call.unknown_cluster", call(at, size, good, 16, out()), kBadArgument);
  expect("http_call.empty_cluster", call(0, 0, good, 16, out()), kBadArgument);
  expect("http_call.no_headers", call(at, size, 0, 0, out()), kBadArgument);
  expect("http_call.wild_cluster", call(kWild, 4, good, 16, out()), kMemory);
  expect("http_call.wild_headers", call(at, size, kWild, 16, out()), kMemory);
  expect("http_call.wild_id", call(at, size, good, 16, kWild), kMemory);
  expect("http_call.wild_body", proxy_http_call(at, size, good, 16, kWild, 4, 0, 0, 100, out()),
         kMemory);
  expect("http_call.wild_trailers",
         proxy_http_call(at, size, good, 16, 0, 0, kWild, 16, 100, out()), kMemory);
  for_each_malformed_block([=](const char* name, const char* block, uint32_t block_size) {
    Builder<64> title;
    title.add("http_call.").add(name);
    expect(title.text(), call(at, size, address_of(block), block_size, out()), kBadArgument);
  });
  expect("grpc_call.unknown_cluster",
         proxy_grpc_call(at, size, at, size, at, size, 0, 0, 0, 0, 100, out()), kParse | kInternal);
  expect("grpc_call.wild", proxy_grpc_call(kWild, 4, at, size, at, size, 0, 0, 0, 0, 100, out()),
         kMemory);
  expect("grpc_stream.unknown_cluster",
         proxy_grpc_stream(at, size, at, size, at, size, 0, 0, out()), kParse | kInternal);
  expect("grpc_stream.wild", proxy_grpc_stream(at, size, kWild, 4, at, size, 0, 0, out()), kMemory);
  expect("grpc_send.unknown", proxy_grpc_send(0x7FFFFFF0, 0, 0, 0), kNotFound | kBadArgument);
  expect("grpc_close.unknown", proxy_grpc_close(0x7FFFFFF0), kNotFound | kBadArgument);
  expect("grpc_cancel.unknown", proxy_grpc_cancel(0x7FFFFFF0), kNotFound | kBadArgument);
}

void cases_of_metrics() {
  if (!wants("metrics")) return;
  const Text names[] = {"hostile_counter", "hostile_gauge", "hostile_histogram"};
  uint32_t ids[3] = {};
  for (uint32_t type = 0; type < 3; ++type) {
    expect(
        names[type],
        proxy_define_metric(type, names[type].address(), names[type].size, address_of(&ids[type])),
        kOk);
  }
  uint32_t again = 0;
  proxy_define_metric(0, names[0].address(), names[0].size, address_of(&again));
  expect("metric_inc.by_the_second_id", proxy_increment_metric(again, 1), kOk);
  expect("metric_define.type_3", proxy_define_metric(3, key(), key_size(), out()), kBadArgument);
  expect("metric_define.type_huge", proxy_define_metric(kHuge, key(), key_size(), out()),
         kBadArgument);
  expect("metric_define.wild_name", proxy_define_metric(0, kWild, 4, out()), kMemory);
  expect("metric_define.wild_id", proxy_define_metric(0, key(), key_size(), kWild), kMemory);
  expect("metric_inc.unknown", proxy_increment_metric(0x7FFFFFF0, 1), kNotFound);
  expect("metric_inc.zero_id", proxy_increment_metric(0, 1), kNotFound);
  expect("metric_inc.counter_down", proxy_increment_metric(ids[0], -1), kBadArgument);
  expect("metric_inc.gauge_below_zero", proxy_increment_metric(ids[1], INT64_MIN), kOk);
  expect("metric_inc.histogram", proxy_increment_metric(ids[2], 1), kBadArgument);
  expect("metric_record.unknown", proxy_record_metric(0x7FFFFFF0, 1), kNotFound);
  expect("metric_get.unknown", proxy_get_metric(0x7FFFFFF0, out()), kNotFound);
  expect("metric_get.histogram", proxy_get_metric(ids[2], out()), kBadArgument);
  expect("metric_get.wild", proxy_get_metric(ids[0], kWild), kMemory);
}

namespace {

// The imports of wasi-libc with addresses as plain numbers.
#define WEIR_WASI(name)                                                                   \
  extern "C" __attribute__((import_module("wasi_snapshot_preview1"), import_name(#name))) \
  uint32_t wasi_##name
WEIR_WASI(fd_write)(uint32_t fd, Address vectors, uint32_t count, Address written);
WEIR_WASI(clock_time_get)(uint32_t id, uint64_t precision, Address time);
WEIR_WASI(random_get)(Address bytes, uint32_t size);
WEIR_WASI(environ_sizes_get)(Address count, Address size);
WEIR_WASI(args_sizes_get)(Address count, Address size);
WEIR_WASI(fd_fdstat_get)(uint32_t fd, Address stat);
WEIR_WASI(fd_prestat_get)(uint32_t fd, Address stat);
WEIR_WASI(fd_close)(uint32_t fd);
WEIR_WASI(poll_oneoff)(Address in, Address events, uint32_t count, Address used);

constexpr uint32_t kFault = 1U << 21;
constexpr uint32_t kBadFile = 1U << 8;
constexpr uint32_t kInvalid = 1U << 28;

}  // namespace

void cases_of_wasi() {
  if (!wants("wasi")) return;
  const uint32_t vector[2] = {kWild, 8};
  const uint32_t good[2] = {address_of(""), 0};
  expect("fd_write.wild_vectors", wasi_fd_write(1, kWild, 1, out()), kFault);
  expect("fd_write.wild_bytes", wasi_fd_write(1, address_of(vector), 1, out()), kFault);
  expect("fd_write.wild_written", wasi_fd_write(1, address_of(good), 1, kWild), kFault);
  expect("fd_write.many_vectors", wasi_fd_write(1, address_of(good), 0x20000001, out()),
         kFault | kInvalid);
  expect("fd_write.bad_fd", wasi_fd_write(77, address_of(good), 1, out()), kBadFile);
  // All of the memory, a thousand times.
  constexpr uint32_t kVectors = 1024;
  auto* flood = static_cast<uint32_t*>(malloc(kVectors * 8));
  for (uint32_t i = 0; i < kVectors; ++i) flood[2 * i] = 0, flood[2 * i + 1] = beyond();
  expect("fd_write.flood", wasi_fd_write(1, address_of(flood), kVectors, out()), 1);
  uint32_t written = 0;
  memcpy(&written, reinterpret_cast<const void*>(out()), sizeof(written));
  expect("fd_write.flood_is_cut", written <= 64 * 1024 ? 0 : 1, 1);
  free(flood);
  expect("clock.wild", wasi_clock_time_get(0, 1, kWild), kFault);
  expect("random.wild", wasi_random_get(kWild, 8), kFault);
  expect("random.overflow", wasi_random_get(address_of(scratch), kHuge), kFault | kInvalid);
  expect("random.flood", wasi_random_get(0, 16 * 1024 * 1024), kFault | kInvalid);
  expect("random.nothing", wasi_random_get(address_of(scratch), 0), 1);
  expect("environ_sizes.wild", wasi_environ_sizes_get(kWild, out()), kFault);
  expect("args_sizes.wild", wasi_args_sizes_get(out(), kWild), kFault);
  expect("fdstat.wild", wasi_fd_fdstat_get(1, kWild), kFault);
  expect("fdstat.bad_fd", wasi_fd_fdstat_get(77, out()), kBadFile);
  expect("prestat.none", wasi_fd_prestat_get(3, out()), kBadFile);
  expect("close.bad_fd", wasi_fd_close(77), kBadFile);
  expect("poll.wild_used", wasi_poll_oneoff(0, 0, 0, kWild), kFault | 1 | kInvalid);
}

}  // namespace hostile
