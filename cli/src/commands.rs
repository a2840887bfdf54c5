//! The commands of the binary: each has its `Args` and a `run`, and functions that other commands and the demo use.

pub mod apply;
pub mod completions;
pub mod decision;
pub mod demo;
pub mod import;
pub mod output;
pub mod plugin;
pub mod resources;
pub mod serve;
pub mod token;
pub mod verify;
