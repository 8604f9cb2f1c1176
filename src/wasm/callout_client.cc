// What a worker's guests send callouts with.
#include "router/callout_client.h"

#include "wasm/host.h"

namespace weir::wasm {

std::unique_ptr<Callouts> Host::make_callout_client(router::FilterHost& host, unsigned worker) {
  return std::make_unique<router::CalloutClient>(host.clusters(worker));
}

}  // namespace weir::wasm
