;; Imports a WASI function that does not exist. Hosts bind a stub that answers 52 (ENOSYS); the guest rejects its
;; configuration if it is told anything else.
(module
  (import "wasi_snapshot_preview1" "fd_no_such_function" (func $missing (param i32) (result i32)))
  (func (export "proxy_abi_version_0_2_1"))
  (func (export "malloc") (param i32) (result i32) (i32.const 4096))
  (memory (export "memory") 1)
  (func (export "proxy_on_context_create") (param i32 i32))
  (func (export "proxy_on_configure") (param i32 i32) (result i32)
    (i32.eq (call $missing (i32.const 1)) (i32.const 52))))
