#include "proxy/listener_filters/client_hello.h"

#include <gtest/gtest.h>

#include "unit/proxy/listener_filters/client_hello_builder.h"

namespace weir::proxy::test {
namespace {

constexpr size_t kMax = 16384;

TEST(ClientHello, SaysNameAndProtocols) {
  ClientHello hello;
  const std::string wire = in_records(hello_message("WWW.Example.com", {"h2", "http/1.1"}));
  ASSERT_EQ(parse_client_hello(wire, kMax, hello), HelloParse::kDone);
  EXPECT_EQ(hello.server_name, "www.example.com");
  EXPECT_EQ(hello.protocols, (std::vector<std::string>{"h2", "http/1.1"}));
  ClientHello plain;
  ASSERT_EQ(parse_client_hello(in_records(hello_message("", {})), kMax, plain), HelloParse::kDone);
  EXPECT_TRUE(plain.server_name.empty());
  EXPECT_TRUE(plain.protocols.empty());
}

TEST(ClientHello, WhereItIsCutDoesNotMatter) {
  const std::string message = hello_message("a.b", {"h2"});
  for (const size_t record : {1u, 2u, 3u, 5u, 16u, 16384u}) {
    const std::string wire = in_records(message, record);
    for (size_t cut = 0; cut < wire.size(); ++cut) {
      ClientHello hello;
      EXPECT_EQ(parse_client_hello(std::string_view(wire).substr(0, cut), kMax, hello),
                HelloParse::kMore)
          << record << " " << cut;
    }
    ClientHello hello;
    ASSERT_EQ(parse_client_hello(wire + "more", kMax, hello), HelloParse::kDone) << record;
    EXPECT_EQ(hello.server_name, "a.b");
  }
}

TEST(ClientHello, OtherBytesAreNotTls) {
  ClientHello hello;
  EXPECT_EQ(parse_client_hello("GET / HTTP/1.1\r\n", kMax, hello), HelloParse::kNotTls);
  EXPECT_EQ(parse_client_hello("\x16\x02", kMax, hello), HelloParse::kNotTls);
}

TEST(ClientHello, SizeIsKnownBeforeItHasCome) {
  ClientHello hello;
  const std::string wire = in_records(hello_message("a", {}, 20000));
  EXPECT_EQ(parse_client_hello(std::string_view(wire).substr(0, 9), kMax, hello),
            HelloParse::kTooLarge);
  EXPECT_EQ(parse_client_hello(wire, kMax, hello), HelloParse::kTooLarge);
}

TEST(ClientHello, NonsenseIsInvalid) {
  ClientHello hello;
  EXPECT_EQ(parse_client_hello(std::string("\x16\x03\x01\x00\x00", 5), kMax, hello),
            HelloParse::kInvalid);
  EXPECT_EQ(parse_client_hello(std::string("\x16\x03\x01\x00\x04\x02\x00\x00\x00", 9), kMax, hello),
            HelloParse::kInvalid);
  // Each length in turn says more than there is.
  const std::string message = hello_message("name.example", {"h2"});
  for (size_t at = 4 + 2 + 32; at < message.size(); ++at) {
    std::string wrong = message;
    wrong[at] = '\xff';
    ClientHello out;
    const HelloParse result = parse_client_hello(in_records(wrong), kMax, out);
    EXPECT_TRUE(result == HelloParse::kDone || result == HelloParse::kInvalid) << at;
  }
  std::string name = message;
  name[name.find("name")] = '\0';
  EXPECT_EQ(parse_client_hello(in_records(name), kMax, hello), HelloParse::kInvalid);
  // Another message than a ClientHello is known by its first byte, whatever is still missing.
  ClientHello other;
  const std::string another{22, 3, 1, 0, 3, 0x50, 13, 0};
  for (size_t cut = 6; cut <= another.size(); ++cut)
    EXPECT_EQ(parse_client_hello(another.substr(0, cut), kMax, other), HelloParse::kInvalid) << cut;
}

}  // namespace
}  // namespace weir::proxy::test
