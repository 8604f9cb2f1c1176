;; Its first callback turns to the root context, where there are no headers. That ends with the callback: the next one, which
;; the host may have entered with it, answers for its own stream again. It adds `x-joint: 1` to the request.
(module
  (import "env" "proxy_add_header_map_value" (func $add (param i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_set_effective_context" (func $turn_to (param i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 1024) "x-joint1x-wrong")
  (func (export "proxy_abi_version_0_2_1"))
  (func (export "malloc") (param i32) (result i32) (i32.const 4096))
  (func (export "proxy_on_context_create") (param $id i32) (param $root i32)
    (if (i32.eqz (local.get $root)) (then return))
    (if (call $turn_to (local.get $root)) (then unreachable))
    (if (i32.eqz (call $add (i32.const 0) (i32.const 1032) (i32.const 7) (i32.const 1031) (i32.const 1)))
      (then unreachable)))
  (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
    (drop (call $add (i32.const 0) (i32.const 1024) (i32.const 7) (i32.const 1031) (i32.const 1)))
    (i32.const 0)))
