;; Writes down which of its start functions run. A host calls _initialize and then main(0, 0), never _start. The guest
;; rejects its configuration unless the order was "im" and the arguments of main were 0.
(module
  (memory (export "memory") 1)
  (global $order (mut i32) (i32.const 0))
  (func $note (param i32) (global.set $order (i32.add (i32.mul (global.get $order) (i32.const 10)) (local.get 0))))
  (func (export "proxy_abi_version_0_2_1"))
  (func (export "malloc") (param i32) (result i32) (i32.const 4096))
  (func (export "_initialize") (call $note (i32.const 1)))
  (func (export "main") (param i32 i32) (result i32)
    (call $note (i32.add (i32.const 2) (i32.or (local.get 0) (local.get 1))))
    (i32.const 0))
  (func (export "_start") (call $note (i32.const 9)))
  (func (export "proxy_on_context_create") (param i32 i32))
  (func (export "proxy_on_configure") (param i32 i32) (result i32)
    (i32.eq (global.get $order) (i32.const 12))))
