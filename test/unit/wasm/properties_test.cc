#include <gtest/gtest.h>

#include "unit/wasm/fake_guest.h"
#include "wasm/abi/abi.h"

namespace weir::wasm {
namespace {

TEST(SetProperty, AllOfARootAreBoundedTogether) {
  Plugin plugin;
  FakeGuest guest(plugin);
  guest.in_root([&guest] {
    GuestMemory memory = guest.vm->memory();
    memory.write(0, "a");
    memory.write(1, "b");
    const size_t half = memory.size() / 2;
    const auto set = [&guest](Value name, size_t size) {
      const Value args[] = {name, 1, 16, size};
      return abi::set_property(*guest.vm, args);
    };
    // As many of one memory's half as make up the bound, under names of one byte.
    const size_t room = 1024 * 1024 / half;
    for (size_t i = 0; i < room; ++i) {
      const char name = static_cast<char>('A' + i);
      memory.write(0, std::string_view(&name, 1));
      ASSERT_EQ(set(0, half), Status::kOk) << i;
    }
    EXPECT_EQ(set(1, half), Status::kBadArgument);
    EXPECT_EQ(set(0, half), Status::kOk);  // replaced
    EXPECT_EQ(set(0, 10), Status::kOk);
    EXPECT_EQ(set(1, half - 10), Status::kOk);
  });
}

}  // namespace
}  // namespace weir::wasm
