//! Org's invariants, recounted from its rows.

use std::collections::HashMap;

use linli_access::Target;
use linli_kit::{Ctx, Result, check};
use linli_proto::common::{InvariantCheck, VerifyInvariantsRequest, VerifyInvariantsResponse};
use sea_orm::{ColumnTrait as _, EntityTrait as _, QueryFilter as _};

use super::App;
use crate::domain::tree;
use crate::store::entities::{household, person, unit};

/// Violations that one check lists.
const MAX_LISTED: usize = 100;

impl App {
    /// Recounts the trees and totals of one area, or of all that the caller may audit.
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
        let mut paths = (0, Vec::new());
        let mut totals = (0, Vec::new());
        for slug in scope.slugs() {
            self.verify_area(&slug, &mut paths, &mut totals).await?;
        }
        let check = |invariant: &str, text: &str, (checked, mut violations): (i64, Vec<String>)| {
            violations.truncate(MAX_LISTED);
            InvariantCheck {
                invariant: invariant.to_owned(),
                title: self.parts.kit.texts.render(ctx.lang, text, &[]),
                checked,
                violations,
            }
        };
        let checks =
            vec![check("org.paths", "INVARIANT_ORG_PATHS", paths), check("org.totals", "INVARIANT_ORG_TOTALS", totals)];
        Ok(VerifyInvariantsResponse { checks })
    }

    async fn verify_area(
        &self,
        area: &str,
        paths: &mut (i64, Vec<String>),
        totals: &mut (i64, Vec<String>),
    ) -> Result<()> {
        let conn = self.parts.store.reader();
        let units = unit::Entity::find().filter(unit::Column::Area.eq(area)).all(conn).await?;
        let by_id: HashMap<&str, &unit::Model> = units.iter().map(|u| (u.id.as_str(), u)).collect();
        let mut homes: HashMap<String, i64> = HashMap::new();
        for row in household::Entity::find().filter(household::Column::Area.eq(area)).all(conn).await? {
            *homes.entry(row.unit).or_default() += 1;
        }
        let mut people: HashMap<String, i64> = HashMap::new();
        for row in person::Entity::find().filter(person::Column::Area.eq(area)).all(conn).await? {
            *people.entry(row.unit).or_default() += 1;
        }
        for unit in &units {
            let parent = by_id.get(unit.parent.as_str()).map_or("", |p| p.path.as_str());
            let wanted = tree::child_path(parent, &unit.id);
            paths.0 += 1;
            if unit.path != wanted || (!unit.parent.is_empty() && parent.is_empty()) {
                paths.1.push(format!("areas/{area}/units/{}: path {} instead of {wanted}", unit.id, unit.path));
            }
            let counted = (homes.get(&unit.id).copied().unwrap_or(0), people.get(&unit.id).copied().unwrap_or(0));
            totals.0 += 1;
            if counted != (unit.households, unit.people) {
                let kept = (unit.households, unit.people);
                totals.1.push(format!("areas/{area}/units/{}: kept {kept:?}, counted {counted:?}", unit.id));
            }
        }
        Ok(())
    }
}
