// Callouts: HTTP requests on the guest's own account.
#include <algorithm>
#include <utility>

#include "base/strings.h"
#include "http/rules.h"
#include "wasm/abi/abi.h"
#include "wasm/pairs.h"

namespace weir::wasm::abi {
namespace {

using Fields = std::vector<std::pair<std::string, std::string>>;

bool valid_pseudo(std::string_view name, std::string_view value) {
  if (name == ":method") return http::valid_method(value);
  if (name == ":authority" || name == "host") return http::valid_authority(value);
  if (name == ":scheme") return value == "http" || value == "https";
  return name == ":path" && !value.empty() && value[0] == '/' && http::valid_header_value(value) &&
         value.find(' ') == std::string_view::npos;
}

/// Lower-cases and checks; leaves out what frames the message, which is the codec's. "host" is ":authority" where there is none.
bool copy_fields(const PairViews& pairs, bool head, Fields& out) {
  unsigned required = 0;
  const bool has_authority = std::any_of(pairs.begin(), pairs.end(), [](const auto& pair) {
    return base::iequals(pair.first, ":authority");
  });
  for (const auto& [name, value] : pairs) {
    std::string lower = base::lower(name);
    if (head && (lower == "host" || (!lower.empty() && lower[0] == ':'))) {
      if (!valid_pseudo(lower, value)) return false;
      if (lower == "host") {
        if (has_authority) continue;
        lower = ":authority";
      }
      if (lower == ":method") required |= 1;
      if (lower == ":path") required |= 2;
      if (lower == ":authority") required |= 4;
    } else if (!http::valid_header_name(lower) || !http::valid_header_value(value)) {
      return false;
    } else if (lower == "content-length" || lower == "transfer-encoding" || lower == "connection" ||
               lower == "upgrade") {
      continue;
    }
    out.emplace_back(std::move(lower), value);
  }
  return !head || required == 7;
}

}  // namespace

Status http_call(Vm& vm, const Value* args) {
  const GuestMemory memory = vm.memory();
  const auto cluster = memory.view(args[0], args[1]);
  const auto headers = memory.view(args[2], args[3]);
  const auto body = memory.view(args[4], args[5]);
  const auto trailers = memory.view(args[6], args[7]);
  if (!cluster || !headers || !body || !trailers || !memory.store<uint32_t>(args[9], 0))
    return Status::kInvalidMemoryAccess;
  if (body->size() > kMaxBodyWriteBytes) {
    vm.count_limit(LimitKind::kBody);
    return Status::kBadArgument;
  }
  const auto header_pairs = decode_pairs(*headers);
  const auto trailer_pairs = decode_pairs(*trailers);
  const auto timeout = static_cast<int32_t>(u32(args[8]));
  CalloutOrder order;
  if (!header_pairs || !trailer_pairs || timeout < 0 || cluster->empty() ||
      !copy_fields(*header_pairs, true, order.headers) ||
      !copy_fields(*trailer_pairs, false, order.trailers))
    return Status::kBadArgument;
  if (!vm.root().plugin().may_call(*cluster)) {
    vm.count_limit(LimitKind::kClusters);
    return Status::kBadArgument;
  }
  VmOwner* owner = vm.owner();
  if (owner != nullptr && !owner->callouts().knows_cluster(*cluster)) return Status::kBadArgument;
  if (!vm.may_start_callout()) return Status::kInternalFailure;
  order.id = vm.next_callout_id(CalloutKind::kHttp);
  order.cluster = *cluster;
  order.body = *body;
  order.timeout = std::chrono::milliseconds(timeout);
  const uint32_t id = order.id;
  // A canary's callouts get an id and never complete.
  if (!vm.canary()) {
    if (auto started = vm.root().start_callout(std::move(order)); !started)
      return started.error().code == Code::kNoCluster ? Status::kBadArgument
                                                      : Status::kInternalFailure;
  }
  memory.store<uint32_t>(args[9], id);
  return Status::kOk;
}

}  // namespace weir::wasm::abi
