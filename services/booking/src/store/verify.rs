//! The invariants, recounted with SQL that knows nothing of how the rows were written. Reads only.

use linli_kernel::Id as _;
use linli_kit::Result;
use linli_kit::store::Store;

use super::{all, get, one};
use crate::domain::Settlement;
use crate::ids::BookingId;

/// One invariant with its query for what breaks it and its count of what was looked at.
pub(crate) struct Check {
    /// Stable id.
    pub(crate) id: &'static str,
    /// Text id of its title.
    pub(crate) title: &'static str,
    /// `$1` is the area, `$2` the instant that `at` says; columns `what` and `detail`.
    broken: &'static str,
    /// `$1` is the area; column `n`.
    counted: &'static str,
    at: At,
}

/// Which instant a query is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum At {
    /// The present.
    Now,
    /// Since when receipts are kept: what was decided before has none any more.
    Kept,
}

/// The invariants that single queries tell, in their order.
///
/// Quotas: of the bookings of one resident and kind that all still count, each was decided on a count that included those
/// written before it. So in the order of what they saw, the n-th has seen n at least.
pub(crate) const CHECKS: &[Check] = &[
    Check {
        id: "booking.no-oversell",
        title: "INVARIANT_NO_OVERSELL",
        broken: "SELECT s.id AS what, 'capacity ' || s.capacity || ', taken ' || s.taken || ', recounted ' || \
            COALESCE(SUM(b.party), 0) AS detail FROM slot s LEFT JOIN booking b ON b.area = s.area AND b.slot = s.id \
            AND b.state IN (1, 3, 4, 5, 7) WHERE s.area = $1 AND $2 > 0 GROUP BY s.area, s.id, s.capacity, s.taken \
            HAVING COALESCE(SUM(b.party), 0) <> s.taken OR s.taken > s.capacity LIMIT 100",
        counted: "SELECT count(*) AS n FROM slot WHERE area = $1",
        at: At::Now,
    },
    Check {
        id: "booking.waitlist",
        title: "INVARIANT_WAITLIST",
        broken: "SELECT b.id AS what, 'wants ' || b.party || ' of ' || (s.capacity - s.taken) || ' free seats' AS detail \
            FROM booking b JOIN slot s ON s.area = b.area AND s.id = b.slot WHERE b.area = $1 AND b.state = 2 \
            AND s.state <> 2 AND s.start_us > $2 AND b.party <= s.capacity - s.taken LIMIT 100",
        counted: "SELECT count(*) AS n FROM booking WHERE area = $1 AND state = 2",
        at: At::Now,
    },
    Check {
        id: "booking.cancelled-slot",
        title: "INVARIANT_CANCELLED_SLOT",
        broken: "SELECT b.id AS what, 'still ahead, though its slot was cancelled' AS detail FROM booking b \
            JOIN slot s ON s.area = b.area AND s.id = b.slot WHERE b.area = $1 AND $2 > 0 AND s.state = 2 \
            AND b.state IN (1, 2, 3) LIMIT 100",
        counted: "SELECT count(*) AS n FROM slot WHERE area = $1 AND state = 2",
        at: At::Now,
    },
    Check {
        id: "booking.quota",
        title: "INVARIANT_QUOTA",
        broken: "SELECT what, detail FROM ( \
            SELECT b.id AS what, 'accepted, though its rules said ' || r.verdict AS detail FROM receipt r \
            JOIN booking b ON b.area = r.area AND b.id = r.booking WHERE r.area = $1 AND $2 > 0 \
            AND r.hook IN ('booking-eligibility', 'booking-promotion') AND r.verdict = 'deny' AND b.state <> 8 \
            UNION ALL SELECT id, 'decided on ' || used_month || ' this month, as another was' FROM (SELECT id, used_month, \
            ROW_NUMBER() OVER (PARTITION BY resident, kind, month ORDER BY used_month, id) AS nth FROM booking \
            WHERE area = $1 AND state <= 5) m WHERE used_month < nth - 1 \
            UNION ALL SELECT id, 'decided on ' || used_week || ' this week, as another was' FROM (SELECT id, used_week, \
            ROW_NUMBER() OVER (PARTITION BY resident, kind, week ORDER BY used_week, id) AS nth FROM booking \
            WHERE area = $1 AND state <= 5) w WHERE used_week < nth - 1 \
            UNION ALL SELECT id, 'decided on ' || used_open || ' ahead, as another was' FROM (SELECT id, used_open, \
            ROW_NUMBER() OVER (PARTITION BY resident, kind ORDER BY used_open, id) AS nth FROM booking \
            WHERE area = $1 AND state <= 4) o WHERE used_open < nth - 1) q LIMIT 100",
        counted: "SELECT count(*) AS n FROM booking WHERE area = $1 AND state <= 5",
        at: At::Now,
    },
    Check {
        id: "booking.refusal-has-receipt",
        title: "INVARIANT_REFUSAL_HAS_RECEIPT",
        broken: "SELECT b.id AS what, 'refused without a receipt' AS detail FROM booking b WHERE b.area = $1 \
            AND b.state = 8 AND b.update_us >= $2 AND NOT EXISTS (SELECT 1 FROM receipt r WHERE r.area = b.area AND r.booking = b.id \
            AND r.verdict IN ('deny', 'refused')) LIMIT 100",
        counted: "SELECT count(*) AS n FROM booking WHERE area = $1 AND state = 8",
        at: At::Kept,
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
    pub(crate) async fn run(&self, store: &Store, area: &str, (now_us, kept_us): (i64, i64)) -> Result<Found> {
        let reader = store.reader();
        let row = one(reader, self.counted, vec![area.into()]).await?;
        let checked = row.map_or(Ok(0), |row| get(&row, "n"))?;
        let at_us = match self.at {
            At::Now => now_us,
            At::Kept => kept_us,
        };
        let rows = all(reader, self.broken, vec![area.into(), at_us.into()]).await?;
        let broken = rows.iter().map(|row| Ok((get(row, "what")?, get(row, "detail")?)));
        Ok(Found { checked, broken: broken.collect::<Result<_>>()? })
    }
}

/// A priced booking whose hold does not stand as its state wants.
pub(crate) struct Unsettled {
    pub(crate) id: BookingId,
    /// Whether it still waits for its hold, which has no name yet.
    pub(crate) waits: bool,
    pub(crate) completed: bool,
    pub(crate) settlement: Settlement,
    pub(crate) tries: i64,
}

/// How many priced bookings there are, and those whose price is not where it belongs: set aside while they are ahead, taken
/// when completed, given back when they came to nothing.
pub(crate) async fn unsettled(store: &Store, area: &str) -> Result<(i64, Vec<Unsettled>)> {
    let sql = "SELECT count(*) AS n FROM booking WHERE area = $1 AND price_value > 0";
    let row = one(store.reader(), sql, vec![area.into()]).await?;
    let priced = row.map_or(Ok(0), |row| get(&row, "n"))?;
    let sql = "SELECT id, state, settlement, tries FROM booking WHERE area = $1 AND price_value > 0 AND ( \
               (state IN (3, 4) AND (hold = '' OR settlement <> 1)) OR (state = 1 AND awaits = 2) \
               OR (state = 5 AND settlement <> 3) OR (state IN (6, 7, 8) AND hold <> '' AND settlement <> 5)) \
               ORDER BY settlement DESC, id LIMIT 10000";
    let rows = all(store.reader(), sql, vec![area.into()]).await?;
    let read = |row: &sea_orm::QueryResult| {
        let state: i64 = get(row, "state")?;
        Ok(Unsettled {
            id: BookingId::from_uuid(get(row, "id")?),
            waits: state == 1,
            completed: state == 5,
            settlement: Settlement::from_number(get(row, "settlement")?),
            tries: get(row, "tries")?,
        })
    };
    Ok((priced, rows.iter().map(read).collect::<Result<_>>()?))
}
