// Every coding, both ways: bodies in pieces, and what is no such body.
#include "filters/http/compression/codec.h"

#include "unit/filters/fake_view.h"

namespace weir::filters::test {
namespace {

struct Kind {
  const char* encoding;
  const char* folder;   // of the message's package
  const char* message;  // its name
};
const Kind kKinds[] = {
    {"gzip", "gzip", "Gzip"}, {"br", "brotli", "Brotli"}, {"zstd", "zstd", "Zstd"}};

Object library(const Kind& kind, const char* way, Object fields = {}) {
  const std::string type = std::string("type.googleapis.com/envoy.extensions.compression.") +
                           kind.folder + "." + way + ".v3." + kind.message;
  fields.insert_or_assign("@type", type.c_str());
  return {{"name", "lib"}, {"typed_config", std::move(fields)}};
}

class CodecTest : public FilterTest, public ::testing::WithParamInterface<Kind> {
 protected:
  std::shared_ptr<const CompressorLibrary> compressors(Object fields = {}) {
    errors.clear();
    FakeView view({{"compressor_library", library(GetParam(), "compressor", std::move(fields))}},
                  errors);
    return read_compressor_library(view);
  }
  std::shared_ptr<const DecompressorLibrary> decompressors(Object fields = {}) {
    errors.clear();
    FakeView view(
        {{"decompressor_library", library(GetParam(), "decompressor", std::move(fields))}}, errors);
    return read_decompressor_library(view);
  }
  std::string pack(std::string_view text) {
    auto compressor = compressors()->make();
    Buffer data(text);
    compressor->compress(data, Part::kLast);
    return data.to_string();
  }
  /// In pieces of `size` bytes; the output so far is in `out` whatever comes of it.
  Decoded unpack(std::string_view coded, size_t size, std::string& out) {
    auto decompressor = decompressors()->make();
    out.clear();
    for (size_t at = 0; at < coded.size(); at += size) {
      Buffer data(coded.substr(at, size));
      const Decoded result = decompressor->decompress(data, Part::kMore);
      out += data.to_string();
      if (result != Decoded::kOk) return result;
    }
    Buffer end;
    const Decoded result = decompressor->decompress(end, Part::kLast);
    out += end.to_string();
    return result;
  }
};

INSTANTIATE_TEST_SUITE_P(All, CodecTest, ::testing::ValuesIn(kKinds),
                         [](const auto& info) { return std::string(info.param.encoding); });

std::string long_text() {
  std::string text;
  for (int i = 0; i < 20000; ++i) text += "line " + std::to_string(i * 7919 % 10007) + "\n";
  return text;
}

TEST_P(CodecTest, NamesItself) {
  EXPECT_EQ(compressors()->encoding, GetParam().encoding);
  EXPECT_EQ(compressors()->stat_prefix, GetParam().folder);
  EXPECT_EQ(compressors()->name, "lib");
  EXPECT_EQ(decompressors()->encoding, GetParam().encoding);
  EXPECT_TRUE(errors.empty());
}

TEST_P(CodecTest, BodiesComeBackWhereverTheyAreCut) {
  const std::string text = long_text();
  const std::string coded = pack(text);
  EXPECT_LT(coded.size(), text.size() / 2);
  std::string out;
  for (const size_t size : {size_t{1}, size_t{7}, size_t{1000}, size_t{16384}, coded.size()}) {
    EXPECT_EQ(unpack(coded, size, out), Decoded::kOk) << size;
    EXPECT_TRUE(out == text) << size;
  }
}

TEST_P(CodecTest, EachPieceCanBeDecodedAtOnce) {
  auto compressor = compressors()->make();
  auto decompressor = decompressors()->make();
  for (const char* event : {"data: 1\n\n", "data: 2\n\n", "x"}) {
    Buffer data{std::string_view(event)};
    compressor->compress(data, Part::kMore);
    EXPECT_FALSE(data.empty());
    EXPECT_EQ(decompressor->decompress(data, Part::kMore), Decoded::kOk);
    EXPECT_EQ(data.to_string(), event);
  }
  Buffer end;
  compressor->compress(end, Part::kLast);
  EXPECT_EQ(decompressor->decompress(end, Part::kLast), Decoded::kOk);
  EXPECT_TRUE(end.empty());
}

TEST_P(CodecTest, EmptyBodies) {
  std::string out;
  EXPECT_EQ(unpack(pack(""), 1, out), Decoded::kOk);
  EXPECT_EQ(out, "");
  EXPECT_EQ(unpack("", 1, out), Decoded::kOk);  // no bytes at all
}

TEST_P(CodecTest, CutBodiesAreBad) {
  const std::string coded = pack(long_text());
  std::string out;
  for (const size_t missing : {size_t{1}, size_t{9}, coded.size() / 2, coded.size() - 1})
    EXPECT_EQ(unpack(std::string_view(coded).substr(0, coded.size() - missing), 4096, out),
              Decoded::kBad)
        << missing;
}

TEST_P(CodecTest, GarbageIsBad) {
  std::string out;
  EXPECT_EQ(unpack("this is no coded body, whatever the head says", 5, out), Decoded::kBad);
  EXPECT_EQ(unpack(pack("abc") + "and more", 4096, out), Decoded::kBad);
  EXPECT_EQ(unpack(pack("abc") + "and more", 1, out), Decoded::kBad);
}

TEST_P(CodecTest, BombsAreStopped) {
  const std::string coded = pack(std::string(30 << 20, '\0'));
  ASSERT_LT(coded.size() * 200, size_t{30} << 20);
  std::string out;
  EXPECT_EQ(unpack(coded, 16384, out), Decoded::kTooMuch);
  EXPECT_LE(out.size(), kFreeOutput + 16384 * kMaxInflateRatio + 2 * Buffer::kBlockSize);
  // A little of it is no bomb.
  EXPECT_EQ(unpack(pack(std::string(kFreeOutput - 1, '\0')), 16384, out), Decoded::kOk);
}

TEST_P(CodecTest, Mistakes) {
  compressors({{"chunk_size", 1}});
  EXPECT_EQ(errors.size(), 1u);
  decompressors({{"chunk_size", 1 << 20}});
  EXPECT_EQ(errors.size(), 1u);
  compressors({{"nonsense", 1}});
  EXPECT_EQ(errors.size(), 1u);
}

class LibraryTest : public FilterTest {
 protected:
  std::shared_ptr<const CompressorLibrary> read(const Kind& kind, Object fields) {
    errors.clear();
    FakeView view({{"compressor_library", library(kind, "compressor", std::move(fields))}}, errors);
    return read_compressor_library(view);
  }
};

TEST_F(LibraryTest, Options) {
  EXPECT_TRUE(read(kKinds[0], {{"compression_level", "BEST_COMPRESSION"},
                               {"compression_strategy", "HUFFMAN_ONLY"},
                               {"memory_level", 9},
                               {"window_bits", 15},
                               {"chunk_size", 65536}}));
  EXPECT_TRUE(read(kKinds[1], {{"quality", 11},
                               {"encoder_mode", "TEXT"},
                               {"window_bits", 24},
                               {"input_block_bits", 16},
                               {"disable_literal_context_modeling", true}}));
  EXPECT_TRUE(read(
      kKinds[2], {{"compression_level", 22}, {"strategy", "BTULTRA2"}, {"enable_checksum", true}}));
  EXPECT_TRUE(errors.empty());
  for (const auto& [kind, fields] :
       std::vector<std::pair<int, Object>>{{0, {{"window_bits", 8}}},
                                           {0, {{"memory_level", 0}}},
                                           {1, {{"quality", 12}}},
                                           {1, {{"window_bits", 25}}},
                                           {2, {{"compression_level", 23}}},
                                           {2, {{"dictionary", "x"}}}}) {
    read(kKinds[kind], fields);
    EXPECT_EQ(errors.size(), 1u);
  }
}

TEST_F(LibraryTest, LevelsChange) {
  const std::string text = long_text();
  const auto size = [&](Object fields) {
    auto compressor = read(kKinds[0], std::move(fields))->make();
    Buffer data(text);
    compressor->compress(data, Part::kLast);
    return data.size();
  };
  EXPECT_LT(size({{"compression_level", "BEST_COMPRESSION"}}),
            size({{"compression_level", "BEST_SPEED"}}));
}

TEST_F(LibraryTest, MembersOfGzipFollowEachOther) {
  auto library = read(kKinds[0], {});
  Buffer all;
  for (const char* text : {"one", "two"}) {
    Buffer data{std::string_view(text)};
    library->make()->compress(data, Part::kLast);
    all.append(std::move(data));
  }
  FakeView view({{"decompressor_library", filters::test::library(kKinds[0], "decompressor")}},
                errors);
  auto decompressor = read_decompressor_library(view)->make();
  EXPECT_EQ(decompressor->decompress(all, Part::kLast), Decoded::kOk);
  EXPECT_EQ(all.to_string(), "onetwo");
}

TEST_F(LibraryTest, RatioOfGzipIsConfigured) {
  Buffer bomb(std::string(1 << 20, 'x'));
  read(kKinds[0], {})->make()->compress(bomb, Part::kLast);
  FakeView view({{"decompressor_library", filters::test::library(kKinds[0], "decompressor",
                                                                 {{"max_inflate_ratio", 1032}})}},
                errors);
  EXPECT_EQ(read_decompressor_library(view)->make()->decompress(bomb, Part::kLast), Decoded::kOk);
  EXPECT_EQ(bomb.size(), 1u << 20);
}

TEST_F(LibraryTest, AnUnknownOne) {
  FakeView view({{"compressor_library",
                  Object{{"name", "x"}, {"typed_config", Object{{"@type", "a/test.Nothing"}}}}}},
                errors);
  EXPECT_EQ(read_compressor_library(view), nullptr);
  EXPECT_EQ(errors.size(), 1u);
}

}  // namespace
}  // namespace weir::filters::test
