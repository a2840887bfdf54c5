//! Instants as they are said on the command line and shown again. Never: asks the clock.

use chrono::{DateTime, Local, NaiveDate, NaiveDateTime, NaiveTime, TimeZone as _};
use prost_types::Timestamp;

/// An instant where the reader is, with the offset that holds there.
pub(super) fn time(at: &Timestamp) -> String {
    let utc = DateTime::from_timestamp(at.seconds, 0).unwrap_or_default();
    utc.with_timezone(&Local).format("%Y-%m-%d %H:%M %:z").to_string()
}

/// An instant as it is said: with its zone, or where the caller is.
pub(super) fn at(text: &str) -> Result<Timestamp, String> {
    const WANTED: &str = "a time such as 2026-06-01T08:00+08:00, 2026-06-01T08:00 or 2026-06-01 is wanted";
    let zulu = text.strip_suffix('Z').map(|text| format!("{text}+00:00"));
    let text = zulu.as_deref().unwrap_or(text);
    let zoned = ["%Y-%m-%dT%H:%M%:z", "%Y-%m-%dT%H:%M:%S%:z"];
    if let Some(at) = zoned.iter().find_map(|form| DateTime::parse_from_str(text, form).ok()) {
        return Ok(Timestamp { seconds: at.timestamp(), nanos: 0 });
    }
    let day = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok().map(|day| day.and_time(NaiveTime::MIN));
    let forms = ["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"];
    let local = forms.iter().find_map(|form| NaiveDateTime::parse_from_str(text, form).ok()).or(day).ok_or(WANTED)?;
    let at = Local.from_local_datetime(&local).earliest().ok_or(WANTED)?;
    Ok(Timestamp { seconds: at.timestamp(), nanos: 0 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_has_its_zone_or_the_callers() {
        assert_eq!(at("2026-06-01T08:00+08:00").expect("a time").seconds, 29_671_200 * 60);
        assert_eq!(at("2026-06-01T00:00Z").expect("a time").seconds, 29_671_200 * 60);
        assert!(at("2026-06-01").is_ok() && at("tomorrow").is_err());
    }

    #[test]
    fn a_shown_instant_can_be_said_again_since_it_has_its_offset() {
        let shown = time(&Timestamp { seconds: 29_671_200 * 60, nanos: 0 });
        let said = shown.replacen(' ', "T", 1).replace(' ', "");
        assert_eq!(at(&said).expect("a time").seconds, 29_671_200 * 60, "{shown}");
    }
}
