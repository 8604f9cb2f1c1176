// The host functions as raw imports, with plain integers where the ABI has plain integers, for guests that test a host. No
// SDK: what a guest here sends is exactly what its source says, right or wrong.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>

#define WEIR_IMPORT(name) \
  extern "C" __attribute__((import_module("env"), import_name(#name))) uint32_t name
#define WEIR_EXPORT(name) extern "C" __attribute__((export_name(#name), used))

using Address = uint32_t;  // of guest memory, valid or not

WEIR_IMPORT(proxy_log)(uint32_t level, Address message, uint32_t size);
WEIR_IMPORT(proxy_get_log_level)(Address level);
WEIR_IMPORT(proxy_get_status)(Address code, Address message, Address size);
WEIR_IMPORT(proxy_get_property)(Address path, uint32_t path_size, Address value, Address size);
WEIR_IMPORT(proxy_set_property)(Address path, uint32_t path_size, Address value, uint32_t size);
WEIR_IMPORT(proxy_continue_stream)(uint32_t type);
WEIR_IMPORT(proxy_close_stream)(uint32_t type);
WEIR_IMPORT(proxy_send_local_response)
(uint32_t code, Address details, uint32_t details_size, Address body, uint32_t body_size,
 Address headers, uint32_t headers_size, uint32_t grpc_status);
WEIR_IMPORT(proxy_get_shared_data)
(Address key, uint32_t key_size, Address value, Address size, Address cas);
WEIR_IMPORT(proxy_set_shared_data)
(Address key, uint32_t key_size, Address value, uint32_t size, uint32_t cas);
WEIR_IMPORT(proxy_register_shared_queue)(Address name, uint32_t size, Address id);
WEIR_IMPORT(proxy_resolve_shared_queue)
(Address vm, uint32_t vm_size, Address name, uint32_t size, Address id);
WEIR_IMPORT(proxy_enqueue_shared_queue)(uint32_t id, Address value, uint32_t size);
WEIR_IMPORT(proxy_dequeue_shared_queue)(uint32_t id, Address value, Address size);
WEIR_IMPORT(proxy_get_header_map_value)
(uint32_t map, Address key, uint32_t key_size, Address value, Address size);
WEIR_IMPORT(proxy_add_header_map_value)
(uint32_t map, Address key, uint32_t key_size, Address value, uint32_t size);
WEIR_IMPORT(proxy_replace_header_map_value)
(uint32_t map, Address key, uint32_t key_size, Address value, uint32_t size);
WEIR_IMPORT(proxy_remove_header_map_value)(uint32_t map, Address key, uint32_t key_size);
WEIR_IMPORT(proxy_get_header_map_pairs)(uint32_t map, Address pairs, Address size);
WEIR_IMPORT(proxy_set_header_map_pairs)(uint32_t map, Address pairs, uint32_t size);
WEIR_IMPORT(proxy_get_header_map_size)(uint32_t map, Address size);
WEIR_IMPORT(proxy_get_buffer_status)(uint32_t buffer, Address length, Address flags);
WEIR_IMPORT(proxy_get_buffer_bytes)
(uint32_t buffer, uint32_t offset, uint32_t length, Address data, Address size);
WEIR_IMPORT(proxy_set_buffer_bytes)
(uint32_t buffer, uint32_t offset, uint32_t length, Address data, uint32_t size);
WEIR_IMPORT(proxy_http_call)
(Address upstream, uint32_t upstream_size, Address headers, uint32_t headers_size, Address body,
 uint32_t body_size, Address trailers, uint32_t trailers_size, uint32_t timeout, Address id);
WEIR_IMPORT(proxy_grpc_call)
(Address upstream, uint32_t upstream_size, Address service, uint32_t service_size, Address method,
 uint32_t method_size, Address metadata, uint32_t metadata_size, Address message,
 uint32_t message_size, uint32_t timeout, Address id);
WEIR_IMPORT(proxy_grpc_stream)
(Address upstream, uint32_t upstream_size, Address service, uint32_t service_size, Address method,
 uint32_t method_size, Address metadata, uint32_t metadata_size, Address id);
WEIR_IMPORT(proxy_grpc_send)(uint32_t id, Address message, uint32_t size, uint32_t end);
WEIR_IMPORT(proxy_grpc_close)(uint32_t id);
WEIR_IMPORT(proxy_grpc_cancel)(uint32_t id);
WEIR_IMPORT(proxy_set_tick_period_milliseconds)(uint32_t period);
WEIR_IMPORT(proxy_get_current_time_nanoseconds)(Address time);
WEIR_IMPORT(proxy_define_metric)(uint32_t type, Address name, uint32_t size, Address id);
WEIR_IMPORT(proxy_increment_metric)(uint32_t id, int64_t delta);
WEIR_IMPORT(proxy_record_metric)(uint32_t id, uint64_t value);
WEIR_IMPORT(proxy_get_metric)(uint32_t id, Address value);
WEIR_IMPORT(proxy_set_effective_context)(uint32_t id);
WEIR_IMPORT(proxy_done)();
WEIR_IMPORT(proxy_call_foreign_function)
(Address name, uint32_t size, Address arguments, uint32_t arguments_size, Address result,
 Address result_size);
// Higress
WEIR_IMPORT(proxy_redis_init)
(Address cluster, uint32_t size, Address user, uint32_t user_size, Address password,
 uint32_t password_size, uint32_t timeout);
WEIR_IMPORT(proxy_redis_call)
(Address cluster, uint32_t size, Address query, uint32_t query_size, Address id);
WEIR_IMPORT(proxy_inject_encoded_data_to_filter_chain)(Address body, uint32_t size, uint32_t end);
WEIR_IMPORT(proxy_get_upstream_hosts)(Address pairs, Address size);
WEIR_IMPORT(proxy_set_upstream_override_host)(Address address, uint32_t size);

inline Address address_of(const void* pointer) {
  return static_cast<Address>(reinterpret_cast<uintptr_t>(pointer));
}

// A piece of text in guest memory.
struct Text {
  const char* data = "";
  uint32_t size = 0;

  constexpr Text() = default;
  constexpr Text(const char* begin, uint32_t length) : data(begin), size(length) {}
  constexpr Text(const char* literal)
      : data(literal), size(static_cast<uint32_t>(__builtin_strlen(literal))) {}

  Address address() const { return address_of(data); }
  bool empty() const { return size == 0; }
  bool operator==(const Text& other) const {
    return size == other.size && memcmp(data, other.data, size) == 0;
  }
  bool starts_with(const Text& prefix) const {
    return size >= prefix.size && memcmp(data, prefix.data, prefix.size) == 0;
  }
  Text from(uint32_t offset) const { return {data + offset, size - offset}; }

  // Cuts off and returns what stands before `mark`, or everything.
  Text cut(char mark) {
    uint32_t at = 0;
    while (at < size && data[at] != mark) ++at;
    const Text head{data, at};
    *this = from(at < size ? at + 1 : size);
    return head;
  }

  uint32_t number(uint32_t fallback = 0) const {
    uint32_t value = 0;
    if (size == 0) return fallback;
    for (uint32_t i = 0; i < size; ++i) {
      if (data[i] < '0' || data[i] > '9') return fallback;
      value = value * 10 + static_cast<uint32_t>(data[i] - '0');
    }
    return value;
  }

  int64_t signed_number() const {
    if (size > 0 && data[0] == '-') return -static_cast<int64_t>(from(1).number());
    return number();
  }
};

// A text being built, in storage of a fixed size; what does not fit is dropped.
template <uint32_t Capacity>
struct Builder {
  char bytes[Capacity];
  uint32_t size = 0;

  Builder& add(const Text& text) {
    const uint32_t room = Capacity - size;
    const uint32_t count = text.size < room ? text.size : room;
    memcpy(bytes + size, text.data, count);
    size += count;
    return *this;
  }
  Builder& add(char c) { return add(Text(&c, 1)); }
  Builder& add_number(uint64_t value) {
    char digits[20];
    uint32_t count = 0;
    do {
      digits[sizeof(digits) - ++count] = static_cast<char>('0' + value % 10);
      value /= 10;
    } while (value > 0);
    return add(Text(digits + sizeof(digits) - count, count));
  }
  // Printable ASCII as it is, the rest and the percent sign as %XX: fit for a header value.
  Builder& add_escaped(const Text& text) {
    for (uint32_t i = 0; i < text.size; ++i) {
      const auto byte = static_cast<unsigned char>(text.data[i]);
      if (byte > 0x20 && byte < 0x7F && byte != '%') {
        add(static_cast<char>(byte));
      } else {
        add('%').add("0123456789ABCDEF"[byte >> 4]).add("0123456789ABCDEF"[byte & 15]);
      }
    }
    return *this;
  }
  Text text() const { return {bytes, size}; }
};

enum LogLevel : uint32_t { kTrace, kDebug, kInfo, kWarn, kError, kCritical };

inline void log_text(uint32_t level, const Text& text) {
  proxy_log(level, text.address(), text.size);
}

// Where the host stores the address and size of bytes that it hands over.
struct Handed {
  const char* data = nullptr;
  uint32_t size = 0;
  Address data_at() { return address_of(&data); }
  Address size_at() { return address_of(&size); }
  Text text() const { return {data == nullptr ? "" : data, size}; }
};
