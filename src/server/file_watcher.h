// FileWatcher: says when any of a set of files may have changed, however they are replaced.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>
#include <weir/result.h>

#include "event/loop.h"

namespace weir::server {

/// Size, inode and time of a file: different if its content may be.
struct FileStamp {
  uint64_t device = 0, inode = 0, size = 0;
  int64_t modified_ns = 0;
  bool operator==(const FileStamp&) const = default;
};
/// All zero if the file cannot be read now.
FileStamp stamp_of(const std::string& path) noexcept;

/// Watches the folders of the files (and of what they link to) by inotify: in-place writes at close, renames, and
/// Kubernetes' flip of the "..data" link all count. A slow look at the stamps covers file systems without inotify.
/// Bursts are gathered for `debounce`; then `changed` is called once, on the loop. Owner: the reloader. Thread: main.
class FileWatcher {
 public:
  using Callback = void (*)(void* argument);
  static constexpr std::chrono::milliseconds kPollInterval{2000};

  FileWatcher(event::Loop& loop, Callback changed, void* argument);
  ~FileWatcher();
  /// From now on these files are watched, with the stamps that they have now unless given.
  void watch(const std::vector<std::string>& files);
  void set_debounce(std::chrono::milliseconds debounce) noexcept { debounce_ = debounce; }
  bool watching() const noexcept { return !files_.empty(); }
  /// Holds from the next watch().
  void set_poll_interval(std::chrono::milliseconds interval) noexcept { poll_interval_ = interval; }
  /// True if a stamp differs from the one at watch().
  bool differs() const;

 private:
  static void on_inotify(void* self, unsigned events);
  static void on_debounce(void* self);
  static void on_poll(void* self);
  bool read_events();  // whether the files are not at rest yet
  void watch_folder(const std::string& folder);
  bool emptied() const;
  bool concerns(int folder, std::string_view name) const;

  Callback changed_;
  void* argument_;
  int fd_ = -1;
  event::FdWatch watch_;
  event::Timer debounce_timer_;
  bool waited_ = false;   // for a file that was found emptied
  bool pending_ = false;  // a change was seen that the callback has not heard of
  event::Timer poll_timer_;
  std::chrono::milliseconds debounce_{50};
  std::chrono::milliseconds poll_interval_{kPollInterval};
  std::map<std::string, FileStamp> files_;
  std::map<std::string, FileStamp> polled_;  // what the last poll saw, to wait for stable files
  std::map<int, std::string> folders_;       // inotify descriptor -> folder
  std::set<std::pair<std::string, std::string>> names_;  // folder, file name
};

}  // namespace weir::server
