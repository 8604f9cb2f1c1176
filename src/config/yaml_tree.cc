#include "config/yaml_tree.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <sstream>
#include <unordered_map>
#include <utility>

#include "base/strings.h"

namespace weir::config {
namespace {

// Ends the parse at once; caught in Tree::parse.
struct Stop {
  Mark mark;
  std::string path;
  std::string message;
};

// Envoy's place for anchors that stand for nothing by themselves.
constexpr std::string_view kIgnoredKey = "!ignore";

// Length of the character at `at`, 0 if it is not UTF-8 or a control character.
size_t character_length(std::string_view text, size_t at) {
  const auto first = static_cast<unsigned char>(text[at]);
  if (first >= 0x80) return base::utf8_length(text.substr(at, 4));
  return first >= 0x20 || first == '\t' || first == '\n' || first == '\r' ? 1 : 0;
}

// yaml-cpp replaces what is not UTF-8 in silence, and guesses UTF-16.
void check_text(std::string_view text, uint16_t file) {
  if (text.size() > kMaxTextBytes) {
    throw Stop{{file, 0, 0}, {}, "larger than " + std::to_string(kMaxTextBytes >> 20) + " MiB"};
  }
  Mark mark{file, 1, 1};
  for (size_t at = 0; at < text.size();) {
    const size_t length = character_length(text, at);
    if (length == 0) throw Stop{mark, {}, "a byte that is neither UTF-8 nor allowed in YAML"};
    if (text[at] == '\n') {
      ++mark.line;
      mark.column = 1;
    } else {
      ++mark.column;
    }
    at += length;
  }
}

/// `line` counts from 1.
bool indented_by_tab(std::string_view text, size_t line) {
  while (line-- > 1) text.remove_prefix(std::min(text.find('\n'), text.size() - 1) + 1);
  const size_t begin = text.find_first_not_of(' ');
  return begin != std::string_view::npos && text[begin] == '\t';
}

}  // namespace

// Builds the nodes from yaml-cpp's events. Lives on the stack of Tree::parse.
class TreeBuilder final : public YAML::EventHandler {
 public:
  TreeBuilder(Tree& tree, uint16_t file, Diagnostics& diagnostics)
      : nodes_(tree.nodes_), first_(tree.nodes_.size()), file_(file), diagnostics_(diagnostics) {}

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (root_ != nullptr) throw Stop{at(mark), {}, "a second document; one file is one document"};
  }
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    if (expects_key()) throw Stop{at(mark), path(), "a key is missing"};
    place(finish(make(Node::Kind::kNull, mark, anchor)));
  }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    if (expects_key()) throw Stop{at(mark), path(), "an alias cannot be a key"};
    auto found = anchors_.find(anchor);
    if (found == anchors_.end()) throw Stop{at(mark), path(), "an alias of nothing"};
    if (found->second->expanded_nodes == 0)
      throw Stop{at(mark), path(), "an alias inside its own anchor"};
    place(*found->second);
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    if (expects_key()) {
      start_entry(value, at(mark));
      return;
    }
    Node& node = make(tag == "?" ? Node::Kind::kPlain : Node::Kind::kQuoted, mark, anchor);
    if (tag != "?" && tag != "!" && tag != "tag:yaml.org,2002:str") refuse_tag(node.mark, tag);
    node.text = value;
    place(finish(node));
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    open(Node::Kind::kList, mark, tag, anchor);
  }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    open(Node::Kind::kMap, mark, tag, anchor);
  }
  void OnSequenceEnd() override { close(); }
  void OnMapEnd() override { close(); }

  const Node* root() const noexcept { return root_; }
  std::string path() const {
    std::string out;
    for (const Frame& frame : open_) {
      out = frame.node->kind == Node::Kind::kList ? path_below(out, frame.node->items.size())
            : frame.in_entry                      ? path_below(out, frame.key)
                                                  : out;
    }
    return out;
  }

 private:
  struct Frame {
    Node* node;
    bool in_entry = false;  // a key has been read, its value has not
    bool dropped = false;   // its value goes nowhere
    std::string key{};
    Mark key_mark{};
    std::unordered_map<std::string, uint32_t> lines{};  // key -> line of its first use
  };

  Mark at(const YAML::Mark& mark) const {
    if (mark.is_null()) return {file_, 0, 0};
    return {file_, static_cast<uint32_t>(mark.line + 1), static_cast<uint32_t>(mark.column + 1)};
  }

  bool expects_key() const {
    return !open_.empty() && open_.back().node->kind == Node::Kind::kMap && !open_.back().in_entry;
  }

  void refuse_tag(Mark mark, const std::string& tag) {
    diagnostics_.add(mark, path(), "the tag " + quote(tag) + " is not supported");
  }

  Node& make(Node::Kind kind, const YAML::Mark& mark, YAML::anchor_t anchor) {
    if (nodes_.size() - first_ >= kMaxNodes) throw too_many(at(mark));
    Node& node = nodes_.emplace_back();
    node.kind = kind;
    node.mark = at(mark);
    if (anchor != 0) anchors_[anchor] = &node;
    return node;
  }

  Stop too_many(Mark mark) const {
    return {mark, path(),
            "more than " + std::to_string(kMaxNodes) + " values, aliases counted at each use"};
  }

  const Node& finish(Node& node) {
    node.expanded_nodes = 1;
    node.expanded_bytes = node.text.size();
    for (const Node* item : node.items) add_size(node, *item);
    for (const Node::Entry& entry : node.entries) {
      node.expanded_bytes += entry.key.size();
      add_size(node, *entry.value);
    }
    ++node.depth;
    if (node.expanded_nodes > kMaxNodes) throw too_many(node.mark);
    if (node.expanded_bytes > kMaxExpandedBytes) {
      throw Stop{
          node.mark, path(),
          "more than " + std::to_string(kMaxExpandedBytes >> 20) + " MiB of text in aliases"};
    }
    if (node.depth + open_.size() > kMaxDepth) throw too_deep(node.mark);
    return node;
  }

  static void add_size(Node& node, const Node& child) {
    node.expanded_nodes = std::min(node.expanded_nodes + child.expanded_nodes, kMaxNodes + 1);
    node.expanded_bytes =
        std::min(node.expanded_bytes + child.expanded_bytes, kMaxExpandedBytes + 1);
    node.depth = std::max(node.depth, child.depth);
  }

  Stop too_deep(Mark mark) const {
    return {mark, {}, "nested deeper than " + std::to_string(kMaxDepth) + " levels"};
  }

  void open(Node::Kind kind, const YAML::Mark& mark, const std::string& tag,
            YAML::anchor_t anchor) {
    if (expects_key()) throw Stop{at(mark), path(), "a key must be plain text"};
    if (open_.size() >= kMaxDepth) throw too_deep(at(mark));
    Node& node = make(kind, mark, anchor);
    if (!tag.empty() && tag != "?" && tag != "!") refuse_tag(node.mark, tag);
    open_.push_back(Frame{&node});
  }

  void close() {
    Node& node = *open_.back().node;
    open_.pop_back();
    place(finish(node));
  }

  void start_entry(const std::string& key, Mark mark) {
    Frame& frame = open_.back();
    if (key == "<<") {
      diagnostics_.add(
          mark, path(),
          "merge keys (<<) are not supported; repeat the fields or alias whole messages");
    }
    auto [first, fresh] = frame.lines.try_emplace(key, mark.line);
    if (!fresh) {
      diagnostics_.add(
          mark, path(),
          "duplicate key " + quote(key) + " (first on line " + std::to_string(first->second) + ")");
    }
    frame.dropped = !fresh || key == kIgnoredKey || key == "<<";
    frame.key = key;
    frame.key_mark = mark;
    frame.in_entry = true;
  }

  void place(const Node& node) {
    if (open_.empty()) {
      root_ = &node;
      return;
    }
    Frame& frame = open_.back();
    if (frame.node->kind == Node::Kind::kList) {
      frame.node->items.push_back(&node);
      return;
    }
    if (!frame.dropped)
      frame.node->entries.push_back({std::move(frame.key), frame.key_mark, &node});
    frame.in_entry = false;
  }

  std::deque<Node>& nodes_;
  size_t first_;
  uint16_t file_;
  Diagnostics& diagnostics_;
  std::vector<Frame> open_;
  std::unordered_map<YAML::anchor_t, Node*> anchors_;
  const Node* root_ = nullptr;
};

const Node* Tree::parse(std::string_view text, uint16_t file, Diagnostics& diagnostics) {
  TreeBuilder builder(*this, file, diagnostics);
  try {
    check_text(text, file);
    std::istringstream stream{std::string(text)};
    YAML::Parser parser(stream);
    while (parser.HandleNextDocument(builder)) {
    }
  } catch (const Stop& stop) {
    diagnostics.add(stop.mark, stop.path, stop.message);
    return nullptr;
  } catch (const YAML::Exception& error) {
    Mark mark{file, 0, 0};
    if (!error.mark.is_null()) {
      mark.line = static_cast<uint32_t>(error.mark.line + 1);
      mark.column = static_cast<uint32_t>(error.mark.column + 1);
    }
    std::string why = error.msg;
    // Newer versions of yaml-cpp add the name.
    constexpr std::string_view kNoAnchor = "the referenced anchor is not defined";
    if (why.starts_with(kNoAnchor)) why = kNoAnchor;
    if (indented_by_tab(text, mark.line)) {
      why = "a tab as indentation, which is spaces in YAML";
      mark.column = 1;
    }
    diagnostics.add(mark, builder.path(), "not valid YAML: " + why);
    return nullptr;
  } catch (const std::exception& error) {  // yaml-cpp lets a few of the standard library's through
    diagnostics.add({file, 0, 0}, {}, std::string("not valid YAML: ") + error.what());
    return nullptr;
  }
  if (builder.root() == nullptr || builder.root()->kind == Node::Kind::kNull) {
    diagnostics.add({file, 0, 0}, {}, "the configuration is empty");
    return nullptr;
  }
  return builder.root();
}

const Node* Tree::merge(const Node& base, const Node& overlay) {
  if (base.kind != overlay.kind ||
      (base.kind != Node::Kind::kMap && base.kind != Node::Kind::kList))
    return &overlay;
  Node merged = base;
  if (base.kind == Node::Kind::kList) {
    merged.items.insert(merged.items.end(), overlay.items.begin(), overlay.items.end());
  }
  for (const Node::Entry& entry : overlay.entries) {
    auto same = std::find_if(
        merged.entries.begin(), merged.entries.end(), [&entry](const Node::Entry& other) {
          return names_field(entry.key, other.key) || names_field(other.key, entry.key);
        });
    if (same == merged.entries.end()) {
      merged.entries.push_back(entry);
    } else {
      same->value = merge(*same->value, *entry.value);
    }
  }
  return &nodes_.emplace_back(std::move(merged));
}

std::string Node::describe() const {
  switch (kind) {
    case Kind::kNull:
      return "nothing";
    case Kind::kList:
      return "a list";
    case Kind::kMap:
      return "a mapping";
    case Kind::kQuoted:
      return "the text " + quote(text);
    case Kind::kPlain:
      break;
  }
  return quote(text);
}

bool names_field(std::string_view key, std::string_view field) noexcept {
  if (key == field) return true;
  size_t at = 0;
  for (size_t i = 0; i < field.size(); ++i, ++at) {
    char want = field[i];
    if (want == '_' && i + 1 < field.size()) {
      want = base::to_upper(field[++i]);
    }
    if (at >= key.size() || key[at] != want) return false;
  }
  return at == key.size();
}

std::string path_below(std::string_view parent, std::string_view key) {
  const bool plain = !key.empty() && std::all_of(key.begin(), key.end(), [](char c) {
    return base::is_alpha(c) || base::is_digit(c) || c == '_' || c == '-' || c == '@';
  });
  std::string out(parent);
  if (!plain) return out + "[" + quote(key) + "]";
  if (!out.empty()) out += '.';
  return out.append(key);
}

std::string path_below(std::string_view parent, size_t index) {
  return std::string(parent) + "[" + std::to_string(index) + "]";
}

}  // namespace weir::config
