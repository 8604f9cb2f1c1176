// Edits of the running configuration: each kind of edit by each way to write, each kind of rejected edit, and what moves.
#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <thread>

#include "support/test_proxy.h"

namespace weir::test {
namespace {

const TestProxy::Options kFromFile{.workers = 2, .from_file = true};
constexpr const char* kDirect =
    "- match: {prefix: /}\n  direct_response: {status: 200, body: {inline_string: one}}\n";

Peer::Message get(Peer& client) {
  client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  return client.read_message();
}

std::string plugin(const std::string& file, std::string_view configuration = "one") {
  return "- name: p\n"
         "  typed_config:\n"
         "    \"@type\": type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm\n"
         "    config:\n"
         "      name: p\n"
         "      vm_config: {code: {local: {filename: " +
         file +
         "}}}\n"
         "      configuration: {\"@type\": type.googleapis.com/google.protobuf.StringValue, "
         "value: " +
         std::string(configuration) + "}\n";
}

/// A port of 127.0.0.1 that nobody listens on for now.
uint16_t free_port() {
  Origin origin;
  return origin.port();
}

// ---- every kind of edit, by every way to write -----------------------------------------------------------------------

enum class Write : uint8_t { kInPlace, kRename, kLinkFlip };
enum class Edit : uint8_t { kRoute, kFilter, kPlugin, kEndpoint, kConnectionManager, kListener };

void write(TestProxy& proxy, Write way, const std::string& yaml) {
  namespace fs = std::filesystem;
  const fs::path root = proxy.folder().path();
  switch (way) {
    case Write::kInPlace:
      proxy.write_config(yaml);
      return;
    case Write::kRename:
      proxy.folder().write_renamed("weir.yaml", yaml);
      return;
    case Write::kLinkFlip:
      fs::create_directory(root / "..v2");
      proxy.folder().write("..v2/weir.yaml", yaml);
      fs::create_directory_symlink("..v2", root / "..data_tmp");
      fs::rename(root / "..data_tmp", root / "..data");
      fs::create_symlink("..data/weir.yaml", root / "link");
      fs::rename(root / "link", root / "weir.yaml");
      return;
  }
}

class EditTest : public ::testing::TestWithParam<std::tuple<Edit, Write>> {
 protected:
  /// Changes `yaml` so that a response says "x-edit: yes"; Edit::kEndpoint: comes from the second origin.
  void apply(Edit edit, Yaml& yaml) const {
    switch (edit) {
      case Edit::kRoute:
        yaml.routes += "  response_headers_to_add: [{header: {key: x-edit, value: \"yes\"}}]\n";
        return;
      case Edit::kFilter:
        yaml.filters =
            "- name: mutation\n"
            "  typed_config:\n"
            "    \"@type\": "
            "type.googleapis.com/envoy.extensions.filters.http.header_mutation.v3.HeaderMutation\n"
            "    mutations: {response_mutations: [{append: {header: {key: x-edit, value: "
            "\"yes\"}}}]}\n";
        return;
      case Edit::kPlugin:
        yaml.filters = plugin(guest_path("pass"), "two");
        return;
      case Edit::kEndpoint:
        yaml.origin_port = second_.port();
        return;
      case Edit::kConnectionManager:
        yaml.hcm = "server_name: edited\n";
        return;
      case Edit::kListener:
        yaml.bootstrap = "node: {id: edited}\n";
        return;
    }
  }
  bool seen(Edit edit, const Peer::Message& answer, TestProxy& proxy) const {
    switch (edit) {
      case Edit::kPlugin:
        return proxy.admin("/wasm").find("\"generation\":2") != std::string::npos;
      case Edit::kEndpoint:
        return answer.body == "second";
      case Edit::kConnectionManager:
        return answer.header("server") == "edited";
      case Edit::kListener:
        return proxy.admin("/server_info").find("\"id\":\"edited\"") != std::string::npos;
      default:
        return answer.header("x-edit") == "yes";
    }
  }
  AutoOrigin first_{[](const Peer::Message&) { return response("first"); }};
  AutoOrigin second_{[](const Peer::Message&) { return response("second"); }};
};

TEST_P(EditTest, HoldsForTheNextRequestAndClosesNoConnection) {
  const auto [edit, way] = GetParam();
  Yaml yaml;
  yaml.origin_port = first_.port();
  if (edit == Edit::kPlugin) yaml.filters = plugin(guest_path("pass"));
  TestProxy proxy(yaml.text(), TestProxy::Options{.workers = 1, .from_file = true});
  Peer client = proxy.connect();
  const Peer::Message before = get(client);
  EXPECT_EQ(before.body, "first");
  EXPECT_FALSE(seen(edit, before, proxy));
  apply(edit, yaml);
  write(proxy, way, yaml.text());
  proxy.wait_for_generation(2);
  const Peer::Message after = get(client);
  EXPECT_EQ(after.status(), 200);
  EXPECT_TRUE(seen(edit, after, proxy)) << after.head;
  EXPECT_EQ(proxy.counter("http.ingress.downstream_cx_total"), 1u);
  EXPECT_EQ(proxy.counter("http.ingress.downstream_cx_destroy"), 0u);
  EXPECT_EQ(proxy.counter("cluster.origin.upstream_cx_total"), edit == Edit::kEndpoint ? 2u : 1u);
  EXPECT_EQ(proxy.counter("config.reload_rejected"), 0u);
}
INSTANTIATE_TEST_SUITE_P(
    Kinds, EditTest,
    ::testing::Combine(::testing::Values(Edit::kRoute, Edit::kFilter, Edit::kPlugin,
                                         Edit::kEndpoint, Edit::kConnectionManager,
                                         Edit::kListener),
                       ::testing::Values(Write::kInPlace, Write::kRename, Write::kLinkFlip)));

// ---- rejected edits --------------------------------------------------------------------------------------------------

class RejectedEditTest : public ::testing::TestWithParam<const char*> {};

TEST_P(RejectedEditTest, ChangesNothing) {
  const std::string_view kind = GetParam();
  Yaml yaml;
  yaml.routes = kDirect;
  yaml.filters = plugin(guest_path("pass"));
  TestProxy proxy(yaml.text(), kFromFile);
  Peer client = proxy.connect();
  EXPECT_EQ(get(client).body, "one");
  const Origin occupied;
  std::string text;
  if (kind == "syntax") {
    text = yaml.text() + "  : [\n";
  } else if (kind == "dangling cluster") {
    yaml.routes = "- match: {prefix: /}\n  route: {cluster: nowhere}\n";
  } else if (kind == "port in use" || kind == "admin port in use") {
    text = yaml.text();
    const size_t from = kind == "port in use" ? text.find("name: main") : 0;
    const size_t at = text.find("port_value: 0", from);
    text.replace(at, 13, "port_value: " + std::to_string(occupied.port()));
  } else if (kind == "truncated") {
    std::ifstream whole(guest_path("pass"), std::ios::binary);
    const std::string bytes{std::istreambuf_iterator<char>(whole), {}};
    yaml.filters = plugin(proxy.folder().write("bad.wasm", bytes.substr(0, bytes.size() / 2)));
  } else {
    yaml.filters = plugin(guest_path(kind));
  }
  proxy.write_config(text.empty() ? yaml.text() : text);
  proxy.wait_for_rejection(1);
  EXPECT_EQ(get(client).body, "one");
  Peer fresh = proxy.connect();
  EXPECT_EQ(get(fresh).body, "one");
  EXPECT_EQ(proxy.generation(), 1u);
  EXPECT_EQ(proxy.gauge("config.last_reload_ok"), 0);
  EXPECT_EQ(proxy.counter("http.ingress.downstream_cx_destroy"), 0u);
  const std::string reload = proxy.admin("/reload");
  EXPECT_NE(reload.find("\"generation\":1,"), std::string::npos) << reload;
  EXPECT_EQ(reload.find("\"line\":0"), std::string::npos) << reload;
  const std::string wasm = proxy.admin("/wasm");
  EXPECT_EQ(wasm.find("\"generation\":2"), std::string::npos) << wasm;
}
INSTANTIATE_TEST_SUITE_P(Kinds, RejectedEditTest,
                         ::testing::Values("syntax", "dangling cluster", "port in use",
                                           "admin port in use", "truncated", "unknown_import",
                                           "start_trap", "configure_false", "vm_start_false"));

// ---- what triggers ---------------------------------------------------------------------------------------------------

TEST(ReloadTrigger, WatchOffHoldsFromTheStartAndCanBeTurned) {
  Yaml yaml;
  yaml.routes = kDirect;
  yaml.bootstrap = "reload: {watch: false, debounce: 0.001s}\n";
  TestProxy proxy(yaml.text(), kFromFile);
  const auto watching = [&proxy] {
    bool watches = false;
    proxy.on_main([&] { watches = proxy.server().reloader().watching(); });
    return watches;
  };
  EXPECT_FALSE(watching());
  Peer client = proxy.connect();
  yaml.hcm = "server_name: two\n";
  yaml.bootstrap = "reload: {watch: true, debounce: 0.001s}\n";
  proxy.write_config(yaml.text());
  EXPECT_EQ(proxy.admin_message("/reload", "POST").status(), 200);
  EXPECT_EQ(proxy.generation(), 2u);
  EXPECT_TRUE(watching());
  yaml.hcm = "server_name: three\n";
  proxy.write_config(yaml.text());
  proxy.wait_for_generation(3);
  EXPECT_EQ(get(client).header("server"), "three");
  yaml.bootstrap = "reload: {watch: false, debounce: 0.001s}\n";
  proxy.write_config(yaml.text());
  proxy.wait_for_generation(4);
  EXPECT_FALSE(watching());
}

TEST(ReloadTrigger, WhoAsksDuringAnEditHearsOfTheNext) {
  Yaml yaml;
  yaml.routes = kDirect;
  yaml.bootstrap = "reload: {watch: false}\n";
  TestProxy proxy(yaml.text(), kFromFile);
  std::atomic<uint64_t> first{0}, second{0};
  const auto serving = [&proxy] { return proxy.server().reloader().current()->generation; };
  proxy.on_main([&] {
    yaml.hcm = "server_name: two\n";
    proxy.write_config(yaml.text());
    proxy.server().reloader().reload([&](bool taken) { first = taken ? serving() : 99; });
    yaml.hcm = "server_name: three\n";
    proxy.write_config(yaml.text());
    proxy.server().reloader().reload([&](bool taken) { second = taken ? serving() : 99; });
  });
  proxy.wait_for("both answers", [&] { return first > 0 && second > 0; });
  EXPECT_EQ(first, 2u);
  EXPECT_EQ(second, 3u);
  Peer client = proxy.connect();
  EXPECT_EQ(get(client).header("server"), "three");
}

TEST(ReloadTrigger, ModuleIsOverwrittenInPlace) {
  TempFolder folder;
  const auto bytes_of = [](std::string_view guest) {
    std::ifstream file(guest_path(guest), std::ios::binary);
    return std::string{std::istreambuf_iterator<char>(file), {}};
  };
  Yaml yaml;
  yaml.routes = kDirect;
  yaml.filters = plugin(folder.write("filter.wasm", bytes_of("pass")));
  TestProxy proxy(yaml.text(), kFromFile);
  Peer client = proxy.connect();
  EXPECT_EQ(get(client).status(), 200);
  folder.write("filter.wasm", bytes_of("start_trap"));
  proxy.wait_for_rejection(1);
  EXPECT_EQ(get(client).status(), 200);
  folder.write("filter.wasm", bytes_of("void_callbacks"));
  proxy.wait_for_generation(2);
  EXPECT_EQ(get(client).status(), 200);
  EXPECT_EQ(proxy.counter("config.reload_rejected"), 1u);
}

// ---- what moves ------------------------------------------------------------------------------------------------------

TEST(ReloadMoves, ListenerToTheWildcardAndBackOnItsPort) {
  Yaml yaml;
  yaml.routes = kDirect;
  TestProxy proxy(yaml.text(), kFromFile);
  const uint16_t port = proxy.port();
  uint64_t generation = 1;
  for (const char* address : {"127.0.0.1", "0.0.0.0", "127.0.0.1"}) {
    std::string text = yaml.text();
    const size_t at = text.find("address: 127.0.0.1, port_value: 0", text.find("name: main"));
    text.replace(at, 33,
                 "address: " + std::string(address) + ", port_value: " + std::to_string(port));
    proxy.write_config(text);
    proxy.wait_for_generation(++generation);
    EXPECT_EQ(proxy.port(), port);
    Peer client = Peer::connect(port);
    EXPECT_EQ(get(client).body, "one");
  }
}

TEST(ReloadMoves, ClientsOfARemovedSocketLoseNoRequest) {
  Yaml yaml;
  yaml.routes = kDirect;
  TestProxy proxy(yaml.text(), kFromFile);
  const uint16_t port = proxy.port();
  std::atomic<bool> stop{false};
  std::atomic<uint64_t> good{0}, bad{0};
  std::vector<std::thread> clients;
  for (int i = 0; i < 3; ++i) {
    clients.emplace_back([port, &stop, &good, &bad] {
      while (!stop) {
        bool served = false;
        try {
          Peer client = Peer::connect(port);
          for (bool open = true; open && !stop;) {
            const Peer::Message answer = get(client);
            served = true;
            (answer.body == "one" ? good : bad)++;
            open = answer.header("connection") != "close";
          }
        } catch (const std::exception&) {
          // A handshake may meet the end of a socket; a connection that is served may not be closed unasked.
          if (served) ++bad;
        }
      }
    });
  }
  uint64_t generation = 1;
  for (int edit = 0; edit < 10; ++edit) {
    std::string text = yaml.text();
    const size_t at = text.find("127.0.0.1, port_value: 0", text.find("name: main"));
    text.replace(at, 24,
                 (edit % 2 == 0 ? "0.0.0.0, port_value: " : "127.0.0.1, port_value: ") +
                     std::to_string(port));
    proxy.write_config(text);
    proxy.wait_for_generation(++generation);
  }
  stop = true;
  for (std::thread& each : clients) each.join();
  EXPECT_EQ(bad, 0u) << "of " << good;
  EXPECT_GE(proxy.counter("http.ingress.downstream_cx_total"), 4u);
}

TEST(ReloadMoves, BacklogChangesInPlace) {
  Yaml yaml;
  yaml.routes = kDirect;
  TestProxy proxy(yaml.text(), kFromFile);
  const uint16_t port = proxy.port();
  Peer client = proxy.connect();
  yaml.listener = "tcp_backlog_size: 100\n";
  proxy.write_config(yaml.text());
  proxy.wait_for_generation(2);
  EXPECT_EQ(proxy.port(), port);
  EXPECT_EQ(get(client).header("connection"), "");
}

TEST(ReloadMoves, OverlappingListenersComeTogether) {
  Yaml yaml;
  yaml.routes = kDirect;
  TestProxy proxy(yaml.text(), kFromFile);
  std::string text = yaml.text();
  const size_t begin = text.find("  - name: main"), end = text.find("  clusters:");
  std::string wide = text.substr(begin, end - begin);
  const std::string port = "port_value: " + std::to_string(free_port());
  wide.replace(wide.find("name: main"), 10, "name: wide");
  wide.replace(wide.find("127.0.0.1"), 9, "0.0.0.0");
  wide.replace(wide.find("port_value: 0"), 13, port);
  text.replace(text.find("port_value: 0", begin), 13, port);
  text.insert(text.find("  clusters:"), wide);
  proxy.write_config(text);
  proxy.wait_for_generation(2);
  EXPECT_EQ(proxy.port("main"), proxy.port("wide"));
  Peer client = proxy.connect();
  EXPECT_EQ(get(client).body, "one");
}

TEST(ReloadMoves, ModeOfAUnixSocket) {
  namespace fs = std::filesystem;
  TempFolder folder;
  const std::string path = folder.path() + "/weir.sock";
  Yaml yaml;
  yaml.routes = kDirect;
  std::string text = yaml.text();
  const std::string_view tcp = "socket_address: {address: 127.0.0.1, port_value: 0}";
  text.replace(text.find(tcp, text.find("name: main")), tcp.size(),
               "pipe: {path: " + path + ", mode: 384}");
  TestProxy proxy(text, kFromFile);
  EXPECT_EQ(fs::status(path).permissions(), fs::perms(0600));
  text.replace(text.find("mode: 384"), 9, "mode: 432");
  proxy.write_config(text);
  proxy.wait_for_generation(2);
  EXPECT_EQ(fs::status(path).permissions(), fs::perms(0660));
}

TEST(ReloadMoves, AdminListenerAndTheAnswerThatIsDueOnTheOldOne) {
  Yaml yaml;
  yaml.routes = kDirect;
  yaml.bootstrap = "reload: {watch: false}\n";
  TestProxy proxy(yaml.text(), kFromFile);
  std::string before, after;
  proxy.on_main([&] { before = proxy.server().admin_address(); });
  std::string text = yaml.text();
  text.replace(text.find("port_value: 0"), 13, "port_value: " + std::to_string(free_port()));
  proxy.write_config(text);
  EXPECT_EQ(proxy.admin_message("/reload", "POST").status(), 200);
  proxy.on_main([&] { after = proxy.server().admin_address(); });
  EXPECT_NE(before, after);
  EXPECT_EQ(proxy.admin("/ready"), "LIVE\n");
  const auto old_port = static_cast<uint16_t>(std::stoi(before.substr(before.rfind(':') + 1)));
  EXPECT_THROW(Peer::connect(old_port), std::runtime_error);
}

// ---- old generations -------------------------------------------------------------------------------------------------

TEST(ReloadGenerations, SwapsLeaveOneGenerationOfVms) {
  Yaml yaml;
  yaml.routes = kDirect;
  yaml.filters = plugin(guest_path("pass"), "v1");
  yaml.bootstrap = "reload: {watch: false}\n";
  TestProxy proxy(yaml.text(), kFromFile);
  Peer client = proxy.connect();
  for (int swap = 2; swap <= 51; ++swap) {
    yaml.filters = plugin(guest_path("pass"), "v" + std::to_string(swap));
    proxy.write_config(yaml.text());
    ASSERT_EQ(proxy.admin_message("/reload", "POST").status(), 200);
    ASSERT_EQ(get(client).body, "one");
  }
  EXPECT_EQ(proxy.generation(), 51u);
  proxy.wait_for("the old VMs are gone", [&proxy] {
    return proxy.gauge("wasm.wasm_vm_count") == 2 &&
           proxy.admin("/wasm").find("\"generations\":[{\"generation\":51,\"vms\":2,") !=
               std::string::npos;
  });
  EXPECT_EQ(proxy.counter("http.ingress.downstream_cx_destroy"), 0u);
}

// An age that is shorter than that of the generation before does not wait for it.
TEST(ReloadGenerations, StreamsOfAnOldPluginEndAtTheMaximumAge) {
  Origin origin;
  Yaml yaml;
  yaml.origin_port = origin.port();
  yaml.filters = plugin(guest_path("pass"), "v1");
  TestProxy proxy(yaml.text(), TestProxy::Options{.workers = 1, .from_file = true});
  yaml.filters = plugin(guest_path("pass"), "v2");
  proxy.write_config(yaml.text());
  proxy.wait_for_generation(2);
  Peer client = proxy.connect();
  client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  Peer upstream = origin.accept();
  upstream.read_message();
  yaml.filters = plugin(guest_path("pass"), "v3");
  yaml.bootstrap = "old_generation_max_age: 0.05s\n";
  proxy.write_config(yaml.text());
  proxy.wait_for_generation(3);
  EXPECT_EQ(client.read_message().status(), 503);
  EXPECT_TRUE(upstream.closed());
  proxy.wait_for("the old VM is gone", [&proxy] { return proxy.gauge("wasm.wasm_vm_count") == 1; });
}

}  // namespace
}  // namespace weir::test
