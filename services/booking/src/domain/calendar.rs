//! The local calendar of an area: which week and month an instant belongs to, and local times as instants.

use chrono::offset::LocalResult;
use chrono::{Datelike as _, Duration, NaiveDate, NaiveDateTime, Offset as _, TimeZone as _};
use chrono_tz::Tz;
use linli_kernel::Timestamp;

/// The local week and month of an instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct LocalKey {
    /// ISO year times 100 plus ISO week.
    pub week: i32,
    /// Year times 100 plus month.
    pub month: i32,
}

/// The local week and month of `at`.
pub fn local_key(at: Timestamp, tz: Tz) -> LocalKey {
    let date = local_date(at, tz);
    let week = date.iso_week();
    LocalKey {
        week: week.year() * 100 + i32::try_from(week.week()).unwrap_or(0),
        month: date.year() * 100 + i32::try_from(date.month()).unwrap_or(0),
    }
}

/// The local day of `at`.
pub fn local_date(at: Timestamp, tz: Tz) -> NaiveDate {
    at.to_chrono().with_timezone(&tz).date_naive()
}

/// Offset of the zone from UTC at `at`, in minutes.
pub fn utc_offset_min(at: Timestamp, tz: Tz) -> i32 {
    at.to_chrono().with_timezone(&tz).offset().fix().local_minus_utc() / 60
}

/// Reads `2026-11-07T09:00`.
pub fn parse_local(text: &str) -> Option<NaiveDateTime> {
    NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M").ok()
}

/// The instant of a local time: the first of two when the clocks go back; moved forward by the gap when they go forward
/// over it (02:30 becomes 03:30 on the last Sunday of March in Berlin).
pub fn resolve(local: NaiveDateTime, tz: Tz) -> Timestamp {
    match tz.from_local_datetime(&local) {
        LocalResult::Single(at) | LocalResult::Ambiguous(at, _) => at.to_utc().into(),
        LocalResult::None => after_gap(local, tz),
    }
}

/// Reckons a local time in a gap with the offset that held before the gap.
fn after_gap(local: NaiveDateTime, tz: Tz) -> Timestamp {
    // Gaps last at most a day (Apia, 2011-12-30); a quarter of an hour divides all of them.
    for quarters in 1..=100 {
        let before = local - Duration::minutes(15 * quarters);
        let found = tz.from_local_datetime(&before).latest();
        if let Some(at) = found {
            let offset = i64::from(at.offset().fix().local_minus_utc());
            return Timestamp::from_secs(local.and_utc().timestamp() - offset);
        }
    }
    Timestamp::from_secs(local.and_utc().timestamp())
}

#[cfg(test)]
mod tests {
    use chrono_tz::{Asia, Europe, Pacific};
    use proptest::prelude::*;

    use super::*;

    fn at(text: &str) -> Timestamp {
        chrono::DateTime::parse_from_rfc3339(text).expect("an RFC 3339 text").to_utc().into()
    }

    fn local(text: &str) -> NaiveDateTime {
        parse_local(text).expect("a local time")
    }

    #[test]
    fn a_local_time_that_does_not_exist_moves_forward_by_the_gap() {
        assert_eq!(resolve(local("2026-03-29T02:30"), Europe::Berlin), at("2026-03-29T03:30:00+02:00"));
        assert_eq!(resolve(local("2011-12-30T09:00"), Pacific::Apia), at("2011-12-31T09:00:00+14:00"));
    }

    #[test]
    fn an_ambiguous_local_time_is_the_first_of_the_two() {
        assert_eq!(resolve(local("2026-10-25T02:30"), Europe::Berlin), at("2026-10-25T02:30:00+02:00"));
    }

    #[test]
    fn weeks_and_months_turn_at_local_midnight() {
        let before = local_key(at("2026-11-30T15:59:59Z"), Asia::Shanghai);
        let after = local_key(at("2026-11-30T16:00:00Z"), Asia::Shanghai);
        assert_eq!((before.month, after.month), (202_611, 202_612));
        assert_eq!(local_key(at("2027-01-01T00:00:00Z"), Asia::Shanghai).week, 202_653);
    }

    proptest! {
        #[test]
        fn an_existing_local_time_reads_back_as_itself(minutes in 0_i64..40_000_000) {
            let local = local("1995-01-01T00:00") + Duration::minutes(minutes % 18_000_000);
            let back = resolve(local, Europe::Berlin).to_chrono().with_timezone(&Europe::Berlin).naive_local();
            // Only times in the gap move, by one hour.
            prop_assert!(back == local || back == local + Duration::hours(1));
            let exists = Europe::Berlin.from_local_datetime(&local) != LocalResult::None;
            prop_assert_eq!(exists, back == local);
        }
    }
}
