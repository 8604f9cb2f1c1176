//! Masks secrets in the bytes of a text protocol. See README.md for the options.
//!
//! The configuration reader and the masker are plain Rust and tested natively; the filter itself is compiled for wasm32 only,
//! since its host functions exist nowhere else.

pub mod config;
pub mod masker;

#[cfg(target_arch = "wasm32")]
mod filter;
