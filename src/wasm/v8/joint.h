// The little module that makes one function of several: the engine knows no other way to call two exports with one entry.
#pragma once

#include <span>
#include <string>

#include "wasm/engine.h"

namespace weir::wasm::v8engine {

// What the module imports its functions from, by index, and the names of its two exports.
inline constexpr const char* kJointSpace = "step";
inline constexpr const char* kJointCall = "call";
inline constexpr const char* kJointStep = "at";  // a global: the step that runs, or ran last

/// The binary for Instance::join(). `signatures` are those of the steps' functions; `signature` becomes that of the joint one.
std::string joint_module(std::span<const JointStep> steps,
                         std::span<const Signature* const> signatures, Signature& signature);

}  // namespace weir::wasm::v8engine
