// The upstream of tools/bench: answers by path and swallows request bodies.
//
//   origin PORT
//
// /64k and /1m answer with bodies of that size, any other path with 46 bytes. One thread, edge-triggered epoll. Bodies need a
// Content-Length; a chunked one gets 411, which the bench counts as a failure.
#include <sys/uio.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "sockets.h"

namespace {

constexpr std::string_view kSmallBody = "The quick brown fox jumps over the lazy dogs.\n";
static_assert(kSmallBody.size() == 46);
constexpr size_t kMaxHead = 65536;

struct Answer {
  std::string head;
  std::string body;
};

Answer make_answer(std::string_view status, std::string body) {
  Answer answer;
  answer.head.append("HTTP/1.1 ")
      .append(status)
      .append("\r\nserver: origin\r\ncontent-type: text/plain\r\ncontent-length: ");
  answer.head.append(std::to_string(body.size())).append("\r\n\r\n");
  answer.body = std::move(body);
  // What fits into one segment goes out with one pointer.
  if (answer.body.size() < 1024) {
    answer.head += answer.body;
    answer.body.clear();
  }
  return answer;
}

const Answer kSmall = make_answer("200 OK", std::string(kSmallBody));
const Answer k64k = make_answer("200 OK", std::string(65536, 'x'));
const Answer k1m = make_answer("200 OK", std::string(1048576, 'x'));
const Answer kNoLength = make_answer("411 Length Required", "chunked bodies are not taken\n");

const Answer& answer_for(std::string_view path) {
  if (path.starts_with("/64k")) return k64k;
  if (path.starts_with("/1m")) return k1m;
  return kSmall;
}

struct Connection {
  int fd = -1;
  std::string input{};  // an incomplete head
  uint64_t body_left = 0;
  const Answer* after_body = nullptr;
  const Answer* sending = nullptr;
  size_t sent = 0;
  std::vector<const Answer*> queue{};
  bool readable = false;
};

bool same_name(std::string_view line, std::string_view lower_name) {
  return line.size() > lower_name.size() &&
         std::equal(lower_name.begin(), lower_name.end(), line.begin(),
                    [](char a, char b) { return a == (b | 0x20) || a == b; });
}

// Reads one head: its path chooses the answer, its length the bytes to swallow.
void take_head(Connection& conn, std::string_view head) {
  const size_t path_at = head.find(' ');
  const std::string_view path = path_at == std::string_view::npos ? head : head.substr(path_at + 1);
  const Answer* answer = &answer_for(path);
  for (size_t at = head.find("\r\n"); at + 2 < head.size(); at = head.find("\r\n", at + 2)) {
    const std::string_view line = head.substr(at + 2);
    if (same_name(line, "content-length:")) {
      std::string_view value = line.substr(15);
      value.remove_prefix(std::min(value.find_first_not_of(' '), value.size()));
      std::from_chars(value.data(), value.data() + value.size(), conn.body_left);
    } else if (same_name(line, "transfer-encoding:")) {
      answer = &kNoLength;
    }
  }
  if (conn.body_left > 0) {
    conn.after_body = answer;
  } else {
    conn.queue.push_back(answer);
  }
}

// Consumes what it can of `data`; what is left is an incomplete head.
bool take(Connection& conn, std::string_view data) {
  if (!conn.input.empty()) {
    conn.input.append(data);
    data = conn.input;
  }
  while (!data.empty()) {
    if (conn.body_left > 0) {
      const size_t n = std::min<uint64_t>(conn.body_left, data.size());
      conn.body_left -= n;
      data.remove_prefix(n);
      if (conn.body_left == 0) conn.queue.push_back(conn.after_body);
      continue;
    }
    const size_t end = data.find("\r\n\r\n");
    if (end == std::string_view::npos) break;
    take_head(conn, data.substr(0, end + 2));
    data.remove_prefix(end + 4);
  }
  if (data.data() != conn.input.data() || data.size() != conn.input.size())
    conn.input = std::string(data);
  return conn.input.size() <= kMaxHead;
}

// Sends queued answers; false when the connection is dead.
bool send_answers(Connection& conn) {
  for (;;) {
    if (conn.sending == nullptr) {
      if (conn.queue.empty()) return true;
      conn.sending = conn.queue.front();
      conn.queue.erase(conn.queue.begin());
      conn.sent = 0;
    }
    const std::string& head = conn.sending->head;
    const std::string& body = conn.sending->body;
    iovec parts[2];
    int count = 0;
    if (conn.sent < head.size())
      parts[count++] = {const_cast<char*>(head.data()) + conn.sent, head.size() - conn.sent};
    const size_t body_sent = conn.sent > head.size() ? conn.sent - head.size() : 0;
    if (body_sent < body.size())
      parts[count++] = {const_cast<char*>(body.data()) + body_sent, body.size() - body_sent};
    const ssize_t n = count == 1 ? write(conn.fd, parts[0].iov_base, parts[0].iov_len)
                                 : writev(conn.fd, parts, count);
    if (n < 0) return bench::would_block(n);
    conn.sent += static_cast<size_t>(n);
    if (conn.sent == head.size() + body.size()) conn.sending = nullptr;
  }
}

std::vector<char> scratch(262144);

bool serve(Connection& conn) {
  while (conn.readable) {
    const ssize_t n = read(conn.fd, scratch.data(), scratch.size());
    if (n == 0) return false;
    if (n < 0) {
      conn.readable = false;
      if (!bench::would_block(n)) return false;
      break;
    }
    if (static_cast<size_t>(n) < scratch.size()) conn.readable = false;
    if (!take(conn, {scratch.data(), static_cast<size_t>(n)})) return false;
  }
  return send_answers(conn);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) return 2;
  const int poll_fd = epoll_create1(EPOLL_CLOEXEC);
  bench::ignore_broken_pipes();
  const int listener = bench::listen_on(argv[1]);
  bench::watch(poll_fd, listener, nullptr, EPOLLIN);
  epoll_event events[256];
  for (;;) {
    const int count = epoll_wait(poll_fd, events, 256, -1);
    for (int i = 0; i < count; ++i) {
      auto* conn = static_cast<Connection*>(events[i].data.ptr);
      if (conn == nullptr) {
        for (int fd;
             (fd = accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0;) {
          bench::no_delay(fd);
          auto* fresh = new Connection;
          fresh->fd = fd;
          bench::watch(poll_fd, fd, fresh, EPOLLIN | EPOLLOUT | EPOLLET);
        }
        continue;
      }
      if (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) conn->readable = true;
      // Closing removes the socket from the poll set; a socket has one entry in a batch.
      if (!serve(*conn)) {
        close(conn->fd);
        delete conn;
      }
    }
  }
}
