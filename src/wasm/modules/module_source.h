// ModuleSource: where the bytes of a module are fetched from, by their digest.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <weir/callout.h>
#include <weir/config_view.h>
#include <weir/result.h>

#include "wasm/plugin.h"

namespace weir::wasm {

inline constexpr size_t kMaxModuleBytes = size_t{64} * 1024 * 1024;

/// One attempt; destroying it cancels it, and nobody is told.
class ModuleFetch {
 public:
  virtual ~ModuleFetch() = default;
};

/// Called once per attempt that was begun and not destroyed, from the event loop, never inside fetch(). The attempt may not be
/// destroyed inside the call.
class ModuleReceiver {
 public:
  virtual ~ModuleReceiver() = default;
  virtual void on_module_fetched(Result<std::string> bytes) noexcept = 0;
};

/// One kind of place to fetch from; what comes is checked by who asked. Immutable. Thread: main.
class ModuleSource {
 public:
  virtual ~ModuleSource() = default;
  /// For messages: the address, with nothing secret in it.
  virtual const std::string& address() const noexcept = 0;
  /// Everything that makes the source: equal text, equal source.
  virtual std::string text() const = 0;
  virtual Result<std::unique_ptr<ModuleFetch>> fetch(Callouts& callouts,
                                                     ModuleReceiver& receiver) const = 0;
};

/// A module that the configuration names and that has to be fetched. Immutable.
struct ModuleRequest {
  Key digest;
  std::shared_ptr<const ModuleSource> source;
  unsigned num_retries = 1;
  std::chrono::milliseconds backoff_base{1000};
  std::chrono::milliseconds backoff_max{10000};
  std::string identity;  // equal text, equal request
};

/// Reads an AsyncDataSource's RemoteDataSource. Null when it is in error (reported on the view).
std::shared_ptr<const ModuleRequest> read_remote_module(ConfigView& remote);

}  // namespace weir::wasm
