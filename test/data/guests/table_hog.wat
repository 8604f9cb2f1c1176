;; Grows its table by a million elements at a time, for ever, with each request head. A host bounds tables (the growth fails,
;; the guest goes on with Continue) or ends the guest; it must not run out of memory itself.
(module
  (func (export "proxy_abi_version_0_2_1"))
  (func (export "malloc") (param i32) (result i32) (i32.const 4096))
  (memory (export "memory") 1)
  (table $table 1 funcref)
  (func (export "proxy_on_context_create") (param i32 i32))
  (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
    (loop $more
      (br_if $more (i32.ge_s (table.grow $table (ref.null func) (i32.const 1000000)) (i32.const 0))))
    (i32.const 0)))
