// The texts of the admin endpoints over a Store.
#include <algorithm>
#include <array>
#include <cstdio>
#include <map>
#include <optional>

#include "base/json.h"
#include "base/regex.h"
#include "base/strings.h"
#include "stats/store.h"
#include "stats/tags.h"

namespace weir::stats {

namespace {

constexpr std::array<double, 9> kQuantiles = {0, 25, 50, 75, 90, 95, 99, 99.5, 99.9};

std::string number_text(double value) {
  char text[32];
  const int n = std::snprintf(text, sizeof text, "%.6g", value);
  return std::string(text, static_cast<size_t>(n));
}

// Hands on the metrics that the caller of the endpoint wants.
class Filtered : public Visitor {
 public:
  Filtered(std::optional<base::Regex> regex, bool used_only)
      : regex_(std::move(regex)), used_only_(used_only) {}
  void on_counter(std::string_view name, uint64_t value, bool used) final {
    if (wanted(name, used)) counter(name, value);
  }
  void on_gauge(std::string_view name, int64_t value, bool used) final {
    if (wanted(name, used)) gauge(name, value);
  }
  void on_histogram(std::string_view name, const HistogramSnapshot& value, bool used) final {
    if (wanted(name, used)) histogram(name, value);
  }

 protected:
  virtual void counter(std::string_view name, uint64_t value) = 0;
  virtual void gauge(std::string_view name, int64_t value) = 0;
  virtual void histogram(std::string_view name, const HistogramSnapshot& value) = 0;

 private:
  bool wanted(std::string_view name, bool used) const {
    return (used || !used_only_) && (!regex_ || regex_->partial_match(name));
  }
  std::optional<base::Regex> regex_;
  bool used_only_;
};

class TextOutput final : public Filtered {
 public:
  using Filtered::Filtered;
  // Envoy lists histograms after everything else.
  std::string text() const { return values_ + histograms_; }

 private:
  void counter(std::string_view name, uint64_t value) override {
    base::append_all(values_, name, ": ", value, '\n');
  }
  void gauge(std::string_view name, int64_t value) override {
    base::append_all(values_, name, ": ", value, '\n');
  }
  void histogram(std::string_view name, const HistogramSnapshot& value) override {
    base::append_all(histograms_, name, ": ");
    if (value.count == 0) {
      histograms_ += "No recorded values\n";
      return;
    }
    // Envoy's pairs are (last interval, since start); weir keeps no intervals.
    for (const double q : kQuantiles) {
      base::append_all(histograms_, 'P', number_text(q), "(nan,",
                       number_text(value.quantile(q / 100)), ") ");
    }
    base::append_all(histograms_, "P100(nan,", number_text(value.quantile(1)), ")\n");
  }
  std::string values_;
  std::string histograms_;
};

class JsonOutput final : public Filtered {
 public:
  JsonOutput(std::optional<base::Regex> regex, bool used_only)
      : Filtered(std::move(regex), used_only) {
    json_.begin_object().key("stats").begin_array();
  }
  std::string finish() {
    if (!any_histogram_) begin_histograms();
    histograms_.end_array().end_object();
    json_.begin_object().key("histograms").raw(histogram_text_).end_object();
    json_.end_array().end_object();
    return std::move(text_);
  }

 private:
  void counter(std::string_view name, uint64_t value) override {
    json_.begin_object().key("name").text(name).key("value").number(value).end_object();
  }
  void gauge(std::string_view name, int64_t value) override {
    json_.begin_object().key("name").text(name).key("value").number(value).end_object();
  }
  void begin_histograms() {
    any_histogram_ = true;
    histograms_.begin_object().key("supported_quantiles").begin_array();
    for (const double q : kQuantiles) histograms_.number(q);
    histograms_.number(100).end_array().key("computed_quantiles").begin_array();
  }
  void histogram(std::string_view name, const HistogramSnapshot& value) override {
    if (!any_histogram_) begin_histograms();
    histograms_.begin_object().key("name").text(name).key("values").begin_array();
    for (size_t i = 0; i <= kQuantiles.size(); ++i) {
      const double q = i < kQuantiles.size() ? kQuantiles[i] : 100;
      histograms_.begin_object()
          .key("interval")
          .null()
          .key("cumulative")
          .number(value.quantile(q / 100))
          .end_object();
    }
    histograms_.end_array().end_object();
  }
  std::string text_;
  std::string histogram_text_;
  base::JsonWriter json_{text_};
  base::JsonWriter histograms_{histogram_text_};
  bool any_histogram_ = false;
};

class PrometheusOutput final : public Filtered {
 public:
  using Filtered::Filtered;
  std::string text() const {
    std::string text;
    for (const auto& [name, family] : families_) {
      base::append_all(text, "# TYPE ", name, ' ', family.type, '\n', family.lines);
    }
    return text;
  }

 private:
  struct Family {
    std::string_view type{};
    std::string lines{};
  };
  // Stats of one family stand together, whatever lies between them by name. A family has one type: a stat of
  // another type under the same name gets none of its own and is left out, as the format demands.
  Family* family(const std::string& name, std::string_view type) {
    Family& family = families_[name];
    if (family.type.empty()) family.type = type;
    return family.type == type ? &family : nullptr;
  }
  static std::string labels(const TaggedName& tagged, std::string_view le = {}) {
    std::string text;
    for (const auto& [key, value] : tagged.tags) {
      base::append_all(text, text.empty() ? "" : ",", key, "=\"");
      for (const char c : value) {
        if (c == '\\' || c == '"') text += '\\';
        if (c == '\n') {
          text += "\\n";
        } else {
          text += c;
        }
      }
      text += '"';
    }
    if (!le.empty()) base::append_all(text, text.empty() ? "" : ",", "le=\"", le, '"');
    return text;
  }
  template <typename T>
  void value(std::string_view name, std::string_view type, T value) {
    const TaggedName tagged = extract_tags(name);
    if (Family* into = family(tagged.name, type)) {
      base::append_all(into->lines, tagged.name, '{', labels(tagged), "} ", value, '\n');
    }
  }
  void counter(std::string_view name, uint64_t count) override { value(name, "counter", count); }
  void gauge(std::string_view name, int64_t level) override { value(name, "gauge", level); }
  void histogram(std::string_view name, const HistogramSnapshot& snapshot) override {
    const TaggedName tagged = extract_tags(name);
    Family* into = family(tagged.name, "histogram");
    if (into == nullptr) return;
    std::string& out = into->lines;
    for (const auto& [bound, count] : snapshot.cumulative) {
      char le[32];
      std::snprintf(le, sizeof le, "%.15g", bound);
      base::append_all(out, tagged.name, "_bucket{", labels(tagged, le), "} ", count, '\n');
    }
    base::append_all(out, tagged.name, "_bucket{", labels(tagged, "+Inf"), "} ", snapshot.count,
                     '\n');
    base::append_all(out, tagged.name, "_sum{", labels(tagged), "} ", snapshot.sum, '\n');
    base::append_all(out, tagged.name, "_count{", labels(tagged), "} ", snapshot.count, '\n');
  }
  std::map<std::string, Family> families_;
};

// The compiled filter, none for an empty pattern, or the text that says what is wrong with it.
Result<std::optional<base::Regex>> compile(std::string_view pattern) {
  if (pattern.empty()) return std::optional<base::Regex>();
  WEIR_TRY(regex, base::Regex::compile(pattern));
  return std::optional<base::Regex>(std::move(regex));
}

}  // namespace

std::string to_text(const Store& store, std::string_view filter_regex, bool used_only) {
  auto regex = compile(filter_regex);
  if (!regex) return regex.error().detail + "\n";
  TextOutput output(std::move(*regex), used_only);
  store.visit(output);
  return output.text();
}

std::string to_json(const Store& store, std::string_view filter_regex, bool used_only) {
  auto regex = compile(filter_regex);
  if (!regex) return base::concat("{\"error\":\"", base::json_escape(regex.error().detail), "\"}");
  JsonOutput output(std::move(*regex), used_only);
  store.visit(output);
  return output.finish();
}

std::string to_prometheus(const Store& store, std::string_view filter_regex, bool used_only) {
  auto regex = compile(filter_regex);
  if (!regex) return base::concat("# ", regex.error().detail, "\n");
  PrometheusOutput output(std::move(*regex), used_only);
  store.visit(output);
  return output.text();
}

}  // namespace weir::stats
