//! The sequencer: gives committed events their dense positions, one service's at a time under a fenced lease.
//!
//! Reading "by id" would skip events that commit late, reading "below the oldest running transaction" would turn the order
//! within an aggregate around. Here an event gets the next position once it is committed, in the order of `seq`, which the
//! database counts as events are written. Whoever changes an aggregate holds its row, or the key under which it is created
//! anew, until its events are written and committed: within a subject `seq` follows the changes, also over a deletion, where
//! versions begin again. Between subjects the order means nothing. Never: the content of an event.

use std::sync::Arc;
use std::time::Duration;

use sea_orm::Value;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::log::EventLog;
use crate::lease::{self, Guard, Term};
use crate::store::{Engine, Store};
use crate::{Result, rows};

/// Events placed in one transaction at most.
pub const BATCH: u64 = 1000;
/// A look without a wake-up: for events of other processes.
const POLL: Duration = Duration::from_millis(200);
/// Pause between two batches: under load it joins many commits in one batch, alone it is not noticed.
const COALESCE: Duration = Duration::from_millis(5);
/// Pause after an error of the store.
const AFTER_ERROR: Duration = Duration::from_millis(500);

/// `$1` newest position, `$2` batch.
const PLACE: &str = "
WITH picked AS (
    SELECT seq FROM event WHERE position IS NULL ORDER BY seq LIMIT $2
), ordered AS (
    SELECT seq, row_number() OVER (ORDER BY seq) AS n FROM picked
)
UPDATE event SET position = $1 + ordered.n FROM ordered WHERE event.position IS NULL AND event.seq = ordered.seq";

/// Runs the sequencer of the log's service until `stop`; of several processes one at a time does the work.
pub fn spawn(log: &EventLog, term: Term, stop: CancellationToken) -> JoinHandle<()> {
    let log = log.clone();
    let store = log.store().clone();
    let work: lease::Work = Arc::new(move |guard, token| {
        let log = log.clone();
        Box::pin(async move {
            log.sequenced_here(true);
            run(&log, &guard, &token).await;
            log.sequenced_here(false);
        })
    });
    tokio::spawn(lease::while_held(store, "feed.sequencer".to_owned(), term, stop, work))
}

async fn run(log: &EventLog, guard: &Guard, token: &CancellationToken) {
    let store = log.store();
    // The first look finds what was committed before this process held the lease.
    let mut woken = true;
    while !token.is_cancelled() {
        match round(log, guard, woken).await {
            Ok(placed) if placed >= BATCH => continue,
            Ok(_) => lease::pause(token, COALESCE).await,
            Err(error) if lease::is_lost(&error) => return,
            Err(error) => {
                tracing::warn!(service = store.service(), %error, "events could not be placed");
                lease::pause(token, AFTER_ERROR).await;
            }
        }
        tokio::select! {
            () = token.cancelled() => return,
            () = store.committed().notified() => woken = true,
            () = tokio::time::sleep(POLL) => woken = false,
        }
    }
}

async fn round(log: &EventLog, guard: &Guard, woken: bool) -> Result<u64> {
    let store = log.store();
    if !woken {
        let waiting = "SELECT 1 FROM event WHERE position IS NULL LIMIT 1";
        if rows::one(store.reader(), waiting, vec![]).await?.is_none() {
            return Ok(0);
        }
    }
    let (placed, newest) = place(store, guard).await?;
    metrics::counter!("linli_feed_placed_total", "service" => store.service()).increment(placed);
    log.announce(newest);
    Ok(placed)
}

/// Places one batch in one transaction; how many it placed, and the newest position afterwards.
///
/// # Errors
/// ABORTED LEASE_LOST when the guard's lease is another's, or what the store says.
pub async fn place(store: &Store, guard: &Guard) -> Result<(u64, i64)> {
    let head = match store.engine() {
        Engine::Postgres => "SELECT newest FROM feed_head WHERE id = 1 FOR UPDATE",
        Engine::Sqlite => "SELECT newest FROM feed_head WHERE id = 1",
    };
    store
        .write("feed.place", |tx| {
            Box::pin(async move {
                guard.check(tx).await?;
                let row = rows::one(tx.conn(), head, vec![]).await?.ok_or_else(missing_head)?;
                let newest: i64 = rows::get(&row, "newest")?;
                let values: Vec<Value> = vec![newest.into(), BATCH.cast_signed().into()];
                let placed = rows::execute(tx.conn(), PLACE, values).await?;
                let after = newest + placed.cast_signed();
                if placed > 0 {
                    let moved = "UPDATE feed_head SET newest = $1 WHERE id = 1";
                    rows::execute(tx.conn(), moved, vec![after.into()]).await?;
                }
                Ok((placed, after))
            })
        })
        .await
}

pub(crate) fn missing_head() -> crate::Error {
    crate::Error::internal("feed_head has no row; the migration writes it")
}
