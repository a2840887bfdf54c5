//! Consumers: follow a feed and apply each event once, together with the cursor, under a fenced lease.
//!
//! An event is delivered at least once ([`Handler::prepare`] may see it again) and applied once: [`Handler::apply`] runs in
//! the transaction that moves the cursor, and that transaction fails when the lease is another's. A fault parks the event
//! and those behind it that share a key, visibly; errors that pass on their own are waited for. Never: what to do.

mod cursor;
mod follow;
mod parked;
mod status;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use linli_proto::events::Event;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub use cursor::skip_to;
pub use parked::{ParkedEvent, discard, list_parked, retry_now};
pub use status::{ConsumerHandle, Status};

use super::EventSource;
use crate::lease::{self, Term};
use crate::store::{Store, Tx};
use crate::{Error, ErrorCode, Result};

/// What a consumer does with an event.
#[async_trait]
pub trait Handler: Send + Sync + 'static {
    /// What [`Handler::prepare`] finds out for [`Handler::apply`].
    type Prepared: Send + Sync + 'static;

    /// Gathers what the effect needs; may read and call other services, outside any transaction. May run several times.
    ///
    /// # Errors
    /// UNAVAILABLE and ABORTED are waited for, DEADLINE_EXCEEDED and RESOURCE_EXHAUSTED a few times; any other error parks
    /// the event.
    async fn prepare(&self, event: &Event) -> Result<Self::Prepared>;

    /// Makes the effect in the transaction that moves the cursor; nothing but database work.
    ///
    /// # Errors
    /// As [`Handler::prepare`]; the transaction is rolled back.
    async fn apply(&self, tx: &Tx<'_>, event: &Event, prepared: &Self::Prepared) -> Result<()>;

    /// What a parked event holds up: later events that share one of these keys wait behind it, others pass. None: nothing
    /// waits.
    fn blocking_keys(&self, event: &Event) -> BTreeSet<String>;

    /// Whether [`Handler::replace`] helps a consumer that has missed events for good. Otherwise it stands still, visibly:
    /// an operator decides what the missed events were worth, and moves it with [`skip_to`].
    fn resyncs(&self) -> bool {
        false
    }

    /// Replaces all that the consumer made of the feed by what the feed tells as it stands now, in the transaction that sets
    /// the cursor; nothing but database work.
    ///
    /// # Errors
    /// Any; the transaction is rolled back and tried again later.
    async fn replace(&self, _tx: &Tx<'_>, _state: &[Event]) -> Result<()> {
        Err(Error::internal("this consumer does not take a state for its events"))
    }
}

/// How a consumer follows a feed.
#[derive(Debug, Clone)]
pub struct ConsumerConfig {
    /// Name of the consumer, unique in its own service, such as `projection-org`.
    pub name: String,
    /// The feed, such as `streams/org`.
    pub stream: String,
    /// Where a consumer without a cursor begins: behind this position. With 0 on a feed that no longer has its first events it
    /// has missed something, see [`Handler::resyncs`].
    pub start_after: i64,
    /// Events fetched at once, 1 to 1,000.
    pub fetch: i32,
    /// Events prepared together and applied in one transaction. More than 1 only when no event's preparation depends on the
    /// effect of the one before.
    pub batch: usize,
    /// How long one read waits for news; also how stale [`ConsumerHandle::staleness`] may look on a quiet feed.
    pub wait: Duration,
    /// Parked events at most; the consumer stands still when there are as many.
    pub max_parked: usize,
    /// First pause before a parked event is tried again; doubles, at most 10 minutes.
    pub park_pause: Duration,
    /// How long the consumer's lease lasts; `None`: the engine's usual.
    pub term: Option<Term>,
}

impl ConsumerConfig {
    /// The usual settings.
    pub fn new(name: impl Into<String>, stream: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            stream: stream.into(),
            start_after: 0,
            fetch: 200,
            batch: 1,
            wait: Duration::from_millis(1000),
            max_parked: 10_000,
            park_pause: Duration::from_secs(1),
            term: None,
        }
    }
}

/// Follows a feed in the background until `stop`, or [`ConsumerHandle::shutdown`].
///
/// Of several processes with the same store one at a time applies events; the others look how far it is.
pub fn spawn_consumer<H: Handler>(
    store: Store,
    config: ConsumerConfig,
    source: Arc<dyn EventSource>,
    handler: H,
    stop: &CancellationToken,
) -> ConsumerHandle {
    let stop = stop.child_token();
    let term = config.term.unwrap_or_else(|| Term::for_engine(store.engine()));
    let shared = status::Shared::new(store.service(), &config.name);
    let parts = Arc::new(follow::Parts { store: store.clone(), config, source, handler, shared: shared.clone() });
    let watching = tokio::spawn(status::watch_from_outside(parts.clone(), stop.clone()));
    let name = format!("consumer.{}", parts.config.name);
    let work: lease::Work = Arc::new(move |guard, token| Box::pin(follow::run(parts.clone(), guard, token)));
    let working = tokio::spawn(lease::while_held(store, name, term, stop.clone(), work));
    let joined: JoinHandle<()> = tokio::spawn(async move {
        for task in [working, watching] {
            if let Err(fault) = task.await {
                tracing::error!(panicked = fault.is_panic(), "a consumer's task broke");
            }
        }
    });
    ConsumerHandle::new(shared, stop, joined)
}

/// What an error means for the event that met it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    /// The lease is another's: stop.
    Lost,
    /// Passes on its own: wait.
    Transient,
    /// The event cannot be applied as things are: park it.
    Fault,
}

/// Attempts after which a passed deadline or a full resource counts as the event's own fault.
const PATIENCE: u32 = 5;

fn judge(error: &Error, attempts: u32) -> Verdict {
    match error.code() {
        ErrorCode::Aborted if lease::is_lost(error) => Verdict::Lost,
        ErrorCode::Unavailable | ErrorCode::Aborted => Verdict::Transient,
        ErrorCode::DeadlineExceeded | ErrorCode::ResourceExhausted if attempts < PATIENCE => Verdict::Transient,
        ErrorCode::DeadlineExceeded
        | ErrorCode::ResourceExhausted
        | ErrorCode::InvalidArgument
        | ErrorCode::NotFound
        | ErrorCode::AlreadyExists
        | ErrorCode::PermissionDenied
        | ErrorCode::Unauthenticated
        | ErrorCode::FailedPrecondition
        | ErrorCode::OutOfRange
        | ErrorCode::Unimplemented
        | ErrorCode::Internal => Verdict::Fault,
    }
}

/// The pause before attempt `attempts + 1`: doubles from `first` up to `most`, with jitter.
fn backoff(first: Duration, most: Duration, attempts: u32) -> Duration {
    lease::jittered(first.saturating_mul(1 << attempts.min(20)).min(most))
}

#[cfg(test)]
mod tests;
