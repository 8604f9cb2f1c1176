#include <weir/stream_info.h>

#include <array>

namespace weir {

namespace {
struct FlagName {
  std::string_view name;
  std::string_view long_name;
};
// In the order of ResponseFlag.
constexpr std::array kFlagNames{
    FlagName{"LH", "FailedLocalHealthCheck"},
    FlagName{"UH", "NoHealthyUpstream"},
    FlagName{"UT", "UpstreamRequestTimeout"},
    FlagName{"LR", "LocalReset"},
    FlagName{"UR", "UpstreamRemoteReset"},
    FlagName{"UF", "UpstreamConnectionFailure"},
    FlagName{"UC", "UpstreamConnectionTermination"},
    FlagName{"UO", "UpstreamOverflow"},
    FlagName{"NR", "NoRouteFound"},
    FlagName{"DI", "DelayInjected"},
    FlagName{"FI", "FaultInjected"},
    FlagName{"RL", "RateLimited"},
    FlagName{"UAEX", "UnauthorizedExternalService"},
    FlagName{"RLSE", "RateLimitServiceError"},
    FlagName{"DC", "DownstreamConnectionTermination"},
    FlagName{"URX", "UpstreamRetryLimitExceeded"},
    FlagName{"SI", "StreamIdleTimeout"},
    FlagName{"IH", "InvalidEnvoyRequestHeaders"},
    FlagName{"DPE", "DownstreamProtocolError"},
    FlagName{"UMSDR", "UpstreamMaxStreamDurationReached"},
    FlagName{"RFCF", "ResponseFromCacheFilter"},
    FlagName{"NFCF", "NoFilterConfigFound"},
    FlagName{"DT", "DurationTimeout"},
    FlagName{"UPE", "UpstreamProtocolError"},
    FlagName{"NC", "NoClusterFound"},
    FlagName{"OM", "OverloadManagerTerminated"},
    FlagName{"DF", "DnsResolutionFailed"},
    FlagName{"DO", "DropOverload"},
    FlagName{"DR", "DownstreamRemoteReset"},
    FlagName{"UDO", "UnconditionalDropOverload"},
};
static_assert(kFlagNames.size() == static_cast<size_t>(ResponseFlag::kCount_));

const FlagName& names_of(ResponseFlag flag) noexcept {
  static constexpr FlagName kNone{"-", "-"};
  return flag < ResponseFlag::kCount_ ? kFlagNames[static_cast<size_t>(flag)] : kNone;
}
}  // namespace

std::string_view response_flag_name(ResponseFlag flag) noexcept { return names_of(flag).name; }

std::string_view response_flag_long_name(ResponseFlag flag) noexcept {
  return names_of(flag).long_name;
}

std::string response_flags_text(uint32_t flags) {
  std::string text;
  for (size_t i = 0; i < kFlagNames.size(); ++i) {
    if ((flags & (1u << i)) == 0) continue;
    if (!text.empty()) text += ',';
    text += kFlagNames[i].name;
  }
  return text;
}

void describe_connection(StreamInfo& info, const ConnectionInfo& connection, MonotonicTime start) {
  info.connection_id = connection.id;
  info.start_time = connection.start_time;
  info.start = start;
  info.connection = &connection;
  info.downstream_remote_address = connection.remote_address;
  info.downstream_direct_remote_address = connection.direct_remote_address();
  info.downstream_local_address = connection.local_address;
  info.listener_name = connection.listener_name;
  info.filter_chain_name = connection.filter_chain_name;
}

}  // namespace weir
