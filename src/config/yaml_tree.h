// Tree: a YAML text as nodes with positions, within bounds. The only place that sees yaml-cpp, and the boundary
// at which its exceptions end.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "config/diagnostics.h"

namespace weir::config {

/// Bounds of one text. Nodes and bytes count every use of an anchor again, so that a few lines of aliases cannot
/// stand for more than a file of this size could hold.
inline constexpr size_t kMaxTextBytes = 32u << 20;
inline constexpr size_t kMaxExpandedBytes = 64u << 20;
inline constexpr size_t kMaxNodes = 500'000;
inline constexpr size_t kMaxDepth = 100;

/// A value. An aliased node has several parents, so nothing is written to it after the parse.
struct Node {
  enum class Kind : uint8_t { kNull, kPlain, kQuoted, kList, kMap };
  struct Entry {
    std::string key;
    Mark mark;
    const Node* value = nullptr;
  };
  Kind kind = Kind::kNull;
  Mark mark;
  std::string text;                // kPlain, kQuoted
  std::vector<const Node*> items;  // kList
  std::vector<Entry> entries;      // kMap, in order of the text
  size_t expanded_nodes = 0;       // with everything below it; 0 while it is open
  size_t expanded_bytes = 0;
  size_t depth = 0;

  bool scalar() const noexcept { return kind == Kind::kPlain || kind == Kind::kQuoted; }
  /// "a list", "a mapping", "nothing", or the text in quotes.
  std::string describe() const;
};

/// True if a key of the file names a field: as in the schema (snake_case) or in protobuf's JSON form (camelCase).
bool names_field(std::string_view key, std::string_view field) noexcept;
/// `parent.key`, or `parent["key"]` where the key is not an identifier.
std::string path_below(std::string_view parent, std::string_view key);
std::string path_below(std::string_view parent, size_t index);

/// Owner of all nodes of a load. Thread: main. Never throws.
class Tree {
 public:
  /// Null if the text is not YAML or beyond the bounds. Duplicate keys are reported, and the rest is still read.
  const Node* parse(std::string_view text, uint16_t file, Diagnostics& diagnostics);
  /// `overlay` over `base`: mappings are merged, lists appended, everything else replaced.
  const Node* merge(const Node& base, const Node& overlay);

 private:
  friend class TreeBuilder;
  std::deque<Node> nodes_;
};

}  // namespace weir::config
