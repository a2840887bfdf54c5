//! From schedules to slots, when a schedule is written and day by day afterwards.

use std::collections::HashSet;

use chrono_tz::Tz;
use linli_kernel::{AreaId, Timestamp};
use linli_kit::catalogue::Entry;
use linli_kit::check::Violations;
use linli_kit::ids::new_v7;
use linli_kit::store::Tx;
use linli_kit::{Ctx, Error, FieldViolation, Result};
use linli_proto::booking::{Offering, Schedule};

use super::{App, events};
use crate::domain::calendar::parse_local;
use crate::domain::{Series, SeriesError, Span};
use crate::store;
use crate::store::slots::{CANCELLED, CLOSED, OPEN, SlotRow, Template};

const DAY_SECS: i64 = 86_400;
const DEFAULT_HORIZON_DAYS: i32 = 35;
/// A schedule that yields no slots today is looked at again after this.
const POSTPONE_SECS: i64 = 3600;

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
    // What depends on the zone is refused when the slots are made.
    if let Some(series) = series(schedule, app.tz(area.as_str()).unwrap_or(Tz::UTC)) {
        match series.check().and_then(|()| series.check_density(horizon_days(schedule))) {
            Ok(()) => {}
            Err(SeriesError::TooMany { max }) => {
                v.push(FieldViolation::new("rrule", "FIELD_TOO_MANY").arg("max", max));
            }
            Err(SeriesError::Rule(problem)) => {
                v.push(FieldViolation::new("rrule", "FIELD_FORMAT").arg("expected", format!("RFC 5545 ({problem})")));
            }
        }
    }
    v.into_vec()
}

fn horizon_days(schedule: &Schedule) -> i64 {
    i64::from(if schedule.horizon_days > 0 { schedule.horizon_days } else { DEFAULT_HORIZON_DAYS })
}

fn series(schedule: &Schedule, tz: Tz) -> Option<Series> {
    let duration_min = i64::from(schedule.duration_min);
    let slot_min = if schedule.slot_min > 0 { i64::from(schedule.slot_min) } else { duration_min };
    Some(Series {
        rrule: schedule.rrule.clone(),
        start: parse_local(&schedule.start_local)?,
        duration_min,
        slot_min,
        except: schedule.except_local.iter().filter_map(|text| parse_local(text)).collect(),
        tz,
    })
}

impl App {
    /// The slots of a schedule from now up to its horizon.
    fn spans(&self, now: Timestamp, entry: &Entry<Schedule>) -> Result<Vec<Span>> {
        let tz = self.tz(&entry.area)?;
        let Some(series) = series(&entry.resource, tz) else {
            return Err(Error::internal("a stored schedule has no valid start"));
        };
        let until = now.plus_secs(horizon_days(&entry.resource) * DAY_SECS);
        series.slots(now, until).map_err(|problem| {
            let SeriesError::TooMany { max } = problem else { return Error::internal(problem) };
            Error::field(FieldViolation::new("schedule.rrule", "FIELD_TOO_MANY").arg("max", max))
        })
    }

    /// Replaces the future slots that nobody has touched. Those that stay take new bookings only where the schedule still
    /// has them.
    pub(super) async fn replace_slots(
        &self,
        tx: &Tx<'_>,
        now: Timestamp,
        entry: &Entry<Schedule>,
        offering: &Offering,
    ) -> Result<()> {
        let (area, schedule) = (&entry.area, &entry.resource);
        let spans = self.spans(now, entry)?;
        let locked = store::slots::lock_future(tx, area, &schedule.name, now).await?;
        let kept = store::slots::delete_untouched(tx, area, &schedule.name, now, locked).await?;
        let starts: HashSet<Timestamp> = spans.iter().map(|span| span.start).collect();
        let fits = |slot: &SlotRow| {
            starts.contains(&slot.start) && slot.offering == schedule.offering && slot.station == schedule.station
        };
        let mut open: HashSet<Timestamp> = HashSet::new();
        for slot in &kept {
            if slot.state == OPEN && fits(slot) {
                open.insert(slot.start);
            } else if slot.state == OPEN {
                store::slots::update(tx, &SlotRow { state: CLOSED, ..slot.clone() }).await?;
            }
        }
        // One that fits again opens again, unless another has taken its place.
        for slot in kept.iter().filter(|slot| slot.state == CLOSED && fits(slot)) {
            if open.insert(slot.start) {
                store::slots::update(tx, &SlotRow { state: OPEN, ..slot.clone() }).await?;
            }
        }
        self.fill_slots(tx, now, entry, offering, &spans).await
    }

    /// Makes those of the slots that are missing.
    async fn fill_slots(
        &self,
        tx: &Tx<'_>,
        now: Timestamp,
        entry: &Entry<Schedule>,
        offering: &Offering,
        spans: &[Span],
    ) -> Result<()> {
        let schedule = &entry.resource;
        let spans: Vec<_> = spans.iter().map(|span| (new_v7(now), *span)).collect();
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

    /// Deletes what nobody has touched of a schedule that goes away, cancels the rest, and extends it no more.
    ///
    /// # Errors
    /// FAILED_PRECONDITION while it has open bookings. Its slots are locked before that is asked, so that no booking comes
    /// in between.
    pub(super) async fn drop_slots(&self, tx: &Tx<'_>, ctx: &Ctx, entry: &Entry<Schedule>) -> Result<()> {
        let (area, name, now) = (&entry.area, &entry.resource.name, ctx.now());
        let locked = store::slots::lock_future(tx, area, name, now).await?;
        if store::slots::has_open_bookings(tx.conn(), area, name).await? {
            return Err(super::resources::in_use(name, "open bookings"));
        }
        for mut slot in store::slots::delete_untouched(tx, area, name, now, locked).await? {
            slot.state = CANCELLED;
            events::slot_cancelled(tx, ctx, &slot);
            store::slots::update(tx, &slot).await?;
        }
        store::catalogue::set_horizon(tx, area, &entry.id, None).await
    }

    /// Extends schedules whose day has come. One that cannot be extended is logged and looked at again later; the others
    /// do not wait for it.
    ///
    /// # Errors
    /// When it cannot be read which ones are due.
    pub(crate) async fn extend_schedules(&self, now: Timestamp) -> Result<()> {
        for (area, id) in store::catalogue::due_horizons(self.store().reader(), now.micros()).await? {
            let Err(error) = self.extend_schedule(now, &area, &id).await else { continue };
            tracing::warn!(area, schedule = id, %error, cause = ?error.cause(), "a schedule could not be extended");
            let (area, id, later) = (&area, &id, now.plus_secs(POSTPONE_SECS).micros());
            let postponed = self
                .store()
                .write("booking.postpone", |tx| Box::pin(store::catalogue::postpone_horizon(tx, area, id, later)));
            if let Err(error) = postponed.await {
                tracing::warn!(area, schedule = id, %error, "a schedule could not be postponed");
            }
        }
        Ok(())
    }

    async fn extend_schedule(&self, now: Timestamp, area: &str, id: &str) -> Result<()> {
        let extended = self.store().write("booking.extend", |tx| {
            Box::pin(async move {
                let Some(entry) = self.schedules.find_for_update(tx, area, id).await? else {
                    return store::catalogue::set_horizon(tx, area, id, None).await;
                };
                let (owner, offering) = super::split(&entry.resource.offering);
                match self.offerings.find_for_update(tx, owner, offering).await? {
                    Some(offering) => {
                        let spans = self.spans(now, &entry)?;
                        self.fill_slots(tx, now, &entry, &offering.resource, &spans).await
                    }
                    None => store::catalogue::set_horizon(tx, area, id, None).await,
                }
            })
        });
        extended.await
    }
}
