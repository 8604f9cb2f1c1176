#include "config/sources.h"

#include <sys/stat.h>

#include <algorithm>
#include <cstdlib>

#include "base/digest.h"
#include "base/file.h"
#include "config/json_text.h"

namespace weir::config {
namespace {

// A pipe or a device would hold up the whole process.
Result<std::string> read_regular(const std::string& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) == 0 && !S_ISREG(info.st_mode)) {
    return fail(Code::kConfig, Side::kLocal, "cannot read " + path + ": not a regular file");
  }
  return base::read_file(path, kMaxSourceBytes);
}

}  // namespace

Result<std::string_view> Sources::read(const std::string& path) {
  auto bytes = read_apart(path);
  uses_["file:" + path] = contents_.find(path)->second.digest;
  return bytes;
}

Result<std::string_view> Sources::read_apart(const std::string& path) {
  record(path);
  auto found = contents_.find(path);
  if (found == contents_.end()) {
    File file{read_regular(path), {}};
    if (file.bytes) file.digest = base::sha256_hex(*file.bytes);
    found = contents_.emplace(path, std::move(file)).first;
  }
  if (!found->second.bytes) return fail(found->second.bytes.error());
  return std::string_view(*found->second.bytes);
}

std::optional<std::string> Sources::environment(const std::string& name) {
  const char* value = std::getenv(name.c_str());
  uses_["environment:" + name] = value == nullptr ? std::string() : base::sha256_hex(value);
  if (value == nullptr) return std::nullopt;
  return std::string(value);
}

void Sources::record(const std::string& path) {
  if (std::find(files_.begin(), files_.end(), path) == files_.end()) files_.push_back(path);
}

std::string Sources::uses_json() const {
  if (uses_.empty()) return {};
  std::string out;
  for (const auto& [name, digest] : uses_) {
    out += out.empty() ? '{' : ',';
    append_json_string(name, out);
    out += ':';
    append_json_string(digest, out);
  }
  return out + "}";
}

}  // namespace weir::config
