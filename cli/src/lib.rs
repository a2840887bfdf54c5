//! The `linli` binary's insides, for the binary itself and for tests that start a whole suite.
//!
//! Owns configuration, keys, the wiring of services, and the commands. Never: a service's logic.

pub mod client;
pub mod commands;
pub mod config;
pub mod keys;
pub mod plugin_build;
pub mod suite;
