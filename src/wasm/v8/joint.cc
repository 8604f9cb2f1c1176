#include "wasm/v8/joint.h"

#include <algorithm>
#include <string_view>

#include "wasm/binary/binary_format.h"

namespace weir::wasm::v8engine {
namespace {

using binary::write_leb;

// Codes of the binary format (WebAssembly core specification 1.0, chapter 5).
enum Code : char {
  kI32 = 0x7f,
  kFunctionType = 0x60,
  kMutable = 0x01,
  kKindFunction = 0x00,
  kKindGlobal = 0x03,
  kEnd = 0x0b,
  kCall = 0x10,
  kDrop = 0x1a,
  kLocalGet = 0x20,
  kGlobalSet = 0x24,
  kI32Const = 0x41,
};
void put_bytes(std::string& out, std::string_view bytes) {
  write_leb(out, bytes.size());
  out += bytes;
}
void put_section(std::string& out, binary::Section id, std::string_view content) {
  out += static_cast<char>(id);
  put_bytes(out, content);
}
void put_type(std::string& out, const Signature& signature) {
  out += kFunctionType;
  put_bytes(out, std::string(signature.params.size(), kI32));
  put_bytes(out, std::string(signature.results.size(), kI32));
}

std::string body(std::span<const JointStep> steps, std::span<const Signature* const> signatures) {
  std::string out(1, 0);  // no locals
  for (size_t i = 0; i < steps.size(); ++i) {
    out += kI32Const;
    write_leb(out, i);  // below 64, so that the signed encoding is the same
    out += kGlobalSet;
    write_leb(out, 0);
    for (const uint8_t argument : steps[i].arguments) {
      out += kLocalGet;
      write_leb(out, argument);
    }
    out += kCall;
    write_leb(out, i);
    if (i + 1 < steps.size() && !signatures[i]->results.empty()) out += kDrop;
  }
  out += kEnd;
  return out;
}

}  // namespace

std::string joint_module(std::span<const JointStep> steps,
                         std::span<const Signature* const> signatures, Signature& signature) {
  const size_t count = signatures.size();
  size_t params = 0;
  for (const JointStep& step : steps)
    for (const uint8_t argument : step.arguments) params = std::max<size_t>(params, argument + 1);
  signature.params.assign(params, ValueType::kI32);
  signature.results = signatures.back()->results;

  // Types and imports have the numbers of the steps; the joint function comes behind both.
  std::string types, imports, functions, globals, exports, codes;
  write_leb(types, count + 1);
  write_leb(imports, count);
  for (size_t i = 0; i < count; ++i) {
    put_type(types, *signatures[i]);
    put_bytes(imports, kJointSpace);
    put_bytes(imports, std::to_string(i));
    imports += kKindFunction;
    write_leb(imports, i);
  }
  put_type(types, signature);
  write_leb(functions, 1);
  write_leb(functions, count);
  write_leb(globals, 1);
  for (const char code : {char{kI32}, char{kMutable}, char{kI32Const}, char{0}, char{kEnd}})
    globals += code;
  write_leb(exports, 2);
  put_bytes(exports, kJointCall);
  exports += kKindFunction;
  write_leb(exports, count);
  put_bytes(exports, kJointStep);
  exports += kKindGlobal;
  write_leb(exports, 0);
  write_leb(codes, 1);
  put_bytes(codes, body(steps, signatures));

  std::string out("\0asm\1\0\0\0", 8);
  put_section(out, binary::kTypes, types);
  put_section(out, binary::kImports, imports);
  put_section(out, binary::kFunctions, functions);
  put_section(out, binary::kGlobals, globals);
  put_section(out, binary::kExports, exports);
  put_section(out, binary::kCodes, codes);
  return out;
}

}  // namespace weir::wasm::v8engine
