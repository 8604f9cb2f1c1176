// What Higress has beyond the ABI, Redis aside: data put into responses, the hosts of the cluster, and settings in the guise of
// properties and foreign functions.
#include <algorithm>
#include <cctype>
#include <utility>
#include <vector>

#include "base/log.h"
#include "base/strings.h"
#include "router/wanted_host.h"
#include "wasm/abi/abi.h"
#include "wasm/pairs.h"
#include "wasm/wire_reader.h"

namespace weir::wasm::abi {
namespace {

constexpr size_t kMaxAddressBytes = 256;
constexpr std::string_view kSpanTag = "trace_span_tag.";

/// The stream whose messages may still be changed.
StreamContext* live_stream(Vm& vm) {
  StreamContext* stream = vm.stream();
  return stream != nullptr && stream->callbacks != nullptr && !stream->logging ? stream : nullptr;
}

Status inject(Vm& vm, std::string_view data, EndStream end) {
  StreamContext* stream = live_stream(vm);
  // Without a response there is nothing to put it into; no host calls that an error.
  if (stream == nullptr || stream->replied || stream->callbacks->response_head() == nullptr)
    return Status::kOk;
  if (data.size() > kMaxBodyWriteBytes) return Status::kBadArgument;
  stream->callbacks->inject_response_body(Buffer(data), end);
  // The head goes with it: in its own callback after that, else now.
  stream->response.injected = true;
  if (!stream->in_callback) stream->response.head_open = false;
  return Status::kOk;
}

/// {1: bytes body, 2: bool endstream}; other fields are left out.
bool read_injection(std::string_view bytes, std::string_view& body, bool& end) {
  WireReader message(bytes);
  while (message.next()) {
    body = message.bytes(1).value_or(body);
    if (const auto number = message.number(2)) end = *number != 0;
  }
  return !message.bad();
}

Status set_buffer_limit(Vm& vm, Direction direction, std::string_view text) {
  const auto bytes = base::parse_u64(text);
  if (!bytes || *bytes == 0 || *bytes > UINT32_MAX) return Status::kBadArgument;
  StreamContext* stream = live_stream(vm);
  // What the guest's memory could not take in anyway need not be held for it.
  if (stream != nullptr)
    stream->callbacks->set_buffer_limit(
        direction, std::min<uint64_t>(*bytes, vm.vm_config().limits.max_memory_bytes));
  return Status::kOk;
}

}  // namespace

Status inject_response_data(Vm& vm, const Value* args) {
  const auto data = vm.memory().view(args[0], args[1]);
  if (!data) return Status::kInvalidMemoryAccess;
  return inject(vm, *data, u32(args[2]) != 0 ? EndStream::kYes : EndStream::kNo);
}

Status get_upstream_hosts(Vm& vm, const Value* args) {
  StreamContext* stream = live_stream(vm);
  if (stream == nullptr || vm.owner() == nullptr) return vm.give({}, args[0], args[1]);
  const std::string_view cluster = stream->callbacks->route_cluster();
  const std::vector<std::string> hosts = vm.owner()->callouts().host_addresses(cluster);
  PairViews pairs;
  for (const std::string& host : hosts)
    if (pairs.size() < kMaxPairs) pairs.emplace_back(host, std::string_view());
  return vm.give(pairs.empty() ? std::string() : encode_pairs(pairs), args[0], args[1]);
}

Status set_upstream_override_host(Vm& vm, const Value* args) {
  const auto address = vm.memory().view(args[0], args[1]);
  if (!address) return Status::kInvalidMemoryAccess;
  StreamContext* stream = live_stream(vm);
  if (stream == nullptr || address->size() > kMaxAddressBytes) return Status::kOk;
  stream->callbacks->stream_info().set_filter_state(router::kWantedHost, *address);
  return Status::kOk;
}

bool set_special_property(Vm& vm, std::string_view path, std::string_view value, Status& status) {
  StreamContext* stream = live_stream(vm);
  if (path == "clear_route_cache") {
    if (stream != nullptr) stream->keep_route = value == "off";
  } else if (path == "set_decoder_buffer_limit") {
    status = set_buffer_limit(vm, Direction::kRequest, value);
  } else if (path == "set_encoder_buffer_limit") {
    status = set_buffer_limit(vm, Direction::kResponse, value);
  } else if (path == "wasm_need_rebuild") {
    if (value == "true") vm.root().request_rebuild();
  } else if (!path.starts_with(kSpanTag)) {  // there are no spans whose tag it could be
    return false;
  }
  return true;
}

Status foreign_get_log_level(Vm&, std::string_view, std::string& result) {
  const auto level = static_cast<uint32_t>(base::log_level(base::Component::kWasm));
  result = {static_cast<char>(std::min<uint32_t>(level, 5)), '\0', '\0', '\0'};
  return Status::kOk;
}

Status foreign_inject(Vm& vm, std::string_view argument, std::string&) {
  std::string_view body;
  bool end = false;
  if (!read_injection(argument, body, end)) return Status::kBadArgument;
  return inject(vm, body, end ? EndStream::kYes : EndStream::kNo);
}

Status foreign_max_requests_per_cycle(Vm& vm, std::string_view argument, std::string&) {
  if (argument.size() != sizeof(uint64_t)) return Status::kBadArgument;
  WEIR_LOG_EVERY_MS(60000, kWasm, kInfo, "set_global_max_requests_per_io_cycle has no effect here",
                    {{"plugin", vm.root().plugin().label()}});
  return Status::kOk;
}

}  // namespace weir::wasm::abi
