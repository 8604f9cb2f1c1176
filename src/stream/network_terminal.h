// What the end of a network chain (tcp_proxy) and the chain driver know of each other.
#pragma once

#include <weir/network_filter.h>
#include <weir/stream_info.h>

namespace weir::event {
class Loop;
}
namespace weir::net {
class Connection;
}

namespace weir::stream {

/// Which moment a line of the access log tells of.
enum class ConnectionLog : uint8_t { kStart, kConnected, kPeriodic, kEnd };

/// The driver as the terminal filter sees it.
class NetworkTerminalCallbacks {
 public:
  virtual ~NetworkTerminalCallbacks() = default;
  virtual event::Loop& loop() noexcept = 0;
  /// The client's connection; the terminal filter reads and writes through its chain, and looks here for what that hides.
  virtual net::Connection& connection() noexcept = 0;
  /// What the access log tells of the connection: the terminal filter fills in what is upstream.
  virtual StreamInfo& stream_info() noexcept = 0;
  /// Writes a line before the connection ends.
  virtual void log_now(ConnectionLog when) = 0;
  /// Whether any other filter of the chain may want to see the bytes.
  virtual bool alone() const noexcept = 0;
};

/// A terminal filter of weir's own, beside NetworkFilter.
class NetworkTerminalFilter : public NetworkFilter {
 public:
  virtual void attach_terminal(NetworkTerminalCallbacks& callbacks) = 0;
  /// The listener drains.
  virtual void on_drain() {}
};

}  // namespace weir::stream
