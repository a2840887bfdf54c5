//! SQLite: the writer is alone, so nothing needs a lock; statements are prepared once and run per row.

use linli_kernel::{Id as _, Timestamp};
use linli_kit::Result;
use linli_kit::store::Tx;
use sea_orm::Value;

use super::super::bookings::{BookingRow, columns_of};
use super::super::receipts::ReceiptRow;
use super::super::slots::{self, SlotRow};
use super::super::usage::Key;
use super::super::{execute, get, one};
use super::BOOKING_COLUMNS;
use crate::ids::{BookingId, SlotId};

pub(super) async fn lock_slots(tx: &Tx<'_>, keys: &[(String, SlotId)]) -> Result<Vec<SlotRow>> {
    let mut rows = Vec::with_capacity(keys.len());
    for (area, id) in keys {
        rows.extend(slots::find(tx.conn(), area, *id).await?);
    }
    Ok(rows)
}

fn key_values(key: &Key) -> Vec<Value> {
    vec![key.area.clone().into(), key.kind.clone().into(), key.resident.clone().into()]
}

pub(super) async fn lock_usage(tx: &Tx<'_>, keys: &[Key]) -> Result<Vec<(Key, i64)>> {
    let sql = "SELECT version FROM resident_usage WHERE area = $1 AND kind = $2 AND resident = $3";
    let mut versions = Vec::with_capacity(keys.len());
    for key in keys {
        let row = one(tx.conn(), sql, key_values(key)).await?;
        let version = row.map_or(Ok(0), |row| get::<i64>(&row, "version"))?;
        versions.push((key.clone(), version));
    }
    Ok(versions)
}

pub(super) async fn bump_usage(tx: &Tx<'_>, versions: &[(Key, i64)]) -> Result<()> {
    let sql = "INSERT INTO resident_usage (area, kind, resident, version) VALUES ($1, $2, $3, $4) \
               ON CONFLICT (area, kind, resident) DO UPDATE SET version = excluded.version";
    for (key, version) in versions {
        let mut values = key_values(key);
        values.push((*version).into());
        execute(tx, sql, values).await?;
    }
    Ok(())
}

pub(super) async fn insert_bookings(tx: &Tx<'_>, rows: &[&BookingRow]) -> Result<()> {
    let marks: Vec<String> = (1..=38).map(|i| format!("${i}")).collect();
    let sql = format!("INSERT INTO booking ({BOOKING_COLUMNS}) VALUES ({})", marks.join(", "));
    for row in rows {
        execute(tx, &sql, booking_values(row)).await?;
    }
    Ok(())
}

fn booking_values(row: &BookingRow) -> Vec<Value> {
    let (state, awaits, approval) = columns_of(row.state);
    vec![
        row.area.clone().into(),
        row.id.uuid().into(),
        row.slot.uuid().into(),
        row.offering.clone().into(),
        row.kind.clone().into(),
        row.mode.into(),
        row.tags.clone().into(),
        row.resident.clone().into(),
        row.unit.clone().into(),
        row.station_unit.clone().into(),
        row.booked_by.clone().into(),
        i64::from(row.on_behalf).into(),
        i64::from(row.party).into(),
        state.into(),
        awaits.into(),
        approval.into(),
        i64::from(row.priority).into(),
        row.seq.into(),
        row.price_asset.clone().into(),
        row.price_value.into(),
        row.hold.clone().into(),
        row.settlement.number().into(),
        row.tries.into(),
        row.window.start.micros().into(),
        row.window.end.micros().into(),
        i64::from(row.week).into(),
        i64::from(row.month).into(),
        row.expires.map(Timestamp::micros).into(),
        i64::from(row.used.open).into(),
        i64::from(row.used.week).into(),
        i64::from(row.used.month).into(),
        i64::from(row.used.no_shows).into(),
        row.home_unit.clone().into(),
        row.spec.clone().into(),
        row.secret_enc.clone().into(),
        row.created.micros().into(),
        row.updated.micros().into(),
        row.version.into(),
    ]
}

pub(super) async fn insert_receipts(tx: &Tx<'_>, rows: &[&ReceiptRow]) -> Result<()> {
    let sql = "INSERT INTO receipt (area, id, booking, hook, verdict, spec_enc, create_us) VALUES ($1, $2, $3, $4, $5, $6, $7)";
    for row in rows {
        let values = vec![
            row.area.clone().into(),
            row.id.uuid().into(),
            row.booking.uuid().into(),
            row.hook.clone().into(),
            row.verdict.clone().into(),
            row.spec_enc.clone().into(),
            row.created.micros().into(),
        ];
        execute(tx, sql, values).await?;
    }
    Ok(())
}

pub(super) async fn set_priorities(tx: &Tx<'_>, area: &str, scores: &[(BookingId, i32)]) -> Result<()> {
    let sql = "UPDATE booking SET priority = $3 WHERE area = $1 AND id = $2 AND state = 2";
    for (id, score) in scores {
        execute(tx, sql, vec![area.into(), id.uuid().into(), i64::from(*score).into()]).await?;
    }
    Ok(())
}
