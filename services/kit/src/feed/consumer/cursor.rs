//! The cursor row of a consumer: moves only forward, only in the transaction of the effect, only for the lease's holder.

use crate::lease::{self, Guard};
use crate::store::{Store, Tx};
use crate::{Result, rows};

/// The position up to which everything is applied or parked; `None` before the consumer has run.
pub(super) async fn position(store: &Store, name: &str) -> Result<Option<i64>> {
    let row = rows::one(store.reader(), "SELECT position FROM consumer WHERE name = $1", vec![name.into()]).await?;
    row.map(|row| rows::get(&row, "position")).transpose()
}

/// Reads the cursor under the lease, creating it at `start` when there is none.
pub(super) async fn open(store: &Store, guard: &Guard, name: &str, stream: &str, start: i64) -> Result<i64> {
    store
        .write("feed.open", |tx| {
            Box::pin(async move {
                guard.check(tx).await?;
                let sql = "INSERT INTO consumer (name, stream, position, fence) VALUES ($1, $2, $3, $4) \
                           ON CONFLICT (name) DO UPDATE SET fence = excluded.fence, stream = excluded.stream \
                           RETURNING position";
                let values = vec![name.into(), stream.into(), start.into(), guard.fence().into()];
                let row = rows::one(tx.conn(), sql, values).await?;
                row.map(|row| rows::get(&row, "position")).transpose()
            })
        })
        .await?
        .ok_or_else(|| lease::lost(name))
}

/// Moves the cursor from `from` to `to`. The caller has checked the guard in the same transaction.
///
/// # Errors
/// LEASE_LOST when the cursor is not at `from`: an earlier commit of ours was taken for failed, or another moved it.
pub(super) async fn advance(tx: &Tx<'_>, guard: &Guard, name: &str, from: i64, to: i64) -> Result<()> {
    let sql = "UPDATE consumer SET position = $1, fence = $2 WHERE name = $3 AND position = $4 AND fence <= $2";
    let values = vec![to.into(), guard.fence().into(), name.into(), from.into()];
    if rows::execute(tx.conn(), sql, values).await? == 1 { Ok(()) } else { Err(lease::lost(guard.name())) }
}

/// Moves a consumer to a position, whatever lies between: for an operator, after events were missed for good. False when
/// there is no such consumer. One that runs begins again from there.
///
/// # Errors
/// What the store says.
pub async fn skip_to(store: &Store, name: &str, position: i64) -> Result<bool> {
    store
        .write("feed.skip_to", |tx| {
            Box::pin(async move {
                let sql = "UPDATE consumer SET position = $1 WHERE name = $2";
                Ok(rows::execute(tx.conn(), sql, vec![position.into(), name.into()]).await? == 1)
            })
        })
        .await
}
