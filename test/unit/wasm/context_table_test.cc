#include "wasm/context.h"

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <random>
#include <vector>

namespace weir::wasm {
namespace {

struct Stream final : Context {
  Stream() noexcept : Context(Kind::kStream) {}
};

TEST(ContextTable, IdsGrowAndBelongToOneContext) {
  ContextTable table;
  Stream first, second;
  EXPECT_EQ(table.add(first), 1u);
  EXPECT_EQ(table.add(second), 2u);
  EXPECT_EQ(first.id, 1u);
  EXPECT_EQ(table.find(1), &first);
  EXPECT_EQ(table.find(2), &second);
  EXPECT_EQ(table.size(), 2u);
  table.remove(1);
  EXPECT_EQ(table.find(1), nullptr);
  Stream third;
  EXPECT_EQ(table.add(third), 3u) << "a number that was used means nobody else";
}

TEST(ContextTable, UnknownIdsAreNobody) {
  ContextTable table;
  Stream stream;
  table.add(stream);
  EXPECT_EQ(table.find(0), nullptr);
  EXPECT_EQ(table.find(65), nullptr) << "the same place in a table of 64";
  table.remove(65);
  table.remove(7);
  EXPECT_EQ(table.find(1), &stream);
  EXPECT_EQ(table.size(), 1u);
}

// Entries that were pushed on by a collision move up when the one before them goes.
TEST(ContextTable, RemovalLeavesNoHoleInAChain) {
  for (const uint32_t home : {1u, 62u, 63u}) {  // also across the end of the table
    ContextTable table;
    Stream first, second, third, fourth;
    table.count_from(home - 1);
    table.add(first);
    table.count_from(home + 64 - 1);
    table.add(second);  // stands one behind its place
    table.add(third);   // whose own place that is
    table.count_from(home + 128 - 1);
    table.add(fourth);
    table.remove(first.id);
    for (Stream* each : {&second, &third, &fourth}) EXPECT_EQ(table.find(each->id), each) << home;
    table.remove(third.id);
    EXPECT_EQ(table.find(second.id), &second) << home;
    EXPECT_EQ(table.find(fourth.id), &fourth) << home;
    EXPECT_EQ(table.find(third.id), nullptr) << home;
  }
}

TEST(ContextTable, AnswersAsAMapDoes) {
  ContextTable table;
  std::map<uint32_t, std::unique_ptr<Stream>> model;
  std::minstd_rand random(7);
  for (int step = 0; step < 20000; ++step) {
    const bool grow = model.size() < 2 || (model.size() < 300 && random() % 100 < 51);
    if (grow) {
      auto stream = std::make_unique<Stream>();
      const uint32_t id = table.add(*stream);
      if (step % 50 == 0) table.count_from(id + random() % 5000);
      model[id] = std::move(stream);
    } else {
      auto victim = model.begin();
      std::advance(victim, random() % model.size());
      table.remove(victim->first);
      ASSERT_EQ(table.find(victim->first), nullptr);
      model.erase(victim);
    }
    ASSERT_EQ(table.size(), model.size());
    if (step % 16 != 0) continue;
    for (const auto& [id, stream] : model) ASSERT_EQ(table.find(id), stream.get()) << step;
  }
}

TEST(ContextTable, NumbersBeginAgainWithoutZeroAndWithoutThoseInUse) {
  ContextTable table;
  Stream old_one, old_two, last, fresh;
  table.add(old_one);
  table.add(old_two);
  table.count_from(UINT32_MAX - 1);
  EXPECT_EQ(table.add(last), UINT32_MAX);
  EXPECT_EQ(table.add(fresh), 3u);
  EXPECT_EQ(table.find(1), &old_one);
  EXPECT_EQ(table.find(2), &old_two);
  EXPECT_EQ(table.find(UINT32_MAX), &last);
}

}  // namespace
}  // namespace weir::wasm
