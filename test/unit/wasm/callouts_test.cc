// What guests put into callouts, up to the client.
#include <gtest/gtest.h>

#include "unit/wasm/fake_guest.h"
#include "wasm/abi/abi.h"
#include "wasm/pairs.h"

namespace weir::wasm {
namespace {

/// Takes every callout and keeps the last.
class FakeClient final : public Callouts {
 public:
  bool knows_cluster(std::string_view) const override { return true; }
  Result<std::unique_ptr<Callout>> start(CalloutRequest request, CalloutHandler&) override {
    head = std::move(request.head);
    return std::make_unique<Callout>();
  }
  RequestHead head;
};

class HttpCalls : public testing::Test {
 protected:
  Status call(const PairViews& pairs) {
    const std::string headers = encode_pairs(pairs);
    guest.vm->memory().write(0, "cluster");
    guest.vm->memory().write(100, headers);
    const Value args[] = {0, 7, 100, headers.size(), 0, 0, 0, 0, 1000, 4000};
    Status status = Status::kOk;
    guest.in_root([&] { status = abi::http_call(*guest.vm, args); });
    return status;
  }
  FakeClient client;
  FakeGuest guest;
  void SetUp() override { guest.callout_client = &client; }
};

TEST_F(HttpCalls, HostStandsForTheAuthority) {
  EXPECT_EQ(call({{":method", "GET"}, {":path", "/"}, {"Host", "a.example"}}), Status::kOk);
  EXPECT_EQ(client.head.authority(), "a.example");
  EXPECT_FALSE(client.head.headers.get("host"));
}

TEST_F(HttpCalls, TheAuthorityComesBeforeTheHost) {
  EXPECT_EQ(
      call(
          {{":method", "GET"}, {":path", "/"}, {":authority", "a.example"}, {"host", "b.example"}}),
      Status::kOk);
  EXPECT_EQ(client.head.authority(), "a.example");
}

TEST_F(HttpCalls, WithoutEitherThereIsNone) {
  EXPECT_EQ(call({{":method", "GET"}, {":path", "/"}}), Status::kBadArgument);
  EXPECT_EQ(call({{":method", "GET"}, {":path", "/"}, {"host", "a b"}}), Status::kBadArgument);
}

}  // namespace
}  // namespace weir::wasm
