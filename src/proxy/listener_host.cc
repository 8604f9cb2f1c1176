#include "proxy/listener_host.h"

#include <utility>

#include "proxy/http_session.h"
#include "proxy/http_stream.h"

namespace weir::proxy {

ListenerHost::ListenerHost(SessionDeps& deps, const net::Address& local)
    : deps_(deps), local_(local), local_text_(local.to_string()) {}

ListenerHost::~ListenerHost() {
  on_empty_ = nullptr;
  close_all();
}

void ListenerHost::adopt(std::shared_ptr<const HcmRuntime> runtime,
                         std::shared_ptr<const void> snapshot) {
  current_ = RuntimeRef::make(std::move(runtime), std::move(snapshot));
}

void ListenerHost::on_accept(int fd, const net::Address& remote) {
  auto session = std::make_unique<HttpSession>(
      deps_, *this,
      net::Connection::accepted(deps_.loop, fd, remote, current_->listener().connection));
  session->index_ = sessions_.size();
  HttpSession& added = *session;
  sessions_.push_back(std::move(session));
  added.start();
}

void ListenerHost::start_drain() {
  draining_ = true;
  for (const auto& session : sessions_) session->start_drain();
}

void ListenerHost::close_idle() {
  // Backwards: a session that goes is replaced by the last.
  for (size_t i = sessions_.size(); i-- > 0;) sessions_[i]->close_if_idle();
}

void ListenerHost::close_all() {
  while (!sessions_.empty()) sessions_.back()->abort();
}

void ListenerHost::remove(HttpSession& session) {
  const size_t index = session.index_;
  std::unique_ptr<HttpSession> gone = std::move(sessions_[index]);
  if (index + 1 != sessions_.size()) {
    sessions_[index] = std::move(sessions_.back());
    sessions_[index]->index_ = index;
  }
  sessions_.pop_back();
  deps_.loop.defer_delete(std::move(gone));
  if (sessions_.empty() && on_empty_ != nullptr) on_empty_(on_empty_argument_);
}

}  // namespace weir::proxy
