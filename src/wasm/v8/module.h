// A compiled module: V8's native code plus what the binary says of itself.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "wasm/binary/binary.h"
#include "wasm/binary/line_table.h"
#include "wasm/engine.h"
#include "wasm/v8/compat.h"

namespace weir::wasm::v8engine {

/// Owner: shared by the plugins and instances that use it. The native code is V8's and reference-counted there.
class V8Module : public Module {
 public:
  V8Module(binary::Binary binary, v8::CompiledWasmModule compiled)
      : imports_(std::move(binary.imports)),
        exports_(std::move(binary.exports)),
        code_bytes_(binary.bytes.size()),
        compiled_(std::move(compiled)),
        lines_(wire_bytes(), binary.debug) {}

  const std::vector<ImportInfo>& imports() const noexcept override { return imports_; }
  const std::vector<ExportInfo>& exports() const noexcept override { return exports_; }
  size_t code_bytes() const noexcept override { return code_bytes_; }
  const v8::CompiledWasmModule& compiled() const { return compiled_; }
  /// The stack of an instance, with source lines where the module's debug information has them.
  std::string annotate(std::string_view stack) const {
    return lines_.annotate(stack, compiled_.source_url());
  }

 private:
  std::string_view wire_bytes() {
    const auto bytes = compiled_.GetWireBytesRef();
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  }

  std::vector<ImportInfo> imports_;
  std::vector<ExportInfo> exports_;
  size_t code_bytes_;
  v8::CompiledWasmModule compiled_;
  // Views the bytes that V8 keeps, as they were compiled, with compiled_: made after it, gone before it.
  binary::LineTable lines_;
};

}  // namespace weir::wasm::v8engine
