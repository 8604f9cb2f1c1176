// The few places where the V8 versions that weir builds with (10.2 and 11.3) differ, and their headers without warnings.
#pragma once

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-parameter"
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
#include <libplatform/libplatform.h>
#include <v8.h>
#pragma GCC diagnostic pop

#include <cstring>
#include <utility>

namespace weir::wasm::v8engine {

/// Tells V8 that SIGSEGV inside guest memory is a trap: bounds checks then cost nothing.
inline bool enable_trap_handler() { return v8::V8::EnableWebAssemblyTrapHandler(true); }

/// The small integer that a handle refers to; false: it is something else. What V8's own inline functions do; its exported ones
/// cost a call across libraries for each argument of each host call.
inline bool small_integer(v8::Local<v8::Value> value, int32_t& out) {
  using v8::internal::Internals;
  const auto tagged = *reinterpret_cast<const v8::internal::Address*>(*value);
  if (Internals::HasHeapObjectTag(tagged)) return false;
  out = Internals::SmiValue(tagged);
  return true;
}

/// A handle is the address of a slot with a tagged value.
template <typename T>
v8::Local<T> handle_at(const v8::internal::Address* slot) {
  v8::Local<T> handle;
  static_assert(sizeof handle == sizeof slot);
  std::memcpy(static_cast<void*>(&handle), &slot, sizeof handle);
  return handle;
}

/// A handle to a small integer at `place`, which must outlive it. The collector has nothing to do with small integers, so V8
/// need not know of the place.
inline v8::Local<v8::Value> small_handle(int32_t value, v8::internal::Address& place) {
  static_assert(v8::internal::SmiValuesAre32Bits());
  place = v8::internal::Internals::IntToSmi(value);
  return handle_at<v8::Value>(&place);
}

/// The object of a strong handle, without making another handle: valid as long as `global` holds it.
template <typename T>
v8::Local<T> strong(const v8::Global<T>& global) {
  v8::Local<T> handle;
  static_assert(sizeof handle == sizeof global);
  std::memcpy(static_cast<void*>(&handle), static_cast<const void*>(&global), sizeof handle);
  return handle;
}

inline v8::Local<v8::String> text(v8::Isolate* isolate, std::string_view value) {
  return v8::String::NewFromUtf8(isolate, value.data(), v8::NewStringType::kNormal,
                                 static_cast<int>(value.size()))
      .ToLocalChecked();
}

}  // namespace weir::wasm::v8engine
