#include "server/file_watcher.h"

#include <fcntl.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <utility>

#include "base/log.h"

namespace weir::server {
namespace {

std::pair<std::string, std::string> split_path(const std::string& path) {
  const size_t slash = path.rfind('/');
  if (slash == std::string::npos) return {".", path};
  return {slash == 0 ? "/" : path.substr(0, slash), path.substr(slash + 1)};
}

}  // namespace

FileStamp stamp_of(const std::string& path) noexcept {
  struct stat found {};
  if (::stat(path.c_str(), &found) != 0) return {};
  return FileStamp{found.st_dev, found.st_ino, static_cast<uint64_t>(found.st_size),
                   found.st_mtim.tv_sec * 1'000'000'000 + found.st_mtim.tv_nsec};
}

FileWatcher::FileWatcher(event::Loop& loop, Callback changed, void* argument)
    : changed_(changed),
      argument_(argument),
      fd_(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC)),
      watch_(loop, &FileWatcher::on_inotify, this),
      debounce_timer_(loop, &FileWatcher::on_debounce, this),
      poll_timer_(loop, &FileWatcher::on_poll, this) {
  if (fd_ < 0) {
    WEIR_LOG(kConfig, kWarn, "inotify is not available; changed files are noticed by polling");
    return;
  }
  watch_.attach(fd_);
  watch_.want(event::FdWatch::kRead);
}

FileWatcher::~FileWatcher() {
  watch_.disarm();
  if (fd_ >= 0) ::close(fd_);
}

void FileWatcher::watch(const std::vector<std::string>& files) {
  for (const auto& [descriptor, folder] : folders_) ::inotify_rm_watch(fd_, descriptor);
  folders_.clear();
  names_.clear();
  files_.clear();
  polled_.clear();
  for (const std::string& file : files) {
    files_[file] = stamp_of(file);
    names_.insert(split_path(file));
    char resolved[PATH_MAX];
    if (::realpath(file.c_str(), resolved) != nullptr) names_.insert(split_path(resolved));
  }
  std::set<std::string> folders;
  for (const auto& [folder, name] : names_) folders.insert(folder);
  for (const std::string& folder : folders) watch_folder(folder);
  poll_timer_.arm(poll_interval_);
}

void FileWatcher::watch_folder(const std::string& folder) {
  if (fd_ < 0) return;
  const int descriptor = ::inotify_add_watch(
      fd_, folder.c_str(),
      IN_MODIFY | IN_CLOSE_WRITE | IN_MOVED_TO | IN_CREATE | IN_DELETE | IN_ONLYDIR);
  if (descriptor >= 0) folders_[descriptor] = folder;
}

bool FileWatcher::concerns(int folder, std::string_view name) const {
  const auto found = folders_.find(folder);
  if (found == folders_.end()) return false;
  if (name.starts_with("..data"))
    return true;  // Kubernetes replaces the whole folder behind this link
  return names_.contains({found->second, std::string(name)});
}

void FileWatcher::on_inotify(void* self, unsigned) {
  auto& watcher = *static_cast<FileWatcher*>(self);
  if (watcher.read_events()) watcher.debounce_timer_.arm(watcher.debounce_);
}

bool FileWatcher::read_events() {
  alignas(inotify_event) std::array<char, 8192> bytes;
  bool due = false;
  for (ssize_t size = ::read(fd_, bytes.data(), bytes.size()); size > 0;
       size = ::read(fd_, bytes.data(), bytes.size())) {
    for (ssize_t at = 0; at < size;) {
      const auto* event = reinterpret_cast<const inotify_event*>(bytes.data() + at);
      if ((event->mask & IN_Q_OVERFLOW) != 0) due = true;
      // A created file is complete at its close, and a link when it is there.
      const bool link_or_done = (event->mask & (IN_CLOSE_WRITE | IN_MOVED_TO | IN_CREATE)) != 0;
      // Writing that goes on puts off what an earlier event has begun: the next writer may just have emptied the file.
      const bool under_way = (event->mask & IN_MODIFY) != 0 && pending_;
      if ((link_or_done || under_way) && event->len > 0 && concerns(event->wd, event->name))
        due = true;
      at += static_cast<ssize_t>(sizeof(inotify_event) + event->len);
    }
  }
  pending_ = pending_ || due;
  return due;
}

bool FileWatcher::differs() const {
  for (const auto& [file, stamp] : files_)
    if (stamp_of(file) != stamp) return true;
  return false;
}

bool FileWatcher::emptied() const {
  for (const auto& [file, stamp] : files_) {
    const FileStamp now = stamp_of(file);
    if (now.size == 0 && now.inode != 0 && stamp.size > 0) return true;
  }
  return false;
}

void FileWatcher::on_debounce(void* self) {
  auto& watcher = *static_cast<FileWatcher*>(self);
  // What has been written in this turn is not read yet.
  if (watcher.read_events()) {
    watcher.waited_ = false;
    return watcher.debounce_timer_.arm(watcher.debounce_);
  }
  // Emptied just now: its content is about to come, or else it is taken as it is after a second rest.
  if (watcher.emptied() && !std::exchange(watcher.waited_, true))
    return watcher.debounce_timer_.arm(watcher.debounce_);
  watcher.pending_ = watcher.waited_ = false;
  if (watcher.differs()) watcher.changed_(watcher.argument_);
}

void FileWatcher::on_poll(void* self) {
  auto& watcher = *static_cast<FileWatcher*>(self);
  bool due = false;
  for (const auto& [file, stamp] : watcher.files_) {
    const FileStamp now = stamp_of(file);
    // Only what has stopped changing is taken: a half-written file would be a rejected edit.
    auto [seen, first] = watcher.polled_.try_emplace(file, now);
    const bool stable = !first && seen->second == now;
    seen->second = now;
    if (stable && now != stamp && now != FileStamp{}) due = true;
  }
  watcher.poll_timer_.arm(watcher.poll_interval_);
  if (due) {
    watcher.pending_ = true;
    watcher.debounce_timer_.arm(watcher.debounce_);
  }
}

}  // namespace weir::server
