// A guest for the places beside HTTP filters: a network filter that does what the bytes say, an access logger and a service. README.md
// has the words it knows. What it sees is counted in metrics, which a test can read.
#include "raw_abi.h"

WEIR_EXPORT(proxy_abi_version_0_2_1) void places_abi_version() {}
WEIR_EXPORT(malloc) void* places_malloc(uint32_t size) { return malloc(size); }

namespace {

constexpr uint32_t kDownstream = 2;
constexpr uint32_t kUpstream = 3;

struct Connection {
  uint32_t id = 0;
  bool resume_down = false;  // by the next tick
  bool resume_up = false;
  Connection* next = nullptr;
  Builder<512> order{};
};
Connection* first = nullptr;
uint32_t root_id = 0;
uint32_t queue = 0;
Text configuration;  // one word

Connection* find(uint32_t id) {
  Connection* found = first;
  while (found != nullptr && found->id != id) found = found->next;
  return found;
}

void count(const Text& name, const Text& value = {}) {
  Builder<600> full;
  full.add(name).add(value);
  uint32_t metric = 0;
  if (proxy_define_metric(0, full.text().address(), full.size, address_of(&metric)) == 0)
    proxy_increment_metric(metric, 1);
}

void note(uint32_t id, const Text& event) {
  if (Connection* connection = find(id))
    connection->order.add(connection->order.size ? "-" : "").add(event);
}

Text property(Text path) {
  Builder<256> wire;
  while (!path.empty()) wire.add(wire.size ? Text("\0", 1) : Text()).add(path.cut('.'));
  Handed value;
  if (proxy_get_property(wire.text().address(), wire.size, value.data_at(), value.size_at()) != 0)
    return "absent";
  return value.text();
}

Text data_of(uint32_t buffer, uint32_t size) {
  Handed bytes;
  if (size == 0 || proxy_get_buffer_bytes(buffer, 0, size, bytes.data_at(), bytes.size_at()) != 0)
    return {};
  return bytes.text();
}

bool contains(const Text& text, const Text& word) {
  for (uint32_t i = 0; i + word.size <= text.size; ++i)
    if (text.from(i).starts_with(word)) return true;
  return false;
}

void replace(uint32_t buffer, const Text& by) {
  proxy_set_buffer_bytes(buffer, 0, UINT32_MAX, by.address(), by.size);
}

uint32_t resume_on_tick(uint32_t id, bool downstream) {
  Connection* connection = find(id);
  (downstream ? connection->resume_down : connection->resume_up) = true;
  proxy_set_tick_period_milliseconds(10);
  return 1;
}

uint32_t obey(uint32_t id, Text text) {
  const Text all = text;
  const Text word = text.cut(' ');
  if (word == "@upper") {
    auto* bytes = static_cast<char*>(malloc(text.size + 1));
    for (uint32_t i = 0; i < text.size; ++i)
      bytes[i] = text.data[i] >= 'a' && text.data[i] <= 'z' ? static_cast<char>(text.data[i] - 32)
                                                            : text.data[i];
    replace(kDownstream, {bytes, text.size});
  } else if (word == "@middle") {
    proxy_set_buffer_bytes(kDownstream, 2, 3, text.address(), text.size);
  } else if (word == "@hold") {
    return contains(all, "@go") ? 0 : 1;
  } else if (word == "@later") {
    return resume_on_tick(id, true);
  } else if (word == "@twice") {  // asks for it before it pauses
    proxy_continue_stream(kDownstream);
    return 1;
  } else if (word == "@close") {
    proxy_close_stream(text == "up" ? kUpstream : kDownstream);
  } else if (word == "@prop") {
    const Text value = property(text);
    replace(kDownstream, value);
  } else if (word == "@port") {
    const Text value = property(text);
    uint64_t port = 0;
    if (value.size == 8) memcpy(&port, value.data, 8);
    Builder<32> digits;
    digits.add_number(port);
    replace(kDownstream, digits.text());
  } else if (word == "@set") {
    const Text key = text.cut(' ');
    proxy_set_property(key.address(), key.size, text.address(), text.size);
  } else if (word == "@trap") {
    __builtin_trap();
  } else if (word == "@loop") {
    for (volatile uint32_t i = 0;; i = i + 1) {
    }
  } else if (word == "@reply") {  // means nothing for a connection
    proxy_send_local_response(403, 0, 0, 0, 0, 0, 0, 0);
  }
  return 0;
}

}  // namespace

WEIR_EXPORT(proxy_on_context_create) void on_context_create(uint32_t id, uint32_t parent) {
  if (parent == 0) {
    root_id = id;
    return;
  }
  auto* connection = new Connection;
  connection->id = id;
  connection->next = first;
  first = connection;
}

WEIR_EXPORT(proxy_on_configure) uint32_t on_configure(uint32_t, uint32_t size) {
  configuration = data_of(7, size);
  if (configuration == "refuse") return 0;
  if (configuration == "tick" || configuration == "consume") proxy_set_tick_period_milliseconds(10);
  if (configuration == "consume")
    proxy_register_shared_queue(Text("logs").address(), 4, address_of(&queue));
  if (configuration.starts_with("call ")) {
    const Text cluster = configuration.from(5);
    const char pairs[] =
        "\3\0\0\0"
        "\7\0\0\0\3\0\0\0"
        "\5\0\0\0\5\0\0\0"
        "\12\0\0\0\1\0\0\0"
        ":method\0GET\0"
        ":path\0/call\0"
        ":authority\0a";
    uint32_t call = 0;
    proxy_http_call(cluster.address(), cluster.size, address_of(pairs), sizeof pairs, 0, 0, 0, 0,
                    5000, address_of(&call));
  }
  return 1;
}

WEIR_EXPORT(proxy_on_http_call_response)
void on_call(uint32_t, uint32_t, uint32_t, uint32_t size, uint32_t) {
  count("places.answer.", data_of(4, size));
}

WEIR_EXPORT(proxy_on_tick) void on_tick(uint32_t) {
  count("places.ticks");
  for (Connection* each = first; each != nullptr; each = each->next) {
    if (!each->resume_down && !each->resume_up) continue;
    proxy_set_effective_context(each->id);
    if (each->resume_down) proxy_continue_stream(kDownstream);
    if (each->resume_up) proxy_continue_stream(kUpstream);
    each->resume_down = each->resume_up = false;
  }
}

WEIR_EXPORT(proxy_on_queue_ready) void on_queue_ready(uint32_t, uint32_t id) {
  Handed item;
  while (proxy_dequeue_shared_queue(id, item.data_at(), item.size_at()) == 0)
    count("places.queued.", item.text());
}

WEIR_EXPORT(proxy_on_new_connection) uint32_t on_new_connection(uint32_t id) {
  note(id, "new");
  if (configuration == "hold_new") return resume_on_tick(id, true);
  return 0;
}

WEIR_EXPORT(proxy_on_downstream_data)
uint32_t on_downstream_data(uint32_t id, uint32_t size, uint32_t end) {
  note(id, end ? "down_end" : "down");
  return obey(id, data_of(kDownstream, size));
}

WEIR_EXPORT(proxy_on_upstream_data)
uint32_t on_upstream_data(uint32_t id, uint32_t size, uint32_t end) {
  note(id, end ? "up_end" : "up");
  const Text text = data_of(kUpstream, size);
  if (text.starts_with("!hold")) return contains(text, "!go") ? 0 : 1;
  if (text.starts_with("!later")) return resume_on_tick(id, false);
  if (text.starts_with("!trap")) __builtin_trap();
  if (text.starts_with("!mask")) replace(kUpstream, "****");
  return 0;
}

WEIR_EXPORT(proxy_on_downstream_connection_close)
void on_downstream_close(uint32_t id, uint32_t peer) {
  note(id, peer == 1 ? "down_close_local" : "down_close_remote");
}
WEIR_EXPORT(proxy_on_upstream_connection_close) void on_upstream_close(uint32_t id, uint32_t peer) {
  note(id, peer == 1 ? "up_close_local" : "up_close_remote");
}

WEIR_EXPORT(proxy_on_done) uint32_t on_done(uint32_t id) {
  note(id, "done");
  return 1;
}

WEIR_EXPORT(proxy_on_log) void on_log(uint32_t id) {
  if (id != root_id) return note(id, "log");
  // An access logger: what it says of the exchange goes to the queue of the service that is named, or into a metric.
  Builder<400> line;
  Handed method;
  const Text name(":method");
  if (proxy_get_header_map_value(0, name.address(), name.size, method.data_at(),
                                 method.size_at()) == 0)
    line.add(method.text()).add(' ');
  line.add(property("request.path"));
  const Text code = property("response.code");
  uint64_t number = 0;
  if (code.size == 8) memcpy(&number, code.data, 8);
  line.add(' ').add_number(number).add(' ').add(property("response.headers.x-sum"));
  // Nothing of it can be changed.
  const uint32_t changed =
      proxy_add_header_map_value(0, name.address(), name.size, name.address(), name.size);
  line.add(changed == 2 ? "" : " changed");
  if (configuration.starts_with("queue ")) {
    const Text vm = configuration.from(6);
    if (proxy_resolve_shared_queue(vm.address(), vm.size, Text("logs").address(), 4,
                                   address_of(&queue)) == 0)
      proxy_enqueue_shared_queue(queue, line.text().address(), line.size);
    return;
  }
  count("places.log.", line.text());
}

WEIR_EXPORT(proxy_on_delete) void on_delete(uint32_t id) {
  note(id, "delete");
  for (Connection** link = &first; *link != nullptr; link = &(*link)->next) {
    if ((*link)->id != id) continue;
    Connection* gone = *link;
    *link = gone->next;
    count("places.order.", gone->order.text());
    delete gone;
    return;
  }
}
