;; Declares a table of nine million elements to begin with: a host that bounds tables refuses the load.
(module
  (func (export "proxy_abi_version_0_2_1"))
  (func (export "malloc") (param i32) (result i32) (i32.const 4096))
  (memory (export "memory") 1)
  (table 9000000 funcref))
