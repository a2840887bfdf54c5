//! Rows of bookings.

use std::collections::{BTreeSet, HashMap};

use linli_kernel::{Id as _, Timestamp};
use linli_kit::store::Tx;
use linli_kit::{Error, Result};
use sea_orm::{ConnectionTrait, QueryResult, Value};

use super::usage::Counts;
use super::{all, execute, get, number, one};
use crate::domain::waitlist::Waiting;
use crate::domain::{Awaits, Claim, Settlement, State, Window};
use crate::ids::{BookingId, SlotId};

/// A booking as it is stored.
#[derive(Debug, Clone)]
pub(crate) struct BookingRow {
    pub(crate) area: String,
    pub(crate) id: BookingId,
    pub(crate) slot: SlotId,
    /// Full name.
    pub(crate) offering: String,
    pub(crate) kind: String,
    /// The offering's mode, as the contract numbers it.
    pub(crate) mode: i64,
    /// The offering's tags, separated by commas.
    pub(crate) tags: String,
    /// Full name of the resident.
    pub(crate) resident: String,
    /// Id of the resident's unit; empty when it is unknown or of another area.
    pub(crate) unit: String,
    /// Id of the station's unit; empty: the whole area.
    pub(crate) station_unit: String,
    pub(crate) booked_by: String,
    pub(crate) on_behalf: bool,
    pub(crate) party: i32,
    pub(crate) state: State,
    pub(crate) priority: i32,
    pub(crate) seq: i64,
    pub(crate) price_asset: String,
    pub(crate) price_value: i64,
    /// Full name of the hold; empty before it is placed.
    pub(crate) hold: String,
    /// What has become of the hold.
    pub(crate) settlement: Settlement,
    /// How often the ledger was asked anew to settle the hold.
    pub(crate) tries: i64,
    pub(crate) window: Window,
    pub(crate) week: i32,
    pub(crate) month: i32,
    /// When a reservation or a place on the waitlist ends by itself.
    pub(crate) expires: Option<Timestamp>,
    /// The usage that the accepting decision saw; its version is not kept.
    pub(crate) used: Counts,
    /// Id of the unit of a resident of another area, in that area; empty for residents of this one.
    pub(crate) home_unit: String,
    pub(crate) spec: Vec<u8>,
    pub(crate) secret_enc: Vec<u8>,
    pub(crate) created: Timestamp,
    pub(crate) updated: Timestamp,
    pub(crate) version: i64,
}

impl BookingRow {
    pub(crate) fn read(row: &QueryResult) -> Result<Self> {
        Ok(Self {
            area: get(row, "area")?,
            id: BookingId::from_uuid(get(row, "id")?),
            slot: SlotId::from_uuid(get(row, "slot")?),
            offering: get(row, "offering")?,
            kind: get(row, "kind")?,
            mode: get(row, "mode")?,
            tags: get(row, "tags")?,
            resident: get(row, "resident")?,
            unit: get(row, "unit")?,
            station_unit: get(row, "station_unit")?,
            booked_by: get(row, "booked_by")?,
            on_behalf: get::<i64>(row, "on_behalf")? != 0,
            party: number(row, "party")?,
            state: state_of(get(row, "state")?, get(row, "awaits")?, get(row, "approval")?)?,
            priority: number(row, "priority")?,
            seq: get(row, "seq")?,
            price_asset: get(row, "price_asset")?,
            price_value: get(row, "price_value")?,
            hold: get(row, "hold")?,
            settlement: Settlement::from_number(get(row, "settlement")?),
            tries: get(row, "tries")?,
            window: Window {
                start: Timestamp::from_micros(get(row, "start_us")?),
                end: Timestamp::from_micros(get(row, "end_us")?),
            },
            week: number(row, "week")?,
            month: number(row, "month")?,
            expires: get::<Option<i64>>(row, "expires_us")?.map(Timestamp::from_micros),
            used: Counts {
                open: number(row, "used_open")?,
                week: number(row, "used_week")?,
                month: number(row, "used_month")?,
                no_shows: number(row, "used_no_shows")?,
                version: 0,
            },
            home_unit: get(row, "home_unit")?,
            spec: get(row, "spec")?,
            secret_enc: get(row, "secret_enc")?,
            created: Timestamp::from_micros(get(row, "create_us")?),
            updated: Timestamp::from_micros(get(row, "update_us")?),
            version: get(row, "version")?,
        })
    }

    pub(crate) fn name(&self) -> String {
        format!("areas/{}/bookings/{}", self.area, self.id)
    }

    pub(crate) fn slot_name(&self) -> String {
        format!("areas/{}/slots/{}", self.area, self.slot)
    }

    pub(crate) fn priced(&self) -> bool {
        self.price_value > 0
    }

    pub(crate) fn claim(&self) -> Claim {
        Claim { state: self.state, priced: self.priced(), window: self.window }
    }
}

/// The contract's number of a state, what it awaits, whether it needs approval.
pub(crate) fn columns_of(state: State) -> (i64, i64, i64) {
    match state {
        State::Pending(Awaits::Approval) => (1, 1, 1),
        State::Pending(Awaits::Hold) => (1, 2, 0),
        State::Waitlisted { approval } => (2, 0, i64::from(approval)),
        State::Confirmed => (3, 0, 0),
        State::CheckedIn => (4, 0, 0),
        State::Completed => (5, 0, 0),
        State::Cancelled => (6, 0, 0),
        State::NoShow => (7, 0, 0),
        State::Refused => (8, 0, 0),
    }
}

fn state_of(state: i64, awaits: i64, approval: i64) -> Result<State> {
    Ok(match (state, awaits) {
        (1, 1) => State::Pending(Awaits::Approval),
        (1, 2) => State::Pending(Awaits::Hold),
        (2, _) => State::Waitlisted { approval: approval != 0 },
        (3, _) => State::Confirmed,
        (4, _) => State::CheckedIn,
        (5, _) => State::Completed,
        (6, _) => State::Cancelled,
        (7, _) => State::NoShow,
        (8, _) => State::Refused,
        _ => return Err(Error::internal(format!("no booking is in state {state} awaiting {awaits}"))),
    })
}

/// The booking of an area.
pub(crate) async fn find<C: ConnectionTrait>(conn: &C, area: &str, id: BookingId) -> Result<Option<BookingRow>> {
    let sql = "SELECT * FROM booking WHERE area = $1 AND id = $2";
    let row = one(conn, sql, vec![area.into(), id.uuid().into()]).await?;
    row.as_ref().map(BookingRow::read).transpose()
}

/// The bookings of a slot that are still ahead.
pub(crate) async fn open_of_slot<C: ConnectionTrait>(conn: &C, area: &str, slot: SlotId) -> Result<Vec<BookingRow>> {
    let sql = "SELECT * FROM booking WHERE area = $1 AND slot = $2 AND state <= 4 ORDER BY id";
    all(conn, sql, vec![area.into(), slot.uuid().into()]).await?.iter().map(BookingRow::read).collect()
}

/// Whether somebody has booked in an area.
pub(crate) async fn any_of<C: ConnectionTrait>(conn: &C, area: &str, resident: &str) -> Result<bool> {
    let sql = "SELECT 1 AS found FROM booking WHERE area = $1 AND resident = $2 LIMIT 1";
    Ok(one(conn, sql, vec![area.into(), resident.into()]).await?.is_some())
}

/// Those who wait for a slot, in no order.
pub(crate) async fn queue<C: ConnectionTrait>(conn: &C, area: &str, slot: SlotId) -> Result<Vec<BookingRow>> {
    let sql = "SELECT * FROM booking WHERE area = $1 AND slot = $2 AND state = 2";
    all(conn, sql, vec![area.into(), slot.uuid().into()]).await?.iter().map(BookingRow::read).collect()
}

/// The booking as an entry of a waitlist.
pub(crate) fn waiting(row: &BookingRow) -> Waiting<BookingId> {
    Waiting { id: row.id, priority: row.priority, seq: row.seq, party: row.party }
}

/// The first of those who wait for a slot, in their order.
pub(crate) async fn heads<C: ConnectionTrait>(
    conn: &C,
    area: &str,
    slot: SlotId,
    most: i64,
) -> Result<Vec<BookingRow>> {
    let sql = "SELECT * FROM booking WHERE area = $1 AND slot = $2 AND state = 2 ORDER BY priority DESC, seq LIMIT $3";
    let rows = all(conn, sql, vec![area.into(), slot.uuid().into(), most.into()]).await?;
    rows.iter().map(BookingRow::read).collect()
}

/// Places on their waitlists, from 1, of the bookings among these that wait.
pub(crate) async fn positions<C: ConnectionTrait>(conn: &C, rows: &[BookingRow]) -> Result<HashMap<BookingId, i32>> {
    let mut slots: HashMap<&str, BTreeSet<SlotId>> = HashMap::new();
    for row in rows.iter().filter(|row| matches!(row.state, State::Waitlisted { .. })) {
        slots.entry(&row.area).or_default().insert(row.slot);
    }
    let mut found = HashMap::new();
    for (area, slots) in slots {
        for chunk in slots.into_iter().collect::<Vec<_>>().chunks(200) {
            let marks: Vec<String> = (0..chunk.len()).map(|i| format!("${}", i + 2)).collect();
            let sql = format!(
                "SELECT id, ROW_NUMBER() OVER (PARTITION BY slot ORDER BY priority DESC, seq) AS place FROM booking \
                 WHERE area = $1 AND state = 2 AND slot IN ({})",
                marks.join(", ")
            );
            let values = std::iter::once(area.into()).chain(chunk.iter().map(|slot| slot.uuid().into()));
            for row in all(conn, &sql, values.collect()).await? {
                found.insert(BookingId::from_uuid(get(&row, "id")?), number(&row, "place")?);
            }
        }
    }
    Ok(found)
}

/// Whether the resident has a seat of the same kind at the same time.
pub(crate) async fn overlaps<C: ConnectionTrait>(conn: &C, row: &BookingRow) -> Result<bool> {
    let sql = "SELECT 1 AS found FROM booking WHERE area = $1 AND resident = $2 AND kind = $3 AND state IN (1, 3, 4) \
               AND id <> $4 AND start_us < $5 AND end_us > $6 LIMIT 1";
    let values = vec![
        row.area.clone().into(),
        row.resident.clone().into(),
        row.kind.clone().into(),
        row.id.uuid().into(),
        row.window.end.micros().into(),
        row.window.start.micros().into(),
    ];
    Ok(one(conn, sql, values).await?.is_some())
}

/// Writes what changes of a booking; its version must be the one that was read, plus one.
///
/// # Errors
/// INTERNAL when the row is another version, which the slot's lock rules out.
pub(crate) async fn update(tx: &Tx<'_>, row: &BookingRow) -> Result<()> {
    let (state, awaits, approval) = columns_of(row.state);
    let sql = "UPDATE booking SET state = $3, awaits = $4, approval = $5, hold = $6, expires_us = $7, spec = $8, \
               update_us = $9, version = $10, secret_enc = $12, settlement = $13, tries = $14 \
               WHERE area = $1 AND id = $2 AND version = $11";
    let values: Vec<Value> = vec![
        row.area.clone().into(),
        row.id.uuid().into(),
        state.into(),
        awaits.into(),
        approval.into(),
        row.hold.clone().into(),
        row.expires.map(Timestamp::micros).into(),
        row.spec.clone().into(),
        row.updated.micros().into(),
        row.version.into(),
        (row.version - 1).into(),
        row.secret_enc.clone().into(),
        row.settlement.number().into(),
        row.tries.into(),
    ];
    if execute(tx, sql, values).await? == 1 {
        return Ok(());
    }
    Err(Error::internal(format!("{} changed without the lock of its slot", row.name())))
}

/// Bookings whose reservation or place on the waitlist has ended.
pub(crate) async fn due<C: ConnectionTrait>(conn: &C, now: Timestamp, limit: i64) -> Result<Vec<(String, BookingId)>> {
    let sql = "SELECT area, id FROM booking WHERE expires_us <= $1 ORDER BY expires_us LIMIT $2";
    let rows = all(conn, sql, vec![now.micros().into(), limit.into()]).await?;
    rows.iter().map(|row| Ok((get(row, "area")?, BookingId::from_uuid(get(row, "id")?)))).collect()
}
