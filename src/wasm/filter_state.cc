#include "wasm/filter_state.h"

#include <utility>

#include "wasm/vm.h"

namespace weir::wasm {
namespace {

/// Whether `key` may get a value of that size.
bool has_room(const Properties& all, const std::string& key, size_t size) {
  size_t count = 1;
  size_t bytes = size;
  for (const auto& [name, value] : all) {
    if (name == key) continue;
    ++count;
    bytes += value.size();
  }
  return count <= kMaxProperties && bytes <= kMaxPropertyBytes;
}

Status put_into(ConnectionInfo& connection, const std::string& key, std::string_view value,
                bool once) {
  Properties& all = connection.own_extras().filter_state;
  return once && all.contains(key) ? Status::kBadArgument : put_bounded(all, key, value);
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
  const Properties* all = info.all_filter_state();
  if (once && info.filter_state(key) != nullptr) return Status::kBadArgument;
  if (all != nullptr && !has_room(*all, key, value.size())) return Status::kBadArgument;
  info.set_filter_state(key, value);
  return Status::kOk;
}

}  // namespace weir::wasm
