#include "proxy/hcm_runtime.h"

#include <utility>

namespace weir::proxy {

HcmRuntime::HcmRuntime(std::shared_ptr<const ListenerOptions> listener, const net::Address& bound,
                       uint64_t generation, stats::Store& store)
    : listener_(std::move(listener)), generation_(generation), host_(hcm().host) {
  const std::string name = listener_->stat_prefix.empty() ? listener_stat_name(bound.to_string())
                                                          : listener_->stat_prefix;
  auto stats = std::make_shared<const DownstreamStats>(DownstreamStats{
      HcmStats(store, hcm().stat_prefix), ListenerStats(store, name, hcm().stat_prefix)});
  scope_ = std::make_shared<const ConnectionScope>(hcm(), std::move(stats));
  host_.listener_port = bound.port();
}

Result<std::shared_ptr<const HcmRuntime>> HcmRuntime::make(
    std::shared_ptr<const ListenerOptions> listener, const net::Address& bound, uint64_t generation,
    stats::Store& store, AccessLogWriter& logs) {
  std::unique_ptr<HcmRuntime> runtime(
      new HcmRuntime(std::move(listener), bound, generation, store));
  for (const AccessLogOptions& options : runtime->hcm().access_logs) {
    LogFile* file = nullptr;
    if (options.sink == AccessLogOptions::Sink::kFile) {
      WEIR_TRY(opened, logs.open_file(options.path));
      file = opened;
    } else {
      file = options.sink == AccessLogOptions::Sink::kStdout ? &logs.standard_output()
                                                             : &logs.standard_error();
    }
    runtime->logs_.push_back({&options, file});
  }
  return runtime;
}

}  // namespace weir::proxy
