// Commands to Redis servers, as Higress has them.
#include <utility>

#include "base/strings.h"
#include "upstream/redis/protocol.h"
#include "wasm/abi/abi.h"

namespace weir::wasm::abi {
namespace {

constexpr uint32_t kMaxDatabase = 1'000'000;
constexpr uint64_t kMaxFlushBytes = 1024 * 1024;
constexpr uint64_t kMaxMilliseconds = 24 * 60 * 60 * 1000;

/// "name?db=1&buffer_flush_timeout=3&max_buffer_size_before_flush=1024": the name, and the rest into `settings`. Other
/// parameters mean nothing. False: a number is none, or too large.
bool read_target(std::string_view text, std::string_view& name, RedisSettings& settings) {
  const size_t mark = text.find('?');
  name = text.substr(0, mark);
  if (mark == std::string_view::npos) return true;
  for (const std::string_view part : base::split(text.substr(mark + 1), '&')) {
    const size_t equals = part.find('=');
    if (equals == std::string_view::npos) continue;
    const std::string_view key = part.substr(0, equals);
    const auto value = base::parse_u64(part.substr(equals + 1));
    if (key == "db") {
      if (!value || *value > kMaxDatabase) return false;
      settings.database = static_cast<uint32_t>(*value);
    } else if (key == "buffer_flush_timeout") {
      if (!value || *value > kMaxMilliseconds) return false;
      settings.flush_timeout = std::chrono::milliseconds(*value);
    } else if (key == "max_buffer_size_before_flush") {
      if (!value || *value > kMaxFlushBytes) return false;
      settings.flush_bytes = *value;
    }
  }
  return true;
}

/// Whether commands of this plugin may go there.
bool may_reach(Vm& vm, std::string_view cluster) {
  if (cluster.empty()) return false;
  if (!vm.root().plugin().may_call(cluster)) {
    vm.count_limit(LimitKind::kClusters);
    return false;
  }
  return vm.owner() == nullptr || vm.owner()->callouts().knows_cluster(cluster);
}

}  // namespace

Status redis_init(Vm& vm, const Value* args) {
  const GuestMemory memory = vm.memory();
  const auto target = memory.view(args[0], args[1]);
  const auto user = memory.view(args[2], args[3]);
  const auto password = memory.view(args[4], args[5]);
  if (!target || !user || !password) return Status::kInvalidMemoryAccess;
  RedisSettings settings;
  std::string_view cluster;
  if (!read_target(*target, cluster, settings) || u32(args[6]) > kMaxMilliseconds ||
      user->size() > kMaxPathBytes || password->size() > kMaxPathBytes || !may_reach(vm, cluster))
    return Status::kBadArgument;
  settings.user = *user;
  settings.password = *password;
  if (u32(args[6]) != 0) settings.timeout = std::chrono::milliseconds(u32(args[6]));
  return vm.root().redis.configure(cluster, std::move(settings)) ? Status::kOk
                                                                 : Status::kInternalFailure;
}

constexpr size_t kMaxCommandBytes = 4 * 1024 * 1024;

Status redis_call(Vm& vm, const Value* args) {
  const GuestMemory memory = vm.memory();
  const auto target = memory.view(args[0], args[1]);
  const auto command = memory.view(args[2], args[3]);
  if (!target || !command || !memory.store<uint32_t>(args[4], 0))
    return Status::kInvalidMemoryAccess;
  const std::string_view cluster = target->substr(0, target->find('?'));
  if (command->size() > kMaxCommandBytes || !may_reach(vm, cluster)) return Status::kBadArgument;
  // On a worker the client looks itself.
  if (vm.owner() == nullptr && !upstream::redis::check_command(*command))
    return Status::kBadArgument;
  if (!vm.may_start_callout()) return Status::kInternalFailure;
  const uint32_t id = vm.next_callout_id(CalloutKind::kRedis);
  // A canary's commands get an id and never complete.
  if (!vm.canary()) {
    if (auto started = vm.root().redis.start(id, cluster, *command); !started) {
      const Code code = started.error().code;
      return code == Code::kNoCluster || code == Code::kInvalidArgument ? Status::kBadArgument
                                                                        : Status::kInternalFailure;
    }
  }
  memory.store<uint32_t>(args[4], id);
  return Status::kOk;
}

}  // namespace weir::wasm::abi
