#include "proxy/access_log.h"

#include <cerrno>
#include <csignal>
#include <cstring>
#include <utility>
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include "base/log.h"
#include "base/strings.h"

namespace weir::proxy {

namespace {

constexpr int kStallMs =
    1000;  // how long a destination may take nothing before its batch is dropped

int open_for_append(const std::string& path) noexcept {
  // Non-blocking, so that a FIFO without a reader is an error and not a hang.
  return ::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK | O_NOCTTY,
                0644);
}

}  // namespace

AccessLogWriter::AccessLogWriter(StatsScope& stats, Limits limits)
    : limits_(limits),
      written_(stats.counter("written")),
      dropped_(stats.counter("dropped")),
      reopened_(stats.counter("reopened")),
      write_failed_(stats.counter("write_failed")) {}

AccessLogWriter::~AccessLogWriter() {
  stop();
  for (auto& [path, file] : files_)
    if (file->fd_ >= 0) ::close(file->fd_);
}

Result<LogFile*> AccessLogWriter::open_file(const std::string& path) {
  const std::lock_guard lock(mutex_);
  if (const auto found = files_.find(path); found != files_.end()) return found->second.get();
  const int fd = open_for_append(path);
  if (fd < 0 && errno != ENXIO)  // ENXIO: a FIFO without a reader, which may come
    return fail(Code::kSystem, Side::kLocal,
                base::concat("cannot open ", path, ": ", std::strerror(errno)));
  auto file = std::make_unique<LogFile>(path);
  file->index_ = files_.size();
  file->fd_ = fd;
  return files_.emplace(path, std::move(file)).first->second.get();
}

LogFile& AccessLogWriter::standard(int fd, const char* label) {
  const std::lock_guard lock(mutex_);
  auto& file = files_[label];
  if (file == nullptr) {
    file = std::make_unique<LogFile>("");
    file->index_ = files_.size() - 1;
    file->fd_ = ::fcntl(fd, F_DUPFD_CLOEXEC, 3);
  }
  return *file;
}

// The keys cannot be paths: open() takes no empty name.
LogFile& AccessLogWriter::standard_output() { return standard(STDOUT_FILENO, "\nstdout"); }
LogFile& AccessLogWriter::standard_error() { return standard(STDERR_FILENO, "\nstderr"); }

void AccessLogWriter::submit(LogFile& file, std::string&& batch, uint32_t lines) {
  {
    const std::lock_guard lock(mutex_);
    if (!stopped_ && queued_bytes_ + batch.size() <= limits_.queue_bytes) {
      queued_bytes_ += batch.size();
      queue_.push_back({&file, std::move(batch), lines});
      if (!thread_.joinable()) thread_ = std::thread(&AccessLogWriter::run, this);
      lines = 0;
    }
  }
  if (lines > 0) {
    dropped_.add(lines);
    return;
  }
  wake_.notify_one();
}

void AccessLogWriter::reopen() {
  const std::lock_guard lock(mutex_);
  for (auto& [path, file] : files_) file->reopen_due_ = !file->path_.empty();
  if (!thread_.joinable() && !stopped_) thread_ = std::thread(&AccessLogWriter::run, this);
  queue_.push_back({nullptr, {}, 0});
  wake_.notify_one();
}

void AccessLogWriter::flush() {
  std::unique_lock lock(mutex_);
  idle_.wait(lock, [this] { return stopped_ || (queue_.empty() && !busy_); });
}

void AccessLogWriter::stop() {
  {
    const std::lock_guard lock(mutex_);
    if (stopped_) return;
    stopping_ = true;
  }
  wake_.notify_one();
  if (thread_.joinable()) thread_.join();
  const std::lock_guard lock(mutex_);
  stopped_ = true;
  idle_.notify_all();
}

void AccessLogWriter::run() {
  base::set_thread_name("access_log");
  sigset_t all;  // signals are main's; a reader that goes away is EPIPE, not the end of the process
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, nullptr);
  std::unique_lock lock(mutex_);
  std::vector<Batch> batches;
  while (true) {
    wake_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
    if (queue_.empty()) return;
    batches.clear();
    batches.swap(queue_);
    busy_ = true;
    std::vector<LogFile*> to_reopen;
    for (auto& [path, file] : files_)
      if (std::exchange(file->reopen_due_, false)) to_reopen.push_back(file.get());
    lock.unlock();
    for (LogFile* file : to_reopen) reopen_file(*file);
    write_batches(batches);
    lock.lock();
    for (const Batch& batch : batches) queued_bytes_ -= batch.text.size();
    busy_ = false;
    idle_.notify_all();
  }
}

void AccessLogWriter::write_batches(std::vector<Batch>& batches) {
  for (Batch& batch : batches) {
    if (batch.file == nullptr) continue;
    if (batch.file->fd_ < 0 && !batch.file->path_.empty())
      batch.file->fd_ = open_for_append(batch.file->path_);
    if (write_all(*batch.file, batch.text))
      written_.add(batch.lines);
    else
      dropped_.add(batch.lines);
  }
}

bool AccessLogWriter::write_all(LogFile& file, std::string_view text) {
  if (std::exchange(file.torn_, false) && !write_all(file, "\n")) {
    file.torn_ = true;
    return false;
  }
  char last = '\n';
  while (!text.empty()) {
    if (file.fd_ < 0) return false;
    const ssize_t n = ::write(file.fd_, text.data(), text.size());
    if (n >= 0) {
      file.stalled_ = false;
      if (n > 0) last = text[static_cast<size_t>(n) - 1];
      text.remove_prefix(static_cast<size_t>(n));
      continue;
    }
    if (errno == EINTR) continue;
    if (errno == EAGAIN && !file.stalled_) {
      pollfd wait{file.fd_, POLLOUT, 0};
      if (::poll(&wait, 1, kStallMs) > 0 && (wait.revents & POLLOUT) != 0) continue;
      file.stalled_ = true;  // or each of its batches would hold up the other files
      errno = EAGAIN;
    }
    write_failed_.inc();
    WEIR_LOG_EVERY_MS(10000, kAccess, kWarn, "access log line dropped",
                      {{"path", file.path_}, {"error", std::strerror(errno)}});
    file.torn_ = last != '\n';
    return false;
  }
  return true;
}

void AccessLogWriter::reopen_file(LogFile& file) {
  const int fd = open_for_append(file.path_);
  if (fd < 0) {  // better the old file than none
    WEIR_LOG(kAccess, kError, "access log cannot be reopened",
             {{"path", file.path_}, {"error", std::strerror(errno)}});
    return;
  }
  if (file.fd_ >= 0) ::close(file.fd_);
  file.fd_ = fd;
  file.stalled_ = false;
  reopened_.inc();
}

// ---- one worker's end ----------------------------------------------------------------------------------------------

WorkerLog::WorkerLog(AccessLogWriter& writer, event::Loop& loop)
    : writer_(writer), timer_(loop, &on_timer, this) {}

WorkerLog::~WorkerLog() { flush(); }

std::string& WorkerLog::batch(LogFile& file) {
  if (file.index() >= pending_.size()) pending_.resize(file.index() + 1);
  Pending& pending = pending_[file.index()];
  if (pending.file == nullptr) {
    pending.file = &file;
    pending.text.reserve(4096);
  }
  return pending.text;
}

void WorkerLog::line_added(LogFile& file) {
  Pending& pending = pending_[file.index()];
  ++pending.lines;
  if (pending.text.size() >= writer_.limits().batch_bytes)
    hand_over(pending);
  else if (!timer_.armed())
    timer_.arm(writer_.limits().flush_interval);
}

void WorkerLog::flush() {
  for (Pending& pending : pending_)
    if (pending.lines > 0) hand_over(pending);
}

void WorkerLog::hand_over(Pending& pending) {
  std::string text = std::move(pending.text);
  pending.text = std::string();
  writer_.submit(*pending.file, std::move(text), std::exchange(pending.lines, 0));
}

void WorkerLog::on_timer(void* self) { static_cast<WorkerLog*>(self)->flush(); }

}  // namespace weir::proxy
