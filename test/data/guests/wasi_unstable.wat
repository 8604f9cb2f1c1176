;; Imports WASI under its name of 2019. It rejects its configuration if the clock does not answer, or if records of two functions are
;; not those of that year.
(module
  (import "wasi_unstable" "clock_time_get" (func $clock (param i32 i64 i32) (result i32)))
  (import "wasi_unstable" "fd_filestat_get" (func $filestat (param i32 i32) (result i32)))
  (import "wasi_unstable" "poll_oneoff" (func $poll (param i32 i32 i32 i32) (result i32)))
  (func (export "proxy_abi_version_0_2_1"))
  (func (export "malloc") (param i32) (result i32) (i32.const 4096))
  (memory (export "memory") 1)
  (func (export "proxy_on_context_create") (param i32 i32))
  ;; 56 bytes, and nothing behind them.
  (func $filestat_is_right (result i32)
    (i64.store (i32.const 1080) (i64.const -1))
    (if (call $filestat (i32.const 1) (i32.const 1024)) (then (return (i32.const 0))))
    (i32.and (i32.eq (i32.load8_u (i32.const 1040)) (i32.const 2))
             (i64.eq (i64.load (i32.const 1080)) (i64.const -1))))
  ;; Two clocks in records of 56 bytes: the second event carries the number of the second.
  (func $poll_is_right (result i32)
    (i64.store (i32.const 2048) (i64.const 17))
    (i64.store (i32.const 2104) (i64.const 18))
    (if (call $poll (i32.const 2048) (i32.const 3072) (i32.const 2) (i32.const 1024)) (then (return (i32.const 0))))
    (i32.and (i32.eq (i32.load (i32.const 1024)) (i32.const 2))
             (i64.eq (i64.load (i32.const 3104)) (i64.const 18))))
  (func (export "proxy_on_configure") (param i32 i32) (result i32)
    (i32.and (i32.eqz (call $clock (i32.const 0) (i64.const 1) (i32.const 1024)))
             (i32.and (call $filestat_is_right) (call $poll_is_right)))))
