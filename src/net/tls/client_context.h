// ClientContext: TLS towards the endpoints of a cluster.
#pragma once

#include <deque>
#include <map>
#include <mutex>
#include <string>

#include "net/tls/context.h"

namespace weir::net::tls {

/// Sessions that servers have offered, by the name that they were made for. Thread: any.
class SessionStore {
 public:
  explicit SessionStore(size_t limit) : limit_(limit) {}
  /// Keeps it in place of the oldest.
  void put(const std::string& name, SessionPtr session);
  /// The newest; a session of TLS 1.3 is used once (RFC 8446 appendix C.4). Null: none.
  SessionPtr take(const std::string& name);

 private:
  static constexpr size_t kMaxNames = 1024;
  const size_t limit_;  // per name
  std::mutex mutex_;
  std::map<std::string, std::deque<SessionPtr>> sessions_;
};

class ClientContext final : public Context {
 public:
  static Result<Made> make(ClientOptions options, Expired expired);
  std::unique_ptr<Transport> make(const TransportHints& hints,
                                  std::shared_ptr<const Context> self) const override;

 private:
  explicit ClientContext(ClientOptions options)
      : options_(std::move(options)), sessions_(options_.max_session_keys) {}
  Result<void> set_up(Expired expired, std::vector<std::string>& warnings);
  std::string server_name(const TransportHints& hints) const;
  std::string verify_name(const TransportHints& hints, const std::string& server_name) const;
  static int on_session(SSL* ssl, SSL_SESSION* session) noexcept;

  ClientOptions options_;
  mutable SessionStore sessions_;
};

}  // namespace weir::net::tls
