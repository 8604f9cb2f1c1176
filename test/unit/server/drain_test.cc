#include "server/drain.h"

#include <gtest/gtest.h>

#include <atomic>

#include "stats/store.h"
#include "support/log_lines.h"

namespace weir::server {
namespace {

using namespace std::chrono_literals;

class DrainTest : public ::testing::Test {
 protected:
  DrainTest() {
    for (unsigned i = 0; i < 2; ++i)
      workers_.push_back(
          std::make_unique<Worker>(i, WorkerDeps{logs_, clusters_, health_check_failed_}));
  }
  void start_workers() {
    for (const auto& worker : workers_) worker->start();
  }
  void stop_workers() {
    for (const auto& worker : workers_) worker->stop(nullptr);
    for (const auto& worker : workers_) worker->join();
  }
  bool run_until_done() {
    const auto deadline = std::chrono::steady_clock::now() + 10s;
    while (done_ == 0 && std::chrono::steady_clock::now() < deadline) loop_.run_once(100ms);
    return done_ > 0;
  }

  size_t deadlines() const { return lines_.with("the drain time is over"); }

  test::LogLines lines_;
  stats::Store store_{3};
  std::unique_ptr<StatsScope> scope_ = store_.scope("access_log.");
  proxy::AccessLogWriter logs_{*scope_};
  std::unique_ptr<StatsScope> root_ = store_.scope("");
  upstream::ClusterRegistry clusters_{store_};
  std::atomic<bool> health_check_failed_{false};
  event::Loop loop_;
  std::vector<std::unique_ptr<Worker>> workers_;
  int done_ = 0;
};

TEST_F(DrainTest, EndsWithTheLastWorkerThatIsEmpty) {
  start_workers();
  Drain drain(loop_, workers_);
  EXPECT_FALSE(drain.started());
  drain.start(4s, [this] { ++done_; });
  EXPECT_TRUE(drain.started());
  ASSERT_TRUE(run_until_done());
  EXPECT_EQ(deadlines(), 0u);
  stop_workers();
  loop_.run_once(0ms);
  EXPECT_EQ(done_, 1);
}

TEST_F(DrainTest, EndsAtTheDrainTimeWhateverWorkersDo) {
  Drain drain(loop_, workers_);  // of workers that do not run
  drain.start(40ms, [this] { ++done_; });
  ASSERT_TRUE(run_until_done());
  EXPECT_EQ(deadlines(), 1u);
  // They are empty only now, which is of no interest any more.
  start_workers();
  stop_workers();
  for (int i = 0; i < 3; ++i) loop_.run_once(0ms);
  EXPECT_EQ(done_, 1);
}

TEST_F(DrainTest, StartsOnce) {
  start_workers();
  Drain drain(loop_, workers_);
  int second = 0;
  drain.start(40ms, [this] { ++done_; });
  drain.start(0ms, [&second] { ++second; });
  ASSERT_TRUE(run_until_done());
  for (int i = 0; i < 3; ++i) loop_.run_once(0ms);
  stop_workers();
  EXPECT_EQ(done_, 1);
  EXPECT_EQ(second, 0);
}

}  // namespace
}  // namespace weir::server
