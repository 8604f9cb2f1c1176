// The access log: workers gather lines in batches, one thread writes them to files; a slow disk blocks nobody else.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>
#include <weir/result.h>
#include <weir/stats.h>

#include "event/loop.h"

namespace weir::proxy {

/// One destination of log lines. Owner: the AccessLogWriter, for the life of the process, so that generations share it.
class LogFile {
 public:
  explicit LogFile(std::string path) : path_(std::move(path)) {}
  const std::string& path() const noexcept { return path_; }
  size_t index() const noexcept {
    return index_;
  }  // small and stable: workers keep batches in a vector

 private:
  friend class AccessLogWriter;
  std::string path_;  // empty: stdout or stderr
  size_t index_ = 0;
  int fd_ = -1;  // writer thread only after open()
  bool reopen_due_ = false;
  bool stalled_ =
      false;  // writer thread only: it took nothing for a while, and is not waited for again until it does
  bool torn_ = false;  // writer thread only: what was written last is no whole line
};

/// Owner: the server; outlives workers and runtimes. open() on main, submit() on any thread, writing on a thread of its own,
/// which starts with the first submit. stop() writes what is queued (bounded in time) and joins. What does not fit in the
/// queue, or a destination that takes nothing, is dropped by whole batches; lines are counted in "access_log.dropped".
class AccessLogWriter {
 public:
  struct Limits {
    size_t batch_bytes = 64 * 1024;                  // a worker hands over at this size …
    std::chrono::milliseconds flush_interval{1000};  // … or at this age
    size_t queue_bytes = 16 * 1024 * 1024;           // waiting for the writer, all files together
  };
  AccessLogWriter(StatsScope& stats, Limits limits);  // stats: "access_log."
  explicit AccessLogWriter(StatsScope& stats) : AccessLogWriter(stats, Limits()) {}
  ~AccessLogWriter();

  /// Opens (or finds) a file; created with mode 0644, appended to.
  Result<LogFile*> open_file(const std::string& path);
  LogFile& standard_output();
  LogFile& standard_error();
  /// Thread-safe. `lines` counts the lines in `batch`.
  void submit(LogFile& file, std::string&& batch, uint32_t lines);
  /// Closes and opens each file by its path again (after a rotation by rename); thread-safe.
  void reopen();
  /// Waits until everything submitted so far is written or dropped; for tests and shutdown.
  void flush();
  void stop();
  const Limits& limits() const noexcept { return limits_; }

 private:
  struct Batch {
    LogFile* file;
    std::string text;
    uint32_t lines;
  };
  LogFile& standard(int fd, const char* label);
  void run();
  void write_batches(std::vector<Batch>& batches);
  bool write_all(LogFile& file, std::string_view text);
  void reopen_file(LogFile& file);

  const Limits limits_;
  Counter& written_;
  Counter& dropped_;
  Counter& reopened_;
  Counter& write_failed_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::condition_variable idle_;
  std::map<std::string, std::unique_ptr<LogFile>, std::less<>> files_;
  std::vector<Batch> queue_;
  size_t queued_bytes_ = 0;
  bool busy_ = false;
  bool stopping_ = false;
  bool stopped_ = false;
  std::thread thread_;
};

/// One worker's end of the access log. Owner: the worker. Thread: its loop's. The destructor hands over what is gathered.
class WorkerLog {
 public:
  WorkerLog(AccessLogWriter& writer, event::Loop& loop);
  ~WorkerLog();
  /// Where the next line goes; append exactly one line (with its newline), then call line_added().
  std::string& batch(LogFile& file);
  void line_added(LogFile& file);
  void flush();

 private:
  struct Pending {
    LogFile* file = nullptr;
    std::string text;
    uint32_t lines = 0;
  };
  static void on_timer(void* self);
  void hand_over(Pending& pending);
  AccessLogWriter& writer_;
  event::Timer timer_;
  std::vector<Pending> pending_;  // by LogFile::index
};

}  // namespace weir::proxy
