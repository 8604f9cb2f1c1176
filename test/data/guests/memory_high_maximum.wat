;; Declares one page to begin with and 4 GiB at most, and grows as far as it is let when it is configured. A limit lowers
;; the maximum, so memory.grow fails and the guest goes on; it rejects its configuration if it got more than 128 MiB.
(module
  (memory (export "memory") 1 65536)
  (func (export "proxy_abi_version_0_2_1"))
  (func (export "malloc") (param i32) (result i32) (i32.const 4096))
  (func (export "proxy_on_context_create") (param i32 i32))
  (func (export "proxy_on_configure") (param i32 i32) (result i32)
    (loop $more
      (br_if $more (i32.ge_s (memory.grow (i32.const 16)) (i32.const 0))))
    (i32.le_u (memory.size) (i32.const 2048))))
