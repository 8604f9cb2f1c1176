#include "wasm/filter_state.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "base/strings.h"
#include "wasm/vm.h"

namespace weir::wasm {
namespace {

/// Stands beside an entry that stays as it is, where every plugin of the stream meets it.
std::string mark_of(std::string_view key) { return base::concat(kReadOnlyMark, key); }

/// Whether `key` may get a value of that size, and `more` empty entries beside it.
bool has_room(const Properties& all, const std::string& key, size_t size, size_t more = 0) {
  size_t count = 1 + more;
  size_t bytes = size;
  for (const auto& [name, value] : all) {
    if (name == key) continue;
    ++count;
    bytes += value.size();
  }
  return count <= kMaxProperties && bytes <= kMaxPropertyBytes;
}

bool may_set(const Properties& all, const std::string& key, size_t size, bool once) {
  if (all.contains(mark_of(key)) || (once && all.contains(key))) return false;
  return has_room(all, key, size, once ? 1 : 0);
}

Status put_into(ConnectionInfo& connection, const std::string& key, std::string_view value,
                bool once) {
  Properties& all = connection.own_extras().filter_state;
  if (!may_set(all, key, value.size(), once)) return Status::kBadArgument;
  all.insert_or_assign(key, std::string(value));
  if (once) all.try_emplace(mark_of(key));
  return Status::kOk;
}

Status put_into(StreamInfo& info, const std::string& key, std::string_view value, bool once) {
  static const Properties kNone;
  const Properties* all = info.all_filter_state();
  if (!may_set(all != nullptr ? *all : kNone, key, value.size(), once)) return Status::kBadArgument;
  // The stream's entry would stand in front of the connection's.
  if (info.connection != nullptr && info.connection->extras().filter_state.contains(mark_of(key)))
    return Status::kBadArgument;
  info.set_filter_state(key, value);
  if (once) info.set_filter_state(mark_of(key), {});
  return Status::kOk;
}

}  // namespace

Status DeclaredProperties::add(std::string name, DeclaredProperty property) {
  const size_t size = name.size() + property.schema.size();
  if (all_.size() >= kMaxProperties || bytes_ + size > kMaxPropertyBytes)
    return Status::kBadArgument;
  if (!all_.try_emplace(std::move(name), std::move(property)).second) return Status::kBadArgument;
  bytes_ += size;
  return Status::kOk;
}

const DeclaredProperty* DeclaredProperties::find(std::string_view name) const noexcept {
  const auto found = all_.find(name);
  return found == all_.end() ? nullptr : &found->second;
}

bool is_hosts_own(std::string_view key) noexcept {
  constexpr std::string_view kOwn[] = {"weir.", "envoy.filters.", "envoy.tcp_proxy.propagate_"};
  return std::any_of(std::begin(kOwn), std::end(kOwn),
                     [key](std::string_view prefix) { return key.starts_with(prefix); });
}

Status put_bounded(Properties& all, const std::string& key, std::string_view value) {
  if (!has_room(all, key, value.size())) return Status::kBadArgument;
  all.insert_or_assign(key, std::string(value));
  return Status::kOk;
}

Status put_filter_state(Vm& vm, const std::string& key, std::string_view value, StateSpan span,
                        bool once) {
  if (ConnectionContext* connection = vm.connection();
      connection != nullptr && connection->callbacks != nullptr)
    return put_into(connection->callbacks->connection_info(), key, value, once);
  StreamContext* stream = vm.stream();
  if (stream == nullptr || stream->callbacks == nullptr) return Status::kNotFound;
  StreamInfo& info = stream->callbacks->stream_info();
  // A stream has its connection to read: the object is the session's, on the same thread, and not const there.
  if (span == StateSpan::kConnection && info.connection != nullptr)
    return put_into(const_cast<ConnectionInfo&>(*info.connection), key, value, once);
  return put_into(info, key, value, once);
}

}  // namespace weir::wasm
