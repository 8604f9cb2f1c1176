;; Declares 3072 pages (192 MiB) to begin with, more than the default limit of 128 MiB: the load is refused.
(module
  (memory (export "memory") 3072)
  (func (export "proxy_abi_version_0_2_1"))
  (func (export "malloc") (param i32) (result i32) (i32.const 4096)))
