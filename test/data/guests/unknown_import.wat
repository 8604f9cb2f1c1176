;; Imports a function that no host has: the load fails and the message names env.proxy_no_such_function.
(module
  (import "env" "proxy_no_such_function" (func (param i32) (result i32)))
  (func (export "proxy_abi_version_0_2_1"))
  (func (export "malloc") (param i32) (result i32) (i32.const 4096))
  (memory (export "memory") 1))
