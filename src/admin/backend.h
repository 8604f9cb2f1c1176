// Backend: what the admin endpoints show and change; implemented by the server.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <weir/message.h>

#include "stats/store.h"

namespace weir::admin {

/// Which listeners a drain is about: all, or those whose traffic_direction is INBOUND.
enum class DrainScope : uint8_t { kAll, kInbound };
/// When a listener that is drained refuses new clients. Only with kAtOnce its answers do not say "connection: close".
enum class StopAccepting : uint8_t { kAtOnce, kAfterDrainTime, kNever };

/// Thread: main. Texts are complete bodies.
class Backend {
 public:
  enum class State : uint8_t { kLive, kPreInitializing, kInitializing, kDraining };
  virtual ~Backend() = default;

  virtual State state() const = 0;
  virtual stats::Store& stats() = 0;
  virtual std::string server_info_json() = 0;
  virtual std::string config_dump_json() = 0;
  virtual std::string clusters_text() = 0;
  virtual std::string clusters_json() = 0;
  virtual std::string listeners_text() = 0;  // "name::address:port" a line
  virtual std::string listeners_json() = 0;
  virtual std::string memory_json() = 0;
  virtual std::string certs_json() = 0;
  virtual std::string wasm_json() = 0;
  /// {"generation", "since", "state", "errors": [{file, line, column, path, message}]}
  virtual std::string reload_json() = 0;
  /// Reads the configuration anew; `done` gets reload_json() and whether the edit was taken.
  virtual void reload(std::function<void(std::string json, bool taken)> done) = 0;
  virtual void set_health_check_failed(bool failed) = 0;
  /// Takes the listeners of today out; what a later edit adds is not affected.
  virtual void drain_listeners(DrainScope scope, StopAccepting when) = 0;
  virtual void quit() = 0;
  virtual void reopen_logs() = 0;
  /// A request was answered: for admin's access log.
  virtual void on_answered(const RequestHead& head, int status, size_t body_bytes) = 0;
};

/// Envoy's name of the state: "LIVE", "DRAINING" …
std::string_view state_name(Backend::State state) noexcept;

}  // namespace weir::admin
