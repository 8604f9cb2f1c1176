#include "proxy/listener_runtime.h"

#include <utility>

#include "base/strings.h"

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
  const ListenerOptions& listener = *runtime->options_;
  if (listener.access_logs) {
    WEIR_TRY(opened, open_logs(*listener.access_logs, logs));
    runtime->logs_ = std::move(opened);
  }
  const auto scope = store.scope(base::concat("listener.", runtime->stat_prefix_, "."));
  const auto root = store.scope({});
  for (const auto& maker : listener.filters)
    runtime->filters_.push_back(maker->make(*scope, *root));
  for (size_t i = 0; i < listener.filter_chains.size(); ++i) {
    auto added = runtime->matcher_.add(listener.filter_chains[i]->match, i);
    if (!added) return fail(std::move(added).error());
  }
  std::vector<std::shared_ptr<const FilterChainOptions>> all = listener.filter_chains;
  if (listener.default_filter_chain) all.push_back(listener.default_filter_chain);
  for (auto& chain : all) {
    WEIR_TRY(made, ChainRuntime::make(runtime->options_, std::move(chain), bound, generation, store,
                                      logs));
    runtime->chains_.push_back(std::move(made));
  }
  return runtime;
}

}  // namespace weir::proxy
