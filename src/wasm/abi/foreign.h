// Envoy's foreign functions: those that need more than a line.
#pragma once

#include <string>
#include <string_view>

#include "wasm/abi/abi.h"

namespace weir::wasm::abi {

// Bounds of what one call may cost its worker; beyond them: kBadArgument.
inline constexpr size_t kMaxCompressBytes = 4 * 1024 * 1024;
inline constexpr size_t kMaxUncompressedBytes = 16 * 1024 * 1024;
inline constexpr size_t kMaxSignedBytes = 16 * 1024 * 1024;

Status foreign_compress(Vm& vm, std::string_view argument, std::string& result);
Status foreign_uncompress(Vm& vm, std::string_view argument, std::string& result);
Status foreign_verify_signature(Vm& vm, std::string_view argument, std::string& result);
Status foreign_sign(Vm& vm, std::string_view argument, std::string& result);
Status foreign_set_filter_state(Vm& vm, std::string_view argument, std::string& result);
Status foreign_declare_property(Vm& vm, std::string_view argument, std::string& result);
Status foreign_expr_create(Vm& vm, std::string_view argument, std::string& result);
Status foreign_expr_evaluate(Vm& vm, std::string_view argument, std::string& result);
Status foreign_expr_delete(Vm& vm, std::string_view argument, std::string& result);

}  // namespace weir::wasm::abi
