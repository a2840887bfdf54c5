//! `write`: one transaction with a bound, retried when the database asks for it.
//!
//! READ COMMITTED on PostgreSQL is enough: every guard of linli is an UPDATE with a condition or a row lock, which READ
//! COMMITTED evaluates against the newest committed row; nothing relies on a snapshot staying still. SQLite has one writer
//! (BEGIN IMMEDIATE), which is serialisable.

use std::time::Duration;

use futures::future::BoxFuture;
use sea_orm::{
    ConnectionTrait as _, DatabaseTransaction, SqliteTransactionMode, TransactionOptions, TransactionTrait as _,
};
use tokio::time::Instant;

use super::error::Fault;
use super::{Engine, Store, Tx};
use crate::{Error, ErrorCode, Result, deadline};

/// Runs of the closure at most, the first included.
const ATTEMPTS: u32 = 8;
/// First pause before another attempt; doubles each time, with jitter.
const FIRST_PAUSE: Duration = Duration::from_millis(4);
/// Longest pause.
const LONGEST_PAUSE: Duration = Duration::from_millis(250);

/// How long after its deadline a statement may still run: a caller with the usual deadline costs no further round trip.
const LINGER: Duration = Duration::from_secs(2);

impl Store {
    /// Runs `f` in one transaction and commits, within what is left of the present call; `name` stands in metrics and logs.
    ///
    /// The closure may run several times: serialisation failures, deadlocks and busy files are retried with a pause, so it
    /// must do nothing but database work. Cancel-safe: a caller that goes away rolls back, unless COMMIT was already sent.
    ///
    /// # Errors
    /// What `f` answers; CONFLICT when the retries are used up, DEADLINE_EXCEEDED, STORAGE_UNAVAILABLE, or the reason that
    /// the store's [`super::ConstraintMap`] gives a violated constraint.
    pub async fn write<'env, T, F>(&self, name: &'static str, f: F) -> Result<T>
    where
        T: Send,
        F: for<'t> Fn(&'t Tx<'env>) -> BoxFuture<'t, Result<T>> + Send + Sync,
    {
        self.write_until(name, Instant::now() + deadline::remaining(), f).await
    }

    /// Like [`Store::write`], for a caller that waits until `deadline` only.
    ///
    /// # Errors
    /// As [`Store::write`]. After DEADLINE_EXCEEDED the change may still have been made when COMMIT was already sent.
    pub async fn write_until<'env, T, F>(&self, name: &'static str, deadline: Instant, f: F) -> Result<T>
    where
        T: Send,
        F: for<'t> Fn(&'t Tx<'env>) -> BoxFuture<'t, Result<T>> + Send + Sync,
    {
        let begun = Instant::now();
        if begun >= deadline {
            return Err(deadline::exceeded());
        }
        let outcome = match tokio::time::timeout_at(deadline, self.attempts(name, deadline, &f)).await {
            Ok(outcome) => outcome.map_err(|error| self.constraints.explain(error)),
            Err(_) => Err(deadline::exceeded()),
        };
        let label = if outcome.is_ok() { "ok" } else { "error" };
        let service = self.service();
        metrics::counter!("linli_transactions_total", "service" => service, "name" => name, "outcome" => label)
            .increment(1);
        metrics::histogram!("linli_transaction_seconds", "service" => service, "name" => name)
            .record(begun.elapsed().as_secs_f64());
        outcome
    }

    async fn attempts<'env, T, F>(&self, name: &'static str, deadline: Instant, f: &F) -> Result<T>
    where
        T: Send,
        F: for<'t> Fn(&'t Tx<'env>) -> BoxFuture<'t, Result<T>> + Send + Sync,
    {
        let mut attempt = 1;
        loop {
            let error = match self.attempt(deadline, f).await {
                Ok(value) => return Ok(value),
                Err(Failed::Final(error)) => return Err(error),
                Err(Failed::Again(error)) => error,
            };
            let cause = if Fault::of(&error) == Some(&Fault::Unavailable) { "unavailable" } else { "conflict" };
            metrics::counter!("linli_transaction_retries_total", "service" => self.service(), "name" => name, "cause" => cause)
                .increment(1);
            let pause = pause(attempt);
            if attempt >= ATTEMPTS || Instant::now() + pause >= deadline {
                return Err(exhausted(error));
            }
            tracing::debug!(name, attempt, cause, "transaction runs again");
            tokio::time::sleep(pause).await;
            attempt += 1;
        }
    }

    async fn attempt<'env, T, F>(&self, deadline: Instant, f: &F) -> Result<T, Failed>
    where
        T: Send,
        F: for<'t> Fn(&'t Tx<'env>) -> BoxFuture<'t, Result<T>> + Send + Sync,
    {
        let inner = self.begin(deadline).await.map_err(Failed::before_commit)?;
        let tx = Tx::new(inner, self.engine());
        let done = match f(&tx).await {
            Ok(value) => tx.flush_events(&self.inner.event_ids).await.map(|events| (value, events)),
            Err(error) => Err(error),
        };
        match done {
            Ok((value, events)) => {
                self.commit(tx.into_inner()).await?;
                if events > 0 {
                    self.inner.committed.notify_one();
                }
                Ok(value)
            }
            Err(error) => {
                // Waiting for the rollback keeps the next user of the connection from waiting for it.
                let _ = tx.into_inner().rollback().await;
                Err(Failed::before_commit(error))
            }
        }
    }

    /// Begins in a task of its own: sqlx leaves a connection inside a transaction when its BEGIN is cut
    /// (launchbadge/sqlx#4385), and the pool would hand it out like that.
    async fn begin(&self, deadline: Instant) -> Result<DatabaseTransaction> {
        let pool = self.inner.writer.clone();
        let engine = self.engine();
        let remaining = deadline.saturating_duration_since(Instant::now());
        let shorter = (remaining + LINGER < self.inner.statement_timeout).then_some(remaining);
        let watchdog = self.inner.watchdog.clone();
        let until = deadline.min(Instant::now() + self.inner.statement_timeout * 4);
        let task = tokio::spawn(async move {
            let mode = (engine == Engine::Sqlite).then_some(SqliteTransactionMode::Immediate);
            let options = TransactionOptions { sqlite_transaction_mode: mode, ..TransactionOptions::default() };
            let tx = pool.begin_with_options(options).await?;
            match engine {
                Engine::Sqlite => watchdog.arm(until),
                Engine::Postgres => {
                    // The pool's timeout holds otherwise; a round trip only for a caller in a hurry.
                    if let Some(remaining) = shorter {
                        let ms = remaining.as_millis().max(1);
                        tx.execute_unprepared(&format!("SET LOCAL statement_timeout = {ms}")).await?;
                    }
                }
            }
            Ok(tx)
        });
        task.await.map_err(Error::internal)?
    }

    /// Commits in a task of its own, so that a caller that goes away cannot cut it.
    async fn commit(&self, tx: DatabaseTransaction) -> Result<(), Failed> {
        let watchdog = self.inner.watchdog.clone();
        let task = tokio::spawn(async move {
            watchdog.disarm();
            tx.commit().await
        });
        match task.await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(problem)) => {
                let error = Error::from(problem);
                // Only a refusal of the database says that nothing was committed; a broken line does not.
                if Fault::of(&error) == Some(&Fault::Serialisation) {
                    Err(Failed::Again(error))
                } else {
                    Err(Failed::Final(error))
                }
            }
            Err(problem) => Err(Failed::Final(Error::internal(problem))),
        }
    }
}

/// How an attempt ended.
enum Failed {
    /// Nothing was committed and another attempt may succeed.
    Again(Error),
    /// Another attempt would not help, or might do it twice.
    Final(Error),
}

impl Failed {
    fn before_commit(error: Error) -> Self {
        match Fault::of(&error) {
            Some(Fault::Serialisation | Fault::Unavailable) => Self::Again(error),
            _ => Self::Final(error),
        }
    }
}

fn exhausted(error: Error) -> Error {
    match Fault::of(&error) {
        Some(Fault::Serialisation) => {
            Error::new(ErrorCode::Aborted, "CONFLICT").retry_after(LONGEST_PAUSE).caused_by(error)
        }
        _ => error,
    }
}

fn pause(attempt: u32) -> Duration {
    let full = FIRST_PAUSE.saturating_mul(1 << attempt.min(10)).min(LONGEST_PAUSE);
    full.mul_f64(0.5 + rand::random::<f64>() / 2.0)
}
