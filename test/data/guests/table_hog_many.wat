;; The same with eight tables, each of which may be within a limit of its own.
(module
  (func (export "proxy_abi_version_0_2_1"))
  (func (export "malloc") (param i32) (result i32) (i32.const 4096))
  (memory (export "memory") 1)
  (table $t0 1 funcref)
  (table $t1 1 funcref)
  (table $t2 1 funcref)
  (table $t3 1 funcref)
  (table $t4 1 funcref)
  (table $t5 1 funcref)
  (table $t6 1 funcref)
  (table $t7 1 funcref)
  (func (export "proxy_on_context_create") (param i32 i32))
  (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
    (loop $more0
      (br_if $more0 (i32.ge_s (table.grow $t0 (ref.null func) (i32.const 1000000)) (i32.const 0))))
    (loop $more1
      (br_if $more1 (i32.ge_s (table.grow $t1 (ref.null func) (i32.const 1000000)) (i32.const 0))))
    (loop $more2
      (br_if $more2 (i32.ge_s (table.grow $t2 (ref.null func) (i32.const 1000000)) (i32.const 0))))
    (loop $more3
      (br_if $more3 (i32.ge_s (table.grow $t3 (ref.null func) (i32.const 1000000)) (i32.const 0))))
    (loop $more4
      (br_if $more4 (i32.ge_s (table.grow $t4 (ref.null func) (i32.const 1000000)) (i32.const 0))))
    (loop $more5
      (br_if $more5 (i32.ge_s (table.grow $t5 (ref.null func) (i32.const 1000000)) (i32.const 0))))
    (loop $more6
      (br_if $more6 (i32.ge_s (table.grow $t6 (ref.null func) (i32.const 1000000)) (i32.const 0))))
    (loop $more7
      (br_if $more7 (i32.ge_s (table.grow $t7 (ref.null func) (i32.const 1000000)) (i32.const 0))))
    (i32.const 0)))
