//! The hot write path: commands that wait for the same shard go through the database together.
//!
//! One task per shard takes whatever waits, runs it in one [`Store::write`] and answers each submitter. No timer delays a
//! batch: under no load it has one member, under load the previous commit is what fills it. A member is refused by data (its
//! own `Err`), never by a database error, which would take its neighbours down; when that happens, members run singly.

mod shard;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc::{self, error::TrySendError};
use tokio::sync::oneshot;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::store::{Store, Tx};
use crate::{Error, ErrorCode, Result, deadline};

/// What a combiner does with a batch.
pub trait Batch: Send + Sync + 'static {
    /// A command: a value with all that the write needs.
    type Command: Send + Sync + 'static;
    /// What its submitter gets.
    type Outcome: Send + 'static;

    /// Name in metrics and logs, such as `booking.create`.
    fn name(&self) -> &'static str;

    /// What decides the shard: commands with one value (a slot, a ledger) never run at once in this process.
    fn shard(command: &Self::Command) -> u64;

    /// Runs a batch in one transaction: array-bound statements, one outcome per command in the given order.
    ///
    /// May run several times for one batch, like every closure of [`Store::write`]. An `Err` of the whole rolls everything
    /// back; the members then run one by one.
    fn apply(
        &self,
        tx: &Tx<'_>,
        batch: &[&Self::Command],
    ) -> impl Future<Output = Result<Vec<Result<Self::Outcome>>>> + Send;
}

/// Bounds of a combiner.
#[derive(Debug, Clone, Copy)]
pub struct CombinerConfig {
    /// Shards, each with its own task; at most as many batches run at once.
    pub shards: usize,
    /// Members of a batch at most.
    pub max_batch: usize,
    /// Commands that wait in one shard at most; more are refused with OVERLOADED.
    pub queue: usize,
}

impl Default for CombinerConfig {
    fn default() -> Self {
        Self { shards: 4, max_batch: 100, queue: 1000 }
    }
}

/// A waiting command.
struct Member<B: Batch> {
    command: B::Command,
    deadline: Instant,
    reply: oneshot::Sender<Result<B::Outcome>>,
}

/// A combiner; cheap to clone. Its tasks end when the last clone is dropped, or with [`Combiner::drain`].
pub struct Combiner<B: Batch> {
    inner: Arc<Inner<B>>,
}

struct Inner<B: Batch> {
    queues: Vec<mpsc::Sender<Member<B>>>,
    closing: CancellationToken,
    tasks: TaskTracker,
    name: &'static str,
}

impl<B: Batch> Combiner<B> {
    /// Starts the shards' tasks on the present runtime.
    pub fn new(store: Store, batch: B, config: CombinerConfig) -> Self {
        let (batch, closing, tasks) = (Arc::new(batch), CancellationToken::new(), TaskTracker::new());
        let name = batch.name();
        let queues = (0..config.shards.max(1))
            .map(|_| {
                let (queue, waiting) = mpsc::channel(config.queue.max(1));
                let worker = shard::Worker {
                    store: store.clone(),
                    batch: batch.clone(),
                    closing: closing.clone(),
                    max_batch: config.max_batch.max(1),
                };
                tasks.spawn(worker.run(waiting));
                queue
            })
            .collect();
        Self { inner: Arc::new(Inner { queues, closing, tasks, name }) }
    }

    /// Submits a command with what is left of the present call and waits for its outcome.
    ///
    /// Once submitted it runs to its end, also when the submitter goes away, unless its deadline passes first.
    ///
    /// # Errors
    /// The command's own refusal; OVERLOADED when the queue is full; DEADLINE_EXCEEDED; SHUTTING_DOWN.
    pub async fn submit(&self, command: B::Command) -> Result<B::Outcome> {
        self.submit_until(Instant::now() + deadline::remaining(), command).await
    }

    /// Like [`Combiner::submit`], with a deadline of its own.
    ///
    /// # Errors
    /// As [`Combiner::submit`].
    pub async fn submit_until(&self, deadline: Instant, command: B::Command) -> Result<B::Outcome> {
        let shards = self.inner.queues.len() as u64;
        let queue = &self.inner.queues[usize::try_from(B::shard(&command) % shards).unwrap_or(0)];
        let (reply, outcome) = oneshot::channel();
        queue.try_send(Member { command, deadline, reply }).map_err(|refused| match refused {
            TrySendError::Full(_) => {
                metrics::counter!("linli_combiner_overloaded_total", "name" => self.inner.name).increment(1);
                Error::new(ErrorCode::ResourceExhausted, "OVERLOADED").retry_after(Duration::from_millis(500))
            }
            TrySendError::Closed(_) => shutting_down(),
        })?;
        match tokio::time::timeout_at(deadline, outcome).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(_)) => Err(shutting_down()),
            Err(_) => Err(deadline::exceeded()),
        }
    }

    /// Takes no more commands, and waits until those that wait have been answered.
    pub async fn drain(&self) {
        self.inner.closing.cancel();
        self.inner.tasks.close();
        self.inner.tasks.wait().await;
    }
}

impl<B: Batch> Clone for Combiner<B> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone() }
    }
}

impl<B: Batch> std::fmt::Debug for Combiner<B> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Combiner").field("name", &self.inner.name).finish_non_exhaustive()
    }
}

fn shutting_down() -> Error {
    Error::new(ErrorCode::Unavailable, "SHUTTING_DOWN").retry_after(Duration::from_secs(1))
}

#[cfg(test)]
mod tests;
