#include "config/json_text.h"

#include <algorithm>

#include "base/strings.h"
#include "config/scalar.h"

namespace weir::config {
namespace {

enum class Form : uint8_t { kWhole, kRedacted, kWithoutPlugins };

constexpr std::string_view kPluginType =
    "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm";
constexpr std::string_view kRedacted = "[redacted]";
// JSON in JSON in JSON is nobody's configuration.
constexpr int kMaxEmbedded = 2;

// Field and header names whose values are nobody else's business. "token" only at the end: token_bucket is no secret.
bool names_secret(std::string_view key) {
  std::string name;
  for (char c : key) {
    if (c != '_' && c != '-') name += base::to_lower(c);
  }
  for (std::string_view part :
       {"password", "passwd", "passphrase", "secret", "privatekey", "apikey", "accesskey",
        "credential", "pkcs12", "sessionticketkey", "authorization", "cookie"}) {
    if (name.find(part) != std::string::npos) return true;
  }
  if (name == "keys") return true;  // api keys, session ticket keys
  constexpr std::string_view kToken = "token";
  return name.size() >= kToken.size() &&
         name.compare(name.size() - kToken.size(), kToken.size(), kToken) == 0;
}

// A HeaderValue or an environment entry: {key: authorization, value: ...}.
bool key_field_names_secret(const Node& map) {
  return std::any_of(map.entries.begin(), map.entries.end(), [](const Node::Entry& entry) {
    return entry.key == "key" && entry.value->scalar() && names_secret(entry.value->text);
  });
}

bool is_plugin(const Node& map) {
  return std::any_of(map.entries.begin(), map.entries.end(), [](const Node::Entry& entry) {
    return entry.key == "@type" && entry.value->text == kPluginType;
  });
}

void append_node(const Node& node, Form form, int embedded, std::string& out);

void append_plain(const std::string& text, std::string& out) {
  if (text == "true" || text == "false" || is_json_number(text)) {
    out += text;
  } else if (text == "True" || text == "TRUE") {
    out += "true";
  } else if (text == "False" || text == "FALSE") {
    out += "false";
  } else {
    append_json_string(text, out);
  }
}

// A plugin's configuration is often JSON in a string: its secrets are hidden as well. What is no JSON stays as it is.
bool append_embedded(const std::string& text, int embedded, std::string& out) {
  const size_t first = text.find_first_not_of(" \t\r\n");
  if (first == std::string::npos || text[first] != '{' || embedded >= kMaxEmbedded) return false;
  Diagnostics ignored;
  Tree tree;
  const Node* node = tree.parse(text, ignored.add_file({}), ignored);
  if (node == nullptr || !ignored.empty()) return false;
  std::string shown, hidden;
  append_node(*node, Form::kWhole, embedded + 1, shown);
  append_node(*node, Form::kRedacted, embedded + 1, hidden);
  append_json_string(shown == hidden ? text : hidden, out);
  return true;
}

void append_map(const Node& node, Form form, int embedded, std::string& out) {
  if (form == Form::kWithoutPlugins && is_plugin(node)) {
    out += "{}";
    return;
  }
  std::vector<const Node::Entry*> sorted;
  sorted.reserve(node.entries.size());
  for (const Node::Entry& entry : node.entries) sorted.push_back(&entry);
  std::sort(sorted.begin(), sorted.end(),
            [](const Node::Entry* a, const Node::Entry* b) { return a->key < b->key; });
  const bool hide_value = form == Form::kRedacted && key_field_names_secret(node);
  out += '{';
  bool first = true;
  for (const Node::Entry* entry : sorted) {
    if (!first) out += ',';
    first = false;
    append_json_string(entry->key, out);
    out += ':';
    if (form == Form::kRedacted &&
        (names_secret(entry->key) || (hide_value && entry->key == "value"))) {
      append_json_string(kRedacted, out);
    } else {
      append_node(*entry->value, form, embedded, out);
    }
  }
  out += '}';
}

void append_node(const Node& node, Form form, int embedded, std::string& out) {
  switch (node.kind) {
    case Node::Kind::kNull:
      out += "null";
      return;
    case Node::Kind::kPlain:
      append_plain(node.text, out);
      return;
    case Node::Kind::kQuoted:
      if (form != Form::kRedacted || !append_embedded(node.text, embedded, out))
        append_json_string(node.text, out);
      return;
    case Node::Kind::kMap:
      append_map(node, form, embedded, out);
      return;
    case Node::Kind::kList:
      break;
  }
  out += '[';
  for (size_t i = 0; i < node.items.size(); ++i) {
    if (i > 0) out += ',';
    append_node(*node.items[i], form, embedded, out);
  }
  out += ']';
}

}  // namespace

void append_json_string(std::string_view text, std::string& out) {
  out += '"';
  base::append_json_escaped(out, text);
  out += '"';
}

std::string canonical_json(const Node& node) {
  std::string out;
  append_node(node, Form::kWhole, 0, out);
  return out;
}

std::string frame_json(const Node& node) {
  std::string out;
  append_node(node, Form::kWithoutPlugins, 0, out);
  return out;
}

std::string redacted_json(const Node& node) {
  std::string out;
  append_node(node, Form::kRedacted, 0, out);
  return out;
}

}  // namespace weir::config
