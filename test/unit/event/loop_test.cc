#include "event/loop.h"

#include <gtest/gtest.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "event/timer_wheel.h"

namespace weir::event {
namespace {

using std::chrono::milliseconds;
using namespace std::chrono_literals;

// Runs turns until `done` or a deadline that no working loop reaches.
template <typename Done>
bool run_until(Loop& loop, Done&& done) {
  const auto deadline = std::chrono::steady_clock::now() + 10s;
  while (!done()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    loop.run_once(100ms);
  }
  return true;
}

struct Fired {
  explicit Fired(Loop& loop) : loop_(loop), timer(loop, &Fired::on_timer, this) {}
  static void on_timer(void* self) {
    auto& fired = *static_cast<Fired*>(self);
    ++fired.count;
    fired.at = fired.loop_.now();
    if (fired.again > 0ms) fired.timer.arm(fired.again);
  }
  Loop& loop_;
  Timer timer;
  int count = 0;
  MonotonicTime at{};
  milliseconds again{0};
};

TEST(Loop, TimerFiresOnceAndNotEarly) {
  Loop loop;
  Fired fired(loop);
  const auto start = loop.now();
  fired.timer.arm(20ms);
  EXPECT_TRUE(fired.timer.armed());
  ASSERT_TRUE(run_until(loop, [&fired] { return fired.count > 0; }));
  EXPECT_GE(fired.at - start, 20ms);
  EXPECT_FALSE(fired.timer.armed());
  for (int i = 0; i < 3; ++i) loop.run_once(10ms);
  EXPECT_EQ(fired.count, 1);
}

TEST(Loop, TimerArmedLaterOrEarlierOrCancelledOrRepeated) {
  Loop loop;
  Fired later(loop), earlier(loop), cancelled(loop), repeated(loop), far(loop);
  const auto start = loop.now();
  later.timer.arm(5ms);
  later.timer.arm(40ms);
  earlier.timer.arm(1h);
  earlier.timer.arm(10ms);
  cancelled.timer.arm(10ms);
  cancelled.timer.cancel();
  repeated.again = 5ms;
  repeated.timer.arm(0ms);
  far.timer.arm(100h);
  ASSERT_TRUE(run_until(loop, [&later] { return later.count > 0; }));
  EXPECT_GE(later.at - start, 40ms);
  EXPECT_EQ(earlier.count, 1);
  EXPECT_LT(earlier.at, later.at);
  EXPECT_EQ(cancelled.count, 0);
  EXPECT_EQ(far.count, 0);
  EXPECT_GE(repeated.count, 3);
  cancelled.timer.arm(5ms);
  ASSERT_TRUE(run_until(loop, [&cancelled] { return cancelled.count > 0; }));
}

TEST(Loop, TimerCallbackMayDestroyOtherTimersOfTheSameTick) {
  Loop loop;
  struct Group {
    std::vector<std::unique_ptr<Fired>> victims;
    int count = 0;
    static void on_timer(void* self) {
      auto& group = *static_cast<Group*>(self);
      ++group.count;
      group.victims.clear();
    }
  } group;
  Timer first(loop, &Group::on_timer, &group);
  Timer second(loop, &Group::on_timer, &group);
  first.arm(10ms);
  for (int i = 0; i < 10; ++i) {
    group.victims.push_back(std::make_unique<Fired>(loop));
    group.victims.back()->timer.arm(10ms);
  }
  second.arm(10ms);
  ASSERT_TRUE(run_until(loop, [&group] { return group.count == 2; }));
}

// The wheel alone, over simulated time.
struct WheelTimer {
  WheelTimer(Loop& loop, TimerWheel& wheel)
      : wheel(wheel), timer(loop, &WheelTimer::on_timer, this) {}
  static void on_timer(void* self) {
    auto& timer = *static_cast<WheelTimer*>(self);
    timer.fired_at = timer.wheel.tick();
  }
  TimerWheel& wheel;
  Timer timer;
  uint64_t fired_at = 0;
};

TEST(TimerWheel, FiresAtTheExactTickOnEveryLevel) {
  Loop loop;
  for (const uint64_t start :
       {0ull, 1ull, 255ull, 256ull, 16383ull, 16384ull, 99999ull, (1ull << 20) - 1, 1ull << 26}) {
    for (const uint64_t delay : {1ull, 2ull, 254ull, 255ull, 256ull, 257ull, 511ull, 16127ull,
                                 16383ull, 16384ull, 16385ull, 1000000ull, (1ull << 20) - 1,
                                 1ull << 20, (1ull << 26) - 1, 1ull << 26, 1ull << 30}) {
      const auto wheel = std::make_unique<TimerWheel>();
      wheel->advance(start);
      WheelTimer timer(loop, *wheel);
      wheel->arm(timer.timer, start + delay);
      // By its own account of what is next, as the loop does, and never past it.
      int steps = 0;
      while (timer.fired_at == 0 && ++steps < 200) wheel->advance(wheel->next_tick());
      ASSERT_EQ(timer.fired_at, start + delay) << start << " + " << delay;
      ASSERT_EQ(wheel->next_tick(), TimerWheel::kNever);
      // In one leap over the deadline.
      WheelTimer leap(loop, *wheel);
      const uint64_t now = wheel->tick();
      wheel->arm(leap.timer, now + delay);
      wheel->advance(now + delay - 1);
      ASSERT_EQ(leap.fired_at, 0u);
      wheel->advance(now + delay + 100000);
      ASSERT_EQ(leap.fired_at, now + delay);
      ASSERT_EQ(wheel->tick(), now + delay + 100000);
    }
  }
}

TEST(TimerWheel, AgreesWithASortedListUnderRandomUse) {
  Loop loop;
  TimerWheel wheel;
  std::mt19937 random(7);
  std::vector<std::unique_ptr<WheelTimer>> timers;
  std::vector<uint64_t> due;  // 0: not armed
  for (int i = 0; i < 50; ++i) {
    timers.push_back(std::make_unique<WheelTimer>(loop, wheel));
    due.push_back(0);
  }
  for (int step = 0; step < 20000; ++step) {
    const size_t i = random() % timers.size();
    const uint64_t range = 1ull << (random() % 21);
    if (random() % 4 == 0) {
      timers[i]->timer.cancel();
      due[i] = 0;
    } else {
      due[i] = wheel.tick() + 1 + random() % range;
      timers[i]->fired_at = 0;
      wheel.arm(timers[i]->timer, due[i]);
    }
    if (random() % 3 == 0) wheel.advance(wheel.tick() + random() % range);
    for (size_t k = 0; k < timers.size(); ++k) {
      ASSERT_EQ(timers[k]->timer.armed(), due[k] > wheel.tick()) << "step " << step;
      if (due[k] != 0 && due[k] <= wheel.tick()) {
        ASSERT_EQ(timers[k]->fired_at, due[k]);
        due[k] = 0;
      }
    }
  }
  for (auto& timer : timers) timer->timer.cancel();
  wheel.advance(wheel.tick() + (1ull << 27));  // unlinks what was cancelled
  ASSERT_EQ(wheel.next_tick(), TimerWheel::kNever);
}

TEST(Loop, PostsRunInOrderFromManyThreads) {
  Loop loop;
  std::array<std::vector<int>, 4> seen;
  std::atomic<int> total{0};
  std::vector<std::thread> threads;
  for (size_t t = 0; t < seen.size(); ++t) {
    threads.emplace_back([&loop, &seen, &total, t] {
      for (int i = 0; i < 1000; ++i) {
        loop.post([&seen, &total, t, i] {
          seen[t].push_back(i);
          total.fetch_add(1);
        });
      }
    });
  }
  EXPECT_TRUE(run_until(loop, [&total] { return total.load() == 4000; }));
  for (auto& thread : threads) thread.join();
  for (const auto& numbers : seen) EXPECT_TRUE(std::is_sorted(numbers.begin(), numbers.end()));
}

TEST(Loop, PostWakesALoopThatRunsElsewhereAndStopEndsIt) {
  Loop loop;
  std::atomic<std::thread::id> inside{};
  // Posted before the thread runs, by the thread that made the loop.
  loop.post([&inside] { inside = std::this_thread::get_id(); });
  std::thread thread([&loop] { loop.run(); });
  std::atomic<int> count{0};
  for (int i = 0; i < 100; ++i) {
    loop.post([&count] { count.fetch_add(1); });
    while (count.load() <= i) std::this_thread::yield();
  }
  EXPECT_EQ(inside.load(), thread.get_id());
  loop.stop();
  thread.join();
}

TEST(Loop, TaskThatWasNotRunIsDestroyed) {
  auto token = std::make_shared<int>(1);
  {
    Loop loop;
    loop.post([token] { FAIL() << "must not run"; });
    EXPECT_EQ(token.use_count(), 2);
  }
  EXPECT_EQ(token.use_count(), 1);
}

TEST(Loop, TurnRunsPostsThenTimersThenEndOfTurnThenDeletions) {
  Loop loop;
  struct Trace : Deferrable {
    explicit Trace(std::string& log) : log_(log) {}
    ~Trace() override { log_ += 'D'; }
    std::string& log_;
  };
  struct Scene {
    Loop& loop;
    std::string log{};
    EndOfTurn end{loop, [](void* self) { static_cast<Scene*>(self)->at_end(); }, this};
    Timer timer{loop, [](void* self) { static_cast<Scene*>(self)->log += 'T'; }, this};
    int ends = 0;
    void at_end() {
      log += 'E';
      loop.defer_delete(std::make_unique<Trace>(log));
      if (++ends < 3) end.schedule();
    }
  } scene{loop};
  scene.timer.arm(0ms);
  loop.run_once(20ms);
  while (scene.log.empty()) loop.run_once(20ms);
  EXPECT_EQ(scene.log, "T");
  scene.log.clear();
  loop.post([&scene] {
    scene.log += 'P';
    scene.end.schedule();
    scene.end.schedule();
  });
  loop.run_once(1h);  // does not wait: there is work
  EXPECT_EQ(scene.log, "PEEEDDD");
}

// What has arrived in time is not too late because the thread was busy meanwhile.
TEST(Loop, WorkOfFdCallbacksComesBeforeTimers) {
  Loop loop;
  struct Scene {
    std::string log{};
    EndOfTurn* end = nullptr;
  } scene;
  EndOfTurn end(
      loop, [](void* self) { static_cast<Scene*>(self)->log += 'E'; }, &scene);
  scene.end = &end;
  Timer timer(
      loop, [](void* self) { static_cast<Scene*>(self)->log += 'T'; }, &scene);
  const int fd = ::eventfd(1, EFD_NONBLOCK | EFD_CLOEXEC);
  ASSERT_GE(fd, 0);
  FdWatch watch(
      loop, [](void* self, unsigned) { static_cast<Scene*>(self)->end->schedule(); }, &scene);
  watch.attach(fd);
  timer.arm(0ms);
  watch.want(FdWatch::kRead);
  while (scene.log.find('T') == std::string::npos) loop.run_once(20ms);
  EXPECT_EQ(scene.log.substr(scene.log.find('T') - 1), "ET");
  watch.disarm();
  ::close(fd);
}

TEST(Loop, DestroyedEndOfTurnIsForgotten) {
  Loop loop;
  int count = 0;
  const auto bump = [](void* n) { ++*static_cast<int*>(n); };
  EndOfTurn first(loop, bump, &count);
  auto second = std::make_unique<EndOfTurn>(loop, bump, &count);
  EndOfTurn third(loop, bump, &count);
  first.schedule();
  second->schedule();
  third.schedule();
  second.reset();
  loop.run_once(0ms);
  EXPECT_EQ(count, 2);
  EXPECT_FALSE(first.scheduled());
}

TEST(Loop, EndlessEndOfTurnWorkDoesNotStarveTheLoop) {
  Loop loop;
  struct Endless {
    explicit Endless(Loop& loop)
        : end(
              loop, [](void* self) { static_cast<Endless*>(self)->end.schedule(); }, this) {}
    EndOfTurn end;
  } endless(loop);
  endless.end.schedule();
  bool posted = false;
  loop.post([&posted] { posted = true; });
  loop.run_once(1h);
  loop.run_once(1h);
  EXPECT_TRUE(posted);
}

struct Sockets {
  Sockets() { EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd), 0); }
  ~Sockets() {
    ::close(fd[0]);
    ::close(fd[1]);
  }
  int fd[2] = {-1, -1};
};

TEST(FdWatch, ReportsWhatIsWanted) {
  Loop loop;
  Sockets pair;
  unsigned seen = 0;
  FdWatch watch(
      loop,
      [](void* seen_events, unsigned events) { *static_cast<unsigned*>(seen_events) |= events; },
      &seen);
  watch.attach(pair.fd[0]);
  watch.want(FdWatch::kRead);
  loop.run_once(0ms);
  EXPECT_EQ(seen, 0u);
  ASSERT_EQ(::write(pair.fd[1], "x", 1), 1);
  loop.run_once(1s);
  EXPECT_EQ(seen, FdWatch::kRead);
  seen = 0;
  watch.want(FdWatch::kWrite);
  loop.run_once(1s);
  EXPECT_EQ(seen, FdWatch::kWrite);
  seen = 0;
  watch.want(FdWatch::kRead | FdWatch::kWrite);
  loop.run_once(1s);
  EXPECT_EQ(seen, FdWatch::kRead | FdWatch::kWrite);
  seen = 0;
  watch.want(0);
  loop.run_once(0ms);
  EXPECT_EQ(seen, 0u);
  watch.disarm();
}

TEST(FdWatch, MayHastenTheEndOfTheTurn) {
  struct Scene {
    explicit Scene(Loop& loop_of)
        : loop(loop_of),
          end(
              loop_of, [](void* self) { static_cast<Scene*>(self)->log += 'E'; }, this) {}
    static void on_event(void* self, unsigned) {
      auto& scene = *static_cast<Scene*>(self);
      scene.log += 'F';
      scene.end.schedule();
      if (scene.hasty) scene.loop.hasten_end_of_turn();
    }
    Loop& loop;
    EndOfTurn end;
    std::string log{};
    bool hasty = false;
  };
  Loop loop;
  Scene scene(loop);
  Sockets one, two;
  FdWatch first(loop, &Scene::on_event, &scene), second(loop, &Scene::on_event, &scene);
  first.attach(one.fd[0]);
  second.attach(two.fd[0]);
  first.want(FdWatch::kWrite);
  second.want(FdWatch::kWrite);
  loop.run_once(1s);
  EXPECT_EQ(scene.log, "FFE");
  scene.log.clear();
  scene.hasty = true;
  loop.run_once(1s);
  EXPECT_EQ(scene.log, "FEFE");
}

TEST(FdWatch, MayBeDestroyedByAnotherCallbackOfTheSameTurn) {
  Loop loop;
  Sockets one, two;
  struct Both {
    std::unique_ptr<FdWatch> watches[2];
    int calls = 0;
    static void on_event(void* self, unsigned) {
      auto& both = *static_cast<Both*>(self);
      ++both.calls;
      both.watches[0].reset();
      both.watches[1].reset();
    }
  } both;
  int i = 0;
  for (Sockets* pair : {&one, &two}) {
    both.watches[i] = std::make_unique<FdWatch>(loop, &Both::on_event, &both);
    both.watches[i]->attach(pair->fd[0]);
    both.watches[i]->want(FdWatch::kRead | FdWatch::kWrite);
    ++i;
  }
  loop.run_once(1s);
  loop.run_once(0ms);
  EXPECT_EQ(both.calls, 1);
}

TEST(Loop, ClockMovesWithTheTurns) {
  Loop loop;
  const auto before = loop.now();
  Fired fired(loop);
  fired.timer.arm(10ms);
  ASSERT_TRUE(run_until(loop, [&fired] { return fired.count > 0; }));
  EXPECT_GE(loop.now() - before, 10ms);
  const auto difference = std::chrono::system_clock::now() - loop.system_now();
  EXPECT_LT(std::chrono::abs(difference), 1s);
}

}  // namespace
}  // namespace weir::event
