#include <weir/header_map.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <utility>

#include "base/block_pool.h"
#include "base/check.h"
#include "base/lower.h"
#include "base/strings.h"

namespace weir {

// Arena memory. Pooled chunks have kRoom bytes; a text that does not fit gets a chunk of its own.
struct HeaderMap::Chunk {
  Chunk* next;
  uint32_t used;
  uint32_t room;
  char* data() noexcept { return reinterpret_cast<char*>(this) + sizeof(Chunk); }
};

namespace {

constexpr size_t kChunkSize = 2048;
constexpr uint32_t kRoom = kChunkSize - 16;
constexpr size_t kFirstEntries = 24;

constinit thread_local base::FreeList chunk_list{kChunkSize, 512};

constexpr size_t kNames = static_cast<size_t>(HeaderId::kCount_);
constexpr std::array<std::string_view, kNames> kTexts = {"",
                                                         "accept",
                                                         "accept-encoding",
                                                         "accept-language",
                                                         "age",
                                                         "authorization",
                                                         "cache-control",
                                                         "connection",
                                                         "content-encoding",
                                                         "content-length",
                                                         "content-type",
                                                         "cookie",
                                                         "date",
                                                         "etag",
                                                         "expect",
                                                         "grpc-message",
                                                         "grpc-status",
                                                         "grpc-timeout",
                                                         "host",
                                                         "http2-settings",
                                                         "if-modified-since",
                                                         "if-none-match",
                                                         "keep-alive",
                                                         "last-modified",
                                                         "location",
                                                         "origin",
                                                         "proxy-authenticate",
                                                         "proxy-authorization",
                                                         "proxy-connection",
                                                         "range",
                                                         "referer",
                                                         "sec-websocket-key",
                                                         "server",
                                                         "set-cookie",
                                                         "te",
                                                         "trailer",
                                                         "transfer-encoding",
                                                         "upgrade",
                                                         "user-agent",
                                                         "vary",
                                                         "via",
                                                         "www-authenticate",
                                                         "x-envoy-expected-rq-timeout-ms",
                                                         "x-envoy-external-address",
                                                         "x-envoy-internal",
                                                         "x-envoy-original-host",
                                                         "x-envoy-original-path",
                                                         "x-envoy-overloaded",
                                                         "x-envoy-upstream-service-time",
                                                         "x-forwarded-client-cert",
                                                         "x-forwarded-for",
                                                         "x-forwarded-host",
                                                         "x-forwarded-proto",
                                                         "x-request-id"};
static_assert(kTexts.back() == "x-request-id");

// A perfect hash over length, first, middle and last byte; the multiplier is searched at compile time.
constexpr size_t kSlots = 256;
constexpr uint32_t hash_name(std::string_view name, uint32_t seed) noexcept {
  const auto at = [name](size_t i) {
    return static_cast<uint32_t>(static_cast<unsigned char>(name[i]));
  };
  const size_t n = name.size();
  const uint32_t mixed =
      (at(0) << 24 | at(n - 1) << 16 | at(n / 2) << 8 | static_cast<uint32_t>(n)) ^ at(n / 3) << 4;
  return (mixed * seed) >> 24;
}

constexpr bool is_perfect(uint32_t seed) noexcept {
  std::array<bool, kSlots> taken{};
  for (size_t i = 1; i < kNames; ++i) {
    bool& slot = taken[hash_name(kTexts[i], seed)];
    if (slot) return false;
    slot = true;
  }
  return true;
}

constexpr uint32_t find_seed() noexcept {
  for (uint32_t k = 1; k < 20000; ++k) {
    const uint32_t seed = k * 2654435761u | 1u;
    if (is_perfect(seed)) return seed;
  }
  return 0;
}
constexpr uint32_t kSeed = find_seed();
static_assert(kSeed != 0, "no perfect hash found: use another mix of bytes");

constexpr std::array<HeaderId, kSlots> make_slots() noexcept {
  std::array<HeaderId, kSlots> slots{};
  for (size_t i = 1; i < kNames; ++i) slots[hash_name(kTexts[i], kSeed)] = static_cast<HeaderId>(i);
  return slots;
}
constexpr std::array<HeaderId, kSlots> kIds = make_slots();

// Entry vectors that dead maps left behind, so that a new map starts without malloc.
constexpr size_t kSpareVectors = 64;
struct SpareEntries {
  std::array<std::vector<HeaderMap::Entry>, kSpareVectors> vectors;
  size_t count = 0;
};
// A plain pointer is reached without the guard of a thread-local with destructor; the owner is below.
constinit thread_local SpareEntries* spare_entries = nullptr;
constinit thread_local bool spare_entries_over = false;
struct SpareEntriesExit {
  ~SpareEntriesExit() {
    spare_entries_over = true;
    spare_entries = nullptr;
  }
  std::unique_ptr<SpareEntries> owned = std::make_unique<SpareEntries>();
};
thread_local SpareEntriesExit spare_entries_exit;

void take_entries(std::vector<HeaderMap::Entry>& entries) {
  if (spare_entries != nullptr && spare_entries->count > 0) {
    entries.swap(spare_entries->vectors[--spare_entries->count]);
    return;
  }
  entries.reserve(kFirstEntries);
}

void give_entries(std::vector<HeaderMap::Entry>& entries) noexcept {
  // Large ones are the exception and not worth keeping.
  if (entries.capacity() == 0 || entries.capacity() > 4 * kFirstEntries || spare_entries_over)
    return;
  if (spare_entries == nullptr) {
    spare_entries = spare_entries_exit.owned.get();
  }
  if (spare_entries->count == kSpareVectors) return;
  entries.clear();
  spare_entries->vectors[spare_entries->count++].swap(entries);
}

}  // namespace

HeaderId header_id(std::string_view name) noexcept {
  if (name.empty()) return HeaderId::kOther;
  const HeaderId id = kIds[hash_name(name, kSeed)];
  return kTexts[static_cast<size_t>(id)] == name ? id : HeaderId::kOther;
}

std::string_view header_name(HeaderId id) noexcept {
  WEIR_DCHECK(id != HeaderId::kOther && id < HeaderId::kCount_);
  return kTexts[static_cast<size_t>(id)];
}

HeaderMap::HeaderMap(HeaderMap&& other) noexcept
    : entries_(std::move(other.entries_)),
      chunks_(std::exchange(other.chunks_, nullptr)),
      bytes_(std::exchange(other.bytes_, 0)) {
  other.entries_.clear();
}

HeaderMap& HeaderMap::operator=(HeaderMap&& other) noexcept {
  if (this != &other) {
    clear();
    entries_.swap(other.entries_);
    std::swap(chunks_, other.chunks_);
    std::swap(bytes_, other.bytes_);
  }
  return *this;
}

HeaderMap::~HeaderMap() {
  clear();
  if (chunks_ != nullptr) chunk_list.give(chunks_);
  give_entries(entries_);
}

void HeaderMap::clear() noexcept {
  entries_.clear();
  bytes_ = 0;
  Chunk* kept = nullptr;
  while (chunks_ != nullptr) {
    Chunk* chunk = chunks_;
    chunks_ = chunk->next;
    if (chunk->room != kRoom) {
      std::free(chunk);
    } else if (kept == nullptr) {
      kept = chunk;
      kept->next = nullptr;
      kept->used = 0;
    } else {
      chunk_list.give(chunk);
    }
  }
  chunks_ = kept;
}

char* HeaderMap::allocate(size_t n) {
  if (chunks_ != nullptr && chunks_->room - chunks_->used >= n) {
    char* at = chunks_->data() + chunks_->used;
    chunks_->used += static_cast<uint32_t>(n);
    return at;
  }
  static_assert(sizeof(Chunk) == kChunkSize - kRoom);
  if (n > kRoom / 2) {
    // Large texts go into a chunk of their own, put behind the current one, which stays in use.
    WEIR_CHECK(n < UINT32_MAX - kChunkSize);
    const size_t room = n == kRoom ? n + 1 : n;
    auto* large = static_cast<Chunk*>(std::malloc(sizeof(Chunk) + room));
    WEIR_CHECK(large != nullptr);
    large->used = large->room = static_cast<uint32_t>(room);
    if (chunks_ != nullptr) {
      large->next = chunks_->next;
      chunks_->next = large;
    } else {
      large->next = nullptr;
      chunks_ = large;
    }
    return large->data();
  }
  auto* chunk = static_cast<Chunk*>(chunk_list.take());
  chunk->room = kRoom;
  chunk->used = static_cast<uint32_t>(n);
  chunk->next = chunks_;
  chunks_ = chunk;
  return chunk->data();
}

size_t HeaderMap::arena_bytes() const noexcept {
  size_t bytes = 0;
  for (const Chunk* chunk = chunks_; chunk != nullptr; chunk = chunk->next) bytes += chunk->room;
  return bytes;
}

std::string_view HeaderMap::store(std::string_view text) {
  if (text.empty()) return {};
  char* at = allocate(text.size());
  std::memcpy(at, text.data(), text.size());
  return {at, text.size()};
}

void HeaderMap::add_stored(std::string_view name, std::string_view value, HeaderId id) {
  if (entries_.capacity() == 0) take_entries(entries_);
  entries_.push_back(Entry{name, value, id});
  bytes_ += name.size() + value.size();
}

std::string_view HeaderMap::store_name(std::string_view name, HeaderId& id) {
  id = header_id(name);
  if (id != HeaderId::kOther) return header_name(id);
  char* at = allocate(name.size());
  const bool changed = base::copy_lower(name, at);
  const std::string_view lower(at, name.size());
  if (changed) id = header_id(lower);
  return lower;
}

void HeaderMap::add(std::string_view name, std::string_view value) {
  HeaderId id = HeaderId::kOther;
  const std::string_view stored = store_name(name, id);
  add_stored(stored, store(value), id);
}

void HeaderMap::add(HeaderId id, std::string_view value) {
  add_stored(header_name(id), store(value), id);
}

std::optional<std::string_view> HeaderMap::get(HeaderId id) const noexcept {
  for (const Entry& entry : entries_) {
    if (entry.id == id) return entry.value;
  }
  return std::nullopt;
}

std::optional<std::string_view> HeaderMap::get(std::string_view lower_name) const noexcept {
  const HeaderId id = header_id(lower_name);
  if (id != HeaderId::kOther) return get(id);
  for (const Entry& entry : entries_) {
    if (entry.id == HeaderId::kOther && entry.name == lower_name) return entry.value;
  }
  return std::nullopt;
}

size_t HeaderMap::count(std::string_view lower_name) const noexcept {
  size_t found = 0;
  for (const Entry& entry : entries_) found += entry.name == lower_name ? 1 : 0;
  return found;
}

std::string HeaderMap::joined(std::string_view lower_name) const {
  std::string text;
  bool first = true;
  for (const Entry& entry : entries_) {
    if (entry.name != lower_name) continue;
    if (!first) text += ',';
    first = false;
    text += entry.value;
  }
  return text;
}

size_t HeaderMap::find_from(size_t at, std::string_view name, HeaderId id) const noexcept {
  const size_t size = entries_.size();
  if (id != HeaderId::kOther) {
    while (at < size && entries_[at].id != id) ++at;
  } else {
    while (at < size && (entries_[at].id != id || entries_[at].name != name)) ++at;
  }
  return at;
}

void HeaderMap::set_stored(std::string_view name, std::string_view value, HeaderId id) {
  const size_t first = find_from(0, name, id);
  if (first == entries_.size()) return add_stored(name, value, id);
  bytes_ = bytes_ - entries_[first].value.size() + value.size();
  entries_[first].value = value;
  size_t more = find_from(first + 1, name, id);
  if (more == entries_.size()) return;
  size_t kept = more;
  while (more < entries_.size()) {
    bytes_ -= entries_[more].name.size() + entries_[more].value.size();
    const size_t next = find_from(more + 1, name, id);
    while (++more < next) entries_[kept++] = entries_[more];
  }
  entries_.resize(kept);
}

void HeaderMap::set(std::string_view name, std::string_view value) {
  HeaderId id = HeaderId::kOther;
  const std::string_view stored = store_name(name, id);
  set_stored(stored, store(value), id);
}

void HeaderMap::set(HeaderId id, std::string_view value) {
  set_stored(header_name(id), store(value), id);
}

size_t HeaderMap::remove(HeaderId id) noexcept {
  return remove_if([id](const Entry& entry) { return entry.id == id; });
}

size_t HeaderMap::remove(std::string_view lower_name) noexcept {
  const HeaderId id = header_id(lower_name);
  if (id != HeaderId::kOther) return remove(id);
  return remove_if([lower_name](const Entry& entry) {
    return entry.id == HeaderId::kOther && entry.name == lower_name;
  });
}

void HeaderMap::copy_from(const HeaderMap& other) {
  if (this == &other) return;
  clear();
  for (const Entry& entry : other.entries_) {
    const std::string_view name =
        entry.id != HeaderId::kOther ? header_name(entry.id) : store(entry.name);
    add_stored(name, store(entry.value), entry.id);
  }
}

}  // namespace weir
