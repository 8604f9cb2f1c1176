#include "wasm/shared_data.h"

#include <gtest/gtest.h>

#include "unit/wasm/fake_guest.h"
#include "wasm/abi/abi.h"

namespace weir::wasm {
namespace {

class SharedStoreTest : public ::testing::Test {
 protected:
  /// Whether something had to go.
  bool set(std::string_view key, std::string_view value, uint64_t max_bytes = 1000) {
    bool evicted = false;
    EXPECT_EQ(store_.set(key, value, 0, max_bytes, evicted), Status::kOk);
    return evicted;
  }
  std::string get(std::string_view key) const {
    const auto item = store_.get(key);
    return item ? item->value : "(none)";
  }
  SharedStore store_;
};

TEST_F(SharedStoreTest, ReplacesAndCountsBytesOfKeysAndValues) {
  set("key", "value");
  EXPECT_EQ(store_.bytes(), 8u);
  set("key", "v");
  EXPECT_EQ(store_.bytes(), 4u);
  EXPECT_EQ(store_.size(), 1u);
  set("", "");
  EXPECT_EQ(get(""), "");
  EXPECT_EQ(get("other"), "(none)");
}

// What an entry costs besides its bytes is bounded too.
TEST_F(SharedStoreTest, ManySmallEntriesAreBoundedByTheirNumber) {
  constexpr uint64_t kBytes = 2048 * 128;
  for (int i = 0; i < 2048; ++i) EXPECT_FALSE(set(std::to_string(i), "", kBytes));
  EXPECT_TRUE(set("one more", "", kBytes));
  EXPECT_EQ(store_.size(), 2048u);
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
  EXPECT_EQ(store_.bytes(), 12u);
}

TEST_F(SharedStoreTest, ALargeItemTakesThePlaceOfSeveral) {
  for (const char* key : {"a", "b", "c"}) set(key, "111", 12);
  EXPECT_TRUE(set("d", "1234567", 12));
  EXPECT_EQ(store_.size(), 2u);
  EXPECT_EQ(get("c"), "111");
  EXPECT_TRUE(set("e", "12345678901", 12)) << "exactly all of it";
  EXPECT_EQ(store_.size(), 1u);
  EXPECT_EQ(store_.bytes(), 12u);
}

TEST_F(SharedStoreTest, AnItemThatNeverFitsIsNotKept) {
  set("a", "1", 12);
  set("b", "2", 12);
  EXPECT_TRUE(set("a", "123456789012", 12));
  EXPECT_EQ(get("a"), "(none)") << "not the old value either";
  EXPECT_EQ(get("b"), "2");
  EXPECT_EQ(store_.bytes(), 2u);
}

TEST_F(SharedStoreTest, CompareAndSwap) {
  bool evicted = false;
  EXPECT_EQ(store_.set("k", "1", 77, 100, evicted), Status::kOk) << "an absent key: unconditional";
  const uint32_t first = store_.get("k")->cas;
  EXPECT_NE(first, 0u);
  EXPECT_EQ(store_.set("k", "2", first, 100, evicted), Status::kOk);
  EXPECT_EQ(store_.set("k", "3", first, 100, evicted), Status::kCasMismatch);
  EXPECT_EQ(get("k"), "2");
  EXPECT_EQ(store_.set("k", "4", 0, 100, evicted), Status::kOk);
  // A key that has gone and come back must not pass for the one that was read.
  const uint32_t before = store_.get("k")->cas;
  set("big", std::string(97, 'x'), 100);
  set("k", "5", 101);
  EXPECT_EQ(store_.set("k", "6", before, 101, evicted), Status::kCasMismatch);
  EXPECT_FALSE(evicted);
}

TEST(SharedStores, LiveAsLongAsSomebodyUsesThem) {
  SharedStores stores;
  bool evicted = false;
  SharedStores::Use one = stores.use("id");
  SharedStores::Use two = stores.use("id");
  SharedStores::Use other = stores.use("other");
  EXPECT_EQ(stores.size(), 2u);
  one->set("k", "v", 0, 100, evicted);
  EXPECT_TRUE(two->get("k"));
  EXPECT_FALSE(other->get("k"));
  one.reset();
  EXPECT_EQ(stores.size(), 2u);
  other = std::move(two);  // the store of "other" goes, that of "id" has a new user
  EXPECT_EQ(stores.size(), 1u);
  EXPECT_TRUE(other->get("k"));
  other.reset();
  EXPECT_EQ(stores.size(), 0u);
  EXPECT_FALSE(stores.use("id")->get("k"));
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
  SharedStores::Use real = canary.services.shared_data.use("id");
  bool evicted = false;
  real->set("k", "real", 0, 100, evicted);
  const uint32_t cas = real->get("k")->cas;
  canary.in_root([&canary, cas] {
    Caller guest(canary);
    EXPECT_EQ(guest.set("k", "tried", cas + 1), Status::kCasMismatch);
    EXPECT_EQ(guest.set("k", "tried", cas), Status::kOk);
    EXPECT_EQ(guest.set("new", "tried"), Status::kOk);
  });
  EXPECT_EQ(canary.vm->canary_data()->get("k")->value, "tried");
  EXPECT_EQ(real->get("k")->value, "real");
  EXPECT_EQ(real->get("k")->cas, cas);
  EXPECT_FALSE(real->get("new"));
}

}  // namespace
}  // namespace weir::wasm
