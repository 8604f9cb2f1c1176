// ChainMatcher: which filter chain serves a connection (filter_chain_match).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>
#include <weir/result.h>

#include "net/cidr.h"

namespace weir::proxy {

enum class SourceType : uint8_t { kAny, kSameIpOrLoopback, kExternal };

/// config.listener.v3.FilterChainMatch. What is empty matches everything.
struct FilterChainMatch {
  std::optional<uint16_t> destination_port;
  std::vector<net::Cidr> prefix_ranges;   // of the destination
  std::vector<std::string> server_names;  // lower case; "*.example.com" for what is below it
  std::string transport_protocol;         // "raw_buffer", "tls"
  std::vector<std::string> application_protocols;
  std::vector<net::Cidr> direct_source_prefix_ranges;
  SourceType source_type = SourceType::kAny;
  std::vector<net::Cidr> source_prefix_ranges;
  std::vector<uint16_t> source_ports;
  bool matches_everything() const noexcept;
};

/// What is known of a connection when its chain is chosen.
struct MatchInput {
  net::IpBytes destination;  // size 0: a Unix socket
  uint16_t destination_port = 0;
  std::string_view server_name;         // lower case; empty: none
  std::string_view transport_protocol;  // never empty
  std::span<const std::string> application_protocols;
  net::IpBytes direct_source;
  net::IpBytes source;
  uint16_t source_port = 0;
  bool source_is_local = false;  // loopback, a Unix socket, or the destination's own address
};

/// Immutable, shared by all workers. The criteria are looked at in the order of FilterChainMatch's fields; at each the most
/// specific value that any chain (of those left) has and the connection fits decides. There is no way back: a connection
/// that fits no chain behind a decision fits none.
class ChainMatcher {
 public:
  ChainMatcher();
  ~ChainMatcher();
  ChainMatcher(ChainMatcher&&) noexcept;
  ChainMatcher& operator=(ChainMatcher&&) noexcept;

  /// Gives the chain `index` its matches. Error: a connection could fit another chain just as well; the detail
  /// says that chain's index.
  Result<void> add(const FilterChainMatch& match, size_t index);
  std::optional<size_t> find(const MatchInput& input) const;
  /// Every connection is served by this chain, without a look at it; null: they have to be looked at.
  const size_t* only_chain() const noexcept { return only_ ? &*only_ : nullptr; }

 private:
  struct Tree;
  std::unique_ptr<Tree> tree_;
  std::optional<size_t> only_;
  size_t chains_ = 0;
};

}  // namespace weir::proxy
