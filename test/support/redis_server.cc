#include "support/redis_server.h"

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <stdexcept>
#include <thread>
#include <utility>
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

extern char** environ;

namespace weir::test {
namespace {

std::string find_binary() {
  for (const char* path : {"/usr/bin/redis-server", "/usr/local/bin/redis-server"})
    if (access(path, X_OK) == 0) return path;
  return {};
}

/// A port that is free now. redis-server takes none of itself.
uint16_t free_port() {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  if (bind(fd, reinterpret_cast<sockaddr*>(&address), size) != 0 ||
      getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0)
    throw std::runtime_error("no free port");
  close(fd);
  return ntohs(address.sin_port);
}

}  // namespace

std::string redis_command(std::initializer_list<std::string_view> words) {
  std::string out = "*" + std::to_string(words.size()) + "\r\n";
  for (const std::string_view word : words)
    out.append("$" + std::to_string(word.size()) + "\r\n").append(word).append("\r\n");
  return out;
}

bool RedisServer::available() { return !find_binary().empty(); }

RedisServer::RedisServer(std::vector<std::string> options) : options_(std::move(options)) {
  // Somebody else may be quicker with a port.
  for (int attempt = 0; attempt < 5; ++attempt) {
    port_ = free_port();
    if (spawn()) return;
  }
  throw std::runtime_error("redis-server does not come up");
}

RedisServer::~RedisServer() { stop(); }

void RedisServer::start() {
  if (!spawn()) throw std::runtime_error("redis-server does not come up again");
}

void RedisServer::stop() {
  if (pid_ < 0) return;
  kill(pid_, SIGKILL);
  waitpid(std::exchange(pid_, -1), nullptr, 0);
}

bool RedisServer::spawn() {
  std::vector<std::string> words = {find_binary(),
                                    "--port",
                                    std::to_string(port_),
                                    "--bind",
                                    "127.0.0.1",
                                    "--save",
                                    "",
                                    "--appendonly",
                                    "no",
                                    "--dir",
                                    folder_.path(),
                                    "--logfile",
                                    folder_.path() + "/redis.log"};
  words.insert(words.end(), options_.begin(), options_.end());
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  if (posix_spawn(&pid_, arguments[0], nullptr, nullptr, arguments.data(), environ) != 0) {
    pid_ = -1;
    return false;
  }
  const auto deadline = std::chrono::steady_clock::now() + kDeadline;
  while (std::chrono::steady_clock::now() < deadline) {
    if (serves()) return true;
    if (waitpid(pid_, nullptr, WNOHANG) == pid_) {
      pid_ = -1;
      return false;
    }
    std::this_thread::yield();
  }
  stop();
  return false;
}

bool RedisServer::serves() const {
  try {
    return !ask({"PING"}).empty();
  } catch (const std::exception&) {
    return false;
  }
}

std::string RedisServer::ask(std::initializer_list<std::string_view> words) const {
  Peer peer = Peer::connect(port_);
  peer.send(redis_command(words));
  std::string line;
  while (!line.ends_with("\r\n")) line += peer.read(1);
  return line.substr(0, line.size() - 2);
}

}  // namespace weir::test
