;; proxy_on_request_headers takes a float: the load fails and the message names the callback.
(module
  (func (export "proxy_abi_version_0_2_1"))
  (func (export "malloc") (param i32) (result i32) (i32.const 4096))
  (memory (export "memory") 1)
  (func (export "proxy_on_request_headers") (param i32 f32) (result i32) (i32.const 0)))
