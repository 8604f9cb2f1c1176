#include <gtest/gtest.h>
#include <sys/uio.h>
#include <weir/buffer.h>

#include <array>
#include <cstring>
#include <random>
#include <string>
#include <utility>

namespace weir {
namespace {

std::string pattern(size_t n, unsigned seed) {
  std::string text(n, '\0');
  for (size_t i = 0; i < n; ++i) text[i] = static_cast<char>('a' + (i * 7 + seed) % 26);
  return text;
}

size_t slices_of(const Buffer& buffer) {
  size_t n = 0;
  buffer.for_each_slice([&n](std::string_view) { ++n; });
  return n;
}

TEST(Buffer, AppendsAndDrainsAcrossBlocks) {
  const std::string text = pattern(3 * Buffer::kBlockSize, 1);
  Buffer buffer(text);
  EXPECT_EQ(buffer.size(), text.size());
  EXPECT_EQ(buffer.to_string(), text);
  buffer.drain(Buffer::kBlockSize + 5);
  EXPECT_EQ(buffer.to_string(), text.substr(Buffer::kBlockSize + 5));
  buffer.drain(text.size());
  EXPECT_TRUE(buffer.empty());
  EXPECT_TRUE(buffer.front().empty());
}

TEST(Buffer, MovesLargePiecesWithoutCopying) {
  Buffer from(pattern(8000, 2));
  const char* place = from.front().data();
  Buffer to;
  from.move_to(to, 5000);
  EXPECT_EQ(to.front().data(), place);
  EXPECT_EQ(from.front().data(), place + 5000);
  EXPECT_EQ(to.to_string() + from.to_string(), pattern(8000, 2));
}

TEST(Buffer, SharedBlockIsNotOverwrittenByEitherBuffer) {
  Buffer from(pattern(4000, 3));
  Buffer to;
  from.move_to(to, 2000);
  to.append("XXXX");
  from.append("YYYY");
  const std::string whole = pattern(4000, 3);
  EXPECT_EQ(to.to_string(), whole.substr(0, 2000) + "XXXX");
  EXPECT_EQ(from.to_string(), whole.substr(2000) + "YYYY");
}

TEST(Buffer, SharesBytesWithoutCopying) {
  Buffer from(pattern(40000, 5));
  const char* place = from.front().data();
  Buffer to;
  from.share_to(to);
  EXPECT_EQ(to.front().data(), place);
  from.append("YYYY");
  to.append("XXXX");
  EXPECT_EQ(from.to_string(), pattern(40000, 5) + "YYYY");
  from.clear();
  EXPECT_EQ(to.to_string(), pattern(40000, 5) + "XXXX");  // outlives the first holder
}

TEST(Buffer, PrependAfterDrainDoesNotTouchSharedBytes) {
  Buffer from(pattern(4000, 4));
  Buffer to;
  from.move_to(to, 2000);
  from.prepend("ZZZZ");
  EXPECT_EQ(to.to_string(), pattern(4000, 4).substr(0, 2000));
  EXPECT_EQ(from.to_string(), "ZZZZ" + pattern(4000, 4).substr(2000));
  to.clear();
  from.drain(104);
  from.prepend("WW");
  EXPECT_EQ(from.to_string(), "WW" + pattern(4000, 4).substr(2100));
}

TEST(Buffer, TricklingBytesDoNotPinABlockEach) {
  Buffer held;
  for (int i = 0; i < 5000; ++i) {
    Buffer piece("x");
    held.append(std::move(piece));
  }
  EXPECT_EQ(held.size(), 5000u);
  EXPECT_LE(slices_of(held), 3u);
  // The same through one block that is cut into crumbs.
  Buffer source(pattern(9000, 5));
  Buffer crumbs;
  while (!source.empty()) source.move_to(crumbs, 3);
  EXPECT_EQ(crumbs.to_string(), pattern(9000, 5));
  EXPECT_LE(slices_of(crumbs), 3u);
}

TEST(Buffer, ReplacesInFrontOfWhatWasReserved) {
  Buffer empty;
  empty.reserve(1);
  empty.replace(0, 0, "x");
  EXPECT_EQ(empty.to_string(), "x");
  Buffer body(std::string(Buffer::kBlockSize - 16, 'a'));
  body.reserve(100);
  body.replace(0, body.size(), "y");
  EXPECT_EQ(body.to_string(), "y");
  body.append("z");
  EXPECT_EQ(body.to_string(), "yz");
}

TEST(Buffer, BytesPutInOneByOneDoNotPinABlockEach) {
  Buffer body(pattern(4000, 6));
  std::string same = pattern(4000, 6);
  for (int i = 0; i < 5000; ++i) {
    const char text[] = {static_cast<char>('a' + i % 26), 0};
    body.replace(2000, 0, text);
    same.insert(2000, text);
  }
  EXPECT_EQ(body.to_string(), same);
  EXPECT_LE(slices_of(body), 12u);
}

TEST(Buffer, LinearizesMoreThanABlock) {
  const std::string text = pattern(5 * Buffer::kBlockSize, 6);
  Buffer buffer(text);
  EXPECT_EQ(buffer.linearize(10), text.substr(0, 10));
  EXPECT_EQ(buffer.linearize(3 * Buffer::kBlockSize), text.substr(0, 3 * Buffer::kBlockSize));
  EXPECT_EQ(buffer.linearize(SIZE_MAX), text);
  buffer.append("tail");
  EXPECT_EQ(buffer.to_string(), text + "tail");
  buffer.drain(1);
  EXPECT_EQ(buffer.to_string(), text.substr(1) + "tail");
}

TEST(Buffer, ReserveAndCommit) {
  Buffer buffer;
  auto room = buffer.reserve(100);
  ASSERT_GE(room.size(), 100u);
  std::memcpy(room.data(), "hello", 5);
  buffer.commit(5);
  EXPECT_EQ(buffer.to_string(), "hello");
  room = buffer.reserve(Buffer::kBlockSize - 64);
  EXPECT_GE(room.size(), Buffer::kBlockSize - 64);
  buffer.commit(0);
  EXPECT_EQ(buffer.size(), 5u);
  buffer.append("!");
  EXPECT_EQ(buffer.to_string(), "hello!");
  buffer.drain(5);
  EXPECT_EQ(buffer.front(), "!");
}

TEST(Buffer, ScatterTakesTheTailFirstAndReturnsUnusedBlocks) {
  Buffer buffer("head");
  std::array<iovec, 4> iov;
  size_t n = buffer.scatter(iov, SIZE_MAX);
  ASSERT_EQ(n, 4u);
  size_t room = 0;
  for (const iovec& part : iov) room += part.iov_len;
  const std::string text = pattern(iov[0].iov_len + 10, 7);
  std::memcpy(iov[0].iov_base, text.data(), iov[0].iov_len);
  std::memcpy(iov[1].iov_base, text.data() + iov[0].iov_len, 10);
  buffer.commit_scatter(text.size());
  EXPECT_EQ(buffer.to_string(), "head" + text);
  EXPECT_GT(room, 3 * (Buffer::kBlockSize - 64));
  n = buffer.scatter(iov, 100);
  EXPECT_EQ(n, 1u);
  buffer.commit_scatter(0);
  EXPECT_EQ(buffer.size(), text.size() + 4);
}

TEST(Buffer, GatherSkipsNothingAndStopsAtTheLimit) {
  Buffer buffer(pattern(4 * Buffer::kBlockSize, 8));
  std::array<iovec, 2> two;
  EXPECT_EQ(buffer.gather(two), 2u);
  std::array<iovec, 16> all;
  const size_t n = buffer.gather(all);
  std::string text;
  for (size_t i = 0; i < n; ++i)
    text.append(static_cast<const char*>(all[i].iov_base), all[i].iov_len);
  EXPECT_EQ(text, buffer.to_string());
}

TEST(Buffer, ReplaceClampsRanges) {
  Buffer buffer("0123456789");
  buffer.replace(2, 3, "abc-def");
  EXPECT_EQ(buffer.to_string(), "01abc-def56789");
  buffer.replace(100, 5, "end");
  EXPECT_EQ(buffer.to_string(), "01abc-def56789end");
  buffer.replace(0, SIZE_MAX, "");
  EXPECT_TRUE(buffer.empty());
  buffer.replace(0, 0, "new");
  EXPECT_EQ(buffer.to_string(), "new");
}

TEST(Buffer, ReplacesAsManyBytesInPlace) {
  Buffer buffer(pattern(50'000, 0));
  const auto slices = [&buffer] {
    std::vector<const char*> found;
    buffer.for_each_slice([&found](std::string_view part) { found.push_back(part.data()); });
    return found;
  };
  const auto before = slices();
  ASSERT_GT(before.size(), 3u);
  std::string model = pattern(50'000, 0);
  for (const size_t at : {size_t{0}, size_t{1}, size_t{16'000}, size_t{20'000}}) {
    const std::string text = pattern(30'000, 7);
    buffer.replace(at, text.size(), text);
    model.replace(at, text.size(), text);
    EXPECT_EQ(buffer.to_string(), model) << at;
  }
  EXPECT_EQ(slices(), before);
  buffer.replace(buffer.size(), 0, "");
  buffer.replace(0, buffer.size(), pattern(50'000, 3));
  EXPECT_EQ(buffer.to_string(), pattern(50'000, 3));
  EXPECT_EQ(slices(), before);
}

TEST(Buffer, ReplacesNothingInBytesThatOthersHold) {
  Buffer buffer(pattern(50'000, 0));
  Buffer shared;
  buffer.share_to(shared);
  Buffer cut;
  buffer.replace(0, 50'000, pattern(50'000, 7));
  EXPECT_EQ(shared.to_string(), pattern(50'000, 0));
  EXPECT_EQ(buffer.to_string(), pattern(50'000, 7));
  buffer.move_to(cut, 1'000);  // in one block with what stays
  buffer.replace(0, 100, std::string(100, 'x'));
  EXPECT_EQ(cut.to_string(), pattern(50'000, 7).substr(0, 1'000));
}

TEST(Buffer, MoveAssignmentAndSelf) {
  Buffer a("one");
  Buffer b("two");
  a = std::move(b);
  EXPECT_EQ(a.to_string(), "two");
  a.append(std::move(a));
  EXPECT_EQ(a.to_string(), "two");
  Buffer c(std::move(a));
  EXPECT_EQ(c.to_string(), "two");
  EXPECT_TRUE(a.empty());  // NOLINT: a moved-from buffer is empty
}

// Random operations on three buffers against std::string.
TEST(Buffer, AgreesWithAStringUnderRandomOperations) {
  std::mt19937 random(4711);
  std::array<Buffer, 3> buffers;
  std::array<std::string, 3> models;
  const auto below = [&random](size_t n) { return static_cast<size_t>(random()) % n; };
  const auto length = [&below] { return below(4) == 0 ? below(40000) : below(2000); };
  for (int step = 0; step < 8000; ++step) {
    const size_t i = below(3);
    const size_t j = (i + 1 + below(2)) % 3;
    Buffer& buffer = buffers[i];
    std::string& model = models[i];
    const std::string text = pattern(length(), static_cast<unsigned>(step));
    const size_t n = length();
    switch (below(12)) {
      case 0:
        buffer.append(text);
        model += text;
        break;
      case 1:
        buffer.prepend(text);
        model.insert(0, text);
        break;
      case 2:
        buffer.append(std::move(buffers[j]));
        model += models[j];
        models[j].clear();
        break;
      case 3:
        buffer.prepend(std::move(buffers[j]));
        model.insert(0, models[j]);
        models[j].clear();
        break;
      case 4:
      case 5: {
        buffer.move_to(buffers[j], n);
        const size_t cut = std::min(n, model.size());
        models[j] += model.substr(0, cut);
        model.erase(0, cut);
        break;
      }
      case 6:
        buffer.drain(n);
        model.erase(0, std::min(n, model.size()));
        break;
      case 7:
        ASSERT_EQ(buffer.linearize(n), model.substr(0, n));
        break;
      case 8: {
        const size_t at = std::min(below(30000), model.size());
        // As many bytes as there were, one time in two.
        const size_t cut = below(2) == 0 ? std::min(text.size(), model.size() - at) : n;
        const std::string put = cut == n ? text : text.substr(0, cut);
        buffer.replace(at, cut, put);
        model.replace(at, std::min(cut, model.size() - at), put);
        break;
      }
      case 9: {
        const size_t want = below(16000) + 1;
        const auto room = buffer.reserve(want);
        const size_t used = below(want + 1);
        std::memset(room.data(), 'R', used);
        buffer.commit(used);
        model.append(used, 'R');
        break;
      }
      case 10: {
        std::array<iovec, 3> iov;
        const size_t parts = buffer.scatter(std::span(iov).first(1 + below(3)), n);
        size_t left = n;
        size_t used = 0;
        for (size_t k = 0; k < parts; ++k) {
          const size_t part = std::min(left, iov[k].iov_len);
          std::memset(iov[k].iov_base, 'S', part);
          left -= part;
          used += part;
        }
        buffer.commit_scatter(used);
        model.append(used, 'S');
        break;
      }
      default: {
        const size_t at = below(20000);
        std::string out(n, '\0');
        out.resize(buffer.copy_out(at, n, out.data()));
        ASSERT_EQ(out, at < model.size() ? model.substr(at, n) : "");
        break;
      }
    }
    if (model.size() > 100000) {
      buffer.clear();
      model.clear();
    }
    ASSERT_EQ(buffers[i].size(), models[i].size()) << "step " << step;
    ASSERT_EQ(buffers[i].to_string(), models[i]) << "step " << step;
    ASSERT_EQ(buffers[j].to_string(), models[j]) << "step " << step;
    ASSERT_EQ(buffer.front().empty(), model.empty());
  }
}

}  // namespace
}  // namespace weir
