// Metrics. The functions are the ABI's; Counter, Gauge and Histogram are families of metrics with typed tags, whose values
// become part of the name: Counter<std::string, int> c("uses", "client", "code"); c.increment(1, "ann", 200) counts in
// "client.ann.code.200.uses". Defining a name again gives the same metric.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>
#include <unordered_map>
#include <vector>

#include "proxy_wasm_externs.h"
#include "proxy_wasm_log.h"

inline WasmResult defineMetric(MetricType type, std::string_view name, uint32_t* metric_id) {
  return proxy_define_metric(type, name.data(), name.size(), metric_id);
}
inline WasmResult incrementMetric(uint32_t metric_id, int64_t delta) {
  return proxy_increment_metric(metric_id, delta);
}
inline WasmResult recordMetric(uint32_t metric_id, uint64_t value) {
  return proxy_record_metric(metric_id, value);
}
inline WasmResult getMetric(uint32_t metric_id, uint64_t* value) {
  return proxy_get_metric(metric_id, value);
}

namespace weir_sdk {
inline uint64_t metric_value(uint32_t metric_id) {
  uint64_t value = 0;
  CHECK_RESULT(getMetric(metric_id, &value));
  return value;
}
}  // namespace weir_sdk

// A tag's value as text.
template <typename T>
std::string toString(T value) {
  if constexpr (std::is_same_v<T, bool>) {
    return value ? "true" : "false";
  } else if constexpr (std::is_convertible_v<T, std::string_view>) {
    return std::string(std::string_view(value));
  } else {
    return std::to_string(value);
  }
}

struct MetricTag {
  enum class TagType : uint32_t { String = 0, Int = 1, Bool = 2 };
  std::string name;
  TagType tagType;
};

// What all families share: the names that have been used, with their metrics.
struct MetricBase {
  MetricBase(MetricType metric_type, const std::string& metric_name,
             const std::vector<MetricTag>& metric_tags = {}, std::string between_fields = ".",
             std::string before_value = ".")
      : type(metric_type),
        name(metric_name),
        tags(metric_tags),
        field_separator(std::move(between_fields)),
        value_separator(std::move(before_value)) {}

  MetricType type;
  std::string name;
  std::string prefix;
  std::vector<MetricTag> tags;
  std::unordered_map<std::string, uint32_t> metric_ids;
  std::string field_separator;
  std::string value_separator;

  // The name's part for the first tags.
  std::string prefixWithFields(const std::vector<std::string>& fields) {
    std::string text = prefix;
    for (size_t i = 0; i < fields.size() && i < tags.size(); ++i)
      text += tags[i].name + value_separator + fields[i] + field_separator;
    return text;
  }
  uint32_t resolveFullName(const std::string& full_name) {
    const auto known = metric_ids.find(full_name);
    if (known != metric_ids.end()) return known->second;
    uint32_t metric_id = 0;
    CHECK_RESULT(defineMetric(type, full_name, &metric_id));
    metric_ids[full_name] = metric_id;
    return metric_id;
  }
  uint32_t resolveWithFields(const std::vector<std::string>& fields) {
    if (fields.size() != tags.size()) logAbort("metric " + name + ": not a value for each tag");
    return resolveFullName(prefixWithFields(fields) + name);
  }
  // Fixes the values of the first tags.
  void partiallyResolveWithFields(const std::vector<std::string>& fields) {
    if (fields.size() >= tags.size()) logAbort("metric " + name + ": too many values");
    prefix = prefixWithFields(fields);
    tags.erase(tags.begin(), tags.begin() + static_cast<ptrdiff_t>(fields.size()));
  }
  std::string nameFromIdSlow(uint32_t metric_id) {
    for (const auto& [full_name, id] : metric_ids) {
      if (id == metric_id) return full_name;
    }
    return {};
  }
};

// A family whose type and tags are given while it runs.
struct Metric : public MetricBase {
  using MetricBase::MetricBase;

  template <typename... Fields>
  uint32_t resolve(Fields... fields) {
    return resolveWithFields({toString(fields)...});
  }
  template <typename... Fields>
  Metric partiallyResolve(Fields... fields) {
    Metric part(*this);
    part.partiallyResolveWithFields({toString(fields)...});
    return part;
  }
  template <typename... Fields>
  void increment(int64_t delta, Fields... fields) {
    incrementMetric(resolve(fields...), delta);
  }
  template <typename... Fields>
  void record(uint64_t value, Fields... fields) {
    recordMetric(resolve(fields...), value);
  }
  template <typename... Fields>
  uint64_t get(Fields... fields) {
    return weir_sdk::metric_value(resolve(fields...));
  }
};

// A tag's name and type; made from a text where a family is.
template <typename T>
struct MetricTagDescriptor {
  using type = T;
  MetricTagDescriptor(std::string_view tag_name) : name(tag_name) {}
  MetricTagDescriptor(const char* tag_name) : name(tag_name) {}
  std::string_view name;
};

template <typename T>
MetricTag toMetricTag(const MetricTagDescriptor<T>& descriptor) {
  using TagType = MetricTag::TagType;
  constexpr TagType kType = std::is_same_v<T, bool>       ? TagType::Bool
                            : std::is_integral_v<T> ? TagType::Int
                                                    : TagType::String;
  return {std::string(descriptor.name), kType};
}

// Texts are taken as views.
template <typename T>
struct StringToStringView {
  using type = T;
};
template <>
struct StringToStringView<std::string> {
  using type = std::string_view;
};

// One metric of a family.
struct SimpleCounter {
  explicit SimpleCounter(uint32_t id) : metric_id(id) {}
  void increment(int64_t delta) { incrementMetric(metric_id, delta); }
  void record(int64_t delta) { increment(delta); }
  uint64_t get() { return weir_sdk::metric_value(metric_id); }
  void operator++() { increment(1); }
  void operator++(int) { increment(1); }
  uint32_t metric_id;
};
struct SimpleGauge {
  explicit SimpleGauge(uint32_t id) : metric_id(id) {}
  void increment(int64_t delta) { incrementMetric(metric_id, delta); }
  void record(uint64_t value) { recordMetric(metric_id, value); }
  uint64_t get() { return weir_sdk::metric_value(metric_id); }
  uint32_t metric_id;
};
struct SimpleHistogram {
  explicit SimpleHistogram(uint32_t id) : metric_id(id) {}
  void record(int64_t value) { recordMetric(metric_id, static_cast<uint64_t>(value)); }
  uint32_t metric_id;
};

// What the three families below have in common. `Family` is the family's template, `Simple` one metric of it.
template <MetricType kType, template <typename...> typename Family, typename Simple,
          typename... Tags>
struct MetricFamily : public MetricBase {
  template <typename T>
  using Value = typename StringToStringView<T>::type;

  MetricFamily(std::string_view family_name, MetricTagDescriptor<Tags>... descriptors)
      : MetricBase(kType, std::string(family_name),
                   std::vector<MetricTag>({toMetricTag(descriptors)...})) {}

  // On the heap, for plugins that keep pointers to their metrics; lives as long as the VM.
  static Family<Tags...>* New(std::string_view family_name,
                              MetricTagDescriptor<Tags>... descriptors) {
    return new Family<Tags...>(family_name, descriptors...);
  }
  Simple resolve(Value<Tags>... values) { return Simple(resolveWithFields({toString(values)...})); }
  // A family with further tags behind these, whose values are fixed.
  template <typename... More>
  Family<More...>* extendAndResolve(Value<Tags>... values, MetricTagDescriptor<More>... further) {
    auto* extended = Family<More...>::New(name, further...);
    extended->prefix = prefixWithFields({toString(values)...});
    return extended;
  }
};

template <typename... Tags>
struct Counter : public MetricFamily<MetricType::Counter, Counter, SimpleCounter, Tags...> {
  Counter(std::string_view name, MetricTagDescriptor<Tags>... descriptors)
      : MetricFamily<MetricType::Counter, ::Counter, SimpleCounter, Tags...>(name, descriptors...) {}
  void increment(int64_t delta, typename StringToStringView<Tags>::type... values) {
    this->resolve(values...).increment(delta);
  }
  void record(int64_t delta, typename StringToStringView<Tags>::type... values) {
    increment(delta, values...);
  }
  uint64_t get(typename StringToStringView<Tags>::type... values) {
    return this->resolve(values...).get();
  }
};

template <typename... Tags>
struct Gauge : public MetricFamily<MetricType::Gauge, Gauge, SimpleGauge, Tags...> {
  Gauge(std::string_view name, MetricTagDescriptor<Tags>... descriptors)
      : MetricFamily<MetricType::Gauge, ::Gauge, SimpleGauge, Tags...>(name, descriptors...) {}
  void record(int64_t value, typename StringToStringView<Tags>::type... values) {
    this->resolve(values...).record(static_cast<uint64_t>(value));
  }
  uint64_t get(typename StringToStringView<Tags>::type... values) {
    return this->resolve(values...).get();
  }
};

template <typename... Tags>
struct Histogram : public MetricFamily<MetricType::Histogram, Histogram, SimpleHistogram, Tags...> {
  Histogram(std::string_view name, MetricTagDescriptor<Tags>... descriptors)
      : MetricFamily<MetricType::Histogram, ::Histogram, SimpleHistogram, Tags...>(name,
                                                                                  descriptors...) {}
  void record(int64_t value, typename StringToStringView<Tags>::type... values) {
    this->resolve(values...).record(value);
  }
};
