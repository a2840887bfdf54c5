//! Who may know of confidential topics: whoever raised one, and holders of a role that its process names.

use linli_access::{GrantRow, Scope, Snapshot};
use linli_kernel::AreaId;
use linli_kit::{Ctx, Result};
use sea_orm::{ColumnTrait as _, Condition};
use uuid::Uuid;

use super::App;
use crate::domain::Process;
use crate::store::entity::topic;
use crate::store::topics;

/// What a topic keeps about its readers: each role between commas; empty when it is public.
pub(super) fn readers(process: &Process) -> String {
    let roles: Vec<&str> = process.readers().into_iter().collect();
    if roles.is_empty() { String::new() } else { format!(",{},", roles.join(",")) }
}

/// A role as it stands among readers.
fn entry(role: &str) -> String {
    format!(",{role},")
}

impl App {
    /// A topic, when there is one of which the caller may know.
    pub(super) async fn known_topic(&self, ctx: &Ctx, area: &AreaId, id: Uuid) -> Result<Option<topic::Model>> {
        let row = topics::find(self.reader(), area.as_str(), id).await?;
        Ok(row.filter(|row| self.knows(ctx, row)))
    }

    /// Whether the caller may know of a topic.
    fn knows(&self, ctx: &Ctx, row: &topic::Model) -> bool {
        let subject = ctx.caller.subject().unwrap_or_default();
        if row.readers.is_empty() || row.raised_by_idx == self.raiser_index(&row.area, subject) {
            return true;
        }
        let snapshot = self.access.snapshot();
        let mut held = snapshot.grants(subject).iter().filter(|g| g.active(ctx.now()) && covers(&snapshot, g, row));
        held.any(|g| [&g.role, &g.access_role].into_iter().any(|role| row.readers.contains(&entry(role))))
    }

    /// The topics within a scope of which the caller may know.
    pub(super) fn known(&self, ctx: &Ctx, scope: &Scope) -> Condition {
        use topic::Column;
        let subject = ctx.caller.subject().unwrap_or_default();
        let raised = scope.areas.iter().map(|(area, _)| self.raiser_index(area, subject));
        let mut any = Condition::any().add(Column::Readers.eq("")).add(Column::RaisedByIdx.is_in(raised));
        let snapshot = self.access.snapshot();
        for grant in snapshot.grants(subject).iter().filter(|g| g.active(ctx.now())) {
            let roles = [&grant.role, &grant.access_role].map(|role| Column::Readers.contains(entry(role)));
            let named = roles.into_iter().fold(Condition::any(), Condition::add);
            let there = if grant.unit.is_empty() {
                let below = scope.areas.iter().map(|(area, _)| area).filter(|area| snapshot.below(area, &grant.area));
                Condition::all().add(Column::Area.is_in(below))
            } else {
                let units = snapshot.units_below(&grant.area, &grant.unit);
                Condition::all().add(Column::Area.eq(&grant.area)).add(Column::Unit.is_in(units))
            };
            any = any.add(there.add(named));
        }
        any
    }
}

/// Whether an appointment's place covers a topic's.
fn covers(snapshot: &Snapshot, grant: &GrantRow, row: &topic::Model) -> bool {
    if grant.unit.is_empty() {
        return snapshot.below(&row.area, &grant.area);
    }
    let paths = (snapshot.path(&grant.area, &grant.unit), snapshot.path(&row.area, &row.unit));
    grant.area == row.area && matches!(paths, (Some(top), Some(path)) if path.starts_with(top))
}
