#include "wasm/privacy/private_property.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "base/strings.h"
#include "wasm/header_access.h"

namespace weir::wasm {
namespace {

using Names = std::vector<std::string>;

constexpr std::string_view kState = "filter_state.";

/// The name itself, and those of all that it is a part of.
void add_with_parents(Names& names, const std::string& name) {
  for (size_t at = name.find('.'); at != std::string::npos; at = name.find('.', at + 1))
    names.push_back(name.substr(0, at));
  names.push_back(name);
}

bool is_or_in(std::string_view name, std::string_view group) noexcept {
  return name.starts_with(group) && (name.size() == group.size() || name[group.size()] == '.');
}

bool in_any(std::string_view name, std::initializer_list<std::string_view> groups) noexcept {
  return std::any_of(groups.begin(), groups.end(),
                     [name](std::string_view group) { return is_or_in(name, group); });
}

/// What stands at the top level as well as below xds.
bool is_of_xds(std::string_view name) noexcept {
  return in_any(name,
                {"node", "cluster_name", "route_name", "listener_direction", "listener_metadata",
                 "route_metadata", "cluster_metadata", "upstream_host_metadata"});
}

/// The facts of the host: what is none of them is a path that set_property has stored.
bool is_fact(std::string_view name) noexcept {
  return is_of_xds(name) ||
         in_any(name, {"request", "response", "source", "destination", "connection", "upstream",
                       "filter_state", "connection_id", "xds", "plugin_name", "plugin_root_id",
                       "plugin_vm_id", "plugin_vm_memory"});
}

/// What the host makes of one field, and where the same stands in the maps.
struct MadeOfField {
  std::string_view property, entry;
  bool whole = true;  // not of a part of its value
};
constexpr MadeOfField kMadeOfFields[] = {
    {"request.path", "request.headers.:path"},
    {"request.url_path", "request.headers.:path", false},
    {"request.query", "request.headers.:path", false},
    {"request.host", "request.headers.:authority"},
    {"request.host", "request.headers.host"},
    {"request.method", "request.headers.:method"},
    {"request.scheme", "request.headers.:scheme"},
    {"request.referer", "request.headers.referer"},
    {"request.useragent", "request.headers.user-agent"},
    {"request.id", "request.headers.x-request-id"},
    {"response.code", "response.headers.:status"},
    {"response.grpc_status", "response.headers.grpc-status"},
    {"response.grpc_status", "response.trailers.grpc-status"},
};

/// A part of a value has the names of the whole; the whole has not those of its parts.
void add_fields(Names& names, const std::string& name) {
  for (const MadeOfField& made : kMadeOfFields) {
    if (is_or_in(name, made.property)) {
      add_with_parents(names, std::string(made.entry));
      if (!made.whole) names.emplace_back("request.path");
    } else if (made.whole && is_or_in(name, made.entry)) {
      names.emplace_back(made.property);
    }
  }
}

Names names_of(const std::string& name) {
  Names names;
  add_with_parents(names, name);
  add_fields(names, name);
  if (is_or_in(name, "xds")) {
    if (name.size() > 4) add_with_parents(names, name.substr(4));
  } else if (is_of_xds(name)) {
    add_with_parents(names, base::concat("xds.", name));
  } else if (is_or_in(name, "connection_id")) {
    add_with_parents(names, "connection.id");
  } else if (is_or_in(name, "connection.id")) {
    names.emplace_back("connection_id");
  } else if (const std::string own = base::concat(kState, "wasm."); name.starts_with(own)) {
    add_with_parents(names, name.substr(own.size()));
  } else if (!is_fact(name)) {
    add_with_parents(names, base::concat(kState, "wasm.", name));
  }
  return names;
}

std::string dotted(std::string_view text) {
  std::string name(text);
  std::replace(name.begin(), name.end(), '\0', '.');
  return name;
}

/// What holds others is as visible as each of them: a list of what is allowed need not have it.
bool holds_others(std::string_view name) noexcept {
  constexpr std::string_view kHolders[] = {
      "request.headers", "response.headers", "response.trailers", "filter_state", "node",
      "xds.node",        "upstream.locality"};
  if (std::find(std::begin(kHolders), std::end(kHolders), name) != std::end(kHolders)) return true;
  const std::string_view below = name.starts_with("xds.") ? name.substr(4) : name;
  return in_any(below, {"node.metadata", "listener_metadata", "route_metadata", "cluster_metadata",
                        "upstream_host_metadata"}) ||
         (below.data() != name.data() &&
          in_any(below, {"virtual_host_metadata", "upstream_host_locality_metadata"}));
}

Sight sight_of(const NameRules& rules, const std::string& name) {
  return rules.empty() ? Sight::kShown : rules.sight(names_of(name));
}

}  // namespace

Sight property_sight(const NameRules& rules, const PropertyPath& path) {
  // What it is called itself a guest has to know: SDKs find their code by it.
  constexpr std::string_view kOwn[] = {"plugin_name", "plugin_root_id", "plugin_vm_id",
                                       "plugin_vm_memory"};
  const bool own = std::find(std::begin(kOwn), std::end(kOwn), path.at(0)) != std::end(kOwn);
  if (rules.empty() || own) return Sight::kShown;
  const std::string name = base::lower(dotted(path.whole()));
  const Names names = names_of(name);
  if (!holds_others(name)) return rules.sight(names);
  const auto hides = [&rules](const std::string& each) { return rules.hides(each); };
  const auto masks = [&rules](const std::string& each) { return rules.masks(each); };
  if (std::any_of(names.begin(), names.end(), hides)) return Sight::kHidden;
  return std::any_of(names.begin(), names.end(), masks) ? Sight::kMasked : Sight::kShown;
}

std::optional<std::string_view> FieldSight::see_entry(std::string_view lower,
                                                      std::string_view value,
                                                      std::string& made) const {
  if (privacy_ == nullptr) [[likely]]
    return value;
  const Sight sight = sight_of(privacy_->properties(), base::concat(group_, '.', lower));
  if (sight == Sight::kHidden) return std::nullopt;
  const auto seen = see(lower, value, made);
  return seen && sight == Sight::kMasked ? kMask : seen;
}

std::optional<uint64_t> FieldSight::bytes(const HeaderMap* fields, const RequestHead* request,
                                          const ResponseHead* response) const {
  if (privacy_ == nullptr || !privacy_->touches_fields(side_)) return std::nullopt;
  if (fields == nullptr) return 0;
  HeaderAccess access = HeaderAccess::to_read(*fields, request, response);
  access.restrict(privacy_, side_);
  size_t count = 0;
  size_t seen = 0;
  access.measure(count, seen);
  return seen;
}

std::optional<std::string_view> seen_state(const Privacy* privacy, std::string_view key,
                                           std::string_view value) {
  if (privacy == nullptr) [[likely]]
    return value;
  const Sight sight =
      sight_of(privacy->properties(), base::lower(base::concat(kState, dotted(key))));
  if (sight == Sight::kHidden) return std::nullopt;
  return sight == Sight::kMasked ? kMask : value;
}

std::optional<std::string_view> seen_client(const Privacy* privacy, std::string_view address,
                                            std::string& made) {
  if (privacy == nullptr || privacy->client_address() == Privacy::ClientAddress::kShow)
    return address;
  if (privacy->client_address() == Privacy::ClientAddress::kHide) return std::nullopt;
  made = masked_address(address);
  return made;
}

std::string seen_text(const NameRules& rules, std::string_view name, const std::string& text) {
  const Sight sight = sight_of(rules, std::string(name));
  if (sight == Sight::kHidden) return {};
  return sight == Sight::kMasked && !text.empty() ? std::string(kMask) : text;
}

StructValue seen_tree(const NameRules& rules, const std::string& name, StructValue tree) {
  tree.prune(name, [&rules](const std::string& below) {
    const Sight sight = sight_of(rules, base::lower(below));
    return sight == Sight::kHidden   ? StructValue::Prune::kDrop
           : sight == Sight::kMasked ? StructValue::Prune::kMask
                                     : StructValue::Prune::kKeep;
  });
  return tree;
}

NodeProperty seen_node(const NameRules& rules, const NodeProperty& node) {
  NodeInfo info = node.info;
  info.id = seen_text(rules, "node.id", info.id);
  info.cluster = seen_text(rules, "node.cluster", info.cluster);
  info.region = seen_text(rules, "node.locality.region", info.region);
  info.zone = seen_text(rules, "node.locality.zone", info.zone);
  info.sub_zone = seen_text(rules, "node.locality.sub_zone", info.sub_zone);
  return NodeProperty(std::move(info), seen_tree(rules, "node.metadata", node.metadata));
}

}  // namespace weir::wasm
