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
use linli_proto::events::{Event, ListEventsResponse, ReadFeedStateResponse};

pub use consumer::{ConsumerConfig, ConsumerHandle, Handler, Status, spawn_consumer};
pub use log::{EventLog, Page, Visibility};
pub use service::{EventGate, FeedService};

use crate::store::EventDraft;
use crate::{Ctx, Error, ErrorCode, Result};

/// Where a consumer reads a feed: another service's EventService, or the log of its own store.
#[async_trait]
pub trait EventSource: Send + Sync + 'static {
    /// The events of `stream` (`streams/{service}`) behind `after`, at most `max`; waits up to `wait_ms` for one.
    ///
    /// # Errors
    /// OUT_OF_RANGE CURSOR_TOO_OLD or CURSOR_AHEAD when the position is not the feed's; otherwise what the peer answers.
    async fn list(&self, stream: &str, after: i64, max: i32, wait_ms: i32) -> Result<ListEventsResponse>;

    /// One page of what the feed tells as it stands now; an empty token begins.
    ///
    /// # Errors
    /// UNIMPLEMENTED NO_FEED_STATE when the source offers none; otherwise what the peer answers.
    async fn state(&self, stream: &str, _page_token: &str) -> Result<ReadFeedStateResponse> {
        Err(no_state(stream))
    }
}

/// What a service's feed tells as it stands now, for consumers that have missed events for good.
#[async_trait]
pub trait FeedState: Send + Sync + 'static {
    /// One page in a stable order, and the token of the next: empty to begin, empty at the end. Rows that come, go or change
    /// between two pages may be missed: they are told by events behind the position that was read before the first page.
    ///
    /// # Errors
    /// What the store says.
    async fn page(&self, ctx: &Ctx, token: &str) -> Result<(Vec<Event>, String)>;
}

/// What is, as an event of its feed without id, position and cause.
pub fn told(service: &str, draft: EventDraft) -> Event {
    Event {
        source: stream_name(service),
        subject: draft.subject,
        area: format!("areas/{}", draft.area),
        time: Some(crate::check::timestamp(draft.time)),
        data: Some(prost_types::Any {
            type_url: format!("type.googleapis.com/{}", draft.event_type),
            value: draft.data,
        }),
        r#type: draft.event_type,
        ..Event::default()
    }
}

/// The error of a feed that tells no state.
pub(crate) fn no_state(stream: &str) -> Error {
    Error::new(ErrorCode::Unimplemented, "NO_FEED_STATE").with("stream", stream)
}

/// Whether the error says that events were missed for good: they are no longer kept, or the feed was restored.
pub fn is_missed(error: &Error) -> bool {
    error.code() == ErrorCode::OutOfRange && ["CURSOR_TOO_OLD", "CURSOR_AHEAD"].contains(&error.reason().as_str())
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
