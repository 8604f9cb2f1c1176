#include "config/secrets.h"

#include <utility>

#include "config/parts.h"

namespace weir::config {
namespace {

constexpr std::string_view kSecretType = "envoy.extensions.transport_sockets.tls.v3.Secret";

/// The file of a ConfigSource; null after an error.
std::string path_of(View& source) {
  source.ignore({"initial_fetch_timeout", "resource_api_version"});
  source.later({"api_config_source", "ads", "self", "path"});
  auto file = source.required_child("path_config_source");
  if (!file) return {};
  file->ignore({"watched_directory"});  // every file that the configuration names is watched
  return file->required_text("path");
}

}  // namespace

void Secrets::add(View& secret, Named& to) {
  const std::string name = secret.required_text("name");
  // What is in it is read, and judged, by those who name it.
  for (const std::string& key : secret.keys()) secret.ignore({key});
  if (name.empty()) return;
  if (!to.emplace(name, Secret{&secret.node(), secret.path()}).second)
    secret.error("name", "a second secret " + quote(name));
}

void Secrets::read_static(View& resources) {
  for (auto& secret : resources.children("secrets")) add(*secret, static_);
}

const Secrets::Named* Secrets::load(View& source, ViewContext& context) {
  const std::string path = path_of(source);
  if (path.empty()) return nullptr;
  auto bytes = context.sources.read(path);
  if (!bytes) {
    source.error("path_config_source", bytes.error().detail);
    return nullptr;
  }
  if (const auto found = files_.find(path); found != files_.end()) return &found->second;
  const Node* root = tree_.parse(*bytes, context.diagnostics.add_file(path), context.diagnostics);
  if (root == nullptr || root->kind != Node::Kind::kMap) {
    source.error("path_config_source", quote(path) + " is not a file of resources");
    return nullptr;
  }
  Named& named = files_[path];
  View file(context, *root, path);
  file.ignore({"version_info"});
  for (auto& resource : file.children("resources")) {
    const std::string type = resource->type();
    if (type != kSecretType) {
      for (const std::string& key : resource->keys()) resource->ignore({key});
      resource->error("@type", "expected a Secret");
      continue;
    }
    add(*resource, named);
  }
  return &named;
}

std::unique_ptr<View> Secrets::find(View& reference, std::string_view field) {
  const std::string name = reference.required_text("name");
  const Named* among = &static_;
  std::string where = "static_resources.secrets";
  if (auto source = reference.child("sds_config")) {
    among = load(*source, reference.context());
    where = "the file of its sds_config";
  }
  if (among == nullptr || name.empty()) return nullptr;
  const auto found = among->find(name);
  if (found == among->end()) {
    reference.error("name", "there is no secret " + quote(name) + " in " + where);
    return nullptr;
  }
  View secret(reference.context(), *found->second.node, found->second.path);
  for (const std::string& key : secret.keys()) secret.ignore({key});
  auto message = secret.child(field);
  if (!message)
    reference.error("name", "the secret " + quote(name) + " has no \"" + std::string(field) + "\"");
  return message;
}

}  // namespace weir::config
