#include "upstream/dns/channel.h"

#include <ares.h>

#include <algorithm>
#include <mutex>

#include "base/strings.h"

namespace weir::upstream {
namespace {

using std::chrono::milliseconds;

int init_library() {
  static const int result = ares_library_init(ARES_LIB_INIT_ALL);
  return result;
}

/// True for what the servers have said of the name; everything else is a want of an answer.
bool is_empty(int status) noexcept { return status == ARES_ENODATA || status == ARES_ENOTFOUND; }

/// RFC 6761 6.3. c-ares 1.18 leaks when a hosts file has such a name, but not in the family that is asked for.
bool is_localhost(std::string_view name) noexcept {
  constexpr std::string_view kName = "localhost";
  if (name.size() < kName.size() || !base::iequals(name.substr(name.size() - kName.size()), kName))
    return false;
  return name.size() == kName.size() || name[name.size() - kName.size() - 1] == '.';
}

/// c-ares asks the host itself where the system names no server.
bool only_default_server(ares_channel channel) {
  ares_options used{};
  int mask = 0;
  if (ares_save_options(channel, &used, &mask) != ARES_SUCCESS) return true;
  // Of the servers these are the ones with an IPv4 address.
  const bool only = used.nservers == 1 && used.servers[0].s_addr == htonl(INADDR_LOOPBACK);
  ares_destroy_options(&used);
  return only;
}

}  // namespace

struct Channel::Socket {
  Socket(Channel& owner, int descriptor)
      : channel(owner), fd(descriptor), watch(owner.loop_, &Channel::on_ready, this) {
    watch.attach(descriptor);
  }
  Channel& channel;
  int fd;
  event::FdWatch watch;
};

struct Lookup::Pending {
  Lookup* lookup;  // null: given up
};

Lookup::~Lookup() {
  if (pending_ == nullptr) return;
  pending_->lookup = nullptr;
  --channel_->waiting_;
}

void Lookup::fail(std::string why) {
  answer = {LookupAnswer::Status::kFailed, {}, {}, std::move(why)};
  end_of_turn_.schedule();
}

void Lookup::on_end_of_turn(void* self) {
  auto& lookup = *static_cast<Lookup*>(self);
  lookup.done_(lookup.argument_, lookup);
}

Channel::Channel(event::Loop& loop) : loop_(loop), timer_(loop, &Channel::on_timer, this) {}

Channel::~Channel() {
  if (handle_ != nullptr) ares_destroy(handle_);
}

Result<std::unique_ptr<Channel>> Channel::make(event::Loop& loop, const ResolverOptions& options) {
  std::unique_ptr<Channel> channel(new Channel(loop));
  WEIR_TRY(opened, channel->open(options).map([] { return true; }));
  static_cast<void>(opened);
  return channel;
}

Result<void> Channel::open(const ResolverOptions& options) {
  if (const int status = init_library(); status != ARES_SUCCESS)
    return fail(Code::kSystem, Side::kLocal, ares_strerror(status));
  ares_options wanted{};
  int mask = ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_SOCK_STATE_CB;
  wanted.flags = (options.use_tcp ? ARES_FLAG_USEVC : 0) |
                 (options.no_search_domains ? ARES_FLAG_NOSEARCH : 0);
  wanted.timeout = static_cast<int>(options.query_timeout.count());
  wanted.tries = static_cast<int>(options.query_tries);
  wanted.sock_state_cb = &Channel::on_socket_state;
  wanted.sock_state_cb_data = this;
  mask |= options.rotate_servers ? ARES_OPT_ROTATE : ARES_OPT_NOROTATE;
  if (options.edns0_payload != 0) {
    wanted.flags |= ARES_FLAG_EDNS;
    wanted.ednspsz = static_cast<int>(options.edns0_payload);
    mask |= ARES_OPT_EDNSPSZ;
  }
#ifdef ARES_OPT_QUERY_CACHE
  // How long an answer holds is decided by the cluster that asks.
  wanted.qcache_max_ttl = 0;
  mask |= ARES_OPT_QUERY_CACHE;
#endif
  if (const int status = ares_init_options(&handle_, &wanted, mask); status != ARES_SUCCESS) {
    handle_ = nullptr;
    return fail(Code::kSystem, Side::kLocal, ares_strerror(status));
  }
  return choose_servers(options);
}

Result<void> Channel::choose_servers(const ResolverOptions& options) {
  if (options.servers.empty()) return {};
  if (options.servers_as_fallback && !only_default_server(handle_)) return {};
  std::string list;
  for (const std::string& server : options.servers) {
    if (!list.empty()) list += ',';
    list += server;
  }
  const int status = ares_set_servers_ports_csv(handle_, list.c_str());
  if (status != ARES_SUCCESS) return fail(Code::kSystem, Side::kLocal, ares_strerror(status));
  return {};
}

void Channel::ask(Lookup& lookup, const std::string& name, int family) {
  lookup.answer = {};
  lookup.channel_ = this;
  auto pending = std::make_unique<Lookup::Pending>(Lookup::Pending{&lookup});
  lookup.pending_ = pending.get();
  ++asked_;
  ++waiting_;
  ares_addrinfo_hints hints{};
  lookup.family_ = family;
  hints.ai_family = is_localhost(name) ? AF_UNSPEC : family;
  hints.ai_socktype = SOCK_STREAM;
  // The servers' order says which address is the newest; connecting has an order of its own.
  hints.ai_flags = ARES_AI_NOSORT;
  ares_getaddrinfo(handle_, name.c_str(), nullptr, &hints, &Channel::on_answer, pending.release());
  arm();
}

void Channel::on_answer(void* argument, int status, int, struct ares_addrinfo* result) {
  const std::unique_ptr<Lookup::Pending> pending(static_cast<Lookup::Pending*>(argument));
  const std::unique_ptr<struct ares_addrinfo, void (*)(struct ares_addrinfo*)> held(
      result, &ares_freeaddrinfo);
  Lookup* lookup = pending->lookup;
  if (lookup == nullptr) return;
  lookup->pending_ = nullptr;
  --lookup->channel_->waiting_;
  LookupAnswer& answer = lookup->answer;
  if (status == ARES_SUCCESS && result != nullptr) {
    int ttl = INT32_MAX;
    for (const ares_addrinfo_node* node = result->nodes; node != nullptr; node = node->ai_next) {
      const auto address = net::Address::from_sockaddr(node->ai_addr, node->ai_addrlen);
      if (node->ai_family != lookup->family_ ||
          std::find(answer.addresses.begin(), answer.addresses.end(), address) !=
              answer.addresses.end())
        continue;
      answer.addresses.push_back(address.with_port(0));
      ttl = std::min(ttl, node->ai_ttl);
    }
    if (!answer.addresses.empty()) answer.ttl = std::chrono::seconds(std::max(ttl, 0));
  }
  using Status = LookupAnswer::Status;
  if (!answer.addresses.empty()) {
    answer.status = Status::kFound;
  } else {
    answer.status = status == ARES_SUCCESS || is_empty(status) ? Status::kEmpty : Status::kFailed;
    answer.why = status == ARES_SUCCESS ? "no addresses" : ares_strerror(status);
  }
  lookup->end_of_turn_.schedule();
}

void Channel::on_socket_state(void* self, int fd, int readable, int writable) {
  auto& channel = *static_cast<Channel*>(self);
  auto& socket = channel.sockets_[fd];
  if (readable == 0 && writable == 0) {
    if (socket) {
      socket->watch.disarm();
      channel.closed_.push_back(std::move(socket));
    }
    channel.sockets_.erase(fd);
    return;
  }
  if (!socket) socket = std::make_unique<Socket>(channel, fd);
  socket->watch.want((readable != 0 ? event::FdWatch::kRead : 0) |
                     (writable != 0 ? event::FdWatch::kWrite : 0));
}

void Channel::on_ready(void* argument, unsigned events) {
  auto& socket = *static_cast<Socket*>(argument);
  Channel& channel = socket.channel;
  const int fd = socket.fd;
  ares_process_fd(channel.handle_, (events & event::FdWatch::kRead) != 0 ? fd : ARES_SOCKET_BAD,
                  (events & event::FdWatch::kWrite) != 0 ? fd : ARES_SOCKET_BAD);
  channel.arm();
}

void Channel::on_timer(void* self) {
  auto& channel = *static_cast<Channel*>(self);
  channel.closed_.clear();
  ares_process_fd(channel.handle_, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
  channel.arm();
}

void Channel::arm() {
  struct timeval next {};
  if (ares_timeout(handle_, nullptr, &next) != nullptr) {
    timer_.arm(milliseconds(next.tv_sec * 1000 + next.tv_usec / 1000) + event::Loop::kTick);
  } else if (!closed_.empty()) {
    timer_.arm(event::Loop::kTick);  // to let go of them
  } else {
    timer_.cancel();
  }
}

}  // namespace weir::upstream
