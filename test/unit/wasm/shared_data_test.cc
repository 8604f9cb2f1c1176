#include "wasm/shared_data.h"

#include <gtest/gtest.h>

#include <chrono>

#include "unit/wasm/fake_guest.h"
#include "wasm/abi/abi.h"

namespace weir::wasm {
namespace {

using namespace std::chrono_literals;

constexpr SharedStore::Time kStart{};

class SharedStoreTest : public ::testing::Test {
 protected:
  /// Whether something had to go.
  bool set(std::string_view key, std::string_view value, uint64_t max_bytes = 1000) {
    store_.limit({.max_bytes = max_bytes, .ttl = ttl_});
    bool evicted = false;
    EXPECT_EQ(store_.set(key, value, 0, now_, evicted), Status::kOk);
    return evicted;
  }
  Status swap(std::string_view key, std::string_view value, uint32_t cas) {
    bool evicted = false;
    const Status status = store_.set(key, value, cas, now_, evicted);
    EXPECT_FALSE(evicted);
    return status;
  }
  std::string get(std::string_view key) {
    const auto item = store_.get(key, now_);
    return item ? item->value : "(none)";
  }
  uint32_t cas_of(std::string_view key) { return store_.get(key, now_)->cas; }
  uint64_t count(std::string_view name) const {
    return metrics_.counter_value(shared_data_stat("id", name));
  }
  size_t keys() const { return store_.size().keys; }
  size_t bytes() const { return store_.size().bytes; }

  stats::Store metrics_{1};
  SharedDataStats stats_{metrics_, "id"};
  SharedStore store_{{}, &stats_};
  std::chrono::milliseconds ttl_{0};
  SharedStore::Time now_ = kStart;
};

TEST_F(SharedStoreTest, ReplacesAndCountsBytesOfKeysAndValues) {
  set("key", "value");
  EXPECT_EQ(bytes(), 8u);
  set("key", "v");
  EXPECT_EQ(bytes(), 4u);
  EXPECT_EQ(keys(), 1u);
  set("", "");
  EXPECT_EQ(get(""), "");
  EXPECT_EQ(get("other"), "(none)");
}

// What an entry costs besides its bytes is bounded too.
TEST_F(SharedStoreTest, ManySmallEntriesAreBoundedByTheirNumber) {
  constexpr uint64_t kBytes = 2048 * 128;
  for (int i = 0; i < 2048; ++i) EXPECT_FALSE(set(std::to_string(i), "", kBytes));
  EXPECT_TRUE(set("one more", "", kBytes));
  EXPECT_EQ(keys(), 2048u);
  EXPECT_EQ(get("0"), "(none)");
  EXPECT_EQ(get("1"), "");
}

TEST_F(SharedStoreTest, ForgetsWhatWasWrittenLongestAgo) {
  EXPECT_FALSE(set("a", "111", 12));
  EXPECT_FALSE(set("b", "222", 12));
  EXPECT_FALSE(set("c", "333", 12));
  EXPECT_FALSE(set("a", "444", 12)) << "the same key has room";
  EXPECT_TRUE(set("d", "555", 12));
  EXPECT_EQ(get("b"), "(none)") << "a was written again after b";
  EXPECT_EQ(get("a"), "444");
  EXPECT_EQ(get("c"), "333");
  EXPECT_EQ(get("d"), "555");
  EXPECT_EQ(bytes(), 12u);
}

TEST_F(SharedStoreTest, ALargeItemTakesThePlaceOfSeveral) {
  for (const char* key : {"a", "b", "c"}) set(key, "111", 12);
  EXPECT_TRUE(set("d", "1234567", 12));
  EXPECT_EQ(keys(), 2u);
  EXPECT_EQ(get("c"), "111");
  EXPECT_TRUE(set("e", "12345678901", 12)) << "exactly all of it";
  EXPECT_EQ(keys(), 1u);
  EXPECT_EQ(bytes(), 12u);
}

TEST_F(SharedStoreTest, AnItemThatNeverFitsIsNotKept) {
  set("a", "1", 12);
  set("b", "2", 12);
  EXPECT_TRUE(set("a", "123456789012", 12));
  EXPECT_EQ(get("a"), "(none)") << "not the old value either";
  EXPECT_EQ(get("b"), "2");
  EXPECT_EQ(bytes(), 2u);
}

TEST_F(SharedStoreTest, CompareAndSwap) {
  EXPECT_EQ(swap("k", "1", 77), Status::kOk) << "an absent key: unconditional";
  const uint32_t first = cas_of("k");
  EXPECT_NE(first, 0u);
  EXPECT_EQ(swap("k", "2", first), Status::kOk);
  EXPECT_EQ(swap("k", "3", first), Status::kCasMismatch);
  EXPECT_EQ(get("k"), "2");
  EXPECT_EQ(swap("k", "4", 0), Status::kOk);
  // A key that has gone and come back must not pass for the one that was read.
  const uint32_t before = cas_of("k");
  set("big", std::string(97, 'x'), 100);
  set("k", "5", 101);
  EXPECT_EQ(swap("k", "6", before), Status::kCasMismatch);
  EXPECT_EQ(count("cas_conflicts"), 2u);
}

TEST_F(SharedStoreTest, KeepsNoMoreKeysThanItsQuota) {
  store_.limit({.max_keys = 2});
  bool evicted = false;
  for (const char* key : {"a", "b", "a"}) store_.set(key, "1", 0, now_, evicted);
  EXPECT_FALSE(evicted);
  store_.set("c", "1", 0, now_, evicted);
  EXPECT_TRUE(evicted);
  EXPECT_EQ(get("b"), "(none)");
  EXPECT_EQ(keys(), 2u);
}

TEST_F(SharedStoreTest, ForgetsWhatIsTooOld) {
  ttl_ = 60s;
  set("a", "1");
  set("b", "2");
  now_ += 59s;
  EXPECT_EQ(get("a"), "1") << "reading does not make it younger";
  set("b", "3");
  now_ += 1s;
  EXPECT_EQ(get("a"), "(none)");
  EXPECT_EQ(get("b"), "3") << "it counts from the last write";
  EXPECT_EQ(keys(), 1u);
  EXPECT_EQ(bytes(), 2u);
  EXPECT_EQ(count("expired"), 1u);
}

TEST_F(SharedStoreTest, WhatIsTooOldIsAbsentForCompareAndSwap) {
  ttl_ = 60s;
  set("k", "1");
  const uint32_t cas = cas_of("k");
  now_ += 60s;
  EXPECT_EQ(swap("k", "2", cas + 1), Status::kOk)
      << "any number, as for a key that was never there";
  EXPECT_EQ(get("k"), "2");
  EXPECT_EQ(swap("k", "3", cas), Status::kCasMismatch) << "it has come back";
}

TEST_F(SharedStoreTest, AnotherTimeHoldsForWhatIsThere) {
  set("k", "1");
  now_ += 1h;
  EXPECT_EQ(get("k"), "1");
  store_.limit({.ttl = 30min});
  EXPECT_EQ(get("k"), "(none)");
}

TEST_F(SharedStoreTest, WritesFreeAFewOldEntriesAndASweepMany) {
  ttl_ = 1s;
  for (int i = 0; i < 1000; ++i) set(std::to_string(i), "", 1'000'000);
  now_ += 1s;
  set("young", "", 1'000'000);
  EXPECT_LT(keys(), 1000u);
  EXPECT_GT(keys(), 900u) << "a guest's call does not pay for all";
  store_.sweep(now_);
  EXPECT_EQ(keys(), 1u);
  EXPECT_EQ(count("expired"), 1000u);
  store_.sweep(now_);
  EXPECT_EQ(get("young"), "");
}

TEST_F(SharedStoreTest, ItsUseIsCounted) {
  get("a");
  set("a", "1", 2);
  get("a");
  set("b", "1", 2);
  set("c", "too much", 2);
  EXPECT_EQ(count("reads"), 2u);
  EXPECT_EQ(count("hits"), 1u);
  EXPECT_EQ(count("misses"), 1u);
  EXPECT_EQ(count("writes"), 2u);
  EXPECT_EQ(count("evicted"), 1u);
  EXPECT_EQ(count("refused"), 1u);
  EXPECT_EQ(count("expired"), 0u);
}

TEST(SharedStores, LiveAsLongAsSomebodyUsesThem) {
  stats::Store metrics(1);
  SharedStores stores(metrics);
  bool evicted = false;
  SharedStores::Use one = stores.use("id", {});
  SharedStores::Use two = stores.use("id", {.max_keys = 1});
  SharedStores::Use other = stores.use("other", {});
  EXPECT_EQ(stores.size(), 2u);
  one->set("k", "v", 0, kStart, evicted);
  EXPECT_TRUE(two->get("k", kStart));
  EXPECT_EQ(two->limits().max_keys, 0u) << "a user that comes later does not change them";
  EXPECT_FALSE(other->get("k", kStart));
  one.reset();
  EXPECT_EQ(stores.size(), 2u);
  other = std::move(two);  // the store of "other" goes, that of "id" has a new user
  EXPECT_EQ(stores.size(), 1u);
  EXPECT_TRUE(other->get("k", kStart));
  other.reset();
  EXPECT_EQ(stores.size(), 0u);
  EXPECT_FALSE(stores.use("id", {})->get("k", kStart));
}

TEST(SharedStores, GaugesFollowTheirStores) {
  stats::Store metrics(1);
  SharedStores stores(metrics);
  bool evicted = false;
  SharedStores::Use one = stores.use("", {.ttl = 1s});
  one->set("key", "v", 0, kStart, evicted);
  stores.publish(kStart);
  EXPECT_EQ(metrics.gauge_value("wasm_shared_data.unnamed.keys"), 1);
  EXPECT_EQ(metrics.gauge_value("wasm_shared_data.unnamed.bytes"), 4);
  stores.publish(kStart + 1s);
  EXPECT_EQ(metrics.gauge_value("wasm_shared_data.unnamed.keys"), 0) << "what is too old is freed";
  one->set("key", "v", 0, kStart + 2s, evicted);
  stores.publish(kStart + 2s);
  one.reset();
  EXPECT_EQ(metrics.gauge_value("wasm_shared_data.unnamed.bytes"), 0);
}

/// The host functions as a guest calls them: texts are put into its memory.
struct Caller {
  explicit Caller(FakeGuest& guest) : guest_(guest) {}
  Status set(std::string_view key, std::string_view value, uint32_t cas = 0) {
    const Value args[] = {put(0, key), key.size(), put(100, value), value.size(), cas};
    return abi::set_shared_data(*guest_.vm, args);
  }
  uint64_t put(uint64_t at, std::string_view text) {
    guest_.vm->memory().write(at, text);
    return at;
  }

 private:
  FakeGuest& guest_;
};

TEST(CanaryData, IsWrittenForTheCanaryAlone) {
  Plugin plugin;
  plugin.vm.vm_id = "id";
  FakeGuest canary(plugin, {}, Vm::Role::kCanary);
  SharedStores::Use real = canary.services.shared_data.use("id", {});
  bool evicted = false;
  real->set("k", "real", 0, kStart, evicted);
  const uint32_t cas = real->get("k", kStart)->cas;
  canary.in_root([&canary, cas] {
    Caller guest(canary);
    EXPECT_EQ(guest.set("k", "tried", cas + 1), Status::kCasMismatch);
    EXPECT_EQ(guest.set("k", "tried", cas), Status::kOk);
    EXPECT_EQ(guest.set("new", "tried"), Status::kOk);
  });
  EXPECT_EQ(canary.vm->canary_data()->get("k", kStart)->value, "tried");
  EXPECT_EQ(real->get("k", kStart)->value, "real");
  EXPECT_EQ(real->get("k", kStart)->cas, cas);
  EXPECT_FALSE(real->get("new", kStart));
}

}  // namespace
}  // namespace weir::wasm
