#include "wasm/plugin_uses.h"

#include <mutex>
#include <unordered_map>
#include <utility>
#include <vector>

namespace weir::wasm {

struct PluginUses::State {
  std::mutex mutex;  // guards what follows
  std::unordered_map<Key, std::weak_ptr<const Token>, KeyHash> tokens;
  std::vector<UseListener*> listeners;
};

class PluginUses::Token {
 public:
  Token(std::shared_ptr<State> state, const Key& plugin)
      : state_(std::move(state)), plugin_(plugin) {}
  Token(const Token&) = delete;
  Token& operator=(const Token&) = delete;
  ~Token() {
    const std::lock_guard lock(state_->mutex);
    // Another may have been made since the last reference to this one went.
    const auto found = state_->tokens.find(plugin_);
    if (found != state_->tokens.end() && found->second.expired()) state_->tokens.erase(found);
    for (UseListener* each : state_->listeners) each->on_use_over();
  }

 private:
  const std::shared_ptr<State> state_;
  const Key plugin_;
};

PluginUses::PluginUses() : state_(std::make_shared<State>()) {}

PluginUses::~PluginUses() = default;

PluginUses::Use PluginUses::hold(const Key& plugin) {
  const std::lock_guard lock(state_->mutex);
  std::weak_ptr<const Token>& known = state_->tokens[plugin];
  if (Use held = known.lock()) return held;
  auto made = std::make_shared<const Token>(state_, plugin);
  known = made;
  return made;
}

bool PluginUses::held(const Key& plugin) const {
  const std::lock_guard lock(state_->mutex);
  const auto found = state_->tokens.find(plugin);
  return found != state_->tokens.end() && !found->second.expired();
}

void PluginUses::add(UseListener& listener) {
  const std::lock_guard lock(state_->mutex);
  state_->listeners.push_back(&listener);
}

void PluginUses::remove(UseListener& listener) {
  const std::lock_guard lock(state_->mutex);
  std::erase(state_->listeners, &listener);
}

}  // namespace weir::wasm
