#include "upstream/redis/protocol.h"

#include <hiredis/read.h>

#include <algorithm>
#include <array>
#include <utility>

#include "base/check.h"
#include "base/strings.h"

namespace weir::upstream::redis {
namespace {

/// What a reader's functions hand on as the object of a value: nobody looks at it, but null means no memory.
void* some_object() noexcept {
  static char object;
  return &object;
}

/// Functions that build nothing; generic because hiredis 1.0 has changed the type of a length. What the members are called has
/// stayed, and those that older versions lack are never asked for by RESP 2.
template <typename OnString, typename OnInteger, typename OnNil>
redisReplyObjectFunctions functions_of(OnString on_string, OnInteger on_integer, OnNil on_nil) {
  redisReplyObjectFunctions out{};
  out.createString = on_string;
  out.createArray = [](const redisReadTask*, auto) { return some_object(); };
  out.createInteger = on_integer;
  out.createNil = on_nil;
  out.freeObject = [](void*) {};
  return out;
}

void* note_string(const redisReadTask* task, char*, size_t) {
  if (task->parent == nullptr && task->type == REDIS_REPLY_ERROR)
    *static_cast<bool*>(task->privdata) = true;
  return some_object();
}
void* note_integer(const redisReadTask*, long long) { return some_object(); }
void* note_nil(const redisReadTask*) { return some_object(); }

/// A command as far as it is read.
struct CommandCheck {
  bool array = false;   // the outermost value is one
  bool broken = false;  // something else than bulk strings in it
  bool named = false;
  bool blocks = false;  // an argument says so
  std::string name;
};

bool text_is(const char* text, size_t size, std::string_view lower) {
  return size == lower.size() && base::lower(std::string_view(text, size)) == lower;
}

void* check_string(const redisReadTask* task, char* text, size_t size) {
  auto& check = *static_cast<CommandCheck*>(task->privdata);
  const bool argument = task->parent != nullptr && task->parent->parent == nullptr;
  if (!argument || task->type != REDIS_REPLY_STRING) {
    check.broken = true;
  } else {
    check.array = true;
    check.blocks |= text_is(text, size, "block");
    if (!check.named) check.name = base::lower(std::string_view(text, std::min<size_t>(size, 32)));
    check.named = true;
  }
  return some_object();
}
void* check_integer(const redisReadTask* task, long long) {
  static_cast<CommandCheck*>(task->privdata)->broken = true;
  return some_object();
}

void* check_nil(const redisReadTask* task) { return check_integer(task, 0); }

/// Commands after which the connection means something else to whoever comes next, that answer without being asked, or that keep
/// everybody behind them waiting. In order.
constexpr std::array<std::string_view, 34> kRefused = {
    "asking",    "auth",        "blmove",     "blmpop", "blpop",        "brpop",     "brpoplpush",
    "bzmpop",    "bzpopmax",    "bzpopmin",   "client", "discard",      "exec",      "hello",
    "monitor",   "multi",       "psubscribe", "psync",  "punsubscribe", "quit",      "readonly",
    "readwrite", "replconf",    "reset",      "select", "ssubscribe",   "subscribe", "sunsubscribe",
    "sync",      "unsubscribe", "unwatch",    "wait",   "waitaof",      "watch"};
static_assert(std::is_sorted(kRefused.begin(), kRefused.end()));

}  // namespace

void ReplyReader::Free::operator()(redisReader* reader) const noexcept { redisReaderFree(reader); }

ReplyReader::ReplyReader() {
  static redisReplyObjectFunctions functions = functions_of(&note_string, &note_integer, &note_nil);
  reader_.reset(redisReaderCreateWithFunctions(&functions));
  WEIR_CHECK(reader_ != nullptr);  // out of memory
  reader_->privdata = &is_error_;
}

ReplyReader::~ReplyReader() = default;

void ReplyReader::feed(std::string_view bytes) {
  raw_ += bytes;
  redisReaderFeed(reader_.get(), bytes.data(), bytes.size());
}

Result<std::optional<Reply>> ReplyReader::next() {
  void* object = nullptr;
  if (redisReaderGetReply(reader_.get(), &object) != REDIS_OK)
    return fail(Code::kProtocol, Side::kUpstream, reader_->errstr);
  if (object == nullptr) {
    if (raw_.size() > kMaxReplyBytes)
      return fail(Code::kPayloadTooLarge, Side::kUpstream, "the reply is too large");
    return std::optional<Reply>();
  }
  Reply reply;
  // The reader says what it has not read yet; what stands before that is the reply.
  const size_t rest = reader_->len - reader_->pos;
  reply.is_error = std::exchange(is_error_, false);
  if (rest == 0) {
    reply.bytes = std::exchange(raw_, std::string());
  } else {
    reply.bytes.assign(raw_, 0, raw_.size() - rest);
    raw_.erase(0, raw_.size() - rest);
  }
  return std::optional<Reply>(std::move(reply));
}

Result<void> check_command(std::string_view bytes) {
  const auto refuse = [](std::string_view why) {
    return fail(Code::kInvalidArgument, Side::kLocal, why);
  };
  if (bytes.empty() || bytes[0] != '*') return refuse("a command is an array of bulk strings");
  static redisReplyObjectFunctions functions = [] {
    auto all = functions_of(&check_string, &check_integer, &check_nil);
    // Not even an empty one inside: the server would close the connection.
    all.createArray = [](const redisReadTask* task, auto) {
      if (task->parent != nullptr) static_cast<CommandCheck*>(task->privdata)->broken = true;
      return some_object();
    };
    return all;
  }();
  const std::unique_ptr<redisReader, void (*)(redisReader*)> reader(
      redisReaderCreateWithFunctions(&functions), &redisReaderFree);
  WEIR_CHECK(reader != nullptr);  // out of memory
  CommandCheck check;
  reader->privdata = &check;
  void* object = nullptr;
  redisReaderFeed(reader.get(), bytes.data(), bytes.size());
  if (redisReaderGetReply(reader.get(), &object) != REDIS_OK || object == nullptr ||
      reader->pos != reader->len)
    return refuse("not one whole command");
  if (!check.array || check.broken) return refuse("a command is an array of bulk strings");
  if (std::binary_search(kRefused.begin(), kRefused.end(), std::string_view(check.name)))
    return refuse(base::concat("connections are shared: no ", check.name));
  if (check.blocks && (check.name == "xread" || check.name == "xreadgroup"))
    return refuse(base::concat("connections are shared: no ", check.name, " that blocks"));
  return {};
}

void append_command(std::string& out, std::initializer_list<std::string_view> arguments) {
  base::append_all(out, "*", arguments.size(), "\r\n");
  for (const std::string_view argument : arguments)
    base::append_all(out, "$", argument.size(), "\r\n", argument, "\r\n");
}

}  // namespace weir::upstream::redis
