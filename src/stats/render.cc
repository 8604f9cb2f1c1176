// The texts of GET /stats: Envoy's plain form, JSON, and Prometheus with Envoy's names and tags.
#include <cmath>
#include <optional>

#include "base/json.h"
#include "base/regex.h"
#include "base/strings.h"
#include "stats/store.h"

namespace weir::stats {
namespace {

constexpr double kQuantiles[] = {0, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.995, 0.999, 1};
constexpr std::string_view kQuantileNames[] = {"P0",  "P25", "P50",   "P75",   "P90",
                                               "P95", "P99", "P99.5", "P99.9", "P100"};

std::string number(double value) {
  if (std::isnan(value)) return "nan";
  std::string text = std::to_string(value);
  text.erase(text.find_last_not_of('0') + 1);
  if (text.back() == '.') text.pop_back();
  return text;
}

/// Keeps what the filter (a regular expression that may match anywhere) and `usedonly` let through.
class FilteredVisitor : public Visitor {
 public:
  FilteredVisitor(std::string_view filter, bool used_only) : used_only_(used_only) {
    if (filter.empty()) return;
    if (auto compiled = base::Regex::compile(filter)) regex_ = std::move(*compiled);
  }

 protected:
  bool keep(std::string_view name, bool used) const {
    return (used || !used_only_) && (!regex_ || regex_->partial_match(name));
  }

 private:
  bool used_only_;
  std::optional<base::Regex> regex_;
};

class TextVisitor final : public FilteredVisitor {
 public:
  using FilteredVisitor::FilteredVisitor;
  std::string out;
  void on_counter(std::string_view name, uint64_t value, bool used) override {
    if (keep(name, used)) out += std::string(name) + ": " + std::to_string(value) + "\n";
  }
  void on_gauge(std::string_view name, int64_t value, bool used) override {
    if (keep(name, used)) out += std::string(name) + ": " + std::to_string(value) + "\n";
  }
  void on_histogram(std::string_view name, const HistogramSnapshot& value, bool used) override {
    if (!keep(name, used)) return;
    out += std::string(name) + ":";
    if (value.count == 0) out += " No recorded values";
    for (size_t i = 0; i < std::size(kQuantiles) && value.count > 0; ++i)
      out += " " + std::string(kQuantileNames[i]) + "(" + number(value.quantile(kQuantiles[i])) + ")";
    out += "\n";
  }
};

class JsonVisitor final : public FilteredVisitor {
 public:
  JsonVisitor(std::string_view filter, bool used_only) : FilteredVisitor(filter, used_only), json_(out) {
    json_.begin_object().key("stats").begin_array();
  }
  void finish() { json_.end_array().end_object(); }
  std::string out;
  void on_counter(std::string_view name, uint64_t value, bool used) override {
    if (keep(name, used)) json_.begin_object().key("name").text(name).key("value").number(value).end_object();
  }
  void on_gauge(std::string_view name, int64_t value, bool used) override {
    if (keep(name, used)) json_.begin_object().key("name").text(name).key("value").number(value).end_object();
  }
  void on_histogram(std::string_view name, const HistogramSnapshot& value, bool used) override {
    if (!keep(name, used)) return;
    json_.begin_object().key("name").text(name).key("count").number(value.count).key("sum").number(value.sum);
    json_.key("quantiles").begin_object();
    for (size_t i = 0; i < std::size(kQuantiles); ++i)
      json_.key(kQuantileNames[i]).number(value.quantile(kQuantiles[i]));
    json_.end_object().end_object();
  }

 private:
  base::JsonWriter json_;
};

std::string sanitise(std::string_view name) {
  std::string out(name);
  for (char& c : out)
    if (!base::is_alpha(c) && !base::is_digit(c) && c != '_' && c != ':') c = '_';
  if (!out.empty() && base::is_digit(out[0])) out.insert(0, 1, '_');
  return out;
}

std::string escape_label(std::string_view value) {
  std::string out;
  for (const char c : value) {
    if (c == '\\' || c == '"') out += '\\';
    if (c == '\n') {
      out += "\\n";
    } else {
      out += c;
    }
  }
  return out;
}

/// A metric's name without the parts that are tags, and the tags.
struct Tagged {
  std::string name;
  std::string labels;  // a="b",c="d"
  void add(std::string_view key, std::string_view value) {
    if (!labels.empty()) labels += ",";
    labels += std::string(key) + "=\"" + escape_label(value) + "\"";
  }
};

/// Takes the segment after `prefix` as a tag: "cluster.a.b_total" -> "cluster.b_total" {key="a"}. The segment may hold dots when a
/// well-known name follows it.
bool take_segment(std::string& name, std::string_view prefix, std::string_view key, Tagged& tagged) {
  if (!name.starts_with(prefix)) return false;
  size_t end = std::string::npos;
  for (const std::string_view known : {".upstream_", ".downstream_", ".membership_", ".circuit_breakers.", ".http.",
                                       ".lb_", ".rq_", ".no_", ".health_check", ".rs_"})
    end = std::min(end, name.find(known, prefix.size()));
  if (end == std::string::npos) end = name.find('.', prefix.size());
  if (end == std::string::npos) return false;
  tagged.add(key, std::string_view(name).substr(prefix.size(), end - prefix.size()));
  name.erase(prefix.size(), end + 1 - prefix.size());
  return true;
}

/// "…_rq_200" -> "…_rq" {code="200"}; "…_rq_2xx" -> "…_rq_xx" {class="2"}.
void take_response_code(std::string& name, Tagged& tagged) {
  const size_t at = name.rfind("_rq_");
  if (at == std::string::npos || name.size() != at + 7) return;
  const std::string_view code = std::string_view(name).substr(at + 4);
  if (!base::is_digit(code[0])) return;
  if (code.substr(1) == "xx") {
    tagged.add("envoy_response_code_class", code.substr(0, 1));
    name.erase(at + 4, 1);
  } else if (base::is_digit(code[1]) && base::is_digit(code[2])) {
    tagged.add("envoy_response_code", code);
    name.erase(at + 3);
  }
}

Tagged tag(std::string_view full) {
  Tagged tagged;
  std::string name(full);
  if (name.starts_with("wasmcustom.")) {
    tagged.name = sanitise(std::string_view(name).substr(11));
    return tagged;
  }
  take_segment(name, "cluster.", "envoy_cluster_name", tagged);
  if (take_segment(name, "listener.", "envoy_listener_address", tagged))
    take_segment(name, "listener.http.", "envoy_http_conn_manager_prefix", tagged);
  take_segment(name, "http.", "envoy_http_conn_manager_prefix", tagged);
  take_response_code(name, tagged);
  tagged.name = "envoy_" + sanitise(name);
  return tagged;
}

class PrometheusVisitor final : public FilteredVisitor {
 public:
  using FilteredVisitor::FilteredVisitor;
  void on_counter(std::string_view name, uint64_t value, bool used) override {
    if (keep(name, used)) line(tag(name), "counter", std::to_string(value));
  }
  void on_gauge(std::string_view name, int64_t value, bool used) override {
    if (keep(name, used)) line(tag(name), "gauge", std::to_string(value));
  }
  void on_histogram(std::string_view name, const HistogramSnapshot& value, bool used) override {
    if (!keep(name, used)) return;
    const Tagged tagged = tag(name);
    const std::string comma = tagged.labels.empty() ? "" : ",";
    std::string& text = family(tagged.name, "histogram");
    for (const auto& [upper, upto] : value.cumulative)
      text += tagged.name + "_bucket{" + tagged.labels + comma + "le=\"" + number(upper) + "\"} " +
              std::to_string(upto) + "\n";
    text += tagged.name + "_bucket{" + tagged.labels + comma + "le=\"+Inf\"} " + std::to_string(value.count) + "\n";
    text += tagged.name + "_sum{" + tagged.labels + "} " + std::to_string(value.sum) + "\n";
    text += tagged.name + "_count{" + tagged.labels + "} " + std::to_string(value.count) + "\n";
  }
  /// The lines of one name stand together, after its type.
  std::string take() {
    std::string out;
    for (const auto& [name, text] : families_) out += text;
    return out;
  }

 private:
  std::string& family(const std::string& name, std::string_view type) {
    std::string& text = families_[name];
    if (text.empty()) text = "# TYPE " + name + " " + std::string(type) + "\n";
    return text;
  }
  void line(const Tagged& tagged, std::string_view type, const std::string& value) {
    family(tagged.name, type) += tagged.name + "{" + tagged.labels + "} " + value + "\n";
  }
  std::map<std::string, std::string> families_;
};

}  // namespace

std::string to_text(const Store& store, std::string_view filter_regex, bool used_only) {
  TextVisitor visitor(filter_regex, used_only);
  store.visit(visitor);
  return std::move(visitor.out);
}

std::string to_json(const Store& store, std::string_view filter_regex, bool used_only) {
  JsonVisitor visitor(filter_regex, used_only);
  store.visit(visitor);
  visitor.finish();
  return std::move(visitor.out);
}

std::string to_prometheus(const Store& store, std::string_view filter_regex, bool used_only) {
  PrometheusVisitor visitor(filter_regex, used_only);
  store.visit(visitor);
  return visitor.take();
}

}  // namespace weir::stats
