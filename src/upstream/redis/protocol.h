// The protocol of Redis (RESP 2): replies out of a stream of bytes, and what a command is. hiredis reads; nothing is built of it.
#pragma once

#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <weir/result.h>

struct redisReader;

namespace weir::upstream::redis {

inline constexpr size_t kMaxReplyBytes = 16 * 1024 * 1024;

/// One value as it came.
struct Reply {
  std::string bytes;
  bool is_error = false;
};

/// Owner: a connection. Feeds on bytes, gives whole replies. After an error it is of no use any more.
class ReplyReader {
 public:
  ReplyReader();
  ~ReplyReader();
  ReplyReader(const ReplyReader&) = delete;
  ReplyReader& operator=(const ReplyReader&) = delete;

  void feed(std::string_view bytes);
  /// The next reply, or nothing while it is not whole. Errors: kProtocol, kPayloadTooLarge.
  Result<std::optional<Reply>> next();

 private:
  struct Free {
    void operator()(redisReader* reader) const noexcept;
  };
  std::unique_ptr<redisReader, Free> reader_;
  bool is_error_ = false;  // the value that is being read
  std::string raw_;        // what was fed and not given yet
};

/// That `bytes` are one command: an array of bulk strings, whole, and nothing behind it; and one that leaves the connection as it
/// is for the commands of others. Error: kInvalidArgument, with the reason.
Result<void> check_command(std::string_view bytes);

/// Writes a command.
void append_command(std::string& out, std::initializer_list<std::string_view> arguments);

}  // namespace weir::upstream::redis
