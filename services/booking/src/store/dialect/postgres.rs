//! PostgreSQL: row locks in one order, and one statement for any number of rows, bound as arrays.

use linli_kernel::Id as _;
use linli_kit::Result;
use linli_kit::store::Tx;
use sea_orm::Value;
use uuid::Uuid;

use super::super::bookings::{BookingRow, columns_of};
use super::super::receipts::ReceiptRow;
use super::super::slots::SlotRow;
use super::super::usage::Key;
use super::super::{all, execute, get};
use super::BOOKING_COLUMNS;
use crate::ids::{BookingId, SlotId};

fn texts<R>(rows: &[R], pick: impl Fn(&R) -> String) -> Value {
    rows.iter().map(pick).collect::<Vec<String>>().into()
}

fn numbers<R>(rows: &[R], pick: impl Fn(&R) -> i64) -> Value {
    rows.iter().map(pick).collect::<Vec<i64>>().into()
}

fn ids<R>(rows: &[R], pick: impl Fn(&R) -> Uuid) -> Value {
    rows.iter().map(pick).collect::<Vec<Uuid>>().into()
}

fn blobs<R>(rows: &[R], pick: impl Fn(&R) -> Vec<u8>) -> Value {
    rows.iter().map(pick).collect::<Vec<Vec<u8>>>().into()
}

pub(super) async fn lock_slots(tx: &Tx<'_>, keys: &[(String, SlotId)]) -> Result<Vec<SlotRow>> {
    let sql = "SELECT s.* FROM slot s JOIN unnest($1::text[], $2::uuid[]) AS k (area, id) ON s.area = k.area AND s.id = k.id \
               ORDER BY s.area, s.id FOR UPDATE OF s";
    let values = vec![texts(keys, |k| k.0.clone()), ids(keys, |k| k.1.uuid())];
    all(tx.conn(), sql, values).await?.iter().map(SlotRow::read).collect()
}

fn key_arrays<R>(rows: &[R], key: impl Fn(&R) -> &Key) -> Vec<Value> {
    vec![
        texts(rows, |r| key(r).area.clone()),
        texts(rows, |r| key(r).kind.clone()),
        texts(rows, |r| key(r).resident.clone()),
    ]
}

pub(super) async fn lock_usage(tx: &Tx<'_>, keys: &[Key]) -> Result<Vec<(Key, i64)>> {
    let make = "INSERT INTO resident_usage (area, kind, resident, version) \
                SELECT k.*, 0 FROM unnest($1::text[], $2::text[], $3::text[]) AS k ON CONFLICT DO NOTHING";
    execute(tx, make, key_arrays(keys, |k| k)).await?;
    let sql = "SELECT u.* FROM resident_usage u JOIN unnest($1::text[], $2::text[], $3::text[]) AS k (area, kind, resident) \
               ON u.area = k.area AND u.kind = k.kind AND u.resident = k.resident \
               ORDER BY u.area, u.kind, u.resident FOR UPDATE OF u";
    let rows = all(tx.conn(), sql, key_arrays(keys, |k| k)).await?;
    let read = |row: &sea_orm::QueryResult| {
        let key = Key { area: get(row, "area")?, kind: get(row, "kind")?, resident: get(row, "resident")? };
        Ok((key, get(row, "version")?))
    };
    rows.iter().map(read).collect()
}

pub(super) async fn bump_usage(tx: &Tx<'_>, versions: &[(Key, i64)]) -> Result<()> {
    let sql = "UPDATE resident_usage u SET version = k.version \
               FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[]) AS k (area, kind, resident, version) \
               WHERE u.area = k.area AND u.kind = k.kind AND u.resident = k.resident";
    let mut values = key_arrays(versions, |(key, _)| key);
    values.push(numbers(versions, |(_, version)| *version));
    execute(tx, sql, values).await.map(|_| ())
}

pub(super) async fn insert_bookings(tx: &Tx<'_>, rows: &[&BookingRow]) -> Result<()> {
    let sql = format!(
        "INSERT INTO booking ({BOOKING_COLUMNS}) SELECT area, id, slot, offering, kind, mode, tags, resident, unit, \
         station_unit, booked_by, on_behalf, party, state, awaits, approval, priority, seq, price_asset, price_value, hold, \
         settlement, tries, start_us, end_us, week, month, nullif(expires_us, -1), used_open, used_week, used_month, \
         used_no_shows, home_unit, spec, secret_enc, create_us, update_us, version FROM unnest( \
         $1::text[], $2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::bigint[], $7::text[], $8::text[], \
         $9::text[], $10::text[], $11::text[], $12::bigint[], $13::bigint[], $14::bigint[], $15::bigint[], \
         $16::bigint[], $17::bigint[], $18::bigint[], $19::text[], $20::bigint[], $21::text[], $22::bigint[], \
         $23::bigint[], $24::bigint[], $25::bigint[], $26::bigint[], $27::bigint[], $28::bigint[], $29::bigint[], \
         $30::bigint[], $31::bigint[], $32::bigint[], $33::text[], $34::bytea[], $35::bytea[], $36::bigint[], \
         $37::bigint[], $38::bigint[]) AS n ({BOOKING_COLUMNS})"
    );
    execute(tx, &sql, booking_arrays(rows)).await.map(|_| ())
}

fn booking_arrays(rows: &[&BookingRow]) -> Vec<Value> {
    vec![
        texts(rows, |r| r.area.clone()),
        ids(rows, |r| r.id.uuid()),
        ids(rows, |r| r.slot.uuid()),
        texts(rows, |r| r.offering.clone()),
        texts(rows, |r| r.kind.clone()),
        numbers(rows, |r| r.mode),
        texts(rows, |r| r.tags.clone()),
        texts(rows, |r| r.resident.clone()),
        texts(rows, |r| r.unit.clone()),
        texts(rows, |r| r.station_unit.clone()),
        texts(rows, |r| r.booked_by.clone()),
        numbers(rows, |r| i64::from(r.on_behalf)),
        numbers(rows, |r| i64::from(r.party)),
        numbers(rows, |r| columns_of(r.state).0),
        numbers(rows, |r| columns_of(r.state).1),
        numbers(rows, |r| columns_of(r.state).2),
        numbers(rows, |r| i64::from(r.priority)),
        numbers(rows, |r| r.seq),
        texts(rows, |r| r.price_asset.clone()),
        numbers(rows, |r| r.price_value),
        texts(rows, |r| r.hold.clone()),
        numbers(rows, |r| r.settlement.number()),
        numbers(rows, |r| r.tries),
        numbers(rows, |r| r.window.start.micros()),
        numbers(rows, |r| r.window.end.micros()),
        numbers(rows, |r| i64::from(r.week)),
        numbers(rows, |r| i64::from(r.month)),
        // An instant is never -1: arrays of optional numbers are not bound.
        numbers(rows, |r| r.expires.map_or(-1, |at| at.micros())),
        numbers(rows, |r| i64::from(r.used.open)),
        numbers(rows, |r| i64::from(r.used.week)),
        numbers(rows, |r| i64::from(r.used.month)),
        numbers(rows, |r| i64::from(r.used.no_shows)),
        texts(rows, |r| r.home_unit.clone()),
        blobs(rows, |r| r.spec.clone()),
        blobs(rows, |r| r.secret_enc.clone()),
        numbers(rows, |r| r.created.micros()),
        numbers(rows, |r| r.updated.micros()),
        numbers(rows, |r| r.version),
    ]
}

pub(super) async fn insert_receipts(tx: &Tx<'_>, rows: &[&ReceiptRow]) -> Result<()> {
    let sql = "INSERT INTO receipt (area, id, booking, hook, verdict, spec_enc, create_us) \
               SELECT * FROM unnest($1::text[], $2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::bytea[], $7::bigint[])";
    let values = vec![
        texts(rows, |r| r.area.clone()),
        ids(rows, |r| r.id.uuid()),
        ids(rows, |r| r.booking.uuid()),
        texts(rows, |r| r.hook.clone()),
        texts(rows, |r| r.verdict.clone()),
        blobs(rows, |r| r.spec_enc.clone()),
        numbers(rows, |r| r.created.micros()),
    ];
    execute(tx, sql, values).await.map(|_| ())
}

pub(super) async fn set_priorities(tx: &Tx<'_>, area: &str, scores: &[(BookingId, i32)]) -> Result<()> {
    let sql = "UPDATE booking b SET priority = k.score FROM unnest($2::uuid[], $3::bigint[]) AS k (id, score) \
               WHERE b.area = $1 AND b.id = k.id AND b.state = 2";
    let values = vec![area.into(), ids(scores, |s| s.0.uuid()), numbers(scores, |s| i64::from(s.1))];
    execute(tx, sql, values).await.map(|_| ())
}
