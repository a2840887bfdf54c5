//! The meetings of a process: an RFC 5545 recurrence on the local calendar, as instants.

use chrono::{NaiveDateTime, NaiveTime, TimeDelta, TimeZone as _};
use chrono_tz::Tz;
use linli_kernel::Timestamp;
use rrule::{Frequency, RRule, RRuleSet, Unvalidated};

/// Occurrences that are looked at before giving up: a daily one for 27 years.
const MAX_STEPS: usize = 10_000;

/// Checks a recurrence: one of days, with at least one meeting from `now` on.
///
/// # Errors
/// In words, what is wrong with it.
pub(crate) fn check(rrule: &str, now: Timestamp) -> Result<(), String> {
    match next(rrule, now, Tz::UTC, now, 1)?.is_empty() {
        true => Err("it yields no meeting".to_owned()),
        false => Ok(()),
    }
}

/// The next meetings from `now` on, at most `count`, of a recurrence that counts from the local day of `since`.
///
/// One that states no hour meets at midnight, and today's meeting is still to come until the day is over.
///
/// # Errors
/// In words, what is wrong with the recurrence.
pub(crate) fn next(
    rrule: &str,
    since: Timestamp,
    zone: Tz,
    now: Timestamp,
    count: usize,
) -> Result<Vec<Timestamp>, String> {
    let local = |at: Timestamp| at.to_chrono().with_timezone(&zone).naive_local();
    let midnight = |at: NaiveDateTime| at.date().and_time(NaiveTime::MIN);
    // The local calendar stands in as UTC: no change of the clocks moves a day.
    let anchor = midnight(local(since)).and_utc().with_timezone(&rrule::Tz::UTC);
    let rule = parse(rrule)?;
    // Asked before the validation, which fills the anchor's hour in.
    let from = if rule.get_by_hour().is_empty() { midnight(local(now)) } else { local(now) };
    let rule = rule.validate(anchor).map_err(|problem| problem.to_string())?;
    let all = RRuleSet::new(anchor).rrule(rule).limit().into_iter().take(MAX_STEPS).map(|at| at.naive_utc());
    Ok(all.filter(|at| *at >= from).take(count).map(|at| instant(at, zone)).collect())
}

fn parse(text: &str) -> Result<RRule<Unvalidated>, String> {
    let text = text.strip_prefix("RRULE:").unwrap_or(text);
    let rule: RRule<Unvalidated> = text.parse().map_err(|problem: rrule::RRuleError| problem.to_string())?;
    match rule.get_freq() {
        Frequency::Yearly | Frequency::Monthly | Frequency::Weekly | Frequency::Daily => Ok(rule),
        Frequency::Hourly | Frequency::Minutely | Frequency::Secondly => {
            Err("FREQ must be DAILY, WEEKLY, MONTHLY or YEARLY".to_owned())
        }
    }
}

/// The instant of a local time; of one that the clocks leave out, that of an hour later.
fn instant(local: NaiveDateTime, zone: Tz) -> Timestamp {
    let at = |local| zone.from_local_datetime(&local).earliest();
    at(local)
        .or_else(|| at(local + TimeDelta::hours(1)))
        .unwrap_or_else(|| zone.from_utc_datetime(&local))
        .to_utc()
        .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHANGHAI: Tz = Tz::Asia__Shanghai;

    fn at(text: &str) -> Timestamp {
        chrono::DateTime::parse_from_rfc3339(text).expect("a time").to_utc().into()
    }

    fn days(rrule: &str, since: &str, now: &str) -> Vec<String> {
        let found = next(rrule, at(since), SHANGHAI, at(now), 3).expect("a recurrence");
        let shown = |t: &Timestamp| t.to_chrono().with_timezone(&SHANGHAI).format("%Y-%m-%d %H:%M").to_string();
        found.iter().map(shown).collect()
    }

    #[test]
    fn a_monthly_table_meets_on_its_day_and_today_counts() {
        let since = "2026-01-20T09:00:00+08:00";
        let found = days("FREQ=MONTHLY;BYMONTHDAY=15", since, "2026-11-15T21:00:00+08:00");
        assert_eq!(found, ["2026-11-15 00:00", "2026-12-15 00:00", "2027-01-15 00:00"]);
        let found = days("FREQ=MONTHLY;BYDAY=2FR", since, "2026-11-14T00:30:00+08:00");
        assert_eq!(found, ["2026-12-11 00:00", "2027-01-08 00:00", "2027-02-12 00:00"]);
    }

    #[test]
    fn a_stated_hour_is_kept_and_a_meeting_that_began_is_past() {
        let found = days(
            "FREQ=WEEKLY;BYDAY=FR;BYHOUR=19;BYMINUTE=30;BYSECOND=0",
            "2026-11-02T09:00:00+08:00",
            "2026-11-06T19:31:00+08:00",
        );
        assert_eq!(found[0], "2026-11-13 19:30");
    }

    #[test]
    fn every_second_month_counts_from_the_day_of_its_making() {
        let rule = "FREQ=MONTHLY;INTERVAL=2;BYMONTHDAY=1";
        assert_eq!(days(rule, "2026-01-20T09:00:00+08:00", "2026-11-02T00:00:00+08:00")[0], "2027-01-01 00:00");
        assert_eq!(days(rule, "2026-02-20T09:00:00+08:00", "2026-11-02T00:00:00+08:00")[0], "2026-12-01 00:00");
    }

    #[test]
    fn one_that_has_ended_has_no_more_meetings() {
        assert!(days("FREQ=DAILY;COUNT=3", "2026-01-20T09:00:00+08:00", "2026-11-02T00:00:00+08:00").is_empty());
    }

    #[test]
    fn nonsense_and_what_never_happens_is_refused() {
        let now = at("2026-11-02T00:00:00+08:00");
        for rule in
            ["every month", "FREQ=SECONDLY", "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30", "FREQ=MONTHLY;BYMONTHDAY=40"]
        {
            assert!(check(rule, now).is_err(), "{rule}");
        }
        assert_eq!(check("FREQ=MONTHLY;BYMONTHDAY=15", now), Ok(()));
    }
}
