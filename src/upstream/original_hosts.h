// OriginalHosts: the hosts of an ORIGINAL_DST cluster, made when a request wants them.
#pragma once

#include <array>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>
#include <weir/connection_info.h>
#include <weir/message.h>

#include "event/loop.h"
#include "upstream/host_choice.h"
#include "upstream/pool.h"

namespace weir::upstream {

/// What a choice of host may depend on, beyond the cluster. What it points to outlives the exchange.
struct PickContext {
  const RequestHead* head = nullptr;        // null: not a request
  std::string_view original_destination;    // "ip:port" that the client meant; empty: not known
  Protocol downstream = Protocol::kHttp11;  // the client's, for clusters that follow it
  HostChoice choice{};
};

/// Where the client of a connection (null: not known) meant to go. Lives as long as the connection.
inline std::string_view original_destination(const ConnectionInfo* connection) noexcept {
  if (connection == nullptr || !connection->local_address_restored) return {};
  return connection->local_address;
}

/// Owner: the Cluster. Thread: its worker's. A host that is not picked for a whole cleanup_interval takes no new requests, and
/// its pool goes when its connections are done.
class OriginalHosts {
 public:
  /// More hosts than this at a time are refused: a client may be able to name any.
  static constexpr size_t kMaxHosts = 16384;

  OriginalHosts(Cluster& cluster, std::vector<std::unique_ptr<Pool>>& pools);
  ~OriginalHosts();
  OriginalHosts(const OriginalHosts&) = delete;
  OriginalHosts& operator=(const OriginalHosts&) = delete;

  /// Null: no destination is known, or it is none.
  Pool* pick(const PickContext& context);
  std::vector<Pool*> list() const;
  const OriginalDstOptions& options() const noexcept { return options_; }

 private:
  struct Hash {
    using is_transparent = void;
    size_t operator()(std::string_view text) const noexcept {
      return std::hash<std::string_view>{}(text);
    }
  };
  struct Host {
    Pool* pool;
    bool used;  // since the last sweep
  };
  void count(int64_t more);
  Pool* pool_of(std::string_view destination, Protocol downstream);
  size_t size() const noexcept { return hosts_[0].size() + hosts_[1].size(); }
  void sweep();
  static void on_sweep(void* self) noexcept;

  Cluster& cluster_;
  const OriginalDstOptions options_;
  std::vector<std::unique_ptr<Pool>>& pools_;  // the cluster's
  using Hosts = std::unordered_map<std::string, Host, Hash, std::equal_to<>>;
  std::array<Hosts, 2> hosts_;  // of HTTP/1 and HTTP/2, by destination as asked for
  event::Timer timer_;
};

}  // namespace weir::upstream
