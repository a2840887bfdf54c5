//! The task of one shard: take what waits, run it, answer.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures::FutureExt as _;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{Batch, Member};
use crate::store::Store;
use crate::{Error, ErrorCode, Result, deadline};

pub(super) struct Worker<B: Batch> {
    pub(super) store: Store,
    pub(super) batch: Arc<B>,
    pub(super) closing: CancellationToken,
    pub(super) max_batch: usize,
}

impl<B: Batch> Worker<B> {
    pub(super) async fn run(self, mut waiting: mpsc::Receiver<Member<B>>) {
        let mut members = Vec::with_capacity(self.max_batch);
        loop {
            let taken = tokio::select! {
                biased;
                () = self.closing.cancelled(), if !waiting.is_closed() => {
                    // Those that wait are still taken; then `recv_many` finds the queue empty and closed.
                    waiting.close();
                    continue;
                }
                taken = waiting.recv_many(&mut members, self.max_batch) => taken,
            };
            if taken == 0 {
                return;
            }
            self.round(std::mem::take(&mut members)).await;
        }
    }

    async fn round(&self, members: Vec<Member<B>>) {
        let members = drop_late(members);
        if members.is_empty() {
            return;
        }
        metrics::histogram!("linli_combiner_batch", "name" => self.batch.name()).record(members.len() as f64);
        let commands: Vec<&B::Command> = members.iter().map(|m| &m.command).collect();
        // The latest deadline: a batch that passes it leaves no member that would run again beside a COMMIT in flight.
        let until = members.iter().map(|m| m.deadline).max().unwrap_or_else(Instant::now);
        match self.apply(&commands, until).await {
            Ok(outcomes) => answer(members, outcomes),
            Err(error) if members.len() == 1 => answer(members, vec![Err(error)]),
            // Storage that does not answer one batch does not answer a hundred single writes either.
            Err(error) if error.code() == ErrorCode::Unavailable => {
                let outcomes = members.iter().map(|_| Err(crate::store::error::unavailable())).collect();
                tracing::warn!(name = self.batch.name(), %error, cause = ?error.cause(), "batch lost: no storage");
                answer(members, outcomes);
            }
            Err(error) => self.singly(members, &error).await,
        }
    }

    async fn singly(&self, members: Vec<Member<B>>, error: &Error) {
        let (name, size) = (self.batch.name(), members.len());
        metrics::counter!("linli_combiner_split_total", "name" => name).increment(1);
        tracing::warn!(name, size, %error, cause = ?error.cause(), "batch failed as a whole, members run singly");
        for member in members {
            if member.deadline <= Instant::now() {
                let _ = member.reply.send(Err(deadline::exceeded()));
                continue;
            }
            let outcome = self.apply(&[&member.command], member.deadline).await;
            let _ = member.reply.send(outcome.and_then(|mut one| one.pop().unwrap_or_else(|| Err(miscounted(0, 1)))));
        }
    }

    /// Runs commands in one transaction; a panic of the service's code is an error like any other.
    async fn apply(&self, commands: &[&B::Command], until: Instant) -> Result<Vec<Result<B::Outcome>>> {
        let write = self.store.write_until(self.batch.name(), until, |tx| {
            Box::pin(async move {
                let outcomes = self.batch.apply(tx, commands).await?;
                if outcomes.len() == commands.len() {
                    Ok(outcomes)
                } else {
                    Err(miscounted(outcomes.len(), commands.len()))
                }
            })
        });
        match AssertUnwindSafe(write).catch_unwind().await {
            Ok(outcomes) => outcomes,
            Err(_) => Err(Error::internal("a batch panicked")),
        }
    }
}

fn miscounted(got: usize, wanted: usize) -> Error {
    Error::internal(format!("a batch of {wanted} gave {got} outcomes"))
}

fn answer<B: Batch>(members: Vec<Member<B>>, outcomes: Vec<Result<B::Outcome>>) {
    for (member, outcome) in members.into_iter().zip(outcomes) {
        // Nobody may be waiting any more; the change stands all the same.
        let _ = member.reply.send(outcome);
    }
}

/// Answers members past their deadline before any work is done for them; returns the others.
fn drop_late<B: Batch>(members: Vec<Member<B>>) -> Vec<Member<B>> {
    let now = Instant::now();
    let (late, left): (Vec<_>, Vec<_>) = members.into_iter().partition(|m| m.deadline <= now);
    for member in late {
        let _ = member.reply.send(Err(deadline::exceeded()));
    }
    left
}
