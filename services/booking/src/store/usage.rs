//! What residents have used of a kind: recounted from their bookings, with a version that fences decisions.

use std::collections::HashMap;

use linli_kernel::Timestamp;
use linli_kit::Result;
use sea_orm::{ConnectionTrait, QueryResult, Value};

use super::{all, get, number, one};
use crate::domain::LocalKey;

/// No-shows count for so long.
const NO_SHOW_US: i64 = 90 * 86_400 * 1_000_000;

/// Counts of one resident and kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Counts {
    /// Bookings that are ahead.
    pub(crate) open: i32,
    /// Of the week in which the slot begins, open or completed.
    pub(crate) week: i32,
    /// Of the month in which the slot begins, open or completed.
    pub(crate) month: i32,
    /// No-shows of the last 90 days.
    pub(crate) no_shows: i32,
    /// Grows with every change of the counts; 0 before the first.
    pub(crate) version: i64,
}

impl Counts {
    /// The same without one booking that is ahead, which these count.
    pub(crate) fn without_one(self) -> Self {
        let less = |n: i32| (n - 1).max(0);
        Self { open: less(self.open), week: less(self.week), month: less(self.month), ..self }
    }
}

/// Whose usage of what.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Key {
    pub(crate) area: String,
    pub(crate) kind: String,
    pub(crate) resident: String,
}

const COUNTS: &str = "count(*) FILTER (WHERE b.state <= 4) AS open, \
    count(*) FILTER (WHERE b.state <= 5 AND b.week = $3) AS week, \
    count(*) FILTER (WHERE b.state <= 5 AND b.month = $4) AS month, \
    count(*) FILTER (WHERE b.state = 7 AND b.start_us >= $5) AS no_shows";

fn read(row: &QueryResult) -> Result<Counts> {
    Ok(Counts {
        open: number(row, "open")?,
        week: number(row, "week")?,
        month: number(row, "month")?,
        no_shows: number(row, "no_shows")?,
        version: get::<Option<i64>>(row, "version")?.unwrap_or(0),
    })
}

/// The counts of one resident; counts and version are of one moment, for they come from one statement.
pub(crate) async fn counts<C: ConnectionTrait>(conn: &C, key: &Key, local: LocalKey, now: Timestamp) -> Result<Counts> {
    let sql = format!(
        "SELECT {COUNTS}, (SELECT u.version FROM resident_usage u WHERE u.area = $1 AND u.kind = $2 AND u.resident = $6) \
         AS version FROM booking b WHERE b.area = $1 AND b.kind = $2 AND b.resident = $6 AND b.state <> 8"
    );
    let row = one(conn, &sql, values(&key.area, &key.kind, local, now, std::iter::once(key.resident.as_str()))).await?;
    row.as_ref().map_or(Ok(Counts::default()), read)
}

/// The counts of many residents, by name; those without bookings are left out.
pub(crate) async fn counts_of<'a, C: ConnectionTrait>(
    conn: &C,
    area: &str,
    kind: &str,
    residents: &[&'a str],
    local: LocalKey,
    now: Timestamp,
) -> Result<HashMap<&'a str, Counts>> {
    let mut found = HashMap::with_capacity(residents.len());
    for chunk in residents.chunks(200) {
        let marks: Vec<String> = (0..chunk.len()).map(|i| format!("${}", i + 6)).collect();
        let sql = format!(
            "SELECT b.resident, {COUNTS}, CAST(NULL AS bigint) AS version FROM booking b WHERE b.area = $1 AND b.kind = $2 \
             AND b.resident IN ({}) AND b.state <> 8 GROUP BY b.resident",
            marks.join(", ")
        );
        for row in all(conn, &sql, values(area, kind, local, now, chunk.iter().copied())).await? {
            let resident: String = get(&row, "resident")?;
            if let Some(name) = chunk.iter().find(|name| **name == resident) {
                found.insert(*name, read(&row)?);
            }
        }
    }
    Ok(found)
}

fn values<'a>(
    area: &str,
    kind: &str,
    local: LocalKey,
    now: Timestamp,
    residents: impl Iterator<Item = &'a str>,
) -> Vec<Value> {
    let fixed: [Value; 5] = [
        area.into(),
        kind.into(),
        i64::from(local.week).into(),
        i64::from(local.month).into(),
        (now.micros() - NO_SHOW_US).into(),
    ];
    fixed.into_iter().chain(residents.map(Value::from)).collect()
}
