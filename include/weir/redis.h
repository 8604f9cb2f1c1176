// Commands that a filter sends to a Redis server on its own account.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <weir/callout.h>
#include <weir/result.h>

namespace weir {

/// How a user of Redis wants to be served. Users of one worker with equal settings share their connections.
struct RedisSettings {
  std::string user{};                       // with a password: of AUTH; empty: the default user
  std::string password{};                   // empty: no AUTH is sent
  uint32_t database = 0;                    // SELECT
  std::chrono::milliseconds timeout{1000};  // of each command; the time to connect counts. 0 = none
  /// Commands wait until so many bytes of them are together, for this long at most; 0 bytes: they go at the end of the turn.
  size_t flush_bytes = 0;
  std::chrono::milliseconds flush_timeout{3};
  bool operator==(const RedisSettings&) const = default;
};

/// Called exactly once per command that was started and whose Callout was not destroyed, always from the event loop and never
/// inside start(). `reply` is one RESP value as the server sent it, which may be an error of the server's.
class RedisHandler {
 public:
  virtual ~RedisHandler() = default;
  virtual void on_redis_done(Result<std::string> reply) noexcept = 0;
};

/// Sends commands to the hosts of a cluster on the calling worker. `command` is a RESP array of bulk strings. Errors of
/// start(): kNoCluster, kInvalidArgument (no command, or one that changes what the connection is for others),
/// kNoHealthyHost, kOverflow.
class RedisCommands {
 public:
  virtual ~RedisCommands() = default;
  virtual Result<std::unique_ptr<Callout>> start(std::string_view cluster,
                                                 const RedisSettings& settings,
                                                 std::string_view command,
                                                 RedisHandler& handler) = 0;
};

}  // namespace weir
