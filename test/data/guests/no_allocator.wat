;; Exports neither malloc nor proxy_on_memory_allocate: the load fails and the message says so.
(module
  (func (export "proxy_abi_version_0_2_1"))
  (memory (export "memory") 1)
  (func (export "proxy_on_context_create") (param i32 i32)))
