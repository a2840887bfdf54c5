//! What stands in the way of an appointment: places that do not exist, posts that exclude one another.

use std::collections::{HashMap, HashSet};

use linli_kernel::AreaId;
use linli_kit::store::Tx;
use linli_kit::{Error, FieldViolation, Result};
use sea_orm::{ColumnTrait as _, Condition, EntityTrait as _, QueryFilter as _};
use uuid::Uuid;

use super::Draft;
use crate::app::App;
use crate::app::people::{person_id, unit_name};
use crate::domain::template::Template;
use crate::domain::term::Term;
use crate::store::entities::appointment;
use crate::store::{INSERT_CHUNK, people_of, units_of};

impl App {
    /// The access role that a post carries, or an access role that is given without a post; `None` for neither.
    pub(in crate::app) fn access_role(&self, template: &Template, role: &str) -> Option<String> {
        match template.post(role) {
            Some(post) => Some(post.access_role.clone()),
            None => (self.access.matrix().bit(role).is_some() && role != "operator").then(|| role.to_owned()),
        }
    }
}

/// Units and people of the drafts must exist; those that do not.
pub(super) async fn check_places(tx: &Tx<'_>, area: &AreaId, drafts: &[&Draft]) -> Result<Vec<FieldViolation>> {
    let mut units: Vec<String> = drafts.iter().map(|d| d.row.unit.clone()).filter(|u| !u.is_empty()).collect();
    units.sort();
    units.dedup();
    let mut known_units = HashSet::new();
    for chunk in units.chunks(INSERT_CHUNK) {
        known_units.extend(units_of(tx.conn(), area.as_str(), chunk.to_vec()).await?.into_iter().map(|u| u.id));
    }
    let people: Vec<Uuid> = drafts.iter().filter_map(|d| person_id(&d.row.appointee)).collect();
    let mut known_people = HashSet::new();
    for chunk in people.chunks(INSERT_CHUNK) {
        known_people.extend(people_of(tx.conn(), area.as_str(), chunk.to_vec()).await?.into_iter().map(|p| p.id));
    }
    let mut bad = Vec::new();
    for Draft { at, row } in drafts {
        if !row.unit.is_empty() && !known_units.contains(&row.unit) {
            let violation = FieldViolation::new(format!("{at}appointment.unit"), "REFERENCE_NOT_FOUND");
            bad.push(violation.arg("value", unit_name(area.as_str(), &row.unit)));
        }
        if person_id(&row.appointee).is_some_and(|id| !known_people.contains(&id)) {
            let violation = FieldViolation::new(format!("{at}appointment.appointee"), "REFERENCE_NOT_FOUND");
            bad.push(violation.arg("value", &row.appointee));
        }
    }
    Ok(bad)
}

/// Nobody holds a post twice at one unit, or two that the template keeps apart, at any instant; the area is locked.
///
/// `wanted` are appointments with the field that is to blame; those that exist already are compared with the others only.
pub(super) async fn check_conflicts(
    tx: &Tx<'_>,
    area: &AreaId,
    wanted: &[(String, &appointment::Model)],
    template: &Template,
) -> Result<()> {
    let mut held: HashMap<(String, String), Vec<(String, Term)>> = HashMap::new();
    let first = wanted.iter().map(|(_, row)| row.start_us).min().unwrap_or(0);
    let own: HashSet<Uuid> = wanted.iter().map(|(_, row)| row.id).collect();
    let mut appointees: Vec<String> = wanted.iter().map(|(_, row)| row.appointee.clone()).collect();
    appointees.sort();
    appointees.dedup();
    for chunk in appointees.chunks(INSERT_CHUNK) {
        let late = Condition::any().add(appointment::Column::EndUs.is_null()).add(appointment::Column::EndUs.gt(first));
        let existing = appointment::Entity::find()
            .filter(appointment::Column::Area.eq(area.as_str()))
            .filter(appointment::Column::Appointee.is_in(chunk.to_vec()))
            .filter(late)
            .all(tx.conn())
            .await?;
        for row in existing.into_iter().filter(|row| !own.contains(&row.id)) {
            let term = term(&row);
            held.entry((row.appointee, row.unit)).or_default().push((row.role, term));
        }
    }
    let mut bad = Vec::new();
    for (field, row) in wanted {
        let (roles, term) = (held.entry((row.appointee.clone(), row.unit.clone())).or_default(), term(row));
        let mut meanwhile = roles.iter().filter(|(_, other)| other.overlaps(&term)).map(|(role, _)| role);
        if meanwhile.clone().any(|role| *role == row.role) {
            bad.push(FieldViolation::new(field.clone(), "POST_HELD_ALREADY").arg("post", &row.role));
        } else if let Some(other) = meanwhile.find(|other| template.conflict(&row.role, other)) {
            let violation = FieldViolation::new(field.clone(), "POSTS_CONFLICT").arg("post", &row.role);
            bad.push(violation.arg("other", other));
        }
        roles.push((row.role.clone(), term));
    }
    Error::check(bad)
}

fn term(row: &appointment::Model) -> Term {
    Term { start_us: row.start_us, end_us: row.end_us }
}
