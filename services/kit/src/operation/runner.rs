//! Runs operations: takes free ones, keeps a sign of life, records how they ended.
//!
//! Never: a write for an operation that another has taken over.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use linli_kernel::Lang;
use linli_proto::google::rpc::Status as RpcStatus;
use prost::Message as _;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::op_rows::{self, Ending};
use super::{Job, Jobs, OperationRow, OperationState, Operations, Settings, free_after};
use crate::lease::{self, micros};
use crate::stack::domain;
use crate::store::Tx;
use crate::{Error, ErrorCode, Result, rows};

/// Longest time between two looks for free operations.
const POLL: Duration = Duration::from_millis(500);
/// First look after one was started, whose commit is still under way; doubles up to [`POLL`].
const FIRST_LOOK: Duration = Duration::from_millis(2);
/// Longest time between two signs of life, which also hear of a wish to cancel.
const BEAT: Duration = Duration::from_millis(1000);
/// How long a job that was told to stop may take before it is dropped.
const GRACE: Duration = Duration::from_secs(10);
/// Longest pause before an operation runs again.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// What a running job tells and hears.
#[derive(Clone)]
pub struct Progress {
    operations: Operations,
    op: Arc<OperationRow>,
    /// Somebody asked for the end.
    cancelled: CancellationToken,
    /// The process stops, or another has taken the operation over.
    stopped: CancellationToken,
}

impl std::fmt::Debug for Progress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Progress").field("id", &self.op.id).finish_non_exhaustive()
    }
}

impl Progress {
    /// Stores how far the job is: what the API shows as metadata, and what the next run finds after a restart.
    ///
    /// # Errors
    /// ABORTED LEASE_LOST when another runs the operation.
    pub async fn set(&self, metadata: &prost_types::Any) -> Result<()> {
        let op = self.op.as_ref();
        let ours = self
            .operations
            .inner
            .store
            .write("operation.progress", |tx| Box::pin(async move { op_rows::set_metadata(tx, op, metadata).await }))
            .await?;
        if ours { Ok(()) } else { Err(lost(op)) }
    }

    /// Makes a transaction of the job depend on the operation being ours: the job's own writes begin with this.
    ///
    /// # Errors
    /// ABORTED LEASE_LOST when another runs the operation.
    pub async fn check(&self, tx: &Tx<'_>) -> Result<()> {
        if op_rows::check(tx, &self.op).await? { Ok(()) } else { Err(lost(&self.op)) }
    }

    /// Whether somebody asked the operation to stop.
    pub fn is_cancelled(&self) -> bool {
        self.cancelled.is_cancelled()
    }

    /// Whether to go on; a job asks between its steps.
    ///
    /// # Errors
    /// OPERATION_CANCELLED when somebody asked for the end, UNAVAILABLE when the process stops or the operation was taken
    /// over. The job passes the error on.
    pub fn checkpoint(&self) -> Result<()> {
        if self.is_cancelled() {
            return Err(cancelled());
        }
        if self.stopped.is_cancelled() { Err(Error::new(ErrorCode::Unavailable, "SHUTTING_DOWN")) } else { Ok(()) }
    }
}

fn cancelled() -> Error {
    Error::new(ErrorCode::Aborted, "OPERATION_CANCELLED")
}

fn lost(op: &OperationRow) -> Error {
    lease::lost(&format!("operation {}", op.id))
}

/// Takes and runs operations until `stop`; then waits for those that run.
pub(super) async fn run(operations: Operations, jobs: Arc<Jobs>, settings: Settings, stop: CancellationToken) {
    let mut tasks = JoinSet::new();
    let mut look = POLL;
    while !stop.is_cancelled() {
        let mut begun = false;
        while tasks.len() < settings.concurrency.max(1) {
            match take(&operations, &settings).await {
                Ok(Some(op)) => {
                    begun = true;
                    tasks.spawn(one(operations.clone(), jobs.clone(), settings, op, stop.clone()));
                }
                Ok(None) => break,
                Err(error) => {
                    tracing::warn!(service = operations.service(), %error, "no operation could be taken");
                    look = POLL;
                    break;
                }
            }
        }
        look = if begun { POLL } else { (look * 2).min(POLL) };
        let full = tasks.len() >= settings.concurrency.max(1);
        tokio::select! {
            () = stop.cancelled() => {}
            Some(ended) = tasks.join_next() => broke(ended),
            () = operations.inner.started.notified(), if !full => look = FIRST_LOOK,
            () = tokio::time::sleep(look), if !full => {}
        }
    }
    while let Some(ended) = tasks.join_next().await {
        broke(ended);
    }
}

fn broke(ended: Result<(), tokio::task::JoinError>) {
    if let Err(fault) = ended {
        // The operation is taken up again once its lease is over.
        tracing::error!(panicked = fault.is_panic(), "the task of an operation broke");
    }
}

async fn take(operations: &Operations, settings: &Settings) -> Result<Option<OperationRow>> {
    let store = &operations.inner.store;
    if !op_rows::any_free(store).await? {
        return Ok(None);
    }
    let (holder, until) = (lease::new_holder(), free_after(settings.lease));
    let holder = holder.as_str();
    store.write("operation.take", |tx| Box::pin(async move { op_rows::claim(tx, holder, until).await })).await
}

async fn one(operations: Operations, jobs: Arc<Jobs>, settings: Settings, op: OperationRow, stop: CancellationToken) {
    let op = Arc::new(op);
    let progress = Progress {
        operations: operations.clone(),
        op: op.clone(),
        cancelled: CancellationToken::new(),
        stopped: stop.child_token(),
    };
    if op.cancel_requested {
        progress.cancelled.cancel();
    }
    let done = CancellationToken::new();
    // Ends with this task: a sign of life without the job would keep the operation from everybody.
    let beating = AbortOnDropHandle::new(tokio::spawn(beat(progress.clone(), settings.lease, done.clone())));
    let outcome = work(&jobs, &settings, &progress).await;
    done.cancel();
    if let Err(fault) = beating.await {
        tracing::error!(panicked = fault.is_panic(), "the sign of life of an operation broke");
    }
    if let Err(error) = conclude(&progress, &settings, outcome).await {
        tracing::warn!(operation = %op.id, %error, "how the operation ended could not be recorded; it runs again");
    }
    operations.inner.changed.notify_waiters();
}

async fn work(jobs: &Jobs, settings: &Settings, progress: &Progress) -> Result<prost_types::Any> {
    progress.checkpoint()?;
    let op = progress.op.as_ref();
    if op.attempts > settings.max_attempts {
        return Err(Error::internal(format!("given up after {} runs", settings.max_attempts)));
    }
    let Some(job) = jobs.get(op.kind.as_str()) else {
        // A newer release may know it.
        return Err(
            Error::new(ErrorCode::Unavailable, "INTERNAL").caused_by(format!("no job is registered as {}", op.kind))
        );
    };
    let job: &dyn Job = job.as_ref();
    let running = AssertUnwindSafe(job.run(op, progress)).catch_unwind();
    let overdue = async {
        progress.stopped.cancelled().await;
        tokio::time::sleep(GRACE).await;
    };
    tokio::select! {
        outcome = running => outcome.unwrap_or_else(|_| Err(Error::internal("a job panicked"))),
        () = overdue => Err(Error::new(ErrorCode::Unavailable, "SHUTTING_DOWN")),
    }
}

/// Gives signs of life until `done`; hears of a wish to cancel, and of a take-over.
async fn beat(progress: Progress, lease: Duration, done: CancellationToken) {
    let (op, inner) = (progress.op.as_ref(), &progress.operations.inner);
    while !done.is_cancelled() {
        tokio::select! {
            () = done.cancelled() => return,
            () = inner.changed.notified() => {}
            () = tokio::time::sleep(BEAT.min(lease / 3)) => {}
        }
        let until = free_after(lease);
        match inner
            .store
            .write("operation.beat", |tx| Box::pin(async move { op_rows::renew(tx, op, until).await }))
            .await
        {
            Ok(Some(true)) => progress.cancelled.cancel(),
            Ok(Some(false)) => {}
            Ok(None) => progress.stopped.cancel(),
            Err(error) => tracing::warn!(operation = %op.id, %error, "no sign of life could be given"),
        }
    }
}

async fn conclude(progress: &Progress, settings: &Settings, outcome: Result<prost_types::Any>) -> Result<()> {
    let op = progress.op.as_ref();
    let store = &progress.operations.inner.store;
    let end = match outcome {
        Ok(response) => Ending {
            state: OperationState::Succeeded,
            result: Some(response),
            code: 0,
            reason: String::new(),
            zh: None,
            en: None,
        },
        Err(_) if progress.is_cancelled() => ending(progress, &cancelled(), OperationState::Cancelled),
        Err(error) if passes(&error) && op.attempts < settings.max_attempts => {
            let free =
                if progress.stopped.is_cancelled() { 0 } else { rows::machine_us() + micros(pause(settings, op)) };
            tracing::info!(operation = %op.id, kind = op.kind, %error, cause = ?error.cause(), "the operation runs again");
            store
                .write("operation.again", |tx| Box::pin(async move { op_rows::give_back(tx, op, free).await }))
                .await?;
            return Ok(());
        }
        Err(error) => {
            tracing::error!(operation = %op.id, kind = op.kind, %error, cause = ?error.cause(), "the operation failed");
            ending(progress, &error, OperationState::Failed)
        }
    };
    let end = &end;
    let ours = store
        .write("operation.finish", |tx| Box::pin(async move { op_rows::finish(tx, op, end, rows::machine_us()).await }))
        .await?;
    metrics::counter!("linli_operations_total", "kind" => op.kind.clone(), "state" => format!("{:?}", end.state))
        .increment(1);
    if ours { Ok(()) } else { Err(lost(op)) }
}

fn pause(settings: &Settings, op: &OperationRow) -> Duration {
    lease::jittered(settings.first_pause.saturating_mul(1 << op.attempts.min(20)).min(LONGEST_PAUSE))
}

/// Whether another run may fare better.
fn passes(error: &Error) -> bool {
    match error.code() {
        ErrorCode::Unavailable | ErrorCode::Aborted | ErrorCode::DeadlineExceeded => true,
        ErrorCode::InvalidArgument
        | ErrorCode::NotFound
        | ErrorCode::AlreadyExists
        | ErrorCode::PermissionDenied
        | ErrorCode::Unauthenticated
        | ErrorCode::FailedPrecondition
        | ErrorCode::OutOfRange
        | ErrorCode::ResourceExhausted
        | ErrorCode::Unimplemented
        | ErrorCode::Internal => false,
    }
}

/// An error as the result, in both languages, as whoever reads it later may read either.
fn ending(progress: &Progress, error: &Error, state: OperationState) -> Ending {
    let code = match state {
        OperationState::Cancelled => tonic::Code::Cancelled,
        OperationState::Waiting | OperationState::Running | OperationState::Succeeded | OperationState::Failed => {
            error.code().grpc()
        }
    } as i32;
    let encoded = |lang| {
        let status = error.to_status(&progress.operations.inner.texts, lang, &domain(progress.operations.service()));
        let mut kept = RpcStatus::decode(status.details()).unwrap_or_default();
        kept.code = code;
        kept.message = status.message().to_owned();
        Some(kept.encode_to_vec())
    };
    Ending { state, result: None, code, reason: error.reason(), zh: encoded(Lang::ZhCn), en: encoded(Lang::En) }
}
