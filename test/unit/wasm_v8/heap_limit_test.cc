// The isolate's own heap, which is not the guest's memory: functions that a guest takes out of a table live there.
#include <gtest/gtest.h>

#include "wasm/engine.h"

namespace weir::wasm {
namespace {

constexpr uint32_t kFunctions = 60'000;

void append_number(std::string& out, uint32_t value) {
  for (; value >= 0x80; value >>= 7) out += static_cast<char>(value | 0x80);
  out += static_cast<char>(value);
}

void append_section(std::string& out, char id, const std::string& content) {
  out += id;
  append_number(out, static_cast<uint32_t>(content.size()));
  out += content;
}

/* (module
     (table $t kFunctions funcref)
     (func (export "take_all") (local i32)
       (loop $more
         (drop (table.get $t (local.get 0)))
         (br_if $more (i32.lt_u (local.tee 0 (i32.add (local.get 0) (i32.const 1))) (i32.const kFunctions)))))
     (func (export "nothing"))  ;; and as many more
     (elem (i32.const 0) func $nothing ...)) */
std::string module_with_many_functions() {
  using namespace std::string_literals;
  std::string functions, table = "\1\x70\0"s, elements = "\1\0\x41\0\x0b"s, code;
  append_number(functions, kFunctions + 1);
  append_number(table, kFunctions);
  append_number(elements, kFunctions);
  append_number(code, kFunctions + 1);
  std::string body = "\1\1\x7f\3\x40\x20\0\x25\0\x1a\x20\0\x41\1\x6a\x22\0\x41"s;
  append_number(body, kFunctions);
  body += "\x49\x0d\0\x0b\x0b"s;
  append_number(code, static_cast<uint32_t>(body.size()));
  code += body;
  functions += '\0';
  for (uint32_t i = 1; i <= kFunctions; ++i) {
    functions += '\0';
    append_number(elements, i);
    code += "\2\0\x0b"s;
  }
  std::string out = "\0asm\1\0\0\0"s;
  append_section(out, 1, "\1\x60\0\0"s);
  append_section(out, 3, functions);
  append_section(out, 4, table);
  append_section(out, 7, "\2\x8take_all\0\0\7nothing\0\1"s);
  append_section(out, 9, elements);
  append_section(out, 10, code);
  return out;
}

class HeapLimitTest : public ::testing::Test {
 protected:
  std::unique_ptr<Instance> make(uint64_t max_heap_bytes) {
    EngineLimits limits;
    limits.max_heap_bytes = max_heap_bytes;
    auto engine = load_engine("v8");
    EXPECT_TRUE(engine);
    auto module = (*engine)->compile(module_with_many_functions(), limits);
    EXPECT_TRUE(module) << module.error().detail;
    if (!isolate_) isolate_ = (*engine)->make_isolate(limits);
    auto instance = (*engine)->make_instance(*module, isolate_);
    EXPECT_TRUE(instance);
    (*instance)->adopt_on_this_thread();
    const auto made = (*instance)->instantiate({});
    EXPECT_TRUE(made) << made.error().detail;
    return std::move(*instance);
  }
  CallEnd call(Instance& instance, std::string_view name) {
    instance.set_sequence(1);
    const CallResult result = instance.call(instance.find_function(name), {});
    crowded_ = result.crowded;
    return result.end;
  }

  std::shared_ptr<Isolate> isolate_;
  bool crowded_ = false;
};

TEST_F(HeapLimitTest, EndsTheGuestAndNotTheProcess) {
  const auto instance = make(16 * 1024 * 1024);
  EXPECT_EQ(call(*instance, "nothing"), CallEnd::kOk);
  EXPECT_FALSE(instance->out_of_memory());
  EXPECT_EQ(call(*instance, "take_all"), CallEnd::kTrap);
  EXPECT_TRUE(instance->out_of_memory());
  EXPECT_EQ(instance->last_trap(), "the engine's heap limit is reached");
}

TEST_F(HeapLimitTest, WithRoomTheSameGuestGoesOn) {
  const auto instance = make(256 * 1024 * 1024);
  EXPECT_EQ(call(*instance, "take_all"), CallEnd::kOk);
  EXPECT_FALSE(instance->out_of_memory());
  EXPECT_FALSE(crowded_);
}

TEST_F(HeapLimitTest, WhoSharesAHeapIsAskedToMoveBeforeAnybodyEnds) {
  const auto greedy = make(16 * 1024 * 1024);
  const auto modest = make(16 * 1024 * 1024);
  EXPECT_EQ(call(*greedy, "nothing"), CallEnd::kOk);
  EXPECT_FALSE(crowded_);
  EXPECT_EQ(call(*greedy, "take_all"), CallEnd::kOk);
  EXPECT_TRUE(crowded_);
  EXPECT_EQ(call(*modest, "nothing"), CallEnd::kOk);
  EXPECT_TRUE(crowded_) << "each of them hears of it";
  EXPECT_EQ(call(*modest, "take_all"), CallEnd::kTrap) << "twice the limit";
  EXPECT_TRUE(modest->out_of_memory());
  EXPECT_FALSE(greedy->out_of_memory());
  EXPECT_EQ(call(*greedy, "nothing"), CallEnd::kOk);
}

}  // namespace
}  // namespace weir::wasm
