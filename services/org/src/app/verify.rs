//! Org's invariants, recounted from its rows.

use std::collections::{HashMap, HashSet};

use linli_access::Target;
use linli_kernel::Id as _;
use linli_kit::store::Tx;
use linli_kit::{Ctx, Result, check};
use linli_proto::common::{InvariantCheck, VerifyInvariantsRequest, VerifyInvariantsResponse};
use linli_proto::org as pb;
use sea_orm::{ColumnTrait as _, EntityTrait as _, QueryFilter as _};
use uuid::Uuid;

use super::App;
use super::appointments::AppointmentId;
use super::households::household_name;
use super::people::{person_id, person_name, unit_name};
use crate::domain::tree;
use crate::store::entities::{appointment, area, household, person, unit};
use crate::store::lock_area;

/// Violations that one check lists.
const MAX_LISTED: usize = 100;

/// One check: how much was looked at, what was wrong.
#[derive(Default)]
struct Count {
    checked: i64,
    violations: Vec<String>,
}

impl Count {
    fn look(&mut self, holds: bool, problem: impl FnOnce() -> String) {
        self.checked += 1;
        if !holds && self.violations.len() < MAX_LISTED {
            self.violations.push(problem());
        }
    }
}

#[derive(Default)]
struct Checks {
    areas: Count,
    paths: Count,
    totals: Count,
    references: Count,
}

/// The rows of one area, all of one moment.
struct Rows {
    area: String,
    units: Vec<unit::Model>,
    households: Vec<household::Model>,
    people: Vec<person::Model>,
    appointments: Vec<appointment::Model>,
    links: Vec<pb::UnitLink>,
}

impl App {
    /// Recounts one area, or all that the caller may audit.
    pub(crate) async fn verify(
        &self,
        ctx: &Ctx,
        request: &VerifyInvariantsRequest,
    ) -> Result<VerifyInvariantsResponse> {
        let area = check::list_parent(&request.parent)?;
        if let Some(area) = &area {
            self.access.authorise(ctx, &Target::area(area))?;
        }
        let scope = self.access.scope(ctx, area.as_ref())?;
        let mut checks = Checks::default();
        let areas = area::Entity::find().all(self.parts.store.reader()).await?;
        let parents: HashMap<&str, &str> = areas.iter().map(|a| (a.area.as_str(), a.parent.as_str())).collect();
        for slug in &scope.slugs() {
            verify_area(slug, &parents, &mut checks.areas);
            // Under the area's lock, so that a change in the middle of it is no violation.
            let rows = self.parts.store.write_until("org.verify", ctx.deadline, |tx| Box::pin(self.rows(tx, slug)));
            let rows = rows.await?;
            verify_units(&rows, &mut checks);
            verify_homes(&rows, &mut checks);
            verify_posts(&rows, &mut checks.references);
        }
        let check = |invariant: &str, text: &str, count: Count| InvariantCheck {
            invariant: invariant.to_owned(),
            title: self.parts.kit.texts.render(ctx.lang, text, &[]),
            checked: count.checked,
            violations: count.violations,
        };
        Ok(VerifyInvariantsResponse {
            checks: vec![
                check("org.areas", "INVARIANT_ORG_AREAS", checks.areas),
                check("org.paths", "INVARIANT_ORG_PATHS", checks.paths),
                check("org.totals", "INVARIANT_ORG_TOTALS", checks.totals),
                check("org.references", "INVARIANT_ORG_REFERENCES", checks.references),
            ],
        })
    }

    async fn rows(&self, tx: &Tx<'_>, area: &str) -> Result<Rows> {
        lock_area(tx, area).await?;
        let conn = tx.conn();
        Ok(Rows {
            area: area.to_owned(),
            units: unit::Entity::find().filter(unit::Column::Area.eq(area)).all(conn).await?,
            households: household::Entity::find().filter(household::Column::Area.eq(area)).all(conn).await?,
            people: person::Entity::find().filter(person::Column::Area.eq(area)).all(conn).await?,
            appointments: appointment::Entity::find().filter(appointment::Column::Area.eq(area)).all(conn).await?,
            links: self.links.all(conn, area).await?.into_iter().map(|entry| entry.resource).collect(),
        })
    }
}

/// The chain of parents ends at a top.
fn verify_area(area: &str, parents: &HashMap<&str, &str>, count: &mut Count) {
    let (mut at, mut seen) = (area, HashSet::new());
    let ends = loop {
        match parents.get(at).copied() {
            Some("") => break Ok(()),
            Some(_) if !seen.insert(at) => break Err(format!("areas/{at} stands above itself")),
            Some(parent) => at = parent,
            None => break Err(format!("areas/{at} does not exist")),
        }
    };
    count.look(ends.is_ok(), || format!("areas/{area}: {}", ends.err().unwrap_or_default()));
}

/// Paths are the chains of parents, totals are recounts.
fn verify_units(rows: &Rows, checks: &mut Checks) {
    let by_id: HashMap<&str, &unit::Model> = rows.units.iter().map(|u| (u.id.as_str(), u)).collect();
    let mut counts: HashMap<&str, (i64, i64)> = HashMap::new();
    for home in &rows.households {
        counts.entry(&home.unit).or_default().0 += 1;
    }
    for person in &rows.people {
        counts.entry(&person.unit).or_default().1 += 1;
    }
    for unit in &rows.units {
        let name = unit_name(&rows.area, &unit.id);
        let parent = by_id.get(unit.parent.as_str()).map_or("", |p| p.path.as_str());
        let wanted = tree::child_path(parent, &unit.id);
        let stands = unit.path == wanted && (unit.parent.is_empty() || !parent.is_empty());
        checks.paths.look(stands, || format!("{name}: path {} instead of {wanted}", unit.path));
        let (kept, counted) = ((unit.households, unit.people), counts.get(unit.id.as_str()).copied().unwrap_or((0, 0)));
        checks.totals.look(kept == counted, || format!("{name}: kept {kept:?}, counted {counted:?}"));
    }
}

/// Households and people live where there is something, and are counted.
fn verify_homes(rows: &Rows, checks: &mut Checks) {
    let units: HashSet<&str> = rows.units.iter().map(|u| u.id.as_str()).collect();
    let mut members: HashMap<Uuid, i64> = HashMap::new();
    let homes: HashMap<Uuid, &household::Model> = rows.households.iter().map(|h| (h.id, h)).collect();
    for person in &rows.people {
        let name = || person_name(&rows.area, person.id);
        let at = person.unit.as_str();
        checks.references.look(at.is_empty() || units.contains(at), || format!("{}: no unit {at}", name()));
        let Some(id) = person.household else { continue };
        *members.entry(id).or_default() += 1;
        let together = homes.get(&id).is_some_and(|home| home.unit == person.unit);
        let problem = || format!("{}: {} is not there, or at another unit", name(), household_name(&rows.area, id));
        checks.references.look(together, problem);
    }
    for home in &rows.households {
        let name = || household_name(&rows.area, home.id);
        checks.references.look(units.contains(home.unit.as_str()), || format!("{}: no unit {}", name(), home.unit));
        let (kept, counted) = (home.people, members.get(&home.id).copied().unwrap_or(0));
        checks.totals.look(kept == counted, || format!("{}: kept {kept} people, counted {counted}", name()));
    }
}

/// Appointments and links name what there is.
fn verify_posts(rows: &Rows, count: &mut Count) {
    let units: HashSet<String> = rows.units.iter().map(|u| unit_name(&rows.area, &u.id)).collect();
    let people: HashSet<Uuid> = rows.people.iter().map(|p| p.id).collect();
    for row in &rows.appointments {
        let name = || format!("areas/{}/appointments/{}", rows.area, AppointmentId::from_uuid(row.id));
        let unit = unit_name(&rows.area, &row.unit);
        count.look(unit.is_empty() || units.contains(&unit), || format!("{}: no {unit}", name()));
        let holder = person_id(&row.appointee);
        count.look(holder.is_none_or(|id| people.contains(&id)), || format!("{}: no {}", name(), row.appointee));
    }
    for link in &rows.links {
        for end in [&link.from_unit, &link.to_unit] {
            count.look(units.contains(end), || format!("{}: no {end}", link.name));
        }
    }
}
