#include "wasm/property.h"

#include <gtest/gtest.h>

#include "base/strings.h"
#include "unit/wasm/fake_guest.h"
#include "unit/wasm/privacy_maker.h"
#include "wasm/pairs.h"

namespace weir::wasm {
namespace {

using namespace std::string_view_literals;
using namespace std::chrono_literals;

TEST(PropertyPath, IsSplitAtNul) {
  const PropertyPath path("request\0headers\0x-a"sv);
  EXPECT_EQ(path.size(), 3u);
  EXPECT_EQ(path.at(0), "request");
  EXPECT_EQ(path.at(2), "x-a");
  EXPECT_EQ(path.at(3), "");
  EXPECT_EQ(path.at(SIZE_MAX), "");
  EXPECT_EQ(path.whole(), "request\0headers\0x-a"sv);
}

TEST(PropertyPath, OneTerminatorIsLeftOut) {
  const PropertyPath once("a\0b\0"sv);
  EXPECT_EQ(once.size(), 2u);
  EXPECT_EQ(once.whole(), "a\0b"sv);
  const PropertyPath twice("a\0\0"sv);
  EXPECT_EQ(twice.size(), 2u);
  EXPECT_EQ(twice.at(1), "");
  EXPECT_EQ(twice.whole(), "a\0"sv);
  for (const std::string_view empty : {""sv, "\0"sv}) {
    const PropertyPath path(empty);
    EXPECT_EQ(path.size(), 1u);
    EXPECT_EQ(path.at(0), "");
    EXPECT_EQ(path.whole(), "");
  }
}

std::string number(uint64_t value) { return {reinterpret_cast<const char*>(&value), sizeof value}; }

class PropertyTest : public ::testing::Test {
 protected:
  explicit PropertyTest(Plugin plugin_of = plugin()) : guest_(std::move(plugin_of), node()) {
    RequestHead& head = guest_.callbacks.request;
    head.set_method("GET");
    head.set_path("/p?q=1?2");
    head.set_authority("a");
    head.set_scheme("http");
    head.headers.add("x-a", "1");
    head.headers.add("x-a", "2");
    guest_.callbacks.response.status = 404;
  }
  static Plugin plugin() {
    Plugin plugin;
    plugin.name = "my plugin";
    plugin.root_id = "my root";
    plugin.vm.vm_id = "my vm";
    plugin.traffic_direction = 2;
    return plugin;
  }
  static NodeInfo node() {
    return {"node id", "cluster", R"({"a":{"b":[1,true,"t",null]},"n":1.5})",
            "region",  "zone",    "sub"};
  }
  /// The path's segments are written with '/'.
  std::string read(std::string path, Status expected = Status::kOk) {
    std::replace(path.begin(), path.end(), '/', '\0');
    std::string out;
    Status status = Status::kOk;
    guest_.in_stream([&] { status = read_property(*guest_.vm, PropertyPath(path), out); });
    EXPECT_EQ(status, expected) << path;
    return out;
  }
  void is_missing(const std::string& path) { read(path, Status::kNotFound); }
  StreamInfo& info() { return guest_.callbacks.info; }

  FakeGuest guest_;
};

TEST_F(PropertyTest, OfTheGuestItself) {
  EXPECT_EQ(read("plugin_name"), "my plugin");
  EXPECT_EQ(read("plugin_root_id"), "my root");
  EXPECT_EQ(read("plugin_vm_id"), "my vm");
  EXPECT_EQ(read("plugin_vm_memory"), number(64 * 1024));
  EXPECT_EQ(read("listener_direction"), number(2));
  EXPECT_EQ(read("xds/listener_direction"), number(2));
}

TEST_F(PropertyTest, OfTheNode) {
  EXPECT_EQ(read("node/id"), "node id");
  EXPECT_EQ(read("xds/node/cluster"), "cluster");
  EXPECT_EQ(read("node/locality/region"), "region");
  EXPECT_EQ(read("node/locality/zone"), "zone");
  EXPECT_EQ(read("node/locality/sub_zone"), "sub");
  const double one = 1, one_and_half = 1.5;
  EXPECT_EQ(read("node/metadata/n"),
            std::string(reinterpret_cast<const char*>(&one_and_half), sizeof one_and_half));
  EXPECT_EQ(read("node/metadata/a/b/0"),
            std::string(reinterpret_cast<const char*>(&one), sizeof one));
  EXPECT_EQ(read("node/metadata/a/b/1"), "\1");
  EXPECT_EQ(read("node/metadata/a/b/2"), "t");
  read("node/metadata/a/b/3", Status::kSerializationFailure);
  EXPECT_NE(read("node").find("node id"), std::string::npos);
  EXPECT_NE(read("node/metadata/a"), "");
  for (const char* path : {"node/other", "node/locality", "node/locality/x", "node/metadata/z",
                           "node/metadata/a/b/4", "node/metadata/a/b/-1", "node/metadata/n/x"})
    is_missing(path);
}

TEST_F(PropertyTest, OfTheRequest) {
  EXPECT_EQ(read("request/path"), "/p?q=1?2");
  EXPECT_EQ(read("request/url_path"), "/p");
  EXPECT_EQ(read("request/query"), "q=1?2");
  EXPECT_EQ(read("request/host"), "a");
  EXPECT_EQ(read("request/headers/X-A"), "1,2");
  EXPECT_EQ(read("request/headers/:path"), "/p?q=1?2");
  is_missing("request/headers/x-b");
  is_missing("request/referer");
  is_missing("request/other");
  is_missing("request");
  const std::string bytes = read("request/headers");
  EXPECT_EQ(decode_pairs(bytes), (PairViews{{":authority", "a"},
                                            {":method", "GET"},
                                            {":path", "/p?q=1?2"},
                                            {":scheme", "http"},
                                            {"x-a", "1,2"}}));
  guest_.callbacks.request.set_path("/p");
  EXPECT_EQ(read("request/query"), "");
}

TEST_F(PropertyTest, NumbersAreEightBytes) {
  info().bytes_received = 7;
  info().request_headers_bytes = 30;
  info().bytes_sent = 9;
  info().response_headers_bytes = 20;
  info().connection_id = 5;
  info().flags = 3;
  EXPECT_EQ(read("request/size"), number(7));
  EXPECT_EQ(read("request/total_size"), number(37));
  EXPECT_EQ(read("response/size"), number(9));
  EXPECT_EQ(read("response/total_size"), number(29));
  EXPECT_EQ(read("response/code"), number(404));
  EXPECT_EQ(read("response/flags"), number(3));
  EXPECT_EQ(read("connection_id"), number(5));
  EXPECT_EQ(read("connection/id"), number(5));
  EXPECT_EQ(read("connection/mtls"), std::string(1, '\0'));
  guest_.callbacks.request.headers.add("content-length", "100");
  EXPECT_EQ(read("request/size"), number(100)) << "what was announced";
}

TEST_F(PropertyTest, TimesThatHaveNotComeAreMissing) {
  is_missing("request/duration");
  is_missing("response/backend_latency");
  info().start = MonotonicTime(1s);
  is_missing("request/duration");
  info().end = MonotonicTime(3s);
  EXPECT_EQ(read("request/duration"), number(2'000'000'000));
}

TEST_F(PropertyTest, AddressesAndPorts) {
  info().downstream_remote_address = "1.2.3.4:80";
  info().downstream_local_address = "[::1]:8080";
  info().upstream_host = "/tmp/socket";
  EXPECT_EQ(read("source/address"), "1.2.3.4:80");
  EXPECT_EQ(read("source/port"), number(80));
  EXPECT_EQ(read("destination/port"), number(8080));
  EXPECT_EQ(read("upstream/address"), "/tmp/socket");
  is_missing("upstream/port");
  is_missing("source/other");
}

TEST_F(PropertyTest, WhatGuestsSetIsFoundAgain) {
  info().set_filter_state(filter_state_key("a\0b"sv), "set");
  info().set_filter_state("native", "other's");
  EXPECT_EQ(read("a/b"), "set");
  EXPECT_EQ(read("a/b/"), "set") << "with a terminator";
  EXPECT_EQ(read("filter_state/native"), "other's");
  is_missing("a");
  is_missing("native");
  guest_.vm->roots().front()->properties["of root"] = "kept";
  EXPECT_EQ(read("of root"), "kept");
}

// ---- what the configuration says --------------------------------------------------------------------

std::shared_ptr<const Metadata> metadata(const std::string& name) {
  const std::string json = R"({"ns":{"of":")" + name + R"(","secret":"s","list":[1,{"a":true}]}})";
  return std::make_shared<const Metadata>(*StructValue::parse(json));
}

/// One cluster with one host, and what is configured of them.
class DescribedClusters final : public Callouts {
 public:
  bool knows_cluster(std::string_view name) const override { return name == "c"; }
  std::optional<ClusterFacts> cluster_facts(std::string_view cluster,
                                            std::string_view host) const override {
    if (cluster != "c") return std::nullopt;
    ClusterFacts facts;
    facts.metadata = metadata("cluster");
    facts.hosts = 3;
    if (host == "1.2.3.4:80")
      facts.host = ClusterFacts::Host{metadata("host"), metadata("locality"), "r", "z", "s"};
    return facts;
  }
  Result<std::unique_ptr<Callout>> start(CalloutRequest, CalloutHandler&) override {
    return fail(Code::kNoCluster, Side::kLocal, "none");
  }
};

class ConfiguredPropertyTest : public PropertyTest {
 protected:
  explicit ConfiguredPropertyTest(Plugin plugin_of = plugin())
      : PropertyTest(std::move(plugin_of)) {
    guest_.callout_client = &clusters_;
    connection_.own_extras().listener_metadata = metadata("listener");
    info().connection = &connection_;
    info().route_metadata = route_.get();
    info().virtual_host_metadata = virtual_host_.get();
    info().upstream_cluster = "c";
    info().upstream_host = "1.2.3.4:80";
  }
  DescribedClusters clusters_;
  ConnectionInfo connection_;
  std::shared_ptr<const Metadata> route_ = metadata("route"), virtual_host_ = metadata("vhost");
};

TEST_F(ConfiguredPropertyTest, MetadataOfAllThatTheStreamHasMet) {
  const std::string below = "/filter_metadata/ns/of";
  for (const auto& [name, value] :
       std::vector<std::pair<std::string, std::string>>{{"listener_metadata", "listener"},
                                                        {"route_metadata", "route"},
                                                        {"cluster_metadata", "cluster"},
                                                        {"upstream_host_metadata", "host"}}) {
    EXPECT_EQ(read(name + below), value);
    EXPECT_EQ(read("xds/" + name + below), value);
    EXPECT_NE(read(name).find(value), std::string::npos);
  }
  EXPECT_EQ(read("xds/virtual_host_metadata" + below), "vhost");
  EXPECT_EQ(read("xds/upstream_host_locality_metadata" + below), "locality");
  EXPECT_EQ(read("route_metadata/filter_metadata/ns/list/1/a"), "\1");
  for (const char* path : {"route_metadata/other", "route_metadata/filter_metadata/no",
                           "virtual_host_metadata", "xds/other_metadata"})
    is_missing(path);
}

// core.v3.Metadata {1: map<string, google.protobuf.Struct>}
TEST_F(ConfiguredPropertyTest, AMessageOfMetadataIsProtobuf) {
  const auto small = std::make_shared<const Metadata>(*StructValue::parse(R"({"n":{"k":"v"}})"));
  info().route_metadata = small.get();
  EXPECT_EQ(read("route_metadata"), "\x0a\x0f\x0a\x01n\x12\x0a\x0a\x08\x0a\x01k\x12\x03\x1a\x01v");
  EXPECT_EQ(read("route_metadata/filter_metadata/n"), "\x0a\x08\x0a\x01k\x12\x03\x1a\x01v");
}

TEST_F(ConfiguredPropertyTest, WhereTheHostIs) {
  EXPECT_EQ(read("upstream/locality/region"), "r");
  EXPECT_EQ(read("upstream/locality/sub_zone"), "s");
  EXPECT_EQ(read("upstream/locality"), "\x0a\x01r\x12\x01z\x1a\x01s");
  EXPECT_EQ(read("upstream/num_endpoints"), number(3));
  info().upstream_begin = MonotonicTime(1s);
  is_missing("upstream/cx_pool_ready_duration");
  info().upstream_first_tx = MonotonicTime(3s);
  EXPECT_EQ(read("upstream/cx_pool_ready_duration"), number(2'000'000'000));
  info().upstream_host = "4.3.2.1:80";
  for (const char* path : {"upstream/locality", "upstream_host_metadata", "upstream/locality/zone"})
    is_missing(path);
}

TEST_F(ConfiguredPropertyTest, BeforeTheRouterTheRoutesClusterCounts) {
  info().upstream_cluster = {};
  is_missing("cluster_metadata");
  guest_.callbacks.cluster = "c";
  EXPECT_EQ(read("cluster_metadata/filter_metadata/ns/of"), "cluster");
}

TEST_F(ConfiguredPropertyTest, WhatIsNotConfiguredIsMissing) {
  info().route_metadata = nullptr;
  info().connection = nullptr;
  for (const char* path :
       {"route_metadata", "xds/route_metadata/filter_metadata", "listener_metadata"})
    is_missing(path);
}

class PrivateMetadataTest : public ConfiguredPropertyTest {
 protected:
  PrivateMetadataTest() : ConfiguredPropertyTest(with_rules()) {}
  static Plugin with_rules() {
    Plugin out = plugin();
    Object properties = hide({"route_metadata.filter_metadata.ns.secret", "xds.cluster_metadata",
                              "upstream.locality.zone"});
    properties.merge(mask({"xds.route_metadata.filter_metadata.ns.of"}));
    out.vm.privacy = privacy(Object{{"properties", properties}});
    return out;
  }
};

TEST_F(PrivateMetadataTest, RulesHoldUnderBothNamesAndInMessages) {
  for (const std::string name : {"route_metadata", "xds/route_metadata"}) {
    is_missing(name + "/filter_metadata/ns/secret");
    EXPECT_EQ(read(name + "/filter_metadata/ns/of"), "***");
    const std::string whole = read(name);
    EXPECT_EQ(whole.find("secret"), std::string::npos);
    EXPECT_EQ(whole.find("route"), std::string::npos);
    EXPECT_NE(whole.find("***"), std::string::npos);
  }
  is_missing("cluster_metadata");
  is_missing("cluster_metadata/filter_metadata/ns/of");
  EXPECT_EQ(read("listener_metadata/filter_metadata/ns/secret"), "s") << "another's";
  is_missing("upstream/locality/zone");
  EXPECT_EQ(read("upstream/locality"), std::string("\x0a\x01r\x12\0\x1a\x01s", 8));
}

TEST_F(PropertyTest, WithoutAStreamOnlyTheGuestAnswers) {
  guest_.in_root([this] {
    std::string out;
    EXPECT_EQ(read_property(*guest_.vm, PropertyPath("request\0path"sv), out), Status::kNotFound);
    EXPECT_EQ(read_property(*guest_.vm, PropertyPath("plugin_name"), out), Status::kOk);
    EXPECT_EQ(out, "my plugin");
  });
}

// ---- privacy ----------------------------------------------------------------------------------------

class PrivatePropertyTest : public PropertyTest {
 protected:
  static Object rules() {
    Object headers = hide({"x-a", "referer"});
    headers.merge(mask({"user-agent"}));
    Object properties = hide({"connection", "node.metadata.a.b.1", "filter_state.native",
                              "request.headers.x-p", "node.id", "cluster_name", "guest.secret"});
    properties.merge(mask({"node.cluster", "route_name", "node.metadata.n"}));
    return {{"request_headers", headers},
            {"response_headers", hide({":status", "grpc-status"})},
            {"query_parameters", hide({"q"})},
            {"properties", properties},
            {"client_address", "HIDE"}};
  }
  explicit PrivatePropertyTest(Object all = rules()) : PropertyTest(with(std::move(all))) {
    RequestHead& head = guest_.callbacks.request;
    head.headers.add("x-p", "p");
    head.headers.add("x-b", "b");
    head.headers.add("referer", "/r");
    head.headers.add("user-agent", "me");
    head.headers.add("x-forwarded-for", "192.0.2.43");
    head.set_path("/p?q=1?2&a=1");
    info().downstream_remote_address = "192.0.2.43:80";
    info().connection_id = 5;
    info().upstream_cluster = "c";
    info().route_name = "r";
    info().set_filter_state("native", "n");
    info().set_filter_state("other", "o");
  }
  static Plugin with(Object all) {
    Plugin out = plugin();
    out.vm.privacy = privacy(std::move(all));
    return out;
  }
};

TEST_F(PrivatePropertyTest, OfHeadersFollowTheirRules) {
  is_missing("request/headers/x-a");
  is_missing("request/headers/X-A/more");
  is_missing("request/referer");
  EXPECT_EQ(read("request/useragent"), "***");
  EXPECT_EQ(read("request/path"), "/p?a=1");
  EXPECT_EQ(read("request/query"), "a=1");
  EXPECT_EQ(read("request/headers/:path"), "/p?a=1");
  EXPECT_EQ(read("request/url_path"), "/p");
  is_missing("response/code");
  guest_.callbacks.response.headers.add("grpc-status", "5");
  is_missing("response/grpc_status");
  is_missing("request/headers/x-forwarded-for");
  EXPECT_EQ(decode_pairs(read("request/headers")), (PairViews{{":authority", "a"},
                                                              {":method", "GET"},
                                                              {":path", "/p?a=1"},
                                                              {":scheme", "http"},
                                                              {"user-agent", "***"},
                                                              {"x-b", "b"}}));
}

// The difference to what is seen would tell how long a secret is.
TEST_F(PrivatePropertyTest, SizesAreOfWhatIsSeen) {
  info().request_headers_bytes = 12345;
  const std::string before = read("request/headers_bytes");
  EXPECT_NE(before, number(12345));
  guest_.callbacks.request.headers.set("x-a", std::string(500, 'x'));
  EXPECT_EQ(read("request/headers_bytes"), before);
  info().bytes_received = 0;
  EXPECT_EQ(read("request/total_size"), before);
}

TEST_F(PrivatePropertyTest, TheClientsAddressIsHidden) {
  for (const char* path : {"source/address", "source/port", "source/address/x", "source"})
    is_missing(path);
}

TEST_F(PrivatePropertyTest, RulesHoldForAllThatIsBelowAndForEveryName) {
  for (const char* path :
       {"connection/id", "connection/mtls", "connection", "connection_id", "CONNECTION/id",
        "cluster_name", "xds/cluster_name", "cluster_name/x", "node/id", "xds/node/id",
        "request/headers/x-p", "request/headers/X-P", "request/headers/x-p/more"})
    is_missing(path);
  EXPECT_EQ(read("route_name"), "***");
  EXPECT_EQ(read("xds/route_name"), "***");
  EXPECT_EQ(read("plugin_name"), "my plugin");
}

TEST_F(PrivatePropertyTest, MessagesLackWhatIsHiddenInThem) {
  for (const char* path : {"node", "xds/node"}) {
    const std::string message = read(path);
    EXPECT_EQ(message.find("node id"), std::string::npos);
    EXPECT_EQ(message.find("cluster"), std::string::npos);
    EXPECT_NE(message.find("***"), std::string::npos);
    EXPECT_NE(message.find("region"), std::string::npos);
  }
  EXPECT_EQ(read("node/cluster"), "***");
  EXPECT_EQ(read("node/metadata/n"), "***");
  is_missing("node/metadata/a/b/1");
  EXPECT_EQ(read("node/metadata/a/b/2"), "t") << "the others keep their place";
}

TEST_F(PrivatePropertyTest, FilterStateIsSharedAsFarAsItMay) {
  is_missing("filter_state/native");
  EXPECT_EQ(read("filter_state/other"), "o");
  info().set_filter_state(filter_state_key("guest\0secret"sv), "s");
  is_missing("guest/secret");
  is_missing("guest/secret/");
  is_missing("filter_state/wasm.guest/secret");
  EXPECT_EQ(decode_pairs(read("filter_state")), (PairViews{{"other", "o"}}));
}

/// What is made of fields: as "property" and as "entry" of the maps.
class MadeOfFieldsTest : public PrivatePropertyTest {
 protected:
  explicit MadeOfFieldsTest(Object all = Object()) : PrivatePropertyTest(std::move(all)) {
    RequestHead& head = guest_.callbacks.request;
    head.set_path("/p?a=1");
    head.headers.add("x-request-id", "the id");
    guest_.callbacks.response.headers.add("grpc-status", "5");
  }
  struct Pair {
    const char* property;
    const char* entry;
  };
  static constexpr Pair kAll[] = {{"request/host", "request/headers/:authority"},
                                  {"request/method", "request/headers/:method"},
                                  {"request/scheme", "request/headers/:scheme"},
                                  {"request/path", "request/headers/:path"},
                                  {"request/referer", "request/headers/referer"},
                                  {"request/useragent", "request/headers/user-agent"},
                                  {"request/id", "request/headers/x-request-id"},
                                  {"response/code", "response/headers/:status"},
                                  {"response/grpc_status", "response/headers/grpc-status"}};
};

class HiddenFieldsTest : public MadeOfFieldsTest {
 protected:
  HiddenFieldsTest()
      : MadeOfFieldsTest({{"request_headers", hide({":authority", ":method", ":scheme", ":path",
                                                    "referer", "user-agent", "x-request-id"})},
                          {"response_headers", hide({":status", "grpc-status"})}}) {}
};

TEST_F(HiddenFieldsTest, AreHiddenUnderAllTheirNames) {
  for (const auto& [property, entry] : kAll) {
    is_missing(property);
    is_missing(entry);
  }
  is_missing("request/url_path");
  is_missing("request/query");
}

class MaskedFieldsTest : public MadeOfFieldsTest {
 protected:
  MaskedFieldsTest()
      : MadeOfFieldsTest({{"request_headers", mask({"host", ":method", ":scheme", ":path",
                                                    "referer", "user-agent", "x-request-id"})},
                          {"response_headers", mask({":status", "grpc-status"})}}) {}
};

TEST_F(MaskedFieldsTest, AreMaskedUnderAllTheirNames) {
  for (const auto& [property, entry] : kAll) {
    EXPECT_EQ(read(property), "***") << property;
    EXPECT_EQ(read(entry), "***") << entry;
  }
}

class HiddenEntriesTest : public MadeOfFieldsTest {
 protected:
  HiddenEntriesTest()
      : MadeOfFieldsTest(
            {{"properties", hide({"request.headers.:authority", "request.method",
                                  "request.headers.:scheme", "request.path", "request.referer",
                                  "request.headers.user-agent", "request.headers.x-request-id",
                                  "response.code", "response.headers.grpc-status"})}}) {}
};

TEST_F(HiddenEntriesTest, AreHiddenAsPropertiesOfTheirOwnToo) {
  for (const auto& [property, entry] : kAll) {
    is_missing(property);
    is_missing(entry);
  }
  is_missing("request/url_path");
  is_missing("request/query");
  EXPECT_EQ(
      decode_pairs(read("request/headers")),
      (PairViews{{"x-a", "1,2"}, {"x-b", "b"}, {"x-forwarded-for", "192.0.2.43"}, {"x-p", "p"}}));
  EXPECT_EQ(decode_pairs(read("response/headers")), PairViews());
}

class AllowedMapTest : public MadeOfFieldsTest {
 protected:
  AllowedMapTest()
      : MadeOfFieldsTest({{"properties", only({"request.headers", "response.code"})}}) {}
};

TEST_F(AllowedMapTest, HasWhatIsMadeOfItsFields) {
  EXPECT_EQ(read("request/useragent"), "me");
  EXPECT_EQ(read("request/query"), "a=1");
  EXPECT_EQ(read("response/code"), number(404));
  EXPECT_EQ(read("response/headers/:status"), "404");
  is_missing("response/grpc_status");
  is_missing("request/time");
}

class HiddenPartTest : public MadeOfFieldsTest {
 protected:
  HiddenPartTest() : MadeOfFieldsTest({{"properties", hide({"request.query"})}}) {}
};

TEST_F(HiddenPartTest, LeavesTheWhole) {
  is_missing("request/query");
  EXPECT_EQ(read("request/path"), "/p?a=1");
}

class AllowedPropertiesTest : public PrivatePropertyTest {
 protected:
  AllowedPropertiesTest()
      : PrivatePropertyTest(
            Object{{"properties", only({"request.method", "request.headers.x-b", "node.metadata.a",
                                        "filter_state.other"})}}) {}
};

TEST_F(AllowedPropertiesTest, NothingElseIsShown) {
  EXPECT_EQ(read("request/method"), "GET");
  EXPECT_EQ(read("request/headers/x-b"), "b");
  EXPECT_EQ(read("node/metadata/a/b/2"), "t");
  EXPECT_EQ(read("plugin_root_id"), "my root") << "guests find their code by it";
  for (const char* path : {"request/path", "request", "request/headers/x-a", "node/id",
                           "node/metadata/n", "source/address", "filter_state/native", "mine"})
    is_missing(path);
  EXPECT_EQ(decode_pairs(read("request/headers")), (PairViews{{":method", "GET"}, {"x-b", "b"}}));
  EXPECT_EQ(decode_pairs(read("filter_state")), (PairViews{{"other", "o"}}));
  EXPECT_EQ(read("node").find("region"), std::string::npos);
}

class MaskedAddressTest : public PrivatePropertyTest {
 protected:
  MaskedAddressTest() : PrivatePropertyTest(Object{{"client_address", "MASK"}}) {}
};

TEST_F(MaskedAddressTest, KeepsTheNetwork) {
  EXPECT_EQ(read("source/address"), "192.0.2.0:0");
  EXPECT_EQ(read("source/port"), number(0));
  EXPECT_EQ(read("request/headers/x-forwarded-for"), "192.0.2.0");
}

}  // namespace
}  // namespace weir::wasm
