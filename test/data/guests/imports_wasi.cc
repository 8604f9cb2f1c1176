// Calls every function of WASI preview 1 with proper arguments and knows what a host without files and sockets answers. The
// response has `x-wasi: checks=<n> failed=<names>`; `x-exit: <code>` on a request ends the module.
#include "raw_abi.h"

#define WASI(name)                                                                        \
  extern "C" __attribute__((import_module("wasi_snapshot_preview1"), import_name(#name))) \
  uint32_t call_##name

WASI(args_get)(Address, Address);
WASI(args_sizes_get)(Address, Address);
WASI(clock_res_get)(uint32_t, Address);
WASI(clock_time_get)(uint32_t, uint64_t, Address);
WASI(environ_get)(Address, Address);
WASI(environ_sizes_get)(Address, Address);
WASI(fd_advise)(uint32_t, uint64_t, uint64_t, uint32_t);
WASI(fd_allocate)(uint32_t, uint64_t, uint64_t);
WASI(fd_close)(uint32_t);
WASI(fd_datasync)(uint32_t);
WASI(fd_fdstat_get)(uint32_t, Address);
WASI(fd_fdstat_set_flags)(uint32_t, uint32_t);
WASI(fd_fdstat_set_rights)(uint32_t, uint64_t, uint64_t);
WASI(fd_filestat_get)(uint32_t, Address);
WASI(fd_filestat_set_size)(uint32_t, uint64_t);
WASI(fd_filestat_set_times)(uint32_t, uint64_t, uint64_t, uint32_t);
WASI(fd_pread)(uint32_t, Address, uint32_t, uint64_t, Address);
WASI(fd_prestat_dir_name)(uint32_t, Address, uint32_t);
WASI(fd_prestat_get)(uint32_t, Address);
WASI(fd_pwrite)(uint32_t, Address, uint32_t, uint64_t, Address);
WASI(fd_read)(uint32_t, Address, uint32_t, Address);
WASI(fd_readdir)(uint32_t, Address, uint32_t, uint64_t, Address);
WASI(fd_renumber)(uint32_t, uint32_t);
WASI(fd_seek)(uint32_t, uint64_t, uint32_t, Address);
WASI(fd_sync)(uint32_t);
WASI(fd_tell)(uint32_t, Address);
WASI(fd_write)(uint32_t, Address, uint32_t, Address);
WASI(path_create_directory)(uint32_t, Address, uint32_t);
WASI(path_filestat_get)(uint32_t, uint32_t, Address, uint32_t, Address);
WASI(path_filestat_set_times)(uint32_t, uint32_t, Address, uint32_t, uint64_t, uint64_t, uint32_t);
WASI(path_link)(uint32_t, uint32_t, Address, uint32_t, uint32_t, Address, uint32_t);
WASI(path_open)
(uint32_t, uint32_t, Address, uint32_t, uint32_t, uint64_t, uint64_t, uint32_t, Address);
WASI(path_readlink)(uint32_t, Address, uint32_t, Address, uint32_t, Address);
WASI(path_remove_directory)(uint32_t, Address, uint32_t);
WASI(path_rename)(uint32_t, Address, uint32_t, uint32_t, Address, uint32_t);
WASI(path_symlink)(Address, uint32_t, uint32_t, Address, uint32_t);
WASI(path_unlink_file)(uint32_t, Address, uint32_t);
WASI(poll_oneoff)(Address, Address, uint32_t, Address);
WASI(proc_raise)(uint32_t);
WASI(random_get)(Address, uint32_t);
WASI(sched_yield)();
WASI(sock_accept)(uint32_t, uint32_t, Address);
WASI(sock_recv)(uint32_t, Address, uint32_t, uint32_t, Address, Address);
WASI(sock_send)(uint32_t, Address, uint32_t, uint32_t, Address);
WASI(sock_shutdown)(uint32_t, uint32_t);
extern "C" __attribute__((import_module("wasi_snapshot_preview1"), import_name("proc_exit"))) void
call_proc_exit(uint32_t code);

namespace {

enum Errno : uint32_t {
  kOk = 0,
  kBadf = 8,
  kNoent = 44,
  kNosys = 52,
  kNotdir = 54,
  kNotsup = 58,
  kSpipe = 70
};

struct Checks {
  Builder<512> failed;
  uint32_t done = 0;
  void operator()(const char* name, uint32_t answer, uint32_t expected) {
    ++done;
    if (answer == expected) return;
    failed.add(name).add('=').add_number(answer).add(',');
  }
};

struct Vector {
  Address data;
  uint32_t size;
};

alignas(8) char room[512];
const Address kRoom = address_of(room);
const Text kPath = "file";
constexpr uint32_t kLarge = 200'000;

void check_descriptors(Checks& check) {
  static const char kLine[] = "a line\n";
  const Vector vector{address_of(kLine), sizeof kLine - 1};
  const Address vectors = address_of(&vector);
  check("fd_write", call_fd_write(1, vectors, 1, kRoom), kOk);
  check("fd_pwrite", call_fd_pwrite(2, vectors, 1, 0, kRoom), kOk);
  check("fd_write 3", call_fd_write(3, vectors, 1, kRoom), kBadf);
  const Vector target{kRoom, 8};
  check("fd_read", call_fd_read(0, address_of(&target), 1, kRoom + 16), kOk);
  check("fd_pread", call_fd_pread(0, address_of(&target), 1, 0, kRoom + 16), kBadf);
  check("fd_close", call_fd_close(2), kOk);
  check("fd_close 3", call_fd_close(3), kBadf);
  check("fd_seek", call_fd_seek(1, 0, 0, kRoom), kSpipe);
  check("fd_tell", call_fd_tell(1, kRoom), kSpipe);
  check("fd_fdstat_get", call_fd_fdstat_get(1, kRoom), kOk);
  check("fd_fdstat_set_flags", call_fd_fdstat_set_flags(1, 0), kOk);
  check("fd_fdstat_set_rights", call_fd_fdstat_set_rights(1, 0, 0), kOk);
  check("fd_prestat_get", call_fd_prestat_get(3, kRoom), kBadf);
  check("fd_prestat_dir_name", call_fd_prestat_dir_name(3, kRoom, 8), kBadf);
  check("fd_filestat_get", call_fd_filestat_get(1, kRoom), kOk);
  check("fd_filestat_set_size", call_fd_filestat_set_size(1, 0), kOk);
  check("fd_filestat_set_times", call_fd_filestat_set_times(1, 0, 0, 0), kOk);
  check("fd_advise", call_fd_advise(1, 0, 0, 0), kOk);
  check("fd_allocate", call_fd_allocate(1, 0, 1), kOk);
  check("fd_datasync", call_fd_datasync(1), kOk);
  check("fd_sync", call_fd_sync(1), kOk);
  check("fd_sync 3", call_fd_sync(3), kBadf);
  check("fd_readdir", call_fd_readdir(3, kRoom, 64, 0, kRoom + 64), kBadf);
  check("fd_renumber", call_fd_renumber(1, 2), kNotsup);
}

void check_paths(Checks& check) {
  const Address path = kPath.address();
  const uint32_t size = kPath.size;
  check("path_open", call_path_open(3, 0, path, size, 0, 0, 0, 0, kRoom), kNoent);
  check("path_filestat_get", call_path_filestat_get(3, 0, path, size, kRoom), kNoent);
  check("path_filestat_set_times", call_path_filestat_set_times(3, 0, path, size, 0, 0, 0),
        kNotsup);
  check("path_create_directory", call_path_create_directory(3, path, size), kNotsup);
  check("path_remove_directory", call_path_remove_directory(3, path, size), kNotsup);
  check("path_unlink_file", call_path_unlink_file(3, path, size), kNotsup);
  check("path_rename", call_path_rename(3, path, size, 3, path, size), kNotsup);
  check("path_link", call_path_link(3, 0, path, size, 3, path, size), kNotsup);
  check("path_symlink", call_path_symlink(path, size, 3, path, size), kNotsup);
  check("path_readlink", call_path_readlink(3, path, size, kRoom, 8, kRoom + 8), kNotsup);
  check("sock_accept", call_sock_accept(3, 0, kRoom), kNotsup);
  check("sock_recv", call_sock_recv(3, kRoom, 0, 0, kRoom, kRoom), kNotsup);
  check("sock_send", call_sock_send(3, kRoom, 0, 0, kRoom), kNotsup);
  check("sock_shutdown", call_sock_shutdown(3, 0), kNotsup);
}

void check_process(Checks& check) {
  check("args_sizes_get", call_args_sizes_get(kRoom, kRoom + 4), kOk);
  check("args_get", call_args_get(kRoom, kRoom + 64), kOk);
  check("environ_sizes_get", call_environ_sizes_get(kRoom, kRoom + 4), kOk);
  check("environ_get", call_environ_get(kRoom, kRoom + 64), kOk);
  check("clock_res_get", call_clock_res_get(1, kRoom), kOk);
  check("clock_res_get 9", call_clock_res_get(9, kRoom), kNotsup);
  check("clock_time_get", call_clock_time_get(0, 1, kRoom), kOk);
  uint64_t now = 0;
  memcpy(&now, room, sizeof now);
  check("the time", now > 1600000000ull * 1000000000ull, 1);
  memset(room, 0, 64);
  check("random_get", call_random_get(kRoom, 64), kOk);
  uint32_t zeros = 0;
  for (int i = 0; i < 64; ++i) zeros += room[i] == 0;
  check("randomness", zeros < 16, 1);
  auto* large = static_cast<char*>(calloc(kLarge, 1));
  check("random_get of much", call_random_get(address_of(large), kLarge), kOk);
  zeros = 0;
  for (uint32_t i = kLarge - 64; i < kLarge; ++i) zeros += large[i] == 0;
  check("randomness at the end", zeros < 16, 1);
  free(large);
  check("sched_yield", call_sched_yield(), kOk);
  check("poll_oneoff", call_poll_oneoff(kRoom, kRoom + 128, 1, kRoom + 256), kOk);
  check("proc_raise", call_proc_raise(6), kNosys);
}

}  // namespace

WEIR_EXPORT(proxy_abi_version_0_2_1) void marker() {}
WEIR_EXPORT(malloc) void* allocate(size_t size) { return ::malloc(size); }
WEIR_EXPORT(proxy_on_context_create) void on_context_create(uint32_t, uint32_t) {}

WEIR_EXPORT(proxy_on_request_headers) uint32_t on_request_headers(uint32_t, uint32_t, uint32_t) {
  const Text name = "x-exit";
  const char* value = nullptr;
  uint32_t size = 0;
  if (proxy_get_header_map_value(0, name.address(), name.size, address_of(&value),
                                 address_of(&size)) == 0)
    call_proc_exit(Text(value, size).number());
  return 0;
}

WEIR_EXPORT(proxy_on_response_headers) uint32_t on_response_headers(uint32_t, uint32_t, uint32_t) {
  Checks check;
  check_descriptors(check);
  check_paths(check);
  check_process(check);
  Builder<600> text;
  text.add("checks=").add_number(check.done).add(" failed=").add(check.failed.text());
  const Text name = "x-wasi";
  proxy_add_header_map_value(2, name.address(), name.size, address_of(text.bytes), text.size);
  return 0;
}
