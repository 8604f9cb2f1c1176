// What guests ask of Redis, up to the client.
#include "wasm/redis_callouts.h"

#include <gtest/gtest.h>

#include "unit/wasm/fake_guest.h"
#include "wasm/abi/abi.h"

namespace weir::wasm {
namespace {

constexpr std::string_view kPing = "*1\r\n$4\r\nPING\r\n";

/// Takes every command for the cluster "redis" and keeps it.
class FakeClient final : public Callouts, public RedisCommands {
 public:
  bool knows_cluster(std::string_view cluster) const override { return cluster == "redis"; }
  Result<std::unique_ptr<Callout>> start(CalloutRequest, CalloutHandler&) override {
    return fail(Code::kNoCluster, Side::kLocal, "");
  }
  RedisCommands* redis() noexcept override { return this; }
  Result<std::unique_ptr<Callout>> start(std::string_view, const RedisSettings& with,
                                         std::string_view command, RedisHandler& asking) override {
    if (full) return fail(Code::kOverflow, Side::kUpstream, "");
    settings = with;
    commands.emplace_back(command);
    handler = &asking;
    struct Started final : Callout {
      explicit Started(int& of) : count(of) { ++count; }
      ~Started() override { --count; }
      int& count;
    };
    return std::make_unique<Started>(in_flight);
  }
  RedisSettings settings;
  std::vector<std::string> commands;
  RedisHandler* handler = nullptr;
  int in_flight = 0;
  bool full = false;
};

class RedisCalls : public testing::Test {
 protected:
  Status init(std::string_view target, uint32_t timeout = 0) {
    guest.vm->memory().write(0, target);
    guest.vm->memory().write(200, "user");
    guest.vm->memory().write(210, "password");
    const Value args[] = {0, target.size(), 200, 4, 210, 8, timeout};
    return abi::redis_init(*guest.vm, args);
  }
  Status call(std::string_view target, std::string_view command = kPing) {
    guest.vm->memory().write(0, target);
    guest.vm->memory().write(300, command);
    const Value args[] = {0, target.size(), 300, command.size(), 400};
    return abi::redis_call(*guest.vm, args);
  }
  uint32_t id() { return *guest.vm->memory().load<uint32_t>(400); }

  FakeClient client;
  FakeGuest guest;
  void SetUp() override { guest.callout_client = &client; }
};

TEST_F(RedisCalls, SettingsComeFromTheInit) {
  guest.in_root([this] {
    EXPECT_EQ(call("redis"), Status::kOk);
    EXPECT_EQ(client.settings, RedisSettings());
    EXPECT_EQ(init("redis?db=3&max_buffer_size_before_flush=99&buffer_flush_timeout=7&x", 250),
              Status::kOk);
    EXPECT_EQ(call("redis?db=9"), Status::kOk);  // what a call says there means nothing
    EXPECT_EQ(client.settings, (RedisSettings{"user", "password", 3, std::chrono::milliseconds(250),
                                              99, std::chrono::milliseconds(7)}));
    EXPECT_EQ(init("redis"), Status::kOk);
    EXPECT_EQ(call("redis"), Status::kOk);
    EXPECT_EQ(client.settings.timeout, std::chrono::milliseconds(1000));
    EXPECT_EQ(client.settings.database, 0u);
  });
  EXPECT_EQ(client.commands.size(), 3u);
}

TEST_F(RedisCalls, BadTargets) {
  guest.in_root([this] {
    for (const std::string_view target :
         {"", "?db=1", "other", "redis?db=", "redis?db=x", "redis?db=-1", "redis?db=1000001",
          "redis?buffer_flush_timeout=1.5", "redis?max_buffer_size_before_flush=1048577"})
      EXPECT_EQ(init(target), Status::kBadArgument) << target;
    EXPECT_EQ(init("redis", 0xFFFFFFFF), Status::kBadArgument);
    EXPECT_EQ(call("other"), Status::kBadArgument);
    client.full = true;
    EXPECT_EQ(call("redis"), Status::kInternalFailure);
  });
  EXPECT_TRUE(client.commands.empty());
}

TEST_F(RedisCalls, IdsHaveTheirMarkAndRepliesAreReadableInTheirCallback) {
  const Value buffer[] = {9, 0, 100, 500, 504};
  guest.in_root([&] {
    EXPECT_EQ(call("redis"), Status::kOk);
    EXPECT_EQ(id(), 7u);
    EXPECT_EQ(abi::get_buffer(*guest.vm, buffer), Status::kNotFound);
  });
  EXPECT_EQ(client.in_flight, 1);
  EXPECT_EQ(guest.vm->callouts_in_flight(), 1u);
  std::string_view seen;
  guest.then([&] {
    seen = *guest.vm->root().redis.reply;
    EXPECT_EQ(seen, "+PONG\r\n");
    EXPECT_EQ(guest.vm->root().status_code, 0u);
  });
  client.handler->on_redis_done(std::string("+PONG\r\n"));
  EXPECT_FALSE(seen.empty());
  EXPECT_EQ(guest.vm->callouts_in_flight(), 0u);

  guest.in_root([&] {
    EXPECT_EQ(call("redis"), Status::kOk);
    EXPECT_EQ(id(), 11u);
  });
  bool failed = false;
  guest.then([&] {
    failed = true;
    EXPECT_EQ(guest.vm->root().redis.reply, nullptr);
    EXPECT_EQ(guest.vm->root().status_code, 11u);
    EXPECT_EQ(guest.vm->root().status_text, "reset");
  });
  client.handler->on_redis_done(fail(Code::kReset, Side::kUpstream, "closed"));
  EXPECT_TRUE(failed);
}

TEST_F(RedisCalls, EndWithTheirPlugin) {
  guest.in_root([this] { EXPECT_EQ(call("redis"), Status::kOk); });
  EXPECT_EQ(client.in_flight, 1);
  guest.vm->roots().front()->detach();
  EXPECT_EQ(client.in_flight, 0);
}

TEST_F(RedisCalls, SettingsOfAPluginAreBounded) {
  guest.in_root([this] {
    auto& redis = guest.vm->root().redis;
    for (int i = 0; i < 64; ++i) EXPECT_TRUE(redis.configure("c" + std::to_string(i), {}));
    EXPECT_FALSE(redis.configure("one more", {}));
    EXPECT_TRUE(redis.configure("c0", {.database = 1}));  // known
  });
}

TEST(RedisCallsOfACanary, GetAnIdAndGoNowhere) {
  FakeClient client;
  FakeGuest guest({}, {}, Vm::Role::kCanary);
  guest.callout_client = &client;
  guest.in_root([&] {
    guest.vm->memory().write(0, "redis");
    guest.vm->memory().write(300, kPing);
    const Value args[] = {0, 5, 300, kPing.size(), 400};
    EXPECT_EQ(abi::redis_call(*guest.vm, args), Status::kOk);
    EXPECT_EQ(*guest.vm->memory().load<uint32_t>(400), 7u);
  });
  EXPECT_TRUE(client.commands.empty());
  EXPECT_EQ(guest.vm->callouts_in_flight(), 0u);
}

}  // namespace
}  // namespace weir::wasm
