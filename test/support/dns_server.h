// DnsServer: a name server that says what a test tells it, over UDP and TCP.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace weir::test {

/// Listens on one loopback port with a thread of its own. Names that were never set do not exist.
class DnsServer {
 public:
  enum class Behaviour : uint8_t {
    kAnswer,
    kNoSuchName,
    kServerFailure,
    kSilence,
    kTruncated,  // over UDP; the whole answer comes over TCP
    kGarbage,    // bytes that are no message
    kLoop,       // a CNAME to itself
  };
  struct Record {
    std::vector<std::string> v4, v6;
    uint32_t ttl = 60;  // seconds
    Behaviour behaviour = Behaviour::kAnswer;
    std::string alias;  // not empty: a CNAME in front of the addresses
  };

  DnsServer();
  ~DnsServer();
  DnsServer(const DnsServer&) = delete;
  DnsServer& operator=(const DnsServer&) = delete;

  uint16_t port() const noexcept { return port_; }
  void set(const std::string& name, Record record);
  void set_v4(const std::string& name, std::vector<std::string> addresses) {
    set(name, {std::move(addresses), {}, 60, Behaviour::kAnswer, {}});
  }
  /// Questions for the name, of all types; for one type: 1 is A, 28 is AAAA.
  uint64_t questions(const std::string& name) const;
  uint64_t questions(const std::string& name, uint16_t type) const;
  uint64_t over_tcp() const noexcept { return over_tcp_.load(); }
  /// Fields of a cluster that make it ask this server; `more` are further ones of CaresDnsResolverConfig, each with a comma
  /// before it.
  std::string resolver(std::string_view more = "") const;

 private:
  void run();
  void serve_tcp(int fd);
  std::string answer(std::string_view question, bool udp);
  int udp_ = -1, tcp_ = -1, wake_[2] = {-1, -1};
  uint16_t port_ = 0;
  mutable std::mutex mutex_;
  std::map<std::string, Record> records_;
  std::map<std::pair<std::string, uint16_t>, uint64_t> asked_;
  std::atomic<uint64_t> over_tcp_{0};
  std::thread thread_;
};

}  // namespace weir::test
