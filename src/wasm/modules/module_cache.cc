#include "wasm/modules/module_cache.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "base/file.h"
#include "base/log.h"
#include "base/strings.h"
#include "wasm/modules/module_source.h"

namespace weir::wasm {
namespace {

Result<void> failed(std::string_view what, const std::string& path) {
  return fail(Code::kSystem, Side::kLocal, base::concat(what, " ", path, ": ", strerror(errno)));
}

bool write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    bytes.remove_prefix(static_cast<size_t>(written));
  }
  return true;
}

}  // namespace

Result<std::optional<std::string>> ModuleCache::read(const Key& digest) const {
  const std::optional<std::string> nothing;
  if (!used()) return nothing;
  const std::string file = path(digest);
  struct stat info {};
  // A pipe in the place of a file would have us wait.
  if (::lstat(file.c_str(), &info) != 0) {
    if (errno == ENOENT || errno == ENOTDIR) return nothing;
    return tl::unexpected(failed("cannot look at", file).error());
  }
  std::string why = "it is not a regular file";
  if (S_ISREG(info.st_mode)) {
    auto bytes = base::read_file(file, kMaxModuleBytes);
    if (bytes && digest_key(*bytes) == digest) return std::optional(std::move(*bytes));
    if (!bytes && bytes.error().code == Code::kSystem)
      return tl::unexpected(std::move(bytes.error()));
    why = bytes ? "its content has another digest" : bytes.error().detail;
  }
  WEIR_LOG(kWasm, kWarn, "a file of the module cache is not used", {{"file", file}, {"why", why}});
  ::unlink(file.c_str());
  return nothing;
}

Result<void> ModuleCache::write(const Key& digest, std::string_view bytes) const {
  std::error_code error;
  std::filesystem::create_directories(folder_, error);
  if (error)
    return fail(Code::kSystem, Side::kLocal,
                base::concat("cannot make the folder ", folder_, ": ", error.message()));
  std::string name = folder_ + "/.new-XXXXXX";
  const int fd = ::mkostemp(name.data(), O_CLOEXEC);
  if (fd < 0) return failed("cannot make a file in", folder_);
  // Readable for other users' processes: several may share the folder.
  const bool written = write_all(fd, bytes) && ::fchmod(fd, 0644) == 0 && ::fsync(fd) == 0;
  const int why = errno;
  ::close(fd);
  const std::string file = path(digest);
  if (written && ::rename(name.c_str(), file.c_str()) == 0) return {};
  if (!written) errno = why;
  auto result = failed("cannot write", file);
  ::unlink(name.c_str());
  return result;
}

}  // namespace weir::wasm
