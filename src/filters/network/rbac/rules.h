// Rules of the network rbac filter: config.rbac.v3.RBAC, as far as a connection can be judged by it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>
#include <weir/config_view.h>
#include <weir/connection_info.h>
#include <weir/ip_range.h>
#include <weir/matchers.h>

namespace weir::filters::rbac {

/// A Permission or a Principal: a tree.
struct Rule {
  enum class Kind : uint8_t {
    kAny,
    kAll,  // of the children
    kOneOf,
    kNot,
    kDestinationIp,
    kDestinationPort,
    kServerName,
    kRemoteIp,
    kDirectRemoteIp,
    kAuthenticated,
    kFilterState
  };
  Kind kind = Kind::kAny;
  std::vector<Rule> children{};
  IpRange range{};
  uint32_t first_port = 0, end_port = 0;  // [first, end)
  bool any_name = false;                  // kAuthenticated: a valid certificate is enough
  StringMatcher text{};
  std::string key{};  // of the filter state
  bool matches(const ConnectionInfo& connection) const;
};

struct Policy {
  std::string name;
  std::vector<Rule> permissions;
  std::vector<Rule> principals;
};

enum class Action : uint8_t { kAllow, kDeny, kLog };

/// Immutable, shared by all workers.
class Rules {
 public:
  /// Reads config.rbac.v3.RBAC, the message itself; mistakes are reported on the view.
  static std::shared_ptr<const Rules> read(ConfigView& config);
  struct Verdict {
    bool allowed = true;
    const std::string* policy = nullptr;  // the one that matches; null: none does
  };
  Verdict judge(const ConnectionInfo& connection) const;

 private:
  Action action_ = Action::kAllow;
  std::vector<Policy> policies_;  // by name, as Envoy goes through them
};

}  // namespace weir::filters::rbac
