//! From schedules to slots, when a schedule is written and day by day afterwards.

use linli_kernel::{AreaId, Timestamp};
use linli_kit::catalogue::Entry;
use linli_kit::check::Violations;
use linli_kit::ids::new_v7;
use linli_kit::store::Tx;
use linli_kit::{Error, FieldViolation, Result};
use linli_proto::booking::{Offering, Schedule};

use super::App;
use crate::domain::calendar::parse_local;
use crate::domain::{Series, SeriesError};
use crate::store;
use crate::store::slots::Template;

const DAY_SECS: i64 = 86_400;
const DEFAULT_HORIZON_DAYS: i32 = 35;

pub(super) fn violations(app: &App, schedule: &Schedule, area: &AreaId) -> Vec<FieldViolation> {
    let mut v = Violations::new();
    v.name_in("station", &schedule.station, "stations", area);
    v.range("duration_min", i64::from(schedule.duration_min), 5, 1440);
    v.range("capacity", i64::from(schedule.capacity), 1, 10_000);
    v.range("horizon_days", i64::from(schedule.horizon_days), 0, 92);
    v.max_items("except_local", schedule.except_local.len(), 366);
    v.max_chars("rrule", &schedule.rrule, 500);
    let slot = schedule.slot_min;
    if slot < 0 || (slot > 0 && (slot < 5 || schedule.duration_min % slot != 0)) {
        let rule = "0, or 5 and more minutes that divide the duration";
        v.push(FieldViolation::new("slot_min", "FIELD_FORMAT").arg("expected", rule));
    }
    let local = |v: &mut Violations, field: &str, text: &str| {
        if !text.is_empty() && parse_local(text).is_none() {
            v.push(FieldViolation::new(field, "FIELD_FORMAT").arg("expected", "2026-11-07T09:00"));
        }
    };
    local(&mut v, "start_local", &schedule.start_local);
    for (i, text) in schedule.except_local.iter().enumerate() {
        local(&mut v, &format!("except_local[{i}]"), text);
    }
    if let Some(series) = series(app, area.as_str(), schedule)
        && let Err(problem) = series.check()
    {
        v.push(FieldViolation::new("rrule", "FIELD_FORMAT").arg("expected", format!("RFC 5545 ({problem})")));
    }
    v.into_vec()
}

fn series(app: &App, area: &str, schedule: &Schedule) -> Option<Series> {
    let duration_min = i64::from(schedule.duration_min);
    let slot_min = if schedule.slot_min > 0 { i64::from(schedule.slot_min) } else { duration_min };
    Some(Series {
        rrule: schedule.rrule.clone(),
        start: parse_local(&schedule.start_local)?,
        duration_min,
        slot_min,
        except: schedule.except_local.iter().filter_map(|text| parse_local(text)).collect(),
        tz: app.tz(area),
    })
}

impl App {
    /// Replaces the future slots that nobody has touched; the others stay as they are.
    pub(super) async fn replace_slots(
        &self,
        tx: &Tx<'_>,
        now: Timestamp,
        entry: &Entry<Schedule>,
        offering: &Offering,
    ) -> Result<()> {
        store::slots::delete_untouched(tx, &entry.area, &entry.resource.name, now).await?;
        self.fill_slots(tx, now, entry, offering).await
    }

    /// Makes the slots up to the horizon that are missing.
    pub(super) async fn fill_slots(
        &self,
        tx: &Tx<'_>,
        now: Timestamp,
        entry: &Entry<Schedule>,
        offering: &Offering,
    ) -> Result<()> {
        let schedule = &entry.resource;
        let Some(series) = series(self, &entry.area, schedule) else {
            return Err(Error::internal("a stored schedule has no valid start"));
        };
        let days = if schedule.horizon_days > 0 { schedule.horizon_days } else { DEFAULT_HORIZON_DAYS };
        let until = now.plus_secs(i64::from(days) * DAY_SECS);
        let spans = series.slots(now, until).map_err(|problem| {
            let SeriesError::TooMany { max } = problem else { return Error::internal(problem) };
            Error::field(FieldViolation::new("schedule.rrule", "FIELD_TOO_MANY").arg("max", max))
        })?;
        let spans: Vec<_> = spans.into_iter().map(|span| (new_v7(now), span)).collect();
        let template = Template {
            area: entry.area.clone(),
            schedule: schedule.name.clone(),
            offering: schedule.offering.clone(),
            station: schedule.station.clone(),
            kind: offering.kind.clone(),
            capacity: schedule.capacity,
        };
        store::slots::insert_missing(tx, &template, &spans).await?;
        let next = (!schedule.rrule.is_empty() || spans.is_empty()).then(|| now.plus_secs(DAY_SECS).micros());
        store::catalogue::set_horizon(tx, &entry.area, &entry.id, next).await
    }

    /// Deletes what nobody has touched of a schedule that goes away, and extends it no more.
    pub(super) async fn drop_slots(&self, tx: &Tx<'_>, now: Timestamp, entry: &Entry<Schedule>) -> Result<()> {
        store::slots::delete_untouched(tx, &entry.area, &entry.resource.name, now).await?;
        let sql = "UPDATE slot SET state = 2, version = version + 1 WHERE area = $1 AND schedule = $2 AND start_us > $3 \
                   AND state = 1";
        let values = vec![entry.area.clone().into(), entry.resource.name.clone().into(), now.micros().into()];
        store::execute(tx, sql, values).await?;
        store::catalogue::set_horizon(tx, &entry.area, &entry.id, None).await
    }

    /// Extends schedules whose day has come; how many.
    pub(crate) async fn extend_schedules(&self, now: Timestamp) -> Result<usize> {
        let due = store::catalogue::due_horizons(self.store().reader(), now.micros()).await?;
        for (area, id) in &due {
            self.store()
                .write("booking.extend", |tx| {
                    Box::pin(async move {
                        let Some(entry) = self.schedules.find_for_update(tx, area, id).await? else {
                            return store::catalogue::set_horizon(tx, area, id, None).await;
                        };
                        let (owner, offering) = super::split(&entry.resource.offering);
                        match self.offerings.find_for_update(tx, owner, offering).await? {
                            Some(offering) => self.fill_slots(tx, now, &entry, &offering.resource).await,
                            None => store::catalogue::set_horizon(tx, area, id, None).await,
                        }
                    })
                })
                .await?;
        }
        Ok(due.len())
    }
}
