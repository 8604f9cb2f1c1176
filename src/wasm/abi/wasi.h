// WASI preview 1, as far as guests of a proxy need it: standard streams, clocks, random numbers, environment. No files, no sockets.
#pragma once

#include "wasm/abi/abi.h"

namespace weir::wasm::abi {

Errno fd_write(Vm& vm, const Value* args);
Errno fd_pwrite(Vm& vm, const Value* args);
Errno fd_read(Vm& vm, const Value* args);
Errno fd_close(Vm& vm, const Value* args);
Errno fd_seek(Vm& vm, const Value* args);
Errno fd_fdstat_get(Vm& vm, const Value* args);
Errno fd_filestat_get(Vm& vm, const Value* args);
Errno fd_filestat_get_2019(Vm& vm, const Value* args);  // the record of wasi_unstable
Errno fd_readdir(Vm& vm, const Value* args);
Errno fd_renumber(Vm& vm, const Value* args);
Errno environ_sizes_get(Vm& vm, const Value* args);
Errno environ_get(Vm& vm, const Value* args);
Errno args_sizes_get(Vm& vm, const Value* args);
Errno clock_time_get(Vm& vm, const Value* args);
Errno clock_res_get(Vm& vm, const Value* args);
Errno random_get(Vm& vm, const Value* args);
Errno poll_oneoff(Vm& vm, const Value* args);
Errno poll_oneoff_2019(Vm& vm, const Value* args);  // likewise
Errno path_readlink(Vm& vm, const Value* args);
Errno standard_only(Vm& vm, const Value* args);  // 0 for descriptors 0..2, EBADF for others
Errno proc_exit(Vm& vm, const Value* args);

}  // namespace weir::wasm::abi
