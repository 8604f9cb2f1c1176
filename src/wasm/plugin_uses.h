// PluginUses: which plugins some configuration still has, the newest one or an older one that streams or connections hold.
#pragma once

#include <memory>

#include "wasm/plugin.h"

namespace weir::wasm {

/// Who wants to know that plugins are used no more.
class UseListener {
 public:
  virtual ~UseListener() = default;
  /// From any thread; posts to the listener's own.
  virtual void on_use_over() = 0;
};

/// Owner: the Host. Thread-safe. Places of a plugin hold their use, and die with the last snapshot that has them: until then
/// the VMs of the plugin may be asked for. Uses may outlive this.
class PluginUses {
 public:
  using Use = std::shared_ptr<const void>;
  PluginUses();
  ~PluginUses();
  PluginUses(const PluginUses&) = delete;
  PluginUses& operator=(const PluginUses&) = delete;

  /// Plugins with an equal key are one.
  Use hold(const Key& plugin);
  bool held(const Key& plugin) const;
  void add(UseListener& listener);
  void remove(UseListener& listener);

 private:
  struct State;
  class Token;
  std::shared_ptr<State> state_;
};

}  // namespace weir::wasm
