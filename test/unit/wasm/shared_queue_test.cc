#include "wasm/shared_queue.h"

#include <gtest/gtest.h>

#include <vector>

#include "base/strings.h"

namespace weir::wasm {
namespace {

struct Listener final : QueueListener {
  void on_queue_item(uint64_t vm_serial, uint32_t root_id, uint32_t queue_id) override {
    told.push_back({vm_serial, root_id, queue_id});
  }
  struct Told {
    uint64_t vm_serial;
    uint32_t root_id, queue_id;
    bool operator==(const Told&) const = default;
  };
  std::vector<Told> told;
};

class SharedQueuesTest : public ::testing::Test {
 protected:
  bool put(uint32_t id, std::string_view value) {  // whether something had to go
    bool dropped = false;
    EXPECT_EQ(queues_.enqueue(id, value, dropped), Status::kOk);
    return dropped;
  }
  std::string take(uint32_t id) {
    std::string value = "(none)";
    queues_.dequeue(id, value);
    return value;
  }
  uint64_t count(std::string_view name) const {
    return stats_.counter_value(base::concat("wasm_queues.vm.", name));
  }
  stats::Store stats_{1};
  SharedQueues queues_{stats_};
  Listener listener_;
};

TEST_F(SharedQueuesTest, AreFoundByVmIdAndName) {
  const uint32_t one = queues_.add("vm", "one", &listener_, 1, 1);
  const uint32_t two = queues_.add("vm", "two", &listener_, 1, 1);
  const uint32_t other = queues_.add("other", "one", &listener_, 1, 1);
  EXPECT_NE(one, two);
  EXPECT_NE(one, other);
  EXPECT_NE(one, 0u);
  EXPECT_EQ(queues_.add("vm", "one", &listener_, 2, 1), one);
  EXPECT_EQ(queues_.resolve("vm", "two"), two);
  EXPECT_EQ(queues_.resolve("vm", "three"), std::nullopt);
  EXPECT_EQ(queues_.resolve("", "one"), std::nullopt);
}

TEST_F(SharedQueuesTest, AllOfOneVmIdAreBoundedTogether) {
  const std::string item(SharedQueues::kMaxBytes, 'x');
  const size_t room = QueueLimits().max_bytes / SharedQueues::kMaxBytes;
  uint32_t last = 0;
  for (size_t i = 0; i < room; ++i) {
    last = queues_.add("vm", std::to_string(i), nullptr, 0, 0);
    EXPECT_FALSE(put(last, item));
  }
  const uint32_t late = queues_.add("vm", "late", nullptr, 0, 0);
  EXPECT_TRUE(put(late, "y"));  // nothing of its own can go
  EXPECT_EQ(take(late), "(none)");
  EXPECT_TRUE(put(last, "y"));  // its oldest goes
  EXPECT_EQ(take(last), "y");
  EXPECT_FALSE(put(late, "y"));
  EXPECT_FALSE(put(queues_.add("other", "q", nullptr, 0, 0), item));
}

TEST_F(SharedQueuesTest, HaveTheLimitsOfTheirVmId) {
  const QueueLimits tight{.max_bytes = 10, .max_queues = 2};
  const uint32_t one = queues_.add("vm", "one", nullptr, 0, 0, tight);
  EXPECT_NE(queues_.add("vm", "two", nullptr, 0, 0, tight), 0u);
  EXPECT_EQ(queues_.add("vm", "three", nullptr, 0, 0, tight), 0u);
  EXPECT_EQ(queues_.add("vm", "one", nullptr, 0, 0, tight), one) << "no other one";
  EXPECT_NE(queues_.add("other", "three", nullptr, 0, 0), 0u);
  EXPECT_FALSE(put(one, "1234567890"));
  EXPECT_TRUE(put(one, "x"));
  EXPECT_EQ(take(one), "x");
  EXPECT_TRUE(put(one, "12345678901")) << "too big for all of it";
  EXPECT_EQ(take(one), "(none)");
}

TEST_F(SharedQueuesTest, WhatOthersHoldEmptiesNoQueue) {
  const QueueLimits tight{.max_bytes = 10, .max_queues = 2};
  const uint32_t one = queues_.add("vm", "one", nullptr, 0, 0, tight);
  const uint32_t two = queues_.add("vm", "two", nullptr, 0, 0, tight);
  EXPECT_FALSE(put(one, "12"));
  EXPECT_FALSE(put(two, "12345678"));
  EXPECT_TRUE(put(one, "123")) << "it would not fit without the 12 either";
  EXPECT_EQ(take(one), "12");
}

TEST_F(SharedQueuesTest, AreFirstInFirstOut) {
  const uint32_t id = queues_.add("vm", "q", nullptr, 0, 0);
  EXPECT_EQ(take(id), "(none)");
  std::string value;
  EXPECT_EQ(queues_.dequeue(id, value), Status::kEmpty);
  put(id, "a");
  put(id, "");
  put(id, "c");
  EXPECT_EQ(take(id), "a");
  EXPECT_EQ(take(id), "");
  EXPECT_EQ(take(id), "c");
  bool dropped = false;
  EXPECT_EQ(queues_.dequeue(id + 1, value), Status::kNotFound);
  EXPECT_EQ(queues_.enqueue(id + 1, "x", dropped), Status::kNotFound);
  EXPECT_EQ(queues_.enqueue(0, "x", dropped), Status::kNotFound);
}

TEST_F(SharedQueuesTest, BeyondTheNumberOfItemsTheOldestGoes) {
  const uint32_t id = queues_.add("vm", "q", nullptr, 0, 0);
  for (size_t i = 0; i < SharedQueues::kMaxItems; ++i) EXPECT_FALSE(put(id, std::to_string(i)));
  EXPECT_TRUE(put(id, "last"));
  EXPECT_EQ(take(id), "1");
  EXPECT_FALSE(put(id, "again")) << "there is room for one";
}

TEST_F(SharedQueuesTest, BeyondTheNumberOfBytesTheOldestGo) {
  const uint32_t id = queues_.add("vm", "q", nullptr, 0, 0);
  const std::string quarter(SharedQueues::kMaxBytes / 4, 'x');
  for (int i = 0; i < 4; ++i) EXPECT_FALSE(put(id, quarter));
  EXPECT_TRUE(put(id, "1"));
  EXPECT_EQ(take(id).size(), quarter.size());
  EXPECT_FALSE(put(id, std::string(quarter.size() * 2 - 1, 'y')))
      << "what was taken counts no more";
  EXPECT_TRUE(put(id, std::string(SharedQueues::kMaxBytes, 'z')));
  EXPECT_EQ(take(id).front(), 'z') << "all others had to go";
  EXPECT_TRUE(put(id, std::string(SharedQueues::kMaxBytes + 1, 'w')));
  EXPECT_EQ(take(id), "(none)");
}

TEST_F(SharedQueuesTest, TheirNumberIsBounded) {
  for (size_t i = 0; i < SharedQueues::kMaxQueues; ++i)
    EXPECT_NE(queues_.add("vm" + std::to_string(i % 9), std::to_string(i), nullptr, 0, 0), 0u);
  EXPECT_EQ(queues_.add("vm", "one more", nullptr, 0, 0), 0u);
  EXPECT_NE(queues_.add("vm0", "0", nullptr, 0, 0), 0u) << "a known one";
}

TEST_F(SharedQueuesTest, TheirNamesAreBounded) {
  const std::string longest(SharedQueues::kMaxNameBytes, 'n');
  EXPECT_NE(queues_.add("vm", longest, nullptr, 0, 0), 0u);
  EXPECT_EQ(queues_.add("vm", longest + "n", nullptr, 0, 0), 0u);
  EXPECT_FALSE(queues_.resolve("vm", longest + "n"));
  CanaryQueues canary;
  EXPECT_EQ(canary.add(longest + "n"), 0u);
}

TEST_F(SharedQueuesTest, TheLastToRegisterIsTold) {
  const uint32_t id = queues_.add("vm", "q", nullptr, 7, 70);
  put(id, "early");
  EXPECT_TRUE(listener_.told.empty());
  queues_.add("vm", "q", &listener_, 8, 80);
  EXPECT_EQ(listener_.told, (std::vector<Listener::Told>{{8, 80, id}})) << "of what waits";
  EXPECT_EQ(queues_.hear(id, 8, 80), 1u);
  put(id, "late");
  EXPECT_EQ(queues_.hear(id, 8, 80), 1u);
  queues_.add("vm", "q", nullptr, 9, 90);  // a VM that starts: its worker has not adopted it
  put(id, "later");
  EXPECT_EQ(queues_.hear(id, 8, 80), 1u);
  EXPECT_EQ(listener_.told.size(), 3u);
  Listener next;
  queues_.add("vm", "q", &next, 9, 90);
  queues_.forget(8);
  put(id, "last");
  EXPECT_EQ(next.told, (std::vector<Listener::Told>{{9, 90, id}})) << "another VM has gone";
  EXPECT_EQ(queues_.hear(id, 8, 80), 0u);
  EXPECT_EQ(queues_.hear(id, 9, 90), 4u);
  EXPECT_EQ(listener_.told.size(), 3u);
  queues_.forget(9);
  put(id, "nobody");
  EXPECT_EQ(next.told.size(), 1u);
  EXPECT_EQ(queues_.hear(id, 9, 90), 0u);
  EXPECT_EQ(take(id), "early") << "items outlive VMs";
}

TEST_F(SharedQueuesTest, TheirUseIsCountedByVmId) {
  const uint32_t id = queues_.add("vm", "q", nullptr, 0, 0, {10, 8});
  const uint32_t other = queues_.add("", "q", nullptr, 0, 0);
  put(other, "elsewhere");
  for (const char* item : {"1234", "1234", "123", "12345678901"}) put(id, item);
  EXPECT_EQ(take(id), "1234");
  EXPECT_EQ(count("enqueued"), 3u);
  EXPECT_EQ(count("dropped"), 1u) << "the first for the third";
  EXPECT_EQ(count("refused"), 1u) << "what never fits takes nobody's place";
  EXPECT_EQ(count("dequeued"), 1u);
}

TEST_F(SharedQueuesTest, OneAnnouncementIsOnItsWayAndNoMoreThanThereAreItems) {
  const uint32_t id = queues_.add("vm", "q", &listener_, 1, 10);
  for (size_t i = 0; i < 3 * SharedQueues::kMaxItems; ++i) put(id, "x");
  EXPECT_EQ(listener_.told.size(), 1u);
  size_t heard = 0;
  for (size_t i = 1; heard < SharedQueues::kMaxItems; ++i) {
    ASSERT_EQ(listener_.told.size(), i) << "the rest has an announcement of its own";
    ASSERT_EQ(queues_.hear(id, 1, 10), SharedQueues::kMaxHeard);
    heard += SharedQueues::kMaxHeard;
  }
  const size_t told = listener_.told.size();
  EXPECT_EQ(queues_.hear(id, 1, 10), 0u) << "of each once";
  put(id, "y");
  EXPECT_EQ(listener_.told.size(), told + 1);
  while (take(id) != "(none)") continue;
  EXPECT_EQ(queues_.hear(id, 1, 10), 0u) << "somebody else has taken all";
  EXPECT_EQ(queues_.hear(id + 1, 1, 10), 0u);
}

TEST_F(SharedQueuesTest, WhoRegistersAgainHearsOfNothingTwice) {
  const uint32_t id = queues_.add("vm", "q", &listener_, 1, 10);
  for (int i = 0; i < 5; ++i) put(id, "x");
  EXPECT_EQ(queues_.hear(id, 1, 10), 5u);
  for (int i = 0; i < 5; ++i) queues_.add("vm", "q", &listener_, 1, 10);
  EXPECT_EQ(listener_.told.size(), 1u);
  EXPECT_EQ(queues_.hear(id, 1, 10), 0u);
  // Two that take it from each other hear of what waits, each by one announcement at a time.
  for (int i = 0; i < 5; ++i) {
    queues_.add("vm", "q", &listener_, 2, 20);
    queues_.add("vm", "q", &listener_, 1, 10);
  }
  EXPECT_EQ(listener_.told.size(), 3u);
  EXPECT_EQ(queues_.hear(id, 2, 20), 0u);
  EXPECT_EQ(queues_.hear(id, 1, 10), 5u);
}

TEST(CanaryQueues, HaveIdsOfTheirOwn) {
  stats::Store stats(1);
  SharedQueues queues(stats);
  CanaryQueues canary;
  EXPECT_EQ(canary.resolve("q"), std::nullopt);
  const uint32_t id = canary.add("q");
  EXPECT_EQ(canary.add("q"), id);
  EXPECT_EQ(canary.resolve("q"), id);
  EXPECT_NE(canary.add("r"), id);
  EXPECT_NE(queues.add("vm", "q", nullptr, 0, 0), id);
  for (size_t i = 2; i < CanaryQueues::kMaxQueues; ++i)
    EXPECT_NE(canary.add(std::to_string(i)), 0u);
  EXPECT_EQ(canary.add("one more"), 0u);
  EXPECT_EQ(canary.add("q"), id);
}

}  // namespace
}  // namespace weir::wasm
