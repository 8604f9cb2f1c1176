// What tests of Redis callouts share: the cluster, and the guest that sends commands.
#pragma once

#include "integration/filters/wasm_dialogue.h"
#include "support/redis_server.h"

namespace weir::test {

inline std::string cluster_yaml(const std::string& name, uint16_t port) {
  return "- name: " + name + "\n  load_assignment: {cluster_name: " + name +
         ", endpoints: [{lb_endpoints: [{endpoint: {address: {socket_address: {address: "
         "127.0.0.1, port_value: " +
         std::to_string(port) + "}}}}]}]}\n";
}

/// The guest go_higress behind a listener; its answers come back in the body, which is the request as the origin saw it.
struct HigressYaml {
  Plugin plugin{.guest = "go_higress"};
  uint16_t origin_port = 9;
  uint16_t redis_port = 0;
  std::string text() const {
    Yaml yaml;
    yaml.filters = filter(plugin);
    yaml.origin_port = origin_port;
    if (redis_port != 0) yaml.more_clusters = cluster_yaml("redis", redis_port);
    return yaml.text();
  }
};

/// Answers with the head that it was sent.
inline std::string echo_head(const Peer::Message& request) { return response(request.head); }

/// What the guest has written into the request.
inline std::string answer_of(const Peer::Message& answer, const std::string& name = "x-answer") {
  const std::string key = "\r\n" + name + ": ";
  const size_t at = answer.body.find(key);
  if (at == std::string::npos) return "(none) " + answer.head;
  const size_t begin = at + key.size();
  return answer.body.substr(begin, answer.body.find("\r\n", begin) - begin);
}

inline std::string do_it(Peer& client, const std::string& what,
                         const std::string& name = "x-answer") {
  return answer_of(ask(client, "x-do: " + what + "\r\n"), name);
}

}  // namespace weir::test
