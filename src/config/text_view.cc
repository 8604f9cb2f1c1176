#include "config/text_view.h"

#include <optional>
#include <utility>

#include "config/diagnostics.h"
#include "config/sources.h"
#include "config/view.h"
#include "config/yaml_tree.h"

namespace weir::config {

namespace {

/// Keeps everything that its view refers to, and hands the errors over when it dies.
class TextView final : public ConfigView {
 public:
  TextView(const std::string& yaml, std::vector<Diagnostic>& out) : out_(out) {
    empty_.kind = Node::Kind::kMap;
    const Node* node = tree_.parse(yaml, diagnostics_.add_file("test.yaml"), diagnostics_);
    if (node == nullptr || node->kind != Node::Kind::kMap) node = &empty_;
    view_.emplace(context_, *node, std::string());
  }
  ~TextView() override {
    view_.reset();  // reports what nobody read
    for (Diagnostic& diagnostic : diagnostics_.take()) out_.push_back(std::move(diagnostic));
  }

  std::string path() const override { return view_->path(); }
  bool has(std::string_view field) const override { return view_->has(field); }
  std::string text(std::string_view field, std::string_view fallback) override {
    return view_->text(field, fallback);
  }
  bool boolean(std::string_view field, bool fallback) override {
    return view_->boolean(field, fallback);
  }
  int64_t integer(std::string_view field, int64_t fallback, int64_t min, int64_t max) override {
    return view_->integer(field, fallback, min, max);
  }
  double number(std::string_view field, double fallback) override {
    return view_->number(field, fallback);
  }
  std::chrono::nanoseconds duration(std::string_view field,
                                    std::chrono::nanoseconds fallback) override {
    return view_->duration(field, fallback);
  }
  std::vector<std::string> texts(std::string_view field) override { return view_->texts(field); }
  size_t enumeration(std::string_view field, const std::vector<std::string_view>& names,
                     size_t fallback) override {
    return view_->enumeration(field, names, fallback);
  }
  std::unique_ptr<ConfigView> message(std::string_view field) override {
    return view_->message(field);
  }
  std::vector<std::unique_ptr<ConfigView>> messages(std::string_view field) override {
    return view_->messages(field);
  }
  std::vector<std::string> keys() const override { return view_->keys(); }
  std::string type() override { return view_->type(); }
  std::optional<std::string> json(std::string_view field) override { return view_->json(field); }
  std::optional<std::string> data_source(std::string_view field) override {
    return view_->data_source(field);
  }
  void error(std::string_view field, std::string_view message) override {
    view_->error(field, message);
  }
  void unsupported(std::string_view field, std::string_view why) override {
    view_->unsupported(field, why);
  }
  bool failed() const override { return view_->failed(); }

 private:
  std::vector<Diagnostic>& out_;
  Diagnostics diagnostics_;
  Sources sources_;
  ViewContext context_{diagnostics_, sources_};
  Tree tree_;
  Node empty_;
  std::optional<View> view_;
};

}  // namespace

std::unique_ptr<ConfigView> view_of(const std::string& yaml, std::vector<Diagnostic>& diagnostics) {
  return std::make_unique<TextView>(yaml, diagnostics);
}

}  // namespace weir::config
