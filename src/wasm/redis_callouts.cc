#include "wasm/redis_callouts.h"

#include <algorithm>
#include <utility>

#include "wasm/vm.h"

namespace weir::wasm {
namespace {

constexpr uint32_t kOk = 0;
constexpr uint32_t kNetworkError = 1;
constexpr uint32_t kBrokenConnection = 11;  // what get_status says after a failed callout

}  // namespace

/// A command in flight. Dies through defer_delete after its completion.
class RedisCallouts::Pending final : public RedisHandler, public event::Deferrable {
 public:
  Pending(RedisCallouts& owner, uint32_t id) noexcept : owner_(owner), id_(id) {}
  uint32_t id() const noexcept { return id_; }
  void hold(std::unique_ptr<Callout> callout) noexcept { callout_ = std::move(callout); }
  void on_redis_done(Result<std::string> reply) noexcept override {
    owner_.deliver(*this, std::move(reply));
  }

 private:
  RedisCallouts& owner_;
  uint32_t id_;
  std::unique_ptr<Callout> callout_;
};

RedisCallouts::RedisCallouts(RootContext& root) : root_(root) {}
RedisCallouts::~RedisCallouts() = default;

bool RedisCallouts::configure(std::string_view cluster, RedisSettings settings) {
  const auto known = settings_.find(cluster);
  if (known != settings_.end()) {
    known->second = std::move(settings);
    return true;
  }
  if (settings_.size() >= kMaxClusters) return false;
  settings_.emplace(std::string(cluster), std::move(settings));
  return true;
}

Result<void> RedisCallouts::start(uint32_t id, std::string_view cluster, std::string_view command) {
  VmOwner* owner = root_.vm().owner();
  if (owner == nullptr) {
    orders_.push_back({id, std::string(cluster), std::string(command)});
    return {};
  }
  RedisCommands* redis = owner->callouts().redis();
  if (redis == nullptr) return fail(Code::kNoCluster, Side::kLocal, "there are no clusters");
  static const RedisSettings kDefault;
  const auto found = settings_.find(cluster);
  auto pending = std::make_unique<Pending>(*this, id);
  auto callout =
      redis->start(cluster, found != settings_.end() ? found->second : kDefault, command, *pending);
  if (!callout) return tl::unexpected(std::move(callout.error()));
  pending->hold(std::move(*callout));
  pending_.push_back(std::move(pending));
  return {};
}

void RedisCallouts::adopt() {
  for (const Order& order : std::exchange(orders_, {}))
    if (!start(order.id, order.cluster, order.command)) failed_.push_back(order.id);
  if (!failed_.empty()) root_.vm().defer_root();
}

void RedisCallouts::detach() noexcept {
  pending_.clear();  // cancels
  orders_.clear();
  failed_.clear();
}

void RedisCallouts::deliver(Pending& pending, Result<std::string> answer) noexcept {
  const auto found = std::find_if(pending_.begin(), pending_.end(),
                                  [&pending](const auto& each) { return each.get() == &pending; });
  if (found == pending_.end()) return;
  std::unique_ptr<Pending> ended = std::move(*found);
  pending_.erase(found);
  const uint32_t id = ended->id();
  root_.vm().owner()->loop().defer_delete(std::move(ended));
  call_guest(id, answer ? &*answer : nullptr);
}

/// Null: the command has failed.
void RedisCallouts::call_guest(uint32_t id, const std::string* answer) {
  Vm& vm = root_.vm();
  if (vm.dead() || !vm.exports().redis_call_response) return;
  reply = answer;
  if (answer == nullptr) {
    root_.status_code = kBrokenConnection;
    root_.status_text = "reset";
  }
  const Value args[] = {root_.id, id, answer != nullptr ? kOk : kNetworkError,
                        answer != nullptr ? answer->size() : 0};
  vm.call(root_, vm.exports().redis_call_response, args);
  reply = nullptr;
  root_.status_code = 0;
  root_.status_text = {};
}

void RedisCallouts::deliver_failures() {
  while (!failed_.empty()) {
    const uint32_t id = failed_.front();
    failed_.erase(failed_.begin());
    call_guest(id, nullptr);
  }
}

}  // namespace weir::wasm
