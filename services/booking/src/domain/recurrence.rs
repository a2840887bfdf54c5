//! From a schedule's recurrence to slots: RFC 5545 in the area's local time, then instants.
//!
//! The rule is expanded on the local calendar without any zone, and each local start is resolved alone: that keeps 09:00 at
//! 09:00 on both sides of a change of the clocks.

use std::collections::BTreeSet;

use chrono::{Duration, NaiveDateTime};
use chrono_tz::Tz;
use linli_kernel::Timestamp;
use rrule::{Frequency, RRule, RRuleSet, Unvalidated};

use super::calendar::resolve;

/// Occurrences that are looked at before giving up: a daily one for 27 years.
const MAX_STEPS: usize = 10_000;
/// Slots that one schedule may have ahead at once.
pub const MAX_SLOTS: usize = 5_000;

/// Why a schedule yields no slots.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SeriesError {
    /// The rule is not RFC 5545, or has parts that days do not have.
    #[error("{0}")]
    Rule(String),
    /// It yields more than is sensible.
    #[error("more than {max} slots ahead")]
    TooMany {
        /// The limit.
        max: usize,
    },
}

/// A stretch of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span {
    /// Begin.
    pub start: Timestamp,
    /// End, exclusive.
    pub end: Timestamp,
}

/// A recurrence with the cut of its occurrences.
#[derive(Debug, Clone)]
pub struct Series {
    /// RFC 5545 rule without the name; empty: once.
    pub rrule: String,
    /// First start, local.
    pub start: NaiveDateTime,
    /// Minutes of one occurrence.
    pub duration_min: i64,
    /// Minutes of one slot; divides the duration.
    pub slot_min: i64,
    /// Local starts that are left out.
    pub except: Vec<NaiveDateTime>,
    /// Zone of the area.
    pub tz: Tz,
}

impl Series {
    /// The slots that end after `from` and begin before `until`, in order, each start once.
    ///
    /// # Errors
    /// [`SeriesError`] when the rule is not valid or yields too much.
    pub fn slots(&self, from: Timestamp, until: Timestamp) -> Result<Vec<Span>, SeriesError> {
        let mut spans = BTreeSet::new();
        let step_us = self.slot_min.max(1) * 60_000_000;
        let count = (self.duration_min / self.slot_min.max(1)).max(1);
        for local in self.starts(from, until)? {
            let first = resolve(local, self.tz).micros();
            for i in 0..count {
                let start = Timestamp::from_micros(first + i * step_us);
                let end = Timestamp::from_micros(first + (i + 1) * step_us);
                if end > from && start < until {
                    spans.insert(Span { start, end });
                }
            }
            if spans.len() > MAX_SLOTS {
                return Err(SeriesError::TooMany { max: MAX_SLOTS });
            }
        }
        let mut spans: Vec<Span> = spans.into_iter().collect();
        spans.dedup_by_key(|span| span.start);
        Ok(spans)
    }

    /// Checks the rule without expanding it.
    ///
    /// # Errors
    /// [`SeriesError::Rule`].
    pub fn check(&self) -> Result<(), SeriesError> {
        if self.rrule.is_empty() { Ok(()) } else { self.rule().map(|_| ()) }
    }

    /// Checks that in its first year no stretch of `days` holds more slots than a schedule may have ahead, so that it does not
    /// grow too dense only when its window has moved on.
    ///
    /// # Errors
    /// [`SeriesError`] when the rule is not valid or yields too much.
    pub fn check_density(&self, days: i64) -> Result<(), SeriesError> {
        let from = self.start.and_utc();
        let starts = self.starts(from.into(), (from + Duration::days(366 + days)).into())?;
        let each = usize::try_from(self.duration_min / self.slot_min.max(1)).unwrap_or(MAX_SLOTS).max(1);
        let stretch = Duration::days(days) + Duration::minutes(self.duration_min);
        let mut first = 0;
        for (i, start) in starts.iter().enumerate() {
            while *start - starts[first] > stretch {
                first += 1;
            }
            if (i - first + 1).saturating_mul(each) > MAX_SLOTS {
                return Err(SeriesError::TooMany { max: MAX_SLOTS });
            }
        }
        Ok(())
    }

    /// Local starts that can matter between the two instants.
    fn starts(&self, from: Timestamp, until: Timestamp) -> Result<Vec<NaiveDateTime>, SeriesError> {
        // Two days cover an occurrence's length, any offset and any gap.
        let margin = Duration::days(2);
        let (low, high) = (from.to_chrono().naive_utc() - margin, until.to_chrono().naive_utc() + margin);
        let wanted = |local: &NaiveDateTime| *local >= low && !self.except.contains(local);
        if self.rrule.is_empty() {
            return Ok(Some(self.start).filter(wanted).into_iter().collect());
        }
        let set = RRuleSet::new(self.anchor()).rrule(self.rule()?).limit();
        let mut starts = Vec::new();
        for (steps, at) in set.into_iter().enumerate() {
            let local = at.naive_utc();
            if local > high {
                break;
            }
            if steps >= MAX_STEPS {
                return Err(SeriesError::TooMany { max: MAX_SLOTS });
            }
            if wanted(&local) {
                starts.push(local);
            }
        }
        Ok(starts)
    }

    /// The first start as if the local calendar were UTC.
    fn anchor(&self) -> chrono::DateTime<rrule::Tz> {
        self.start.and_utc().with_timezone(&rrule::Tz::UTC)
    }

    fn rule(&self) -> Result<RRule, SeriesError> {
        let text = local_until(self.rrule.trim_start_matches("RRULE:"), self.tz)?;
        if text.split(';').any(|part| part.to_ascii_uppercase().starts_with("BYSECOND")) {
            return Err(SeriesError::Rule("BYSECOND is not supported".to_owned()));
        }
        let rule: RRule<Unvalidated> = text.parse().map_err(|e: rrule::RRuleError| SeriesError::Rule(e.to_string()))?;
        match rule.get_freq() {
            Frequency::Yearly | Frequency::Monthly | Frequency::Weekly | Frequency::Daily => {}
            Frequency::Hourly | Frequency::Minutely | Frequency::Secondly => {
                return Err(SeriesError::Rule("FREQ must be DAILY, WEEKLY, MONTHLY or YEARLY".to_owned()));
            }
        }
        rule.validate(self.anchor()).map_err(|e| SeriesError::Rule(e.to_string()))
    }
}

/// Rewrites UNTIL to the local calendar, written as UTC: a date means the whole day, an instant its local time.
fn local_until(rule: &str, tz: Tz) -> Result<String, SeriesError> {
    let parts = rule.split(';').map(|part| {
        let Some((key, value)) = part.split_once('=') else { return Ok(part.to_owned()) };
        if !key.eq_ignore_ascii_case("UNTIL") {
            return Ok(part.to_owned());
        }
        let bad = || SeriesError::Rule(format!("UNTIL={value} is no date or time"));
        let local = match (value.len(), value.strip_suffix('Z')) {
            (8, _) => {
                let day = chrono::NaiveDate::parse_from_str(value, "%Y%m%d").map_err(|_| bad())?;
                day.and_hms_opt(23, 59, 59).ok_or_else(bad)?
            }
            (_, Some(utc)) => {
                let utc = NaiveDateTime::parse_from_str(utc, "%Y%m%dT%H%M%S").map_err(|_| bad())?;
                utc.and_utc().with_timezone(&tz).naive_local()
            }
            (_, None) => NaiveDateTime::parse_from_str(value, "%Y%m%dT%H%M%S").map_err(|_| bad())?,
        };
        Ok(format!("UNTIL={}Z", local.format("%Y%m%dT%H%M%S")))
    });
    Ok(parts.collect::<Result<Vec<String>, _>>()?.join(";"))
}

#[cfg(test)]
mod tests;
