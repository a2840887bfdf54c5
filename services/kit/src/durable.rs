//! Durable calls: the only way in which a service acts on another one.
//!
//! A row is written in the deciding transaction, executed after its commit at least once under the same request id, and its
//! answer is applied as a state transition in a transaction of its own, once. Calls of one subject keep their order. Owns the
//! table `durable_call`. Never: knowledge of a target; services register those.

mod call_rows;
mod tables;
pub(crate) use tables::MIGRATION;
mod worker;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

pub use call_rows::{CallRow, CallState};

use crate::lease::{self, Term};
use crate::store::{Store, Tx};
use crate::{ErrorCode, Result, rows};

/// A call to make after the commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewCall {
    /// Slug of the area.
    pub area: String,
    /// Name under which the target is registered, such as `points.PlaceHold`.
    pub target: String,
    /// What the call is about, such as a booking's name; calls of one subject keep their order.
    pub subject: String,
    /// The encoded request, its `request_id` field included. Stored as it is: no personal data.
    pub request: Vec<u8>,
    /// Deterministic: the same decision gives the same id, and the callee makes its effect once. With the target it also
    /// identifies the row, so that enqueueing twice calls once.
    pub request_id: Uuid,
    /// Trace id of the request that decided.
    pub trace_id: Arc<str>,
    /// What caused the call.
    pub cause: Arc<str>,
}

/// How a call ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The target answered with these bytes.
    Answer(Vec<u8>),
    /// The target refused for good.
    Refused(Refusal),
}

/// Why a target refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Class of the error.
    pub code: ErrorCode,
    /// Its reason.
    pub reason: String,
}

/// What can be called, and what its answer means here.
#[async_trait]
pub trait Target: Send + Sync + 'static {
    /// Makes the call under `call.request_id`; may run several times, so the callee must make its effect once.
    ///
    /// # Errors
    /// INVALID_ARGUMENT, NOT_FOUND, ALREADY_EXISTS, PERMISSION_DENIED, FAILED_PRECONDITION and OUT_OF_RANGE refuse for
    /// good; any other error leaves the outcome open and the call is made again, for ever.
    async fn call(&self, call: &CallRow) -> Result<Vec<u8>>;

    /// Applies the outcome, in the transaction that marks the call as done: nothing but database work.
    ///
    /// # Errors
    /// The transaction is rolled back; call and application are tried again.
    async fn apply(&self, tx: &Tx<'_>, call: &CallRow, outcome: &Outcome) -> Result<()>;
}

/// How calls are made.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// Calls in flight at once.
    pub concurrency: usize,
    /// Bound of one call; the outcome of a longer one is open.
    pub call_timeout: Duration,
    /// First pause before a call is made again; doubles each time, with jitter.
    pub first_pause: Duration,
    /// Longest pause.
    pub longest_pause: Duration,
    /// How long the worker's lease lasts; `None`: the engine's usual.
    pub term: Option<Term>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            concurrency: 16,
            call_timeout: Duration::from_secs(10),
            first_pause: Duration::from_millis(200),
            longest_pause: Duration::from_secs(300),
            term: None,
        }
    }
}

/// The durable calls of a service; cheap to clone.
#[derive(Clone)]
pub struct DurableCalls {
    store: Store,
    enqueued: Arc<Notify>,
}

impl std::fmt::Debug for DurableCalls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DurableCalls").field("service", &self.store.service()).finish_non_exhaustive()
    }
}

/// The targets of a service by name.
pub type Targets = HashMap<&'static str, Arc<dyn Target>>;

impl DurableCalls {
    /// The durable calls of a store.
    pub fn new(store: Store) -> Self {
        Self { store, enqueued: Arc::new(Notify::new()) }
    }

    /// Writes a call that is made once the transaction has committed. A call with the same target and request id that is
    /// there already stays as it is.
    ///
    /// # Errors
    /// What the store says.
    pub async fn enqueue(&self, tx: &Tx<'_>, call: &NewCall) -> Result<()> {
        call_rows::insert(tx, call, rows::machine_us()).await?;
        // Too early, as the commit is still to come: the worker looks again and again in short steps.
        self.enqueued.notify_one();
        Ok(())
    }

    /// Calls that are still to be made.
    ///
    /// # Errors
    /// What the store says.
    pub async fn pending(&self) -> Result<u64> {
        Ok(call_rows::backlog(&self.store).await?.pending)
    }

    /// The call of a target with a request id.
    ///
    /// # Errors
    /// What the store says.
    pub async fn find(&self, target: &str, request_id: Uuid) -> Result<Option<CallRow>> {
        call_rows::find(self.store.reader(), target, request_id).await
    }

    /// Makes calls in the background until `stop`; of several processes one at a time does.
    pub fn spawn(&self, targets: Targets, settings: Settings, stop: CancellationToken) -> JoinHandle<()> {
        let term = settings.term.unwrap_or_else(|| Term::for_engine(self.store.engine()));
        let parts =
            Arc::new(worker::Parts { store: self.store.clone(), enqueued: self.enqueued.clone(), targets, settings });
        let work: lease::Work = Arc::new(move |guard, token| Box::pin(worker::run(parts.clone(), guard, token)));
        tokio::spawn(lease::while_held(self.store.clone(), "durable".to_owned(), term, stop, work))
    }
}

#[cfg(test)]
mod tests;
