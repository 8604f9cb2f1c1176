;; Exports both allocators. The ABI's own, proxy_on_memory_allocate, wins; malloc traps. It copies `:path` to the response as
;; `x-allocated`.
(module
  (import "env" "proxy_get_header_map_value" (func $get (param i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_add_header_map_value" (func $add (param i32 i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 1024) ":pathx-allocated")
  (func (export "proxy_abi_version_0_2_1"))
  (func (export "malloc") (param i32) (result i32) unreachable)
  (func (export "proxy_on_memory_allocate") (param i32) (result i32) (i32.const 8192))
  (func (export "proxy_on_context_create") (param i32 i32))
  (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
    (drop (call $get (i32.const 0) (i32.const 1024) (i32.const 5) (i32.const 2048) (i32.const 2052)))
    (i32.const 0))
  (func (export "proxy_on_response_headers") (param i32 i32 i32) (result i32)
    (drop (call $add (i32.const 2) (i32.const 1029) (i32.const 11)
                     (i32.load (i32.const 2048)) (i32.load (i32.const 2052))))
    (i32.const 0)))
