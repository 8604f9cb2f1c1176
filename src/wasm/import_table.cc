#include "wasm/import_table.h"

#include <algorithm>
#include <array>
#include <bit>
#include <string>

#include "base/log.h"
#include "base/random.h"
#include "base/strings.h"
#include "wasm/abi/abi.h"
#include "wasm/abi/wasi.h"
#include "wasm/embedder.h"
#include "wasm/exports.h"

namespace weir::wasm {
namespace {

// ---- thunks -----------------------------------------------------------------------------------------

Value answer(Status status) noexcept { return static_cast<Value>(static_cast<uint32_t>(status)); }
Value answer(Errno error) noexcept { return static_cast<Value>(static_cast<uint32_t>(error)); }

/// Served at any time.
template <abi::Function F>
Value always(void* data, const Value* args, size_t) noexcept {
  Vm& vm = *static_cast<Vm*>(data);
  vm.note_host_call();
  return answer(F(vm, args));
}
/// Not while the module's own start or the guest's allocator runs.
template <abi::Function F>
Value guarded(void* data, const Value* args, size_t) noexcept {
  Vm& vm = *static_cast<Vm*>(data);
  vm.note_host_call();
  if (vm.restricted()) [[unlikely]]
    return answer(Status::kInternalFailure);
  return answer(F(vm, args));
}
template <abi::WasiFunction F>
Value wasi(void* data, const Value* args, size_t) noexcept {
  Vm& vm = *static_cast<Vm*>(data);
  vm.note_host_call();
  return answer(F(vm, args));
}
template <Errno E>
Value wasi_answer(void*, const Value*, size_t) noexcept {
  return answer(E);
}
Value unimplemented(void*, const Value*, size_t) noexcept { return answer(Status::kUnimplemented); }
Value nothing(void*, const Value*, size_t) noexcept { return 0; }

Value pthread_equal(void*, const Value* args, size_t) noexcept {
  return abi::u32(args[0]) == abi::u32(args[1]) ? 1 : 0;
}

Value seed(void*, const Value*, size_t) noexcept {
  return std::bit_cast<Value>(static_cast<double>(base::random_u64() >> 11) * 0x1.0p-53);
}

/// AssemblyScript's strings: UTF-16, with their size in bytes before them. Enough of them for a log line.
std::string script_text(const GuestMemory& memory, Value at) {
  std::string out;
  if (abi::u32(at) < 4) return out;
  const auto size = memory.load<uint32_t>(abi::u32(at) - 4);
  const auto units = memory.view(at, size ? std::min<uint32_t>(*size, 2048) : 0);
  if (!units) return out;
  for (size_t i = 0; i + 1 < units->size(); i += 2) out += (*units)[i + 1] == 0 ? (*units)[i] : '?';
  return out;
}

Value script_abort(void* data, const Value* args, size_t) noexcept {
  Vm& vm = *static_cast<Vm*>(data);
  std::string text = "abort: ";
  base::append_all(text, script_text(vm.memory(), args[0]), " at ",
                   script_text(vm.memory(), args[1]), ":", abi::u32(args[2]), ":",
                   abi::u32(args[3]));
  vm.log(4, text);
  vm.exit(255);
  return 0;
}

// ---- table ------------------------------------------------------------------------------------------

/// `params`: i = i32, I = i64. What a module declares as result does not matter: one without simply does not look.
struct Entry {
  std::string_view name;
  std::string_view params;
  HostFunction function;
};

constexpr Entry kEnv[] = {
    {"proxy_log", "iii", &always<abi::log>},
    {"proxy_get_log_level", "i", &always<abi::get_log_level>},
    {"proxy_get_current_time_nanoseconds", "i", &always<abi::get_current_time>},
    {"proxy_get_status", "iii", &guarded<abi::get_status>},
    {"proxy_get_property", "iiii", &guarded<abi::get_property>},
    {"proxy_set_property", "iiii", &guarded<abi::set_property>},
    {"proxy_get_configuration", "ii", &guarded<abi::get_configuration>},
    {"proxy_continue_request", "", &guarded<abi::continue_request>},
    {"proxy_continue_response", "", &guarded<abi::continue_response>},
    {"proxy_clear_route_cache", "", &guarded<abi::clear_route_cache>},
    {"proxy_continue_stream", "i", &guarded<abi::continue_stream>},
    {"proxy_close_stream", "i", &guarded<abi::close_stream>},
    {"proxy_send_local_response", "iiiiiiii", &guarded<abi::send_local_response>},
    {"proxy_get_shared_data", "iiiii", &guarded<abi::get_shared_data>},
    {"proxy_set_shared_data", "iiiii", &guarded<abi::set_shared_data>},
    {"proxy_register_shared_queue", "iii", &guarded<abi::register_queue>},
    {"proxy_resolve_shared_queue", "iiiii", &guarded<abi::resolve_queue>},
    {"proxy_enqueue_shared_queue", "iii", &guarded<abi::enqueue>},
    {"proxy_dequeue_shared_queue", "iii", &guarded<abi::dequeue>},
    {"proxy_get_header_map_value", "iiiii", &guarded<abi::get_header>},
    {"proxy_add_header_map_value", "iiiii", &guarded<abi::add_header>},
    {"proxy_replace_header_map_value", "iiiii", &guarded<abi::replace_header>},
    {"proxy_remove_header_map_value", "iii", &guarded<abi::remove_header>},
    {"proxy_get_header_map_pairs", "iii", &guarded<abi::get_header_pairs>},
    {"proxy_set_header_map_pairs", "iii", &guarded<abi::set_header_pairs>},
    {"proxy_get_header_map_size", "ii", &guarded<abi::get_header_map_size>},
    {"proxy_get_buffer_status", "iii", &guarded<abi::get_buffer_status>},
    {"proxy_get_buffer_bytes", "iiiii", &guarded<abi::get_buffer>},
    {"proxy_set_buffer_bytes", "iiiii", &guarded<abi::set_buffer>},
    {"proxy_http_call", "iiiiiiiiii", &guarded<abi::http_call>},
    {"proxy_grpc_call", "iiiiiiiiiiii", &guarded<abi::grpc_call>},
    {"proxy_grpc_call", "iiiiiiiiii", &guarded<abi::grpc_call_short>},  // 2020's, without metadata
    {"proxy_grpc_stream", "iiiiiiiii", &guarded<abi::grpc_stream>},
    {"proxy_grpc_stream", "iiiiiii", &guarded<abi::grpc_stream_short>},
    {"proxy_grpc_send", "iiii", &guarded<abi::grpc_send>},
    {"proxy_grpc_close", "i", &guarded<abi::grpc_close>},
    {"proxy_grpc_cancel", "i", &guarded<abi::grpc_cancel>},
    {"proxy_set_tick_period_milliseconds", "i", &guarded<abi::set_tick_period>},
    {"proxy_define_metric", "iiii", &guarded<abi::define_metric>},
    {"proxy_increment_metric", "iI", &guarded<abi::increment_metric>},
    {"proxy_record_metric", "iI", &guarded<abi::record_metric>},
    {"proxy_get_metric", "ii", &guarded<abi::get_metric>},
    {"proxy_set_effective_context", "i", &guarded<abi::set_effective_context>},
    {"proxy_done", "", &guarded<abi::done>},
    {"proxy_call_foreign_function", "iiiiii", &guarded<abi::call_foreign_function>},
    // Higress
    {"proxy_redis_init", "iiiiiii", &guarded<abi::redis_init>},
    {"proxy_redis_call", "iiiii", &guarded<abi::redis_call>},
    {"proxy_inject_encoded_data_to_filter_chain", "iii", &guarded<abi::inject_response_data>},
    {"proxy_get_upstream_hosts", "ii", &guarded<abi::get_upstream_hosts>},
    {"proxy_set_upstream_override_host", "ii", &guarded<abi::set_upstream_override_host>},
    // What compilers import besides.
    {"pthread_equal", "ii", &pthread_equal},
    {"emscripten_notify_memory_growth", "i", &nothing},
    {"abort", "iiii", &script_abort},
    {"seed", "", &seed},
};

constexpr Entry kWasi[] = {
    {"fd_write", "iiii", &wasi<abi::fd_write>},
    {"fd_pwrite", "iiiIi", &wasi<abi::fd_pwrite>},
    {"fd_read", "iiii", &wasi<abi::fd_read>},
    {"fd_pread", "iiiIi", &wasi_answer<Errno::kBadf>},
    {"fd_close", "i", &wasi<abi::fd_close>},
    {"fd_seek", "iIii", &wasi<abi::fd_seek>},
    {"fd_tell", "ii", &wasi<abi::fd_seek>},
    {"fd_fdstat_get", "ii", &wasi<abi::fd_fdstat_get>},
    {"fd_fdstat_set_flags", "ii", &wasi<abi::standard_only>},
    {"fd_fdstat_set_rights", "iII", &wasi<abi::standard_only>},
    {"fd_prestat_get", "ii",
     &wasi_answer<Errno::kBadf>},  // ends the scan for folders; another errno makes Go panic
    {"fd_prestat_dir_name", "iii", &wasi_answer<Errno::kBadf>},
    {"fd_filestat_get", "ii", &wasi<abi::fd_filestat_get>},
    {"fd_filestat_set_size", "iI", &wasi<abi::standard_only>},
    {"fd_filestat_set_times", "iIIi", &wasi<abi::standard_only>},
    {"fd_advise", "iIIi", &wasi_answer<Errno::kOk>},
    {"fd_allocate", "iII", &wasi<abi::standard_only>},
    {"fd_datasync", "i", &wasi<abi::standard_only>},
    {"fd_sync", "i", &wasi<abi::standard_only>},
    {"fd_readdir", "iiiIi", &wasi<abi::fd_readdir>},
    {"fd_renumber", "ii", &wasi<abi::fd_renumber>},
    {"path_open", "iiiiiIIii", &wasi_answer<Errno::kNoent>},
    {"path_filestat_get", "iiiii", &wasi_answer<Errno::kNoent>},
    {"path_filestat_set_times", "iiiiIIi", &wasi_answer<Errno::kNotsup>},
    {"path_create_directory", "iii", &wasi_answer<Errno::kNotsup>},
    {"path_remove_directory", "iii", &wasi_answer<Errno::kNotsup>},
    {"path_unlink_file", "iii", &wasi_answer<Errno::kNotsup>},
    {"path_rename", "iiiiii", &wasi_answer<Errno::kNotsup>},
    {"path_link", "iiiiiii", &wasi_answer<Errno::kNotsup>},
    {"path_symlink", "iiiii", &wasi_answer<Errno::kNotsup>},
    {"path_readlink", "iiiiii", &wasi<abi::path_readlink>},
    {"sock_accept", "iii", &wasi_answer<Errno::kNotsup>},
    {"sock_recv", "iiiiii", &wasi_answer<Errno::kNotsup>},
    {"sock_send", "iiiii", &wasi_answer<Errno::kNotsup>},
    {"sock_shutdown", "ii", &wasi_answer<Errno::kNotsup>},
    {"environ_sizes_get", "ii", &wasi<abi::environ_sizes_get>},
    {"environ_get", "ii", &wasi<abi::environ_get>},
    {"args_sizes_get", "ii", &wasi<abi::args_sizes_get>},
    {"args_get", "ii", &wasi_answer<Errno::kOk>},
    {"clock_time_get", "iIi", &wasi<abi::clock_time_get>},
    {"clock_res_get", "ii", &wasi<abi::clock_res_get>},
    {"random_get", "ii", &wasi<abi::random_get>},
    {"sched_yield", "", &wasi_answer<Errno::kOk>},
    {"poll_oneoff", "iiii", &wasi<abi::poll_oneoff>},
    {"proc_exit", "i", &wasi<abi::proc_exit>},
    {"proc_raise", "i", &wasi_answer<Errno::kNosys>},
};

/// Where the namespace of 2019, "wasi_unstable", has other records in the guest's memory.
constexpr Entry kWasi2019[] = {
    {"fd_filestat_get", "ii", &wasi<abi::fd_filestat_get_2019>},
    {"poll_oneoff", "iiii", &wasi<abi::poll_oneoff_2019>},
};

bool same_params(const std::vector<ValueType>& params, std::string_view expected) {
  if (params.size() != expected.size()) return false;
  for (size_t i = 0; i < params.size(); ++i)
    if (params[i] != (expected[i] == 'I' ? ValueType::kI64 : ValueType::kI32)) return false;
  return true;
}

std::string describe(const Signature& signature) {
  constexpr std::string_view kNames[] = {"i32", "i64", "f32", "f64", "?"};
  std::string out = "(";
  for (size_t i = 0; i < signature.params.size(); ++i)
    base::append_all(out, i == 0 ? "" : ", ", kNames[static_cast<size_t>(signature.params[i])]);
  out += ")";
  for (const ValueType type : signature.results)
    base::append_all(out, " -> ", kNames[static_cast<size_t>(type)]);
  return out;
}

bool has_signature(const Signature& signature, const HostFunctions::Import& import) {
  const auto same = [](ValueType is, GuestType wanted) {
    return is == (wanted == GuestType::kI64 ? ValueType::kI64 : ValueType::kI32);
  };
  const auto& result = import.signature.result;
  const auto& results = signature.results;
  return std::equal(signature.params.begin(), signature.params.end(),
                    import.signature.params.begin(), import.signature.params.end(), same) &&
         results.size() == (result ? 1 : 0) && (!result || same(results.front(), *result));
}

bool has_real_result(const Signature& signature) {
  return !signature.results.empty() && (signature.results.front() == ValueType::kF32 ||
                                        signature.results.front() == ValueType::kF64);
}

bool is_wasi(std::string_view module) {
  return module == "wasi_snapshot_preview1" || module == "wasi_unstable";
}

HostFunction find(const ImportInfo& import, bool& name_known) {
  const auto find_in = [&import, &name_known](std::span<const Entry> table) -> HostFunction {
    for (const Entry& entry : table) {
      if (entry.name != import.name) continue;
      name_known = true;
      if (same_params(import.signature.params, entry.params) &&
          import.signature.results.size() <= 1)
        return entry.function;
    }
    return nullptr;
  };
  if (import.module == "wasi_unstable")
    if (const HostFunction of_2019 = find_in(kWasi2019)) return of_2019;
  return find_in(is_wasi(import.module) ? std::span<const Entry>(kWasi) : kEnv);
}

}  // namespace

bool is_known_capability(std::string_view name) {
  const auto named = [name](const Entry& entry) { return entry.name == name; };
  return std::any_of(std::begin(kEnv), std::end(kEnv), named) ||
         std::any_of(std::begin(kWasi), std::end(kWasi), named) || is_callback_name(name);
}

Result<std::vector<HostFunction>> link_imports(const Module& module,
                                               const std::vector<std::string>& capabilities,
                                               UnknownImports unknown, const HostFunctions* own) {
  std::vector<HostFunction> functions;
  std::string problems;
  std::string unserved;
  const auto problem = [&problems](const ImportInfo& import, std::string_view why) {
    base::append_all(problems, problems.empty() ? "" : ", ", import.module, ".", import.name, " ",
                     why);
  };
  for (const ImportInfo& import : module.imports()) {
    functions.push_back(&refuse_proxy);
    if (import.kind != ImportInfo::Kind::kFunction) {
      problem(import, "(not a function)");
      continue;
    }
    bool name_known = false;
    const bool space_known = import.module == "env" || is_wasi(import.module);
    if (!space_known && own != nullptr) {
      const std::string name = base::concat(import.module, ".", import.name);
      const HostFunctions::Import* known = own->find_import(name);
      if (known != nullptr && has_signature(import.signature, *known)) {
        if (capabilities.empty() ||
            std::binary_search(capabilities.begin(), capabilities.end(), name))
          functions.back() = &call_embedder;
        continue;
      }
      name_known = known != nullptr;
    }
    const HostFunction function = space_known ? find(import, name_known) : nullptr;
    const bool is_proxy = import.name.starts_with("proxy_");
    const bool allowed = capabilities.empty() || (!is_proxy && !is_wasi(import.module)) ||
                         std::binary_search(capabilities.begin(), capabilities.end(), import.name);
    if (function != nullptr) {
      functions.back() = allowed ? function : is_proxy ? &refuse_proxy : &refuse_wasi;
    } else if (is_wasi(import.module) && !name_known && import.signature.results.size() <= 1) {
      // Runtimes list functions that they never call.
      functions.back() = &wasi_answer<Errno::kNosys>;
    } else if (unknown == UnknownImports::kUnimplemented && import.signature.results.size() <= 1) {
      functions.back() = has_real_result(import.signature) ? &nothing : &unimplemented;
      base::append_all(unserved, unserved.empty() ? "" : ", ", import.module, ".", import.name);
    } else {
      problem(import, name_known ? describe(import.signature) : std::string_view("(unknown)"));
    }
  }
  if (!problems.empty())
    return fail(Code::kConfig, Side::kLocal,
                base::concat("imports that this host does not have: ", problems));
  if (!unserved.empty())
    WEIR_LOG(kWasm, kWarn, "imports are answered as unimplemented", {{"imports", unserved}});
  return functions;
}

}  // namespace weir::wasm
