//! The invariants, recounted with SQL that knows nothing of how the rows were written. Reads only.

use linli_kit::Result;
use linli_kit::store::Store;

use super::{all, get, one};

/// One invariant with its query for what breaks it and its count of what was looked at.
pub(crate) struct Check {
    /// Stable id.
    pub(crate) id: &'static str,
    /// Text id of its title.
    pub(crate) title: &'static str,
    /// `$1` is the area; columns `what` and `detail`.
    broken: &'static str,
    /// `$1` is the area; column `n`.
    counted: &'static str,
}

/// The invariants that single queries tell, in their order. `$2` is the present instant where it stands.
pub(crate) const CHECKS: &[Check] = &[
    Check {
        id: "booking.no-oversell",
        title: "INVARIANT_NO_OVERSELL",
        broken: "SELECT s.id AS what, 'capacity ' || s.capacity || ', taken ' || s.taken || ', recounted ' || \
            COALESCE(SUM(b.party), 0) AS detail FROM slot s LEFT JOIN booking b ON b.area = s.area AND b.slot = s.id \
            AND b.state IN (1, 3, 4, 5, 7) WHERE s.area = $1 AND $2 > 0 GROUP BY s.area, s.id, s.capacity, s.taken \
            HAVING COALESCE(SUM(b.party), 0) <> s.taken OR s.taken > s.capacity LIMIT 100",
        counted: "SELECT count(*) AS n FROM slot WHERE area = $1",
    },
    Check {
        id: "booking.waitlist",
        title: "INVARIANT_WAITLIST",
        broken: "SELECT b.id AS what, 'wants ' || b.party || ' of ' || (s.capacity - s.taken) || ' free seats' AS detail \
            FROM booking b JOIN slot s ON s.area = b.area AND s.id = b.slot WHERE b.area = $1 AND b.state = 2 \
            AND (s.state <> 1 OR (s.start_us > $2 AND b.party <= s.capacity - s.taken)) LIMIT 100",
        counted: "SELECT count(*) AS n FROM booking WHERE area = $1 AND state = 2",
    },
    Check {
        id: "booking.quota",
        title: "INVARIANT_QUOTA",
        broken: "SELECT b.id AS what, 'accepted, though its rules said ' || r.verdict AS detail FROM receipt r \
            JOIN booking b ON b.area = r.area AND b.id = r.booking WHERE r.area = $1 AND $2 > 0 \
            AND r.hook = 'booking-eligibility' AND r.verdict = 'deny' AND b.state <> 8 LIMIT 100",
        counted: "SELECT count(*) AS n FROM receipt WHERE area = $1 AND hook = 'booking-eligibility'",
    },
    Check {
        id: "booking.refusal-has-receipt",
        title: "INVARIANT_REFUSAL_HAS_RECEIPT",
        broken: "SELECT b.id AS what, 'refused without a receipt' AS detail FROM booking b WHERE b.area = $1 AND $2 > 0 \
            AND b.state = 8 AND NOT EXISTS (SELECT 1 FROM receipt r WHERE r.area = b.area AND r.booking = b.id \
            AND r.verdict IN ('deny', 'refused')) LIMIT 100",
        counted: "SELECT count(*) AS n FROM booking WHERE area = $1 AND state = 8",
    },
];

/// What came of a check in one area.
pub(crate) struct Found {
    pub(crate) checked: i64,
    /// Ids and figures of what breaks it.
    pub(crate) broken: Vec<(uuid::Uuid, String)>,
}

impl Check {
    /// Runs the check in one area.
    pub(crate) async fn run(&self, store: &Store, area: &str, now_us: i64) -> Result<Found> {
        let reader = store.reader();
        let row = one(reader, self.counted, vec![area.into()]).await?;
        let checked = row.map_or(Ok(0), |row| get(&row, "n"))?;
        let rows = all(reader, self.broken, vec![area.into(), now_us.into()]).await?;
        let broken = rows.iter().map(|row| Ok((get(row, "what")?, get(row, "detail")?)));
        Ok(Found { checked, broken: broken.collect::<Result<_>>()? })
    }
}

/// Receipts of accepted bookings by eligibility, for recounting quotas: `(booking, resident, kind, month, facts)`.
pub(crate) struct Accepted {
    pub(crate) booking: uuid::Uuid,
    pub(crate) key: (String, String, i64),
    pub(crate) spec: Vec<u8>,
}

/// Accepted bookings that still count, with their eligibility receipts, in the order of their creation.
pub(crate) async fn accepted(store: &Store, area: &str) -> Result<Vec<Accepted>> {
    let sql = "SELECT b.id, b.resident, b.kind, b.month, r.spec FROM booking b \
               JOIN receipt r ON r.area = b.area AND r.booking = b.id AND r.hook = 'booking-eligibility' \
               WHERE b.area = $1 AND b.state <= 5 ORDER BY b.id LIMIT 100000";
    let rows = all(store.reader(), sql, vec![area.into()]).await?;
    let read = |row: &sea_orm::QueryResult| {
        let key = (get(row, "resident")?, get(row, "kind")?, get(row, "month")?);
        Ok(Accepted { booking: get(row, "id")?, key, spec: get(row, "spec")? })
    };
    rows.iter().map(read).collect()
}

/// Open priced bookings without a hold, as `(id, pending)`.
pub(crate) async fn unheld(store: &Store, area: &str) -> Result<Vec<(uuid::Uuid, bool)>> {
    let sql = "SELECT id, state FROM booking WHERE area = $1 AND price_value > 0 AND hold = '' \
               AND (state IN (3, 4) OR (state = 1 AND awaits = 2)) LIMIT 10000";
    let rows = all(store.reader(), sql, vec![area.into()]).await?;
    rows.iter().map(|row| Ok((get(row, "id")?, get::<i64>(row, "state")? == 1))).collect()
}
