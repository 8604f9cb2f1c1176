// The parser: recursive descent with one token of foresight. Chains of operators of one rank and of selections are loops; what remains
// of recursion is bounded by kMaxHeight.
#include <algorithm>
#include <utility>

#include "base/strings.h"
#include "wasm/cel/lexer.h"
#include "wasm/cel/tree.h"

namespace weir::wasm::cel {
namespace {

using Op = Node::Op;

constexpr std::string_view kReserved[] = {
    "as",       "break",   "const",  "continue", "else", "false", "for",
    "function", "if",      "import", "in",       "let",  "loop",  "namespace",
    "null",     "package", "return", "true",     "var",  "void",  "while"};

bool reserved(std::string_view name) noexcept {
  return std::find(std::begin(kReserved), std::end(kReserved), name) != std::end(kReserved);
}

Node literal(Value value) {
  Node node;
  node.value = std::move(value);
  return node;
}

/// Of binary operators; 0: it is none.
unsigned rank(std::string_view symbol) noexcept {
  if (symbol == "*" || symbol == "/" || symbol == "%") return 3;
  if (symbol == "+" || symbol == "-") return 2;
  constexpr std::string_view kRelations[] = {"==", "!=", "<", "<=", ">", ">=", "in"};
  return std::find(std::begin(kRelations), std::end(kRelations), symbol) != std::end(kRelations)
             ? 1
             : 0;
}

class Parser {
 public:
  explicit Parser(std::string_view source) : lexer_(source) { advance(); }

  Result<Node> run() {
    Node node = expression();
    if (error_.empty() && token_.kind != TokenKind::kEnd) fail("an operator is missing");
    if (!error_.empty()) return weir::fail(Code::kInvalidArgument, Side::kLocal, error_);
    return node;
  }

 private:
  // ---- tokens ----
  void advance() {
    if (failed()) return;
    token_ = lexer_.next();
    if (token_.kind == TokenKind::kBad) fail(token_.text);
  }
  bool at(std::string_view symbol) const noexcept {
    return token_.kind == TokenKind::kOperator && token_.text == symbol;
  }
  bool take(std::string_view symbol) {
    if (!at(symbol)) return false;
    advance();
    return true;
  }
  void expect(std::string_view symbol) {
    if (!take(symbol)) fail(base::concat("expected \"", symbol, '"'));
  }
  /// The first error counts; after it everything is at its end.
  void fail(std::string_view why) {
    if (error_.empty()) error_ = base::concat(why, " (byte ", std::to_string(token_.at), ')');
    token_ = {};
  }
  bool failed() const noexcept { return !error_.empty(); }

  // ---- nodes ----
  Node finish(Node node) {
    unsigned height = 0;
    for (const Node& part : node.parts) height = std::max<unsigned>(height, part.height);
    if (height >= kMaxHeight) fail("it is nested too deep");
    node.height = static_cast<uint8_t>(std::min(height + 1, kMaxHeight));
    return node;
  }
  template <typename... Parts>
  Node make(Op op, Parts&&... parts) {
    Node node;
    node.op = op;
    (node.parts.push_back(std::forward<Parts>(parts)), ...);
    return finish(std::move(node));
  }
  Node call(Function function, std::vector<Node> parts) {
    Node node;
    node.op = Op::kCall;
    node.function = function;
    node.parts = std::move(parts);
    return finish(std::move(node));
  }
  Node operation(std::string_view symbol, Node left, Node right) {
    std::vector<Node> parts;
    parts.push_back(std::move(left));
    parts.push_back(std::move(right));
    return call(find_operator(symbol, 2), std::move(parts));
  }

  // ---- grammar ----
  Node expression() {
    if (depth_ >= kMaxHeight) {
      fail("it is nested too deep");
      return {};
    }
    ++depth_;
    Node node = any_of();
    if (take("?")) {
      Node yes = any_of();
      expect(":");
      Node no = expression();
      node = make(Op::kChoice, std::move(node), std::move(yes), std::move(no));
    }
    --depth_;
    return node;
  }
  Node any_of() {
    Node first = all_of();
    if (!at("||")) return first;
    Node node = make(Op::kOr, std::move(first));
    while (take("||")) node.parts.push_back(all_of());
    return finish(std::move(node));
  }
  Node all_of() {
    Node first = binary(1);
    if (!at("&&")) return first;
    Node node = make(Op::kAnd, std::move(first));
    while (take("&&")) node.parts.push_back(binary(1));
    return finish(std::move(node));
  }
  std::string_view operator_here() const noexcept {
    if (token_.kind == TokenKind::kOperator) return token_.text;
    return token_.kind == TokenKind::kName && token_.text == "in" ? token_.text
                                                                  : std::string_view();
  }
  /// Operators of this rank and above, from left to right.
  Node binary(unsigned least) {
    Node left = unary();
    for (;;) {
      const std::string_view symbol = operator_here();
      const unsigned here = rank(symbol);
      if (here < least || here == 0) return left;
      advance();
      Node right = binary(here + 1);
      left = operation(symbol, std::move(left), std::move(right));
    }
  }
  Node unary() {
    std::string_view symbol = at("!") ? "!" : at("-") ? "-" : "";
    if (symbol.empty()) return member();
    size_t count = 0;
    while (take(symbol)) ++count;
    Node node;
    if (symbol == "-" && token_.kind == TokenKind::kMinimum) {
      node = literal(Value::integer(INT64_MIN));
      advance();
      node = selections(std::move(node));
      --count;
    } else {
      node = member();
    }
    if (count > kMaxHeight) fail("it is nested too deep");
    for (; count > 0 && !failed(); --count) {
      std::vector<Node> parts;
      parts.push_back(std::move(node));
      node = call(find_operator(symbol, 1), std::move(parts));
    }
    return node;
  }
  Node member() { return selections(primary()); }
  Node selections(Node node) {
    for (;;) {
      if (failed()) return node;
      if (take(".")) {
        node = selection(std::move(node));
      } else if (take("[")) {
        Node key = expression();
        expect("]");
        node = make(Op::kIndex, std::move(node), std::move(key));
      } else if (at("{")) {
        fail("messages cannot be made");
      } else {
        return node;
      }
    }
  }
  Node selection(Node receiver) {
    if (token_.kind != TokenKind::kName) {
      fail("a name is missing behind \".\"");
      return receiver;
    }
    std::string name(token_.text);
    advance();
    if (take("(")) {
      std::vector<Node> args;
      args.push_back(std::move(receiver));
      arguments(args, ")");
      return method(name, std::move(args));
    }
    Node node = make(Op::kSelect, std::move(receiver));
    node.name = std::move(name);
    return node;
  }
  void arguments(std::vector<Node>& out, std::string_view close) {
    while (!failed() && !at(close)) {
      out.push_back(expression());
      if (!take(",")) break;
    }
    expect(close);
  }
  static Op macro(std::string_view name, size_t args) noexcept {
    if (args == 3) {
      if (name == "all") return Op::kAll;
      if (name == "exists") return Op::kExists;
      if (name == "exists_one" || name == "existsOne") return Op::kExistsOne;
      if (name == "filter") return Op::kFilter;
      if (name == "map") return Op::kEach;
    }
    return args == 4 && name == "map" ? Op::kEachFiltered : Op::kLiteral;
  }
  Node method(const std::string& name, std::vector<Node> args) {
    if (failed()) return {};
    if (const Op op = macro(name, args.size()); op != Op::kLiteral) {
      if (args[1].op != Op::kName) {
        fail("a macro's first argument is the name of its variable");
        return {};
      }
      Node node;
      node.op = op;
      node.name = std::move(args[1].name);
      args.erase(args.begin() + 1);
      node.parts = std::move(args);
      return finish(std::move(node));
    }
    return known(name, std::move(args), Style::kReceiver);
  }
  /// A pattern that is written out is compiled once.
  Node matching(std::vector<Node> args) {
    if (++patterns_ > kMaxPatterns) {
      fail("there are too many patterns");
      return {};
    }
    auto regex = base::Regex::compile_small(args[1].value.raw());
    if (!regex) {
      fail(regex.error().detail);
      return {};
    }
    Node node = make(Op::kMatches, std::move(args[0]));
    node.regex = std::move(*regex);
    return node;
  }
  Node known(const std::string& name, std::vector<Node> args, Style style) {
    const Function function = find_function(name, args.size(), style);
    if (function == nullptr) {
      fail(base::concat("there is no function \"", name, "\" with such arguments"));
      return {};
    }
    if (name == "matches" && args[1].op == Op::kLiteral && args[1].value.is(Value::Kind::kText))
      return matching(std::move(args));
    return call(function, std::move(args));
  }
  Node has(std::vector<Node> args) {
    if (args.size() != 1 || args[0].op != Op::kSelect) {
      fail("has() takes a selection");
      return {};
    }
    args[0].op = Op::kHas;
    return std::move(args[0]);
  }

  Node primary() {
    if (token_.kind == TokenKind::kLiteral) {
      Node node = literal(std::move(token_.value));
      advance();
      return node;
    }
    if (take("(")) {
      Node node = expression();
      expect(")");
      return node;
    }
    if (take("[")) {
      Node node = make(Op::kList);
      arguments(node.parts, "]");
      return finish(std::move(node));
    }
    if (take("{")) return map();
    take(".");  // names are looked up from the outside anyway
    if (token_.kind == TokenKind::kName) return named();
    fail(token_.kind == TokenKind::kMinimum ? "a number is out of range" : "a value is missing");
    return {};
  }
  Node map() {
    Node node = make(Op::kMap);
    while (!failed() && !at("}")) {
      node.parts.push_back(expression());
      expect(":");
      node.parts.push_back(expression());
      if (!take(",")) break;
    }
    expect("}");
    return finish(std::move(node));
  }
  Node named() {
    std::string name(token_.text);
    if (reserved(name)) {
      Node node;
      if (name == "true" || name == "false")
        node = literal(Value::boolean(name == "true"));
      else if (name != "null")
        fail(base::concat('"', name, "\" is reserved"));
      advance();
      return node;
    }
    advance();
    if (take("(")) {
      std::vector<Node> args;
      arguments(args, ")");
      if (failed()) return {};
      return name == "has" ? has(std::move(args)) : known(name, std::move(args), Style::kGlobal);
    }
    Node node = make(Op::kName);
    node.name = std::move(name);
    return node;
  }

  Lexer lexer_;
  Token token_;
  std::string error_;
  unsigned depth_ = 0;
  unsigned patterns_ = 0;
};

}  // namespace

Result<Node> parse(std::string_view source) {
  if (source.size() > kMaxSourceBytes)
    return weir::fail(Code::kInvalidArgument, Side::kLocal, "it is too long");
  if (!base::valid_utf8(source))
    return weir::fail(Code::kInvalidArgument, Side::kLocal, "it is not UTF-8");
  return Parser(source).run();
}

}  // namespace weir::wasm::cel
