// Modules that are fetched: what serves until they are there, what of a fetch may go wrong, and the cache.
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <cstdio>
#include <fstream>
#include <optional>
#include <sstream>

#include "base/digest.h"
#include "integration/filters/wasm_dialogue.h"
#include "support/tls_yaml.h"

namespace weir::test {
namespace {

/// A guest that adds a response header of that name, as long as "x-allocated".
std::string module_that_adds(const std::string& header) {
  std::ifstream file(guest_path("allocator_names"), std::ios::binary);
  std::stringstream bytes;
  bytes << file.rdbuf();
  std::string module = bytes.str();
  const size_t at = module.find("x-allocated");
  EXPECT_NE(at, std::string::npos);
  return module.replace(at, header.size(), header);
}

struct Remote {
  std::string sha256;
  std::string vm{};      // further fields of vm_config
  std::string policy{};  // further fields of the PluginConfig
  std::string name = "p";
  std::string path = "/module.wasm";
  std::string retries = "{num_retries: 0}";
};

std::string remote_filter(const Remote& remote) {
  const std::string vm = remote.vm.empty() ? "" : "        " + remote.vm + "\n";
  const std::string policy = remote.policy.empty() ? "" : "      " + remote.policy + "\n";
  return "- name: wasm_" + remote.name +
         "\n  typed_config:\n"
         "    \"@type\": type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm\n"
         "    config:\n      name: " +
         remote.name + "\n" + policy + "      vm_config:\n" + vm +
         "        code:\n          remote:\n            http_uri: {uri: 'http://modules.example" +
         remote.path + "', cluster: origin, timeout: 5s}\n            sha256: " + remote.sha256 +
         "\n            retry_policy: " + remote.retries + "\n";
}

std::string yaml_of(const std::string& filters, uint16_t origin_port) {
  Yaml yaml;
  yaml.filters = filters;
  yaml.routes = kDirect;
  yaml.origin_port = origin_port;
  return yaml.text();
}

class WasmRemote : public ::testing::Test {
 protected:
  const std::string first_ = module_that_adds("x-allocated");
  const std::string second_ = module_that_adds("x-second-on");
  const std::string first_sha_ = base::sha256_hex(first_);
  const std::string second_sha_ = base::sha256_hex(second_);
  TempFolder cache_;
  std::unique_ptr<TestProxy> proxy_;

  void start(const std::string& filters, uint16_t port, const std::string& cache = "") {
    TestProxy::Options options;
    options.from_file = true;
    options.wasm_cache = cache;
    proxy_ = std::make_unique<TestProxy>(yaml_of(filters, port), options);
  }
  void edit(const std::string& filters, uint16_t port) {
    proxy_->write_config(yaml_of(filters, port));
  }
  Peer::Message answer() {
    Peer client = proxy_->connect();
    return ask(client);
  }
  uint64_t stat(const std::string& name) { return proxy_->counter("wasm.remote_load_" + name); }
  void wait_for_stat(const std::string& name, uint64_t value) {
    proxy_->wait_for(name, [&] { return stat(name) >= value; });
  }
};

TEST_F(WasmRemote, StreamsGetTheFailurePolicyUntilTheModuleIsThere) {
  Origin origin;
  start(remote_filter({.sha256 = first_sha_}), origin.port());
  Peer fetch = origin.accept();
  const Peer::Message request = fetch.read_message();
  EXPECT_EQ(request.first_line(), "GET /module.wasm HTTP/1.1");
  EXPECT_EQ(request.header("host"), "modules.example");
  EXPECT_EQ(answer().status(), 503);
  fetch.send(response(first_));
  proxy_->wait_for_generation(2);
  EXPECT_TRUE(answer().has("x-allocated"));
  EXPECT_EQ(stat("fetch_successes"), 1u);
  EXPECT_EQ(stat("cache_misses"), 1u);
  EXPECT_EQ(stat("cache_hits"), 1u);
  EXPECT_EQ(proxy_->gauge("wasm.remote_load_cache_entries"), 1);
}

TEST_F(WasmRemote, FailOpenStreamsPassMeanwhile) {
  Origin origin;
  start(remote_filter({.sha256 = first_sha_, .policy = "failure_policy: FAIL_OPEN"}),
        origin.port());
  Peer fetch = origin.accept();
  EXPECT_EQ(answer().status(), 200);
  fetch.read_message();
  fetch.send(response(first_));
  proxy_->wait_for_generation(2);
  EXPECT_TRUE(answer().has("x-allocated"));
}

TEST_F(WasmRemote, AnotherDigestThanTheConfiguredIsNotRun) {
  AutoOrigin origin([this](const Peer::Message&) { return response(second_); });
  start(remote_filter({.sha256 = first_sha_}), origin.port(), cache_.path());
  wait_for_stat("fetch_failures", 1);
  EXPECT_EQ(answer().status(), 503);
  EXPECT_EQ(proxy_->generation(), 1u);
  EXPECT_EQ(cache_.read(first_sha_ + ".wasm"), "");
  EXPECT_EQ(cache_.read(second_sha_ + ".wasm"), "");
}

TEST_F(WasmRemote, AnErrorOrARedirectIsAFailureThatTheNextEditNames) {
  for (const int status : {404, 302}) {
    AutoOrigin origin([status](const Peer::Message&) {
      return response("no", status, "location: http://127.0.0.1:1/\r\n");
    });
    start(remote_filter({.sha256 = first_sha_}), origin.port());
    wait_for_stat("fetch_failures", 1);
    edit(remote_filter({.sha256 = first_sha_, .vm = "nack_on_code_cache_miss: true"}),
         origin.port());
    proxy_->wait_for_rejection(1);
    const std::string state = proxy_->admin("/reload");
    const std::string why = status == 404 ? "has status 404\"" : "redirects are not followed";
    EXPECT_NE(state.find(why), std::string::npos) << state;
    EXPECT_NE(state.find("code.remote"), std::string::npos) << state;
    EXPECT_EQ(origin.requests(), 1u) << "a failure is remembered";
    EXPECT_EQ(stat("cache_negative_hits"), 1u);
    proxy_.reset();
  }
}

TEST_F(WasmRemote, AResetIsTriedAgain) {
  Origin origin;
  start(remote_filter({.sha256 = first_sha_,
                       .retries = "{num_retries: 2, retry_back_off: {base_interval: 0.01s}}"}),
        origin.port());
  Peer reset = origin.accept();
  reset.read_message();
  reset.reset();
  Peer cut = origin.accept();
  cut.read_message();
  cut.send(response(first_).substr(0, 100));
  cut.close();
  Peer good = origin.accept();
  good.read_message();
  good.send(response(first_));
  proxy_->wait_for_generation(2);
  EXPECT_TRUE(answer().has("x-allocated"));
  EXPECT_EQ(stat("fetch_failures"), 0u);
  EXPECT_EQ(stat("fetch_successes"), 1u);
}

TEST_F(WasmRemote, TheCacheServesARestartWithoutTheOrigin) {
  uint16_t port = 0;
  {
    AutoOrigin origin([this](const Peer::Message&) { return response(first_); });
    port = origin.port();
    start(remote_filter({.sha256 = first_sha_}), port, cache_.path() + "/made/here");
    proxy_->wait_for_generation(2);
    proxy_.reset();
  }
  start(remote_filter({.sha256 = first_sha_, .vm = "nack_on_code_cache_miss: true"}), port,
        cache_.path() + "/made/here");
  EXPECT_TRUE(answer().has("x-allocated"));
  EXPECT_EQ(proxy_->generation(), 1u);
  EXPECT_EQ(stat("cache_hits"), 1u);
}

TEST_F(WasmRemote, APoisonedCacheFileIsFetchedAnew) {
  cache_.write(first_sha_ + ".wasm", second_);
  AutoOrigin origin([this](const Peer::Message&) { return response(first_); });
  start(remote_filter({.sha256 = first_sha_}), origin.port(), cache_.path());
  proxy_->wait_for_generation(2);
  EXPECT_TRUE(answer().has("x-allocated"));
  EXPECT_EQ(origin.requests(), 1u);
  EXPECT_EQ(cache_.read(first_sha_ + ".wasm"), first_);
}

TEST_F(WasmRemote, ACacheThatCannotBeWrittenIsNoObstacle) {
  cache_.write("file", "");
  AutoOrigin origin([this](const Peer::Message&) { return response(first_); });
  start(remote_filter({.sha256 = first_sha_}), origin.port(), cache_.path() + "/file/below");
  proxy_->wait_for_generation(2);
  EXPECT_TRUE(answer().has("x-allocated"));
}

TEST_F(WasmRemote, PluginsOfOneDigestAreOneFetch) {
  AutoOrigin origin([this](const Peer::Message&) { return response(first_); });
  start(remote_filter({.sha256 = first_sha_, .name = "p"}) +
            remote_filter({.sha256 = first_sha_, .vm = "vm_id: other", .name = "q"}),
        origin.port());
  proxy_->wait_for_generation(2);
  EXPECT_TRUE(answer().has("x-allocated"));
  EXPECT_EQ(origin.requests(), 1u);
}

TEST_F(WasmRemote, TheVersionBeforeServesUntilTheNewOneIsThere) {
  AutoOrigin old_origin([this](const Peer::Message&) { return response(first_); });
  start(remote_filter({.sha256 = first_sha_}), old_origin.port());
  proxy_->wait_for_generation(2);
  const uint64_t made = proxy_->counter("wasm.envoy.wasm.runtime.v8.created");
  Origin origin;
  edit(remote_filter({.sha256 = second_sha_, .path = "/2"}), origin.port());
  Peer fetch = origin.accept();
  fetch.read_message();
  proxy_->wait_for_generation(3);
  EXPECT_TRUE(answer().has("x-allocated"));
  // An edit of something else does not disturb it.
  edit(remote_filter({.sha256 = second_sha_, .policy = "failure_policy: FAIL_OPEN", .path = "/2"}),
       origin.port());
  proxy_->wait_for_generation(4);
  EXPECT_TRUE(answer().has("x-allocated"));
  EXPECT_TRUE(origin.quiet());
  EXPECT_EQ(proxy_->counter("wasm.envoy.wasm.runtime.v8.created"), made);
  fetch.send(response(second_));
  proxy_->wait_for_generation(5);
  EXPECT_TRUE(answer().has("x-second-on"));
  EXPECT_FALSE(answer().has("x-allocated"));
}

TEST_F(WasmRemote, AnEditMayNameAnAddressThatWorks) {
  AutoOrigin origin([this](const Peer::Message& request) {
    return request.first_line().find("/good") != std::string::npos ? response(first_)
                                                                   : response("no", 404);
  });
  start(remote_filter({.sha256 = first_sha_, .path = "/bad"}), origin.port());
  wait_for_stat("fetch_failures", 1);
  edit(remote_filter({.sha256 = first_sha_, .path = "/good"}), origin.port());
  proxy_->wait_for_generation(3);
  EXPECT_TRUE(answer().has("x-allocated"));
}

TEST_F(WasmRemote, ARefusedEditDoesNotTakeItsAddressFromTheServingGeneration) {
  Origin origin;
  const std::string serving = remote_filter({.sha256 = first_sha_});
  start(serving, origin.port());
  Peer cancelled = origin.accept();
  edit(remote_filter(
           {.sha256 = first_sha_, .vm = "nack_on_code_cache_miss: true", .path = "/other"}),
       origin.port());
  proxy_->wait_for_rejection(1);
  Peer other = origin.accept();
  EXPECT_EQ(other.read_message().first_line(), "GET /other HTTP/1.1");
  edit(serving, origin.port());  // nothing has changed
  Peer again = origin.accept();
  EXPECT_EQ(again.read_message().first_line(), "GET /module.wasm HTTP/1.1");
  again.send(response(first_));
  proxy_->wait_for_generation(2);
  EXPECT_TRUE(answer().has("x-allocated"));
}

TEST_F(WasmRemote, TheClusterSaysWhetherOverTls) {
  const TestCa ca;
  AutoOrigin origin([this](const Peer::Message&) { return response(first_); });
  TlsSide side;
  side.certificate = ca.issue("DNS:modules.example");
  origin.use_tls(side);
  cache_.write("ca.pem", ca.pem());
  Yaml yaml;
  yaml.filters = remote_filter({.sha256 = first_sha_});
  yaml.filters.replace(yaml.filters.find("http://"), 7, "https://");
  yaml.routes = kDirect;
  yaml.origin_port = origin.port();
  yaml.cluster = upstream_tls(trusting(cache_), "sni: modules.example");
  proxy_ = std::make_unique<TestProxy>(yaml.text(), TestProxy::Options{.from_file = true});
  proxy_->wait_for_generation(2);
  EXPECT_TRUE(answer().has("x-allocated"));
}

TEST_F(WasmRemote, ARefusedEditIsFetchedForTheNextOne) {
  Origin origin;
  start("", origin.port());
  const std::string filters =
      remote_filter({.sha256 = first_sha_, .vm = "nack_on_code_cache_miss: true"});
  edit(filters, origin.port());
  proxy_->wait_for_rejection(1);
  EXPECT_EQ(answer().status(), 200);
  Peer fetch = origin.accept();
  fetch.read_message();
  fetch.send(response(first_));
  wait_for_stat("fetch_successes", 1);
  EXPECT_EQ(proxy_->generation(), 1u);
  proxy_->admin("/reload", "POST");
  proxy_->wait_for_generation(2);
  EXPECT_TRUE(answer().has("x-allocated"));
}

TEST_F(WasmRemote, ARefusedEditWithItsClusterSaysThatThereIsNone) {
  AutoOrigin origin([this](const Peer::Message&) { return response(first_); });
  start("", origin.port());
  const std::string nack = "nack_on_code_cache_miss: true";
  std::string filters = remote_filter({.sha256 = first_sha_, .vm = nack});
  filters.replace(filters.find("cluster: origin"), 15, "cluster: store1");
  edit(filters, origin.port());
  proxy_->wait_for_rejection(1);
  const std::string state = proxy_->admin("/reload");
  EXPECT_NE(state.find("unknown cluster store1"), std::string::npos) << state;
  edit(remote_filter({.sha256 = first_sha_, .vm = nack}), origin.port());
  wait_for_stat("fetch_successes", 1);
  proxy_->admin("/reload", "POST");
  proxy_->wait_for_generation(2);
  EXPECT_TRUE(answer().has("x-allocated"));
}

TEST_F(WasmRemote, AStartThatMayNotMissFails) {
  Origin origin;
  EXPECT_THROW(start(remote_filter({.sha256 = first_sha_, .vm = "nack_on_code_cache_miss: true"}),
                     origin.port()),
               std::runtime_error);
}

TEST_F(WasmRemote, AModuleThatDoesNotCompileIsARejectedEdit) {
  AutoOrigin origin([](const Peer::Message&) { return response("no module"); });
  start(remote_filter({.sha256 = base::sha256_hex("no module")}), origin.port());
  proxy_->wait_for_rejection(1);
  EXPECT_EQ(answer().status(), 503);
  EXPECT_EQ(origin.requests(), 1u);
}

struct Ended {
  int code = -1;
  std::string output;
};
Ended run_weir(const std::string& arguments) {
  Ended out;
  FILE* pipe =
      ::popen((std::string(WEIR_BINARY_DIR) + "/weir " + arguments + " 2>&1").c_str(), "r");
  std::array<char, 4096> part{};
  while (const size_t size = std::fread(part.data(), 1, part.size(), pipe))
    out.output.append(part.data(), size);
  out.code = ::pclose(pipe);
  return out;
}

TEST_F(WasmRemote, ValidatingFetchesNothingAndSaysSo) {
  Origin origin;
  cache_.write("weir.yaml",
               yaml_of(remote_filter({.sha256 = first_sha_, .vm = "nack_on_code_cache_miss: true"}),
                       origin.port()));
  const std::string arguments =
      "--wasm-cache " + cache_.path() + " validate " + cache_.path() + "/weir.yaml";
  Ended ended = run_weir(arguments);
  EXPECT_EQ(ended.code, 0) << ended.output;
  EXPECT_NE(ended.output.find("is not checked: its module is not in the cache"), std::string::npos)
      << ended.output;
  EXPECT_TRUE(origin.quiet());
  cache_.write(first_sha_ + ".wasm", first_);
  ended = run_weir(arguments);
  EXPECT_EQ(ended.code, 0) << ended.output;
  EXPECT_EQ(ended.output.find("not checked"), std::string::npos) << ended.output;
}

TEST_F(WasmRemote, WhatIsWrongIsSaidAtItsPlace) {
  const auto problem = [this](const std::string& remote) {
    Yaml yaml;
    yaml.routes = kDirect;
    yaml.filters =
        "- name: w\n  typed_config:\n"
        "    \"@type\": type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm\n"
        "    config:\n      vm_config: {code: {remote: {" +
        remote + "}}}\n";
    cache_.write("weir.yaml", yaml.text());
    const Ended ended = run_weir("validate " + cache_.path() + "/weir.yaml");
    EXPECT_NE(ended.code, 0) << remote;
    EXPECT_NE(ended.output.find("weir.yaml:"), std::string::npos) << ended.output;
    return ended.output;
  };
  const std::string uri = "http_uri: {uri: 'http://a/m', cluster: origin, timeout: 1s}";
  const auto says = [](const std::string& output, const char* text) {
    return output.find(text) != std::string::npos ? ::testing::AssertionSuccess()
                                                  : ::testing::AssertionFailure() << output;
  };
  EXPECT_TRUE(says(problem(uri), "sha256"));
  EXPECT_TRUE(says(problem(uri + ", sha256: abc"), "expected 64 hexadecimal digits"));
  const std::string sha = ", sha256: " + first_sha_;
  EXPECT_TRUE(says(problem("http_uri: {uri: 'ftp://a/m', cluster: c}" + sha), "expected http://"));
  EXPECT_TRUE(
      says(problem("http_uri: {uri: 'http://u:p@a/m', cluster: c}" + sha), "expected http://"));
  EXPECT_TRUE(says(problem("http_uri: {uri: 'http://a/m'}" + sha), "cluster"));
  EXPECT_TRUE(says(problem("http_uri: {uri: 'http://a', cluster: c, timeout: 0s}" + sha),
                   "must be at least 1ms"));
  EXPECT_TRUE(says(problem(uri + sha +
                           ", retry_policy: {retry_back_off: {base_interval: 2s, "
                           "max_interval: 1s}}"),
                   "must not be less than base_interval"));
}

}  // namespace
}  // namespace weir::test
