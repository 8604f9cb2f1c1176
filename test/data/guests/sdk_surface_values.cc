// What of the public SDK needs no context of its own: values, headers, stores, metrics, properties.
#include <cstring>
#include <tuple>
#include <unordered_map>
#include <unordered_set>

#include "proxy_wasm_api.h"
#include "proxy_wasm_common.h"
#include "sdk_surface.h"

void check_values(Checks& checks) {
  const HeaderStringPairs pairs = {{"a", "1"}, {"b", ""}};
  const char* block = nullptr;
  size_t size = 0;
  exportPairs(pairs, &block, &size);
  checks.that(size == pairsSize(pairs), "pairsSize");
  const WasmData data(block, size);
  checks.that(data.pairs().size() == 2 && data.pairs()[0].second == "1", "exportPairs");
  std::string copy(size, '\0');
  marshalPairs(pairs, copy.data());
  checks.that(copy == data.view() && std::strlen(data.data()) < size, "marshalPairs");
  void* buffer = nullptr;
  MakeHeaderStringPairsBuffer({}, &buffer, &size);
  checks.that(buffer == nullptr && size == 0, "MakeHeaderStringPairsBuffer");
  std::unordered_map<std::pair<int, std::string>, int, PairHash> by_pair = {{{1, "a"}, 2}};
  std::unordered_set<std::tuple<int, int, std::string>, Tuple3Hash> triples = {{1, 2, "c"}};
  checks.that(by_pair[{1, "a"}] == 2 && triples.count({1, 2, "c"}) == 1, "hashes");
  checks.that(toString(WasmResult::CasMismatch) + "!" == "CasMismatch!", "toString of a result");
  checks.that(toString(true) == "true" && toString("x") == "x" && toString(7) == "7" &&
                  toString(std::string("s")) == "s" && toString(StringView("v")) == "v",
              "toString");
  checks.that(static_cast<int>(WasmHeaderMapType::MAX) == 7 &&
                  static_cast<int>(WasmBufferType::MAX) == 8 &&
                  static_cast<int>(WasmStreamType::MAX) == 3 &&
                  static_cast<int>(MetricType::Max) == 2 && LogLevel::Max == LogLevel::critical &&
                  static_cast<int>(WasmBufferFlags::EndOfStream) == 1 &&
                  GrpcStatus::MaximumValid == GrpcStatus::Unauthenticated,
              "limits of enumerations");
  const Optional<StringView> none;
  checks.that(!none.has_value() && WASM_EXCEPTIONS == 0, "names");
  checks.that(getCurrentTimeNanoseconds() > 1600000000ull * 1000000000ull, "time");
  LOG_TRACE("trace");
  LOG_DEBUG("debug " + std::to_string(1));
  LOG_INFO("info");
  LOG_WARN("warn");
  LOG_ERROR("error");
  LOG_CRITICAL("critical");
  checks.that(logInfo("plain") == WasmResult::Ok, "logInfo");
  if (checks.done < 0) logAbort("never");
}

void check_headers(Checks& checks) {
  checks.that(addRequestHeader("x-h", "1") == WasmResult::Ok, "add");
  checks.that(addHeaderMapValue(WasmHeaderMapType::RequestHeaders, "x-h", "2") == WasmResult::Ok,
              "addHeaderMapValue");
  checks.that(getRequestHeader("x-h")->view() == "1", "get");
  checks.that(replaceRequestHeader("X-H", "3") == WasmResult::Ok, "replace");
  checks.that(getHeaderMapValue(WasmHeaderMapType::RequestHeaders, "x-h")->toString() == "3",
              "getHeaderMapValue");
  checks.that(
      replaceHeaderMapValue(WasmHeaderMapType::RequestHeaders, "x-h", "4") == WasmResult::Ok,
      "replaceHeaderMapValue");
  checks.that(removeRequestHeader("x-h") == WasmResult::Ok, "remove");
  checks.that(removeHeaderMapValue(WasmHeaderMapType::RequestHeaders, "x-h") == WasmResult::Ok,
              "removeHeaderMapValue");
  checks.that(getRequestHeader("x-h")->data() == nullptr, "missing");
  size_t size = 0;
  checks.that(getRequestHeaderSize(&size) == WasmResult::Ok && size > 0, "size");
  checks.that(getHeaderMapSize(WasmHeaderMapType::RequestHeaders, &size) == WasmResult::Ok,
              "getHeaderMapSize");
  HeaderStringPairs all;
  const auto held = getHeaderMapPairs(WasmHeaderMapType::RequestHeaders);  // the views are into it
  for (const auto& [name, value] : held->pairs())
    all.emplace_back(std::string(name), std::string(value));
  all.emplace_back("x-set", "1");
  checks.that(setRequestHeaderPairs(all) == WasmResult::Ok, "set pairs");
  checks.that(setHeaderMapPairs(WasmHeaderMapType::RequestHeaders, all) == WasmResult::Ok,
              "setHeaderMapPairs");
  checks.that(getRequestHeader("x-set")->view() == "1", "set pairs is seen");
}

void check_stores(Checks& checks) {
  WasmDataPtr value;
  checks.that(getSharedData("surface.missing", &value) == WasmResult::NotFound && !value,
              "missing data");
  checks.that(setSharedData("surface.key", "one") == WasmResult::Ok, "setSharedData");
  uint32_t cas = 0;
  checks.that(getSharedData("surface.key", &value, &cas) == WasmResult::Ok && cas != 0,
              "getSharedData");
  checks.that(setSharedData("surface.key", "two", cas) == WasmResult::Ok, "cas");
  checks.that(setSharedData("surface.key", "three", cas) == WasmResult::CasMismatch, "old cas");
  checks.that(getSharedDataValue("surface.key")->view() == "two", "getSharedDataValue");
  uint32_t token = 0;
  checks.that(resolveSharedQueue("", "surface", &token) == WasmResult::Ok && token != 0, "resolve");
  checks.that(resolveSharedQueue("", "surface.none", &token) == WasmResult::NotFound,
              "resolve nothing");
  WasmDataPtr result;
  checks.that(callForeignFunction("surface.none", "", &result) == WasmResult::NotFound, "foreign");
  char* raw = nullptr;
  size_t raw_size = 0;
  checks.that(proxy_call_foreign_function("clear_route_cache", 17, nullptr, 0, &raw, &raw_size) ==
                  WasmResult::Ok,
              "raw foreign call");
}

void check_metrics(Checks& checks) {
  uint32_t metric = 0;
  uint64_t value = 0;
  checks.that(defineMetric(MetricType::Counter, "surface.raw", &metric) == WasmResult::Ok &&
                  incrementMetric(metric, 2) == WasmResult::Ok &&
                  getMetric(metric, &value) == WasmResult::Ok && value >= 2,
              "raw metric");
  checks.that(recordMetric(metric, 1) == WasmResult::Ok, "recordMetric");
  static Counter<std::string, int, bool> counter("uses", "client", "code", "tls");
  counter.increment(1, "ann", 200, true);
  counter.record(2, std::string("ann"), 200, true);
  SimpleCounter one = counter.resolve("ann", 200, true);
  const uint64_t before = one.get();
  ++one;
  one++;
  one.record(1);
  checks.that(counter.get("ann", 200, true) == before + 3, "counter");
  checks.that(counter.nameFromIdSlow(one.metric_id) == "client.ann.code.200.tls.true.uses", "name");
  auto* extended = counter.extendAndResolve<int>("bob", 1, false, "zone");
  extended->increment(4, 9);
  checks.that(extended->get(9) >= 4, "extended");
  delete extended;
  auto* gauge = Gauge<std::string>::New("level", "tank");
  gauge->record(7, "left");
  SimpleGauge left = gauge->resolve("left");
  left.record(left.get() + 1);
  checks.that(gauge->get("left") == 8, "gauge");
  delete gauge;
  Histogram<int> histogram("times", "code");
  histogram.record(12, 200);
  histogram.resolve(200).record(13);
  Counter<> plain("surface.plain");
  plain.increment(1);
  checks.that(plain.get() >= 1, "without tags");
  Metric family(MetricType::Counter, "family",
                {MetricTag{"a", MetricTag::TagType::Int}, MetricTag{"b", MetricTag::TagType::Bool}},
                "_", "=");
  family.increment(1, 5, true);
  checks.that(family.nameFromIdSlow(family.resolve(5, true)) == "a=5_b=true_family", "separators");
  Metric part = family.partiallyResolve(5);
  part.record(2, true);
  checks.that(part.get(true) >= 3, "partial");
  const MetricTag tag = toMetricTag(MetricTagDescriptor<bool>("b"));
  checks.that(tag.tagType == MetricTag::TagType::Bool && tag.name == "b", "tag");
}

struct TextMessage {
  std::string text;
  bool ParseFromArray(const void* data, int size) {
    text.assign(static_cast<const char*>(data), static_cast<size_t>(size));
    return true;
  }
};

void check_properties(Checks& checks) {
  std::string text;
  checks.that(getValue({"request", "method"}, &text) && text == "GET", "text");
  int64_t number = 0;
  checks.that(getValue({"source", "port"}, &number) && number > 0, "number");
  bool secure = true;
  checks.that(getValue({"connection", "mtls"}, &secure) && !secure, "truth value");
  checks.that(!getValue({"request", "method"}, &number), "wrong size");
  checks.that(!getValue({"nothing"}, &text), "no property");
  const std::vector<std::string> path = {"request", "url_path"};
  checks.that(getValue(path, &text) && text[0] == '/', "vector of strings");
  const std::vector<std::string_view> views = {"source", "port"};
  checks.that(getValue(views, &number) && getProperty(views).has_value(), "vector of views");
  const auto headers = getProperty({"request", "headers"});
  checks.that(headers.has_value() && !headers.value()->pairs().empty(), "map");
  TextMessage message;
  checks.that(getMessageValue({"request", "method"}, &message) && message.text == "GET", "message");
  checks.that(getMessageValue(path, &message), "message by vector");
  checks.that(getProperty({"request", "method"}).value()->proto<TextMessage>().text == "GET",
              "proto");
  checks.that(setFilterState("surface", "1") == WasmResult::Ok &&
                  setFilterStateStringValue("surface.text", "2") == WasmResult::Ok,
              "filter state");
  checks.that(getValue<std::string>({"surface.text"}, &text) && text == "2", "filter state read");
}
