//! Long-running operations (AIP-151): stored, run in the background, resumed after a restart, cancelled on request.
//!
//! Owns the table `operation`. A job may run more than once, from its beginning: whoever ran it may have died. Its writes are
//! fenced by [`Progress::check`]. Never: what a job does; services register those.

mod op_rows;
mod runner;
mod service;
mod tables;
pub(crate) use tables::MIGRATION;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use linli_kernel::{AreaId, Name};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use uuid::{ContextV7, Uuid};

pub use op_rows::{OperationPage, OperationRow, OperationState};
pub use runner::Progress;
pub use service::{OperationAction, OperationGate, OperationService};

use crate::store::{Store, Tx};
use crate::{Ctx, Error, ErrorCode, FieldViolation, Result, Texts, rows};

/// Longest time that [`Operations::wait`] takes between two looks.
const LOOK: Duration = Duration::from_millis(250);

/// Work of one kind of operation.
#[async_trait]
pub trait Job: Send + Sync + 'static {
    /// Does the work and gives the response. May run again from the beginning, so that each of its steps must be
    /// repeatable: what it noted with [`Progress::set`] stands in `op.metadata`.
    ///
    /// # Errors
    /// UNAVAILABLE, ABORTED and DEADLINE_EXCEEDED run it again later; any other error is the operation's result.
    async fn run(&self, op: &OperationRow, progress: &Progress) -> Result<prost_types::Any>;
}

/// Jobs by the kind of operation.
pub type Jobs = HashMap<&'static str, Arc<dyn Job>>;

/// How operations run.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// Operations that one process runs at once.
    pub concurrency: usize,
    /// After so long without a sign of life, another process takes an operation over.
    pub lease: Duration,
    /// Runs of one operation at most; after that it fails.
    pub max_attempts: u32,
    /// First pause before an operation runs again; doubles, at most a minute.
    pub first_pause: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            concurrency: 2,
            lease: Duration::from_secs(15),
            max_attempts: 20,
            first_pause: Duration::from_millis(500),
        }
    }
}

/// The operations of a service; cheap to clone.
#[derive(Clone)]
pub struct Operations {
    inner: Arc<Inner>,
}

struct Inner {
    store: Store,
    texts: Texts,
    ids: std::sync::Mutex<ContextV7>,
    /// Something was started; its commit may still be under way.
    started: Notify,
    /// Something has changed: those who wait look again.
    changed: Notify,
}

impl std::fmt::Debug for Operations {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Operations").field("service", &self.inner.store.service()).finish_non_exhaustive()
    }
}

impl Operations {
    /// The operations of a store; `texts` render the errors with which they end.
    pub fn new(store: Store, texts: Texts) -> Self {
        let (started, changed) = (Notify::new(), Notify::new());
        Self { inner: Arc::new(Inner { store, texts, ids: std::sync::Mutex::default(), started, changed }) }
    }

    /// Records an operation, which runs once the transaction has committed; answers its name.
    ///
    /// `request`, metadata and result are stored as they are: personal data goes in sealed, or as a reference to a row.
    ///
    /// # Errors
    /// What the store says.
    pub async fn start(&self, tx: &Tx<'_>, ctx: &Ctx, area: &AreaId, kind: &str, request: Vec<u8>) -> Result<String> {
        let now = ctx.now();
        let secs = u64::try_from(now.secs()).unwrap_or(0);
        let stamp = uuid::Timestamp::from_unix(&self.inner.ids, secs, now.subsec_nanos().unsigned_abs());
        let op = OperationRow::new(Uuid::new_v7(stamp), ctx, area, kind, request);
        op_rows::insert(tx, &op).await?;
        self.inner.started.notify_one();
        Ok(op.name(self.service()))
    }

    /// How many operations of a kind are not over in an area.
    ///
    /// # Errors
    /// What the store says.
    pub async fn unfinished(&self, tx: &Tx<'_>, area: &AreaId, kind: &str) -> Result<i64> {
        op_rows::unfinished(tx, area.as_str(), kind).await
    }

    /// The operation with a name.
    ///
    /// # Errors
    /// NOT_FOUND.
    pub async fn get(&self, name: &str) -> Result<OperationRow> {
        let (area, id) = self.parse(name)?;
        op_rows::find(self.inner.store.reader(), area.as_str(), id).await?.ok_or_else(|| Error::not_found(name))
    }

    /// Operations of an area, the newest first.
    ///
    /// # Errors
    /// INVALID_ARGUMENT when the page token is not of this list.
    pub async fn list(&self, area: &AreaId, page_size: i32, page_token: &str) -> Result<OperationPage> {
        let limit = if page_size <= 0 { 50 } else { page_size.min(1000) };
        let before = op_rows::read_token(area.as_str(), page_token)?;
        op_rows::list(self.inner.store.reader(), area.as_str(), i64::from(limit), before).await
    }

    /// Asks an operation to stop; it ends as cancelled at its next [`Progress::checkpoint`], or before it begins. Nothing
    /// happens when it is over.
    ///
    /// # Errors
    /// NOT_FOUND.
    pub async fn cancel(&self, name: &str) -> Result<()> {
        let (area, id) = self.parse(name)?;
        let area = area.as_str();
        let found = self
            .inner
            .store
            .write("operation.cancel", |tx| Box::pin(async move { op_rows::request_cancel(tx, area, id).await }))
            .await?;
        self.inner.started.notify_one();
        self.inner.changed.notify_waiters();
        if found { Ok(()) } else { Err(Error::not_found(name)) }
    }

    /// Forgets an operation that is over.
    ///
    /// # Errors
    /// NOT_FOUND; FAILED_PRECONDITION OPERATION_RUNNING while it is not over.
    pub async fn delete(&self, name: &str) -> Result<()> {
        let (area, id) = self.parse(name)?;
        if !self.get(name).await?.is_over() {
            return Err(Error::new(ErrorCode::FailedPrecondition, "OPERATION_RUNNING").with("resource", name));
        }
        let area = area.as_str();
        self.inner
            .store
            .write("operation.delete", |tx| Box::pin(async move { op_rows::delete(tx, area, id).await }))
            .await
    }

    /// Waits until the operation is over, at most `timeout`; answers it as it is then. Cancel-safe.
    ///
    /// # Errors
    /// NOT_FOUND.
    pub async fn wait(&self, name: &str, timeout: Duration) -> Result<OperationRow> {
        let until = Instant::now() + timeout;
        loop {
            // Before the look, so that a change between look and wait is not missed.
            let changed = self.inner.changed.notified();
            let op = self.get(name).await?;
            if op.is_over() || Instant::now() >= until {
                return Ok(op);
            }
            tokio::select! {
                () = changed => {}
                () = tokio::time::sleep_until(until.min(Instant::now() + LOOK)) => {}
            }
        }
    }

    /// Runs operations in the background until `stop`; several processes share them.
    pub fn spawn(&self, jobs: Jobs, settings: Settings, stop: CancellationToken) -> JoinHandle<()> {
        tokio::spawn(runner::run(self.clone(), Arc::new(jobs), settings, stop))
    }

    /// The service's name.
    pub fn service(&self) -> &'static str {
        self.inner.store.service()
    }

    fn parse(&self, name: &str) -> Result<(AreaId, Uuid)> {
        let bad = |detail: String| Error::field(FieldViolation::new("name", "NAME_INVALID").arg("detail", detail));
        let parsed = Name::parse(name, "operations").map_err(|problem| bad(problem.to_string()))?;
        let id = parsed.id().strip_prefix(self.service()).and_then(|rest| rest.strip_prefix("-op-"));
        match id.and_then(linli_kernel::RawId::decode) {
            Some(id) => Ok((parsed.area().clone(), id)),
            None => Err(Error::not_found(name)),
        }
    }
}

/// Microseconds from which another may run an operation: for the column `free_us`, by the machine's clock.
fn free_after(pause: Duration) -> i64 {
    rows::machine_us() + crate::lease::micros(pause)
}

#[cfg(test)]
mod tests;
