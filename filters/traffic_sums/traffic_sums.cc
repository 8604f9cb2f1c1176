// An access logger that tells a service of every request, through a shared queue, and the service, which adds them up. See
// README.md for the options.
#include <map>

#include "common/options.h"
#include "proxy_wasm_intrinsics.h"

namespace {

constexpr char kSeparator = '\t';

bool reject(const std::string& why) {
  LOG_ERROR("traffic_sums: " + why);
  return false;
}

bool read_options(size_t size, std::initializer_list<std::string_view> known,
                  weir_filter::Options& out) {
  const auto text = getBufferBytes(WasmBufferType::PluginConfiguration, 0, size);
  if (!out.parse(text->view())) return reject("configuration: " + out.error());
  for (const auto& [name, value] : out.entries()) {
    bool found = false;
    for (const std::string_view each : known) found |= each == name;
    if (!found) return reject("configuration: unknown option \"" + name + "\"");
  }
  return true;
}

uint64_t number_property(std::initializer_list<std::string_view> path) {
  int64_t value = 0;
  return getValue(path, &value) && value > 0 ? static_cast<uint64_t>(value) : 0;
}

// Runs on the workers: one line into the queue for each exchange.
class Logger : public RootContext {
 public:
  using RootContext::RootContext;

  bool onConfigure(size_t size) override {
    weir_filter::Options options;
    if (!read_options(size, {"by", "queue", "vm_id"}, options)) return false;
    by_ = options.get("by", "route_name");
    if (by_ != "route_name" && by_ != "cluster_name" && by_ != "virtual_host_name")
      return reject("configuration: by: expected route_name, cluster_name or virtual_host_name");
    queue_name_ = options.get("queue", "traffic_sums");
    vm_id_ = options.get("vm_id", "");
    return true;
  }

  void onLog() override {
    // The service may start later than the first request ends.
    if (queue_ == 0 && resolveSharedQueue(vm_id_, queue_name_, &queue_) != WasmResult::Ok) {
      queue_ = 0;
      return;
    }
    std::string name;
    if (!getValue({"xds", by_}, &name) || name.empty()) name = "none";
    for (char& c : name)
      if (c == kSeparator || c == '\n') c = '_';
    std::string line = name;
    for (const uint64_t each :
         {number_property({"response", "code"}), number_property({"response", "total_size"}),
          number_property({"request", "total_size"})})
      line += kSeparator + std::to_string(each);
    if (enqueueSharedQueue(queue_, line) == WasmResult::NotFound) queue_ = 0;
  }

 private:
  std::string by_, queue_name_, vm_id_;
  uint32_t queue_ = 0;
};

struct Sum {
  uint64_t requests = 0, errors = 0, bytes_sent = 0, bytes_received = 0;
  bool changed = false;
};

// Runs once, on the main thread: adds the lines up, as metrics, and as text in shared data for whoever wants to read it.
class Sums : public RootContext {
 public:
  using RootContext::RootContext;

  bool onConfigure(size_t size) override {
    weir_filter::Options options;
    if (!read_options(size, {"queue", "report_ms"}, options)) return false;
    const std::string_view report = options.get("report_ms", "10000");
    uint32_t period = 0;
    for (const char c : report) {
      if (c < '0' || c > '9' || report.size() > 9)
        return reject("configuration: report_ms: expected milliseconds");
      period = period * 10 + static_cast<uint32_t>(c - '0');
    }
    if (registerSharedQueue(options.get("queue", "traffic_sums"), &queue_) != WasmResult::Ok)
      return reject("the queue cannot be registered");
    proxy_set_tick_period_milliseconds(period);
    return true;
  }

  void onQueueReady(uint32_t token) override {
    WasmDataPtr line;
    while (dequeueSharedQueue(token, &line) == WasmResult::Ok) add(line->view());
  }

  void onTick() override {
    std::string report;
    for (auto& [name, sum] : sums_) {
      const std::string text = name + " requests=" + std::to_string(sum.requests) +
                               " errors=" + std::to_string(sum.errors) +
                               " sent=" + std::to_string(sum.bytes_sent) +
                               " received=" + std::to_string(sum.bytes_received);
      if (std::exchange(sum.changed, false)) LOG_INFO("traffic_sums: " + text);
      report += text + "\n";
    }
    setSharedData("traffic_sums.report", report);
  }

 private:
  static std::string_view cut(std::string_view& rest) {
    const size_t end = std::min(rest.find(kSeparator), rest.size());
    const std::string_view part = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    return part;
  }
  static uint64_t cut_number(std::string_view& rest) {
    uint64_t value = 0;
    for (const char c : cut(rest)) {
      if (c < '0' || c > '9') return 0;
      value = value * 10 + static_cast<uint64_t>(c - '0');
    }
    return value;
  }
  static void count(const std::string& name, const char* what, uint64_t by) {
    uint32_t metric = 0;
    if (by > 0 && defineMetric(MetricType::Counter, "traffic_sums." + name + "." + what, &metric) ==
                      WasmResult::Ok)
      incrementMetric(metric, static_cast<int64_t>(by));
  }

  void add(std::string_view line) {
    const std::string name(cut(line));
    const uint64_t code = cut_number(line);
    const uint64_t sent = cut_number(line);
    const uint64_t received = cut_number(line);
    // Names come from the configuration; a bound all the same.
    if (sums_.size() >= kMostNames && sums_.find(name) == sums_.end()) return;
    Sum& sum = sums_[name];
    const uint64_t errors = code == 0 || code >= 500 ? 1 : 0;
    sum.requests += 1;
    sum.errors += errors;
    sum.bytes_sent += sent;
    sum.bytes_received += received;
    sum.changed = true;
    count(name, "requests", 1);
    count(name, "errors", errors);
    count(name, "bytes_sent", sent);
    count(name, "bytes_received", received);
  }

  static constexpr size_t kMostNames = 200;
  uint32_t queue_ = 0;
  std::map<std::string, Sum> sums_;
};

RegisterContextFactory register_logger(CONTEXT_FACTORY(Context), ROOT_FACTORY(Logger), "logger");
RegisterContextFactory register_sums(CONTEXT_FACTORY(Context), ROOT_FACTORY(Sums), "sums");

}  // namespace
