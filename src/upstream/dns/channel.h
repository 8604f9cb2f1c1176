// Channel: c-ares on an event loop. The only place, with channel.cc, that knows c-ares.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>
#include <weir/result.h>

#include "event/loop.h"
#include "net/address.h"
#include "upstream/dns/options.h"

struct ares_channeldata;
struct ares_addrinfo;

namespace weir::upstream {

/// What a question for the addresses of one family came to.
struct LookupAnswer {
  enum class Status : uint8_t {
    kFound,
    kEmpty,   // the name or its addresses do not exist: the servers say so
    kFailed,  // no answer, or none of use
  };
  Status status = Status::kFailed;
  std::vector<net::Address> addresses;  // without ports
  std::chrono::seconds ttl{0};          // the shortest; 0: unknown (a hosts file)
  std::string why;                      // unless found
};

/// A question under way. Owner: who asks. After its destruction nobody is called.
class Lookup {
 public:
  using Callback = void (*)(void* argument, Lookup& lookup);
  Lookup(event::Loop& loop, Callback done, void* argument) noexcept
      : done_(done), argument_(argument), end_of_turn_(loop, &Lookup::on_end_of_turn, this) {}
  ~Lookup();
  Lookup(const Lookup&) = delete;
  Lookup& operator=(const Lookup&) = delete;
  /// Ends it before it was asked; the callback comes from the loop.
  void fail(std::string why);
  /// Valid when the callback comes.
  LookupAnswer answer;

 private:
  friend class Channel;
  struct Pending;  // what c-ares holds; it outlives a lookup that is given up
  static void on_end_of_turn(void* self);
  Callback done_;
  void* argument_;
  Pending* pending_ = nullptr;
  int family_ = 0;
  event::EndOfTurn end_of_turn_;
  class Channel* channel_ = nullptr;  // while it is asked
};

/// One set of sockets and servers. Owner: a Resolver. Thread: main. Outlives its lookups, and is not destroyed from inside a
/// callback of c-ares.
class Channel {
 public:
  static Result<std::unique_ptr<Channel>> make(event::Loop& loop, const ResolverOptions& options);
  ~Channel();
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;

  /// The callback comes from the loop, never from inside this call. Requires: it waits for no answer yet.
  void ask(Lookup& lookup, const std::string& name, int family);
  uint64_t asked() const noexcept { return asked_; }
  /// Nobody waits for an answer of it.
  bool idle() const noexcept { return waiting_ == 0; }

 private:
  friend class Lookup;
  struct Socket;
  explicit Channel(event::Loop& loop);
  Result<void> open(const ResolverOptions& options);
  Result<void> choose_servers(const ResolverOptions& options);
  static void on_socket_state(void* self, int fd, int readable, int writable);
  static void on_answer(void* pending, int status, int timeouts, struct ares_addrinfo* result);
  static void on_ready(void* socket, unsigned events);
  static void on_timer(void* self);
  void arm();

  event::Loop& loop_;
  ares_channeldata* handle_ = nullptr;
  std::map<int, std::unique_ptr<Socket>> sockets_;
  std::vector<std::unique_ptr<Socket>> closed_;  // their callbacks may be on the stack
  event::Timer timer_;
  uint64_t asked_ = 0;
  size_t waiting_ = 0;
};

}  // namespace weir::upstream
