#include "admin/admin_server.h"

#include <algorithm>

#include "admin/endpoints.h"
#include "base/strings.h"
#include "http/h1/h1.h"
#include "net/connection.h"

namespace weir::admin {
namespace {

constexpr size_t kMaxSessions = 64;
constexpr std::chrono::milliseconds kIdleTimeout{60'000};
constexpr std::chrono::milliseconds kLinger{500};

/// The host part of "host:port" or "[v6]:port".
std::string_view host_of(std::string_view authority) {
  if (authority.starts_with('[')) return authority.substr(1, authority.find(']') - 1);
  return authority.substr(0, authority.find(':'));
}

}  // namespace

/// One admin connection. Owner: the AdminServer. Thread: main. Death: end() detaches and defers.
class AdminSession final : public event::Deferrable,
                           public net::ConnectionSink,
                           public http::ServerConnectionSink,
                           public http::RequestReceiver {
 public:
  AdminSession(AdminServer& server, uint64_t id, event::Loop& loop, Backend& backend,
               std::unique_ptr<net::Connection> connection)
      : server_(server),
        id_(id),
        backend_(backend),
        connection_(std::move(connection)),
        idle_timer_(
            loop, [](void* self) { static_cast<AdminSession*>(self)->end(); }, this) {
    codec_ = http::h1::make_server_connection(http::CodecOptions{}, *this, connection_->out());
    connection_->set_sink(*this);
    connection_->start();
    idle_timer_.arm(kIdleTimeout);
  }
  uint64_t id() const noexcept { return id_; }

  void end() {
    if (std::exchange(ended_, true)) return;
    idle_timer_.cancel();
    connection_->close();
    server_.remove(*this);
  }

  // net::ConnectionSink
  void on_data(Buffer& in, net::ReadEnd end_of_input) override {
    if (ended_ || closing_) return in.clear();
    idle_timer_.arm(kIdleTimeout);
    auto decoded = codec_->decode(in);
    if (decoded && end_of_input == net::ReadEnd::kYes) decoded = codec_->on_read_end();
    if (!decoded || (end_of_input == net::ReadEnd::kYes && codec_->idle())) return end();
  }
  void on_error(const Error&) override { end(); }

  // http::ServerConnectionSink
  http::RequestReceiver& on_new_request(http::ResponseWriter& writer) override {
    writer_ = &writer;
    head_.clear();
    trailers_.clear();
    return *this;
  }
  void on_exchange_done(http::RequestReceiver&) override {
    writer_ = nullptr;
    if (codec_->must_close()) return close_when_sent();
    connection_->offer_again();
  }
  void on_hold_reading() override { connection_->hold_reading(); }
  void on_release_reading() override { connection_->release_reading(); }

  // http::RequestReceiver
  RequestHead& request_head() noexcept override { return head_; }
  HeaderMap& request_trailers() noexcept override { return trailers_; }
  void on_request_head(Protocol, size_t, EndStream end_of_request) override {
    if (end_of_request == EndStream::kYes) answer_request();
  }
  void on_request_body(Buffer& data, EndStream end_of_request) override {
    data.clear();
    if (end_of_request == EndStream::kYes) answer_request();
  }
  void on_request_trailers() override { answer_request(); }
  void on_request_aborted(const Error&) override { writer_ = nullptr; }

 private:
  /// A page of another site must not reach this listener through a name that it makes resolve to us.
  bool host_allowed() const {
    if (!allowed(head_.authority())) return false;
    const auto origin = head_.headers.get(HeaderId::kOrigin);
    if (!origin || *origin == "null") return !origin || head_.method() == "GET";
    // Same origin means same port too: another program's page on this host is as foreign.
    const size_t scheme = origin->find("://");
    return scheme != std::string_view::npos &&
           base::iequals(origin->substr(scheme + 3), head_.authority());
  }
  bool allowed(std::string_view authority) const {
    const std::string_view host = host_of(authority);
    const net::Address& local = server_.local();
    if (local.is_unix() || host == "localhost") return true;
    if (host == local.ip_text() || host == connection_->local().ip_text()) return true;
    return local.is_loopback() && (host == "127.0.0.1" || host == "::1");
  }

  void answer_request() {
    if (!host_allowed())
      return respond(Response{403, "the Host or Origin header does not name this listener\n"});
    const Request request = parse_target(head_.method(), head_.path());
    handle(backend_, request, [&server = server_, id = id_](const Response& response) {
      AdminSession* session = server.find(id);
      if (session != nullptr && !session->ended_) session->respond(response);
    });
  }

  void respond(const Response& response) {
    if (writer_ == nullptr) return;
    ResponseHead head;
    head.status = response.status;
    head.headers.add(HeaderId::kContentType, response.content_type);
    head.headers.add(HeaderId::kContentLength, std::to_string(response.body.size()));
    if (!response.allow.empty()) head.headers.add("allow", response.allow);
    head.headers.add("x-content-type-options", "nosniff");
    head.headers.add(HeaderId::kCacheControl, "no-cache, max-age=0, no-store");
    http::ResponseWriter& writer = *writer_;
    if (head_.method() == "HEAD" || response.body.empty()) {
      writer.send_head(head, EndStream::kYes);
    } else {
      Buffer body(response.body);
      writer.send_head(head, EndStream::kNo);
      writer.send_body(body, EndStream::kYes);
    }
    connection_->written();
    backend_.on_answered(head_, response.status, response.body.size());
  }

  void close_when_sent() {
    if (std::exchange(closing_, true)) return;
    connection_->close_gracefully(kLinger);
  }

  AdminServer& server_;
  uint64_t id_;
  Backend& backend_;
  std::unique_ptr<net::Connection> connection_;
  std::unique_ptr<http::ServerConnection> codec_;
  event::Timer idle_timer_;
  RequestHead head_;
  HeaderMap trailers_;
  http::ResponseWriter* writer_ = nullptr;
  bool closing_ = false;
  bool ended_ = false;
};

Result<std::unique_ptr<AdminServer>> AdminServer::listen(event::Loop& loop, Backend& backend,
                                                         const net::Address& address,
                                                         net::Probe probe) {
  WEIR_TRY(sockets, net::ListenSocket::open(address, net::SocketOptions{}, 1, probe));
  return std::unique_ptr<AdminServer>(new AdminServer(loop, backend, std::move(sockets)));
}

AdminServer::AdminServer(event::Loop& loop, Backend& backend,
                         std::vector<std::unique_ptr<net::ListenSocket>> sockets)
    : loop_(loop),
      backend_(backend),
      sockets_(std::move(sockets)),
      local_(sockets_.front()->local()),
      listener_(std::make_unique<net::Listener>(loop, *sockets_.front(), *this, 16,
                                                net::LastFds::kTake)) {}

AdminServer::~AdminServer() = default;

void AdminServer::stop_accepting() {
  if (listener_) listener_->drain_queue();
  listener_.reset();
  sockets_.clear();
}

void AdminServer::on_accept(int fd, const net::Address& remote) {
  auto connection = net::Connection::accepted(loop_, fd, remote, net::ConnectionOptions{});
  if (sessions_.size() >= kMaxSessions) return;  // the connection closes with its object
  sessions_.push_back(
      std::make_unique<AdminSession>(*this, next_id_++, loop_, backend_, std::move(connection)));
}

AdminSession* AdminServer::find(uint64_t id) noexcept {
  const auto found = std::find_if(sessions_.begin(), sessions_.end(),
                                  [id](const auto& each) { return each->id() == id; });
  return found == sessions_.end() ? nullptr : found->get();
}

void AdminServer::remove(AdminSession& session) {
  const auto found = std::find_if(sessions_.begin(), sessions_.end(),
                                  [&session](const auto& each) { return each.get() == &session; });
  if (found == sessions_.end()) return;
  loop_.defer_delete(std::move(*found));
  sessions_.erase(found);
}

}  // namespace weir::admin
