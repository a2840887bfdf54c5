//! What is particular to offerings, stations, schedules and menus: their checks, and what follows from writing them.

use std::collections::HashSet;

use async_trait::async_trait;
use linli_kernel::AreaId;
use linli_kit::catalogue::{Catalogue, Entry, Written};
use linli_kit::check::Violations;
use linli_kit::store::Tx;
use linli_kit::{Ctx, Error, ErrorCode, FieldViolation, Result};
use linli_proto::booking::{Menu, Offering, Question, QuestionType, Schedule, Station};

use super::{App, Managed, area_of, schedule};
use crate::store;

/// Minutes of a year: the longest time before a slot.
const YEAR_MIN: i64 = 366 * 24 * 60;

pub(super) fn in_use(resource: &str, by: impl std::fmt::Display) -> Error {
    Error::new(ErrorCode::FailedPrecondition, "STILL_REFERENCED").with("resource", resource).with("by", by)
}

fn missing(field: &str, value: &str) -> Error {
    Error::field(FieldViolation::new(field, "REFERENCE_NOT_FOUND").arg("value", value))
}

#[async_trait]
impl Managed for Offering {
    const COLLECTION: &'static str = "offerings";

    fn catalogue(app: &App) -> &Catalogue<Self> {
        &app.offerings
    }

    fn resource_name(&self) -> &str {
        &self.name
    }

    fn violations(&self, _app: &App, area: &AreaId) -> Vec<FieldViolation> {
        let mut v = Violations::new();
        v.both("display_name", self.display_name.as_ref(), 100);
        v.code("kind", &self.kind);
        v.max_items("questions", self.questions.len(), 16);
        v.max_items("tags", self.tags.len(), 16);
        v.max_items("service_areas", self.service_areas.len(), 100);
        for (i, tag) in self.tags.iter().enumerate() {
            v.code(format_args!("tags[{i}]"), tag);
        }
        for (i, name) in self.service_areas.iter().enumerate() {
            match AreaId::parse_name(name) {
                Ok(other) if other != *area => {}
                _ => v.push(
                    FieldViolation::new(format!("service_areas[{i}]"), "FIELD_FORMAT")
                        .arg("expected", "areas/{another area}"),
                ),
            }
        }
        v.range("max_party", i64::from(self.max_party), 0, 100);
        let minutes = [
            ("opens_before_min", self.opens_before_min),
            ("closes_before_min", self.closes_before_min),
            ("cancel_before_min", self.cancel_before_min),
        ];
        for (field, value) in minutes {
            v.range(field, i64::from(value), 0, YEAR_MIN);
        }
        if let Some(base) = &self.base_price {
            v.code("base_price.asset", &base.asset);
            v.range("base_price.value", base.value, 0, i64::from(i32::MAX));
        }
        v.range("price_floor", self.price_floor, 0, i64::from(i32::MAX));
        v.range("price_ceiling", self.price_ceiling, self.price_floor.max(0), i64::from(i32::MAX));
        let mut keys = HashSet::new();
        for (i, question) in self.questions.iter().enumerate() {
            check_question(&mut v, &format!("questions[{i}]"), question, &mut keys);
        }
        v.into_vec()
    }

    async fn written(_app: &App, _tx: &Tx<'_>, _ctx: &Ctx, _written: &Written<Self>) -> Result<()> {
        Ok(())
    }

    async fn deleted(_app: &App, tx: &Tx<'_>, _ctx: &Ctx, entry: &Entry<Self>) -> Result<()> {
        let name = &entry.resource.name;
        for (area, id, schedule) in store::catalogue::specs::<Schedule>(tx.conn(), "schedules").await? {
            if schedule.offering == *name {
                return Err(in_use(name, format!("areas/{area}/schedules/{id}")));
            }
        }
        match store::catalogue::open_booking_of(tx.conn(), name).await? {
            Some(booking) => Err(in_use(name, booking)),
            None => Ok(()),
        }
    }
}

fn check_question<'q>(v: &mut Violations, at: &str, question: &'q Question, keys: &mut HashSet<&'q str>) {
    v.code(format_args!("{at}.key"), &question.key);
    v.both(&format!("{at}.text"), question.text.as_ref(), 200);
    if !keys.insert(&question.key) {
        v.push(FieldViolation::new(format!("{at}.key"), "FIELD_DUPLICATE").arg("value", &question.key));
    }
    match question.r#type() {
        QuestionType::Choice => {
            v.range(format_args!("{at}.choices"), i64::try_from(question.choices.len()).unwrap_or(i64::MAX), 1, 32);
            for (i, choice) in question.choices.iter().enumerate() {
                v.code(format_args!("{at}.choices[{i}].code"), &choice.code);
            }
        }
        QuestionType::Number => {
            v.range(format_args!("{at}.max"), i64::from(question.max), i64::from(question.min), i64::from(i32::MAX));
        }
        QuestionType::Flag | QuestionType::Text | QuestionType::Unspecified => {}
    }
}

#[async_trait]
impl Managed for Station {
    const COLLECTION: &'static str = "stations";

    fn catalogue(app: &App) -> &Catalogue<Self> {
        &app.stations
    }

    fn resource_name(&self) -> &str {
        &self.name
    }

    fn violations(&self, app: &App, area: &AreaId) -> Vec<FieldViolation> {
        let mut v = Violations::new();
        v.both("display_name", self.display_name.as_ref(), 100);
        v.code("kind", &self.kind);
        if let Some(unit) = v.optional_name_in("unit", &self.unit, "units", area)
            && app.access.snapshot().path(area.as_str(), unit.id()).is_none()
        {
            v.push(FieldViolation::new("unit", "REFERENCE_NOT_FOUND").arg("value", &self.unit));
        }
        v.into_vec()
    }

    async fn written(_app: &App, _tx: &Tx<'_>, _ctx: &Ctx, _written: &Written<Self>) -> Result<()> {
        Ok(())
    }

    async fn deleted(_app: &App, tx: &Tx<'_>, _ctx: &Ctx, entry: &Entry<Self>) -> Result<()> {
        let name = &entry.resource.name;
        for (area, id, schedule) in store::catalogue::specs::<Schedule>(tx.conn(), "schedules").await? {
            if schedule.station == *name {
                return Err(in_use(name, format!("areas/{area}/schedules/{id}")));
            }
        }
        Ok(())
    }
}

#[async_trait]
impl Managed for Schedule {
    const COLLECTION: &'static str = "schedules";

    fn catalogue(app: &App) -> &Catalogue<Self> {
        &app.schedules
    }

    fn resource_name(&self) -> &str {
        &self.name
    }

    fn violations(&self, app: &App, area: &AreaId) -> Vec<FieldViolation> {
        schedule::violations(app, self, area)
    }

    async fn written(app: &App, tx: &Tx<'_>, ctx: &Ctx, written: &Written<Self>) -> Result<()> {
        if !written.changed {
            return Ok(());
        }
        let schedule = &written.entry.resource;
        let Some(offering) = app.offering_for_update(tx, &written.entry.area, &schedule.offering).await? else {
            return Err(missing("schedule.offering", &schedule.offering));
        };
        let (area, station) = super::split(&schedule.station);
        if app.stations.find_for_update(tx, area, station).await?.is_none() {
            return Err(missing("schedule.station", &schedule.station));
        }
        app.replace_slots(tx, ctx.now(), &written.entry, &offering.resource).await
    }

    async fn deleted(app: &App, tx: &Tx<'_>, ctx: &Ctx, entry: &Entry<Self>) -> Result<()> {
        app.drop_slots(tx, ctx, entry).await
    }
}

#[async_trait]
impl Managed for Menu {
    const COLLECTION: &'static str = "menus";

    fn catalogue(app: &App) -> &Catalogue<Self> {
        &app.menus
    }

    fn resource_name(&self) -> &str {
        &self.name
    }

    fn violations(&self, _app: &App, _area: &AreaId) -> Vec<FieldViolation> {
        let mut v = Violations::new();
        if let Some(date) = &self.date
            && day_of(date).is_none()
        {
            v.push(FieldViolation::new("date", "FIELD_FORMAT").arg("expected", "a day of the calendar"));
        }
        v.max_items("dishes", self.dishes.len(), 50);
        let mut codes = HashSet::new();
        for (i, dish) in self.dishes.iter().enumerate() {
            v.code(format_args!("dishes[{i}].code"), &dish.code);
            v.both(&format!("dishes[{i}].display_name"), dish.display_name.as_ref(), 100);
            if !codes.insert(&dish.code) {
                v.push(FieldViolation::new(format!("dishes[{i}].code"), "FIELD_DUPLICATE").arg("value", &dish.code));
            }
        }
        v.into_vec()
    }

    async fn written(app: &App, tx: &Tx<'_>, _ctx: &Ctx, written: &Written<Self>) -> Result<()> {
        let (area, menu) = (&written.entry.area, &written.entry.resource);
        if app.offering_for_update(tx, area, &menu.offering).await?.is_none() {
            return Err(missing("menu.offering", &menu.offering));
        }
        let day = menu.date.as_ref().and_then(day_of).unwrap_or_default();
        match store::catalogue::claim_day(tx, area, &menu.offering, &day, &menu.name).await? {
            None => Ok(()),
            Some(other) => {
                Err(Error::new(ErrorCode::AlreadyExists, "MENU_DAY_TAKEN").with("resource", other).with("day", day))
            }
        }
    }

    async fn deleted(_app: &App, tx: &Tx<'_>, _ctx: &Ctx, entry: &Entry<Self>) -> Result<()> {
        store::catalogue::release_day(tx, &entry.area, &entry.resource.name).await
    }
}

/// A day as `2026-11-07`; nothing when the calendar has no such day.
fn day_of(date: &linli_proto::google::r#type::Date) -> Option<String> {
    let (month, day) = (u32::try_from(date.month).ok()?, u32::try_from(date.day).ok()?);
    chrono::NaiveDate::from_ymd_opt(date.year, month, day).map(|date| date.to_string())
}

impl App {
    /// An offering that an area may use: its own or one of an area above.
    pub(super) async fn offering_for_update(
        &self,
        tx: &Tx<'_>,
        area: &str,
        name: &str,
    ) -> Result<Option<Entry<Offering>>> {
        let (owner, id) = super::split(name);
        if owner != area && !self.access.snapshot().ancestors(area).iter().any(|above| above == owner) {
            return Ok(None);
        }
        self.offerings.find_for_update(tx, area_of(name), id).await
    }
}
