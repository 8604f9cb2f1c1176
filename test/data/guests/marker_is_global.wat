;; Exports the marker as a global instead of a function: the load fails as if there were none.
(module
  (memory (export "memory") 1)
  (global (export "proxy_abi_version_0_2_1") i32 (i32.const 1))
  (func (export "malloc") (param i32) (result i32) (i32.const 4096)))
