#include "support/test_proxy.h"

#include <unistd.h>

#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <stdexcept>

namespace weir::test {
namespace {

std::string indent(const std::string& text, size_t spaces) {
  std::string out;
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find('\n', at), text.size());
    if (end > at) out += std::string(spaces, ' ') + text.substr(at, end - at);
    out += '\n';
    at = end + 1;
  }
  return out;
}

}  // namespace

TempFolder::TempFolder() {
  std::string pattern = (std::filesystem::temp_directory_path() / "weir-test-XXXXXX").string();
  if (::mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("mkdtemp failed");
  path_ = pattern;
}
TempFolder::~TempFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}
std::string TempFolder::read(const std::string& name) const {
  std::ifstream file(path_ + "/" + name, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::string TempFolder::write(const std::string& name, std::string_view content) const {
  const std::string file = path_ + "/" + name;
  std::ofstream(file, std::ios::binary | std::ios::trunc) << content;
  return file;
}
std::string TempFolder::write_renamed(const std::string& name, std::string_view content) const {
  const std::string file = path_ + "/" + name;
  write(name + ".new", content);
  std::filesystem::rename(file + ".new", file);
  return file;
}

TestProxy::TestProxy(const std::string& yaml, Options options) {
  server::Options chosen;
  chosen.concurrency = options.workers;
  chosen.drain_time = options.drain_time;
  chosen.wasm_cache = options.wasm_cache;
  const char* level = std::getenv("WEIR_TEST_LOG");
  chosen.log_level = base::parse_level(level != nullptr ? level : "critical").value();
  if (options.from_file) {
    config_path_ = folder_.write("weir.yaml", yaml);
    chosen.config_path = config_path_;
  } else {
    chosen.config_yaml = yaml;
  }
  server_ = std::make_unique<server::Server>(std::move(chosen));
  server_->set_on_ready([this] {
    const std::lock_guard lock(mutex_);
    ready_ = true;
    changed_.notify_all();
  });
  thread_ = std::thread([this] {
    const int code = server_->run();
    const std::lock_guard lock(mutex_);
    exit_code_ = code;
    ended_ = true;
    changed_.notify_all();
  });
  bool ready = false;
  {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, kDeadline, [this] { return ready_ || ended_; });
    ready = ready_ && !ended_;
  }
  if (ready) return;
  server_->quit(server::Server::Quit::kNow);
  thread_.join();
  throw std::runtime_error("the server does not start:\n" + yaml);
}

TestProxy::~TestProxy() { stop(); }

int TestProxy::stop(server::Server::Quit how) {
  if (thread_.joinable()) {
    server_->quit(how);
    thread_.join();
  }
  return exit_code_;
}

void TestProxy::on_main(const std::function<void()>& task) {
  std::mutex mutex;
  std::condition_variable changed;
  bool done = false;
  server_->main_loop().post([&task, &mutex, &changed, &done] {
    task();
    const std::lock_guard lock(mutex);
    done = true;
    changed.notify_all();
  });
  std::unique_lock lock(mutex);
  if (!changed.wait_for(lock, kDeadline, [&done] { return done; }))
    throw std::runtime_error("main thread hangs");
}

uint16_t TestProxy::port(std::string_view listener) {
  uint16_t found = 0;
  on_main([this, listener, &found] {
    for (const auto& entry : server_->reloader().current()->listeners) {
      if (!listener.empty() && entry.runtime->options().name != listener) continue;
      found = entry.local().port();
      break;
    }
  });
  if (found == 0) throw std::runtime_error("no listener " + std::string(listener));
  return found;
}

Peer TestProxy::connect(std::string_view listener) { return Peer::connect(port(listener)); }

Peer::Message TestProxy::admin_message(std::string_view target, std::string_view method) {
  std::string address;
  on_main([this, &address] { address = server_->admin_address(); });
  Peer peer =
      Peer::connect(static_cast<uint16_t>(std::stoi(address.substr(address.rfind(':') + 1))));
  peer.send(std::string(method) + " " + std::string(target) + " HTTP/1.1\r\nhost: " + address +
            "\r\n\r\n");
  return peer.read_message();
}

std::string TestProxy::admin(std::string_view target, std::string_view method) {
  return admin_message(target, method).body;
}

void TestProxy::wait_for(std::string_view what, const std::function<bool()>& condition) {
  const auto deadline = std::chrono::steady_clock::now() + kDeadline;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline)
      throw std::runtime_error("never: " + std::string(what));
    on_main([] {});  // lets the server make progress
    std::this_thread::yield();
  }
}

void TestProxy::wait_for_generation(uint64_t wanted) {
  wait_for("generation " + std::to_string(wanted),
           [this, wanted] { return generation() >= wanted; });
}

void TestProxy::wait_for_rejection(uint64_t count) {
  wait_for("a rejected edit", [this, count] { return counter("config.reload_rejected") >= count; });
}

std::string Yaml::text() const {
  return "admin: {address: {socket_address: {address: 127.0.0.1, port_value: 0}}}\n" + bootstrap +
         "static_resources:\n  listeners:\n  - name: main\n"
         "    address: {socket_address: {address: 127.0.0.1, port_value: 0}}\n" +
         indent(listener, 4) + "    filter_chains:\n    -\n" + indent(chain, 6) +
         "      filters:\n      - name: "
         "envoy.filters.network.http_connection_manager\n"
         "        typed_config:\n"
         "          \"@type\": "
         "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3."
         "HttpConnectionManager\n"
         "          stat_prefix: ingress\n" +
         indent(hcm, 10) +
         "          route_config:\n            virtual_hosts:\n            - name: all\n           "
         "   domains: ['*']\n"
         "              routes:\n" +
         indent(routes, 14) + "          http_filters:\n" + indent(filters, 10) +
         "          - name: envoy.filters.http.router\n            typed_config:\n"
         "              \"@type\": "
         "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router\n"
         "  clusters:\n  - name: origin\n    connect_timeout: 1s\n" +
         indent(cluster, 4) +
         "    load_assignment:\n      cluster_name: origin\n      endpoints:\n      - "
         "lb_endpoints:\n"
         "        - endpoint: {address: {socket_address: {address: 127.0.0.1, port_value: " +
         std::to_string(origin_port) + "}}}\n" + indent(more_clusters, 2);
}

std::string source_path(std::string_view relative) {
  return std::string(WEIR_SOURCE_DIR) + "/" + std::string(relative);
}

std::string guest_path(std::string_view name) {
  return std::string(WEIR_BINARY_DIR) + "/guests/" + std::string(name) + ".wasm";
}

}  // namespace weir::test
