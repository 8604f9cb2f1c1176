#include "base/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include "base/strings.h"

namespace weir::base {

namespace {

struct Fd {
  int value;
  ~Fd() {
    if (value >= 0) ::close(value);
  }
};

tl::unexpected<Error> system_error(Code code, std::string_view what, const std::string& path,
                                   int error) {
  return fail(code, Side::kLocal, concat(what, " ", path, ": ", std::strerror(error)));
}

}  // namespace

Result<std::string> read_file(const std::string& path, size_t max) {
  const Fd fd{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
  if (fd.value < 0)
    return system_error(errno == ENOENT ? Code::kNotFound : Code::kSystem, "cannot open", path,
                        errno);
  struct stat info {};
  if (::fstat(fd.value, &info) != 0) return system_error(Code::kSystem, "cannot stat", path, errno);
  if (S_ISDIR(info.st_mode)) return system_error(Code::kSystem, "cannot read", path, EISDIR);
  std::string bytes;
  // The size is a hint: a file may grow while it is read, and a pipe has none.
  size_t room = info.st_size > 0 ? static_cast<size_t>(info.st_size) + 1 : 4096;
  size_t used = 0;
  for (;;) {
    if (used > max)
      return fail(Code::kPayloadTooLarge, Side::kLocal,
                  concat(path, " is larger than ", max, " bytes"));
    if (used == bytes.size())
      bytes.resize(used == 0 ? std::min(room, max + 1) : std::min(used * 2, max + 1));
    const ssize_t n = ::read(fd.value, bytes.data() + used, bytes.size() - used);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return system_error(Code::kSystem, "cannot read", path, errno);
    if (n == 0) break;
    used += static_cast<size_t>(n);
  }
  bytes.resize(used);
  return bytes;
}

}  // namespace weir::base
