#include <dlfcn.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <string>
#include <vector>

#include "wasm/engine.h"

namespace weir::wasm {
namespace {

std::string folder_of_executable() {
  std::array<char, 4096> path{};
  const ssize_t size = ::readlink("/proc/self/exe", path.data(), path.size());
  if (size <= 0) return ".";
  const std::string full(path.data(), static_cast<size_t>(size));
  return full.substr(0, full.rfind('/'));
}

}  // namespace

Result<Engine*> load_engine(std::string_view name) {
  const std::string file = "libweir_" + std::string(name) + ".so";
  const std::string folder = folder_of_executable();
  std::vector<std::string> places = {folder + "/" + file, folder + "/../lib/weir/" + file,
                                     folder + "/../" + file};
  if (const char* own = std::getenv("WEIR_ENGINE_PATH"))
    places.insert(places.begin(), own + ("/" + file));
  std::string reasons;
  for (const std::string& place : places) {
    if (::access(place.c_str(), R_OK) != 0) continue;
    void* module = ::dlopen(place.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (module == nullptr) {
      reasons += std::string(reasons.empty() ? "" : "; ") + ::dlerror();
      continue;
    }
    auto entry = reinterpret_cast<EngineEntry>(::dlsym(module, kEngineSymbol));
    Engine* engine = entry != nullptr ? entry(kEngineAbi) : nullptr;
    if (engine != nullptr) return engine;
    reasons += place + " is of another version";
  }
  return fail(
      Code::kConfig, Side::kLocal,
      "the Wasm engine " + file + " cannot be loaded" +
          (reasons.empty()
               ? " (not found in $WEIR_ENGINE_PATH, beside or above the binary, or in ../lib/weir)"
               : ": " + reasons));
}

}  // namespace weir::wasm
