#include "support/dns_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cctype>
#include <stdexcept>

namespace weir::test {
namespace {

constexpr uint16_t kA = 1, kCname = 5, kAaaa = 28;
constexpr size_t kHeader = 12, kMaxUdp = 512;

void put16(std::string& out, size_t value) {
  out += static_cast<char>(value >> 8);
  out += static_cast<char>(value & 0xff);
}

void put_record(std::string& out, std::string_view name, uint16_t type, uint32_t ttl,
                std::string_view data) {
  out += name;
  put16(out, type);
  put16(out, 1);
  put16(out, ttl >> 16);
  put16(out, ttl & 0xffff);
  put16(out, data.size());
  out += data;
}

std::string encode_name(const std::string& name) {
  std::string out;
  for (size_t at = 0; at < name.size();) {
    const size_t end = std::min(name.find('.', at), name.size());
    out += static_cast<char>(end - at);
    out += name.substr(at, end - at);
    at = end + 1;
  }
  return out + '\0';
}

bool bind_both(int udp, int tcp, uint16_t& port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* raw = reinterpret_cast<sockaddr*>(&address);
  if (::bind(udp, raw, size) != 0 || ::getsockname(udp, raw, &size) != 0) return false;
  port = ntohs(address.sin_port);
  return ::bind(tcp, raw, sizeof address) == 0 && ::listen(tcp, 16) == 0;
}

bool read_exactly(int fd, char* to, size_t size) {
  while (size > 0) {
    const ssize_t got = ::read(fd, to, size);
    if (got <= 0) return false;
    to += got;
    size -= static_cast<size_t>(got);
  }
  return true;
}

}  // namespace

DnsServer::DnsServer() {
  for (int tries = 0; tries < 20; ++tries) {
    udp_ = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    tcp_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind_both(udp_, tcp_, port_)) break;
    // The port is taken for one of the two.
    ::close(udp_);
    ::close(tcp_);
    udp_ = tcp_ = -1;
  }
  if (udp_ < 0 || ::pipe(wake_) != 0) throw std::runtime_error("no port for a name server");
  thread_ = std::thread(&DnsServer::run, this);
}

DnsServer::~DnsServer() {
  ::close(wake_[1]);
  thread_.join();
  for (const int fd : {udp_, tcp_, wake_[0]}) ::close(fd);
}

void DnsServer::set(const std::string& name, Record record) {
  const std::lock_guard lock(mutex_);
  records_[name] = std::move(record);
}

uint64_t DnsServer::questions(const std::string& name) const {
  return questions(name, kA) + questions(name, kAaaa);
}

uint64_t DnsServer::questions(const std::string& name, uint16_t type) const {
  const std::lock_guard lock(mutex_);
  const auto found = asked_.find({name, type});
  return found == asked_.end() ? 0 : found->second;
}

std::string DnsServer::resolver(std::string_view more) const {
  return "typed_dns_resolver_config:\n"
         "  name: envoy.network.dns_resolver.cares\n"
         "  typed_config: {\"@type\": "
         "type.googleapis.com/"
         "envoy.extensions.network.dns_resolver.cares.v3.CaresDnsResolverConfig, "
         "resolvers: [{socket_address: {address: 127.0.0.1, port_value: " +
         std::to_string(port_) + "}}]" + std::string(more) + "}\n";
}

void DnsServer::run() {
  for (;;) {
    pollfd watched[] = {{wake_[0], POLLIN, 0}, {udp_, POLLIN, 0}, {tcp_, POLLIN, 0}};
    if (::poll(watched, 3, -1) < 0) continue;
    if (watched[0].revents != 0) return;
    if (watched[1].revents != 0) {
      char buffer[2048];
      sockaddr_storage from{};
      socklen_t size = sizeof from;
      const ssize_t got =
          ::recvfrom(udp_, buffer, sizeof buffer, 0, reinterpret_cast<sockaddr*>(&from), &size);
      if (got <= 0) continue;
      const std::string reply = answer({buffer, static_cast<size_t>(got)}, true);
      if (!reply.empty())
        ::sendto(udp_, reply.data(), reply.size(), 0, reinterpret_cast<sockaddr*>(&from), size);
    }
    if (watched[2].revents != 0) {
      const int fd = ::accept4(tcp_, nullptr, nullptr, SOCK_CLOEXEC);
      if (fd >= 0) serve_tcp(fd);
    }
  }
}

/// One question; a client that says nothing is given up after a second.
void DnsServer::serve_tcp(int fd) {
  const timeval patience{1, 0};
  ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  unsigned char length[2];
  if (read_exactly(fd, reinterpret_cast<char*>(length), 2)) {
    std::string question(size_t{length[0]} << 8 | length[1], '\0');
    if (read_exactly(fd, question.data(), question.size())) {
      ++over_tcp_;
      const std::string reply = answer(question, false);
      std::string framed;
      put16(framed, reply.size());
      framed += reply;
      if (!reply.empty()) ::send(fd, framed.data(), framed.size(), MSG_NOSIGNAL);
    }
  }
  ::close(fd);
}

std::string DnsServer::answer(std::string_view question, bool udp) {
  if (question.size() < kHeader + 5) return {};
  std::string name;
  size_t at = kHeader;
  while (at < question.size() && question[at] != 0) {
    const auto size = static_cast<size_t>(static_cast<unsigned char>(question[at]));
    if (at + 1 + size >= question.size()) return {};
    if (!name.empty()) name += '.';
    for (const char c : question.substr(at + 1, size))
      name += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    at += 1 + size;
  }
  if (at + 5 > question.size()) return {};
  const auto type = static_cast<uint16_t>(static_cast<unsigned char>(question[at + 1]) << 8 |
                                          static_cast<unsigned char>(question[at + 2]));
  const std::string_view asked = question.substr(kHeader, at + 5 - kHeader);
  Record record;
  {
    const std::lock_guard lock(mutex_);
    ++asked_[{name, type}];
    const auto found = records_.find(name);
    if (found == records_.end())
      record.behaviour = Behaviour::kNoSuchName;
    else
      record = found->second;
  }
  if (record.behaviour == Behaviour::kSilence) return {};
  if (record.behaviour == Behaviour::kGarbage)
    return std::string(question.substr(0, 2)) + "\x84\x80no message";

  std::string answers;
  size_t count = 0;
  const std::string itself("\xc0\x0c", 2);  // the name in the question
  std::string owner = itself;
  if (record.behaviour == Behaviour::kLoop) {
    put_record(answers, itself, kCname, record.ttl, itself);
    ++count;
  } else if (record.behaviour != Behaviour::kNoSuchName &&
             record.behaviour != Behaviour::kServerFailure) {
    if (!record.alias.empty()) {
      owner = encode_name(record.alias);
      put_record(answers, itself, kCname, record.ttl, owner);
      ++count;
    }
    const int family = type == kA ? AF_INET : AF_INET6;
    static const std::vector<std::string> kNone;
    for (const std::string& address : type == kA ? record.v4 : type == kAaaa ? record.v6 : kNone) {
      char raw[16];
      if (::inet_pton(family, address.c_str(), raw) != 1) throw std::runtime_error(address);
      put_record(answers, owner, type, record.ttl, {raw, family == AF_INET ? 4u : 16u});
      ++count;
    }
  }
  const bool truncated = udp && (record.behaviour == Behaviour::kTruncated ||
                                 kHeader + asked.size() + answers.size() > kMaxUdp);
  const int code = record.behaviour == Behaviour::kNoSuchName      ? 3
                   : record.behaviour == Behaviour::kServerFailure ? 2
                                                                   : 0;
  std::string reply(question.substr(0, 2));
  put16(reply, 0x8580u | (truncated ? 0x200u : 0) | static_cast<unsigned>(code));
  put16(reply, 1);
  put16(reply, truncated ? 0 : count);
  put16(reply, 0);
  put16(reply, 0);
  reply += asked;
  if (!truncated) reply += answers;
  return reply;
}

}  // namespace weir::test
