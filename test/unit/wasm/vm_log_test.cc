// What a guest writes to its standard streams, and when it is logged.
#include <gtest/gtest.h>

#include "support/log_lines.h"
#include "unit/wasm/fake_guest.h"
#include "wasm/abi/wasi.h"

namespace weir::wasm {
namespace {

using test::LogLines;

void write(FakeGuest& guest, uint32_t fd, std::string_view text) {
  const GuestMemory memory = guest.vm->memory();
  memory.store<uint32_t>(64, 100);
  memory.store<uint32_t>(68, static_cast<uint32_t>(text.size()));
  memory.write(100, text);
  const Value args[] = {fd, 64, 1, 72};
  EXPECT_EQ(abi::fd_write(*guest.vm, args), Errno::kOk);
}

TEST(VmLog, ALineIsOneRecordHoweverItIsWritten) {
  const LogLines lines;
  FakeGuest guest;
  guest.in_root([&guest] {
    for (const char* piece : {"one", " two", " three\nfo", "ur\n"}) write(guest, 1, piece);
  });
  EXPECT_EQ(lines.with("text=\"one two three\""), 1u);
  EXPECT_EQ(lines.with("text=four"), 1u);
  EXPECT_EQ(lines.with("text="), 2u);
}

TEST(VmLog, ALineWithoutItsEndIsLoggedWhenTheCallIsOver) {
  const LogLines lines;
  FakeGuest guest;
  guest.in_root([&guest, &lines] {
    write(guest, 1, "to out");
    write(guest, 2, "to err");
    EXPECT_EQ(lines.with("text="), 0u);
  });
  EXPECT_EQ(lines.with("context=1 text=\"to out\""), 1u);
  EXPECT_EQ(lines.with("text=\"to err\""), 1u);
  guest.in_root([&guest] { write(guest, 1, "next\n"); });
  EXPECT_EQ(lines.with("text=next"), 1u) << "nothing is left of the first";
}

TEST(VmLog, TheLastWordsOfAGuestThatDiesAreLogged) {
  const LogLines lines;
  FakeGuest guest;
  guest.result = CallEnd::kTrap;
  guest.in_stream([&guest] { write(guest, 2, "panicked"); });
  ASSERT_TRUE(guest.vm->dead());
  EXPECT_EQ(lines.with("text=panicked"), 1u);
}

TEST(VmLog, UnendedLinesAreUnderTheRateToo) {
  const LogLines lines;
  Plugin plugin;
  plugin.name = "p";
  plugin.vm.limits.max_log_lines_per_second = 1;
  FakeGuest guest(plugin);
  for (int i = 0; i < 100; ++i) guest.in_root([&guest] { write(guest, 1, "said"); });
  EXPECT_EQ(lines.with("text=said") + guest.store.counter_value("wasm.p.limit.log_lines"), 100u);
  EXPECT_GT(guest.store.counter_value("wasm.p.limit.log_lines"), 0u);
}

}  // namespace
}  // namespace weir::wasm
