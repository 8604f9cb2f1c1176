#include "filters/network/rbac/rules.h"

#include <algorithm>
#include <utility>

namespace weir::filters::rbac {

namespace {

constexpr int kDeepest = 32;

Rule of_kind(Rule::Kind kind) {
  Rule rule;
  rule.kind = kind;
  return rule;
}

Rule read_range(ConfigView& parent, std::string_view field, Rule::Kind kind) {
  Rule rule = of_kind(kind);
  if (auto view = parent.message(field)) rule.range = IpRange::read(*view);
  return rule;
}

Rule read_ports(ConfigView& parent, std::string_view field) {
  Rule rule = of_kind(Rule::Kind::kDestinationPort);
  if (field == "destination_port") {
    rule.first_port = static_cast<uint32_t>(parent.integer(field, 0, 0, 65535));
    rule.end_port = rule.first_port + 1;
  } else if (auto range = parent.message(field)) {
    rule.first_port = static_cast<uint32_t>(range->integer("start", 0, 0, 65535));
    rule.end_port = static_cast<uint32_t>(range->integer("end", 0, 0, 65536));
    if (rule.end_port <= rule.first_port) range->error("end", "must be greater than \"start\"");
  }
  return rule;
}

Rule read_any(ConfigView& parent) {
  if (!parent.boolean("any", true)) parent.error("any", "must be true");
  return of_kind(Rule::Kind::kAny);
}

using Reader = Rule (*)(ConfigView&, int depth);

Rule read_set(ConfigView& parent, std::string_view field, std::string_view list, Rule::Kind kind,
              Reader reader, int depth) {
  Rule rule = of_kind(kind);
  auto set = parent.message(field);
  if (!set) return rule;
  for (auto& each : set->messages(list)) rule.children.push_back(reader(*each, depth + 1));
  if (rule.children.empty()) set->missing(list);
  return rule;
}

Rule read_not(ConfigView& parent, std::string_view field, Reader reader, int depth) {
  Rule rule = of_kind(Rule::Kind::kNot);
  if (auto view = parent.message(field)) rule.children.push_back(reader(*view, depth + 1));
  return rule;
}

bool too_deep(ConfigView& view, int depth) {
  if (depth < kDeepest) return false;
  view.error({}, "rules are nested too deeply");
  return true;
}

/// What needs a request, or what weir has not. A rule that could never match would allow or deny what nobody meant.
void refuse(ConfigView& view, std::initializer_list<std::string_view> of_requests,
            std::initializer_list<std::string_view> foreign) {
  for (const std::string_view field : of_requests)
    view.unsupported(field, "a connection has no request to match");
  for (const std::string_view field : foreign)
    view.unsupported(field, "matchers of this kind are not supported");
}

Rule read_permission(ConfigView& view, int depth) {
  if (too_deep(view, depth)) return {};
  refuse(view, {"header", "url_path", "uri_template"}, {"metadata", "sourced_metadata", "matcher"});
  for (const char* field :
       {"header", "url_path", "uri_template", "metadata", "sourced_metadata", "matcher"})
    if (view.has(field)) return {};
  const std::string_view kind =
      view.one_of({"and_rules", "or_rules", "any", "destination_ip", "destination_port",
                   "destination_port_range", "not_rule", "requested_server_name"},
                  ConfigView::Required::kYes);
  if (kind == "and_rules")
    return read_set(view, kind, "rules", Rule::Kind::kAll, &read_permission, depth);
  if (kind == "or_rules")
    return read_set(view, kind, "rules", Rule::Kind::kOneOf, &read_permission, depth);
  if (kind == "not_rule") return read_not(view, kind, &read_permission, depth);
  if (kind == "destination_ip") return read_range(view, kind, Rule::Kind::kDestinationIp);
  if (kind == "destination_port" || kind == "destination_port_range") return read_ports(view, kind);
  if (kind == "requested_server_name") {
    Rule rule = of_kind(Rule::Kind::kServerName);
    if (auto matcher = view.message(kind)) rule.text = StringMatcher::read(*matcher);
    return rule;
  }
  return read_any(view);
}

Rule read_authenticated(ConfigView& parent) {
  Rule rule = of_kind(Rule::Kind::kAuthenticated);
  auto view = parent.message("authenticated");
  if (!view) return rule;
  auto name = view->message("principal_name");
  rule.any_name = name == nullptr;
  if (name) rule.text = StringMatcher::read(*name);
  return rule;
}

Rule read_filter_state(ConfigView& parent) {
  Rule rule = of_kind(Rule::Kind::kFilterState);
  auto view = parent.message("filter_state");
  if (!view) return rule;
  rule.key = view->required_text("key");
  if (auto text = view->required_message("string_match")) rule.text = StringMatcher::read(*text);
  view->unsupported("address_match", "filter state is text");
  return rule;
}

Rule read_principal(ConfigView& view, int depth) {
  if (too_deep(view, depth)) return {};
  refuse(view, {"header", "url_path"}, {"metadata", "sourced_metadata", "custom"});
  for (const char* field : {"header", "url_path", "metadata", "sourced_metadata", "custom"})
    if (view.has(field)) return {};
  const std::string_view kind =
      view.one_of({"and_ids", "or_ids", "any", "authenticated", "source_ip", "direct_remote_ip",
                   "remote_ip", "filter_state", "not_id"},
                  ConfigView::Required::kYes);
  if (kind == "and_ids")
    return read_set(view, kind, "ids", Rule::Kind::kAll, &read_principal, depth);
  if (kind == "or_ids")
    return read_set(view, kind, "ids", Rule::Kind::kOneOf, &read_principal, depth);
  if (kind == "not_id") return read_not(view, kind, &read_principal, depth);
  if (kind == "authenticated") return read_authenticated(view);
  if (kind == "filter_state") return read_filter_state(view);
  if (kind == "direct_remote_ip") return read_range(view, kind, Rule::Kind::kDirectRemoteIp);
  if (kind == "source_ip" || kind == "remote_ip")
    return read_range(view, kind, Rule::Kind::kRemoteIp);
  return read_any(view);
}

bool matches_certificate(const Rule& rule, const ConnectionInfo& connection) {
  const TlsInfo* tls = connection.tls;
  if (tls == nullptr || !tls->peer_validated()) return false;
  if (rule.any_name) return true;
  for (const TlsNames kind : {TlsNames::kUriPeer, TlsNames::kDnsPeer})
    for (const std::string& name : tls->names(kind))
      if (rule.text.matches(name)) return true;
  return rule.text.matches(tls->text(TlsText::kSubjectPeer));
}

bool any_of(const std::vector<Rule>& rules, const ConnectionInfo& connection) {
  return std::any_of(rules.begin(), rules.end(),
                     [&connection](const Rule& rule) { return rule.matches(connection); });
}

Policy read_policy(ConfigView& view, std::string name) {
  Policy policy{std::move(name), {}, {}};
  for (auto& each : view.messages("permissions"))
    policy.permissions.push_back(read_permission(*each, 0));
  for (auto& each : view.messages("principals"))
    policy.principals.push_back(read_principal(*each, 0));
  if (policy.permissions.empty()) view.missing("permissions");
  if (policy.principals.empty()) view.missing("principals");
  view.unsupported("condition", "expressions are not supported");
  view.unsupported("checked_condition", "expressions are not supported");
  view.unsupported("cel_config", "expressions are not supported");
  return policy;
}

}  // namespace

bool Rule::matches(const ConnectionInfo& connection) const {
  switch (kind) {
    case Kind::kAny:
      return true;
    case Kind::kAll:
      return std::all_of(children.begin(), children.end(),
                         [&connection](const Rule& rule) { return rule.matches(connection); });
    case Kind::kOneOf:
      return any_of(children, connection);
    case Kind::kNot:
      return !children.empty() && !children.front().matches(connection);
    case Kind::kDestinationIp:
      return range.contains(ip_of(connection.local_address));
    case Kind::kDestinationPort: {
      const uint32_t port = port_of(connection.local_address);
      return port >= first_port && port < end_port;
    }
    case Kind::kServerName:
      return text.matches(connection.requested_server_name);
    case Kind::kRemoteIp:
      return range.contains(connection.remote_ip());
    case Kind::kDirectRemoteIp:
      return range.contains(ip_of(connection.direct_remote_address()));
    case Kind::kAuthenticated:
      return matches_certificate(*this, connection);
    case Kind::kFilterState: {
      const auto found = connection.extras().filter_state.find(key);
      return found != connection.extras().filter_state.end() && text.matches(found->second);
    }
  }
  return false;
}

std::shared_ptr<const Rules> Rules::read(ConfigView& config) {
  static const std::vector<std::string_view> kActions = {"ALLOW", "DENY", "LOG"};
  auto out = std::make_unique<Rules>();
  out->action_ = static_cast<Action>(config.enumeration("action", kActions, 0));
  if (auto policies = config.message("policies")) {
    std::vector<std::string> names = policies->keys();
    std::sort(names.begin(), names.end());
    for (std::string& name : names)
      if (auto view = policies->message(name))
        out->policies_.push_back(read_policy(*view, std::move(name)));
  }
  config.unsupported("audit_logging_options", "audit logs are not supported");
  return out;
}

Rules::Verdict Rules::judge(const ConnectionInfo& connection) const {
  Verdict verdict;
  for (const Policy& policy : policies_) {
    if (!any_of(policy.permissions, connection) || !any_of(policy.principals, connection)) continue;
    verdict.policy = &policy.name;
    break;
  }
  const bool matched = verdict.policy != nullptr;
  verdict.allowed = action_ == Action::kLog || matched == (action_ == Action::kAllow);
  return verdict;
}

}  // namespace weir::filters::rbac
