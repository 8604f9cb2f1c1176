// TLS on both sides of the proxy: handshakes, whom to trust, certificates that change while it serves.
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>

#include <fstream>
#include <thread>

#include "support/tls_yaml.h"

namespace weir::test {
namespace {

using Role = PeerTls::Role;

std::string get(std::string_view path = "/") {
  return "GET " + std::string(path) + " HTTP/1.1\r\nHost: localhost\r\n\r\n";
}

/// A proxy whose listener speaks TLS with the pair "server", in front of an origin that says "ok".
class Tls : public testing::Test {
 protected:
  Tls() : origin_([](const Peer::Message&) { return response("ok"); }) {
    folder_.write("ca.pem", ca_.pem());
    write_pair(folder_, "server", ca_.issue("DNS:localhost"));
    yaml_.origin_port = origin_.port();
    yaml_.chain = downstream_tls("tls_certificates: [" + pair_yaml(folder_, "server") + "]");
  }
  TlsSide client(const std::string& sni = "localhost") const {
    TlsSide side;
    side.ca = ca_.pem();
    side.sni = sni;
    return side;
  }
  Peer connect(TestProxy& proxy, const TlsSide& side) {
    Peer peer = proxy.connect();
    peer.start_tls(Role::kClient, side);
    return peer;
  }
  Peer connect(TestProxy& proxy) { return connect(proxy, client()); }
  static std::string ssl(TestProxy& proxy, const std::string& name) {
    return "listener.127.0.0.1_" + std::to_string(proxy.port()) + ".ssl." + name;
  }
  static TestProxy::Options from_file() {
    TestProxy::Options options;
    options.from_file = true;
    return options;
  }

  TestCa ca_;
  TempFolder folder_;
  AutoOrigin origin_;
  Yaml yaml_;
};

TEST_F(Tls, TerminatesAndKeepsAlive) {
  TestProxy proxy(yaml_.text());
  Peer peer = connect(proxy);
  for (int i = 0; i < 3; ++i) {
    peer.send(get());
    EXPECT_EQ(peer.read_message().body, "ok");
  }
  EXPECT_EQ(peer.tls().version(), "TLSv1.3");
  EXPECT_EQ(proxy.counter(ssl(proxy, "handshake")), 1u);
  EXPECT_EQ(proxy.counter(ssl(proxy, "versions.TLSv1.3")), 1u);
}

TEST_F(Tls, BulkGoesThroughInOrder) {
  std::string body;
  for (int i = 0; body.size() < 2'000'000; ++i) body += std::to_string(i) + ";";
  AutoOrigin echo([](const Peer::Message& request) { return response(request.body); });
  yaml_.origin_port = echo.port();
  TestProxy proxy(yaml_.text());
  Peer peer = connect(proxy);
  std::thread sender([&peer, &body] {
    peer.send("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: " +
              std::to_string(body.size()) + "\r\n\r\n");
  });
  sender.join();
  peer.send(body);
  EXPECT_TRUE(peer.read_message().body == body);
}

TEST_F(Tls, PlaintextAndStalledClientsAreLetGo) {
  yaml_.chain += "transport_socket_connect_timeout: 0.05s\n";
  TestProxy proxy(yaml_.text());
  Peer plain = proxy.connect();
  plain.send(get());
  EXPECT_EQ(plain.read_to_end().find("HTTP/1.1"), std::string::npos);
  EXPECT_EQ(proxy.counter(ssl(proxy, "connection_error")), 1u);
  Peer stalled = proxy.connect();
  stalled.send("\x16\x03\x01");
  EXPECT_TRUE(stalled.closed());
  const std::string listener = "listener.127.0.0.1_" + std::to_string(proxy.port());
  proxy.wait_for("both to be counted",
                 [&] { return proxy.counter(listener + ".downstream_cx_total") == 2; });
  EXPECT_EQ(proxy.counter(listener + ".downstream_cx_transport_socket_connect_timeout"), 1u);
  EXPECT_EQ(origin_.requests(), 0u);
}

TEST_F(Tls, RequestBodyThatIsCutIsNoRequest) {
  TestProxy proxy(yaml_.text());
  Peer peer = connect(proxy);
  peer.send(
      "POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n");
  ::shutdown(peer.fd(), SHUT_WR);  // no close_notify
  proxy.wait_for("the end of the connection",
                 [&] { return proxy.counter("http.ingress.downstream_cx_destroy_remote") == 1; });
  EXPECT_EQ(proxy.counter("http.ingress.downstream_rq_total"), 1u);
  EXPECT_EQ(proxy.counter("http.ingress.downstream_rq_2xx"), 0u);
}

TEST_F(Tls, KeyUpdatesAreBounded) {
  TestProxy proxy(yaml_.text());
  Peer peer = connect(proxy);
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(peer.tls().update_key());
  peer.send(get());
  EXPECT_EQ(peer.read_message().body, "ok");
  for (int i = 0; i < 100; ++i) static_cast<void>(peer.tls().update_key());
  proxy.wait_for("the end", [&] { return proxy.gauge("http.ingress.downstream_cx_active") == 0; });
}

// --- what is known of a connection ------------------------------------------------------------------------------------

TEST_F(Tls, RequestsAreOfTheSchemeHttps) {
  AutoOrigin echo([](const Peer::Message& request) { return response(request.head); });
  yaml_.origin_port = echo.port();
  TestProxy proxy(yaml_.text());
  Peer peer = connect(proxy);
  peer.send(get());
  EXPECT_TRUE(peer.read_message().body.find("x-forwarded-proto: https\r\n") != std::string::npos);
  peer.send("GET https://localhost/ HTTP/1.1\r\nHost: localhost\r\n\r\n");
  EXPECT_EQ(peer.read_message().status(), 200);
}

TEST_F(Tls, ClientCertificatesAreToldOf) {
  AutoOrigin echo([](const Peer::Message& request) { return response(request.head); });
  yaml_.origin_port = echo.port();
  yaml_.chain = downstream_tls(
      "tls_certificates: [" + pair_yaml(folder_, "server") + "], " + trusting(folder_),
      "require_client_certificate: true");
  const std::string log = folder_.path() + "/access.log";
  yaml_.hcm =
      "forward_client_cert_details: SANITIZE_SET\n"
      "set_current_client_cert_details: {subject: true, uri: true, dns: true}\n"
      "access_log:\n- name: file\n  typed_config:\n"
      "    \"@type\": type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog\n"
      "    path: " +
      log +
      "\n"
      "    log_format: {text_format_source: {inline_string: \"%DOWNSTREAM_TLS_VERSION% "
      "%DOWNSTREAM_PEER_SUBJECT% "
      "%DOWNSTREAM_PEER_URI_SAN% %REQUESTED_SERVER_NAME% %DOWNSTREAM_LOCAL_DNS_SAN% "
      "%UPSTREAM_TLS_VERSION% "
      "%DOWNSTREAM_PEER_CERT_V_END(%Y)%\\n\"}}\n";
  std::string line;
  {
    TestProxy proxy(yaml_.text());
    TlsSide side = client();
    side.certificate = ca_.issue("URI:spiffe://partner,DNS:partner.test");
    Peer peer = connect(proxy, side);
    peer.send("GET / HTTP/1.1\r\nHost: localhost\r\nx-forwarded-client-cert: By=evil\r\n\r\n");
    const std::string head = peer.read_message().body;
    EXPECT_NE(head.find(";Subject=\"CN=leaf\";URI=spiffe://partner;DNS=partner.test\r\n"),
              std::string::npos)
        << head;
    EXPECT_EQ(head.find("evil"), std::string::npos);
    Peer without = proxy.connect();
    EXPECT_THROW(
        {
          without.start_tls(Role::kClient, client());
          without.send(get());
          without.read_head();
        },
        std::runtime_error);
    proxy.wait_for("the refusal",
                   [&] { return proxy.counter(ssl(proxy, "fail_verify_no_cert")) == 1; });
  }
  std::ifstream file(log);
  std::getline(file, line);
  EXPECT_TRUE(line.starts_with("TLSv1.3 CN=leaf spiffe://partner localhost localhost - 20"))
      << line;
}

TEST_F(Tls, OtherNamesThatAreNoTextDoNotMatch) {
  yaml_.chain = downstream_tls(
      "tls_certificates: [" + pair_yaml(folder_, "server") +
          "], validation_context: {trusted_ca: {filename: " + folder_.path() +
          "/ca.pem}, match_typed_subject_alt_names: [{san_type: OTHER_NAME, oid: \"1.2.3.4\", "
          "matcher: {exact: good}}]}",
      "require_client_certificate: true");
  TestProxy proxy(yaml_.text());
  const auto served = [&](const std::string& names) {
    TlsSide side = client();
    side.certificate = ca_.issue(names);
    Peer peer = proxy.connect();
    try {
      peer.start_tls(Role::kClient, side);
      peer.send(get());
      return peer.read_message().status() == 200;
    } catch (const std::runtime_error&) {
      return false;
    }
  };
  for (const char* names : {"otherName:1.2.3.4;BOOLEAN:TRUE", "otherName:1.2.3.4;INTEGER:5",
                            "otherName:1.2.3.4;OID:1.2.3", "otherName:1.2.3.5;UTF8:good"})
    EXPECT_FALSE(served(names)) << names;
  EXPECT_TRUE(served("otherName:1.2.3.4;UTF8:good"));
  EXPECT_TRUE(served("otherName:1.2.3.4;IA5:good"));
}

TEST_F(Tls, TheServerNameIsKnownInLowerCase) {
  yaml_.routes =
      "- match: {prefix: /}\n"
      "  direct_response: {status: 200}\n"
      "  response_headers_to_add: [{header: {key: x-sni, value: \"%REQUESTED_SERVER_NAME%\"}}]\n";
  TestProxy proxy(yaml_.text());
  TlsSide side = client("LocalHost");
  side.ca.clear();
  Peer peer = connect(proxy, side);
  peer.send(get());
  EXPECT_EQ(peer.read_message().header("x-sni"), "localhost");
}

TEST_F(Tls, AdminTellsOfCertificates) {
  TestProxy proxy(yaml_.text());
  const std::string certs = proxy.admin("/certs");
  EXPECT_NE(certs.find("\"path\": \"" + folder_.path() + "/server.pem\""), std::string::npos)
      << certs;
  EXPECT_NE(certs.find("\"dns\": \"localhost\""), std::string::npos) << certs;
  EXPECT_NE(certs.find("\"days_until_expiration\": \"30\""), std::string::npos) << certs;
  proxy.wait_for("the gauge",
                 [&] { return proxy.gauge("server.days_until_first_cert_expiring") == 30; });
}

// --- upstream --------------------------------------------------------------------------------------------------------

class TlsUpstream : public Tls {
 protected:
  TlsUpstream() { yaml_.chain.clear(); }
  void serve(const std::string& names) {
    TlsSide side;
    side.certificate = ca_.issue(names);
    origin_.use_tls(side);
  }
  Peer::Message ask(TestProxy& proxy) {
    Peer peer = proxy.connect();
    peer.send(get());
    return peer.read_message();
  }
  /// Configuration of a proxy before an origin that the test plays by hand.
  std::string before(const Origin& origin) {
    yaml_.origin_port = origin.port();
    yaml_.cluster = upstream_tls(trusting(folder_), "sni: origin.test");
    return yaml_.text();
  }
  TlsSide origin_side() const {
    TlsSide side;
    side.certificate = ca_.issue("DNS:origin.test");
    return side;
  }
};

TEST_F(TlsUpstream, SpeaksTlsToOrigins) {
  serve("DNS:origin.test");
  yaml_.cluster = upstream_tls(trusting(folder_), "sni: origin.test");
  TestProxy proxy(yaml_.text());
  EXPECT_EQ(ask(proxy).body, "ok");
  EXPECT_EQ(proxy.counter("cluster.origin.ssl.handshake"), 1u);
}

TEST_F(TlsUpstream, RefusesWhoeverItCannotVerify) {
  serve("DNS:other.test");
  yaml_.cluster = upstream_tls(trusting(folder_), "sni: origin.test");
  TestProxy proxy(yaml_.text());
  const auto answer = ask(proxy);
  EXPECT_EQ(answer.status(), 503);
  EXPECT_TRUE(answer.body.starts_with(
      "upstream connect error or disconnect/reset before headers. reset reason: "
      "remote connection failure, transport failure reason: TLS_error:|"))
      << answer.body;
  EXPECT_NE(answer.body.find("the certificate is not for \"origin.test\""), std::string::npos)
      << answer.body;
  EXPECT_EQ(proxy.counter("cluster.origin.ssl.fail_verify_san"), 1u);
  EXPECT_EQ(proxy.counter("cluster.origin.upstream_cx_connect_fail"), 1u);
  EXPECT_EQ(origin_.requests(), 0u);
}

TEST_F(TlsUpstream, ARefusalAfterTheHandshakeIsExplained) {
  Origin origin;
  TestProxy proxy(before(origin));
  Peer client = proxy.connect();
  client.send(get());
  Peer server = origin.accept();
  TlsSide side = origin_side();
  side.ca = ca_.pem();  // of the client's certificate, which the proxy does not have
  EXPECT_THROW(server.start_tls(Role::kServer, side), std::runtime_error);
  const auto answer = client.read_message();
  EXPECT_EQ(answer.status(), 503);
  EXPECT_NE(answer.body.find("transport failure reason: TLS_error:"), std::string::npos)
      << answer.body;
  EXPECT_NE(answer.body.find("certificate required"), std::string::npos) << answer.body;
}

TEST_F(TlsUpstream, WithoutAuthorityTheSystemsRootsDecide) {
  serve("IP:127.0.0.1");
  yaml_.cluster = upstream_tls("");
  {
    TestProxy proxy(yaml_.text());
    const auto answer = ask(proxy);
    EXPECT_EQ(answer.status(), 503);
    EXPECT_NE(answer.body.find("unable to get local issuer certificate"), std::string::npos)
        << answer.body;
  }
  yaml_.cluster = upstream_tls("validation_context: {trust_chain_verification: ACCEPT_UNTRUSTED}");
  TestProxy proxy(yaml_.text());
  EXPECT_EQ(ask(proxy).body, "ok");
}

TEST_F(TlsUpstream, AnswersInTheClearAreNoAnswers) {
  Origin plain;
  TestProxy proxy(before(plain));
  Peer client = proxy.connect();
  client.send(get());
  Peer origin = plain.accept();
  origin.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi");
  const auto answer = client.read_message();
  EXPECT_EQ(answer.status(), 503);
  EXPECT_NE(answer.body.find("wrong version number"), std::string::npos) << answer.body;
}

TEST_F(TlsUpstream, AnEarlyAnswerIsHeardAlsoWhenTheUploadFails) {
  Origin origin;
  TestProxy proxy(before(origin));
  for (int i = 0; i < 8; ++i) {
    Peer client = proxy.connect();
    client.send("POST / HTTP/1.1\r\nHost: a\r\ncontent-length: 30000000\r\n\r\n");
    std::thread upload([&client] {
      try {
        for (int sent = 0; sent < 30; ++sent) client.send(std::string(1000000, 'x'));
      } catch (const std::runtime_error&) {  // nobody takes it any more
      }
    });
    {
      Peer server = origin.accept();
      server.start_tls(Role::kServer, origin_side());
      // Else the answer waits for an ACK of the tickets, and the reset throws it away.
      const int at_once = 1;
      ::setsockopt(server.fd(), IPPROTO_TCP, TCP_NODELAY, &at_once, sizeof at_once);
      server.read_head();
      server.send(response("too large", 413));
      // It goes with unread bytes: the kernel resets the connection.
    }
    const Peer::Message answer = client.read_message();
    upload.join();
    EXPECT_EQ(answer.status(), 413);
    EXPECT_EQ(answer.body, "too large");
  }
}

TEST_F(TlsUpstream, ResponseThatIsCutIsNotComplete) {
  Origin origin;
  TestProxy proxy(before(origin));
  Peer client = proxy.connect();
  client.send(get());
  Peer server = origin.accept();
  server.start_tls(Role::kServer, origin_side());
  server.read_message();
  server.send("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhalf of it");
  ::shutdown(server.fd(), SHUT_WR);  // no close_notify: nobody knows whether that was all
  client.read_head();
  proxy.wait_for("the end of the connection",
                 [&] { return proxy.gauge("http.ingress.downstream_cx_active") == 0; });
  EXPECT_EQ(client.read_to_end().find("0\r\n\r\n"), std::string::npos);
}

TEST_F(TlsUpstream, SessionsAreResumed) {
  serve("DNS:origin.test");
  AutoOrigin closing(
      [](const Peer::Message&) { return response("ok", 200, "connection: close\r\n"); });
  TlsSide side;
  side.certificate = ca_.issue("DNS:origin.test");
  yaml_.origin_port = origin_.port();
  yaml_.cluster =
      upstream_tls(trusting(folder_), "sni: origin.test") + "max_requests_per_connection: 1\n";
  TestProxy proxy(yaml_.text());
  for (int i = 0; i < 3; ++i) EXPECT_EQ(ask(proxy).body, "ok");
  EXPECT_EQ(proxy.counter("cluster.origin.ssl.handshake"), 3u);
}

TEST_F(TlsUpstream, RequestsNameTheServer) {
  serve("DNS:a.test,DNS:b.test");
  yaml_.cluster =
      upstream_tls(trusting(folder_)) +
      "typed_extension_protocol_options:\n"
      "  envoy.extensions.upstreams.http.v3.HttpProtocolOptions:\n"
      "    \"@type\": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions\n"
      "    explicit_http_config: {http_protocol_options: {}}\n"
      "    upstream_http_protocol_options: {auto_sni: true, auto_san_validation: true, "
      "override_auto_sni_header: x-server}\n";
  TestProxy proxy(yaml_.text());
  const auto ask_for = [&proxy](const std::string& host, const std::string& headers = "") {
    Peer peer = proxy.connect();
    peer.send("GET / HTTP/1.1\r\nHost: " + host + "\r\n" + headers + "\r\n");
    return peer.read_message();
  };
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(ask_for("a.test").body, "ok");
    EXPECT_EQ(ask_for("B.test:8443").body, "ok");
  }
  // A connection for each name, and each is used again.
  EXPECT_EQ(proxy.counter("cluster.origin.ssl.handshake"), 2u);
  EXPECT_EQ(ask_for("c.test", "x-server: a.test\r\n").body, "ok");
  EXPECT_EQ(proxy.counter("cluster.origin.ssl.handshake"), 2u);
  const auto refused = ask_for("c.test");
  EXPECT_EQ(refused.status(), 503);
  EXPECT_NE(refused.body.find("the certificate is not for \"c.test\""), std::string::npos)
      << refused.body;
}

// --- certificates that change --------------------------------------------------------------------------------------

TEST_F(Tls, RotationServesNewHandshakesAndDisturbsNobody) {
  TestProxy proxy(yaml_.text(), from_file());
  Peer old = connect(proxy);
  old.send(get());
  EXPECT_EQ(old.read_message().body, "ok");
  EXPECT_EQ(old.tls().peer_name(), "localhost");
  TestCa::Wanted wanted;
  wanted.names = "DNS:rotated.test,DNS:localhost";
  wanted.own_key = true;
  write_pair(folder_, "server", ca_.issue(wanted));  // the moment between the two files is an error
  proxy.wait_for("the new certificate",
                 [&] { return connect(proxy).tls().peer_name() == "rotated.test"; });
  for (int i = 0; i < 2; ++i) {
    old.send(get());
    const auto answer = old.read_message();
    EXPECT_EQ(answer.body, "ok");
    EXPECT_FALSE(answer.has("connection"));
  }
}

TEST_F(Tls, BadFilesLeaveTheOldOnesServing) {
  TestProxy proxy(yaml_.text(), from_file());
  TestCa::Wanted expired;
  expired.until_s = -60;
  TestCa::Wanted other;
  other.own_key = true;
  const CertificatePem good = ca_.issue("DNS:localhost");
  const struct {
    std::string file, content, reason;
  } mistakes[] = {
      {"server.key", ca_.issue(other).key, "does not belong to the certificate"},
      {"server.pem", good.certificate.substr(0, 200), "server.pem: "},
      {"server.pem", ca_.issue(expired).certificate, "has expired"},
  };
  uint64_t rejected = 0;
  const CertificatePem before{good.certificate, good.key};
  for (const auto& mistake : mistakes) {
    folder_.write_renamed(mistake.file, mistake.content);
    proxy.wait_for_rejection(++rejected);
    EXPECT_NE(proxy.admin("/reload").find(mistake.reason), std::string::npos)
        << proxy.admin("/reload");
    EXPECT_GE(proxy.counter("config.tls_context_rejected"), rejected);
    Peer peer = connect(proxy);
    peer.send(get());
    EXPECT_EQ(peer.read_message().body, "ok");
    folder_.write_renamed(mistake.file,
                          mistake.file.ends_with("key") ? before.key : before.certificate);
    proxy.wait_for("the good file", [&] { return proxy.gauge("config.last_reload_ok") == 1; });
  }
}

TEST_F(Tls, TicketsSurviveEditsThatAreNotTheirs) {
  TestProxy proxy(yaml_.text(), from_file());
  TlsSide side = client();
  Peer first = connect(proxy, side);
  first.send(get());
  first.read_message();
  side.session = first.tls().session();
  yaml_.routes =
      "- match: {prefix: /}\n  direct_response: {status: 200, body: {inline_string: edited}}\n";
  proxy.write_config(yaml_.text());
  proxy.wait_for_generation(2);
  Peer second = connect(proxy, side);
  EXPECT_TRUE(second.tls().resumed());
  second.send(get());
  EXPECT_EQ(second.read_message().body, "edited");
  EXPECT_EQ(proxy.counter(ssl(proxy, "session_reused")), 1u);
}

TEST_F(Tls, RotationUnderLoadBreaksNothing) {
  TestProxy proxy(yaml_.text(), from_file());
  std::atomic<bool> stop{false};
  std::atomic<int> good{0}, bad{0};
  std::vector<std::thread> clients;
  for (int i = 0; i < 3; ++i) {
    clients.emplace_back([&] {
      while (!stop) {
        try {
          Peer peer = connect(proxy);
          for (int k = 0; k < 5; ++k) {
            peer.send(get());
            (peer.read_message().body == "ok" ? good : bad)++;
          }
        } catch (const std::exception&) {
          ++bad;
        }
      }
    });
  }
  for (uint64_t i = 1; i <= 8; ++i) {
    // One key for all: each file is right as soon as it stands there.
    folder_.write_renamed("server.pem",
                          ca_.issue("DNS:localhost,DNS:n" + std::to_string(i)).certificate);
    proxy.wait_for_generation(i + 1);
  }
  stop = true;
  for (std::thread& each : clients) each.join();
  EXPECT_EQ(bad.load(), 0);
  EXPECT_GT(good.load(), 0);
}

TEST_F(Tls, SecretsComeFromFiles) {
  const auto secret = [this](const std::string& pair) {
    return "resources:\n- \"@type\": "
           "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret\n"
           "  name: pair\n  tls_certificate: " +
           pair_yaml(folder_, pair) + "\n";
  };
  write_pair(folder_, "other", ca_.issue("DNS:other.test"));
  const std::string file = folder_.write("sds.yaml", secret("server"));
  yaml_.chain = downstream_tls(
      "tls_certificate_sds_secret_configs: [{name: pair, sds_config: {path_config_source: {path: " +
      file + "}, resource_api_version: V3}}]");
  TestProxy proxy(yaml_.text(), from_file());
  EXPECT_EQ(connect(proxy).tls().peer_name(), "localhost");
  folder_.write("sds.yaml", secret("other"));
  proxy.wait_for("the other certificate",
                 [&] { return connect(proxy).tls().peer_name() == "other.test"; });
}

}  // namespace
}  // namespace weir::test
