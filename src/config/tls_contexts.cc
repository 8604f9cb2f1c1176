#include "config/tls_contexts.h"

namespace weir::config {

TlsContexts::TlsContexts(stats::Store& store)
    : updated_(store.counter("config.tls_context_updated")),
      rejected_(store.counter("config.tls_context_rejected")) {}

std::shared_ptr<const net::TransportFactory> TlsContexts::find(const std::string& identity) const {
  const auto found = known_.find(identity);
  return found == known_.end() ? nullptr : found->second.lock();
}

void TlsContexts::add(const std::string& identity,
                      const std::shared_ptr<const net::TransportFactory>& context) {
  std::erase_if(known_, [](const auto& each) { return each.second.expired(); });
  known_[identity] = context;
  if (serving_) updated_.inc();
}

}  // namespace weir::config
