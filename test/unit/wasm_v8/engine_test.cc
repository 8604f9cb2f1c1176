// Exercises libweir_v8.so through its only symbol, on a module of a few instructions.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <thread>

#include "unit/wasm_v8/engine_fixture.h"

namespace weir::wasm {
namespace {

TEST_F(V8EngineTest, ReadsSignaturesOfImportsAndExports) {
  ASSERT_EQ(module_->imports().size(), 2u);
  EXPECT_EQ(module_->imports()[0].name, "host");
  EXPECT_EQ(module_->imports()[0].signature.params,
            (std::vector<ValueType>{ValueType::kI32, ValueType::kI64, ValueType::kI32}));
  EXPECT_EQ(module_->exports()[1].name, "add");
}

TEST_F(V8EngineTest, CallsAnExport) {
  const CallResult sum = call("add", {2, static_cast<Value>(-5)});
  EXPECT_EQ(sum.end, CallEnd::kOk);
  EXPECT_EQ(static_cast<int32_t>(sum.value), -3);
  EXPECT_EQ(call("identity64", {0x8000000000000001}).value, 0x8000000000000001);
  EXPECT_EQ(instance_->find_function("nothing"), kNoFunction);
}

TEST_F(V8EngineTest, HostFunctionSeesEveryKindOfArgument) {
  EXPECT_EQ(call("call_host", {9}).value, 42u);
  ASSERT_EQ(seen_.args.size(), 3u);
  EXPECT_EQ(static_cast<int32_t>(seen_.args[0]), 9);
  EXPECT_EQ(seen_.args[1], 0x1122334455667788u);
  EXPECT_EQ(static_cast<int32_t>(seen_.args[2]), -7);
}

TEST_F(V8EngineTest, HostFunctionMayCallTheGuest) {
  seen_.nested = instance_->find_function("add");
  EXPECT_EQ(call("call_host", {9}).value, 42u);
}

TEST_F(V8EngineTest, TrapNamesTheFunctions) {
  EXPECT_EQ(call("trap").end, CallEnd::kTrap);
  EXPECT_NE(instance_->last_trap().find("unreachable"), std::string::npos);
  EXPECT_NE(instance_->last_trap().find("inner"), std::string::npos) << instance_->last_trap();
}

TEST_F(V8EngineTest, JoinedFunctionsRunInOrderWithTheirArguments) {
  const JointStep steps[] = {{instance_->find_function("call_host"), {1}},
                             {instance_->find_function("add"), {0, 2}}};
  auto joint = instance_->join(steps);
  ASSERT_TRUE(joint) << joint.error().detail;
  instance_->set_sequence(++sequence_);
  const Value args[] = {3, 9, 4};
  const CallResult result = instance_->call(*joint, args);
  EXPECT_EQ(result.end, CallEnd::kOk);
  EXPECT_EQ(result.value, 7u);
  ASSERT_EQ(seen_.args.size(), 3u);
  EXPECT_EQ(seen_.args[0], 9u);
  EXPECT_EQ(instance_->step_of(*joint), 1u);
}

TEST_F(V8EngineTest, AJointCallEndsAtTheStepThatFails) {
  const FunctionHandle add = instance_->find_function("add");
  const FunctionHandle host = instance_->find_function("call_host");
  const JointStep first[] = {{instance_->find_function("trap"), {}}, {host, {0}}};
  const JointStep last[] = {{add, {0, 1}}, {host, {0}}, {instance_->find_function("trap"), {}}};
  const JointStep exit[] = {{add, {0, 1}}, {instance_->find_function("exit"), {}}, {host, {0}}};
  const Value args[] = {1, 2};
  const auto run = [this, &args](std::span<const JointStep> steps, unsigned& step) {
    seen_.args.clear();
    auto joint = instance_->join(steps);
    EXPECT_TRUE(joint);
    instance_->set_sequence(++sequence_);
    const CallEnd end = instance_->call(*joint, args).end;
    step = instance_->step_of(*joint);
    return end;
  };
  unsigned step = 9;
  EXPECT_EQ(run(first, step), CallEnd::kTrap);
  EXPECT_EQ(step, 0u);
  EXPECT_TRUE(seen_.args.empty());
  EXPECT_EQ(run(last, step), CallEnd::kTrap);
  EXPECT_EQ(step, 2u);
  EXPECT_EQ(seen_.args.size(), 3u);
  EXPECT_NE(instance_->last_trap().find("inner"), std::string::npos) << instance_->last_trap();
  EXPECT_EQ(run(exit, step), CallEnd::kExit);
  EXPECT_EQ(step, 1u);
  EXPECT_EQ(call("add", {1, 1}).value, 2u);
}

TEST_F(V8EngineTest, OutOfBoundsAndRecursionAreTraps) {
  EXPECT_EQ(call("out_of_bounds").end, CallEnd::kTrap);
  EXPECT_EQ(call("recurse", {0}).end, CallEnd::kTrap);
  EXPECT_EQ(call("add", {1, 1}).value, 2u);
}

TEST_F(V8EngineTest, ExitUnwindsTheGuest) {
  EXPECT_EQ(call("exit").end, CallEnd::kExit);
  EXPECT_EQ(call("add", {1, 1}).end, CallEnd::kOk);
}

TEST_F(V8EngineTest, MemoryIsSeenAfterGrowth) {
  EXPECT_EQ(instance_->memory().size(), 65536u);
  EXPECT_EQ(call("grow", {3}).value, 1u);
  EXPECT_EQ(instance_->memory().size(), 4 * 65536u);
  instance_->memory()[4 * 65536 - 1] = 1;
}

TEST_F(V8EngineTest, TerminatesTheCallThatIsMeant) {
  std::thread watchdog([this] { instance_->terminate(1); });
  const CallResult ended = call("loop_for_ever");
  watchdog.join();
  EXPECT_EQ(ended.end, CallEnd::kTerminated);
}

TEST_F(V8EngineTest, LateTerminationHitsNobody) {
  EXPECT_EQ(call("add", {1, 1}).end, CallEnd::kOk);
  instance_->terminate(1);
  EXPECT_EQ(call("add", {1, 1}).end, CallEnd::kOk);
  EXPECT_EQ(call("grow", {1}).end, CallEnd::kOk);
}

TEST_F(V8EngineTest, MovesBetweenThreads) {
  instance_->release_from_this_thread();
  std::thread worker([this] {
    instance_->adopt_on_this_thread();
    EXPECT_EQ(call("add", {2, 3}).value, 5u);
    instance_->release_from_this_thread();
  });
  worker.join();
}

TEST_F(V8EngineTest, LowersTheMaximaOfMemoryAndTables) {
  limits_.max_memory_bytes = 2 * 65536;
  limits_.max_table_elements = 10;
  auto module = engine_->compile(module_bytes(), limits_);
  ASSERT_TRUE(module);
  auto instance = engine_->make_instance(*module, engine_->make_isolate(limits_));
  (*instance)->adopt_on_this_thread();
  const Binding bindings[] = {{&host, &seen_}, {&bye, &seen_}};
  ASSERT_TRUE((*instance)->instantiate(bindings));
  const Value two[] = {2};
  EXPECT_EQ(static_cast<int32_t>((*instance)->call((*instance)->find_function("grow"), two).value),
            -1);
  const Value ten[] = {10};
  EXPECT_EQ(
      static_cast<int32_t>((*instance)->call((*instance)->find_function("grow_table"), ten).value),
      -1);
}

TEST_F(V8EngineTest, RefusesAModuleThatNeedsTooMuch) {
  limits_.max_memory_bytes = 65535;
  auto module = engine_->compile(module_bytes(), limits_);
  ASSERT_FALSE(module);
  EXPECT_NE(module.error().detail.find("at start"), std::string::npos) << module.error().detail;
}

TEST_F(V8EngineTest, EveryTruncationIsAnError) {
  for (size_t size = 0; size < module_bytes().size(); size += 3) {
    auto module = engine_->compile(module_bytes().substr(0, size), limits_);
    // A cut at a section border leaves a module without functions for its bodies: the engine refuses that too.
    if (!module) continue;
    EXPECT_TRUE((*module)->exports().empty() || size > 200) << size;
  }
}

// ---- modules that mean harm -------------------------------------------------------------------------

std::string leb(uint64_t value) {
  std::string out;
  for (; value >= 0x80; value >>= 7) out += static_cast<char>(0x80 | (value & 0x7f));
  return out + static_cast<char>(value);
}

std::string section(int id, const std::string& body) {
  return static_cast<char>(id) + leb(body.size()) + body;
}

std::string repeated(size_t count, std::string_view piece) {
  std::string out;
  for (size_t i = 0; i < count; ++i) out += piece;
  return out;
}

enum SectionId {
  kTypeSection = 1,
  kImportSection,
  kFunctionSection,
  kTableSection,
  kMemorySection
};
constexpr int kExportSection = 7, kCodeSection = 10, kDataSection = 11;
const std::string kHeader("\0asm\1\0\0\0", 8);
const std::string kOneType = section(kTypeSection, std::string("\1\x60\0\0", 4));

/// One function with the instructions, which has no parameters and no results.
std::string module_of(const std::string& instructions) {
  const std::string body = std::string("\0", 1) + instructions + "\x0b";
  return kHeader + kOneType + section(kFunctionSection, std::string("\1\0", 2)) +
         section(kCodeSection, "\1" + leb(body.size()) + body);
}

class HostileModuleTest : public V8EngineTest {
 protected:
  /// Why it is refused; empty: it is not.
  std::string refusal(const std::string& module) {
    const auto compiled = engine_->compile(module, limits_);
    return compiled ? std::string() : compiled.error().detail;
  }
  /// Also where the module has no bodies for them, or has them in two sections.
  void expect_refused(int id, uint64_t count, const std::string& entry, std::string_view why) {
    const std::string bare = refusal(kHeader + section(id, leb(count + 1)));
    EXPECT_NE(bare.find(why), std::string::npos) << bare;
    const std::string half = section(id, leb(count / 2 + 1) + repeated(count / 2 + 1, entry));
    const std::string twice = refusal(kHeader + half + half);
    EXPECT_NE(twice.find(why), std::string::npos) << twice;
  }
};

TEST_F(HostileModuleTest, CountsAreBoundedBeforeAnythingIsKept) {
  expect_refused(kTypeSection, 1'000'000, std::string("\x60\0\0", 3), "1000000 types");
  expect_refused(kImportSection, 100'000, std::string("\0\0\0\0", 4), "100000 imports");
  expect_refused(kFunctionSection, limits_.max_functions, std::string("\0", 1), "functions");
  expect_refused(kExportSection, 100'000, std::string("\0\0\0", 3), "100000 exports");
  for (const uint64_t count : {uint64_t{UINT32_MAX}, uint64_t{UINT64_MAX}})
    for (const int id : {1, 2, 3, 7})
      EXPECT_NE(refusal(kHeader + section(id, leb(count))), "") << id;
  const std::string wide = "\1\x60" + leb(UINT32_MAX);
  EXPECT_NE(refusal(kHeader + section(kTypeSection, wide)).find("parameters"), std::string::npos);
}

TEST_F(HostileModuleTest, AMillionFunctionsAreTooMany) {
  constexpr size_t kMany = 1'000'000;
  const std::string module =
      kHeader + kOneType + section(kFunctionSection, leb(kMany) + std::string(kMany, '\0')) +
      section(kCodeSection, leb(kMany) + repeated(kMany, std::string("\2\0\x0b", 3)));
  EXPECT_NE(refusal(module).find("functions"), std::string::npos);
}

TEST_F(HostileModuleTest, TablesAndMemoriesOfAllThereIs) {
  const std::string table = std::string("\1\x70\0", 3) + leb(UINT32_MAX);
  EXPECT_NE(refusal(kHeader + section(kTableSection, table)).find("table"), std::string::npos);
  const std::string memory = std::string("\1\0", 2) + leb(65536);
  EXPECT_NE(refusal(kHeader + section(kMemorySection, memory)).find("memory"), std::string::npos);
}

TEST_F(HostileModuleTest, ManyTablesAreBoundedTogether) {
  const std::string half = std::string("\x70\0", 2) + leb(limits_.max_table_elements / 2);
  EXPECT_EQ(refusal(kHeader + section(kTableSection, leb(2) + repeated(2, half))), "");
  const std::string three = refusal(kHeader + section(kTableSection, leb(3) + repeated(3, half)));
  EXPECT_NE(three.find("of all tables"), std::string::npos) << three;
  const std::string empty("\x70\0\0", 3);
  const std::string many = kHeader + section(kTableSection, leb(1001) + repeated(1001, empty));
  EXPECT_NE(refusal(many).find("1000 tables"), std::string::npos) << refusal(many);
}

// The engine makes a stack in its heap, of the names of ten frames: this one would not fit.
TEST_F(HostileModuleTest, LongNamesOfFunctionsDoNotFillTheHeap) {
  const size_t own_names =
      module_bytes().rfind("\4name") - 2;  // at the module's end, behind a number and a size
  const std::string name(30'000'000, 'n');
  const std::string names =
      leb(2) + leb(8) + leb(name.size()) + name + leb(9) + leb(name.size()) + name;
  const std::string module(module_bytes().substr(0, own_names));
  const auto compiled =
      engine_->compile(module + section(0, "\4name\1" + leb(names.size()) + names), limits_);
  ASSERT_TRUE(compiled) << compiled.error().detail;
  instance_ = *engine_->make_instance(*compiled, engine_->make_isolate(limits_));
  instance_->adopt_on_this_thread();
  seen_.instance = instance_.get();
  const Binding bindings[] = {{&host, &seen_}, {&bye, &seen_}};
  ASSERT_TRUE(instance_->instantiate(bindings));
  for (const auto& [function, end] :
       {std::pair("recurse", CallEnd::kTrap), {"exit", CallEnd::kExit}}) {
    EXPECT_EQ(call(function, {0}).end, end) << function;
    EXPECT_NE(instance_->last_trap().find(std::string(500, 'n')), std::string::npos) << function;
  }
}

// The engine takes imports from objects of its own language, where some names mean something.
TEST_F(HostileModuleTest, NamesOfImportsAreNamesAndNothingElse) {
  constexpr std::pair<std::string_view, std::string_view> kNames[] = {
      {"env", "__proto__"},         {"env", "caller"},          {"__proto__", "prepareStackTrace"},
      {"__proto__", "__proto__"},   {"__proto__", "toString"},  {"constructor", "prototype"},
      {"prototype", "constructor"}, {"env", "__defineGetter__"}};
  std::string imports = leb(std::size(kNames));
  for (const auto& [space, name] : kNames)
    imports += leb(space.size()) + std::string(space) + leb(name.size()) + std::string(name) +
               std::string("\0\0", 2);
  const auto hostile =
      engine_->compile(kHeader + kOneType + section(kImportSection, imports), limits_);
  ASSERT_TRUE(hostile) << hostile.error().detail;
  const std::shared_ptr<Isolate> isolate = engine_->make_isolate(limits_);
  auto spy = *engine_->make_instance(*hostile, isolate);
  spy->adopt_on_this_thread();
  Seen seen;
  seen.instance = spy.get();
  const std::vector<Binding> bindings(std::size(kNames), Binding{&host, &seen});
  const auto made = spy->instantiate(bindings);
  EXPECT_TRUE(made) << made.error().detail;

  auto neighbour = *engine_->make_instance(module_, isolate);
  neighbour->adopt_on_this_thread();
  const Binding own[] = {{&host, &seen_}, {&bye, &seen_}};
  ASSERT_TRUE(neighbour->instantiate(own));
  seen.args = {1};
  EXPECT_EQ(neighbour->call(neighbour->find_function("trap"), {}).end, CallEnd::kTrap);
  EXPECT_NE(neighbour->last_trap().find("inner"), std::string::npos) << neighbour->last_trap();
  EXPECT_EQ(seen.args, std::vector<Value>{1}) << "the spy's function was called";
}

TEST_F(HostileModuleTest, AnImportHasOneSignature) {
  const std::string types = section(kTypeSection, std::string("\2\x60\1\x7f\0\x60\1\x7e\0", 9));
  const auto imports = [](char first, char second) {
    return section(kImportSection,
                   std::string("\2\1e\1f\0", 6) + first + std::string("\1e\1f\0", 5) + second);
  };
  EXPECT_EQ(refusal(kHeader + types + imports(1, 1)), "");
  const std::string why = refusal(kHeader + types + imports(0, 1));
  EXPECT_NE(why.find("import e.f has two signatures"), std::string::npos) << why;
}

// (func (export "stubborn") (try (do (call $bye (i32.const 3))) (catch_all (loop $again (br $again)))))
TEST_F(HostileModuleTest, AGuestThatCatchesItsEndEndsAllTheSame) {
  const std::string body("\0\x06\x40\x41\3\x10\0\x19\x03\x40\x0c\0\x0b\x0b\x0b", 15);
  const std::string module = kHeader +
                             section(kTypeSection, std::string("\2\x60\1\x7f\0\x60\0\0", 8)) +
                             section(kImportSection, std::string("\1\3env\3bye\0\0", 11)) +
                             section(kFunctionSection, "\1\1") +
                             section(kExportSection, std::string("\1\x8stubborn\0\1", 12)) +
                             section(kCodeSection, "\1" + leb(body.size()) + body);
  const auto compiled = engine_->compile(module, limits_);
  ASSERT_TRUE(compiled) << compiled.error().detail;
  auto guest = *engine_->make_instance(*compiled, engine_->make_isolate(limits_));
  guest->adopt_on_this_thread();
  Seen seen;
  seen.instance = guest.get();
  const Binding bindings[] = {{&bye, &seen}};
  ASSERT_TRUE(guest->instantiate(bindings));
  EXPECT_EQ(guest->call(guest->find_function("stubborn"), {}).end, CallEnd::kExit);
  EXPECT_EQ(guest->call(guest->find_function("stubborn"), {}).end, CallEnd::kExit);
}

TEST_F(HostileModuleTest, LargerThanTheLimit) {
  std::string module = kHeader;
  module.resize(limits_.max_module_bytes + 1);
  EXPECT_NE(refusal(module).find("larger than"), std::string::npos);
}

TEST_F(HostileModuleTest, DataThatIsNotThereOrHasNoPlace) {
  const std::string memory = section(kMemorySection, std::string("\1\0\1", 3));
  const auto data = [](const std::string& offset, uint64_t size) {
    return std::string("\1\0\x41", 3) + offset + "\x0b" + leb(size) + "bytes";
  };
  EXPECT_NE(refusal(kHeader + memory + section(kDataSection, data("\1", 1u << 30))), "");
  const auto far =
      engine_->compile(kHeader + memory + section(kDataSection, data(leb(1u << 29), 5)), limits_);
  ASSERT_TRUE(far) << far.error().detail;
  auto instance = engine_->make_instance(*far, engine_->make_isolate(limits_));
  ASSERT_TRUE(instance);
  (*instance)->adopt_on_this_thread();
  EXPECT_FALSE((*instance)->instantiate({}));
}

// Whether it takes them is the engine's matter; that it lives is ours.
TEST_F(HostileModuleTest, DeepBlocksAndWideBranchesAreSurvived) {
  constexpr size_t kDeep = 200'000;
  refusal(module_of(repeated(kDeep, "\x02\x40") + std::string(kDeep, '\x0b')));
  for (const size_t targets : {size_t{60'000}, size_t{70'000}, size_t{UINT32_MAX}}) {
    const size_t written = std::min<size_t>(targets, 70'000);
    refusal(module_of("\x02\x40" + std::string("\x41\0\x0e", 3) + leb(targets) +
                      std::string(written + 1, '\0') + "\x0b"));
  }
  EXPECT_EQ(call("add", {2, 3}).value, 5u);
}

}  // namespace
}  // namespace weir::wasm
