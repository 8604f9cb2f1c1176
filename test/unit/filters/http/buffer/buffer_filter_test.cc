#include "filters/http/buffer/buffer_filter.h"

#include "unit/filters/fake_view.h"

namespace weir::filters::test {
namespace {

class BufferFilterTest : public FilterTest {
 protected:
  std::shared_ptr<const void> route(Object fields) {
    FakeView view(std::move(fields), errors);
    return factory->make_route_config(view);
  }
  Flow body(HttpFilter& filter, std::string_view text, EndStream end) {
    data.append(text);
    return filter.on_request_body(data, end);
  }
  std::shared_ptr<const HttpFilterFactory> factory =
      make(&make_buffer, {{"max_request_bytes", 10}});
  Buffer data;  // what the driver holds
};

TEST_F(BufferFilterTest, GoesOnWithTheEndAndALength) {
  FakeStream stream;
  auto filter = attach(*factory, stream);
  EXPECT_EQ(filter->on_request_head(stream.request, EndStream::kNo), Flow::kPauseHead);
  EXPECT_EQ(stream.limit, 10u);
  EXPECT_EQ(body(*filter, "abc", EndStream::kNo), Flow::kBuffer);
  EXPECT_EQ(body(*filter, "def", EndStream::kYes), Flow::kContinue);
  EXPECT_EQ(stream.request.headers.get("content-length"), "6");
}

TEST_F(BufferFilterTest, TooMuchIsLeftToTheDriversLimit) {
  FakeStream stream;
  auto filter = attach(*factory, stream);
  filter->on_request_head(stream.request, EndStream::kNo);
  EXPECT_EQ(body(*filter, "12345678901", EndStream::kYes), Flow::kBuffer);
  EXPECT_FALSE(stream.request.headers.has(HeaderId::kContentLength));
}

TEST_F(BufferFilterTest, TrailersGetNoLength) {
  FakeStream stream;
  auto filter = attach(*factory, stream);
  filter->on_request_head(stream.request, EndStream::kNo);
  EXPECT_EQ(body(*filter, "abc", EndStream::kNo), Flow::kBuffer);
  HeaderMap trailers;
  EXPECT_EQ(filter->on_request_trailers(trailers), Flow::kContinue);
  EXPECT_FALSE(stream.request.headers.has(HeaderId::kContentLength));
}

TEST_F(BufferFilterTest, NothingToDoWithoutABody) {
  FakeStream stream;
  auto filter = attach(*factory, stream);
  EXPECT_EQ(filter->on_request_head(stream.request, EndStream::kYes), Flow::kContinue);
  EXPECT_EQ(stream.limit, 0u);
}

TEST_F(BufferFilterTest, RoutesHaveTheirOwnLimitOrNone) {
  FakeStream stream;
  const auto own = route({{"buffer", Object{{"max_request_bytes", 20}}}});
  stream.route = own.get();
  auto filter = attach(*factory, stream);
  EXPECT_EQ(filter->on_request_head(stream.request, EndStream::kNo), Flow::kPauseHead);
  EXPECT_EQ(stream.limit, 20u);
  FakeStream off;
  const auto disabled = route({{"disabled", true}});
  off.route = disabled.get();
  filter = attach(*factory, off);
  EXPECT_EQ(filter->on_request_head(off.request, EndStream::kNo), Flow::kContinue);
  EXPECT_EQ(body(*filter, "a lot of text", EndStream::kNo), Flow::kContinue);
  EXPECT_TRUE(errors.empty());
}

TEST_F(BufferFilterTest, Mistakes) {
  make(&make_buffer, {});
  EXPECT_EQ(errors.size(), 1u);
  make(&make_buffer, {{"max_request_bytes", 0}});
  EXPECT_EQ(errors.size(), 1u);
  errors.clear();
  route({});
  route({{"disabled", false}});
  route({{"buffer", Object{}}});
  EXPECT_EQ(errors.size(), 3u);
}

}  // namespace
}  // namespace weir::filters::test
