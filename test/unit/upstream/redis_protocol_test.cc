#include "upstream/redis/protocol.h"

#include <gtest/gtest.h>

#include <vector>

namespace weir::upstream::redis {
namespace {

std::string command(std::initializer_list<std::string_view> arguments) {
  std::string out;
  append_command(out, arguments);
  return out;
}

TEST(RedisProtocol, RepliesComeWholeWhereverTheyAreSplit) {
  const std::vector<std::string> replies = {"+OK\r\n",
                                            "-ERR no\r\n",
                                            ":42\r\n",
                                            "$5\r\nab\r\nc\r\n",
                                            "$-1\r\n",
                                            "$0\r\n\r\n",
                                            "*3\r\n:1\r\n$1\r\nx\r\n*2\r\n+a\r\n-E\r\n",
                                            "*0\r\n",
                                            "*-1\r\n"};
  std::string wire;
  for (const std::string& reply : replies) wire += reply;
  for (size_t cut = 0; cut <= wire.size(); ++cut) {
    ReplyReader reader;
    std::vector<std::string> seen;
    std::string errors;
    for (const std::string& part : {wire.substr(0, cut), wire.substr(cut)}) {
      reader.feed(part);
      for (auto next = reader.next();; next = reader.next()) {
        ASSERT_TRUE(next) << next.error().detail;
        if (!*next) break;
        if ((*next)->is_error) errors += std::to_string(seen.size()) + " ";
        seen.push_back((*next)->bytes);
      }
    }
    EXPECT_EQ(seen, replies) << "cut at byte " << cut;
    EXPECT_EQ(errors, "1 ") << "cut at byte " << cut;  // one inside an array is none of the reply
  }
}

TEST(RedisProtocol, WhatIsNoReplyIsAnError) {
  for (const std::string_view wire : {"HTTP/1.1 400 Bad Request\r\n", "$x\r\n", "\r\n"}) {
    ReplyReader reader;
    reader.feed(wire);
    EXPECT_FALSE(reader.next()) << wire;
  }
}

TEST(RedisProtocol, RepliesAreBounded) {
  ReplyReader reader;
  reader.feed("$99999999\r\n");
  const std::string chunk(1024 * 1024, 'x');
  for (size_t fed = 0; fed <= kMaxReplyBytes; fed += chunk.size()) reader.feed(chunk);
  const auto next = reader.next();
  ASSERT_FALSE(next);
  EXPECT_EQ(next.error().code, Code::kPayloadTooLarge);
}

TEST(RedisProtocol, ACommandIsOneArrayOfBulkStrings) {
  EXPECT_TRUE(check_command(command({"GET", "a"})));
  EXPECT_TRUE(check_command(command({"set", "a", std::string_view("\0\r\n", 3)})));
  EXPECT_TRUE(check_command(command({"PING"})));
  for (const std::string& text :
       {std::string(), std::string("PING\r\n"), std::string("*0\r\n"), std::string("*-1\r\n"),
        std::string("+PING\r\n"), std::string("*1\r\n:1\r\n"),
        std::string("*1\r\n*1\r\n$1\r\na\r\n"), std::string("*2\r\n$3\r\nGET\r\n$-1\r\n"),
        command({"GET", "a"}) + "x", command({"GET", "a"}) + command({"GET", "b"}),
        std::string("*2\r\n$3\r\nGET\r\n")})
    EXPECT_FALSE(check_command(text)) << text;
}

TEST(RedisProtocol, ConnectionsBelongToSeveralUsers) {
  for (const std::string_view name : {"SUBSCRIBE", "monitor", "Auth", "SELECT", "MULTI", "HELLO",
                                      "quit", "BLPOP", "client", "asking", "watch"})
    EXPECT_FALSE(check_command(command({name, "x"}))) << name;
  EXPECT_FALSE(check_command(command({"XREAD", "Block", "0", "STREAMS", "s", "$"})));
  EXPECT_TRUE(check_command(command({"XREAD", "STREAMS", "s", "0"})));
  EXPECT_FALSE(check_command("*2\r\n$3\r\nGET\r\n*0\r\n"));
}

}  // namespace
}  // namespace weir::upstream::redis
