#include "server/file_watcher.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <sstream>

namespace weir::server {
namespace {

using namespace std::chrono_literals;
namespace fs = std::filesystem;

constexpr auto kDebounce = 40ms;
constexpr auto kNoPolls = 1h;

std::string content(const std::string& path) {
  std::ifstream in(path);
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

/// A descriptor that is open for writing.
struct Writer {
  explicit Writer(const std::string& path)
      : fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600)) {}
  ~Writer() { close(); }
  void write(std::string_view text) const {
    ASSERT_EQ(::write(fd, text.data(), text.size()), static_cast<ssize_t>(text.size()));
  }
  void close() {
    if (fd >= 0) ::close(fd);
    fd = -1;
  }
  int fd;
};

/// A watcher of one file that keeps what the file held at each call.
struct Watched {
  Watched(event::Loop& loop, const std::string& file,
          std::chrono::milliseconds debounce = kDebounce,
          std::chrono::milliseconds poll_interval = kNoPolls)
      : path(file), watcher(loop, &Watched::on_change, this) {
    watcher.set_debounce(debounce);
    watcher.set_poll_interval(poll_interval);
    watcher.watch({path});
  }
  static void on_change(void* self) {
    auto& watched = *static_cast<Watched*>(self);
    watched.seen.push_back(content(watched.path));
    watched.watcher.watch({watched.path});  // as a reload does
    if (watched.then) watched.then();
  }
  std::string path;
  std::vector<std::string> seen;
  std::function<void()> then;
  FileWatcher watcher;
};

class FileWatcherTest : public ::testing::Test {
 protected:
  FileWatcherTest() {
    char name[] = "/tmp/weir_watch_XXXXXX";
    folder_ = ::mkdtemp(name);
    write("file", "old");
  }
  ~FileWatcherTest() override { fs::remove_all(folder_); }
  std::string path(const std::string& name) const { return folder_ + "/" + name; }
  void write(const std::string& name, std::string_view text) const {
    Writer(path(name)).write(text);
  }
  void rename(const std::string& from, const std::string& to) const {
    fs::rename(path(from), path(to));
  }
  bool run_until(const std::function<bool()>& done) {
    const auto deadline = std::chrono::steady_clock::now() + 10s;
    while (!done()) {
      if (std::chrono::steady_clock::now() > deadline) return false;
      loop_.run_once(100ms);
    }
    return true;
  }
  /// Runs the loop until a watcher whose rest is a little longer has seen a change of its own file: had anything been
  /// due, it would have come. What `then` does comes right after, in the same turn.
  void run_past_debounce(std::function<void()> then = {}) {
    write("sentinel", "1");
    Watched sentinel(loop_, path("sentinel"), kDebounce + 10ms);
    sentinel.then = std::move(then);
    write("sentinel", "22");
    ASSERT_TRUE(run_until([&sentinel] { return !sentinel.seen.empty(); }));
  }

  std::string folder_;
  event::Loop loop_;
};

using Seen = std::vector<std::string>;

TEST_F(FileWatcherTest, SeesAWriteInPlace) {
  Watched watched(loop_, path("file"));
  write("file", "new");
  EXPECT_TRUE(watched.watcher.differs());
  ASSERT_TRUE(run_until([&watched] { return !watched.seen.empty(); }));
  run_past_debounce();
  EXPECT_EQ(watched.seen, (Seen{"new"})) << "once";
}

TEST_F(FileWatcherTest, SeesARename) {
  Watched watched(loop_, path("file"));
  write("next", "new");
  rename("next", "file");
  ASSERT_TRUE(run_until([&watched] { return !watched.seen.empty(); }));
  EXPECT_EQ(watched.seen, (Seen{"new"}));
}

TEST_F(FileWatcherTest, SeesTheTargetOfALink) {
  fs::create_directory(path("elsewhere"));
  write("elsewhere/target", "old");
  fs::create_symlink(path("elsewhere/target"), path("link"));
  Watched watched(loop_, path("link"));
  write("elsewhere/target", "new");
  ASSERT_TRUE(run_until([&watched] { return !watched.seen.empty(); }));
  EXPECT_EQ(watched.seen, (Seen{"new"}));
}

// As Kubernetes replaces a mounted ConfigMap: no file of that name is touched.
TEST_F(FileWatcherTest, SeesAFlippedFolder) {
  for (const char* version : {"..v1", "..v2"}) {
    fs::create_directory(path(version));
    write(std::string(version) + "/mounted", version);
  }
  fs::create_directory_symlink("..v1", path("..data"));
  fs::create_symlink("..data/mounted", path("mounted"));
  Watched watched(loop_, path("mounted"));
  fs::create_directory_symlink("..v2", path("..data_tmp"));
  rename("..data_tmp", "..data");
  ASSERT_TRUE(run_until([&watched] { return !watched.seen.empty(); }));
  EXPECT_EQ(watched.seen, (Seen{"..v2"}));
}

TEST_F(FileWatcherTest, SeesAFileThatWasMissing) {
  EXPECT_EQ(stamp_of(path("missing")), FileStamp{});
  Watched watched(loop_, path("missing"));
  EXPECT_FALSE(watched.watcher.differs());
  write("missing", "here");
  ASSERT_TRUE(run_until([&watched] { return !watched.seen.empty(); }));
  EXPECT_EQ(watched.seen, (Seen{"here"}));
}

TEST_F(FileWatcherTest, NeighboursAndForgottenFilesAreNoChange) {
  write("neighbour", "old");
  Watched watched(loop_, path("file"));
  write("neighbour", "new");
  run_past_debounce();
  EXPECT_EQ(watched.seen, Seen{});
  watched.watcher.watch({path("neighbour")});
  write("file", "new");
  run_past_debounce();
  EXPECT_EQ(watched.seen, Seen{});
}

TEST_F(FileWatcherTest, ABurstIsOneChange) {
  Watched watched(loop_, path("file"));
  for (int i = 0; i < 20; ++i) write("file", std::to_string(i));
  ASSERT_TRUE(run_until([&watched] { return !watched.seen.empty(); }));
  run_past_debounce();
  EXPECT_EQ(watched.seen, (Seen{"19"}));
}

// An editor empties the file, closes it, and writes it a moment later.
TEST_F(FileWatcherTest, AnEmptiedFileIsWaitedFor) {
  Watched watched(loop_, path("file"));
  Writer(path("file")).close();
  run_past_debounce([this] { write("file", "whole"); });
  ASSERT_TRUE(run_until([&watched] { return !watched.seen.empty(); }));
  run_past_debounce();
  EXPECT_EQ(watched.seen, (Seen{"whole"}));
}

TEST_F(FileWatcherTest, AFileThatStaysEmptyIsTaken) {
  Watched watched(loop_, path("file"));
  Writer(path("file")).close();
  ASSERT_TRUE(run_until([&watched] { return !watched.seen.empty(); }));
  EXPECT_EQ(watched.seen, (Seen{""}));
}

TEST_F(FileWatcherTest, AWriterIsWaitedForUntilItCloses) {
  Watched watched(loop_, path("file"));
  Writer writer(path("file"));
  writer.write("ha");
  run_past_debounce();
  EXPECT_EQ(watched.seen, Seen{});
  writer.write("lf");
  writer.close();
  ASSERT_TRUE(run_until([&watched] { return !watched.seen.empty(); }));
  EXPECT_EQ(watched.seen, (Seen{"half"}));
}

/// No descriptor is left while it lives.
class NoDescriptors {
 public:
  NoDescriptors() {
    const int next = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
    ::close(next);
    ::getrlimit(RLIMIT_NOFILE, &before_);
    rlimit none = before_;
    none.rlim_cur = static_cast<rlim_t>(next);
    ::setrlimit(RLIMIT_NOFILE, &none);
  }
  ~NoDescriptors() { ::setrlimit(RLIMIT_NOFILE, &before_); }

 private:
  rlimit before_{};
};

class PollingTest : public FileWatcherTest {
 protected:
  std::unique_ptr<Watched> watch() {
    const NoDescriptors none;
    EXPECT_LT(::open("/dev/null", O_RDONLY | O_CLOEXEC), 0);
    return std::make_unique<Watched>(loop_, path("file"), kDebounce, 40ms);
  }
};

TEST_F(PollingTest, SeesChangesWithoutInotify) {
  const auto watched = watch();
  write("file", "new");
  ASSERT_TRUE(run_until([&watched] { return !watched->seen.empty(); }));
  write("next", "newer");
  rename("next", "file");
  ASSERT_TRUE(run_until([&watched] { return watched->seen.size() == 2; }));
  EXPECT_EQ(watched->seen, (Seen{"new", "newer"}));
}

TEST_F(PollingTest, AFileThatGrowsIsWaitedFor) {
  struct Appender {
    explicit Appender(event::Loop& loop, const std::string& path)
        : timer(loop, &Appender::on_timer, this), writer(path) {
      timer.arm(5ms);
    }
    static void on_timer(void* self) {
      auto& appender = *static_cast<Appender*>(self);
      appender.writer.write("x");
      if (++appender.written < 50) appender.timer.arm(5ms);
    }
    event::Timer timer;
    Writer writer;
    int written = 0;
  };
  const auto watched = watch();
  Appender appender(loop_, path("file"));
  ASSERT_TRUE(run_until([&watched] { return !watched->seen.empty(); }));
  EXPECT_EQ(watched->seen, (Seen{std::string(50, 'x')}));
}

}  // namespace
}  // namespace weir::server
