// HeaderAccess under privacy.
#include <algorithm>
#include <map>
#include <utility>

#include "base/strings.h"
#include "wasm/header_access.h"
#include "wasm/limits.h"
#include "wasm/privacy/private_field.h"

namespace weir::wasm {

using Views = std::vector<std::string_view>;

size_t shown_count(const Privacy* privacy, Direction side, HeaderMap& map, RequestHead* request,
                   ResponseHead* response) {
  if (privacy == nullptr) [[likely]]
    return map.size() + (request != nullptr ? 4u : response != nullptr ? 1u : 0u);
  HeaderAccess access(map, request, response, nullptr, false);
  access.restrict(privacy, side);
  size_t count = 0;
  size_t bytes = 0;
  access.measure(count, bytes);
  return count;
}

// ---- reading ----------------------------------------------------------------------------------------

void HeaderAccess::look() {
  std::vector<Seen>& seen = veil_->seen;
  seen.clear();
  const auto visit = [this, &seen](std::string_view name, std::string_view value) {
    Seen one;
    const auto text = seen_value(*veil_->privacy, {veil_->side, name}, value, one.made);
    if (!text) return;
    one.name = name;
    one.is_made = text->data() == one.made.data() && text->data() != value.data();
    if (!one.is_made) one.value = *text;
    seen.push_back(std::move(one));
  };
  for_each_pseudo(visit);
  for (const HeaderMap::Entry& entry : *map_) visit(entry.name, entry.value);
}

/// The first field of the name of which something is seen.
std::optional<std::string_view> HeaderAccess::get_private(std::string_view lower) {
  const auto see = [this, lower](std::string_view value) {
    return seen_value(*veil_->privacy, {veil_->side, lower}, value, veil_->made);
  };
  if (is_pseudo(lower)) {
    const auto value = find_pseudo(lower);
    return value ? see(*value) : std::nullopt;
  }
  for (const HeaderMap::Entry& entry : *map_) {
    if (entry.name != lower) continue;
    if (const auto seen = see(entry.value)) return seen;
  }
  return std::nullopt;
}

Views HeaderAccess::values_of(std::string_view lower) const {
  Views values;
  for (const HeaderMap::Entry& entry : *map_)
    if (entry.name == lower) values.push_back(entry.value);
  return values;
}

// ---- changing ---------------------------------------------------------------------------------------

namespace {

/// A mask of a length that there is not would be sent as it is.
bool sendable(std::string_view lower, const std::vector<std::string>& values) {
  return lower != "content-length" ||
         std::all_of(values.begin(), values.end(),
                     [](const auto& one) { return base::parse_u64(one).has_value(); });
}

}  // namespace

/// As check(), but a mask may stand for a length too.
Status HeaderAccess::check_private(std::string_view lower, std::string_view value) const {
  const bool masked_length = lower == "content-length" && value == kMask &&
                             veil_->privacy->field(veil_->side, lower) == Sight::kMasked;
  return masked_length ? Status::kOk : check(lower, value);
}

/// What a pseudo-header becomes; null: it stays.
std::optional<std::string> HeaderAccess::pseudo_to_write(std::string_view lower,
                                                         std::string_view value) {
  const auto original = find_pseudo(lower);
  if (!original) return std::string(value);  // which set_pseudo() refuses
  WrittenValues written =
      written_values(*veil_->privacy, {veil_->side, lower}, {*original}, {value});
  veil_->refused = veil_->refused || written.refused;
  if (written.values.size() != 1 || written.values.front() == *original) return std::nullopt;
  return std::move(written.values.front());
}

Status HeaderAccess::change_private(Change how, std::string_view lower, std::string_view value) {
  if (is_pseudo(lower)) {
    const auto text = pseudo_to_write(lower, value);
    if (!text) return Status::kOk;
    return has_room(map_->byte_size(), lower.size() + text->size()) ? set_pseudo(lower, *text, true)
                                                                    : Status::kBadArgument;
  }
  if (const Status status = check_private(lower, value); status != Status::kOk) return status;
  if (is_framing(lower)) return Status::kOk;
  if (how == Change::kReplace || lower == "content-length") return replace_private(lower, {value});
  // What is added is a field of its own: there is nothing that a mask in it could mean.
  WrittenValues written = written_values(*veil_->privacy, {veil_->side, lower}, {}, {value});
  veil_->refused = written.refused;
  size_t bytes = 0;
  for (const std::string& one : written.values) bytes += lower.size() + one.size();
  full_ = map_->size() + written.values.size() > kMaxHeaderMapCount;
  if (full_ || !has_room(map_->byte_size(), bytes)) return Status::kBadArgument;
  for (const std::string& one : written.values) put(Change::kAdd, lower, one);
  return Status::kOk;
}

/// Without a value: removes what is seen of the fields.
Status HeaderAccess::replace_private(std::string_view lower, const Views& given) {
  const Views originals = values_of(lower);
  WrittenValues written = written_values(*veil_->privacy, {veil_->side, lower}, originals, given);
  const bool hidden = veil_->privacy->field(veil_->side, lower) == Sight::kHidden;
  veil_->refused = written.refused || (given.empty() && hidden);
  if (std::equal(originals.begin(), originals.end(), written.values.begin(), written.values.end()))
    return Status::kOk;
  if (!sendable(lower, written.values)) return Status::kBadArgument;
  size_t bytes = 0;
  for (const std::string& one : written.values) bytes += lower.size() + one.size();
  full_ = map_->size() - originals.size() + written.values.size() > kMaxHeaderMapCount;
  if (full_ || !has_room(map_->byte_size(), bytes)) return Status::kBadArgument;
  // One value takes the place of the first, as without rules.
  if (written.values.size() == 1) {
    put(Change::kReplace, lower, written.values.front());
    return Status::kOk;
  }
  map_->remove(lower);
  for (const std::string& one : written.values) map_->add(lower, one);
  return Status::kOk;
}

/// Groups what is given, and what stands there, by name. False: one of the fields cannot be sent.
bool HeaderAccess::write_fields(const PairViews& pairs, std::vector<Field>& fields) {
  std::map<std::string, size_t, std::less<>> places;
  const auto field_of = [&places, &fields](std::string_view lower) -> Field& {
    const auto [place, fresh] = places.try_emplace(std::string(lower), fields.size());
    if (fresh) fields.push_back(Field{std::string(lower), {}});
    return fields[place->second];
  };
  for (const auto& [name, value] : pairs) {
    const std::string lower = base::lower(name);
    if (is_pseudo(lower)) continue;
    if (check_private(lower, value) != Status::kOk) return false;
    field_of(lower).given.push_back(value);
  }
  std::map<std::string_view, Views> originals;
  for (const HeaderMap::Entry& entry : *map_) {
    originals[entry.name].push_back(entry.value);
    field_of(entry.name);
  }
  for (Field& field : fields) {
    const FieldName name{veil_->side, field.name};
    WrittenValues written =
        written_values(*veil_->privacy, name, originals[field.name], field.given);
    veil_->refused = veil_->refused || written.refused;
    if (!sendable(field.name, written.values)) return false;
    field.values = std::move(written.values);
    field.kept =
        field.given.empty() || veil_->privacy->field(name.side, name.lower) == Sight::kHidden;
  }
  return true;
}

Status HeaderAccess::set_all_private(const PairViews& pairs) {
  full_ = pairs.size() > kMaxHeaderMapCount;
  if (full_) return Status::kBadArgument;
  std::vector<Field> fields;
  if (!write_fields(pairs, fields)) return Status::kBadArgument;
  std::vector<std::pair<std::string, std::string>> pseudo;
  size_t count = 0;
  size_t bytes = 0;
  for (const auto& [name, value] : pairs) {
    std::string lower = base::lower(name);
    if (!is_pseudo(lower)) continue;
    auto text = pseudo_to_write(lower, value);
    if (!text) continue;
    if (set_pseudo(lower, *text, false) != Status::kOk) return Status::kBadArgument;
    bytes += lower.size() + text->size();
    pseudo.emplace_back(std::move(lower), std::move(*text));
  }
  for (const Field& field : fields) {
    count += field.values.size();
    for (const std::string& value : field.values) bytes += field.name.size() + value.size();
  }
  full_ = count > kMaxHeaderMapCount;
  if (full_ || !has_room(0, bytes)) return Status::kBadArgument;
  map_->remove_if([](const HeaderMap::Entry&) { return true; });
  for (const Field& field : fields)
    for (const std::string& value : field.values)
      field.kept ? map_->add(field.name, value) : put(Change::kAdd, field.name, value);
  for (const auto& [name, value] : pseudo) set_pseudo(name, value, true);
  return Status::kOk;
}

}  // namespace weir::wasm
