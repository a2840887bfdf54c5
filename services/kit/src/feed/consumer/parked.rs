//! Parked events: what a consumer could not apply, kept in order per key until it can.

use std::collections::HashMap;

use linli_proto::events::Event;
use prost::Message as _;
use sea_orm::QueryResult;

use crate::store::{Store, Tx};
use crate::{Error, Result, rows};

/// Reason of an event that waits behind another of its key.
pub(super) const BEHIND: &str = "BEHIND_PARKED";

/// An event that waits to be applied.
#[derive(Debug, Clone, PartialEq)]
pub struct ParkedEvent {
    /// The event.
    pub event: Event,
    /// Later events with this key wait behind it.
    pub blocking_key: Option<String>,
    /// Reason of the last error; `BEHIND_PARKED` when it only waits behind another.
    pub reason: String,
    /// How often it has failed.
    pub attempts: u32,
    /// When it is tried again, by the machine's clock in microseconds.
    pub next_us: i64,
}

/// The parked events of a consumer, by position.
///
/// # Errors
/// What the store says.
pub async fn list_parked(store: &Store, consumer: &str, limit: u32) -> Result<Vec<ParkedEvent>> {
    let sql = "SELECT * FROM parked_event WHERE consumer = $1 ORDER BY position LIMIT $2";
    let found = rows::all(store.reader(), sql, vec![consumer.into(), i64::from(limit).into()]).await?;
    found.iter().map(read).collect()
}

/// Makes all parked events of a consumer due: for an operator who has removed the cause. How many there are.
///
/// # Errors
/// What the store says.
pub async fn retry_now(store: &Store, consumer: &str) -> Result<u64> {
    store
        .write("feed.retry_now", |tx| {
            Box::pin(async move {
                let sql = "UPDATE parked_event SET next_us = 0 WHERE consumer = $1";
                rows::execute(tx.conn(), sql, vec![consumer.into()]).await
            })
        })
        .await
}

/// Gives up one parked event, so that those behind it go on: an operator's last resort. False when it is not there.
///
/// # Errors
/// What the store says.
pub async fn discard(store: &Store, consumer: &str, position: i64) -> Result<bool> {
    store.write("feed.discard", |tx| Box::pin(async move { remove(tx, consumer, position).await })).await
}

/// Only the first of its key may be tried; one without a key always.
const HEAD: &str = "consumer = $1 AND (blocking_key IS NULL OR NOT EXISTS (SELECT 1 FROM parked_event q \
     WHERE q.consumer = p.consumer AND q.blocking_key = p.blocking_key AND q.position < p.position))";

/// Events that may be tried at `now_us`, by position.
pub(super) async fn due(store: &Store, consumer: &str, now_us: i64) -> Result<Vec<ParkedEvent>> {
    let sql = format!("SELECT * FROM parked_event p WHERE {HEAD} AND next_us <= $2 ORDER BY position LIMIT 50");
    let found = rows::all(store.reader(), &sql, vec![consumer.into(), now_us.into()]).await?;
    found.iter().map(read).collect()
}

/// When the next event may be tried; `None` when none is parked.
pub(super) async fn next_due(store: &Store, consumer: &str) -> Result<Option<i64>> {
    let sql = format!("SELECT min(next_us) AS next_us FROM parked_event p WHERE {HEAD}");
    match rows::one(store.reader(), &sql, vec![consumer.into()]).await? {
        Some(row) => rows::get(&row, "next_us"),
        None => Ok(None),
    }
}

/// How many events are parked under each key.
pub(super) async fn keys(store: &Store, consumer: &str) -> Result<HashMap<Option<String>, usize>> {
    let sql = "SELECT blocking_key, count(*) AS n FROM parked_event WHERE consumer = $1 GROUP BY blocking_key";
    let mut keys = HashMap::new();
    for row in rows::all(store.reader(), sql, vec![consumer.into()]).await? {
        let n: i64 = rows::get(&row, "n")?;
        keys.insert(rows::get(&row, "blocking_key")?, usize::try_from(n).unwrap_or(0));
    }
    Ok(keys)
}

/// Writes a parked event.
pub(super) async fn insert(tx: &Tx<'_>, consumer: &str, parked: &ParkedEvent) -> Result<()> {
    let sql = "INSERT INTO parked_event (consumer, position, event_id, blocking_key, reason, attempts, next_us, data) \
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
    let values = vec![
        consumer.into(),
        parked.event.position.into(),
        parked.event.id.clone().into(),
        parked.blocking_key.clone().into(),
        parked.reason.clone().into(),
        i64::from(parked.attempts).into(),
        parked.next_us.into(),
        parked.event.encode_to_vec().into(),
    ];
    rows::execute(tx.conn(), sql, values).await.map(|_| ())
}

/// Removes a parked event; false when it is not there.
pub(super) async fn remove(tx: &Tx<'_>, consumer: &str, position: i64) -> Result<bool> {
    let sql = "DELETE FROM parked_event WHERE consumer = $1 AND position = $2";
    Ok(rows::execute(tx.conn(), sql, vec![consumer.into(), position.into()]).await? == 1)
}

/// Records another failure.
pub(super) async fn postpone(tx: &Tx<'_>, consumer: &str, parked: &ParkedEvent) -> Result<()> {
    let sql = "UPDATE parked_event SET reason = $1, attempts = $2, next_us = $3 WHERE consumer = $4 AND position = $5";
    let values = vec![
        parked.reason.clone().into(),
        i64::from(parked.attempts).into(),
        parked.next_us.into(),
        consumer.into(),
        parked.event.position.into(),
    ];
    rows::execute(tx.conn(), sql, values).await.map(|_| ())
}

fn read(row: &QueryResult) -> Result<ParkedEvent> {
    let data: Vec<u8> = rows::get(row, "data")?;
    let attempts: i64 = rows::get(row, "attempts")?;
    Ok(ParkedEvent {
        event: Event::decode(data.as_slice()).map_err(Error::internal)?,
        blocking_key: rows::get(row, "blocking_key")?,
        reason: rows::get(row, "reason")?,
        attempts: u32::try_from(attempts).unwrap_or(u32::MAX),
        next_us: rows::get(row, "next_us")?,
    })
}
