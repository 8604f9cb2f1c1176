//! Asks a service of envoy.service.auth.v3.Authorization whether each request may pass. See README.md for the options.
//!
//! Configuration and messages are plain Rust and tested natively; the filter itself is compiled for wasm32 only, since its
//! host functions exist nowhere else.

pub mod check;
pub mod config;
pub mod wire;

#[cfg(target_arch = "wasm32")]
mod filter;
