#include "wasm/grpc_service.h"

#include <algorithm>
#include <cstdint>

#include "wasm/limits.h"
#include "wasm/wire_reader.h"

namespace weir::wasm {
namespace {

bool read_envoy_grpc(std::string_view bytes, GrpcTarget& out) {
  WireReader message(bytes);
  while (message.next()) {
    if (const auto cluster = message.bytes(1)) out.cluster = *cluster;
    if (const auto authority = message.bytes(2)) out.authority = *authority;
  }
  return !message.bad();
}

/// "dns:///host:443" and "host:443" are the cluster "host:443".
bool read_google_grpc(std::string_view bytes, GrpcTarget& out) {
  WireReader message(bytes);
  while (message.next()) {
    if (const auto target = message.bytes(1)) {
      const size_t scheme = target->find(":///");
      out.cluster = scheme == std::string_view::npos ? *target : target->substr(scheme + 4);
    }
  }
  return !message.bad();
}

bool read_duration(std::string_view bytes, std::chrono::milliseconds& out) {
  constexpr uint64_t kMostSeconds = 365ull * 24 * 3600;
  WireReader message(bytes);
  uint64_t seconds = 0;
  uint64_t nanos = 0;
  while (message.next()) {
    seconds = message.number(1).value_or(seconds);
    nanos = message.number(2).value_or(nanos);
  }
  if (message.bad() || nanos >= 1'000'000'000 || static_cast<int64_t>(seconds) < 0) return false;
  const uint64_t ms = std::min(seconds, kMostSeconds) * 1000 + (nanos + 999'999) / 1'000'000;
  out = std::chrono::milliseconds(static_cast<int64_t>(ms));
  return true;
}

bool read_header(std::string_view bytes, GrpcTarget& out) {
  WireReader message(bytes);
  std::string_view key;
  std::string_view value;
  while (message.next()) {
    key = message.bytes(1).value_or(key);
    value = message.bytes(2).value_or(value);
    value = message.bytes(3).value_or(value);  // raw_value
  }
  out.metadata.emplace_back(key, value);
  return !message.bad() && !key.empty();
}

}  // namespace

std::optional<GrpcTarget> parse_grpc_service(std::string_view bytes) {
  if (bytes.size() > kMaxPairsBytes) return std::nullopt;
  GrpcTarget out;
  WireReader message(bytes);
  while (message.next()) {
    bool good = true;
    if (const auto envoy = message.bytes(1)) {
      good = read_envoy_grpc(*envoy, out);
    } else if (const auto google = message.bytes(2)) {
      good = read_google_grpc(*google, out);
    } else if (const auto timeout = message.bytes(3)) {
      good = read_duration(*timeout, out.timeout);
    } else if (const auto header = message.bytes(5)) {
      good = out.metadata.size() < kMaxPairs && read_header(*header, out);
    }
    if (!good) return std::nullopt;
  }
  if (message.bad() || out.cluster.empty()) return std::nullopt;
  return out;
}

}  // namespace weir::wasm
