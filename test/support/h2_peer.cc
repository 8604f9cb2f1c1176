#include "support/h2_peer.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <stdexcept>

namespace weir::test {
namespace {

using std::chrono::milliseconds;

Fields fields_of(const HeaderMap& map) {
  Fields out;
  for (const HeaderMap::Entry& entry : map)
    out.emplace_back(std::string(entry.name), std::string(entry.value));
  return out;
}

void fill(HeaderMap& map, const Fields& fields) {
  for (const auto& [name, value] : fields) map.add(name, value);
}

std::string first(const Fields& fields, std::string_view name) {
  for (const auto& [key, value] : fields)
    if (key == name) return value;
  return {};
}

void wait_for(std::string_view what, const std::function<bool()>& condition,
              const std::function<bool(milliseconds)>& step) {
  const auto end = std::chrono::steady_clock::now() + kDeadline;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end)
      throw std::runtime_error("not in time: " + std::string(what));
    if (!step(milliseconds(100)) && !condition())
      throw std::runtime_error("the connection ended before: " + std::string(what));
  }
}

}  // namespace

// ---- H2Socket -------------------------------------------------------------------------------------------------------------

H2Socket::H2Socket(Peer peer) : now(std::chrono::steady_clock::now()), peer_(std::move(peer)) {
  const int one = 1;
  ::setsockopt(peer_.fd(), IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
}

void H2Socket::flush() {
  while (!out.empty() && !ended_) {
    const std::string_view bytes = out.front();
    const ssize_t n = peer_.secure()
                          ? (peer_.tls().write(bytes) ? static_cast<ssize_t>(bytes.size()) : -1)
                          : ::send(peer_.fd(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n <= 0) {
      ended_ = true;
      return;
    }
    out.drain(static_cast<size_t>(n));
  }
}

bool H2Socket::read_once(milliseconds patience, const std::function<bool(Buffer&)>& decode) {
  flush();
  if (ended_) return false;
  pollfd waiting{peer_.fd(), POLLIN, 0};
  const bool pending = peer_.secure() && peer_.tls().pending();
  if (!pending && ::poll(&waiting, 1, static_cast<int>(patience.count())) <= 0) return true;
  char bytes[16384];
  const ssize_t n = peer_.secure() ? peer_.tls().read(bytes, sizeof bytes)
                                   : ::recv(peer_.fd(), bytes, sizeof bytes, 0);
  now = std::chrono::steady_clock::now();
  if (n <= 0) {
    ended_ = true;
    return false;
  }
  in_.append(std::string_view(bytes, static_cast<size_t>(n)));
  if (!decode(in_)) ended_ = true;
  flush();
  return !ended_;
}

// ---- client ---------------------------------------------------------------------------------------------------------------

std::string H2Exchange::header(std::string_view name) const { return first(headers, name); }
std::string H2Exchange::trailer(std::string_view name) const { return first(trailers, name); }

void H2Exchange::on_response_head(size_t, EndStream end) {
  has_head = true;
  status = head_.status;
  headers = fields_of(head_.headers);
  done = end == EndStream::kYes;
}

void H2Exchange::on_response_body(Buffer& data, EndStream end) {
  body += data.to_string();
  data.clear();
  done = end == EndStream::kYes;
}

void H2Exchange::on_response_trailers() {
  trailers = fields_of(trailers_);
  done = true;
}

void H2Exchange::on_exchange_reset(const Error&, bool never_seen) {
  reset = done = true;
  unseen = never_seen;
}

H2Client::H2Client(Peer peer, const http::h2::Options& options) : socket_(std::move(peer)) {
  codec_ = http::h2::make_client_connection({}, options, {&socket_.now}, socket_.out);
  socket_.flush();
}

H2Client::~H2Client() = default;

H2Exchange& H2Client::start(std::string_view method, std::string_view path, EndStream end,
                            const Fields& fields, std::string_view authority) {
  exchanges_.push_back(std::make_unique<H2Exchange>());
  H2Exchange& exchange = *exchanges_.back();
  RequestHead head;
  head.set_method(method);
  head.set_path(path);
  head.set_authority(authority);
  head.set_scheme("http");
  fill(head.headers, fields);
  exchange.writer = &codec_->start(exchange);
  exchange.writer->send_head(head, end);
  socket_.flush();
  return exchange;
}

void H2Client::send_body(H2Exchange& exchange, std::string_view text, EndStream end) {
  Buffer data(text);
  exchange.writer->send_body(data, end);
  socket_.flush();
}

void H2Client::send_trailers(H2Exchange& exchange, const Fields& fields) {
  HeaderMap trailers;
  fill(trailers, fields);
  exchange.writer->send_trailers(trailers);
  socket_.flush();
}

void H2Client::reset(H2Exchange& exchange) {
  exchange.writer->abort();
  exchange.done = exchange.reset = true;
  socket_.flush();
}

void H2Client::release(H2Exchange& exchange) {
  exchange.writer->release_response();
  socket_.flush();
}

H2Exchange& H2Client::get(std::string_view path, const Fields& fields) {
  H2Exchange& exchange = start("GET", path, EndStream::kYes, fields);
  wait(exchange);
  return exchange;
}

bool H2Client::step(milliseconds patience) {
  return socket_.read_once(patience, [this](Buffer& in) { return codec_->decode(in).has_value(); });
}

void H2Client::wait(H2Exchange& exchange) {
  wait_until("the end of a response", [&exchange] { return exchange.done; });
}

void H2Client::wait_until(std::string_view what, const std::function<bool()>& condition) {
  wait_for(what, condition, [this](milliseconds patience) { return step(patience); });
}

void H2Client::poll() { static_cast<void>(step(milliseconds(0))); }

// ---- origin ---------------------------------------------------------------------------------------------------------------

std::string H2Request::header(std::string_view name) const {
  return std::string(head.headers.get(name).value_or(""));
}

void H2Request::on_request_head(Protocol, size_t, EndStream end) {
  has_head = true;
  done = end == EndStream::kYes;
}

void H2Request::on_request_body(Buffer& data, EndStream end) {
  body += data.to_string();
  data.clear();
  done = end == EndStream::kYes;
}

void H2Request::on_request_trailers() {
  trailers = fields_of(trailers_);
  done = true;
}

H2Origin::H2Origin(Peer peer, const http::h2::Options& options) : socket_(std::move(peer)) {
  codec_ = http::h2::make_server_connection({}, options, {&socket_.now}, *this, socket_.out);
  socket_.flush();
}

H2Origin::~H2Origin() = default;

http::RequestReceiver& H2Origin::on_new_request(http::ResponseWriter& writer) {
  requests_.push_back(std::make_unique<H2Request>(writer));
  return *requests_.back();
}

void H2Origin::on_exchange_done(http::RequestReceiver& receiver) {
  static_cast<H2Request&>(receiver).writer = nullptr;
}

bool H2Origin::step(milliseconds patience) {
  return socket_.read_once(patience, [this](Buffer& in) { return codec_->decode(in).has_value(); });
}

H2Request& H2Origin::next(bool whole) {
  wait_until("a request at the origin", [this, whole] {
    return requests_.size() > taken_ &&
           (whole ? requests_[taken_]->done : requests_[taken_]->has_head);
  });
  return *requests_[taken_++];
}

void H2Origin::respond(H2Request& request, int status, std::string_view body,
                       const Fields& fields) {
  send_head(request, status, body.empty() ? EndStream::kYes : EndStream::kNo, fields);
  if (!body.empty()) send_body(request, body, EndStream::kYes);
}

void H2Origin::send_head(H2Request& request, int status, EndStream end, const Fields& fields) {
  if (request.writer == nullptr) return;
  ResponseHead head;
  head.status = status;
  fill(head.headers, fields);
  request.writer->send_head(head, end);
  socket_.flush();
}

void H2Origin::send_body(H2Request& request, std::string_view text, EndStream end) {
  if (request.writer == nullptr) return;
  Buffer data(text);
  request.writer->send_body(data, end);
  socket_.flush();
}

void H2Origin::send_trailers(H2Request& request, const Fields& fields) {
  if (request.writer == nullptr) return;
  HeaderMap trailers;
  fill(trailers, fields);
  request.writer->send_trailers(trailers);
  socket_.flush();
}

void H2Origin::informational(H2Request& request, int status, const Fields& fields) {
  ResponseHead head;
  head.status = status;
  fill(head.headers, fields);
  request.writer->send_informational(head);
  socket_.flush();
}

void H2Origin::reset(H2Request& request) {
  request.writer->abort();
  socket_.flush();
}

void H2Origin::goaway() {
  codec_->start_drain();
  codec_->finish_drain();
  socket_.flush();
}

void H2Origin::wait_until(std::string_view what, const std::function<bool()>& condition) {
  wait_for(what, condition, [this](milliseconds patience) { return step(patience); });
}

void H2Origin::poll() { static_cast<void>(step(milliseconds(0))); }

void H2Origin::serve(const std::function<void(H2Origin&, H2Request&)>& handler) {
  while (step(milliseconds(1000))) {
    // In the order of their ends, which need not be that of their heads.
    for (size_t i = taken_; i < requests_.size(); ++i) {
      if (!requests_[i]->done) continue;
      std::swap(requests_[i], requests_[taken_]);
      H2Request& request = *requests_[taken_++];
      if (!request.aborted) handler(*this, request);
    }
  }
}

AutoH2Origin::AutoH2Origin(Handler handler, http::h2::Options options)
    : handler_(std::move(handler)), options_(options), thread_([this] { run(); }) {}

AutoH2Origin::~AutoH2Origin() {
  stop_ = true;
  {
    const std::lock_guard lock(mutex_);
    for (const int fd : fds_) ::shutdown(fd, SHUT_RDWR);
  }
  thread_.join();
  for (std::thread& peer : peers_) peer.join();
}

void AutoH2Origin::run() {
  while (!stop_) {
    if (origin_.quiet()) continue;
    Peer peer = origin_.accept();
    const std::lock_guard lock(mutex_);
    fds_.push_back(peer.fd());
    if (stop_) return;
    ++connections_;
    peers_.emplace_back([this, peer = std::move(peer)]() mutable {
      H2Origin connection(std::move(peer), options_);
      connection.serve(handler_);
      // Stays open until the end: its number stands in fds_.
      while (!stop_) ::poll(nullptr, 0, 20);
    });
  }
}

std::string http_protocol_options(std::string_view fields) {
  return "typed_extension_protocol_options:\n"
         "  envoy.extensions.upstreams.http.v3.HttpProtocolOptions:\n"
         "    \"@type\": "
         "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions\n"
         "    " +
         std::string(fields) + "\n";
}

}  // namespace weir::test
