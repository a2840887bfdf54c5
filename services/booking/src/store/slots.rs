//! Rows of slots.

use std::collections::HashSet;

use linli_kernel::{Id as _, Timestamp};
use linli_kit::Result;
use linli_kit::store::Tx;
use sea_orm::{ConnectionTrait, QueryResult};

use super::{all, execute, get, number, one};
use crate::domain::{Seats, Span, Window};
use crate::ids::SlotId;

/// Whether a slot takes place, as the contract numbers it.
pub(crate) const OPEN: i64 = 1;
pub(crate) const CANCELLED: i64 = 2;
pub(crate) const CLOSED: i64 = 3;

/// A slot as it is stored.
#[derive(Debug, Clone)]
pub(crate) struct SlotRow {
    pub(crate) area: String,
    pub(crate) id: SlotId,
    /// Full name.
    pub(crate) schedule: String,
    /// Full name.
    pub(crate) offering: String,
    /// Full name.
    pub(crate) station: String,
    pub(crate) kind: String,
    pub(crate) start: Timestamp,
    pub(crate) end: Timestamp,
    pub(crate) capacity: i32,
    pub(crate) taken: i32,
    pub(crate) waiting: i32,
    pub(crate) next_seq: i64,
    pub(crate) state: i64,
    pub(crate) version: i64,
}

impl SlotRow {
    pub(crate) fn read(row: &QueryResult) -> Result<Self> {
        Ok(Self {
            area: get(row, "area")?,
            id: SlotId::from_uuid(get(row, "id")?),
            schedule: get(row, "schedule")?,
            offering: get(row, "offering")?,
            station: get(row, "station")?,
            kind: get(row, "kind")?,
            start: Timestamp::from_micros(get(row, "start_us")?),
            end: Timestamp::from_micros(get(row, "end_us")?),
            capacity: number(row, "capacity")?,
            taken: number(row, "taken")?,
            waiting: number(row, "waiting")?,
            next_seq: get(row, "next_seq")?,
            state: get(row, "state")?,
            version: get(row, "version")?,
        })
    }

    pub(crate) fn name(&self) -> String {
        format!("areas/{}/slots/{}", self.area, self.id)
    }

    pub(crate) fn window(&self) -> Window {
        Window { start: self.start, end: self.end }
    }

    pub(crate) fn seats(&self) -> Seats {
        Seats::new(self.capacity, self.taken, self.waiting, self.next_seq)
    }

    pub(crate) fn set_seats(&mut self, seats: &Seats) {
        self.taken = seats.taken();
        self.waiting = seats.waiting();
        self.next_seq = seats.next_seq();
    }
}

/// The slot of an area.
pub(crate) async fn find<C: ConnectionTrait>(conn: &C, area: &str, id: SlotId) -> Result<Option<SlotRow>> {
    let sql = "SELECT * FROM slot WHERE area = $1 AND id = $2";
    let row = one(conn, sql, vec![area.into(), id.uuid().into()]).await?;
    row.as_ref().map(SlotRow::read).transpose()
}

/// Locks one slot until the end of the transaction.
pub(crate) async fn lock(tx: &Tx<'_>, area: &str, id: SlotId) -> Result<Option<SlotRow>> {
    Ok(super::lock_slots(tx, &[(area.to_owned(), id)]).await?.into_iter().next())
}

/// Writes what changes of a slot: seats, waitlist, state.
pub(crate) async fn update(tx: &Tx<'_>, slot: &SlotRow) -> Result<()> {
    let sql = "UPDATE slot SET taken = $3, waiting = $4, next_seq = $5, state = $6, version = version + 1 \
               WHERE area = $1 AND id = $2";
    let values = vec![
        slot.area.clone().into(),
        slot.id.uuid().into(),
        i64::from(slot.taken).into(),
        i64::from(slot.waiting).into(),
        slot.next_seq.into(),
        slot.state.into(),
    ];
    execute(tx, sql, values).await.map(|_| ())
}

/// What the slots of a schedule have in common.
#[derive(Debug, Clone)]
pub(crate) struct Template {
    pub(crate) area: String,
    pub(crate) schedule: String,
    pub(crate) offering: String,
    pub(crate) station: String,
    pub(crate) kind: String,
    pub(crate) capacity: i32,
}

/// Inserts the slots that are not there yet; how many were new. Ids are minted by the caller, before the transaction.
pub(crate) async fn insert_missing(tx: &Tx<'_>, template: &Template, spans: &[(SlotId, Span)]) -> Result<u64> {
    let mut inserted = 0;
    for chunk in spans.chunks(50) {
        let row = |i: usize| {
            let at = 6 + i * 3;
            format!("($1, ${}, $2, $3, $4, $5, ${}, ${}, $6, 0, 0, 1, 1, 1)", at + 1, at + 2, at + 3)
        };
        let rows: Vec<String> = (0..chunk.len()).map(row).collect();
        let sql = format!(
            "INSERT INTO slot (area, id, schedule, offering, station, kind, start_us, end_us, capacity, taken, waiting, \
             next_seq, state, version) VALUES {} ON CONFLICT DO NOTHING",
            rows.join(", ")
        );
        let mut values = vec![
            template.area.clone().into(),
            template.schedule.clone().into(),
            template.offering.clone().into(),
            template.station.clone().into(),
            template.kind.clone().into(),
            i64::from(template.capacity).into(),
        ];
        for (id, span) in chunk {
            values.extend([id.uuid().into(), span.start.micros().into(), span.end.micros().into()]);
        }
        inserted += execute(tx, &sql, values).await?;
    }
    Ok(inserted)
}

/// Locks the future slots of a schedule that are open or closed, until the end of the transaction: a booking that is being
/// written holds such a lock, and its row is seen by what is read afterwards.
pub(crate) async fn lock_future(tx: &Tx<'_>, area: &str, schedule: &str, now: Timestamp) -> Result<Vec<SlotRow>> {
    let sql = "SELECT id FROM slot WHERE area = $1 AND schedule = $2 AND start_us > $3 AND state IN (1, 3)";
    let rows = all(tx.conn(), sql, vec![area.into(), schedule.into(), now.micros().into()]).await?;
    let keys = rows.iter().map(|row| Ok((area.to_owned(), SlotId::from_uuid(get(row, "id")?))));
    super::lock_slots(tx, &keys.collect::<Result<Vec<_>>>()?).await
}

/// Deletes the locked future slots of a schedule that no booking has ever touched; those that stay.
pub(crate) async fn delete_untouched(
    tx: &Tx<'_>,
    area: &str,
    schedule: &str,
    now: Timestamp,
    locked: Vec<SlotRow>,
) -> Result<Vec<SlotRow>> {
    let sql = "DELETE FROM slot WHERE area = $1 AND schedule = $2 AND start_us > $3 AND state IN (1, 3) AND taken = 0 \
               AND waiting = 0 AND NOT EXISTS (SELECT 1 FROM booking b WHERE b.area = slot.area AND b.slot = slot.id)";
    execute(tx, sql, vec![area.into(), schedule.into(), now.micros().into()]).await?;
    let sql = "SELECT id FROM slot WHERE area = $1 AND schedule = $2 AND start_us > $3 AND state IN (1, 3)";
    let rows = all(tx.conn(), sql, vec![area.into(), schedule.into(), now.micros().into()]).await?;
    let left = rows.iter().map(|row| Ok(SlotId::from_uuid(get(row, "id")?))).collect::<Result<HashSet<SlotId>>>()?;
    Ok(locked.into_iter().filter(|slot| left.contains(&slot.id)).collect())
}

/// Whether a schedule has open bookings.
pub(crate) async fn has_open_bookings<C: ConnectionTrait>(conn: &C, area: &str, schedule: &str) -> Result<bool> {
    let sql = "SELECT 1 AS found FROM slot s JOIN booking b ON b.area = s.area AND b.slot = s.id AND b.state <= 4 \
               WHERE s.area = $1 AND s.schedule = $2 LIMIT 1";
    Ok(one(conn, sql, vec![area.into(), schedule.into()]).await?.is_some())
}
