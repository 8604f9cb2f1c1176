// View: one YAML mapping as a message, for extensions (ConfigView) and for this layer's own readers.
#pragma once

#include <functional>
#include <initializer_list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>
#include <weir/config_view.h>

#include "config/diagnostics.h"
#include "config/sources.h"
#include "config/yaml_tree.h"

namespace weir::config {

/// What all views of a load share. Owner: the load; outlives the views.
struct ViewContext {
  struct Hash : std::hash<std::string_view> {
    using is_transparent = void;
  };
  Diagnostics& diagnostics;
  Sources& sources;
  std::unordered_set<std::string, Hash, std::equal_to<>>
      names{};                           // every field name that anybody asked for
  std::map<std::string, Mark> places{};  // of the messages whose path was asked for
};

/// Thread: main. Dies when its owner has read what it knows; then the fields that nobody read are reported as unknown,
/// with the nearest of the names that were asked for.
class View final : public ConfigView {
 public:
  /// Requires: `node` is a mapping. `path` of the message; empty for the root.
  View(ViewContext& context, const Node& node, std::string path);
  ~View() override;
  View(const View&) = delete;
  View& operator=(const View&) = delete;

  /// Whoever asks keeps it, to report something later: the place is remembered too.
  std::string path() const override;
  /// Also marks the field as known.
  bool has(std::string_view field) const override;
  std::string text(std::string_view field, std::string_view fallback) override;
  std::string text(std::string_view field) { return text(field, {}); }
  bool boolean(std::string_view field, bool fallback) override;
  int64_t integer(std::string_view field, int64_t fallback, int64_t min, int64_t max) override;
  double number(std::string_view field, double fallback) override;
  std::chrono::nanoseconds duration(std::string_view field,
                                    std::chrono::nanoseconds fallback) override;
  std::vector<std::string> texts(std::string_view field) override;
  size_t enumeration(std::string_view field, const std::vector<std::string_view>& names,
                     size_t fallback) override;
  std::unique_ptr<ConfigView> message(std::string_view field) override { return child(field); }
  std::vector<std::unique_ptr<ConfigView>> messages(std::string_view field) override;
  std::vector<std::string> keys() const override;
  std::string type() override;
  std::optional<std::string> json(std::string_view field) override;
  std::optional<std::string> data_source(std::string_view field) override;
  /// As data_source(), of the message itself: an item of a list of them.
  std::optional<std::string> own_data_source();
  void error(std::string_view field, std::string_view message) override;
  void unsupported(std::string_view field, std::string_view why) override;
  bool failed() const override;

  std::unique_ptr<View> child(std::string_view field);
  std::vector<std::unique_ptr<View>> children(std::string_view field);
  /// Reports the field as missing if it is absent.
  std::unique_ptr<View> required_child(std::string_view field);
  /// 0..2^32-1 by default.
  uint32_t uint32(std::string_view field, uint32_t fallback, uint32_t min = 0,
                  uint32_t max = UINT32_MAX);
  /// Whole milliseconds; what is shorter than one but not zero becomes one, because zero means none.
  std::chrono::milliseconds millis(std::string_view field, std::chrono::milliseconds fallback);
  /// Fields of the schema that a later release brings: reported unless they say what holds anyway (false, an empty
  /// list or text).
  void later(std::initializer_list<std::string_view> fields);
  /// Fields that are accepted and mean nothing here.
  void ignore(std::initializer_list<std::string_view> fields) const;
  /// True if the field is absent or a list without items.
  bool no_items(std::string_view field) const;
  /// The value of a field, marked as known; null if absent (or null, as protobuf's JSON form has it).
  const Node* raw(std::string_view field) const;

  const Node& node() const noexcept { return node_; }
  /// Where errors of this field point to.
  Mark mark_of(std::string_view field) const;
  ViewContext& context() noexcept { return context_; }

 private:
  static constexpr size_t kNone = static_cast<size_t>(-1);
  size_t find(std::string_view field) const;
  const Node* scalar(std::string_view field, std::string_view wanted);
  const Node* list(std::string_view field);
  void mismatch(std::string_view field, std::string_view wanted, const Node& found);

  ViewContext& context_;
  const Node& node_;
  std::string path_;
  size_t errors_before_;
  mutable std::vector<bool> known_;                   // by entry of the node
  mutable std::vector<std::string_view> asked_;       // into ViewContext::names
  mutable std::map<std::string_view, size_t> index_;  // of large mappings only
};

}  // namespace weir::config
