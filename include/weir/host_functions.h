// HostFunctions: what an embedder of weir offers Wasm guests besides the Proxy-Wasm ABI.
#pragma once

#include <cstdint>
#include <cstring>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace weir {

/// Answers of the Proxy-Wasm ABI. SDKs treat others than kOk, kNotFound and kEmpty as a fault of the guest.
enum class GuestStatus : uint32_t {
  kOk = 0,
  kNotFound = 1,
  kBadArgument = 2,
  kSerializationFailure = 3,
  kParseFailure = 4,
  kInvalidMemoryAccess = 6,
  kEmpty = 7,
  kCasMismatch = 8,
  kInternalFailure = 10,
  kUnimplemented = 12,
};

/// The call of a guest that a host function serves, and the guest's memory. Valid until the function returns; thread: the call's.
/// Addresses and sizes come from the guest: each one is checked here.
class GuestCall {
 public:
  /// The bytes of a range; nothing if it does not lie in the memory. Valid until give(), which may move the memory.
  virtual std::optional<std::string_view> view(uint32_t at, uint32_t size) const noexcept = 0;
  /// False, and nothing is written: the range does not lie in the memory.
  virtual bool write(uint32_t at, std::string_view bytes) noexcept = 0;
  /// Hands bytes to the guest: memory from its own allocator, whose address and size are stored as u32 at the two places.
  virtual GuestStatus give(std::string_view bytes, uint32_t pointer_at, uint32_t size_at) = 0;
  /// A number, little-endian, at any address.
  template <typename T>
  std::optional<T> load(uint32_t at) const noexcept {
    static_assert(std::is_arithmetic_v<T>);
    const auto bytes = view(at, sizeof(T));
    if (!bytes) return std::nullopt;
    T value;
    std::memcpy(&value, bytes->data(), sizeof(T));
    return value;
  }
  /// As write().
  template <typename T>
  bool store(uint32_t at, T value) noexcept {
    static_assert(std::is_arithmetic_v<T>);
    return write(at, {reinterpret_cast<const char*>(&value), sizeof(T)});
  }
  /// A property of what the call is about, in the encoding and with the answer that the guest would get: the plugin's `privacy`
  /// holds. Segments of the path are joined by NUL.
  virtual GuestStatus property(std::string_view path, std::string& out) = 0;
  virtual std::string_view plugin_name() const noexcept = 0;
  virtual std::string_view vm_id() const noexcept = 0;
  /// The VM only tries whether the module starts: what outlives the call is better left.
  virtual bool trial() const noexcept = 0;

 protected:
  ~GuestCall() = default;
};

/// Behind proxy_call_foreign_function. `data` is what was registered; `argument` is valid as a view is; `result` goes to the guest
/// whatever the status.
using ForeignFunction = GuestStatus (*)(void* data, GuestCall& call, std::string_view argument,
                                        std::string& result);
/// Behind an import: one slot per parameter, i32 in the low bits. The return value is the result, if it has one.
using ImportFunction = uint64_t (*)(void* data, GuestCall& call, std::span<const uint64_t> args);

/// The numbers of WebAssembly that an import may have.
enum class GuestType : uint8_t { kI32, kI64 };

/// The type of an import. A module that declares another one is refused like one whose import is not known, and the message has
/// the type that it declares.
struct GuestSignature {
  std::vector<GuestType> params;
  std::optional<GuestType> result =
      GuestType::kI32;  // nothing: what the function returns is dropped
};

/// Filled by the embedder before the server runs, then only read; what `data` points to outlives the server. The functions are
/// called on all workers at the same time, and on the thread that starts VMs; they must not block or throw. They are not called
/// while the module's own start or the guest's allocator runs: the guest gets kInternalFailure.
class HostFunctions {
 public:
  struct Foreign {
    ForeignFunction function = nullptr;
    void* data = nullptr;
  };
  struct Import {
    GuestSignature signature;
    ImportFunction function = nullptr;
    void* data = nullptr;
  };

  /// Stands before a function of weir's of that name.
  void add_foreign(std::string name, ForeignFunction function, void* data = nullptr) {
    foreign_.insert_or_assign(std::move(name), Foreign{function, data});
  }
  /// False: the module's name is the ABI's ("env", "wasi_…") and not free.
  bool add_import(std::string module, const std::string& name, GuestSignature signature,
                  ImportFunction function, void* data = nullptr) {
    if (module.empty() || module == "env" || module.starts_with("wasi_")) return false;
    imports_.insert_or_assign(std::move(module) + '.' + name,
                              Import{std::move(signature), function, data});
    return true;
  }
  const Foreign* find_foreign(std::string_view name) const noexcept {
    const auto found = foreign_.find(name);
    return found == foreign_.end() ? nullptr : &found->second;
  }
  /// By "module.name", as capability lists have it.
  const Import* find_import(std::string_view name) const noexcept {
    const auto found = imports_.find(name);
    return found == imports_.end() ? nullptr : &found->second;
  }

 private:
  std::map<std::string, Foreign, std::less<>> foreign_;
  std::map<std::string, Import, std::less<>> imports_;
};

}  // namespace weir
