#include "config/loader.h"

#include <optional>
#include <utility>

#include "base/file.h"
#include "config/bootstrap.h"
#include "config/diagnostics.h"
#include "config/sources.h"
#include "config/view.h"
#include "config/yaml_tree.h"

namespace weir::config {
namespace {

struct Text {
  std::string name;
  std::string content;
};

// The first text is the configuration, the others are laid over it.
void load_texts(const std::vector<Text>& texts, Diagnostics& diagnostics, Sources& sources,
                LoadContext& context, LoadResult& result) {
  Tree tree;
  const Node* root = nullptr;
  for (const Text& text : texts) {
    const Node* next = tree.parse(text.content, diagnostics.add_file(text.name), diagnostics);
    if (next == nullptr) return;
    if (next->kind != Node::Kind::kMap) {
      diagnostics.add(next->mark, {}, "expected a mapping at the top, found " + next->describe());
      return;
    }
    root = root == nullptr ? next : tree.merge(*root, *next);
  }
  ViewContext views{diagnostics, sources};
  Loading loading{context, views};
  auto configuration = std::make_unique<Configuration>();
  read_bootstrap(*root, loading, *configuration);
  for (const auto& [path, mark] : views.places)
    configuration->places.push_back({diagnostics.file(mark), mark.line, mark.column, path});
  if (diagnostics.empty()) result.configuration = std::move(configuration);
}

LoadResult finish(const std::vector<Text>& texts, Sources& sources, LoadContext& context) {
  LoadResult result;
  Diagnostics diagnostics;
  load_texts(texts, diagnostics, sources, context, result);
  result.diagnostics = diagnostics.take();
  result.files = sources.files();
  if (result.configuration) result.configuration->files = result.files;
  return result;
}

}  // namespace

LoadResult load_file(const std::string& path, LoadContext& context, const std::string& overlay) {
  Sources sources;
  sources.record(path);
  auto content = base::read_file(path, kMaxTextBytes);
  if (!content) {
    LoadResult result;
    result.diagnostics.push_back({path, 0, 0, {}, content.error().detail});
    result.files = sources.files();
    return result;
  }
  std::vector<Text> texts{{path, std::move(*content)}};
  if (!overlay.empty()) texts.push_back({"--config-yaml", overlay});
  return finish(texts, sources, context);
}

LoadResult load(const Input& input, LoadContext& context) {
  if (input.path.empty()) return load_text(input.text, "--config-yaml", context);
  return load_file(input.path, context, input.text);
}

LoadResult load_text(const std::string& text, const std::string& name, LoadContext& context) {
  Sources sources;
  return finish({{name, text}}, sources, context);
}

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

std::unique_ptr<ConfigView> view_of(const std::string& yaml, std::vector<Diagnostic>& diagnostics) {
  return std::make_unique<TextView>(yaml, diagnostics);
}

}  // namespace weir::config
