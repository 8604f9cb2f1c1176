;; Imports proxy_log with two parameters instead of three: the load fails and the message names env.proxy_log.
(module
  (import "env" "proxy_log" (func (param i32 i32) (result i32)))
  (func (export "proxy_abi_version_0_2_1"))
  (func (export "malloc") (param i32) (result i32) (i32.const 4096))
  (memory (export "memory") 1))
