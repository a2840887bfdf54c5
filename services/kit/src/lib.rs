//! What every service shares at run time.
//!
//! Owns the server stack, the path from errors to `Status`, storage, idempotency, the feed, durable calls, long-running
//! operations, field encryption, configuration and telemetry. Never: knowledge of one service.

pub mod call;
pub mod catalogue;
pub mod check;
pub mod columns;
pub mod combiner;
pub mod config;
pub mod crypto;
pub mod deadline;
pub mod durable;
pub mod error;
mod fault;
pub mod feed;
pub mod files;
pub mod filter;
pub mod idempotency;
pub mod identity;
pub mod ids;
pub mod lease;
pub mod operation;
pub mod page;
pub mod retention;
mod rows;
pub mod serve;
pub mod stack;
pub mod store;
pub mod telemetry;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
pub mod texts;

pub use call::{Caller, Ctx};
pub use error::{Error, ErrorCode, FieldViolation, Result};
pub use texts::Texts;
