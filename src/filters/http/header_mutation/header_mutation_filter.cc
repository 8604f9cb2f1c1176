#include "filters/http/header_mutation/header_mutation_filter.h"

#include <optional>
#include <utility>
#include <weir/header_options.h>
#include <weir/matchers.h>

namespace weir::filters {

namespace {

/// One HeaderMutation: exactly one of the three.
struct Mutation {
  std::string remove;
  std::optional<HeaderOptions> append;
  std::optional<StringMatcher> remove_on_match;
};

struct QueryMutation {
  std::string remove;
  std::string key, value;
  AppendAction action = AppendAction::kAppendOrAdd;
};

struct Mutations {
  std::vector<Mutation> request, response, request_trailers, response_trailers;
  std::vector<QueryMutation> query;
};

// ---- options -----------------------------------------------------------------------------------------------------------

std::vector<Mutation> read_list(ConfigView& parent, std::string_view field) {
  std::vector<Mutation> out;
  for (auto& view : parent.messages(field)) {
    Mutation mutation;
    int kinds = 0;
    if (view->has("remove")) {
      ++kinds;
      if (const std::string name = view->required_text("remove"); !name.empty())
        mutation.remove = changeable_header_name(*view, "remove", name);
    }
    if (auto append = view->message("append")) {
      ++kinds;
      mutation.append = HeaderOptions::read_one(*append);
    }
    if (auto match = view->message("remove_on_match")) {
      ++kinds;
      if (auto key = match->required_message("key_matcher"))
        mutation.remove_on_match = StringMatcher::read(*key);
    }
    if (kinds != 1)
      view->error({}, "exactly one of remove, append and remove_on_match must be set");
    out.push_back(std::move(mutation));
  }
  return out;
}

std::vector<QueryMutation> read_query(ConfigView& parent) {
  std::vector<QueryMutation> out;
  for (auto& view : parent.messages("query_parameter_mutations")) {
    QueryMutation mutation;
    mutation.remove = view->text("remove");
    if (auto append = view->message("append")) {
      auto record = append->message(append->has("record") ? "record" : "entry");
      if (record) {
        mutation.key = record->text("key");
        mutation.value = record->text("value");
      }
      if (mutation.key.empty()) append->error("record", "needs a key");
      mutation.action = read_append_action(*append, "action");
    }
    if (mutation.remove.empty() == mutation.key.empty())
      view->error({}, "exactly one of remove and append must be set");
    out.push_back(std::move(mutation));
  }
  return out;
}

Mutations read_mutations(ConfigView& parent) {
  Mutations out;
  auto view = parent.message("mutations");
  if (!view) return out;
  out.request = read_list(*view, "request_mutations");
  out.response = read_list(*view, "response_mutations");
  out.request_trailers = read_list(*view, "request_trailers_mutations");
  out.response_trailers = read_list(*view, "response_trailers_mutations");
  out.query = read_query(*view);
  return out;
}

// ---- query ---------------------------------------------------------------------------------------------------------------

std::string encode(std::string_view text) {
  constexpr char kHex[] = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '-' || c == '.' || c == '_' || c == '~';
    const auto byte = static_cast<unsigned char>(c);
    if (plain)
      out += c;
    else
      out.append({'%', kHex[byte >> 4], kHex[byte & 15]});
  }
  return out;
}

std::string_view key_of(std::string_view pair) { return pair.substr(0, pair.find('=')); }

/// The pairs of a query, texts as they stand on the wire.
struct Query {
  std::vector<std::string> pairs;

  explicit Query(std::string_view text) {
    while (!text.empty()) {
      const size_t end = std::min(text.find('&'), text.size());
      if (end > 0) pairs.emplace_back(text.substr(0, end));
      text.remove_prefix(std::min(end + 1, text.size()));
    }
  }
  bool has(std::string_view key) const {
    for (const std::string& pair : pairs)
      if (key_of(pair) == key) return true;
    return false;
  }
  void remove(std::string_view key) {
    std::erase_if(pairs, [key](const std::string& pair) { return key_of(pair) == key; });
  }
  void apply(const QueryMutation& mutation) {
    if (!mutation.remove.empty()) return remove(encode(mutation.remove));
    const std::string key = encode(mutation.key);
    const bool present = has(key);
    if (mutation.action == AppendAction::kAddIfAbsent && present) return;
    if (mutation.action == AppendAction::kOverwriteIfExists && !present) return;
    if (mutation.action != AppendAction::kAppendOrAdd) remove(key);
    pairs.push_back(key + "=" + encode(mutation.value));
  }
};

void mutate_query(RequestHead& head, const std::vector<QueryMutation>& mutations) {
  if (mutations.empty()) return;
  const std::string_view path = head.path();
  const size_t mark = path.find('?');
  Query query(mark == std::string_view::npos ? std::string_view() : path.substr(mark + 1));
  for (const QueryMutation& mutation : mutations) query.apply(mutation);
  std::string out(path.substr(0, mark));
  char separator = '?';
  for (const std::string& pair : query.pairs) {
    out += std::exchange(separator, '&');
    out += pair;
  }
  if (out != path) head.set_path(out);
}

// ---- the filter ------------------------------------------------------------------------------------------------------------

enum class Wins : uint8_t { kLeastSpecific, kMostSpecific };

class HeaderMutationFilter final : public HttpFilter {
 public:
  HeaderMutationFilter(const Mutations& mutations, Wins wins) : common_(mutations), wins_(wins) {}

  Flow on_request_head(RequestHead& head, EndStream) override {
    apply(head.headers, &Mutations::request);
    mutate_query(head, common_.query);
    for_each_level([&head](const Mutations& own) { mutate_query(head, own.query); });
    return Flow::kContinue;
  }
  Flow on_request_trailers(HeaderMap& trailers) override {
    apply(trailers, &Mutations::request_trailers);
    return Flow::kContinue;
  }
  Flow on_response_head(ResponseHead& head, EndStream) override {
    apply(head.headers, &Mutations::response);
    return Flow::kContinue;
  }
  Flow on_response_trailers(HeaderMap& trailers) override {
    apply(trailers, &Mutations::response_trailers);
    return Flow::kContinue;
  }

 private:
  using List = std::vector<Mutation> Mutations::*;

  /// All levels of the route; who comes last wins.
  template <typename Do>
  void for_each_level(Do&& act) const {
    const RouteConfigs configs = callbacks_->route_configs();
    for (size_t i = 0; i < configs.size(); ++i) {
      const size_t level = wins_ == Wins::kMostSpecific ? configs.size() - 1 - i : i;
      act(*static_cast<const Mutations*>(configs[level]));
    }
  }
  /// The filter's own mutations first, then the route's.
  void apply(HeaderMap& headers, List list) {
    apply_list(headers, common_.*list);
    for_each_level(
        [this, &headers, list](const Mutations& own) { apply_list(headers, own.*list); });
  }
  void apply_list(HeaderMap& headers, const std::vector<Mutation>& list) {
    for (const Mutation& mutation : list) {
      if (mutation.append)
        mutation.append->apply(headers, *callbacks_);
      else if (mutation.remove_on_match)
        headers.remove_if([&mutation](const HeaderMap::Entry& entry) {
          return mutation.remove_on_match->matches(entry.name);
        });
      else
        headers.remove(mutation.remove);
    }
  }

  const Mutations& common_;
  const Wins wins_;
};

class Factory final : public HttpFilterFactory {
 public:
  Factory(Mutations mutations, Wins wins) : mutations_(std::move(mutations)), wins_(wins) {}
  std::unique_ptr<HttpFilter> create(unsigned) const override {
    return std::make_unique<HeaderMutationFilter>(mutations_, wins_);
  }
  std::string_view route_config_type() const noexcept override {
    return "envoy.extensions.filters.http.header_mutation.v3.HeaderMutationPerRoute";
  }
  std::shared_ptr<const void> make_route_config(ConfigView& config) const override {
    return std::make_shared<const Mutations>(read_mutations(config));
  }

 private:
  Mutations mutations_;
  Wins wins_;
};

}  // namespace

std::shared_ptr<const HttpFilterFactory> make_header_mutation(ConfigView& config, FactoryContext&) {
  const Wins wins = config.boolean("most_specific_header_mutations_wins", false)
                        ? Wins::kMostSpecific
                        : Wins::kLeastSpecific;
  return std::make_shared<const Factory>(read_mutations(config), wins);
}

}  // namespace weir::filters
