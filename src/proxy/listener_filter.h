// ListenerFilter: looks at a connection before its filter chain is chosen.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>
#include <weir/connection_info.h>

#include "event/loop.h"
#include "net/address.h"

namespace weir::proxy {

/// A connection under inspection. Filters write what they find; `info` gets its addresses' texts from `remote` and `local` when
/// all filters have seen it.
struct Inspection {
  int fd;
  event::Loop& loop;
  ConnectionInfo& info;
  net::Address& remote;      // the client
  net::Address& local;       // what it has connected to
  std::string_view bytes{};  // what has come first; they stay in the socket
  bool ended = false;        // no more will come
  size_t consumed =
      0;  // a filter's wish: so many of `bytes` are taken from the socket when it is done
  const char* why = nullptr;  // it closes: a static text for log and access log
};

enum class InspectVerdict : uint8_t {
  kDone,
  kMore,   // cannot tell before more bytes have come; only if max_bytes() > 0
  kClose,  // the connection is refused
};

/// One of a listener's listener_filters. Immutable, shared by all workers; called on the connection's.
/// It sees the first bytes anew with each call, so it keeps no state of connections.
class ListenerFilter {
 public:
  virtual ~ListenerFilter() = default;
  virtual InspectVerdict inspect(Inspection& at) const = 0;
  /// How many bytes it may want to see; 0: it looks at none, and its verdict is never kMore.
  virtual size_t max_bytes() const noexcept = 0;
};

using ListenerFilters = std::vector<std::shared_ptr<const ListenerFilter>>;

}  // namespace weir::proxy
