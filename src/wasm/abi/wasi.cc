#include "wasm/abi/wasi.h"

#include <algorithm>
#include <chrono>
#include <cstring>

#include "base/random.h"

namespace weir::wasm::abi {
namespace {

constexpr uint8_t kCharacterDevice = 2;
constexpr uint64_t kRightFdWrite = 64;
constexpr uint32_t kMaxVectors = 1024;
// Nothing can end a call while the host is at work for it. Of what is written the guest is told how much was taken; so many
// random bytes are some ten milliseconds' worth.
constexpr size_t kMaxWriteBytes = 64 * 1024;
constexpr uint32_t kMaxRandomBytes = 8 * 1024 * 1024;

bool standard(Value fd) noexcept { return u32(fd) <= 2; }

/// Lines become log records: some runtimes write one message in twenty pieces. What is left of one is told at the end of the call.
void write_standard(Vm& vm, uint32_t fd, std::string_view text) {
  std::string& line = vm.standard_streams().lines[fd - 1];
  const uint32_t level = Vm::StandardStreams::kLevels[fd - 1];
  while (!text.empty()) {
    const size_t end = text.find('\n');
    line += text.substr(0, std::min(end, kMaxLogLineBytes));
    if (end == std::string_view::npos && line.size() < kMaxLogLineBytes) {
      vm.standard_streams().begun = true;
      return;
    }
    vm.log(level, line);
    line.clear();
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
}

Errno write_vectors(Vm& vm, const Value* args, size_t written_at) {
  const uint32_t fd = u32(args[0]);
  if (fd != 1 && fd != 2) return Errno::kBadf;
  if (u32(args[2]) > kMaxVectors) return Errno::kInval;
  const GuestMemory memory = vm.memory();
  if (!memory.contains(u32(args[written_at]), 4)) return Errno::kFault;
  size_t total = 0;
  // All are looked at before the first byte is written.
  for (const bool really : {false, true}) {
    for (uint32_t i = 0; i < u32(args[2]); ++i) {
      const uint64_t at = uint64_t{u32(args[1])} + uint64_t{i} * 8;
      if (!memory.contains(at, 8)) return Errno::kFault;
      const auto text = memory.view(*memory.load<uint32_t>(at), *memory.load<uint32_t>(at + 4));
      if (!text) return Errno::kFault;
      if (!really) continue;
      const std::string_view taken = text->substr(0, kMaxWriteBytes - total);
      write_standard(vm, fd, taken);
      total += taken.size();
    }
  }
  memory.store<uint32_t>(args[written_at], static_cast<uint32_t>(total));
  return Errno::kOk;
}

Errno stored(bool ok) noexcept { return ok ? Errno::kOk : Errno::kFault; }

/// u64 device, u64 inode, u8 type, ...; the number of links, behind it, has 4 bytes under the name of 2019 and 8 since.
Errno write_filestat(Vm& vm, const Value* args, size_t size) {
  if (!standard(args[0])) return Errno::kBadf;
  char stat[64] = {};
  stat[16] = kCharacterDevice;
  return stored(vm.memory().write(args[1], {stat, size}));
}

/// Never waits: clock subscriptions are reported as due, so that sleeping runtimes go on.
Errno poll(Vm& vm, const Value* args, uint64_t subscription) {
  constexpr uint64_t kEvent = 32;
  const GuestMemory memory = vm.memory();
  const uint64_t in = u32(args[0]);
  const uint64_t out = u32(args[1]);
  const uint64_t count = u32(args[2]);
  if (!memory.contains(in, count * subscription) || !memory.contains(out, count * kEvent) ||
      !memory.contains(u32(args[3]), 4))
    return Errno::kFault;
  uint32_t events = 0;
  for (uint64_t i = 0; i < count; ++i) {
    const uint64_t from = in + i * subscription;
    const auto type = memory.load<uint8_t>(from + 8);
    if (!type || *type != 0) continue;
    char event[kEvent] = {};  // u64 user data, u16 errno, u8 type
    const auto user_data = memory.load<uint64_t>(from);
    std::memcpy(event, &*user_data, sizeof *user_data);
    memory.write(out + events * kEvent, {event, sizeof event});
    ++events;
  }
  memory.store<uint32_t>(args[3], events);
  return Errno::kOk;
}

uint64_t nanoseconds(std::chrono::nanoseconds time) noexcept {
  return static_cast<uint64_t>(time.count());
}

}  // namespace

Errno fd_write(Vm& vm, const Value* args) { return write_vectors(vm, args, 3); }
Errno fd_pwrite(Vm& vm, const Value* args) { return write_vectors(vm, args, 4); }

Errno fd_read(Vm& vm, const Value* args) {
  if (u32(args[0]) != 0) return Errno::kBadf;
  return stored(vm.memory().store<uint32_t>(args[3], 0));  // standard input has ended
}

Errno fd_close(Vm&, const Value* args) { return standard(args[0]) ? Errno::kOk : Errno::kBadf; }
Errno fd_seek(Vm&, const Value* args) { return standard(args[0]) ? Errno::kSpipe : Errno::kBadf; }
Errno standard_only(Vm&, const Value* args) {
  return standard(args[0]) ? Errno::kOk : Errno::kBadf;
}
Errno fd_renumber(Vm&, const Value* args) {
  return standard(args[0]) ? Errno::kNotsup : Errno::kBadf;
}

Errno fd_fdstat_get(Vm& vm, const Value* args) {
  if (!standard(args[0])) return Errno::kBadf;
  char stat[24] = {};  // u8 type, u16 flags at 2, u64 rights at 8, u64 inherited rights at 16
  stat[0] = kCharacterDevice;
  const uint64_t rights = kRightFdWrite;
  std::memcpy(stat + 8, &rights, sizeof rights);
  return stored(vm.memory().write(args[1], {stat, sizeof stat}));
}

Errno fd_filestat_get(Vm& vm, const Value* args) { return write_filestat(vm, args, 64); }
Errno fd_filestat_get_2019(Vm& vm, const Value* args) { return write_filestat(vm, args, 56); }

Errno fd_readdir(Vm& vm, const Value* args) {
  if (!standard(args[0])) return Errno::kBadf;
  return vm.memory().store<uint32_t>(args[4], 0) ? Errno::kNotdir : Errno::kFault;
}

Errno path_readlink(Vm& vm, const Value* args) {
  return vm.memory().store<uint32_t>(args[5], 0) ? Errno::kNotsup : Errno::kFault;
}

Errno environ_sizes_get(Vm& vm, const Value* args) {
  const auto& environment = vm.vm_config().environment;
  size_t bytes = 0;
  for (const auto& [name, value] : environment) bytes += name.size() + value.size() + 2;
  const GuestMemory memory = vm.memory();
  return stored(memory.store<uint32_t>(args[0], static_cast<uint32_t>(environment.size())) &&
                memory.store<uint32_t>(args[1], static_cast<uint32_t>(bytes)));
}

Errno environ_get(Vm& vm, const Value* args) {
  const GuestMemory memory = vm.memory();
  uint64_t pointer_at = u32(args[0]);
  uint64_t text_at = u32(args[1]);
  for (const auto& [name, value] : vm.vm_config().environment) {
    const std::string text = name + "=" + value + '\0';
    if (!memory.contains(pointer_at, 4) || !memory.contains(text_at, text.size()))
      return Errno::kFault;
    memory.store<uint32_t>(pointer_at, static_cast<uint32_t>(text_at));
    memory.write(text_at, text);
    pointer_at += 4;
    text_at += text.size();
  }
  return Errno::kOk;
}

Errno args_sizes_get(Vm& vm, const Value* args) {
  const GuestMemory memory = vm.memory();
  return stored(memory.store<uint32_t>(args[0], 0) && memory.store<uint32_t>(args[1], 0));
}

Errno clock_time_get(Vm& vm, const Value* args) {
  uint64_t now = 0;
  if (u32(args[0]) == 0) {
    now = nanoseconds(std::chrono::system_clock::now().time_since_epoch());
  } else if (u32(args[0]) <= 3) {  // monotonic; the two CPU clocks are served by it too
    now = nanoseconds(std::chrono::steady_clock::now().time_since_epoch());
  } else {
    return Errno::kNotsup;
  }
  return stored(vm.memory().store<uint64_t>(args[2], now));
}

Errno clock_res_get(Vm& vm, const Value* args) {
  if (u32(args[0]) > 3) return Errno::kNotsup;
  return stored(vm.memory().store<uint64_t>(args[1], 1));
}

Errno random_get(Vm& vm, const Value* args) {
  char* to = vm.memory().writable(args[0], args[1]);
  if (to == nullptr) return Errno::kFault;
  if (u32(args[1]) > kMaxRandomBytes) return Errno::kInval;
  base::fill_random({reinterpret_cast<uint8_t*>(to), u32(args[1])});
  return Errno::kOk;
}

Errno poll_oneoff(Vm& vm, const Value* args) { return poll(vm, args, 48); }
// Its clocks had a number of their own before the clock's.
Errno poll_oneoff_2019(Vm& vm, const Value* args) { return poll(vm, args, 56); }

Errno proc_exit(Vm& vm, const Value* args) {
  vm.exit(u32(args[0]));
  return Errno::kOk;
}

}  // namespace weir::wasm::abi
