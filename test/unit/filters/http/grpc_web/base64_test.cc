#include "filters/http/grpc_web/base64.h"

#include <gtest/gtest.h>

namespace weir::filters::test {
namespace {

std::string encoded(std::string_view bytes, size_t cut) {
  Base64Encoder encoder;
  std::string out;
  encoder.encode(bytes.substr(0, cut), out);
  encoder.encode(bytes.substr(cut), out);
  encoder.flush(out);
  encoder.flush(out);  // nothing waits any more
  return out;
}

TEST(Base64, VectorsOfTheRfcWhereverTheyAreCut) {
  const std::pair<const char*, const char*> kVectors[] = {{"", ""},
                                                          {"f", "Zg=="},
                                                          {"fo", "Zm8="},
                                                          {"foo", "Zm9v"},
                                                          {"foob", "Zm9vYg=="},
                                                          {"fooba", "Zm9vYmE="},
                                                          {"foobar", "Zm9vYmFy"},
                                                          {"\xfb\xff", "+/8="}};
  for (const auto& [plain, text] : kVectors) {
    const std::string_view bytes(plain), letters(text);
    for (size_t cut = 0; cut <= bytes.size(); ++cut) EXPECT_EQ(encoded(bytes, cut), text) << cut;
    for (size_t cut = 0; cut <= letters.size(); ++cut) {
      Base64Decoder decoder;
      std::string out;
      EXPECT_TRUE(decoder.decode(letters.substr(0, cut), out));
      EXPECT_EQ(decoder.complete(), cut % 4 == 0);
      EXPECT_TRUE(decoder.decode(letters.substr(cut), out));
      EXPECT_TRUE(decoder.complete());
      EXPECT_EQ(out, plain);
    }
  }
}

TEST(Base64, PaddingMayStandBetweenMessages) {
  Base64Decoder decoder;
  std::string out;
  EXPECT_TRUE(decoder.decode("Zg==Zm8=Zm9v", out));
  EXPECT_EQ(out, "ffofoo");
}

TEST(Base64, WhatIsNone) {
  for (const char* bad : {"Zg=a", "=AAA", "A===", "Zh==", "Zm9=", "Zm9v\n", "Zm-_", "Zm 9"}) {
    Base64Decoder decoder;
    std::string out;
    EXPECT_FALSE(decoder.decode(bad, out)) << bad;
  }
}

}  // namespace
}  // namespace weir::filters::test
