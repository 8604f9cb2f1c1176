;; Callbacks that should answer a bool return nothing, and one that should return nothing answers. A host takes the missing
;; answer as true and drops the surplus one. It adds `x-void: 1` to the response.
(module
  (import "env" "proxy_add_header_map_value" (func $add (param i32 i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 1024) "x-void1")
  (func (export "proxy_abi_version_0_2_1"))
  (func (export "malloc") (param i32) (result i32) (i32.const 4096))
  (func (export "proxy_on_context_create") (param i32 i32) (result i32) (i32.const 7))
  (func (export "proxy_on_vm_start") (param i32 i32))
  (func (export "proxy_on_configure") (param i32 i32))
  (func (export "proxy_on_done") (param i32))
  (func (export "proxy_on_log") (param i32) (result i32) (i32.const 7))
  (func (export "proxy_on_response_headers") (param i32 i32 i32) (result i32)
    (drop (call $add (i32.const 2) (i32.const 1024) (i32.const 6) (i32.const 1030) (i32.const 1)))
    (i32.const 0)))
