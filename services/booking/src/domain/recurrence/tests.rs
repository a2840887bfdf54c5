use chrono::{Datelike as _, NaiveDate, Offset as _};
use chrono_tz::{Asia, Europe};
use proptest::prelude::*;

use super::super::calendar::parse_local;
use super::*;

fn series(rrule: &str, start: &str, tz: Tz) -> Series {
    Series {
        rrule: rrule.to_owned(),
        start: parse_local(start).expect("a local time"),
        duration_min: 60,
        slot_min: 60,
        except: Vec::new(),
        tz,
    }
}

fn at(text: &str) -> Timestamp {
    chrono::DateTime::parse_from_rfc3339(text).expect("an RFC 3339 text").to_utc().into()
}

fn local_starts(series: &Series, from: &str, until: &str) -> Vec<String> {
    let spans = series.slots(at(from), at(until)).expect("slots");
    let local = |s: &Span| s.start.to_chrono().with_timezone(&series.tz).format("%Y-%m-%dT%H:%M").to_string();
    spans.iter().map(local).collect()
}

#[test]
fn nine_o_clock_stays_nine_o_clock_when_the_clocks_change() {
    let daily = series("FREQ=DAILY", "2026-03-27T09:00", Europe::Berlin);
    let starts = local_starts(&daily, "2026-03-28T00:00:00Z", "2026-03-31T00:00:00Z");
    assert_eq!(starts, ["2026-03-28T09:00", "2026-03-29T09:00", "2026-03-30T09:00"]);
}

#[test]
fn a_start_in_the_gap_moves_forward_and_an_ambiguous_one_happens_once() {
    let night = series("FREQ=DAILY", "2026-03-28T02:30", Europe::Berlin);
    let spring = local_starts(&night, "2026-03-28T00:00:00Z", "2026-03-30T12:00:00Z");
    assert_eq!(spring, ["2026-03-28T02:30", "2026-03-29T03:30", "2026-03-30T02:30"]);
    let autumn = night.slots(at("2026-10-24T22:30:00Z"), at("2026-10-25T12:00:00Z")).expect("slots");
    assert_eq!(autumn, [Span { start: at("2026-10-25T00:30:00Z"), end: at("2026-10-25T01:30:00Z") }]);
}

#[test]
fn the_thirty_first_happens_only_in_months_that_have_one() {
    let monthly = series("FREQ=MONTHLY;BYMONTHDAY=31", "2026-01-31T09:00", Asia::Shanghai);
    let starts = local_starts(&monthly, "2026-01-01T00:00:00Z", "2026-08-01T12:00:00Z");
    assert_eq!(starts, ["2026-01-31T09:00", "2026-03-31T09:00", "2026-05-31T09:00", "2026-07-31T09:00"]);
    let last = series("FREQ=MONTHLY;BYMONTHDAY=-1", "2027-01-31T09:00", Asia::Shanghai);
    let starts = local_starts(&last, "2027-02-01T00:00:00Z", "2027-04-01T00:00:00Z");
    assert_eq!(starts, ["2027-02-28T09:00", "2027-03-31T09:00"]);
}

#[test]
fn the_leap_day_comes_every_fourth_year() {
    let leap = series("FREQ=YEARLY", "2024-02-29T10:00", Asia::Shanghai);
    let starts = local_starts(&leap, "2024-01-01T00:00:00Z", "2033-01-01T00:00:00Z");
    assert_eq!(starts, ["2024-02-29T10:00", "2028-02-29T10:00", "2032-02-29T10:00"]);
}

#[test]
fn the_first_saturday_of_each_month() {
    let first = series("FREQ=MONTHLY;BYDAY=1SA", "2026-11-07T09:00", Asia::Shanghai);
    let starts = local_starts(&first, "2026-11-01T00:00:00Z", "2027-01-31T00:00:00Z");
    assert_eq!(starts, ["2026-11-07T09:00", "2026-12-05T09:00", "2027-01-02T09:00"]);
}

#[test]
fn an_occurrence_is_cut_into_slots_and_exceptions_are_left_out() {
    let mut daily = series("FREQ=DAILY;UNTIL=20261003", "2026-10-01T09:00", Asia::Shanghai);
    daily.slot_min = 20;
    daily.except = vec![parse_local("2026-10-02T09:00").expect("a local time")];
    let starts = local_starts(&daily, "2026-09-01T00:00:00Z", "2026-12-01T00:00:00Z");
    let want = [
        "2026-10-01T09:00",
        "2026-10-01T09:20",
        "2026-10-01T09:40",
        "2026-10-03T09:00",
        "2026-10-03T09:20",
        "2026-10-03T09:40",
    ];
    assert_eq!(starts, want);
}

#[test]
fn a_schedule_without_a_rule_happens_once() {
    let once = series("", "2026-11-07T09:00", Asia::Shanghai);
    assert_eq!(local_starts(&once, "2026-11-01T00:00:00Z", "2027-01-01T00:00:00Z"), ["2026-11-07T09:00"]);
    assert!(local_starts(&once, "2026-11-08T00:00:00Z", "2027-01-01T00:00:00Z").is_empty());
}

#[test]
fn a_rule_is_too_dense_when_any_stretch_of_its_first_year_is() {
    let december = Series {
        duration_min: 1440,
        slot_min: 5,
        ..series(
            "FREQ=YEARLY;BYMONTH=12;BYMONTHDAY=1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18",
            "2026-01-01T00:00",
            Asia::Shanghai,
        )
    };
    assert_eq!(december.check_density(10), Ok(()));
    assert_eq!(december.check_density(20), Err(SeriesError::TooMany { max: MAX_SLOTS }));
    assert_eq!(series("FREQ=DAILY", "2026-01-01T09:00", Asia::Shanghai).check_density(92), Ok(()));
}

#[test]
fn rules_that_are_wrong_or_endless_are_refused() {
    for bad in ["FREQ=HOURLY", "FREQ=SOMETIMES", "BYDAY=MO", "FREQ=DAILY;UNTIL=soon", "FREQ=DAILY;BYSECOND=3"] {
        assert!(series(bad, "2026-11-07T09:00", Asia::Shanghai).check().is_err(), "{bad}");
    }
    let ages = series("FREQ=DAILY", "1900-01-01T09:00", Asia::Shanghai);
    let far = ages.slots(at("2026-01-01T00:00:00Z"), at("2026-02-01T00:00:00Z"));
    assert_eq!(far, Err(SeriesError::TooMany { max: MAX_SLOTS }));
}

/// Rules with what they mean, said of one day without any knowledge of RFC 5545: the day, and the day of the first start.
type Meaning = fn(NaiveDate, NaiveDate) -> bool;

fn last_sunday(day: NaiveDate) -> bool {
    day.weekday() == chrono::Weekday::Sun && (day + Duration::days(7)).month() != day.month()
}

const RULES: [(&str, Meaning); 6] = [
    ("FREQ=DAILY", |_, _| true),
    ("FREQ=DAILY;INTERVAL=3", |day, first| (day - first).num_days() % 3 == 0),
    ("FREQ=WEEKLY;BYDAY=MO,SU", |day, _| matches!(day.weekday(), chrono::Weekday::Mon | chrono::Weekday::Sun)),
    ("FREQ=MONTHLY;BYDAY=-1SU", |day, _| last_sunday(day)),
    ("FREQ=MONTHLY;BYMONTHDAY=29,30,31", |day, _| day.day() >= 29),
    ("FREQ=YEARLY;BYMONTH=3,10;BYDAY=-1SU", |day, _| [3, 10].contains(&day.month()) && last_sunday(day)),
];

fn rules() -> impl Strategy<Value = &'static str> {
    prop::sample::select(RULES.map(|(rule, _)| rule).to_vec())
}

/// The instant of a local time in Berlin: the earlier of two, and reckoned by winter time when there is none.
fn in_berlin(local: NaiveDateTime) -> Timestamp {
    let by = |hours: i64| local.and_utc() - Duration::hours(hours);
    let holds = |hours: &i64| {
        let offset = by(*hours).with_timezone(&Europe::Berlin).offset().fix();
        i64::from(offset.local_minus_utc()) == hours * 3600
    };
    by([2, 1].into_iter().find(holds).unwrap_or(1)).into()
}

/// The slots of a rule, found by asking of every day and every slot whether it belongs.
fn by_hand(meaning: Meaning, start: NaiveDateTime, slots: i64, (from, until): (Timestamp, Timestamp)) -> Vec<Span> {
    let days = (0..900).map(|i| start + Duration::days(i)).filter(|local| meaning(local.date(), start.date()));
    let minutes = |at: Timestamp, n: i64| at.plus_secs(n * 20 * 60);
    let cut = |local| (0..slots).map(move |i| (in_berlin(local), i));
    let spans = days.flat_map(cut).map(|(at, i)| Span { start: minutes(at, i), end: minutes(at, i + 1) });
    let mut spans: Vec<Span> = spans.filter(|span| span.end > from && span.start < until).collect();
    spans.sort();
    spans
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn slots_are_those_that_a_count_of_the_days_finds(
        (rule, meaning) in prop::sample::select(RULES.to_vec()),
        hour in 0_u32..24,
        minute in prop::sample::select(vec![0_u32, 15, 30, 45]),
        day in 0_i64..700,
    ) {
        let start = parse_local(&format!("2026-01-01T{hour:02}:{minute:02}")).expect("a local time");
        let series = Series { start, slot_min: 20, ..series(rule, "2026-01-01T00:00", Europe::Berlin) };
        let from = at("2026-01-01T00:00:00Z").plus_secs(day * 86_400);
        let until = from.plus_secs(60 * 86_400);
        let spans = series.slots(from, until).expect("slots");
        prop_assert_eq!(spans, by_hand(meaning, start, 3, (from, until)));
    }

    #[test]
    fn generating_in_pieces_yields_the_same_slots(rule in rules(), day in 0_i64..400, piece in 1_i64..40) {
        let series = series(rule, "2026-01-01T02:30", Europe::Berlin);
        let from = at("2026-01-01T00:00:00Z").plus_secs(day * 86_400);
        let until = from.plus_secs(80 * 86_400);
        let whole = series.slots(from, until).expect("slots");
        let middle = from.plus_secs(piece * 86_400);
        let mut pieces: std::collections::BTreeSet<Span> = series.slots(from, middle).expect("slots").into_iter().collect();
        pieces.extend(series.slots(middle, until).expect("slots"));
        prop_assert_eq!(whole, pieces.into_iter().collect::<Vec<_>>());
    }

    #[test]
    fn month_ends_never_spill_into_the_next_month(day in 28_u32..=31) {
        let rule = format!("FREQ=MONTHLY;BYMONTHDAY={day}");
        let series = series(&rule, "2026-01-01T09:00", Asia::Shanghai);
        let spans = series.slots(at("2026-01-01T00:00:00Z"), at("2027-12-31T00:00:00Z")).expect("slots");
        for span in spans {
            prop_assert_eq!(span.start.to_chrono().with_timezone(&Asia::Shanghai).day(), day);
        }
    }
}
