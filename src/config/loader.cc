#include "config/loader.h"

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
  Loading loading{context, views, tree};
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

}  // namespace weir::config
