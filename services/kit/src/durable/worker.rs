//! The worker of durable calls: makes what is due, a bounded number at once, one per subject.
//!
//! Never: a call inside a transaction, or an outcome that is applied without the lease.

use std::collections::HashSet;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::call_rows::{self, CallRow};
use super::{Outcome, Refusal, Settings, Target, Targets};
use crate::lease::{self, Guard, micros};
use crate::store::Store;
use crate::{Error, ErrorCode, Result, fault, rows};

/// Longest time between two looks for due calls.
const POLL: Duration = Duration::from_millis(200);
/// First look after something was enqueued, whose commit is still under way; doubles up to [`POLL`].
const FIRST_LOOK: Duration = Duration::from_millis(1);
/// How often the backlog is measured.
const MEASURE: Duration = Duration::from_secs(5);

pub(super) struct Parts {
    pub(super) store: Store,
    pub(super) enqueued: Arc<Notify>,
    pub(super) targets: Targets,
    pub(super) settings: Settings,
}

/// Makes calls until the token is cancelled; then waits for those in flight.
pub(super) async fn run(parts: Arc<Parts>, guard: Guard, token: CancellationToken) {
    let mut worker = Worker { parts, guard, token, in_flight: HashSet::new(), tasks: JoinSet::new() };
    let (mut look, mut measured) = (POLL, None::<Instant>);
    while !worker.token.is_cancelled() {
        if measured.is_none_or(|at| at.elapsed() >= MEASURE) {
            worker.measure().await;
            measured = Some(Instant::now());
        }
        match worker.begin_due().await {
            Ok(0) => look = (look * 2).min(POLL),
            // Where one was committed, more may be on their way.
            Ok(_) => look = FIRST_LOOK,
            Err(error) => {
                look = POLL;
                tracing::warn!(service = worker.parts.store.service(), %error, "due calls could not be read");
            }
        }
        let full = worker.in_flight.len() >= worker.parts.settings.concurrency;
        let enqueued = worker.parts.enqueued.clone();
        tokio::select! {
            () = worker.token.cancelled() => {}
            Some(ended) = worker.tasks.join_next() => worker.ended(ended),
            () = enqueued.notified(), if !full => look = FIRST_LOOK,
            () = tokio::time::sleep(look), if !full => {}
        }
    }
    while let Some(ended) = worker.tasks.join_next().await {
        worker.ended(ended);
    }
}

struct Worker {
    parts: Arc<Parts>,
    guard: Guard,
    token: CancellationToken,
    /// The `seq` of calls whose task runs.
    in_flight: HashSet<i64>,
    tasks: JoinSet<(i64, Result<()>)>,
}

impl Worker {
    /// Starts what is due and fits; how many.
    async fn begin_due(&mut self) -> Result<usize> {
        let free = self.parts.settings.concurrency.saturating_sub(self.in_flight.len());
        if free == 0 {
            return Ok(0);
        }
        // Those in flight are due as well.
        let due = call_rows::due(&self.parts.store, rows::machine_us(), free + self.in_flight.len()).await?;
        let mut begun = 0;
        for call in due {
            if begun < free && self.in_flight.insert(call.seq) {
                begun += 1;
                let (parts, guard) = (self.parts.clone(), self.guard.clone());
                self.tasks.spawn(async move { (call.seq, settle(&parts, &guard, &call).await) });
            }
        }
        Ok(begun)
    }

    fn ended(&mut self, ended: Result<(i64, Result<()>), tokio::task::JoinError>) {
        match ended {
            Ok((seq, outcome)) => {
                self.in_flight.remove(&seq);
                match outcome {
                    Ok(()) => {}
                    Err(error) if lease::is_lost(&error) => self.token.cancel(),
                    Err(error) => tracing::warn!(seq, %error, "the outcome of a call could not be recorded"),
                }
            }
            Err(fault) => {
                // Which call it was is unknown: begin anew, as after a restart.
                tracing::error!(panicked = fault.is_panic(), "the task of a durable call broke");
                self.token.cancel();
            }
        }
    }

    async fn measure(&self) {
        let service = self.parts.store.service();
        match call_rows::backlog(&self.parts.store).await {
            Ok(backlog) => {
                let age = backlog.oldest_us.map_or(0, |at| rows::machine_us().saturating_sub(at).max(0));
                metrics::gauge!("linli_durable_pending", "service" => service).set(backlog.pending as f64);
                metrics::gauge!("linli_durable_oldest_pending_seconds", "service" => service).set(age as f64 / 1e6);
            }
            Err(error) => tracing::debug!(service, %error, "the backlog could not be measured"),
        }
    }
}

/// Makes one call and records what came of it.
async fn settle(parts: &Parts, guard: &Guard, call: &CallRow) -> Result<()> {
    let failure = match attempt(parts, guard, call).await {
        Ok(()) => return Ok(()),
        Err(error) if lease::is_lost(&error) => return Err(error),
        Err(error) => error,
    };
    let (seq, target, attempts) = (call.seq, &call.target, call.attempts);
    tracing::warn!(seq, target, subject = call.subject, attempts, error = %failure, "a durable call is made again");
    let first = parts.settings.first_pause.saturating_mul(1 << attempts.min(20));
    let pause = lease::jittered(first.min(parts.settings.longest_pause));
    let reason = failure.reason();
    let reason = reason.as_str();
    parts
        .store
        .write("durable.postpone", |tx| {
            Box::pin(async move {
                guard.check(tx).await?;
                let now = rows::machine_us();
                call_rows::postpone(tx, call.seq, reason, now + micros(pause), now).await
            })
        })
        .await
}

async fn attempt(parts: &Parts, guard: &Guard, call: &CallRow) -> Result<()> {
    let Some(target) = parts.targets.get(call.target.as_str()) else {
        return Err(Error::internal(format!("no target is registered as {}", call.target)));
    };
    fault::point("durable::before_call").await?;
    let outcome = outcome_of(ask(parts, target.as_ref(), call).await)?;
    fault::point("durable::after_call").await?;
    let label = if matches!(outcome, Outcome::Answer(_)) { "answered" } else { "refused" };
    let (target, told) = (target.as_ref(), &outcome);
    parts
        .store
        .write("durable.apply", |tx| {
            Box::pin(async move {
                guard.check(tx).await?;
                if !call_rows::close(tx, call.seq, told, rows::machine_us()).await? {
                    return Ok(());
                }
                unpanicked(target.apply(tx, call, told)).await?;
                fault::point("durable::after_apply").await
            })
        })
        .await?;
    metrics::counter!("linli_durable_calls_total", "target" => call.target.clone(), "outcome" => label).increment(1);
    Ok(())
}

async fn ask(parts: &Parts, target: &dyn Target, call: &CallRow) -> Result<Vec<u8>> {
    match tokio::time::timeout(parts.settings.call_timeout, unpanicked(target.call(call))).await {
        Ok(answer) => answer,
        Err(_) => Err(crate::deadline::exceeded()),
    }
}

/// Tells a definite refusal from an outcome that is open.
fn outcome_of(answer: Result<Vec<u8>>) -> Result<Outcome> {
    let error = match answer {
        Ok(bytes) => return Ok(Outcome::Answer(bytes)),
        Err(error) => error,
    };
    match error.code() {
        ErrorCode::InvalidArgument
        | ErrorCode::NotFound
        | ErrorCode::AlreadyExists
        | ErrorCode::PermissionDenied
        | ErrorCode::FailedPrecondition
        | ErrorCode::OutOfRange => Ok(Outcome::Refused(Refusal { code: error.code(), reason: error.reason() })),
        ErrorCode::Unauthenticated
        | ErrorCode::Aborted
        | ErrorCode::ResourceExhausted
        | ErrorCode::Unavailable
        | ErrorCode::DeadlineExceeded
        | ErrorCode::Unimplemented
        | ErrorCode::Internal => Err(error),
    }
}

async fn unpanicked<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    AssertUnwindSafe(work).catch_unwind().await.unwrap_or_else(|_| Err(Error::internal("a target panicked")))
}
