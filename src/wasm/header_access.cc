#include "wasm/header_access.h"

#include <algorithm>
#include <utility>

#include "base/lower.h"
#include "base/strings.h"
#include "http/rules.h"
#include "wasm/limits.h"
#include "wasm/stream_context.h"

namespace weir::wasm {
namespace {

constexpr size_t kArenaFactor = 4;  // replaced texts stay in the map's arena

/// A name in lower case without an allocation, as long as it is a usual one.
class LowerName {
 public:
  explicit LowerName(std::string_view name) {
    char* to = small_;
    if (name.size() > sizeof small_) {
      big_.resize(name.size());
      to = big_.data();
    }
    base::copy_lower(name, to);
    text_ = std::string_view(to, name.size());
  }
  LowerName(const LowerName&) = delete;
  LowerName& operator=(const LowerName&) = delete;
  std::string_view text() const noexcept { return text_; }

 private:
  char small_[64];
  std::string big_;
  std::string_view text_;
};

bool valid_path(std::string_view path) noexcept {
  if (path.empty() || (path[0] != '/' && path != "*")) return false;
  return std::none_of(path.begin(), path.end(), [](char c) {
    return static_cast<unsigned char>(c) <= ' ' || c == '\x7f' || c == '#';
  });
}

}  // namespace

bool is_framing(std::string_view lower) noexcept {
  constexpr std::string_view kFraming[] = {
      "transfer-encoding", "connection",     "keep-alive", "proxy-connection",
      "upgrade",           "http2-settings", "te"};
  return std::find(std::begin(kFraming), std::end(kFraming), lower) != std::end(kFraming);
}

bool HeaderAccess::is_pseudo(std::string_view lower) const noexcept {
  return (!lower.empty() && lower[0] == ':') || (request_ != nullptr && lower == "host");
}

std::optional<std::string_view> HeaderAccess::get(std::string_view name) {
  const LowerName lower(name);
  if (veil_) [[unlikely]]
    return get_private(lower.text());
  return is_pseudo(lower.text()) ? find_pseudo(lower.text()) : map_->get(lower.text());
}

std::optional<std::string> HeaderAccess::get_joined(std::string_view name) {
  const LowerName lower(name);
  const auto first = get(name);
  if (!first) return std::nullopt;
  if (is_pseudo(lower.text()) || lower.text() == "set-cookie") return std::string(*first);
  std::string text;
  bool more = false;
  const auto add = [&text, &more, &lower](std::string_view value) {
    if (std::exchange(more, true)) text += lower.text() == "cookie" ? "; " : ", ";
    text += value;
  };
  if (veil_) [[unlikely]] {
    look();
    for (const Seen& one : veil_->seen)
      if (one.name == lower.text()) add(one.text());
  } else {
    for (const HeaderMap::Entry& entry : *map_)
      if (entry.name == lower.text()) add(entry.value);
  }
  return text;
}

std::optional<std::string_view> HeaderAccess::find_pseudo(std::string_view lower) {
  const std::string_view wanted = lower == "host" ? std::string_view(":authority") : lower;
  std::optional<std::string_view> found;
  for_each_pseudo([&found, wanted](std::string_view each, std::string_view value) {
    if (each == wanted) found = value;
  });
  return found;
}

void HeaderAccess::measure(size_t& count, size_t& bytes) {
  if (veil_) [[unlikely]] {
    look();
    count = veil_->seen.size();
    bytes = 0;
    for (const Seen& one : veil_->seen) bytes += one.name.size() + one.text().size();
    return;
  }
  count = map_->size();
  bytes = map_->byte_size();
  for_each_pseudo([&count, &bytes](std::string_view name, std::string_view value) {
    ++count;
    bytes += name.size() + value.size();
  });
}

void HeaderAccess::write_pairs(PairsWriter& writer) {
  if (veil_) [[unlikely]] {
    for (const Seen& one : veil_->seen) writer.put(one.name, one.text());
    return;
  }
  for_each_pseudo(
      [&writer](std::string_view name, std::string_view value) { writer.put(name, value); });
  for (const HeaderMap::Entry& entry : *map_) writer.put(entry.name, entry.value);
}

Status HeaderAccess::set_pseudo(std::string_view lower, std::string_view value, bool really) {
  if (response_ != nullptr) {
    const auto status = base::parse_u64(value);
    if (lower != ":status" || !status || value.size() != 3 || *status < 200 || *status > 599)
      return Status::kBadArgument;
    if (really) response_->status = static_cast<int>(*status);
    return Status::kOk;
  }
  if (request_ == nullptr) return Status::kBadArgument;
  bool valid = false;
  if (lower == ":path") {
    valid = valid_path(value);
    if (valid && really) request_->set_path(value);
  } else if (lower == ":method") {
    valid = http::valid_method(value);
    if (valid && really) request_->set_method(value);
  } else if (lower == ":authority" || lower == "host") {
    valid = http::valid_authority(value);
    if (valid && really) request_->set_authority(value);
  } else if (lower == ":scheme") {
    valid = value == "http" || value == "https";
    if (valid && really) request_->set_scheme(value);
  }
  return valid ? Status::kOk : Status::kBadArgument;
}

Status HeaderAccess::check(std::string_view lower, std::string_view value) const {
  if (!http::valid_header_name(lower) || !http::valid_header_value(value))
    return Status::kBadArgument;
  if (lower == "content-length" && !base::parse_u64(value)) return Status::kBadArgument;
  return Status::kOk;
}

/// Pseudo-headers count too: their texts stand in the same arena.
bool HeaderAccess::has_room(size_t kept_bytes, size_t new_bytes) noexcept {
  full_ = kept_bytes + new_bytes > max_bytes_ ||
          map_->arena_bytes() + new_bytes > kArenaFactor * max_bytes_;
  return !full_;
}

void HeaderAccess::put(Change how, std::string_view lower, std::string_view value) {
  if (is_framing(lower)) return;
  if (lower == "content-length") {
    how = Change::kReplace;  // two would be bad framing
    if (direction_ != nullptr) direction_->body_changed = true;
  }
  if (how == Change::kAdd) {
    map_->add(lower, value);
  } else {
    map_->set(lower, value);
  }
}

Status HeaderAccess::change(Change how, std::string_view name, std::string_view value) {
  const LowerName lower(name);
  if (veil_) [[unlikely]]
    return change_private(how, lower.text(), value);
  const size_t bytes = name.size() + value.size();
  if (is_pseudo(lower.text())) {
    return has_room(map_->byte_size(), bytes) ? set_pseudo(lower.text(), value, true)
                                              : Status::kBadArgument;
  }
  if (const Status status = check(lower.text(), value); status != Status::kOk) return status;
  if (is_framing(lower.text())) return Status::kOk;
  full_ = map_->size() >= kMaxHeaderMapCount;
  if (full_ || !has_room(map_->byte_size(), bytes)) return Status::kBadArgument;
  put(how, lower.text(), value);
  return Status::kOk;
}

Status HeaderAccess::remove(std::string_view name) {
  const LowerName lower(name);
  // Without effect: a head cannot be sent without those that it has. A refusal would trap Rust guests.
  if (is_pseudo(lower.text())) return Status::kOk;
  // A guest that changes a body has to be able to take its length away, seen or not.
  if (veil_ && lower.text() != "content-length") [[unlikely]]
    return replace_private(lower.text(), {});
  map_->remove(lower.text());
  return Status::kOk;
}

Status HeaderAccess::set_all(const PairViews& pairs) {
  if (veil_) [[unlikely]]
    return set_all_private(pairs);
  full_ = pairs.size() > kMaxHeaderMapCount;
  if (full_) return Status::kBadArgument;
  size_t bytes = 0;
  for (const auto& [name, value] : pairs) {
    const LowerName lower(name);
    bytes += name.size() + value.size();
    const Status status = is_pseudo(lower.text()) ? set_pseudo(lower.text(), value, false)
                                                  : check(lower.text(), value);
    if (status != Status::kOk) return status;
  }
  if (!has_room(0, bytes)) return Status::kBadArgument;
  map_->remove_if([](const HeaderMap::Entry&) { return true; });
  for (const auto& [name, value] : pairs) {
    const LowerName lower(name);
    if (is_pseudo(lower.text())) {
      set_pseudo(lower.text(), value, true);
    } else {
      put(Change::kAdd, lower.text(), value);
    }
  }
  return Status::kOk;
}

}  // namespace weir::wasm
