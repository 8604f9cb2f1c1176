// Instances that share an isolate.
#include <gtest/gtest.h>
#include <sys/mman.h>

#include <array>
#include <thread>

#include "unit/wasm_v8/engine_fixture.h"

namespace weir::wasm {
namespace {

class SharedIsolateTest : public V8EngineTest {
 protected:
  static constexpr size_t kCount = 3;
  struct Guest {
    Seen seen;
    std::unique_ptr<Instance> instance;
  };

  void SetUp() override {
    V8EngineTest::SetUp();
    std::shared_ptr<Isolate> isolate = engine_->make_isolate(limits_);
    for (Guest& each : guests_) {
      each.instance = *engine_->make_instance(module_, isolate);
      each.seen.instance = each.instance.get();
      each.instance->adopt_on_this_thread();
      const Binding bindings[] = {{&host, &each.seen}, {&bye, &each.seen}};
      ASSERT_TRUE(each.instance->instantiate(bindings));
      each.instance->trim();
      each.instance->release_from_this_thread();
    }
  }
  CallResult call(Guest& guest, std::string_view name, std::vector<Value> args = {}) {
    guest.instance->set_sequence(++sequence_);
    return guest.instance->call(guest.instance->find_function(name), args);
  }
  void adopt_all() {
    for (Guest& each : guests_) each.instance->adopt_on_this_thread();
  }

  std::array<Guest, kCount> guests_;
};

TEST_F(SharedIsolateTest, EachHasItsOwnMemoryAndHostFunctions) {
  adopt_all();
  for (size_t i = 0; i < kCount; ++i) {
    guests_[i].instance->memory()[100] = static_cast<uint8_t>(i + 1);
    EXPECT_EQ(call(guests_[i], "grow", {i}).value, 1u);
    EXPECT_EQ(call(guests_[i], "call_host", {i}).value, 42u);
  }
  EXPECT_EQ(V8EngineTest::call("add", {1, 1}).value, 2u) << "in another isolate, between them";
  for (size_t i = 0; i < kCount; ++i) {
    EXPECT_EQ(guests_[i].instance->memory()[100], i + 1);
    EXPECT_EQ(guests_[i].instance->memory().size(), (i + 1) * 65536);
    ASSERT_EQ(guests_[i].seen.args.size(), 3u);
    EXPECT_EQ(guests_[i].seen.args[0], i);
  }
}

TEST_F(SharedIsolateTest, HowOneEndsIsNoneOfTheOthersConcern) {
  adopt_all();
  EXPECT_EQ(call(guests_[0], "trap").end, CallEnd::kTrap);
  EXPECT_EQ(call(guests_[1], "add", {1, 1}).value, 2u);
  EXPECT_EQ(call(guests_[1], "exit").end, CallEnd::kExit);
  EXPECT_EQ(call(guests_[2], "add", {1, 1}).value, 2u);
  EXPECT_EQ(guests_[0].instance->last_trap().find("exited"), std::string::npos);
  EXPECT_EQ(guests_[2].instance->last_trap(), "");
}

TEST_F(SharedIsolateTest, TerminationHitsTheCallThatIsMeant) {
  adopt_all();
  EXPECT_EQ(call(guests_[0], "add", {1, 1}).end, CallEnd::kOk);
  guests_[0].instance->terminate(sequence_);
  EXPECT_EQ(call(guests_[1], "recurse", {0}).end, CallEnd::kTrap) << "a late one hits nobody";
  std::thread watchdog([this, meant = sequence_ + 1] { guests_[1].instance->terminate(meant); });
  EXPECT_EQ(call(guests_[1], "loop_for_ever").end, CallEnd::kTerminated);
  watchdog.join();
  EXPECT_EQ(call(guests_[2], "add", {1, 1}).end, CallEnd::kOk);
}

// V8 asks the interrupt at one look and ends the guest at the next: here there is none between `add` and the end.
TEST_F(SharedIsolateTest, TerminationThatComesTooLateForItsCallHitsNoOther) {
  adopt_all();
  Instance& first = *guests_[0].instance;
  const JointStep steps[] = {{first.find_function("call_host"), {0}},
                             {first.find_function("add"), {0, 0}}};
  auto joint = first.join(steps);
  ASSERT_TRUE(joint) << joint.error().detail;
  guests_[0].seen.terminates = ++sequence_;
  first.set_sequence(sequence_);
  const Value args[] = {3};
  EXPECT_EQ(first.call(*joint, args).end, CallEnd::kTerminated);
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(call(guests_[1], "recurse", {0}).end, CallEnd::kTrap);
    EXPECT_EQ(guests_[1].instance->last_trap().find("interrupted"), std::string::npos);
  }
  EXPECT_EQ(call(guests_[1], "call_host", {1}).end, CallEnd::kOk);
}

bool mapped(const uint8_t* page) {
  unsigned char resident = 0;
  return mincore(const_cast<uint8_t*>(page), 1, &resident) == 0;
}

bool resident(const uint8_t* page) {
  unsigned char resident = 0;
  return mincore(const_cast<uint8_t*>(page), 1, &resident) == 0 && resident != 0;
}

TEST_F(SharedIsolateTest, OneThatLeavesGivesItsMemoryBackWhileOthersStay) {
  std::thread worker([this] {
    adopt_all();
    for (Guest& each : guests_) each.instance->memory()[0] = 1;
    const uint8_t* const memory = guests_[1].instance->memory().data();
    EXPECT_TRUE(resident(memory));
    guests_[1].instance->empty();
    guests_[1].instance->release_from_this_thread();
    EXPECT_FALSE(resident(memory)) << "at once";
    std::thread([this] { guests_[1].instance.reset(); }).join();
    EXPECT_TRUE(mapped(memory));
    for (int i = 0; i < 100; ++i) EXPECT_EQ(call(guests_[2], "add", {1, 1}).value, 2u);
    EXPECT_FALSE(mapped(memory)) << "collected";
    EXPECT_EQ(guests_[0].instance->memory()[0], 1);
    for (Guest* each : {&guests_[0], &guests_[2]}) {
      each->instance->empty();
      each->instance->release_from_this_thread();
    }
  });
  worker.join();
}

TEST_F(SharedIsolateTest, OnesThatNobodyEmptiedGoWhereTheyAreDisposed) {
  adopt_all();
  EXPECT_EQ(call(guests_[0], "add", {1, 1}).value, 2u);
  for (Guest& each : guests_) each.instance->release_from_this_thread();
  std::thread([this] {
    for (Guest& each : guests_) each.instance.reset();
  }).join();
}

TEST_F(SharedIsolateTest, TheFirstCountsTheHeapOfTheIsolate) {
  EXPECT_GT(guests_[0].instance->heap_bytes(), guests_[2].instance->heap_bytes());
}

}  // namespace
}  // namespace weir::wasm
