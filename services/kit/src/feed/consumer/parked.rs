//! Parked events: what a consumer could not apply, kept in order per key until it can.

use std::collections::{BTreeMap, BTreeSet};

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
    /// Later events with one of these keys wait behind it.
    pub blocking_keys: BTreeSet<String>,
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
    let mut keys = keys(store, consumer).await?;
    found.iter().map(|row| read(row, &mut keys)).collect()
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

/// Only what is first by each of its keys may be tried; an event without keys always.
const HEAD: &str = "consumer = $1 AND NOT EXISTS (SELECT 1 FROM parked_key own JOIN parked_key before \
     ON before.consumer = own.consumer AND before.blocking_key = own.blocking_key AND before.position < own.position \
     WHERE own.consumer = p.consumer AND own.position = p.position)";

/// Events that may be tried at `now_us`, by position.
pub(super) async fn due(store: &Store, consumer: &str, now_us: i64) -> Result<Vec<ParkedEvent>> {
    let sql = format!("SELECT * FROM parked_event p WHERE {HEAD} AND next_us <= $2 ORDER BY position LIMIT 50");
    let found = rows::all(store.reader(), &sql, vec![consumer.into(), now_us.into()]).await?;
    let mut keys = keys(store, consumer).await?;
    found.iter().map(|row| read(row, &mut keys)).collect()
}

/// When the next event may be tried; `None` when none is parked.
pub(super) async fn next_due(store: &Store, consumer: &str) -> Result<Option<i64>> {
    let sql = format!("SELECT min(next_us) AS next_us FROM parked_event p WHERE {HEAD}");
    match rows::one(store.reader(), &sql, vec![consumer.into()]).await? {
        Some(row) => rows::get(&row, "next_us"),
        None => Ok(None),
    }
}

/// The keys of the parked events, by position; an event without keys is not in it.
pub(super) async fn keys(store: &Store, consumer: &str) -> Result<BTreeMap<i64, BTreeSet<String>>> {
    let sql = "SELECT position, blocking_key FROM parked_key WHERE consumer = $1";
    let mut keys: BTreeMap<i64, BTreeSet<String>> = BTreeMap::new();
    for row in rows::all(store.reader(), sql, vec![consumer.into()]).await? {
        keys.entry(rows::get(&row, "position")?).or_default().insert(rows::get(&row, "blocking_key")?);
    }
    Ok(keys)
}

/// How many events are parked.
pub(super) async fn count(store: &Store, consumer: &str) -> Result<usize> {
    let sql = "SELECT count(*) AS n FROM parked_event WHERE consumer = $1";
    let row = rows::one(store.reader(), sql, vec![consumer.into()]).await?;
    let n: i64 = row.map_or(Ok(0), |row| rows::get(&row, "n"))?;
    Ok(usize::try_from(n).unwrap_or(0))
}

/// Writes a parked event.
pub(super) async fn insert(tx: &Tx<'_>, consumer: &str, parked: &ParkedEvent) -> Result<()> {
    let sql = "INSERT INTO parked_event (consumer, position, event_id, reason, attempts, next_us, data) \
               VALUES ($1, $2, $3, $4, $5, $6, $7)";
    let values = vec![
        consumer.into(),
        parked.event.position.into(),
        parked.event.id.clone().into(),
        parked.reason.clone().into(),
        i64::from(parked.attempts).into(),
        parked.next_us.into(),
        parked.event.encode_to_vec().into(),
    ];
    rows::execute(tx.conn(), sql, values).await?;
    for key in &parked.blocking_keys {
        let sql = "INSERT INTO parked_key (consumer, position, blocking_key) VALUES ($1, $2, $3)";
        let values = vec![consumer.into(), parked.event.position.into(), key.clone().into()];
        rows::execute(tx.conn(), sql, values).await?;
    }
    Ok(())
}

/// Removes a parked event; false when it is not there.
pub(super) async fn remove(tx: &Tx<'_>, consumer: &str, position: i64) -> Result<bool> {
    let sql = "DELETE FROM parked_key WHERE consumer = $1 AND position = $2";
    rows::execute(tx.conn(), sql, vec![consumer.into(), position.into()]).await?;
    let sql = "DELETE FROM parked_event WHERE consumer = $1 AND position = $2";
    Ok(rows::execute(tx.conn(), sql, vec![consumer.into(), position.into()]).await? == 1)
}

/// Removes all parked events of a consumer.
pub(super) async fn clear(tx: &Tx<'_>, consumer: &str) -> Result<()> {
    for sql in ["DELETE FROM parked_key WHERE consumer = $1", "DELETE FROM parked_event WHERE consumer = $1"] {
        rows::execute(tx.conn(), sql, vec![consumer.into()]).await?;
    }
    Ok(())
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

fn read(row: &QueryResult, keys: &mut BTreeMap<i64, BTreeSet<String>>) -> Result<ParkedEvent> {
    let data: Vec<u8> = rows::get(row, "data")?;
    let attempts: i64 = rows::get(row, "attempts")?;
    Ok(ParkedEvent {
        event: Event::decode(data.as_slice()).map_err(Error::internal)?,
        blocking_keys: keys.remove(&rows::get(row, "position")?).unwrap_or_default(),
        reason: rows::get(row, "reason")?,
        attempts: u32::try_from(attempts).unwrap_or(u32::MAX),
        next_us: rows::get(row, "next_us")?,
    })
}
