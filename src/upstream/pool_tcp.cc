// What a pool knows of the connections that it does not lend: those of TCP proxying.
#include <algorithm>
#include <utility>

#include "upstream/cluster.h"
#include "upstream/tcp_connection.h"

namespace weir::upstream {

void Pool::tcp_begins() noexcept {
  ++tcp_;
  ++active_requests_;
  ++total_connections_;
  ++total_requests_;
}

void Pool::tcp_ends() noexcept {
  --tcp_;
  --active_requests_;
  if (draining_) end_of_turn_.schedule();
}

void Pool::flush_tcp(std::unique_ptr<TcpConnection> connection) {
  flushing_.push_back(std::move(connection));
}

void Pool::tcp_flushed(TcpConnection& connection) {
  const auto found =
      std::find_if(flushing_.begin(), flushing_.end(),
                   [&connection](const auto& each) { return each.get() == &connection; });
  if (found == flushing_.end()) return;
  cluster_.loop().defer_delete(std::move(*found));
  flushing_.erase(found);
}

}  // namespace weir::upstream
