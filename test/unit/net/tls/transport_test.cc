// Both roles of TLS over a socket pair: handshakes, data, ends, and what each certificate leads to.
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <string>
#include <utility>

#include "../net_test_support.h"
#include "net/tls/factory.h"
#include "net/tls/stats.h"
#include "stats/store.h"
#include "support/certs.h"

namespace weir::net::tls {
namespace {

using test::CertificatePem;
using test::KeyKind;
using test::TestCa;

const TestCa& ca() {
  static const TestCa made;
  return made;
}

struct SecuredSink : RecordingSink {
  void on_secured() override { ++secured; }
  int secured = 0;
};

/// Takes names of this text; of "" any.
struct Exactly final : NameMatcher {
  explicit Exactly(std::string text) : text_(std::move(text)) {}
  bool matches(std::string_view name) const override { return text_.empty() || name == text_; }
  std::string text_;
};
SanMatcher wants(SanType type, const std::string& name) {
  return {type, {}, {}, std::make_shared<const Exactly>(name)};
}

CertificateOptions certificate(const CertificatePem& pem) {
  CertificateOptions out;
  out.chain = {pem.certificate, "cert.pem"};
  out.key = {pem.key, "key.pem"};
  return out;
}

ServerOptions server_options(const std::string& names = "DNS:localhost") {
  ServerOptions out;
  out.certificates.push_back(certificate(ca().issue(names)));
  return out;
}

ClientOptions client_options(const std::string& sni = "localhost") {
  ClientOptions out;
  out.sni = sni;
  out.validation.emplace();
  out.validation->trusted_ca = Material{ca().pem(), "ca.pem"};
  return out;
}

std::shared_ptr<const TransportFactory> made(Result<Made> result) {
  EXPECT_TRUE(result) << result.error().detail;
  return result ? result->factory : nullptr;
}

/// A client and a server whose transports talk to each other over loopback.
class TlsTest : public testing::Test {
 protected:
  void SetUp() override {
    auto sockets = ListenSocket::open(Address::ip("127.0.0.1", 0).value(), SocketOptions{}, 1);
    ASSERT_TRUE(sockets) << sockets.error().detail;
    socket_ = std::move(sockets->front());
  }
  void open(const ServerOptions& server, const ClientOptions& client,
            const TransportHints& hints = {}) {
    open(made(make_server(server)), made(make_client(client)), hints);
  }
  void open(const std::shared_ptr<const TransportFactory>& server,
            const std::shared_ptr<const TransportFactory>& client,
            const TransportHints& hints = {}) {
    ASSERT_TRUE(server && client);
    server_.reset();
    client_.reset();
    server_sink_ = SecuredSink();
    client_sink_ = SecuredSink();
    auto connected = Connection::connect(loop_, socket_->local(), 10s, {});
    ASSERT_TRUE(connected);
    client_ = std::move(*connected);
    client_->set_sink(client_sink_);
    client_->set_transport(client->make(hints));
    int fd = -1;
    ASSERT_TRUE(run_until(loop_, [this, &fd] {
      fd = ::accept4(socket_->fd(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
      return fd >= 0;
    }));
    auto scope = store_.scope("listener.x.ssl.");
    TransportHints server_hints;
    server_hints.tls_stats = std::make_shared<const Stats>(*scope, *server);
    server_ = Connection::accepted(loop_, fd, socket_->local(), {});
    server_->set_sink(server_sink_);
    server_->set_transport(server->make(server_hints));
    server_->start();
  }
  bool secured() {
    return run_until(loop_,
                     [this] {
                       return (server_sink_.secured == 1 && client_sink_.connected == 1) ||
                              server_sink_.errors > 0 || client_sink_.errors > 0;
                     }) &&
           server_sink_.errors + client_sink_.errors == 0;
  }
  bool failed() {
    return run_until(loop_, [this] { return server_sink_.errors > 0 && client_sink_.errors > 0; });
  }
  uint64_t counter(const std::string& name) {
    return store_.counter_value("listener.x.ssl." + name);
  }

  event::Loop loop_;
  stats::Store store_{1};
  std::unique_ptr<ListenSocket> socket_;
  SecuredSink server_sink_, client_sink_;
  std::unique_ptr<Connection> server_, client_;
};

TEST_F(TlsTest, Dialogue) {
  open(server_options(), client_options());
  client_->write(Buffer("ping"));  // waits for the handshake
  ASSERT_TRUE(secured()) << client_sink_.detail << server_sink_.detail;
  ASSERT_TRUE(run_until(loop_, [this] { return server_sink_.data == "ping"; }));
  server_->write(Buffer("pong"));
  ASSERT_TRUE(run_until(loop_, [this] { return client_sink_.data == "pong"; }));
  const TlsInfo* tls = server_->tls();
  ASSERT_NE(tls, nullptr);
  EXPECT_EQ(tls->text(TlsText::kVersion), "TLSv1.3");
  EXPECT_EQ(tls->text(TlsText::kCipher), "TLS_AES_128_GCM_SHA256");
  EXPECT_EQ(tls->text(TlsText::kServerName), "localhost");
  EXPECT_FALSE(tls->peer_presented());
  EXPECT_TRUE(client_->tls()->peer_validated());
  EXPECT_EQ(client_->tls()->names(TlsNames::kDnsPeer).front(), "localhost");
  EXPECT_EQ(counter("handshake"), 1u);
  EXPECT_EQ(counter("no_certificate"), 1u);
  EXPECT_EQ(counter("ciphers.TLS_AES_128_GCM_SHA256"), 1u);
  EXPECT_EQ(counter("versions.TLSv1.3"), 1u);
}

TEST_F(TlsTest, MovesBulkBothWaysThroughBlockedSockets) {
  open(server_options(), client_options());
  std::string text;
  for (int i = 0; text.size() < 3'000'000; ++i) text += std::to_string(i) + ",";
  for (size_t at = 0; at < text.size(); at += 100'001)
    client_->write(Buffer(text.substr(at, 100'001)));
  server_->write(Buffer(text));
  const auto all = [&] {
    return server_sink_.data.size() + client_sink_.data.size() == 2 * text.size() ||
           server_sink_.errors + client_sink_.errors > 0;
  };
  ASSERT_TRUE(run_until(loop_, all));
  EXPECT_TRUE(server_sink_.data == text);
  EXPECT_TRUE(client_sink_.data == text);
}

TEST_F(TlsTest, OrderlyEndIsTold) {
  open(server_options(), client_options());
  ASSERT_TRUE(secured());
  client_->write(Buffer("last"));
  client_->half_close();
  ASSERT_TRUE(run_until(loop_, [this] { return server_sink_.ends == 1; })) << server_sink_.detail;
  EXPECT_EQ(server_sink_.data, "last");
  server_->write(Buffer("answer"));
  server_->half_close();
  ASSERT_TRUE(run_until(loop_, [this] { return client_sink_.ends == 1; })) << client_sink_.detail;
  EXPECT_EQ(client_sink_.data, "answer");
  EXPECT_EQ(server_sink_.errors + client_sink_.errors, 0);
}

TEST_F(TlsTest, EndWithoutCloseNotifyIsAnError) {
  open(server_options(), client_options());
  ASSERT_TRUE(secured());
  client_->write(Buffer("half of it"));
  ASSERT_TRUE(run_until(loop_, [this] { return server_sink_.data == "half of it"; }));
  ::shutdown(client_->fd(), SHUT_WR);
  ASSERT_TRUE(run_until(loop_, [this] { return server_sink_.errors == 1; }));
  EXPECT_EQ(server_sink_.ends, 0);
  EXPECT_EQ(server_sink_.code, Code::kClosed);
  EXPECT_EQ(server_sink_.detail, "the connection was cut without close_notify");
}

TEST_F(TlsTest, CloseSaysGoodbye) {
  open(server_options(), client_options());
  ASSERT_TRUE(secured());
  client_->close();
  ASSERT_TRUE(run_until(loop_, [this] { return server_sink_.ends == 1; })) << server_sink_.detail;
  EXPECT_EQ(server_sink_.errors, 0);
}

TEST_F(TlsTest, PlaintextToServerFailsWithReason) {
  const auto server = made(make_server(server_options()));
  const int fd = connect_to(socket_->local());
  int accepted = -1;
  ASSERT_TRUE(run_until(loop_, [&] {
    accepted = ::accept4(socket_->fd(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    return accepted >= 0;
  }));
  server_ = Connection::accepted(loop_, accepted, socket_->local(), {});
  server_->set_sink(server_sink_);
  server_->set_transport(server->make({}));
  server_->start();
  ASSERT_EQ(::send(fd, "GET / HTTP/1.1\r\n\r\n", 18, MSG_NOSIGNAL), 18);
  ASSERT_TRUE(run_until(loop_, [this] { return server_sink_.errors == 1; }));
  EXPECT_EQ(server_sink_.code, Code::kTls);
  EXPECT_TRUE(server_sink_.detail.starts_with("TLS_error:|")) << server_sink_.detail;
  EXPECT_NE(server_sink_.detail.find("http request"), std::string::npos) << server_sink_.detail;
  EXPECT_EQ(server_sink_.data, "");
  ::close(fd);
}

TEST_F(TlsTest, HandshakeThatStallsReachesItsLimit) {
  const auto server = made(make_server(server_options()));
  const int fd = connect_to(socket_->local());
  int accepted = -1;
  ASSERT_TRUE(run_until(loop_, [&] {
    accepted = ::accept4(socket_->fd(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    return accepted >= 0;
  }));
  server_ = Connection::accepted(loop_, accepted, socket_->local(), {});
  server_->set_sink(server_sink_);
  server_->set_transport(server->make({}));
  server_->limit_handshake(30ms);
  server_->start();
  ASSERT_EQ(::send(fd, "\x16\x03", 2, MSG_NOSIGNAL), 2);
  ASSERT_TRUE(run_until(loop_, [this] { return server_sink_.errors == 1; }));
  EXPECT_EQ(server_sink_.code, Code::kConnectTimeout);
  ::close(fd);
}

// --- whom a client trusts ------------------------------------------------------------------------------------

struct Distrust {
  const char* name;
  std::function<void(ServerOptions&, ClientOptions&)> change;
  const char* reason;
};

class TlsDistrustTest : public TlsTest, public testing::WithParamInterface<Distrust> {};

TEST_P(TlsDistrustTest, FailsWithReason) {
  ServerOptions server = server_options();
  ClientOptions client = client_options();
  GetParam().change(server, client);
  open(server, client);
  ASSERT_TRUE(failed());
  EXPECT_EQ(client_sink_.code, Code::kTls);
  EXPECT_NE(client_sink_.detail.find(GetParam().reason), std::string::npos) << client_sink_.detail;
  EXPECT_EQ(client_sink_.connected, 0);
  EXPECT_EQ(server_sink_.data, "");
  EXPECT_EQ(counter("connection_error"), 1u);
}

void use(ServerOptions& server, const CertificatePem& pem) {
  server.certificates = {certificate(pem)};
}

INSTANTIATE_TEST_SUITE_P(
    All, TlsDistrustTest,
    testing::Values(Distrust{"OtherName", [](auto&, auto& c) { c.sni = "example.com"; },
                             "not for \"example.com\""},
                    Distrust{"UnknownAuthority",
                             [](auto& s, auto&) { use(s, TestCa("other").issue("DNS:localhost")); },
                             "certificate verify failed"},
                    Distrust{"SystemRootsAreTheDefault",
                             [](auto&, auto& c) { c.validation.reset(); },
                             "unable to get local issuer certificate"},
                    Distrust{"Expired",
                             [](auto& s, auto&) {
                               TestCa::Wanted wanted;
                               wanted.until_s = -60;
                               use(s, ca().issue(wanted));
                             },
                             "certificate has expired"},
                    Distrust{"Revoked",
                             [](auto& s, auto& c) {
                               const CertificatePem pem = ca().issue("DNS:localhost");
                               use(s, pem);
                               c.validation->crl = Material{ca().crl({pem}), "crl.pem"};
                             },
                             "certificate revoked"},
                    Distrust{"NoMatchingName",
                             [](auto&, auto& c) {
                               c.validation->names.push_back(wants(SanType::kUri, "spiffe://a"));
                             },
                             "no subject alternative name matches"},
                    Distrust{"WrongPin",
                             [](auto&, auto& c) {
                               c.validation->trusted_ca.reset();
                               c.validation->spki_pins.push_back(Pin{});
                             },
                             "no hash of the certificate"},
                    Distrust{"NoCommonVersion",
                             [](auto& s, auto& c) {
                               s.min_version = Version::kTls13;
                               c.max_version = Version::kTls12;
                             },
                             "protocol version"}),
    [](const auto& param) { return param.param.name; });

TEST_F(TlsTest, UntrustedIsTakenWhereTheConfigurationSaysSo) {
  ServerOptions server = server_options();
  use(server, TestCa("other").issue("DNS:elsewhere"));
  ClientOptions client;
  client.sni = "localhost";
  client.validation.emplace();
  client.validation->accept_untrusted = true;
  open(server, client);
  ASSERT_TRUE(secured()) << client_sink_.detail;
  EXPECT_TRUE(client_->tls()->peer_presented());
  EXPECT_FALSE(client_->tls()->peer_validated());
}

TEST_F(TlsTest, PinIsEnoughWithoutAuthority) {
  const CertificatePem pem = TestCa("other").issue("DNS:elsewhere");
  ServerOptions server = server_options();
  use(server, pem);
  ClientOptions client;
  client.sni = "localhost";
  client.validation.emplace();
  Pin pin{};
  unsigned size = 0;
  X509_digest(TestCa::read(pem.certificate).get(), EVP_sha256(), pin.data(), &size);
  client.validation->certificate_pins.push_back(pin);
  open(server, client);
  ASSERT_TRUE(secured()) << client_sink_.detail;
  EXPECT_TRUE(client_->tls()->peer_validated());
}

TEST_F(TlsTest, AddressInPlaceOfNameIsVerified) {
  ClientOptions client = client_options({});
  TransportHints hints;
  hints.verify_name = "127.0.0.1";
  open(server_options("IP:127.0.0.1"), client, hints);
  EXPECT_TRUE(secured()) << client_sink_.detail;
  hints.verify_name = "127.0.0.2";
  open(server_options("IP:127.0.0.1"), client, hints);
  EXPECT_TRUE(failed());
}

TEST_F(TlsTest, ExpiredIsTakenWhereAllowed) {
  TestCa::Wanted wanted;
  wanted.until_s = -60;
  ServerOptions server = server_options();
  use(server, ca().issue(wanted));
  ClientOptions client = client_options();
  client.validation->allow_expired = true;
  open(server, client);
  EXPECT_TRUE(secured()) << client_sink_.detail;
}

// --- clients' certificates ---------------------------------------------------------------------------------------

ServerOptions wants_client(bool required) {
  ServerOptions out = server_options();
  out.validation.emplace();
  out.validation->trusted_ca = Material{ca().pem(), "ca.pem"};
  out.require_client_certificate = required;
  return out;
}

TEST_F(TlsTest, RequiredClientCertificate) {
  ClientOptions client = client_options();
  open(wants_client(true), client);
  ASSERT_TRUE(run_until(loop_, [this] { return server_sink_.errors > 0; }));
  EXPECT_NE(server_sink_.detail.find("peer did not return a certificate"), std::string::npos)
      << server_sink_.detail;
  EXPECT_EQ(counter("fail_verify_no_cert"), 1u);
  client.certificates.push_back(certificate(ca().issue("URI:spiffe://client,DNS:client.test")));
  open(wants_client(true), client);
  ASSERT_TRUE(secured()) << server_sink_.detail;
  const TlsInfo& tls = *server_->tls();
  EXPECT_TRUE(tls.peer_validated());
  EXPECT_EQ(tls.names(TlsNames::kUriPeer).front(), "spiffe://client");
  EXPECT_EQ(tls.text(TlsText::kSubjectPeer), "CN=leaf");
  EXPECT_EQ(tls.text(TlsText::kIssuerPeer), "CN=test CA");
  EXPECT_EQ(tls.text(TlsText::kSha256Peer).size(), 64u);
  EXPECT_TRUE(tls.text(TlsText::kCertificatePeer).starts_with("-----BEGIN%20CERTIFICATE-----%0A"));
  EXPECT_EQ(tls.peer_valid_until() - tls.peer_valid_from(), 30 * 86400 + 43200 + 3600);
}

TEST_F(TlsTest, OptionalClientCertificateMayBeAbsentButNotWrong) {
  ClientOptions client = client_options();
  open(wants_client(false), client);
  EXPECT_TRUE(secured()) << server_sink_.detail;
  client.certificates.push_back(certificate(TestCa("other").issue("DNS:client.test")));
  open(wants_client(false), client);
  ASSERT_TRUE(run_until(loop_, [this] { return server_sink_.errors > 0; }));
  EXPECT_EQ(counter("fail_verify_error"), 1u);
}

TEST(TlsOptionsTest, RequiredClientCertificateNeedsAnAuthority) {
  ServerOptions server = server_options();
  server.require_client_certificate = true;
  EXPECT_FALSE(make_server(server));
}

// --- certificates by name ------------------------------------------------------------------------------------------

TEST_F(TlsTest, CertificateIsChosenByNameThenByKey) {
  ServerOptions server;
  for (const char* name : {"DNS:first.test", "DNS:b.test", "DNS:*.wild.test"}) {
    for (const KeyKind kind : {KeyKind::kRsa, KeyKind::kEcdsa}) {
      TestCa::Wanted wanted;
      wanted.names = name;
      wanted.kind = kind;
      wanted.common_name = kind == KeyKind::kRsa ? "rsa" : "ecdsa";
      server.certificates.push_back(certificate(ca().issue(wanted)));
    }
  }
  const auto factory = made(make_server(server));
  const auto shown = [&](const std::string& sni, const std::vector<std::string>& ciphers = {}) {
    ClientOptions client = client_options(sni);
    client.validation->names.push_back(wants(SanType::kDns, ""));
    if (!ciphers.empty()) {
      client.max_version = Version::kTls12;
      client.ciphers = ciphers;
    }
    open(factory, made(make_client(client)));
    EXPECT_TRUE(secured()) << client_sink_.detail;
    const TlsInfo* tls = client_->tls();
    if (tls == nullptr) return std::string("none");
    return std::string(tls->names(TlsNames::kDnsPeer).front()) + " " +
           std::string(tls->text(TlsText::kSubjectPeer));
  };
  EXPECT_EQ(shown("b.test"), "b.test CN=ecdsa");
  EXPECT_EQ(shown("B.Test"), "b.test CN=ecdsa");
  EXPECT_EQ(shown("b.test", {"ECDHE-RSA-AES128-GCM-SHA256"}), "b.test CN=rsa");
  EXPECT_EQ(shown("x.wild.test"), "*.wild.test CN=ecdsa");
  EXPECT_EQ(shown("wild.test"), "first.test CN=rsa");
  EXPECT_EQ(shown("x.y.wild.test"), "first.test CN=rsa");
  EXPECT_EQ(shown(""), "first.test CN=ecdsa");
}

TEST_F(TlsTest, RequireSniRefusesClientsThatNameNobody) {
  ServerOptions server = server_options();
  server.require_sni = true;
  open(server, client_options());
  EXPECT_TRUE(secured()) << server_sink_.detail;
  open(server, client_options(""));
  ASSERT_TRUE(failed());
  EXPECT_NE(server_sink_.detail.find("require_sni"), std::string::npos) << server_sink_.detail;
  EXPECT_NE(client_sink_.detail.find("unrecognized name"), std::string::npos)
      << client_sink_.detail;
}

TEST_F(TlsTest, ProtocolIsTheServersFirstThatTheClientOffers) {
  ServerOptions server = server_options();
  server.alpn = {"h2", "http/1.1"};
  ClientOptions client = client_options();
  client.alpn = {"http/1.1", "h2"};
  open(server, client);
  ASSERT_TRUE(secured());
  EXPECT_EQ(server_->tls()->text(TlsText::kAlpn), "h2");
  // What the connection's user speaks counts where nothing is configured.
  TransportHints hints;
  hints.alpn = {"http/1.1"};
  open(server, client, hints);
  ASSERT_TRUE(secured());
  EXPECT_EQ(client_->tls()->text(TlsText::kAlpn), "h2");
  client.alpn.clear();
  open(server, client, hints);
  ASSERT_TRUE(secured());
  EXPECT_EQ(client_->tls()->text(TlsText::kAlpn), "http/1.1");
  hints.alpn = {"other"};
  open(server, client, hints);
  ASSERT_TRUE(secured());
  EXPECT_EQ(client_->tls()->text(TlsText::kAlpn), "");
}

// --- sessions ----------------------------------------------------------------------------------------------------

class TlsResumeTest : public TlsTest, public testing::WithParamInterface<Version> {
 protected:
  ClientOptions client() const {
    ClientOptions out = client_options();
    out.max_version = GetParam();
    return out;
  }
  /// A connection with some data, so that tickets arrive; whether it was resumed.
  bool resumed(const std::shared_ptr<const TransportFactory>& server,
               const std::shared_ptr<const TransportFactory>& client) {
    open(server, client);
    EXPECT_TRUE(secured()) << client_sink_.detail << server_sink_.detail;
    server_->write(Buffer("data"));
    EXPECT_TRUE(run_until(loop_, [this] { return client_sink_.data == "data"; }));
    return server_->tls() != nullptr && server_->tls()->session_reused();
  }
};

TEST_P(TlsResumeTest, SecondConnectionIsResumed) {
  const auto server = made(make_server(server_options()));
  const auto client = made(make_client(this->client()));
  EXPECT_FALSE(resumed(server, client));
  EXPECT_TRUE(resumed(server, client));
  EXPECT_TRUE(resumed(server, client));
  EXPECT_EQ(counter("session_reused"), 2u);
  ClientOptions none = this->client();
  none.max_session_keys = 0;
  const auto forgetful = made(make_client(none));
  EXPECT_FALSE(resumed(server, forgetful));
  EXPECT_FALSE(resumed(server, forgetful));
}

TEST_P(TlsResumeTest, TicketOfOneChainIsNothingToAnother) {
  ServerOptions first = wants_client(false), second = wants_client(false);
  first.ticket_keys = second.ticket_keys = {std::string(kTicketKeyBytes, 'k')};
  first.session_scope = second.session_scope = "a";
  const auto client = made(make_client(this->client()));
  EXPECT_FALSE(resumed(made(make_server(first)), client));
  // The same keys and the same demands: another process of one service.
  EXPECT_TRUE(resumed(made(make_server(second)), client));
  second.session_scope = "b";
  EXPECT_FALSE(resumed(made(make_server(second)), client));
  second.session_scope = "a";
  EXPECT_FALSE(resumed(made(make_server(first)), client));
  second.validation->trusted_ca = Material{TestCa("other").pem(), "ca.pem"};
  EXPECT_FALSE(resumed(made(make_server(second)), client));
}

TEST_P(TlsResumeTest, OldTicketKeyStillOpensUntilItIsGone) {
  const std::string old_key(kTicketKeyBytes, 'o'), new_key(kTicketKeyBytes, 'n');
  ServerOptions server = server_options();
  server.ticket_keys = {old_key};
  const auto client = made(make_client(this->client()));
  EXPECT_FALSE(resumed(made(make_server(server)), client));
  server.ticket_keys = {new_key, old_key};
  EXPECT_TRUE(resumed(made(make_server(server)), client));
  server.ticket_keys = {new_key};
  EXPECT_TRUE(resumed(made(make_server(server)), client));  // it was given a new one
  server.ticket_keys = {old_key};
  EXPECT_FALSE(resumed(made(make_server(server)), client));
}

TEST_P(TlsResumeTest, NothingIsResumedWithoutTicketsAndCache) {
  ServerOptions server = server_options();
  server.stateless_resumption = false;
  const auto client = made(make_client(this->client()));
  const auto cached = made(make_server(server));
  EXPECT_FALSE(resumed(cached, client));
  EXPECT_TRUE(resumed(cached, client));
  server.stateful_resumption = false;
  const auto forgetful = made(make_server(server));
  EXPECT_FALSE(resumed(forgetful, client));
  EXPECT_FALSE(resumed(forgetful, client));
}

INSTANTIATE_TEST_SUITE_P(Versions, TlsResumeTest, testing::Values(Version::kTls12, Version::kTls13),
                         [](const auto& param) {
                           return std::string(param.param == Version::kTls12 ? "Tls12" : "Tls13");
                         });

}  // namespace
}  // namespace weir::net::tls
