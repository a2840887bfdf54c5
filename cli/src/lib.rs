//! The `linli` binary's insides, for the binary itself and for tests that start a whole suite.
//!
//! Owns configuration, keys, the wiring of services, and the commands. Never: a service's logic.

pub mod client;
pub mod commands;
pub mod config;
pub mod keys;
pub mod plugin_build;
pub mod suite;

/// Gives back what a busy hour needed, SQLite's included: with glibc's own allocator a suite that is idle again keeps twice as much
/// (docs/performance.md). Its settings are in `.cargo/config.toml`.
#[cfg(target_os = "linux")]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;
