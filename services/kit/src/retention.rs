//! Deletes what is older than its setting, in small batches, one process at a time.
//!
//! Events go from the oldest on, so that positions stay dense from `oldest`. Owns no table; a service says with [`Kept`] which
//! of its own rows may go.

use std::sync::Arc;
use std::time::Duration;

use linli_kernel::{Clock, SharedClock};
use sea_orm::Value;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::feed::sequencer::missing_head;
use crate::lease::{self, Guard, Term, micros};
use crate::store::{Engine, Store, Tx};
use crate::{Result, rows};

const DAY: Duration = Duration::from_secs(24 * 3600);
/// Pause between two batches: the rest of the service writes too.
const BETWEEN: Duration = Duration::from_millis(50);

/// How long rows are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// Events with a position, by the suite's clock.
    pub events: Duration,
    /// Request ids, by the suite's clock.
    pub request_ids: Duration,
    /// Durable calls that are over, by the machine's clock.
    pub durable_calls: Duration,
    /// Operations that are over, by the machine's clock.
    pub operations: Duration,
    /// Receipts of decisions, by the suite's clock.
    pub receipts: Duration,
    /// How often to look.
    pub every: Duration,
    /// Rows deleted in one transaction at most.
    pub batch: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            events: 30 * DAY,
            request_ids: 7 * DAY,
            durable_calls: 7 * DAY,
            operations: 30 * DAY,
            receipts: 365 * DAY,
            every: Duration::from_secs(3600),
            batch: 1000,
        }
    }
}

/// Rows that may go after a while.
#[derive(Debug, Clone, Copy)]
pub enum Kept {
    /// Events, from the oldest on.
    Events,
    /// Rows of a table.
    Rows {
        /// The table.
        table: &'static str,
        /// Its key, such as `area, id`.
        key: &'static str,
        /// Which rows are over, with the instant in microseconds as `$1`, such as `created_us < $1`.
        over: &'static str,
        /// By which clock the table's instants are.
        clock: Instants,
        /// How long they are kept.
        keep: fn(&Settings) -> Duration,
    },
}

/// By which clock instants were taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Instants {
    /// The suite's, which a test may move.
    Suite,
    /// The machine's.
    Machine,
}

/// What kit itself keeps for a while.
pub const KIT: &[Kept] = &[
    Kept::Events,
    Kept::Rows {
        table: "idempotency",
        key: "area, caller, method, request_id",
        over: "created_us < $1",
        clock: Instants::Suite,
        keep: |settings| settings.request_ids,
    },
    Kept::Rows {
        table: "durable_call",
        key: "seq",
        over: "state <> 0 AND updated_us < $1",
        clock: Instants::Machine,
        keep: |settings| settings.durable_calls,
    },
    Kept::Rows {
        table: "operation",
        key: "area, id",
        over: "state >= 2 AND updated_us < $1",
        clock: Instants::Machine,
        keep: |settings| settings.operations,
    },
];

impl Kept {
    fn table(&self) -> &'static str {
        match self {
            Self::Events => "event",
            Self::Rows { table, .. } => table,
        }
    }

    fn cutoff(&self, suite_us: i64, settings: &Settings) -> i64 {
        match self {
            Self::Events => suite_us - micros(settings.events),
            Self::Rows { clock: Instants::Suite, keep, .. } => suite_us - micros(keep(settings)),
            Self::Rows { clock: Instants::Machine, keep, .. } => rows::machine_us() - micros(keep(settings)),
        }
    }
}

/// Deletes in the background until `stop`, one process at a time under `lease`.
pub fn spawn(
    store: Store,
    clock: SharedClock,
    lease: &'static str,
    kept: &'static [Kept],
    settings: Settings,
    stop: CancellationToken,
) -> JoinHandle<()> {
    let term = Term::for_engine(store.engine());
    let held = store.clone();
    let work: lease::Work = Arc::new(move |guard, token| {
        let (store, clock) = (held.clone(), clock.clone());
        Box::pin(async move {
            while !token.is_cancelled() {
                match sweep(&store, clock.as_ref(), kept, &settings, &guard, &token).await {
                    Ok(swept) => tracing::debug!(service = store.service(), ?swept, "old rows deleted"),
                    Err(error) if lease::is_lost(&error) => return,
                    Err(error) => tracing::warn!(service = store.service(), %error, "old rows could not be deleted"),
                }
                lease::pause(&token, lease::jittered(settings.every)).await;
            }
        })
    });
    tokio::spawn(lease::while_held(store, lease.to_owned(), term, stop, work))
}

/// Deletes all that is too old now, batch by batch; how many rows of each table.
///
/// # Errors
/// ABORTED LEASE_LOST when the guard's lease is another's, or what the store says.
pub async fn sweep(
    store: &Store,
    clock: &dyn Clock,
    kept: &[Kept],
    settings: &Settings,
    guard: &Guard,
    stop: &CancellationToken,
) -> Result<Vec<(&'static str, u64)>> {
    let suite_us = clock.now().micros();
    let sweeper = Sweeper { store, guard, stop, batch: i64::from(settings.batch.max(1)) };
    let mut swept = Vec::new();
    for kind in kept {
        let deleted = sweeper.all(*kind, kind.cutoff(suite_us, settings)).await?;
        metrics::counter!("linli_rows_expired_total", "service" => store.service(), "table" => kind.table())
            .increment(deleted);
        swept.push((kind.table(), deleted));
    }
    Ok(swept)
}

struct Sweeper<'a> {
    store: &'a Store,
    guard: &'a Guard,
    stop: &'a CancellationToken,
    batch: i64,
}

impl Sweeper<'_> {
    async fn all(&self, kind: Kept, cutoff: i64) -> Result<u64> {
        let mut total = 0;
        while !self.stop.is_cancelled() {
            let deleted = self.some(kind, cutoff).await?;
            total += deleted;
            if deleted < self.batch.unsigned_abs() {
                break;
            }
            lease::pause(self.stop, BETWEEN).await;
        }
        Ok(total)
    }

    async fn some(&self, kind: Kept, cutoff: i64) -> Result<u64> {
        let (guard, batch) = (self.guard, self.batch);
        self.store
            .write("retention.sweep", |tx| {
                Box::pin(async move {
                    guard.check(tx).await?;
                    match kind {
                        Kept::Events => delete_events(tx, cutoff, batch).await,
                        Kept::Rows { table, key, over, .. } => {
                            let sql = format!(
                                "DELETE FROM {table} WHERE ({key}) IN \
                                 (SELECT {key} FROM {table} WHERE {over} LIMIT $2)"
                            );
                            rows::execute(tx.conn(), &sql, vec![cutoff.into(), batch.into()]).await
                        }
                    }
                })
            })
            .await
    }
}

/// Deletes the longest run of old events from the oldest on, at most `batch`, and moves `oldest` behind it.
async fn delete_events(tx: &Tx<'_>, cutoff: i64, batch: i64) -> Result<u64> {
    let head = match tx.engine() {
        Engine::Postgres => "SELECT newest, oldest FROM feed_head WHERE id = 1 FOR UPDATE",
        Engine::Sqlite => "SELECT newest, oldest FROM feed_head WHERE id = 1",
    };
    let row = rows::one(tx.conn(), head, vec![]).await?.ok_or_else(missing_head)?;
    let (newest, oldest): (i64, i64) = (rows::get(&row, "newest")?, rows::get(&row, "oldest")?);
    let end = (oldest + batch).min(newest + 1);
    let first_young =
        "SELECT min(position) AS position FROM event WHERE position >= $1 AND position < $2 AND time_us >= $3";
    let values: Vec<Value> = vec![oldest.into(), end.into(), cutoff.into()];
    let young = match rows::one(tx.conn(), first_young, values).await? {
        Some(row) => rows::get::<Option<i64>>(&row, "position")?,
        None => None,
    };
    let keep_from = young.unwrap_or(end);
    if keep_from <= oldest {
        return Ok(0);
    }
    let delete = "DELETE FROM event WHERE position >= $1 AND position < $2";
    let deleted = rows::execute(tx.conn(), delete, vec![oldest.into(), keep_from.into()]).await?;
    rows::execute(tx.conn(), "UPDATE feed_head SET oldest = $1 WHERE id = 1", vec![keep_from.into()]).await?;
    Ok(deleted)
}

#[cfg(test)]
mod tests;
