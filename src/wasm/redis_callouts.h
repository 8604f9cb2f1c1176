// RedisCallouts: the commands that one plugin has sent to Redis servers, and how it wants to be served by them.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>
#include <weir/redis.h>

#include "event/loop.h"

namespace weir::wasm {

class RootContext;

/// Owner: its RootContext. Thread: the VM's. What a starting guest asks for waits until its worker adopts the VM.
class RedisCallouts {
 public:
  explicit RedisCallouts(RootContext& root);
  ~RedisCallouts();
  RedisCallouts(const RedisCallouts&) = delete;
  RedisCallouts& operator=(const RedisCallouts&) = delete;

  /// Commands to the cluster are served so from now on. False: there are settings for too many clusters.
  bool configure(std::string_view cluster, RedisSettings settings);
  /// Sends the command, or keeps it until adopt(). Errors as RedisCommands::start().
  Result<void> start(uint32_t id, std::string_view cluster, std::string_view command);
  size_t size() const noexcept { return pending_.size() + orders_.size() + failed_.size(); }

  /// On the worker: starts what waits.
  void adopt();
  void detach() noexcept;
  /// Tells the guest of commands that could not be sent when the VM was adopted.
  void deliver_failures();

  const std::string* reply = nullptr;  // readable inside the callback that is about it

 private:
  static constexpr size_t kMaxClusters = 64;
  class Pending;
  struct Order {
    uint32_t id;
    std::string cluster, command;
  };
  void deliver(Pending& pending, Result<std::string> answer) noexcept;
  void call_guest(uint32_t id, const std::string* answer);

  RootContext& root_;
  std::map<std::string, RedisSettings, std::less<>> settings_;  // by cluster
  std::vector<std::unique_ptr<Pending>> pending_;
  std::vector<Order> orders_;
  std::vector<uint32_t> failed_;
};

}  // namespace weir::wasm
