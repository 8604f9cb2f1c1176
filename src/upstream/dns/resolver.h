// Resolver: names to addresses by one set of servers, and the choice of address families.
#pragma once

#include <array>
#include <cstdint>
#include <ctime>
#include <memory>
#include <string>
#include <vector>

#include "upstream/dns/channel.h"

namespace weir::upstream {

/// Asks by a channel that it renews: after a failure, when the system's servers have changed, and when a socket has carried
/// udp_max_queries. Owner: DnsClusters; outlives its queries. Thread: main.
class Resolver {
 public:
  Resolver(event::Loop& loop, ResolverOptions options)
      : loop_(loop), options_(std::move(options)) {}
  const ResolverOptions& options() const noexcept { return options_; }
  event::Loop& loop() noexcept { return loop_; }
  void ask(Lookup& lookup, const std::string& name, int family);
  /// The last answer was none: the next question goes out on new sockets to the servers that are named then.
  void doubt() noexcept { doubtful_ = true; }

 private:
  bool worn() const noexcept;
  event::Loop& loop_;
  const ResolverOptions options_;
  std::unique_ptr<Channel> channel_;
  std::vector<std::unique_ptr<Channel>> worn_out_;  // until their last answers
  int64_t system_stamp_ = 0;  // of the system's list of servers, when the channel was made
  bool doubtful_ = false;
};

/// One name under a family policy. Owner: who asks; its destruction ends it. Thread: main.
class NameQuery {
 public:
  using Callback = void (*)(void* argument, const LookupAnswer& answer);
  NameQuery(Resolver& resolver, Callback done, void* argument);
  /// The callback comes from the loop, never from inside this call. Requires: none is under way.
  void start(const std::string& name, LookupFamily family);

 private:
  static void on_answer(void* self, Lookup& lookup);
  void ask(Lookup& lookup, int family);
  LookupAnswer joined();

  Resolver& resolver_;
  Callback done_;
  void* argument_;
  std::string name_;
  Lookup v4_, v6_;
  Lookup* second_ = nullptr;  // asked if the first one finds nothing
  int second_family_ = 0;
  int left_ = 0;
};

}  // namespace weir::upstream
