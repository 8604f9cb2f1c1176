#include "proxy/chain_match.h"

#include <algorithm>
#include <random>
#include <gtest/gtest.h>

namespace weir::proxy {
namespace {

net::IpBytes ip(std::string_view text) { return net::ip_bytes(net::Address::ip(text, 0).value()); }
net::Cidr cidr(std::string_view text, unsigned length) {
  return net::Cidr::make(text, length).value();
}

/// Owns what a MatchInput refers to.
struct Client {
  std::string destination = "10.0.0.1", direct = "10.1.1.1", source = "10.1.1.1", name,
              transport = "raw_buffer";
  uint16_t port = 443, source_port = 1000;
  std::vector<std::string> protocols{};
  bool local = false;
  MatchInput input() const {
    return {ip(destination), port,       name,        transport, protocols,
            ip(direct),      ip(source), source_port, local};
  }
};

// ---- the oracle: the rule as the documentation tells it, chain by chain ---------------------------------------------------

/// At each criterion: which of the chains left have the most specific value that the client fits?
class Oracle {
 public:
  std::optional<size_t> find(const std::vector<FilterChainMatch>& chains, const MatchInput& in) {
    std::vector<Row> rows;
    for (size_t i = 0; i < chains.size(); ++i) expand(chains[i], i, rows);
    const auto keep = [&rows](auto fit) {
      int best = -1;
      for (const Row& row : rows) best = std::max(best, fit(row));
      std::erase_if(rows, [&](const Row& row) { return best < 0 || fit(row) != best; });
    };
    keep([&](const Row& r) {
      return !r.match->destination_port                          ? 0
             : *r.match->destination_port == in.destination_port ? 1
                                                                 : -1;
    });
    keep([&](const Row& r) { return fit(r.destination, in.destination); });
    keep([&](const Row& r) { return fit_name(r.name, in.server_name); });
    keep([&](const Row& r) {
      return r.match->transport_protocol.empty()                    ? 0
             : r.match->transport_protocol == in.transport_protocol ? 1
                                                                    : -1;
    });
    keep([&](const Row& r) {
      if (r.protocol == nullptr) return 0;
      const auto at =
          std::find(in.application_protocols.begin(), in.application_protocols.end(), *r.protocol);
      return at == in.application_protocols.end()
                 ? -1
                 : static_cast<int>(in.application_protocols.end() - at);
    });
    keep([&](const Row& r) { return fit(r.direct, in.direct_source); });
    keep([&](const Row& r) {
      if (r.match->source_type == SourceType::kAny) return 0;
      return (r.match->source_type == SourceType::kSameIpOrLoopback) == in.source_is_local ? 1 : -1;
    });
    keep([&](const Row& r) { return fit(r.source, in.source); });
    keep([&](const Row& r) { return r.port == nullptr ? 0 : *r.port == in.source_port ? 1 : -1; });
    if (rows.empty()) return std::nullopt;
    return rows.front().chain;
  }

 private:
  struct Row {
    size_t chain;
    const FilterChainMatch* match;
    const net::Cidr* destination;
    const std::string* name;
    const std::string* protocol;
    const net::Cidr* direct;
    const net::Cidr* source;
    const uint16_t* port;
  };
  template <typename Values>
  static auto all(const Values& values) {
    std::vector<const typename Values::value_type*> out;
    for (const auto& value : values) out.push_back(&value);
    if (out.empty()) out.push_back(nullptr);
    return out;
  }
  static void expand(const FilterChainMatch& m, size_t chain, std::vector<Row>& rows) {
    for (auto* d : all(m.prefix_ranges))
      for (auto* n : all(m.server_names))
        for (auto* p : all(m.application_protocols))
          for (auto* direct : all(m.direct_source_prefix_ranges))
            for (auto* s : all(m.source_prefix_ranges))
              for (auto* port : all(m.source_ports))
                rows.push_back({chain, &m, d, n, p, direct, s, port});
  }
  static int fit(const net::Cidr* range, const net::IpBytes& address) {
    if (range == nullptr) return 0;
    return range->contains(address) ? 1 + static_cast<int>(range->length()) : -1;
  }
  static int fit_name(const std::string* wanted, std::string_view name) {
    if (wanted == nullptr) return 0;
    if (*wanted == name) return 1000;
    const bool below = wanted->starts_with("*.") && name.size() > wanted->size() - 1 &&
                       name.ends_with(wanted->substr(1));
    return below ? static_cast<int>(wanted->size()) : -1;
  }
};

class Random {
 public:
  explicit Random(unsigned seed) : engine_(seed) {}
  bool chance(int percent) { return pick(100) < percent; }
  int pick(int n) { return std::uniform_int_distribution<int>(0, n - 1)(engine_); }
  template <typename T>
  std::vector<T> some(const std::vector<T>& from, int percent) {
    std::vector<T> out;
    if (!chance(percent)) return out;
    for (int i = 0, n = 1 + pick(2); i < n; ++i) {
      const T& value = from[static_cast<size_t>(pick(static_cast<int>(from.size())))];
      if (std::find(out.begin(), out.end(), value) == out.end()) out.push_back(value);
    }
    return out;
  }
  template <typename T>
  const T& one(const std::vector<T>& from) {
    return from[static_cast<size_t>(pick(static_cast<int>(from.size())))];
  }

 private:
  std::mt19937 engine_;
};

const std::vector<net::Cidr>& ranges() {
  static const std::vector<net::Cidr> kRanges{cidr("10.0.0.0", 8),  cidr("10.0.0.0", 24),
                                              cidr("10.1.0.0", 16), cidr("10.1.1.1", 32),
                                              cidr("0.0.0.0", 0),   cidr("2001:db8::", 32)};
  return kRanges;
}
const std::vector<std::string> kIps{"10.0.0.1",    "10.0.1.1",    "10.1.1.1", "10.1.2.1",
                                    "192.168.0.1", "2001:db8::1", "::1"};
const std::vector<std::string> kNames{
    "", "a.example.com", "b.example.com", "x.a.example.com", "example.com", "org"};
const std::vector<std::string> kPatterns{"a.example.com", "*.example.com", "*.a.example.com",
                                         "*.com", "example.com"};
const std::vector<std::string> kProtocols{"h2", "http/1.1", "h2c", "istio"};

FilterChainMatch random_match(Random& random) {
  FilterChainMatch match;
  if (random.chance(25)) match.destination_port = static_cast<uint16_t>(443 + random.pick(2));
  match.prefix_ranges = random.some(ranges(), 30);
  match.server_names = random.some(kPatterns, 40);
  if (random.chance(30)) match.transport_protocol = random.chance(50) ? "tls" : "raw_buffer";
  match.application_protocols = random.some(kProtocols, 30);
  match.direct_source_prefix_ranges = random.some(ranges(), 15);
  match.source_type = static_cast<SourceType>(random.chance(70) ? 0 : 1 + random.pick(2));
  match.source_prefix_ranges = random.some(ranges(), 20);
  match.source_ports = random.some(std::vector<uint16_t>{1000, 1001}, 20);
  return match;
}

Client random_client(Random& random) {
  Client client;
  client.destination = random.one(kIps);
  client.direct = random.one(kIps);
  client.source = random.one(kIps);
  client.name = random.one(kNames);
  client.transport = random.chance(50) ? "tls" : "raw_buffer";
  client.port = static_cast<uint16_t>(443 + random.pick(3));
  client.source_port = static_cast<uint16_t>(1000 + random.pick(3));
  client.protocols = random.some(kProtocols, 60);
  client.local = random.chance(40);
  return client;
}

TEST(ChainMatcher, AgreesWithTheRuleOnRandomChains) {
  size_t found = 0;
  for (unsigned seed = 0; seed < 300; ++seed) {
    Random random(seed);
    std::vector<FilterChainMatch> chains;
    ChainMatcher matcher;
    for (int i = 0, n = 1 + random.pick(12); i < n; ++i) {
      FilterChainMatch match = random_match(random);
      ChainMatcher trial;  // chains that could be mistaken for one another are a test of their own
      bool clean = true;
      for (size_t k = 0; k < chains.size(); ++k) EXPECT_TRUE(trial.add(chains[k], k));
      clean = trial.add(match, chains.size()).has_value();
      if (!clean) continue;
      chains.push_back(std::move(match));
    }
    for (size_t k = 0; k < chains.size(); ++k) ASSERT_TRUE(matcher.add(chains[k], k));
    for (int i = 0; i < 100; ++i) {
      const Client client = random_client(random);
      const auto expected = Oracle().find(chains, client.input());
      ASSERT_EQ(matcher.find(client.input()), expected) << "seed " << seed << " client " << i;
      found += expected.has_value();
    }
  }
  EXPECT_GT(found, 5000u) << "the clients fit too few chains to say anything";
}

// ---- the rule by examples ---------------------------------------------------------------------------------------------------

ChainMatcher matcher_of(const std::vector<FilterChainMatch>& chains) {
  ChainMatcher matcher;
  for (size_t i = 0; i < chains.size(); ++i) EXPECT_TRUE(matcher.add(chains[i], i));
  return matcher;
}

TEST(ChainMatcher, ThereIsNoWayBack) {
  FilterChainMatch port, name;
  port.destination_port = 443;
  port.server_names = {"a"};
  name.server_names = {"b"};
  const ChainMatcher matcher = matcher_of({port, name});
  Client client;
  client.name = "b";
  EXPECT_EQ(matcher.find(client.input()), std::nullopt) << "port 443 leads to the first chain only";
  client.port = 80;
  EXPECT_EQ(matcher.find(client.input()), 1u);
}

TEST(ChainMatcher, TheClientsOrderOfProtocolsDecides) {
  FilterChainMatch h2, h1;
  h2.application_protocols = {"h2"};
  h1.application_protocols = {"http/1.1"};
  const ChainMatcher matcher = matcher_of({h2, h1});
  Client client;
  client.protocols = {"http/1.1", "h2"};
  EXPECT_EQ(matcher.find(client.input()), 1u);
  client.protocols = {"h2", "http/1.1"};
  EXPECT_EQ(matcher.find(client.input()), 0u);
}

TEST(ChainMatcher, OneChainForAllNeedsNoLook) {
  EXPECT_NE(matcher_of({FilterChainMatch()}).only_chain(), nullptr);
  FilterChainMatch port;
  port.destination_port = 1;
  EXPECT_EQ(matcher_of({port}).only_chain(), nullptr);
  EXPECT_EQ(matcher_of({FilterChainMatch(), port}).only_chain(), nullptr);
  EXPECT_EQ(ChainMatcher().find(Client().input()), std::nullopt);
}

TEST(ChainMatcher, UnixSocketsHaveNoAddresses) {
  FilterChainMatch range;
  range.prefix_ranges = {cidr("0.0.0.0", 0)};
  const ChainMatcher matcher = matcher_of({range, FilterChainMatch()});
  Client client;
  MatchInput input = client.input();
  EXPECT_EQ(matcher.find(input), 0u);
  input.destination = net::IpBytes();
  EXPECT_EQ(matcher.find(input), 1u);
}

TEST(ChainMatcher, ChainsThatAreTheSameAreRefused) {
  FilterChainMatch first, second;
  first.server_names = {"a", "b"};
  second.server_names = {"b", "c"};
  ChainMatcher matcher;
  ASSERT_TRUE(matcher.add(first, 0));
  const auto added = matcher.add(second, 1);
  ASSERT_FALSE(added);
  EXPECT_EQ(added.error().detail, "0");
  ChainMatcher all;
  ASSERT_TRUE(all.add(FilterChainMatch(), 0));
  EXPECT_FALSE(all.add(FilterChainMatch(), 1));
}

}  // namespace
}  // namespace weir::proxy
