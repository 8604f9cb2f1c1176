// Privacy: what the guests of a plugin may not see, as `privacy` (weir's own message) says.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>
#include <weir/config_view.h>
#include <weir/http_filter.h>
#include <weir/matchers.h>

namespace weir::wasm {

/// What a guest may see of something that has a name; in the order of strictness.
enum class Sight : uint8_t { kShown, kMasked, kHidden };

/// What a guest reads in the place of a masked text: a valid value of a header, a cookie and a query parameter.
inline constexpr std::string_view kMask = "***";

/// `hide`, `mask` and `allow_only` of one kind of names. The strictest that holds for a name counts. Immutable.
class NameRules {
 public:
  NameRules() = default;  // everything is shown
  static NameRules read(ConfigView& parent, std::string_view field,
                        StringMatcher (*matcher)(ConfigView& view));
  bool empty() const noexcept { return hide_.empty() && mask_.empty() && !allow_only_; }
  bool hides(std::string_view name) const { return matches(hide_, name); }
  bool masks(std::string_view name) const { return matches(mask_, name); }
  /// There is no allow_only, or it has the name.
  bool allows(std::string_view name) const { return !allow_only_ || matches(*allow_only_, name); }
  Sight sight(std::string_view name) const;
  /// Of what has several names: it is hidden and masked under each of them, and listed under any.
  Sight sight(std::initializer_list<std::string_view> names) const {
    return sight_of(names.begin(), names.end());
  }
  Sight sight(const std::vector<std::string>& names) const {
    return sight_of(names.begin(), names.end());
  }
  void append_text(std::string& out) const;
  std::string json() const;

 private:
  using List = std::vector<StringMatcher>;
  static bool matches(const List& list, std::string_view name);
  template <typename Iterator>
  Sight sight_of(Iterator begin, Iterator end) const {
    bool masked = false;
    bool allowed = false;
    for (; begin != end; ++begin) {
      if (hides(*begin)) return Sight::kHidden;
      masked = masked || masks(*begin);
      allowed = allowed || allows(*begin);
    }
    return !allowed ? Sight::kHidden : masked ? Sight::kMasked : Sight::kShown;
  }
  List hide_, mask_;
  std::optional<List> allow_only_;
};

/// Owner: the VmConfig, in shared form: plugins with different rules have different VMs, since those of one VM share its memory.
/// Thread: any. Without a rule there is no Privacy at all.
class Privacy {
 public:
  enum class ClientAddress : uint8_t { kShow, kHide, kMask };
  /// What stands in a field's value that has rules of its own.
  enum class Content : uint8_t { kPlain, kCookies, kSetCookie, kUrl, kAddresses, kForwarded };

  /// `privacy` of a PluginConfig. Null: nothing is hidden.
  static std::shared_ptr<const Privacy> read(ConfigView& plugin);

  /// Of a header or trailer, by its lower-case name; "host" is ":authority".
  Sight field(Direction side, std::string_view lower) const;
  Content content(std::string_view lower) const noexcept;
  Sight cookie(std::string_view name) const { return cookies_.sight(name); }
  /// `name` as it stands in the URL.
  Sight query_parameter(std::string_view name) const;
  const NameRules& properties() const noexcept { return properties_; }
  ClientAddress client_address() const noexcept { return client_address_; }
  /// Something of the heads of that direction may be hidden.
  bool touches_fields(Direction side) const noexcept;

  /// The same for the same rules alone: a part of the VM's key.
  const std::string& text() const noexcept { return text_; }
  /// How it is shown on /wasm: the rules.
  const std::string& json() const noexcept { return json_; }

 private:
  bool empty() const noexcept;
  void describe();
  NameRules request_headers_, response_headers_, cookies_, query_parameters_, properties_;
  ClientAddress client_address_ = ClientAddress::kShow;
  std::string text_, json_;
};

}  // namespace weir::wasm
