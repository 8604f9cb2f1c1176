;; A command-style module: no _initialize, and _start ends with proc_exit(0), which counts as success. It adds `x-started: 1`
;; to the response if its _start has run.
(module
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (import "env" "proxy_add_header_map_value" (func $add (param i32 i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (global $started (mut i32) (i32.const 0))
  (data (i32.const 1024) "x-started01")
  (func (export "proxy_abi_version_0_2_1"))
  (func (export "malloc") (param i32) (result i32) (i32.const 4096))
  (func (export "_start")
    (global.set $started (i32.const 1))
    (call $exit (i32.const 0))
    unreachable)
  (func (export "proxy_on_context_create") (param i32 i32))
  (func (export "proxy_on_response_headers") (param i32 i32 i32) (result i32)
    (drop (call $add (i32.const 2) (i32.const 1024) (i32.const 9)
                     (i32.add (i32.const 1033) (global.get $started)) (i32.const 1)))
    (i32.const 0)))
