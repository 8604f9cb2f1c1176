// TestProxy: the real server in process, on a thread of its own, from inline YAML; clients and origins that speak raw text.
// Every wait has a deadline and throws a message when it passes.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "server/server.h"
#include "support/tls_peer.h"

namespace weir::test {

inline constexpr std::chrono::seconds kDeadline{10};

/// A blocking TCP peer with deadlines; move-only.
class Peer {
 public:
  Peer() = default;
  explicit Peer(int fd) : fd_(fd) {}
  static Peer connect(uint16_t port);
  Peer(Peer&& other) noexcept;
  Peer& operator=(Peer&& other) noexcept;
  ~Peer();

  void send(std::string_view bytes);
  void half_close();  // FIN
  void reset();       // RST
  void close();
  /// One whole message head, up to and with the empty line. Bytes after it stay.
  std::string read_head();
  /// Exactly `size` bytes.
  std::string read(size_t size);
  /// Everything until the other side closes (RST counts as close).
  std::string read_to_end();
  /// A response with its body by content-length, chunked or close. HEAD: pass false.
  struct Message {
    std::string head, body;
    int status() const;                               // of a response
    std::string header(std::string_view name) const;  // first value; empty if missing
    bool has(std::string_view name) const;
    std::string first_line() const;
  };
  Message read_message(bool with_body = true);
  /// True when the other side has closed and nothing is left to read.
  bool closed();
  /// Takes what is left to read; true when it ends in a reset.
  bool ends_in_reset();
  /// True if nothing arrives within a short time (for "must not send" checks).
  bool quiet(std::chrono::milliseconds time = std::chrono::milliseconds(50));
  void set_receive_buffer(int bytes);
  int fd() const noexcept { return fd_; }
  /// From here on everything goes through TLS. Throws when the handshake fails.
  void start_tls(PeerTls::Role role, const TlsSide& side);
  PeerTls& tls() { return *tls_; }
  bool secure() const noexcept { return tls_ != nullptr; }

 private:
  bool fill();  // false at end of stream
  int fd_ = -1;
  std::unique_ptr<PeerTls> tls_;
  std::string in_;
  bool ended_ = false;
  bool reset_seen_ = false;
};

/// An origin that the test plays itself.
class Origin {
 public:
  Origin();
  ~Origin();
  uint16_t port() const noexcept { return port_; }
  Peer accept();
  /// True if nobody has connected.
  bool quiet(std::chrono::milliseconds time = std::chrono::milliseconds(50));
  void stop_listening();

 private:
  int fd_;
  uint16_t port_;
};

/// An origin that answers every request of every connection, on a thread of its own.
class AutoOrigin {
 public:
  using Handler = std::function<std::string(const Peer::Message&)>;  // the raw response
  explicit AutoOrigin(Handler handler) : AutoOrigin(std::move(handler), "127.0.0.1", 0) {}
  /// On a loopback address of its own; port 0: any.
  AutoOrigin(Handler handler, const char* address, uint16_t port);
  ~AutoOrigin();
  uint16_t port() const noexcept { return port_; }
  uint64_t requests() const noexcept { return requests_.load(); }
  /// Connections from now on speak TLS.
  void use_tls(TlsSide side);

 private:
  void run();
  void serve(int fd);
  Handler handler_;
  int fd_;
  uint16_t port_;
  std::atomic<bool> stop_{false};
  std::atomic<uint64_t> requests_{0};
  std::thread thread_;
  std::vector<std::thread> peers_;
  std::optional<TlsSide> tls_;
  std::mutex mutex_;
  std::vector<int> fds_;
};

/// Clients on threads of their own that send requests on one keep-alive connection each until stop().
class LoadClients {
 public:
  using Exchange = std::function<bool(Peer&)>;  // one request; true if its answer is good
  LoadClients(uint16_t port, int count, Exchange exchange);
  ~LoadClients() { stop(); }
  void stop();
  uint64_t good() const noexcept { return good_.load(); }
  uint64_t bad() const noexcept { return bad_.load(); }  // wrong answers and broken connections

 private:
  Exchange exchange_;
  std::atomic<bool> stop_{false};
  std::atomic<uint64_t> good_{0}, bad_{0};
  std::vector<std::thread> threads_;
};

std::string response(std::string_view body, int status = 200, std::string_view headers = "");

/// A folder that is removed with the object.
class TempFolder {
 public:
  TempFolder();
  ~TempFolder();
  const std::string& path() const noexcept { return path_; }
  std::string read(const std::string& name) const;
  std::string write(const std::string& name, std::string_view content) const;  // in place
  std::string write_renamed(const std::string& name,
                            std::string_view content) const;  // rename over

 private:
  std::string path_;
};

class TestProxy {
 public:
  struct Options {
    unsigned workers = 1;
    bool from_file = false;  // the YAML goes to a file that may be edited
    std::chrono::seconds drain_time{2};
    std::string wasm_cache{};
  };
  explicit TestProxy(const std::string& yaml) : TestProxy(yaml, Options()) {}
  TestProxy(const std::string& yaml, Options options);
  ~TestProxy();

  Peer connect(std::string_view listener = "");  // by name; the first one without
  uint16_t port(std::string_view listener = "");
  /// The answer's body of the admin listener.
  std::string admin(std::string_view target, std::string_view method = "GET");
  Peer::Message admin_message(std::string_view target, std::string_view method = "GET");
  uint64_t counter(std::string_view name) { return server_->stats().counter_value(name); }
  int64_t gauge(std::string_view name) { return server_->stats().gauge_value(name); }
  /// Waits until the condition holds.
  void wait_for(std::string_view what, const std::function<bool()>& condition);

  const std::string& config_path() const noexcept { return config_path_; }
  const TempFolder& folder() const noexcept { return folder_; }
  void write_config(const std::string& yaml) { folder_.write("weir.yaml", yaml); }
  uint64_t generation() { return static_cast<uint64_t>(gauge("config.generation")); }
  void wait_for_generation(uint64_t generation);
  void wait_for_rejection(uint64_t count);
  /// Runs `task` on the server's main thread and waits for it.
  void on_main(const std::function<void()>& task);
  server::Server& server() noexcept { return *server_; }
  /// Stops and returns the exit code.
  int stop(server::Server::Quit how = server::Server::Quit::kNow);

 private:
  TempFolder folder_;
  std::string config_path_;
  std::unique_ptr<server::Server> server_;
  std::thread thread_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool ready_ = false;
  bool ended_ = false;
  int exit_code_ = -1;
};

/// YAML of a listener "main" on a free port with an HCM whose route_config, http_filters and extra HCM fields are given (two
/// space indented block texts), a cluster "origin" at the port, and an admin listener.
struct Yaml {
  std::string routes = "- match: {prefix: /}\n  route: {cluster: origin}\n";
  std::string filters;        // before the router
  std::string hcm;            // further fields of the HttpConnectionManager
  std::string listener;       // further fields of the listener
  std::string chain;          // further fields of its filter chain
  std::string cluster;        // further fields of the cluster
  std::string more_clusters;  // list items
  std::string bootstrap;      // further top-level fields
  uint16_t origin_port = 9;
  std::string text() const;
};

/// Path of a file of the source tree / of a guest built for the tests.
std::string source_path(std::string_view relative);
std::string guest_path(std::string_view name);

}  // namespace weir::test
