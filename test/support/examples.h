// Examples: the fixture of the tests that start a file of config/. Ports and paths of the examples are replaced by free ones.
#pragma once

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <sstream>
#include <string>
#include <gtest/gtest.h>

#include "support/needs.h"
#include "support/test_proxy.h"
#include "support/text.h"

namespace weir::test {

inline std::string text_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::stringstream out;
  out << file.rdbuf();
  return out.str();
}

inline void replace_all(std::string& text, std::string_view from, std::string_view to) {
  for (size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size()))
    text.replace(at, from.size(), to);
}

class Examples : public ::testing::Test {
 protected:
  /// Answers with the head that it was sent, so that the client sees what the upstream has seen.
  static AutoOrigin::Handler echo(std::string name) {
    return [name = std::move(name)](const Peer::Message& request) {
      std::string body = request.head;
      if (!request.body.empty()) body += request.body;
      return response(body, 200,
                      "x-upstream: " + name + "\r\ncache-control: max-age=60\r\n" +
                          (request.header("content-type").empty()
                               ? ""
                               : "content-type: " + request.header("content-type") + "\r\n"));
    };
  }

  /// The example's text with free ports, the test's origins and folders.
  std::string example(const std::string& name) {
    for (const auto& file : std::filesystem::directory_iterator(source_path("config/discovery"))) {
      const std::string part = "discovery/" + file.path().stem().string();
      folder_.write(file.path().filename(), adapted(part));
    }
    return adapted(name);
  }
  std::string adapted(const std::string& name) {
    std::string text = text_of(source_path("config/" + name + ".yaml"));
    EXPECT_FALSE(text.empty()) << name;
    const std::string upstream =
        name == "quickstart_upstream" ? "0" : std::to_string(upstream_.port());
    const std::map<std::string, std::string> ports = {{"9901", "0"},
                                                      {"9902", "0"},
                                                      {"10000", "0"},
                                                      {"10001", "0"},
                                                      {"10002", "0"},
                                                      {"10443", "0"},
                                                      {"10444", "0"},
                                                      {"15001", "0"},
                                                      {"15006", "0"},
                                                      {"10080", upstream},
                                                      {"10081", std::to_string(other_.port())}};
    for (const auto& [from, to] : ports)
      replace_all(text, "port_value: " + from + " ", "port_value: " + to + " ");
    replace_all(text, "/tmp/weir-", folder_.path() + "/weir-");
    replace_all(text, "filters/out/", std::string(WEIR_BINARY_DIR) + "/filters/");
    replace_all(text, "path: config/discovery/", "path: " + folder_.path() + "/");
    replace_all(text, "filename: config/pages/", "filename: " + folder_.path() + "/");
    replace_all(text, "filename: config/certs/", "filename: " + source_path("config/certs/"));
    for (const auto& page : std::filesystem::directory_iterator(source_path("config/pages")))
      folder_.write(page.path().filename(), text_of(page.path()));
    return text;
  }

  void start(const std::string& name) { start_text(example(name)); }
  void start_text(const std::string& text) {
    proxy_ = std::make_unique<TestProxy>(text, TestProxy::Options{.workers = 1, .from_file = true});
  }

  /// One request on a connection of its own.
  Peer::Message ask(std::string_view target, std::string_view headers = "",
                    std::string_view method = "GET", std::string_view body = "",
                    std::string_view listener = "") {
    Peer client = proxy_->connect(listener);
    return exchange(client, target, headers, method, body);
  }
  static Peer::Message exchange(Peer& client, std::string_view target,
                                std::string_view headers = "", std::string_view method = "GET",
                                std::string_view body = "") {
    std::string request(method);
    request.append(" ").append(target).append(" HTTP/1.1\r\n");
    if (headers.find("host:") == std::string_view::npos) request.append("host: a.test\r\n");
    request.append(headers);
    if (!body.empty()) request += "content-length: " + std::to_string(body.size()) + "\r\n";
    client.send(request + "\r\n" + std::string(body));
    return client.read_message();
  }

  TempFolder folder_;
  AutoOrigin upstream_{echo("one")};
  AutoOrigin other_{echo("two")};
  std::unique_ptr<TestProxy> proxy_;
};

}  // namespace weir::test
