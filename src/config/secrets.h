// Secrets: certificates, validation contexts and ticket keys that a configuration names (SDS), from files or from its own
// static_resources.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "config/view.h"
#include "config/yaml_tree.h"

namespace weir::config {

/// Owner: the load. Thread: main. A file is read once; it is watched like every other file of the configuration.
class Secrets {
 public:
  /// static_resources.secrets. Requires: the nodes of `resources` live as long as this.
  void read_static(View& resources);
  /// What an SdsSecretConfig points to: the message `field` of the secret ("tls_certificate" …), ready to be read. Null after
  /// an error.
  std::unique_ptr<View> find(View& reference, std::string_view field);
  /// `overlay` over `base`; the result lives as long as this.
  const Node* merge(const Node& base, const Node& overlay) { return tree_.merge(base, overlay); }

 private:
  struct Secret {
    const Node* node;
    std::string path;
  };
  using Named = std::map<std::string, Secret, std::less<>>;
  const Named* load(View& source, ViewContext& context);
  static void add(View& secret, Named& to);

  Tree tree_;
  Named static_;
  std::map<std::string, Named, std::less<>> files_;
};

}  // namespace weir::config
