#include "proxy/listener_runtime.h"

#include <utility>

namespace weir::proxy {

ListenerRuntime::ListenerRuntime(std::shared_ptr<const ListenerOptions> options,
                                 const net::Address& bound, stats::Store& store)
    : options_(std::move(options)),
      stat_prefix_(stat_prefix_of(*options_, bound)),
      stats_(store, stat_prefix_) {}

Result<std::shared_ptr<const ListenerRuntime>> ListenerRuntime::make(
    std::shared_ptr<const ListenerOptions> options, const net::Address& bound, uint64_t generation,
    stats::Store& store, AccessLogWriter& logs) {
  std::unique_ptr<ListenerRuntime> runtime(new ListenerRuntime(std::move(options), bound, store));
  std::vector<std::shared_ptr<const FilterChainOptions>> all = runtime->options_->filter_chains;
  if (runtime->options_->default_filter_chain)
    all.push_back(runtime->options_->default_filter_chain);
  for (auto& chain : all) {
    WEIR_TRY(made, ChainRuntime::make(runtime->options_, std::move(chain), bound, generation, store,
                                      logs));
    runtime->chains_.push_back(std::move(made));
  }
  return runtime;
}

}  // namespace weir::proxy
