//! linli-rules.

pub mod engine;
pub mod validate;
