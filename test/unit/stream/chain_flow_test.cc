// Every Flow in every callback, both directions, with every way to go on: the message arrives whole and in order.
#include <tuple>

#include "unit/stream/chain_fixture.h"

namespace weir::stream::test {
namespace {

enum class Way { kRequest, kResponse };
enum class Where { kHead, kBody, kTrailers };
enum class Resume { kInCallback, kLater };

struct Shape {
  std::vector<std::string> chunks;
  bool trailers;
};
const Shape kShapes[] = {
    {{}, false}, {{"abc"}, false}, {{"abc", "def"}, false}, {{"abc"}, true}, {{}, true}};

using Case = std::tuple<Way, Where, Flow, Resume, int>;

class ChainFlow : public ChainFixture, public ::testing::WithParamInterface<Case> {
 protected:
  /// The filter in the middle stops once at the given callback.
  ScriptFilter::Script script(Way way, Where where, Flow flow, Resume resume) {
    auto stop = [=, this](ScriptFilter& filter) {
      if (stopped_) return Flow::kContinue;
      stopped_ = true;
      if (flow != Flow::kContinue && resume == Resume::kInCallback) go_on(filter, way);
      return flow;
    };
    auto stop_body = [stop](ScriptFilter& filter, Buffer&, EndStream) { return stop(filter); };
    auto stop_head = [stop](ScriptFilter& filter, EndStream) { return stop(filter); };
    ScriptFilter::Script out;
    const bool request = way == Way::kRequest;
    if (where == Where::kHead) (request ? out.request_head : out.response_head) = stop_head;
    if (where == Where::kBody) (request ? out.request_body : out.response_body) = stop_body;
    if (where == Where::kTrailers) (request ? out.request_trailers : out.response_trailers) = stop;
    return out;
  }
  static void go_on(ScriptFilter& filter, Way way) {
    way == Way::kRequest ? filter.callbacks().continue_request()
                         : filter.callbacks().continue_response();
  }

  void play(Way way, const Shape& shape) {
    const bool bare = shape.chunks.empty() && !shape.trailers;
    way == Way::kRequest ? chain.request_head(bare ? EndStream::kYes : EndStream::kNo)
                         : response_head(200, bare);
    for (size_t i = 0; i < shape.chunks.size(); ++i) {
      const bool end = i + 1 == shape.chunks.size() && !shape.trailers;
      way == Way::kRequest ? request_body(shape.chunks[i], end)
                           : response_body(shape.chunks[i], end);
    }
    if (shape.trailers)
      way == Way::kRequest ? chain.request_trailers_received() : chain.send_response_trailers();
  }
  bool stopped_ = false;
};

TEST_P(ChainFlow, MessageArrivesWholeAndInOrder) {
  const auto [way, where, flow, resume, shape_index] = GetParam();
  const Shape& shape = kShapes[shape_index];
  add("a");
  ScriptFilter& middle = add("b", script(way, where, flow, resume));
  add("c");
  finish_chain();
  if (way == Way::kResponse) chain.request_head(EndStream::kYes);
  play(way, shape);

  const OrderCheck& out = way == Way::kRequest ? terminal->request : sent;
  const bool holds = stopped_ && flow != Flow::kContinue && resume == Resume::kLater;
  if (holds) {
    if (flow == Flow::kPauseAll && where == Where::kHead) {
      EXPECT_FALSE(out.started());
    }
    // Trailers that pass take along what was held before them.
    const bool alone = shape.chunks.size() == 1 && !shape.trailers;
    if (where == Where::kBody && alone) {
      EXPECT_FALSE(out.ended());
    }
    if (where == Where::kTrailers) {
      EXPECT_FALSE(out.ended());
    }
    go_on(middle, way);
    EXPECT_TRUE(!out.ended() || where != Where::kTrailers)
        << "asked for outside a callback: not before the turn's end";
    turn();
  }
  EXPECT_TRUE(out.ended());
  std::string whole;
  for (const std::string& chunk : shape.chunks) whole += chunk;
  if (flow == Flow::kDrop && where == Where::kBody && stopped_)
    whole = whole.substr(std::min<size_t>(3, whole.size()));
  EXPECT_EQ(way == Way::kRequest ? terminal->body : sent_body, whole);
  for (const ScriptFilter* filter : filters) {
    EXPECT_TRUE((way == Way::kRequest ? filter->request : filter->response).ended());
    EXPECT_EQ(filter->ends, way == Way::kResponse ? 1 : 0);
  }
  EXPECT_EQ(held, 0);
  EXPECT_EQ(terminal->blocked, 0);
  if (way == Way::kRequest) response_head(204, true);
  EXPECT_EQ(done, 1);
  for (const ScriptFilter* filter : filters) EXPECT_EQ(filter->ends, 1);
  EXPECT_EQ(terminal->ends, 1);
}

INSTANTIATE_TEST_SUITE_P(
    All, ChainFlow,
    ::testing::Combine(::testing::Values(Way::kRequest, Way::kResponse),
                       ::testing::Values(Where::kHead, Where::kBody, Where::kTrailers),
                       ::testing::Values(Flow::kContinue, Flow::kPauseHead, Flow::kPauseAll,
                                         Flow::kBuffer, Flow::kWatermark, Flow::kDrop),
                       ::testing::Values(Resume::kInCallback, Resume::kLater),
                       ::testing::Range(0, 5)));

}  // namespace
}  // namespace weir::stream::test
