// gRPC calls and streams of guests, against a scripted HTTP/2 service.
#include <gtest/gtest.h>

#include <sstream>
#include <vector>
#include <weir/grpc.h>

#include "integration/filters/wasm_dialogue.h"
#include "support/h2_peer.h"
#include "support/log_lines.h"

namespace weir::test {
namespace {

constexpr const char* kHttp2 = "explicit_http_config: {http2_protocol_options: {}}";

std::string yaml_of(const Plugin& plugin, uint16_t port, std::string_view protocol = kHttp2,
                    std::string_view cluster = "") {
  Yaml yaml;
  yaml.filters = filter(plugin);
  yaml.routes = kDirect;
  yaml.origin_port = port;
  if (!protocol.empty()) yaml.cluster = http_protocol_options(protocol);
  yaml.cluster += cluster;
  return yaml.text();
}

std::string frame(std::string_view message) {
  const auto prefix = grpc_prefix(static_cast<uint32_t>(message.size()));
  return std::string(prefix.data(), prefix.size()).append(message);
}

const Fields kGrpc = {{"content-type", "application/grpc"}};
constexpr const char* kResume = ";grpc_message=continue;grpc_close=continue";

/// One request whose guest makes a call, and the service's side of it.
struct Dialogue {
  explicit Dialogue(Plugin plugin = {}) : proxy(yaml_of(plugin, origin.port())) {}
  void ask(const std::string& script) { ask(client, script); }
  void ask(Peer& peer, const std::string& script) {
    peer.send("GET / HTTP/1.1\r\nHost: a\r\nx-do: " + script + "\r\n\r\n");
  }
  H2Origin& service() {
    if (!connection) connection = std::make_unique<H2Origin>(origin.accept());
    return *connection;
  }
  void head(H2Request& request) { service().send_head(request, 200, EndStream::kNo, kGrpc); }
  void message(H2Request& request, std::string_view text) {
    service().send_body(request, frame(text), EndStream::kNo);
  }
  void end(H2Request& request, const char* status = "0", const char* text = "") {
    service().send_trailers(request, {{"grpc-status", status}, {"grpc-message", text}});
  }
  void answer(H2Request& request, std::string_view text) {
    head(request);
    message(request, text);
    end(request);
  }
  void aborted(H2Request& request) {
    service().wait_until("the reset", [&] { return request.aborted; });
  }
  void received(H2Request& request, const std::string& body) {
    service().wait_until("messages", [&] { return request.body.size() >= body.size(); });
    EXPECT_EQ(request.body, body);
  }
  /// What the guest has to say.
  std::string said() { return client.read_message().head; }

  Origin origin;
  TestProxy proxy;
  Peer client = proxy.connect();
  std::unique_ptr<H2Origin> connection;
};

bool says(const std::string& head, const std::string& what) {
  return head.find("x-probe: " + what + "\r\n") != std::string::npos;
}

/// The lines of the report, in order, without what the actions themselves answered.
std::vector<std::string> events(const std::string& head) {
  std::vector<std::string> out;
  std::istringstream lines(head);
  for (std::string line; std::getline(lines, line);) {
    const size_t at = line.find(".answer=");
    if (!line.starts_with("x-probe: grpc_") || at == std::string::npos) continue;
    line.pop_back();  // CR
    out.push_back(line.substr(14, at - 14) + line.substr(at + 7));
  }
  return out;
}
using Events = std::vector<std::string>;

// ---- unary ------------------------------------------------------------------------------------------

TEST(WasmGrpcCall, SuccessIsOneMessageAndNothingElse) {
  Dialogue each;
  each.ask(std::string("request_headers=grpc_call|origin|Ask|question|2500|x-a:1,content-type:no;"
                       "request_headers=pause") +
           kResume);
  H2Request& request = each.service().next();
  EXPECT_EQ(request.head.method(), "POST");
  EXPECT_EQ(request.head.path(), "/probe.Service/Ask");
  EXPECT_EQ(request.head.authority(), "origin");
  EXPECT_EQ(request.header("content-type"), "application/grpc");
  EXPECT_EQ(request.header("te"), "trailers");
  EXPECT_EQ(request.header("grpc-timeout"), "2500m");
  EXPECT_EQ(request.header("x-a"), "1");
  EXPECT_EQ(request.body, frame("question"));
  each.answer(request, "answer");
  const std::string head = each.said();
  EXPECT_TRUE(says(head, "request_headers.grpc_call=ok")) << head;
  EXPECT_EQ(events(head), (Events{"message=6,answer"}));
  EXPECT_EQ(each.proxy.counter("wasm.p.grpc_calls"), 1u);
  EXPECT_EQ(each.proxy.counter("wasm.p.grpc_failures"), 0u);
}

TEST(WasmGrpcCall, AnswersComeInAnyPieces) {
  Dialogue each;
  for (size_t split = 0; split <= frame("ab").size(); ++split) {
    each.ask(std::string("request_headers=grpc_call|origin|Ask||0;request_headers=pause") +
             kResume);
    H2Request& request = each.service().next();
    EXPECT_EQ(request.header("grpc-timeout"), "");
    const std::string bytes = frame("ab");
    each.head(request);
    each.service().send_body(request, bytes.substr(0, split), EndStream::kNo);
    each.service().send_body(request, bytes.substr(split), EndStream::kNo);
    each.end(request);
    EXPECT_EQ(events(each.said()), (Events{"message=2,ab"})) << split;
  }
}

/// What the service does, and what the guest gets.
struct Failing {
  const char* name;
  void (*service)(Dialogue&, H2Request&);
  const char* expected;
};
void PrintTo(const Failing& each, std::ostream* out) { *out << each.name; }
class WasmGrpcFailure : public ::testing::TestWithParam<Failing> {};

TEST_P(WasmGrpcFailure, IsOneCloseWithItsStatus) {
  Dialogue each;
  each.ask(std::string("request_headers=grpc_call|origin|Ask|q|0;request_headers=pause") + kResume);
  H2Request& request = each.service().next();
  GetParam().service(each, request);
  EXPECT_EQ(events(each.said()), (Events{GetParam().expected}));
  EXPECT_EQ(each.proxy.counter("wasm.p.grpc_failures"), 1u);
  // The next call is served.
  each.ask(std::string("request_headers=grpc_call|origin|Ask|q|0;request_headers=pause") + kResume);
  if (each.service().ended()) each.connection.reset();
  each.answer(each.service().next(), "fine");
  EXPECT_EQ(events(each.said()), (Events{"message=4,fine"}));
}

void reply(Dialogue& each, H2Request& request, int status, const Fields& fields) {
  each.service().send_head(request, status, EndStream::kYes, fields);
}

INSTANTIATE_TEST_SUITE_P(
    All, WasmGrpcFailure,
    ::testing::Values(
        Failing{"in_trailers",
                [](Dialogue& each, H2Request& request) {
                  each.head(request);
                  each.end(request, "7", "not%20you%2C \xc3\xa4 100%");
                },
                "close=7,not%20you,%20%C3%A4%20100%25"},
        Failing{"after_the_answer",
                [](Dialogue& each, H2Request& request) {
                  each.head(request);
                  each.message(request, "half");
                  each.end(request, "13", "broken");
                },
                "close=13,broken"},
        Failing{"trailers_only",
                [](Dialogue& each, H2Request& request) {
                  reply(each, request, 200,
                        {{"content-type", "application/grpc"}, {"grpc-status", "5"}});
                },
                "close=5"},
        Failing{"trailers_only_of_an_http_error",
                [](Dialogue& each, H2Request& request) {
                  reply(each, request, 503, {{"grpc-status", "8"}, {"grpc-message", "busy"}});
                },
                "close=8,busy"},
        Failing{"http_error",
                [](Dialogue& each, H2Request& request) { reply(each, request, 403, {}); },
                "close=7,HTTP%20status%20403"},
        Failing{"no_message",
                [](Dialogue& each, H2Request& request) {
                  each.head(request);
                  each.end(request);
                },
                "close=13,the%20answer%20has%20no%20message"},
        Failing{"two_messages",
                [](Dialogue& each, H2Request& request) {
                  each.head(request);
                  each.service().send_body(request, frame("a") + frame("b"), EndStream::kNo);
                  each.end(request);
                },
                "close=13,more%20than%20one%20answer"},
        Failing{"no_status",
                [](Dialogue& each, H2Request& request) {
                  each.head(request);
                  each.service().send_body(request, frame("a"), EndStream::kYes);
                },
                "close=2,the%20answer%20has%20no%20grpc-status"},
        Failing{"unknown_status",
                [](Dialogue& each, H2Request& request) {
                  each.head(request);
                  each.end(request, "17");
                },
                "close=2,the%20answer's%20grpc-status%20is%20none"},
        Failing{"cut_message",
                [](Dialogue& each, H2Request& request) {
                  each.head(request);
                  each.service().send_body(request, frame("abc").substr(0, 6), EndStream::kNo);
                  each.end(request);
                },
                "close=13,a%20message%20is%20cut%20short"},
        Failing{"compressed",
                [](Dialogue& each, H2Request& request) {
                  each.head(request);
                  std::string bytes = frame("abc");
                  bytes[0] = 1;
                  each.service().send_body(request, bytes, EndStream::kNo);
                },
                "close=13,a%20message%20is%20compressed,%20which%20was%20not%20asked%20for"},
        Failing{"too_large",
                [](Dialogue& each, H2Request& request) {
                  each.head(request);
                  each.service().send_body(request, std::string("\0\0\x40\0\1x", 6),
                                           EndStream::kNo);
                },
                "close=8,a%20message%20is%20too%20large"},
        Failing{"no_grpc",
                [](Dialogue& each, H2Request& request) {
                  each.service().send_head(request, 200, EndStream::kNo,
                                           {{"content-type", "text/html"}});
                },
                "close=2,the%20answer%20is%20not%20gRPC"},
        Failing{"reset", [](Dialogue& each, H2Request& request) { each.service().reset(request); },
                "close=13,remote%20reset"},
        Failing{"connection_lost",
                [](Dialogue& each, H2Request& request) {
                  each.head(request);
                  each.message(request, "half");
                  each.connection.reset();
                },
                "close=14,connection%20termination"}),
    [](const auto& info) { return std::string(info.param.name); });

TEST(WasmGrpcCall, TimeoutIsDeadlineExceeded) {
  Dialogue each;
  each.ask(std::string("request_headers=grpc_call|origin|Ask|q|30;request_headers=pause") +
           kResume);
  H2Request& request = each.service().next();
  EXPECT_EQ(events(each.said()), (Events{"close=4,upstream%20request%20timeout"}));
  each.aborted(request);
  EXPECT_EQ(each.proxy.counter("cluster.origin.upstream_rq_timeout"), 1u);
}

/// A cluster "none".
constexpr const char* kNoHosts =
    "- {name: none, typed_extension_protocol_options: "
    "{envoy.extensions.upstreams.http.v3.HttpProtocolOptions: {\"@type\": "
    "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions, "
    "explicit_http_config: {http2_protocol_options: {}}}}}\n";

/// A call that nobody sees, with other clusters.
std::string said_of(const std::string& yaml, const std::string& upstream = "origin") {
  TestProxy proxy(yaml);
  Peer client = proxy.connect();
  return ask(client, "x-do: request_headers=grpc_call|" + upstream +
                         "|Ask|q|2000;request_headers=pause;grpc_close=continue\r\n")
      .head;
}

TEST(WasmGrpcCall, UnreachableServicesAreUnavailable) {
  uint16_t unused = 0;
  { unused = Origin().port(); }
  const std::string refused = said_of(yaml_of({}, unused));
  ASSERT_EQ(events(refused).size(), 1u) << refused;
  EXPECT_TRUE(events(refused)[0].starts_with("close=14,remote%20connection%20failure")) << refused;
  Yaml none;
  none.filters = filter({});
  none.routes = kDirect;
  none.more_clusters = kNoHosts;
  EXPECT_EQ(events(said_of(none.text(), "none")), (Events{"close=14,no%20healthy%20upstream"}));
}

TEST(WasmGrpcCall, ClustersOfHttp1AreUnavailable) {
  AutoOrigin origin([](const Peer::Message&) { return response("origin"); });
  EXPECT_EQ(events(said_of(yaml_of({}, origin.port(), ""))),
            (Events{"close=14,cluster%20origin%20does%20not%20speak%20HTTP/2"}));
}

TEST(WasmGrpcCall, UnknownAndForbiddenClustersAreAnsweredAtOnce) {
  const Plugin plugin{.plugin = "allowed_clusters: [other]"};
  TestProxy proxy(yaml_of(plugin, 9));
  Peer client = proxy.connect();
  const std::string head = ask(client,
                               "x-do: request_headers=grpc_call|origin|Ask|q|9;"
                               "request_headers=grpc_stream|nobody;"
                               "request_headers=grpc_call|other|Ask|q|9\r\n")
                               .head;
  EXPECT_TRUE(says(head, "request_headers.grpc_call=status:4")) << head;
  EXPECT_TRUE(says(head, "request_headers.grpc_stream=status:4")) << head;
  EXPECT_EQ(proxy.counter("wasm.p.limit.clusters"), 2u);
  EXPECT_EQ(proxy.counter("wasm.p.grpc_calls"), 0u);
}

TEST(WasmGrpcCall, MalformedNamesAndMetadataAreInternalFailures) {
  TestProxy proxy(yaml_of({}, 9));
  Peer client = proxy.connect();
  const std::string head = ask(client,
                               "x-do: request_headers=grpc_call|origin|a/b|q|9;"
                               "request_headers=grpc_stream|origin|T|:path:/x;"
                               "request_headers=grpc_stream|origin|T|a b:c\r\n")
                               .head;
  EXPECT_TRUE(says(head, "request_headers.grpc_call=status:10")) << head;
  EXPECT_TRUE(says(head, "request_headers.grpc_stream=status:10")) << head;
  EXPECT_FALSE(says(head, "request_headers.grpc_stream=ok")) << head;
}

TEST(WasmGrpcCall, UpstreamMayBeASerialisedService) {
  Dialogue each;
  // envoy_grpc {cluster_name: "origin", authority: "auth"}, timeout {seconds: 3}, initial_metadata {key: "k", value: "v"}
  each.ask(std::string("request_headers=grpc_call|%0A%0E%0A%06origin%12%04auth%1A%02%08%03"
                       "*%06%0A%01k%12%01v|Ask|q|0;request_headers=pause") +
           kResume);
  H2Request& request = each.service().next();
  EXPECT_EQ(request.head.authority(), "auth");
  EXPECT_EQ(request.header("grpc-timeout"), "3000m");
  EXPECT_EQ(request.header("k"), "v");
  each.answer(request, "a");
  EXPECT_EQ(events(each.said()), (Events{"message=1,a"}));
}

TEST(WasmGrpcCall, CallsCountAsCallouts) {
  Dialogue each(Plugin{.vm = "limits: {max_callouts: 1}"});
  each.ask(std::string("request_headers=grpc_call|origin|Ask|q|0;"
                       "request_headers=grpc_stream|origin;request_headers=pause") +
           kResume);
  each.answer(each.service().next(), "a");
  EXPECT_TRUE(says(each.said(), "request_headers.grpc_stream=status:10"));
  EXPECT_EQ(each.proxy.counter("wasm.p.limit.callouts"), 1u);
}

TEST(WasmGrpcCall, CancelledOneIsResetAndNeverAnswered) {
  Dialogue each;
  each.ask(std::string("request_headers=grpc_call|origin|Ask|q|0;request_headers=pause") + kResume);
  H2Request& request = each.service().next();
  Peer other = each.proxy.connect();
  each.ask(other, "request_headers=grpc_cancel@1005;request_headers=grpc_cancel@1005");
  const std::string head = other.read_message().head;
  EXPECT_TRUE(says(head, "request_headers.grpc_cancel=ok")) << head;
  EXPECT_TRUE(says(head, "request_headers.grpc_cancel=status:1")) << head;
  each.aborted(request);
  EXPECT_TRUE(each.client.quiet());
}

TEST(WasmGrpcCall, AnswersComeAlthoughTheStreamHasGone) {
  Dialogue each;
  each.ask("request_headers=grpc_call|origin|Ask|q|0");
  EXPECT_TRUE(says(each.said(), "request_headers.grpc_call=ok"));
  H2Request& request = each.service().next();
  each.proxy.admin("/logging?wasm=info", "POST");
  const LogLines lines;
  each.answer(request, "late");
  each.proxy.wait_for(
      "the guest", [&lines] { return lines.with("grpc_message for a stream that has gone") == 1; });
}

TEST(WasmGrpcCall, GuestThatTriesAgainAtOnceDoesNotKeepTheWorkerBusy) {
  Yaml none;
  none.filters = filter({});
  none.routes = kDirect;
  none.more_clusters = kNoHosts;
  TestProxy proxy(none.text());
  Peer client = proxy.connect();
  client.send(
      "GET / HTTP/1.1\r\nHost: a\r\nx-do: request_headers=grpc_call|none|Ask|q|0;"
      "request_headers=pause;grpc_close=grpc_call|none|Ask|q|0\r\n\r\n");
  proxy.wait_for("some failures", [&] { return proxy.counter("wasm.p.grpc_failures") > 3; });
  Peer other = proxy.connect();
  EXPECT_EQ(ask(other).status(), 200);
}

TEST(WasmGrpcCall, FormsOf2020HaveNoMetadata) {
  Dialogue each(Plugin{.guest = "grpc_2020"});
  each.ask("");
  H2Request& call = each.service().next();
  EXPECT_EQ(call.head.path(), "/old.Service/Ask");
  EXPECT_EQ(call.body, frame("question"));
  EXPECT_EQ(call.header("grpc-timeout"), "700m");
  H2Request& stream = each.service().next();
  EXPECT_EQ(stream.head.path(), "/old.Service/Talk");
  EXPECT_EQ(stream.body, frame("question"));
  EXPECT_TRUE(each.client.quiet());
  each.answer(call, "a");
  EXPECT_EQ(each.client.read_message().status(), 200);
}

// ---- streams ----------------------------------------------------------------------------------------

TEST(WasmGrpcStream, GoesBothWays) {
  Dialogue each;
  each.ask(
      "request_headers=grpc_stream|origin|Talk|x-a:1;request_headers=grpc_send|one;"
      "request_headers=pause;grpc_head=get@4|x-h;grpc_head=get@4|:status;"
      "grpc_message=grpc_send|again;grpc_trailers=get@5|x-t;grpc_close=continue");
  H2Request& request = each.service().next(false);
  EXPECT_EQ(request.head.path(), "/probe.Service/Talk");
  EXPECT_EQ(request.header("x-a"), "1");
  each.received(request, frame("one"));
  each.service().send_head(request, 200, EndStream::kNo,
                           {{"content-type", "application/grpc"}, {"x-h", "h"}});
  each.message(request, "a");
  each.received(request, frame("one") + frame("again"));
  each.message(request, "");
  each.received(request, frame("one") + frame("again") + frame("again"));
  each.service().send_trailers(request, {{"grpc-status", "0"}, {"x-t", "t"}});
  const std::string head = each.said();
  EXPECT_EQ(events(head), (Events{"head=3", "message=1,a", "message=0", "trailers=2", "close=0"}));
  EXPECT_TRUE(says(head, "grpc_head.get=ok:h")) << head;
  EXPECT_TRUE(says(head, "grpc_head.get=ok:200")) << head;
  EXPECT_TRUE(says(head, "grpc_trailers.get=ok:t")) << head;
  EXPECT_EQ(each.proxy.counter("wasm.p.grpc_streams"), 1u);
  EXPECT_EQ(each.proxy.counter("wasm.p.grpc_failures"), 0u);
}

TEST(WasmGrpcStream, HalfCloseLeavesTheOtherHalfOpen) {
  Dialogue each;
  each.ask(
      "request_headers=grpc_stream|origin;request_headers=grpc_send|one;"
      "request_headers=grpc_send|two|1;request_headers=grpc_send|three;"
      "request_headers=grpc_end;request_headers=pause;grpc_close=continue");
  H2Request& request = each.service().next();
  EXPECT_EQ(request.body, frame("one") + frame("two"));
  each.answer(request, "a");
  const std::string head = each.said();
  EXPECT_EQ(events(head), (Events{"head=2", "message=1,a", "trailers=2", "close=0"}));
  EXPECT_TRUE(says(head, "request_headers.grpc_send=status:1")) << head;
  EXPECT_TRUE(says(head, "request_headers.grpc_end=ok")) << head;
}

TEST(WasmGrpcStream, TrailersAloneAreAnEmptyHeadAndTheTrailers) {
  Dialogue each;
  each.ask(
      "request_headers=grpc_stream|origin;request_headers=pause;grpc_head=pairs@4;"
      "grpc_trailers=get@5|grpc-message;grpc_close=continue;grpc_close=grpc_end;"
      "grpc_close=grpc_send|x");
  reply(each, each.service().next(false), 200,
        {{"content-type", "application/grpc"}, {"grpc-status", "16"}, {"grpc-message", "who"}});
  const std::string head = each.said();
  EXPECT_EQ(events(head), (Events{"head=0", "trailers=3", "close=16,who"}));
  EXPECT_TRUE(says(head, "grpc_head.pairs=ok:0")) << head;
  // The id has gone.
  EXPECT_TRUE(says(head, "grpc_close.grpc_end=status:1")) << head;
  EXPECT_TRUE(says(head, "grpc_close.grpc_send=status:1")) << head;
}

TEST(WasmGrpcStream, CancelInACallbackIsTheLastOfIt) {
  Dialogue each;
  each.ask(
      "request_headers=grpc_stream|origin;request_headers=pause;grpc_message=grpc_cancel;"
      "grpc_message=continue");
  H2Request& request = each.service().next(false);
  each.head(request);
  each.service().send_body(request, frame("a") + frame("b"), EndStream::kNo);
  EXPECT_EQ(events(each.said()), (Events{"head=2", "message=1,a"}));
  each.aborted(request);
  EXPECT_EQ(each.proxy.counter("wasm.p.grpc_failures"), 0u);
}

TEST(WasmGrpcStream, OtherCalloutsIdsAreBadArguments) {
  Dialogue each;
  each.ask(
      "request_headers=grpc_send@1004|x;request_headers=grpc_end@1007;"
      "request_headers=grpc_cancel@1006;request_headers=grpc_send@1006|x");
  const std::string head = each.said();
  EXPECT_TRUE(says(head, "request_headers.grpc_send=status:2")) << head;
  EXPECT_TRUE(says(head, "request_headers.grpc_end=status:2")) << head;
  EXPECT_TRUE(says(head, "request_headers.grpc_cancel=status:1")) << head;
  EXPECT_TRUE(says(head, "request_headers.grpc_send=status:1")) << head;
}

TEST(WasmGrpcStream, ManyMessagesInOneStream) {
  Dialogue each;
  each.ask(
      "request_headers=grpc_stream|origin;request_headers=pause;grpc_message=grpc_send|echo;"
      "grpc_close=continue");
  H2Request& request = each.service().next(false);
  each.head(request);
  std::string all;
  std::string echoes;
  for (int i = 0; i < 400; ++i) {
    all += frame("message " + std::to_string(i));
    echoes += frame("echo");
  }
  for (size_t at = 0; at < all.size(); at += 777)
    each.service().send_body(request, all.substr(at, 777), EndStream::kNo);
  each.received(request, echoes);
  each.end(request);
  EXPECT_EQ(each.client.read_message().status(), 200);
}

TEST(WasmGrpcStream, GuestThatSendsFasterThanTheServiceReadsIsTold) {
  Dialogue each;
  each.ask(
      "request_headers=grpc_stream|origin;request_headers=grpc_send_fill|5000000;"
      "request_headers=grpc_send_fill|3000000;request_headers=grpc_send_fill|3000000;"
      "request_headers=grpc_send_fill|3000000");
  const std::string head = each.said();
  EXPECT_TRUE(says(head, "request_headers.grpc_send_fill=ok")) << head;
  EXPECT_TRUE(says(head, "request_headers.grpc_send_fill=status:2")) << head;
  EXPECT_EQ(each.proxy.counter("wasm.p.limit.grpc_buffer"), 2u);
  H2Request& request = each.service().next(false);
  each.service().wait_until("two messages", [&] { return request.body.size() == 2 * 3000005; });
}

TEST(WasmGrpcStream, WhatAStartingGuestAsksForWaitsForItsWorker) {
  Dialogue each(Plugin{.configuration = "configure=grpc_stream|origin;configure=grpc_send|early;"
                                        "configure=grpc_send|last|1;configure=grpc_call|none"});
  H2Request& request = each.service().next();
  EXPECT_EQ(request.body, frame("early") + frame("last"));
  each.answer(request, "a");
  // The other one names no cluster. What the canary asked for counts nowhere.
  each.proxy.wait_for("a failure", [&] { return each.proxy.counter("wasm.p.grpc_failures") == 1; });
  EXPECT_EQ(each.proxy.counter("wasm.p.grpc_streams"), 1u);
  EXPECT_EQ(each.service().requests(), 1u);
}

TEST(WasmGrpcStream, EndsWithTheVmThatTraps) {
  Dialogue each;
  each.ask("request_headers=grpc_stream|origin;request_headers=pause");
  H2Request& request = each.service().next(false);
  each.head(request);
  Peer other = each.proxy.connect();
  each.ask(other, "request_headers=trap");
  EXPECT_EQ(other.read_message().status(), 503);
  each.aborted(request);
  EXPECT_EQ(each.client.read_message().status(), 503);
}

TEST(WasmGrpcStream, TrapInACallbackIsTheLastOfIt) {
  for (const char* callback : {"grpc_head", "grpc_message", "grpc_trailers", "grpc_close"}) {
    Dialogue each;
    each.ask(std::string("request_headers=grpc_stream|origin;request_headers=pause;") + callback +
             "=trap");
    H2Request& request = each.service().next(false);
    each.head(request);
    each.service().send_body(request, frame("a") + frame("b"), EndStream::kNo);
    each.end(request);
    EXPECT_EQ(each.client.read_message().status(), 503) << callback;
    EXPECT_EQ(each.proxy.counter("wasm.p.traps"), 1u) << callback;
  }
}

TEST(WasmGrpcStream, GoesOnWithoutTheStreamThatBeganIt) {
  Dialogue each;
  each.ask("request_headers=grpc_stream|origin;request_headers=grpc_send|one");
  EXPECT_TRUE(says(each.said(), "request_headers.grpc_stream=ok"));
  H2Request& request = each.service().next(false);
  each.received(request, frame("one"));
  Peer other = each.proxy.connect();
  each.ask(other, "request_headers=grpc_send@1006|two|1");
  EXPECT_TRUE(says(other.read_message().head, "request_headers.grpc_send=ok"));
  each.received(request, frame("one") + frame("two"));
  each.answer(request, "late");
}

}  // namespace
}  // namespace weir::test
