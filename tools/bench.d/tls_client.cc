// A TLS client for the benchmarks: handshakes as fast as the server takes them, or many connections that stand idle.
//
//   tls_client full|resumed PORT SECONDS     each connection: handshake, GET /, response, close; prints RESULT {...}
//   tls_client idle PORT COUNT               COUNT connections with one request each; prints READY, ends with its input
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;
constexpr int kThreads = 8;

struct Connection {
  int fd = -1;
  SSL* ssl = nullptr;
  Connection() = default;
  Connection(Connection&& other) noexcept : fd(other.fd), ssl(other.ssl) {
    other.fd = -1;
    other.ssl = nullptr;
  }
  Connection& operator=(Connection&&) = delete;
  ~Connection() {
    if (ssl != nullptr) SSL_free(ssl);
    if (fd >= 0) ::close(fd);
  }
};

thread_local SSL_SESSION* my_session = nullptr;

int on_new_session(SSL*, SSL_SESSION* session) {
  if (my_session != nullptr) SSL_SESSION_free(my_session);
  my_session = session;
  return 1;
}

SSL_CTX* make_context() {
  SSL_CTX* context = SSL_CTX_new(TLS_client_method());
  SSL_CTX_set_verify(context, SSL_VERIFY_NONE, nullptr);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
  SSL_CTX_sess_set_new_cb(context, &on_new_session);
  return context;
}

bool open(Connection& out, SSL_CTX* context, int port, bool resume) {
  out.fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  // Addresses of loopback are many: one alone has too few ports for connections that end on this side.
  sockaddr_in from{};
  from.sin_family = AF_INET;
  from.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1 + static_cast<unsigned>(std::rand() % 200));
  if (::bind(out.fd, reinterpret_cast<sockaddr*>(&from), sizeof from) != 0) return false;
  if (::connect(out.fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) return false;
  const int on = 1;
  ::setsockopt(out.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  out.ssl = SSL_new(context);
  SSL_set_fd(out.ssl, out.fd);
  SSL_set_tlsext_host_name(out.ssl, "bench.test");
  if (resume && my_session != nullptr) SSL_set_session(out.ssl, my_session);
  return SSL_connect(out.ssl) == 1;
}

/// One GET; true if a whole 200 with a content-length came back.
bool request(SSL* ssl, bool last) {
  const std::string text = std::string("GET / HTTP/1.1\r\nHost: bench.test\r\n") +
                           (last ? "Connection: close\r\n\r\n" : "\r\n");
  if (SSL_write(ssl, text.data(), static_cast<int>(text.size())) <= 0) return false;
  std::string got;
  char part[4096];
  while (true) {
    const size_t head = got.find("\r\n\r\n");
    if (head != std::string::npos) {
      if (got.compare(9, 3, "200") != 0) return false;
      size_t at = got.find("ontent-");
      while (at != std::string::npos && strncasecmp(got.c_str() + at, "ontent-length:", 14) != 0)
        at = got.find("ontent-", at + 1);
      if (at == std::string::npos || at > head) return false;
      const size_t length = std::strtoul(got.c_str() + at + 14, nullptr, 10);
      if (got.size() >= head + 4 + length) return true;
    }
    const int n = SSL_read(ssl, part, sizeof part);
    if (n <= 0) return false;
    got.append(part, static_cast<size_t>(n));
  }
}

int handshakes(int port, int seconds, bool resume) {
  std::atomic<uint64_t> done{0}, failed{0}, reused{0};
  const auto end = Clock::now() + std::chrono::seconds(seconds);
  const auto begin = Clock::now();
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&] {
      SSL_CTX* context = make_context();
      while (Clock::now() < end) {
        Connection connection;
        if (!open(connection, context, port, resume) || !request(connection.ssl, true)) {
          ++failed;
          continue;
        }
        if (SSL_session_reused(connection.ssl)) ++reused;
        ++done;
        SSL_shutdown(connection.ssl);
      }
    });
  }
  for (std::thread& each : threads) each.join();
  const auto took =
      std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - begin).count();
  std::printf(
      "RESULT {\"requests\": %llu, \"failed\": %llu, \"reused\": %llu, \"duration_us\": %lld, "
      "\"p99_us\": 0}\n",
      static_cast<unsigned long long>(done), static_cast<unsigned long long>(failed),
      static_cast<unsigned long long>(reused), static_cast<long long>(took));
  return 0;
}

int idle(int port, int count) {
  SSL_CTX* context = make_context();
  std::vector<Connection> connections;
  connections.reserve(static_cast<size_t>(count));
  for (int i = 0; i < count; ++i) {
    Connection connection;
    if (!open(connection, context, port, false) || !request(connection.ssl, false)) {
      std::fprintf(stderr, "connection %d failed\n", i);
      return 1;
    }
    connections.push_back(std::move(connection));
  }
  std::puts("READY");
  std::fflush(stdout);
  char byte = 0;
  while (::read(STDIN_FILENO, &byte, 1) > 0) {
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string_view mode = argc > 3 ? argv[1] : "";
  if (mode == "full" || mode == "resumed")
    return handshakes(std::atoi(argv[2]), std::atoi(argv[3]), mode == "resumed");
  if (mode == "idle") return idle(std::atoi(argv[2]), std::atoi(argv[3]));
  std::fputs("usage: tls_client full|resumed PORT SECONDS | idle PORT COUNT\n", stderr);
  return 2;
}
