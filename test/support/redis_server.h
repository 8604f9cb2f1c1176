// A real redis-server on the loopback, for as long as the object lives.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>
#include <sys/types.h>

#include "support/test_proxy.h"

namespace weir::test {

class RedisServer {
 public:
  /// False where there is no redis-server (Debian: redis-server).
  static bool available();
  /// With further options of its command line. Throws when it does not come up.
  explicit RedisServer(std::vector<std::string> options = {});
  ~RedisServer();
  RedisServer(const RedisServer&) = delete;
  RedisServer& operator=(const RedisServer&) = delete;
  uint16_t port() const noexcept { return port_; }
  /// Ends it at once; its port stays its own.
  void stop();
  /// Starts it again, without what it knew.
  void start();
  /// The first line of the reply to one command.
  std::string ask(std::initializer_list<std::string_view> words) const;

 private:
  bool spawn();
  bool serves() const;
  TempFolder folder_;
  const std::vector<std::string> options_;
  uint16_t port_ = 0;
  pid_t pid_ = -1;
};

/// What a client of Redis sends for a command.
std::string redis_command(std::initializer_list<std::string_view> words);

}  // namespace weir::test
