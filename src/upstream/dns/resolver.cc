#include "upstream/dns/resolver.h"

#include <ifaddrs.h>
#include <netinet/in.h>
#include <sys/stat.h>

#include <algorithm>
#include <utility>

namespace weir::upstream {
namespace {

constexpr const char* kSystemServers = "/etc/resolv.conf";

int64_t stamp_of_servers() noexcept {
  struct stat info {};
  if (::stat(kSystemServers, &info) != 0) return 0;
  return info.st_mtim.tv_sec * 1'000'000'000 + info.st_mtim.tv_nsec;
}

struct Routable {
  bool v4 = false, v6 = false;
};

/// Families that any interface but the loopback has an address of; both when there is none at all.
Routable routable_families() noexcept {
  Routable found;
  ifaddrs* list = nullptr;
  if (::getifaddrs(&list) != 0) return {true, true};
  for (const ifaddrs* each = list; each != nullptr; each = each->ifa_next) {
    if (each->ifa_addr == nullptr) continue;
    const int family = each->ifa_addr->sa_family;
    if (family != AF_INET && family != AF_INET6) continue;
    const socklen_t size = family == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6);
    if (net::Address::from_sockaddr(each->ifa_addr, size).is_loopback()) continue;
    (family == AF_INET ? found.v4 : found.v6) = true;
  }
  ::freeifaddrs(list);
  if (!found.v4 && !found.v6) return {true, true};
  return found;
}

}  // namespace

bool Resolver::worn() const noexcept {
  if (!channel_ || doubtful_) return true;
  if (options_.udp_max_queries > 0 && channel_->asked() >= options_.udp_max_queries) return true;
  return options_.servers.empty() && stamp_of_servers() != system_stamp_;
}

void Resolver::ask(Lookup& lookup, const std::string& name, int family) {
  if (worn()) {
    doubtful_ = false;
    system_stamp_ = stamp_of_servers();
    if (channel_) worn_out_.push_back(std::move(channel_));
    std::erase_if(worn_out_, [](const auto& channel) { return channel->idle(); });
    auto made = Channel::make(loop_, options_);
    if (!made) return lookup.fail(std::move(made.error().detail));
    channel_ = std::move(*made);
  }
  channel_->ask(lookup, name, family);
}

NameQuery::NameQuery(Resolver& resolver, Callback done, void* argument)
    : resolver_(resolver),
      done_(done),
      argument_(argument),
      v4_(resolver.loop(), &NameQuery::on_answer, this),
      v6_(resolver.loop(), &NameQuery::on_answer, this) {}

void NameQuery::ask(Lookup& lookup, int family) {
  ++left_;
  resolver_.ask(lookup, name_, family);
}

void NameQuery::start(const std::string& name, LookupFamily family) {
  name_ = name;
  second_ = nullptr;
  v4_.answer = v6_.answer = {LookupAnswer::Status::kEmpty, {}, {}, {}};
  if (resolver_.options().filter_unroutable_families &&
      (family == LookupFamily::kAuto || family == LookupFamily::kV4Preferred ||
       family == LookupFamily::kAll)) {
    const Routable routable = routable_families();
    if (!routable.v4) family = LookupFamily::kV6Only;
    if (!routable.v6) family = LookupFamily::kV4Only;
  }
  switch (family) {
    case LookupFamily::kV4Only:
      return ask(v4_, AF_INET);
    case LookupFamily::kV6Only:
      return ask(v6_, AF_INET6);
    case LookupFamily::kAll:
      ask(v6_, AF_INET6);
      return ask(v4_, AF_INET);
    case LookupFamily::kAuto:
      second_ = &v4_;
      second_family_ = AF_INET;
      return ask(v6_, AF_INET6);
    case LookupFamily::kV4Preferred:
      second_ = &v6_;
      second_family_ = AF_INET6;
      return ask(v4_, AF_INET);
  }
}

void NameQuery::on_answer(void* self, Lookup& lookup) {
  auto& query = *static_cast<NameQuery*>(self);
  if (lookup.answer.status == LookupAnswer::Status::kFailed) query.resolver_.doubt();
  if (query.second_ != nullptr && lookup.answer.status != LookupAnswer::Status::kFound) {
    // The question goes out before this one is counted: the query is never seen as ended between the two.
    query.ask(*std::exchange(query.second_, nullptr), query.second_family_);
  }
  if (--query.left_ == 0) query.done_(query.argument_, query.joined());
}

LookupAnswer NameQuery::joined() {
  using Status = LookupAnswer::Status;
  LookupAnswer both{Status::kEmpty, {}, {}, {}};
  for (Lookup* lookup : {&v6_, &v4_}) {
    LookupAnswer& one = lookup->answer;
    if (one.status == Status::kFound) {
      // What is known holds for as long as its shortest part.
      if (both.addresses.empty() || one.ttl < both.ttl) both.ttl = one.ttl;
      both.addresses.insert(both.addresses.end(), one.addresses.begin(), one.addresses.end());
      both.status = Status::kFound;
    } else if (one.status == Status::kFailed && both.status == Status::kEmpty) {
      both.status = Status::kFailed;
    }
    if (!one.why.empty()) both.why = one.why;
  }
  return both;
}

}  // namespace weir::upstream
