// ServerContext: TLS of a filter chain.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "net/tls/certificate.h"
#include "net/tls/context.h"
#include "net/tls/tickets.h"

namespace weir::net::tls {

class ServerContext final : public Context {
 public:
  static Result<Made> make(ServerOptions options, Expired expired);
  std::unique_ptr<Transport> make(const TransportHints& hints,
                                  std::shared_ptr<const Context> self) const override;

 private:
  explicit ServerContext(ServerOptions options)
      : options_(std::move(options)), tickets_(std::move(options_.ticket_keys)) {}
  using Chosen = std::vector<size_t>;  // certificates of different kinds of key
  Result<void> set_up(Expired expired, std::vector<std::string>& warnings);
  Result<void> read_certificates(Expired expired, std::vector<std::string>& warnings);
  Result<void> read_staple(const CertificateOptions& from, Certificate& into) const;
  Result<void> set_up_clients();
  void set_up_sessions();
  void index_certificates();
  bool is_one_set() const;
  const Chosen& choose(std::string_view server_name) const;
  bool show(SSL& ssl, const Chosen& chosen) const;
  static int on_server_name(SSL* ssl, int* alert, void* self) noexcept;
  static int on_certificate(SSL* ssl, void* self) noexcept;
  static int on_status(SSL* ssl, void* self) noexcept;
  static int on_alpn(SSL* ssl, const unsigned char** out, unsigned char* out_size,
                     const unsigned char* offered, unsigned offered_size, void* self) noexcept;
  int staple(SSL& ssl) const;

  ServerOptions options_;
  TicketKeys tickets_;
  std::string alpn_;
  std::vector<Certificate> certificates_;
  std::map<std::string, Chosen, std::less<>> by_name_;  // "a.example.com", "*.example.com"
  Chosen first_;                                        // of a name that no certificate has
  Chosen all_;                                          // of a client that names nobody
};

}  // namespace weir::net::tls
