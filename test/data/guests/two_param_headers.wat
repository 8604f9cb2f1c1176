;; A 0.2.0 module whose head callbacks take two parameters, as those of 0.1.0 do. A host goes by the export's own type, not by
;; the marker. It sets `x-two: 2` on the request and adds it to the response.
(module
  (import "env" "proxy_replace_header_map_value" (func $replace (param i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_add_header_map_value" (func $add (param i32 i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 1024) "x-two2")
  (func (export "proxy_abi_version_0_2_0"))
  (func (export "malloc") (param i32) (result i32) (i32.const 4096))
  (func (export "proxy_on_context_create") (param i32 i32))
  (func (export "proxy_on_request_headers") (param i32 i32) (result i32)
    (drop (call $replace (i32.const 0) (i32.const 1024) (i32.const 5) (i32.const 1029) (i32.const 1)))
    (i32.const 0))
  (func (export "proxy_on_response_headers") (param i32 i32) (result i32)
    (drop (call $add (i32.const 2) (i32.const 1024) (i32.const 5) (i32.const 1029) (i32.const 1)))
    (i32.const 0)))
