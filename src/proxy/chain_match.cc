#include "proxy/chain_match.h"

#include <map>

#include "base/strings.h"

namespace weir::proxy {

namespace {

/// Values of one criterion, from network prefix to what comes next. An absent prefix is the least specific.
template <typename Next>
class ByPrefix {
 public:
  Next& at(const net::Cidr* cidr) {
    if (cidr == nullptr) return any_ ? *any_ : any_.emplace();
    const Key key{cidr->network().size, cidr->length()};
    return lengths_[key][cidr->network()];
  }
  const Next* find(const net::IpBytes& ip) const {
    for (const auto& [key, networks] : lengths_) {
      if (key.size != ip.size) continue;
      const auto found = networks.find(net::masked(ip, key.bits));
      if (found != networks.end()) return &found->second;
    }
    return any_ ? &*any_ : nullptr;
  }

 private:
  struct Key {
    uint8_t size;
    unsigned bits;
    // The longest prefix first.
    bool operator<(const Key& other) const noexcept {
      return size != other.size ? size < other.size : bits > other.bits;
    }
  };
  std::map<Key, std::map<net::IpBytes, Next>> lengths_;
  std::optional<Next> any_;
};

/// Likewise for texts and numbers that match exactly.
template <typename Key, typename Next>
class ByValue {
 public:
  Next& at(const Key* key) {
    if (key == nullptr) return any_ ? *any_ : any_.emplace();
    return values_[*key];
  }
  template <typename Wanted>
  const Next* exact(const Wanted& wanted) const {
    const auto found = values_.find(wanted);
    return found == values_.end() ? nullptr : &found->second;
  }
  template <typename Wanted>
  const Next* find(const Wanted& wanted) const {
    const Next* found = exact(wanted);
    return found != nullptr ? found : any();
  }
  const Next* any() const { return any_ ? &*any_ : nullptr; }

 private:
  std::map<Key, Next, std::less<>> values_;
  std::optional<Next> any_;
};

struct Leaf {
  std::optional<size_t> chain;
};
using SourcePorts = ByValue<uint16_t, Leaf>;
using Sources = ByPrefix<SourcePorts>;
struct SourceTypes {
  std::optional<Sources> types[3];
};
using DirectSources = ByPrefix<SourceTypes>;
using Protocols = ByValue<std::string, DirectSources>;
using Transports = ByValue<std::string, Protocols>;
using Names = ByValue<std::string, Transports>;
using Destinations = ByPrefix<Names>;
using Ports = ByValue<uint16_t, Destinations>;

// Calls `visit` with each value, or once with null if there is none.
template <typename Values, typename Visit>
void each(const Values& values, Visit visit) {
  for (const auto& value : values) visit(&value);
  if (values.empty()) visit(nullptr);
}

/// Adds one chain below a node for sources, and remembers with whom it shares a place.
struct Adder {
  const FilterChainMatch& match;
  size_t index;
  std::optional<size_t> taken{};

  void below(Sources& sources) {
    each(match.source_prefix_ranges, [&](const net::Cidr* cidr) {
      each(match.source_ports, [&](const uint16_t* port) {
        Leaf& leaf = sources.at(cidr).at(port);
        if (leaf.chain && *leaf.chain != index) taken = leaf.chain;
        leaf.chain = index;
      });
    });
  }
  void below(Protocols& protocols) {
    each(match.application_protocols, [&](const std::string* protocol) {
      each(match.direct_source_prefix_ranges, [&](const net::Cidr* cidr) {
        auto& sources =
            protocols.at(protocol).at(cidr).types[static_cast<size_t>(match.source_type)];
        below(sources ? *sources : sources.emplace());
      });
    });
  }
  void below(Ports& ports) {
    const uint16_t* port = match.destination_port ? &*match.destination_port : nullptr;
    const std::string* transport =
        match.transport_protocol.empty() ? nullptr : &match.transport_protocol;
    each(match.prefix_ranges, [&](const net::Cidr* cidr) {
      each(match.server_names,
           [&](const std::string* name) { below(ports.at(port).at(cidr).at(name).at(transport)); });
    });
  }
};

const Transports* find_name(const Names& names, std::string_view name) {
  if (name.empty()) return names.any();
  if (const Transports* exact = names.exact(name)) return exact;
  std::string wildcard;
  for (size_t dot = name.find('.', 1); dot != std::string_view::npos;
       dot = name.find('.', dot + 1)) {
    wildcard = base::concat("*", name.substr(dot));
    if (const Transports* found = names.exact(wildcard)) return found;
  }
  return names.any();
}

const DirectSources* find_protocol(const Protocols& protocols,
                                   std::span<const std::string> offered) {
  for (const std::string& protocol : offered)
    if (const DirectSources* found = protocols.exact(protocol)) return found;
  return protocols.any();
}

const Sources* find_type(const SourceTypes& node, bool local) {
  const SourceType special = local ? SourceType::kSameIpOrLoopback : SourceType::kExternal;
  const auto& best = node.types[static_cast<size_t>(special)];
  if (best) return &*best;
  const auto& any = node.types[static_cast<size_t>(SourceType::kAny)];
  return any ? &*any : nullptr;
}

}  // namespace

bool FilterChainMatch::matches_everything() const noexcept {
  return !destination_port && prefix_ranges.empty() && server_names.empty() &&
         transport_protocol.empty() && application_protocols.empty() &&
         direct_source_prefix_ranges.empty() && source_type == SourceType::kAny &&
         source_prefix_ranges.empty() && source_ports.empty();
}

struct ChainMatcher::Tree {
  Ports ports;
};

ChainMatcher::ChainMatcher() : tree_(std::make_unique<Tree>()) {}
ChainMatcher::~ChainMatcher() = default;
ChainMatcher::ChainMatcher(ChainMatcher&&) noexcept = default;
ChainMatcher& ChainMatcher::operator=(ChainMatcher&&) noexcept = default;

Result<void> ChainMatcher::add(const FilterChainMatch& match, size_t index) {
  Adder adder{match, index};
  adder.below(tree_->ports);
  if (adder.taken) return fail(Code::kInvalidArgument, Side::kLocal, std::to_string(*adder.taken));
  ++chains_;
  only_.reset();
  if (chains_ == 1 && match.matches_everything()) only_ = index;
  return {};
}

std::optional<size_t> ChainMatcher::find(const MatchInput& input) const {
  if (only_) return only_;
  const Destinations* destinations = tree_->ports.find(input.destination_port);
  if (destinations == nullptr) return std::nullopt;
  const Names* names = destinations->find(input.destination);
  if (names == nullptr) return std::nullopt;
  const Transports* transports = find_name(*names, input.server_name);
  if (transports == nullptr) return std::nullopt;
  const Protocols* protocols = transports->find(input.transport_protocol);
  if (protocols == nullptr) return std::nullopt;
  const DirectSources* direct = find_protocol(*protocols, input.application_protocols);
  if (direct == nullptr) return std::nullopt;
  const SourceTypes* types = direct->find(input.direct_source);
  if (types == nullptr) return std::nullopt;
  const Sources* sources = find_type(*types, input.source_is_local);
  if (sources == nullptr) return std::nullopt;
  const SourcePorts* ports = sources->find(input.source);
  const Leaf* leaf = ports == nullptr ? nullptr : ports->find(input.source_port);
  return leaf == nullptr ? std::nullopt : leaf->chain;
}

}  // namespace weir::proxy
