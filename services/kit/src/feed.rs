//! The log as the bus: events get dense positions, readers follow them, consumers apply each exactly once.
//!
//! Owns the positions of the table `event` and the tables `feed_head`, `consumer`, `parked_event`, `parked_key`. An event row is
//! written without a position by [`crate::store::Tx::emit`]; the [`sequencer`] places it after the commit, [`EventLog`]
//! reads it, [`service`] serves it, a [`consumer`] acts on it. Never: what an event means.

pub mod consumer;
pub mod log;
pub mod sequencer;
pub mod service;
mod tables;
pub(crate) use tables::MIGRATION;

use async_trait::async_trait;
use linli_proto::events::ListEventsResponse;

pub use consumer::{ConsumerConfig, ConsumerHandle, Handler, Status, spawn_consumer};
pub use log::{EventLog, Page, Visibility};
pub use service::{EventGate, FeedService};

use crate::{Error, ErrorCode, Result};

/// Where a consumer reads a feed: another service's EventService, or the log of its own store.
#[async_trait]
pub trait EventSource: Send + Sync + 'static {
    /// The events of `stream` (`streams/{service}`) behind `after`, at most `max`; waits up to `wait_ms` for one.
    ///
    /// # Errors
    /// OUT_OF_RANGE CURSOR_TOO_OLD or CURSOR_AHEAD when the position is not the feed's; otherwise what the peer answers.
    async fn list(&self, stream: &str, after: i64, max: i32, wait_ms: i32) -> Result<ListEventsResponse>;
}

/// The feed's name of a service: `streams/{service}`.
pub fn stream_name(service: &str) -> String {
    format!("streams/{service}")
}

/// The error for a cursor before the first event that is kept.
pub(crate) fn cursor_too_old(oldest: i64) -> Error {
    Error::new(ErrorCode::OutOfRange, "CURSOR_TOO_OLD").with("oldest", oldest)
}

#[cfg(test)]
mod tests;
