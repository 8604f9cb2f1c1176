#include "wasm/v8/stack.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <utility>

#include "wasm/binary/names.h"

namespace weir::wasm::v8engine {
namespace {

constexpr int kMaxFrames = 10;  // as many as V8 gives a trap
constexpr size_t kMaxText = 4096;

std::string to_text(v8::Isolate* isolate, v8::Local<v8::String> value, const char* fallback) {
  if (value.IsEmpty() || value->Length() == 0) return fallback;
  const v8::String::Utf8Value utf8(isolate, value);
  return *utf8 == nullptr ? std::string(fallback)
                          : std::string(*utf8, static_cast<size_t>(utf8.length()));
}

}  // namespace

std::string current_stack(v8::Isolate* isolate) {
  const v8::HandleScope handles(isolate);
  std::string out;
  const auto stack = v8::StackTrace::CurrentStackTrace(isolate, kMaxFrames);
  for (int i = 0; i < stack->GetFrameCount(); ++i) {
    const auto frame = stack->GetFrame(isolate, static_cast<uint32_t>(i));
    std::array<char, 24> offset{};
    std::snprintf(offset.data(), offset.size(), ":0x%x",
                  static_cast<unsigned>(frame->GetColumn() - 1));  // in the module's bytes
    std::string function = to_text(isolate, frame->GetFunctionName(), "<anonymous>");
    if (function.starts_with('$'))
      function.erase(0, 1);  // as names of the text format; a trap's have none
    // A function without a name has that of its export, which may be any text: here it has to be in one line.
    std::replace_if(function.begin(), function.end(), binary::is_control, '?');
    out.append("\n    at ").append(function);
    out.append(" (").append(to_text(isolate, frame->GetScriptName(), "wasm"));
    out.append(offset.data()).append(")");
  }
  return clipped(std::move(out));
}

std::string clipped(std::string text) {
  if (text.size() > kMaxText) text.resize(std::min(text.rfind('\n', kMaxText), kMaxText));
  return text;
}

}  // namespace weir::wasm::v8engine
