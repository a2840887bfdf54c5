//! The hot statements, in the words of each engine: array-bound on PostgreSQL, prepared per row on SQLite.

mod postgres;
mod sqlite;

use linli_kit::Result;
use linli_kit::store::{Engine, Tx};

use super::bookings::BookingRow;
use super::receipts::ReceiptRow;
use super::slots::SlotRow;
use super::usage::Key;
use crate::ids::{BookingId, SlotId};

/// Locks slots until the end of the transaction, in one order for everybody; those that do not exist are left out.
pub(crate) async fn lock_slots(tx: &Tx<'_>, keys: &[(String, SlotId)]) -> Result<Vec<SlotRow>> {
    let mut keys = keys.to_vec();
    keys.sort();
    keys.dedup();
    match tx.engine() {
        Engine::Sqlite => sqlite::lock_slots(tx, &keys).await,
        Engine::Postgres => postgres::lock_slots(tx, &keys).await,
    }
}

/// Locks usage rows, making those that are missing; their versions, in the order of the sorted distinct keys.
pub(crate) async fn lock_usage(tx: &Tx<'_>, keys: &[Key]) -> Result<Vec<(Key, i64)>> {
    let mut keys = keys.to_vec();
    keys.sort();
    keys.dedup();
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    match tx.engine() {
        Engine::Sqlite => sqlite::lock_usage(tx, &keys).await,
        Engine::Postgres => postgres::lock_usage(tx, &keys).await,
    }
}

/// Sets the versions of usage rows that are locked.
pub(crate) async fn bump_usage(tx: &Tx<'_>, versions: &[(Key, i64)]) -> Result<()> {
    match tx.engine() {
        _ if versions.is_empty() => Ok(()),
        Engine::Sqlite => sqlite::bump_usage(tx, versions).await,
        Engine::Postgres => postgres::bump_usage(tx, versions).await,
    }
}

/// Inserts bookings.
pub(crate) async fn insert_bookings(tx: &Tx<'_>, rows: &[&BookingRow]) -> Result<()> {
    match tx.engine() {
        _ if rows.is_empty() => Ok(()),
        Engine::Sqlite => sqlite::insert_bookings(tx, rows).await,
        Engine::Postgres => postgres::insert_bookings(tx, rows).await,
    }
}

/// Inserts receipts.
pub(crate) async fn insert_receipts(tx: &Tx<'_>, rows: &[&ReceiptRow]) -> Result<()> {
    match tx.engine() {
        _ if rows.is_empty() => Ok(()),
        Engine::Sqlite => sqlite::insert_receipts(tx, rows).await,
        Engine::Postgres => postgres::insert_receipts(tx, rows).await,
    }
}

/// Writes new scores of waiting bookings; those that no longer wait keep theirs.
pub(crate) async fn set_priorities(tx: &Tx<'_>, area: &str, scores: &[(BookingId, i32)]) -> Result<()> {
    match tx.engine() {
        _ if scores.is_empty() => Ok(()),
        Engine::Sqlite => sqlite::set_priorities(tx, area, scores).await,
        Engine::Postgres => postgres::set_priorities(tx, area, scores).await,
    }
}

/// The columns of `booking`, in the order in which they are bound.
const BOOKING_COLUMNS: &str = "area, id, slot, offering, kind, mode, tags, resident, unit, station_unit, booked_by, \
    on_behalf, party, state, awaits, approval, priority, seq, price_asset, price_value, hold, settlement, tries, start_us, \
    end_us, week, month, expires_us, used_open, used_week, used_month, used_no_shows, home_unit, spec, secret_enc, create_us, \
    update_us, version";
