// Modules that are fetched, from a source that the test plays, and their cache on disk.
#include "wasm/modules/module_store.h"

#include <gtest/gtest.h>
#include <sys/fsuid.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

namespace weir::wasm {
namespace {

using Arrival = ModuleStore::Arrival;

/// Notes who asks; the test answers.
class FakeSource final : public ModuleSource {
 public:
  explicit FakeSource(std::string address) : address_(std::move(address)) {}
  const std::string& address() const noexcept override { return address_; }
  std::string text() const override { return address_; }
  Result<std::unique_ptr<ModuleFetch>> fetch(Callouts&, ModuleReceiver& receiver) const override {
    ++begun;
    asking = &receiver;
    struct Fetch final : ModuleFetch {
      explicit Fetch(const FakeSource& of) : source(of) { ++source.in_flight; }
      ~Fetch() override { --source.in_flight; }
      const FakeSource& source;
    };
    return std::make_unique<Fetch>(*this);
  }
  mutable int begun = 0;
  mutable int in_flight = 0;
  mutable ModuleReceiver* asking = nullptr;

 private:
  const std::string address_;
};

struct NoCallouts final : Callouts {
  bool knows_cluster(std::string_view) const override { return false; }
  Result<std::unique_ptr<Callout>> start(CalloutRequest, CalloutHandler&) override {
    return fail(Code::kNoCluster, Side::kLocal, "none");
  }
};

class ModuleStoreTest : public testing::Test, public ModuleStoreOwner {
 protected:
  static constexpr std::string_view kModule = "a module";
  using Request = std::shared_ptr<const ModuleRequest>;

  ModuleStoreTest() { store_.begin_load(); }
  ~ModuleStoreTest() override { store_.stop(); }
  static Request request(const std::shared_ptr<FakeSource>& source) {
    auto out = std::make_shared<ModuleRequest>();
    out->digest = digest_key(kModule);
    out->source = source;
    out->num_retries = 0;
    out->identity = source->address();
    return out;
  }
  void turn() { loop_.run_once(std::chrono::milliseconds(0)); }
  std::unique_ptr<Callouts> make_module_callouts() override {
    return std::make_unique<NoCallouts>();
  }
  void on_module_arrived() override { ++arrivals_; }

  event::Loop loop_;
  stats::Store stats_{1};
  ModuleStore store_{loop_, stats_, "", ModuleStore::Fetches::kYes, *this};
  std::shared_ptr<FakeSource> first_ = std::make_shared<FakeSource>("http://one/m");
  std::shared_ptr<FakeSource> second_ = std::make_shared<FakeSource>("http://two/m");
  int arrivals_ = 0;
};

TEST_F(ModuleStoreTest, TwoAddressesOfOneLoadAreOneFetch) {
  for (int load = 0; load < 3; ++load) {
    store_.begin_load();
    store_.fetch(request(first_), Arrival::kWait);
    store_.fetch(request(second_), Arrival::kWait);
    store_.fetch(request(first_), Arrival::kWait);
  }
  store_.want({request(first_), request(second_)});
  EXPECT_EQ(first_->begun, 1);
  EXPECT_EQ(first_->in_flight, 1);
  EXPECT_EQ(second_->begun, 0);
}

TEST_F(ModuleStoreTest, ALaterLoadMayNameAnotherAddress) {
  store_.fetch(request(first_), Arrival::kWait);
  store_.begin_load();
  store_.fetch(request(second_), Arrival::kWait);
  EXPECT_EQ(first_->in_flight, 0);
  EXPECT_EQ(second_->in_flight, 1);
}

TEST_F(ModuleStoreTest, TwoThatWantOneDigestAreOneFetch) {
  store_.want({request(first_), request(second_)});
  store_.want({request(second_), request(first_)});
  EXPECT_EQ(first_->begun + second_->begun, 1);
}

TEST_F(ModuleStoreTest, WhatHasComeBeforeItIsWantedIsAnnouncedAndNotFetchedAgain) {
  EXPECT_EQ(store_.find(request(first_)->digest), nullptr);
  store_.fetch(request(first_), Arrival::kWait);
  first_->asking->on_module_fetched(std::string(kModule));
  turn();
  EXPECT_EQ(arrivals_, 0) << "nobody has wanted it yet";
  store_.want({request(first_)});  // of a generation that was read before it came
  turn();
  EXPECT_EQ(first_->begun, 1);
  EXPECT_EQ(arrivals_, 1);
  store_.fetch(request(second_), Arrival::kReload);
  turn();
  EXPECT_EQ(second_->begun, 0);
  EXPECT_EQ(arrivals_, 2);
  ASSERT_NE(store_.find(request(first_)->digest), nullptr);
}

TEST_F(ModuleStoreTest, AGenerationThatGoesOnIsFetchedFromItsOwnAddress) {
  store_.want({request(first_)});
  store_.begin_load();
  store_.fetch(request(second_), Arrival::kWait);  // an edit that is refused
  EXPECT_EQ(second_->in_flight, 1);
  store_.begin_load();
  store_.want({request(first_)});  // the text of before
  EXPECT_EQ(first_->in_flight, 1);
  EXPECT_EQ(second_->in_flight, 0);
  first_->asking->on_module_fetched(std::string(kModule));
  turn();
  EXPECT_EQ(arrivals_, 1);
}

// ---- the cache on disk ------------------------------------------------------------------------------

/// For as long as it lives the thread's file accesses are those of nobody in particular: root may do everything.
class Unprivileged {
 public:
  Unprivileged() : before_(static_cast<uid_t>(::setfsuid(65534))) {}
  ~Unprivileged() { ::setfsuid(before_); }
  Unprivileged(const Unprivileged&) = delete;

 private:
  const uid_t before_;
};

class ModuleCacheTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = "/tmp/weir_module_cache_XXXXXX";
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    folder_ = name;
  }
  void TearDown() override {
    ::chmod(folder_.c_str(), 0700);
    std::filesystem::remove_all(folder_);
  }
  static bool ends_in(const Error& error, std::string_view text) {
    return error.detail.ends_with(text);
  }
  const Key key_ = digest_key("bytes");
  std::string folder_;
};

TEST_F(ModuleCacheTest, KeepsWhatItIsGiven) {
  const ModuleCache cache(folder_ + "/made/here");
  EXPECT_EQ(cache.read(key_).value(), std::nullopt);
  ASSERT_TRUE(cache.write(key_, "bytes"));
  EXPECT_EQ(cache.read(key_).value(), "bytes");
}

TEST_F(ModuleCacheTest, AFolderThatMayNotBeEnteredIsAnErrorThatSaysSo) {
  const ModuleCache cache(folder_);
  ASSERT_TRUE(cache.write(key_, "bytes"));
  ASSERT_EQ(::chmod(folder_.c_str(), 0), 0);
  {
    const Unprivileged somebody;
    const auto read = cache.read(key_);
    ASSERT_FALSE(read);
    EXPECT_TRUE(ends_in(read.error(), cache.path(key_) + ": Permission denied"))
        << read.error().detail;
    const auto written = cache.write(key_, "bytes");
    ASSERT_FALSE(written);
    EXPECT_TRUE(ends_in(written.error(), folder_ + ": Permission denied"))
        << written.error().detail;
  }
}

TEST_F(ModuleCacheTest, AFolderThatCannotBeMadeIsAnErrorThatSaysSo) {
  ASSERT_EQ(::chmod(folder_.c_str(), 0555), 0);
  const Unprivileged somebody;
  const auto written = ModuleCache(folder_ + "/below").write(key_, "bytes");
  ASSERT_FALSE(written);
  EXPECT_TRUE(ends_in(written.error(), "below: Permission denied")) << written.error().detail;
}

TEST_F(ModuleCacheTest, AFileThatMayNotBeReadIsLeftToItsUsers) {
  const ModuleCache cache(folder_);
  ASSERT_TRUE(cache.write(key_, "bytes"));
  ASSERT_EQ(::chmod(cache.path(key_).c_str(), 0), 0);
  ASSERT_EQ(::chmod(folder_.c_str(), 0777), 0);
  {
    const Unprivileged somebody;
    EXPECT_FALSE(cache.read(key_));
  }
  EXPECT_TRUE(std::filesystem::exists(cache.path(key_)));
}

class BlockedCacheTest : public ModuleCacheTest, public ModuleStoreOwner {
 protected:
  std::unique_ptr<Callouts> make_module_callouts() override {
    return std::make_unique<NoCallouts>();
  }
  void on_module_arrived() override { ++arrivals_; }
  int arrivals_ = 0;
};

TEST_F(BlockedCacheTest, ModulesAreFetchedAndHeldInMemory) {
  ASSERT_EQ(::chmod(folder_.c_str(), 0), 0);
  const Unprivileged somebody;
  event::Loop loop;
  stats::Store stats{1};
  ModuleStore store(loop, stats, folder_, ModuleStore::Fetches::kYes, *this);
  auto source = std::make_shared<FakeSource>("http://one/m");
  auto request = std::make_shared<ModuleRequest>();
  request->digest = key_;
  request->source = source;
  EXPECT_EQ(store.find(key_), nullptr);
  store.want({request});
  ASSERT_EQ(source->begun, 1);
  source->asking->on_module_fetched(std::string("bytes"));
  loop.run_once(std::chrono::milliseconds(0));
  EXPECT_EQ(arrivals_, 1);
  ASSERT_NE(store.find(key_), nullptr);
  store.stop();
}

}  // namespace
}  // namespace weir::wasm
