#include "config/resource_file.h"

#include <utility>

#include "base/digest.h"
#include "config/json_text.h"

namespace weir::config {
namespace {

/// The path in a ConfigSource; empty after an error.
std::string read_path(View& source, Loading& loading) {
  source.later({"api_config_source", "ads", "self", "authorities"});
  source.ignore({"initial_fetch_timeout", "resource_api_version"});
  const std::string_view kind = source.one_of({"path_config_source", "path"}, View::Required::kYes);
  if (kind == "path") return source.text("path");
  auto file = kind.empty() ? nullptr : source.child("path_config_source");
  if (!file) return {};
  if (auto folder = file->child("watched_directory")) {
    // What Kubernetes exchanges when a mounted ConfigMap changes.
    const std::string path = folder->required_text("path");
    if (!path.empty()) loading.views.sources.record(path + "/..data");
  }
  return file->required_text("path");
}

const Node* parse(View& source, const std::string& path, Loading& loading) {
  if (const auto known = loading.files.find(path); known != loading.files.end())
    return known->second;
  const Node*& root = loading.files[path];
  auto text = loading.views.sources.read_apart(path);
  if (!text) {
    source.error({}, text.error().detail);
    return root;
  }
  Diagnostics& diagnostics = loading.views.diagnostics;
  const Node* parsed = loading.tree.parse(*text, diagnostics.add_file(path), diagnostics);
  if (parsed == nullptr) return root;
  if (parsed->kind != Node::Kind::kMap) {
    diagnostics.add(parsed->mark, {}, "expected a mapping at the top, found " + parsed->describe());
    return root;
  }
  return root = parsed;
}

}  // namespace

std::vector<std::unique_ptr<View>> read_resources(View& parent, std::string_view field,
                                                  std::string_view type, Loading& loading) {
  auto source = parent.required_child(field);
  if (!source) return {};
  const std::string path = read_path(*source, loading);
  const Node* root = path.empty() ? nullptr : parse(*source, path, loading);
  if (root == nullptr) return {};
  View file(loading.views, *root, source->path());
  file.ignore({"version_info", "type_url", "nonce", "canary", "control_plane"});
  auto resources = file.children("resources");
  std::erase_if(resources, [type](const auto& resource) {
    const std::string found = resource->type();
    if (found == type) return false;
    if (!resource->has("@type"))
      resource->missing("@type");
    else if (!found.empty())
      resource->error("@type", "expected " + quote(type) + ", found " + quote(found));
    skip_resource(*resource);
    return true;
  });
  return resources;
}

void skip_resource(View& resource) {
  for (const std::string& key : resource.keys()) resource.ignore({key});
}

std::unique_ptr<View> find_resource(View& parent, std::string_view field, std::string_view type,
                                    std::string_view name_field, const std::string& name,
                                    Loading& loading) {
  const size_t errors = loading.views.diagnostics.size();
  std::unique_ptr<View> found;
  for (auto& resource : read_resources(parent, field, type, loading)) {
    if (resource->text(name_field) != name) {
      skip_resource(*resource);
    } else if (found) {
      resource->error(name_field, "a second resource of this name");
      skip_resource(*resource);
    } else {
      found = std::move(resource);
    }
  }
  if (found)
    loading.views.sources.note("resource:" + name, base::sha256_hex(canonical_json(found->node())));
  else if (loading.views.diagnostics.size() == errors)
    parent.error(field, "the file has no resource " + quote(name));
  return found;
}

}  // namespace weir::config
