//! How far a consumer is: for tests, for metrics, and for those who refuse to decide on old roles.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::follow::Parts;
use super::{Handler, cursor, parked};
use crate::{Error, Result, lease};

/// How often a process without the lease looks how far the holder is.
const LOOK: Duration = Duration::from_millis(500);

/// How far a consumer is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Status {
    /// Everything up to this position is applied or parked.
    pub position: i64,
    /// Newest position of the feed, as last heard.
    pub newest: i64,
    /// Parked events.
    pub parked: usize,
    /// Whether this process holds the lease.
    pub holds_lease: bool,
    /// When the consumer was last known to have everything: the beginning of the read that said so.
    pub caught_up_at: Option<Instant>,
    /// Reason for which it does not move, such as `CURSOR_TOO_OLD` or `UNAVAILABLE`; empty while it does.
    pub stuck: String,
}

/// The status that a consumer's tasks write.
#[derive(Clone)]
pub(super) struct Shared {
    service: &'static str,
    name: Arc<str>,
    status: watch::Sender<Status>,
}

impl Shared {
    pub(super) fn new(service: &'static str, name: &str) -> Self {
        Self { service, name: name.into(), status: watch::channel(Status::default()).0 }
    }

    pub(super) fn change(&self, f: impl FnOnce(&mut Status)) {
        self.status.send_modify(f);
        let status = self.status.borrow();
        let labels = [("service", self.service.to_owned()), ("consumer", self.name.to_string())];
        let lag = status.newest.saturating_sub(status.position).max(0);
        metrics::gauge!("linli_feed_lag_events", &labels).set(lag as f64);
        metrics::gauge!("linli_feed_parked_events", &labels).set(status.parked as f64);
        metrics::gauge!("linli_feed_stuck", &labels).set(f64::from(u8::from(!status.stuck.is_empty())));
    }

    /// A read that began at `asked` said that the feed ends at `newest`, with the cursor at `position`.
    pub(super) fn heard(&self, position: i64, newest: i64, asked: Instant) {
        self.change(|status| {
            status.position = position;
            status.newest = newest;
            if position >= newest {
                status.caught_up_at = status.caught_up_at.max(Some(asked));
            }
        });
    }

    pub(super) fn holds_lease(&self) -> bool {
        self.status.borrow().holds_lease
    }
}

/// A running consumer.
pub struct ConsumerHandle {
    shared: Shared,
    stop: CancellationToken,
    joined: JoinHandle<()>,
}

impl std::fmt::Debug for ConsumerHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ConsumerHandle").field("name", &self.shared.name).finish_non_exhaustive()
    }
}

impl ConsumerHandle {
    pub(super) fn new(shared: Shared, stop: CancellationToken, joined: JoinHandle<()>) -> Self {
        Self { shared, stop, joined }
    }

    /// How far it is.
    pub fn status(&self) -> Status {
        self.shared.status.borrow().clone()
    }

    /// Everything up to this position is applied or parked.
    pub fn position(&self) -> i64 {
        self.shared.status.borrow().position
    }

    /// Whether everything up to `newest` is applied or parked.
    pub fn is_caught_up(&self, newest: i64) -> bool {
        self.position() >= newest
    }

    /// For how long the consumer may have missed something; `Duration::MAX` before it has caught up once.
    pub fn staleness(&self) -> Duration {
        self.shared.status.borrow().caught_up_at.map_or(Duration::MAX, |at| at.elapsed())
    }

    /// How many events are parked.
    pub fn parked(&self) -> usize {
        self.shared.status.borrow().parked
    }

    /// Waits until everything up to `position` is applied or parked. Cancel-safe; the caller sets the bound.
    ///
    /// # Errors
    /// INTERNAL when the consumer has ended.
    pub async fn caught_up(&self, position: i64) -> Result<()> {
        let mut status = self.shared.status.subscribe();
        status.wait_for(|status| status.position >= position).await.map_err(Error::internal)?;
        Ok(())
    }

    /// A watch of the status.
    pub fn subscribe(&self) -> watch::Receiver<Status> {
        self.shared.status.subscribe()
    }

    /// Stops the consumer and waits until its last transaction has ended and its lease is given back.
    pub async fn shutdown(self) {
        self.stop.cancel();
        if let Err(fault) = self.joined.await {
            tracing::error!(panicked = fault.is_panic(), "a consumer's task broke");
        }
    }
}

/// Keeps the status true in a process that does not hold the lease, by reading cursor and feed.
pub(super) async fn watch_from_outside<H: Handler>(parts: Arc<Parts<H>>, stop: CancellationToken) {
    while !stop.is_cancelled() {
        lease::pause(&stop, lease::jittered(LOOK)).await;
        if parts.shared.holds_lease() || stop.is_cancelled() {
            continue;
        }
        if let Err(error) = look(&parts).await {
            tracing::debug!(consumer = parts.config.name, %error, "the consumer's progress is unknown");
            parts.shared.change(|status| status.stuck = error.reason());
        }
    }
}

async fn look<H: Handler>(parts: &Parts<H>) -> Result<()> {
    let asked = Instant::now();
    let Some(position) = cursor::position(&parts.store, &parts.config.name).await? else {
        return Ok(());
    };
    let parked = parked::count(&parts.store, &parts.config.name).await?;
    let page = parts.source.list(&parts.config.stream, position, 1, 0).await?;
    // It may have taken over meanwhile, and knows better since.
    if parts.shared.holds_lease() {
        return Ok(());
    }
    parts.shared.change(|status| {
        status.parked = parked;
        status.stuck.clear();
    });
    parts.shared.heard(position, page.newest_position, asked);
    Ok(())
}
