// FakeView: a ConfigView over a tree written in the test, and a stream that filters can be attached to.
#pragma once

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>
#include <gtest/gtest.h>
#include <weir/filter_registry.h>

#include "stats/store.h"

namespace weir::filters::test {

struct Value;
using Object = std::map<std::string, Value, std::less<>>;
using List = std::vector<Value>;
struct Value {
  Value(const char* text) : data(std::string(text)) {}
  Value(int number) : data(int64_t{number}) {}
  Value(bool flag) : data(flag) {}
  Value(Object object) : data(std::make_shared<Object>(std::move(object))) {}
  Value(List list) : data(std::make_shared<List>(std::move(list))) {}
  std::variant<std::string, int64_t, bool, std::shared_ptr<Object>, std::shared_ptr<List>> data;
};

/// Durations are texts like "1.5s". Errors are gathered in `errors`, shared by all views below.
class FakeView final : public ConfigView {
 public:
  FakeView(Object object, std::vector<std::string>& errors)
      : object_(std::move(object)), errors_(errors) {}
  ~FakeView() override {
    for (const auto& [key, value] : object_)
      if (!read_.contains(key)) errors_.push_back(key + ": unknown field");
  }
  std::string path() const override { return "test"; }
  bool has(std::string_view field) const override { return object_.contains(field); }
  std::string text(std::string_view field, std::string_view fallback) override {
    const Value* value = find(field);
    return value == nullptr ? std::string(fallback) : std::get<std::string>(value->data);
  }
  bool boolean(std::string_view field, bool fallback) override {
    const Value* value = find(field);
    return value == nullptr ? fallback : std::get<bool>(value->data);
  }
  int64_t integer(std::string_view field, int64_t fallback, int64_t min, int64_t max) override {
    const Value* value = find(field);
    if (value == nullptr) return fallback;
    const int64_t number = std::get<int64_t>(value->data);
    if (number < min || number > max) error(field, "out of range");
    return number;
  }
  double number(std::string_view field, double fallback) override {
    const Value* value = find(field);
    return value == nullptr ? fallback : std::stod(std::get<std::string>(value->data));
  }
  std::chrono::nanoseconds duration(std::string_view field,
                                    std::chrono::nanoseconds fallback) override {
    const Value* value = find(field);
    if (value == nullptr) return fallback;
    return std::chrono::nanoseconds(
        static_cast<int64_t>(std::stod(std::get<std::string>(value->data)) * 1e9));
  }
  std::vector<std::string> texts(std::string_view field) override {
    std::vector<std::string> out;
    if (const Value* value = find(field))
      for (const Value& item : *std::get<std::shared_ptr<List>>(value->data))
        out.push_back(std::get<std::string>(item.data));
    return out;
  }
  size_t enumeration(std::string_view field, const std::vector<std::string_view>& names,
                     size_t fallback) override {
    const Value* value = find(field);
    if (value == nullptr) return fallback;
    for (size_t i = 0; i < names.size(); ++i)
      if (names[i] == std::get<std::string>(value->data)) return i;
    error(field, "unknown value");
    return fallback;
  }
  std::unique_ptr<ConfigView> message(std::string_view field) override {
    const Value* value = find(field);
    if (value == nullptr) return nullptr;
    return std::make_unique<FakeView>(*std::get<std::shared_ptr<Object>>(value->data), errors_);
  }
  std::vector<std::unique_ptr<ConfigView>> messages(std::string_view field) override {
    std::vector<std::unique_ptr<ConfigView>> out;
    if (const Value* value = find(field))
      for (const Value& item : *std::get<std::shared_ptr<List>>(value->data))
        out.push_back(
            std::make_unique<FakeView>(*std::get<std::shared_ptr<Object>>(item.data), errors_));
    return out;
  }
  std::vector<std::string> keys() const override {
    std::vector<std::string> out;
    for (const auto& [key, value] : object_) out.push_back(key);
    return out;
  }
  std::string type() override {
    const std::string full = text("@type", {});
    return full.substr(std::min(full.size(), full.find('/') + 1));
  }
  std::optional<std::string> json(std::string_view field) override {
    return find(field), std::nullopt;
  }
  std::optional<std::string> data_source(std::string_view) override { return std::nullopt; }
  void error(std::string_view field, std::string_view message) override {
    errors_.push_back(std::string(field) + ": " + std::string(message));
  }
  void unsupported(std::string_view field, std::string_view why) override {
    if (find(field) != nullptr) error(field, why);
  }
  bool failed() const override { return !errors_.empty(); }

 private:
  const Value* find(std::string_view field) {
    const auto found = object_.find(field);
    if (found == object_.end()) return nullptr;
    read_[std::string(field)] = true;
    return &found->second;
  }
  Object object_;
  std::vector<std::string>& errors_;
  std::map<std::string, bool, std::less<>> read_;
};

/// Clusters that have hosts and take no callouts.
class FakeClusters final : public Callouts {
 public:
  bool knows_cluster(std::string_view name) const override { return hosts.contains(name); }
  std::optional<ClusterHosts> cluster_hosts(std::string_view name) const override {
    const auto found = hosts.find(name);
    return found == hosts.end() ? std::nullopt : std::optional(found->second);
  }
  Result<std::unique_ptr<Callout>> start(CalloutRequest, CalloutHandler&) override {
    return fail(Code::kNoCluster, Side::kLocal, "none");
  }
  std::map<std::string, ClusterHosts, std::less<>> hosts;
};

/// One stream's callbacks without a chain: what a filter asks for is recorded.
class FakeStream final : public FilterCallbacks {
 public:
  StreamInfo& stream_info() noexcept override { return info; }
  RequestHead* request_head() noexcept override { return &request; }
  ResponseHead* response_head() noexcept override { return &response; }
  HeaderMap* request_trailers() noexcept override { return nullptr; }
  HeaderMap* response_trailers() noexcept override { return nullptr; }
  void continue_request() override { ++continued; }
  void continue_response() override { ++continued; }
  Buffer* held_request_body() noexcept override { return held; }
  Buffer* held_response_body() noexcept override { return held; }
  void add_request_body(Buffer&& data) override { added.append(std::move(data)); }
  void add_response_body(Buffer&& data) override { added.append(std::move(data)); }
  void pass_request_body(Buffer&& data) override { passed.append(std::move(data)); }
  void pass_response_body(Buffer&& data) override { passed.append(std::move(data)); }
  HeaderMap& add_request_trailers() override { return trailers; }
  HeaderMap& add_response_trailers() override { return trailers; }
  void reply(LocalReply reply) override { replies.push_back(std::move(reply)); }
  void reset(std::string_view details) override { resets.emplace_back(details); }
  void clear_route_cache() override {}
  const void* route_config() override { return route; }
  RouteConfigs route_configs() override {
    RouteConfigs configs;
    for (const void* level : routes) configs.add(level);
    return configs;
  }
  std::string_view route_cluster() override { return cluster; }
  size_t buffer_limit(Direction) const noexcept override { return limit; }
  void set_buffer_limit(Direction, size_t bytes) override { limit = bytes; }
  Callouts& callouts() noexcept override { return clusters; }
  std::unique_ptr<StreamTimer> start_timer(std::chrono::milliseconds delay, void (*handler)(void*),
                                           void* argument) override {
    delays.push_back(delay);
    fire = [handler, argument] { handler(argument); };
    return std::make_unique<StreamTimer>();
  }
  bool health_check_failed() const noexcept override { return unhealthy; }

  StreamInfo info;
  RequestHead request;
  ResponseHead response;
  HeaderMap trailers;
  std::vector<LocalReply> replies;
  std::vector<std::string> resets;
  Buffer added, passed;                           // what went into add_*_body and pass_*_body
  Buffer* held = nullptr;                         // the test's
  int continued = 0;                              // calls of continue_*
  size_t limit = 0;                               // of both directions
  std::vector<std::chrono::milliseconds> delays;  // of all timers that were started
  std::function<void()> fire;                     // what the last of them does
  std::string cluster;
  const void* route = nullptr;
  std::vector<const void*> routes;  // most specific first
  FakeClusters clusters;
  bool unhealthy = false;
};

class FilterTest : public ::testing::Test {
 protected:
  /// Makes the factory; errors are in `errors`.
  std::shared_ptr<const HttpFilterFactory> make(HttpFilterMaker maker, Object options) {
    errors.clear();
    FakeView view(std::move(options), errors);
    FactoryContext context{*scope, "filter", "UNSPECIFIED", nullptr, root.get(), nullptr, &shared};
    return maker(view, context);
  }
  std::unique_ptr<HttpFilter> attach(const HttpFilterFactory& factory, FakeStream& stream) {
    auto filter = factory.create(0);
    filter->attach(stream);
    return filter;
  }
  SharedObjects shared;
  stats::Store store{1};
  std::unique_ptr<StatsScope> root = store.scope("");
  std::unique_ptr<StatsScope> scope = store.scope("http.ingress.");
  std::vector<std::string> errors;
};

inline std::string text(const HeaderMap& headers) {
  std::string out;
  for (const auto& entry : headers)
    out += std::string(entry.name) + "=" + std::string(entry.value) + ";";
  return out;
}

}  // namespace weir::filters::test
