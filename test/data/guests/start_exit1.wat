;; _start ends with proc_exit(1): the load fails.
(module
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (func (export "proxy_abi_version_0_2_1"))
  (func (export "malloc") (param i32) (result i32) (i32.const 4096))
  (memory (export "memory") 1)
  (func (export "_start")
    (call $exit (i32.const 1))
    unreachable))
