//! Admits requests that carry a known API key and refuses the others with a local reply. See README.md for the options.
//!
//! The configuration reader is plain Rust and tested natively; the filter itself is compiled for wasm32 only, since its
//! host functions exist nowhere else.

pub mod config;
pub mod json;

#[cfg(target_arch = "wasm32")]
mod filter;
