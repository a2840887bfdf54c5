//! What a structure template must go on holding: the units, posts and access roles of the areas that it governs.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use linli_kernel::AreaId;
use linli_kit::store::Tx;
use linli_kit::{Ctx, Error, ErrorCode, FieldViolation, Result};
use sea_orm::{ColumnTrait as _, EntityTrait as _, QueryFilter as _, QueryOrder as _};

use super::App;
use super::appointments::{event, replace};
use super::structure::TEMPLATE_ID;
use super::units::tree_number;
use crate::domain::template::{Misfit, Template, Tree};
use crate::store::entities::{appointment, area, unit};
use crate::store::{lock_area, not_over, roles_changed, subtree};

/// Which field of the request a refusal names.
#[derive(Debug, Clone, Copy)]
pub(super) enum Blame {
    /// The template that is written.
    Template,
    /// The name of the one that is deleted.
    Deletion,
}

/// What no longer fits.
#[derive(Default)]
struct Misfits {
    /// Reason, kind and parent's kind of units.
    units: BTreeSet<(Misfit, String, String)>,
    /// Roles that somebody holds or will.
    roles: BTreeSet<String>,
}

impl App {
    /// Locks the areas in which the template of `area` applies, or would if there were one: it and those below without one
    /// of their own between. Nobody writes their units or appointments until the end of the transaction.
    pub(super) async fn lock_governed(&self, tx: &Tx<'_>, area: &AreaId) -> Result<Vec<String>> {
        let governed = self.governed(tx, area).await?;
        for slug in &governed {
            lock_area(tx, slug).await?;
        }
        if self.governed(tx, area).await? == governed {
            return Ok(governed);
        }
        Err(Error::new(ErrorCode::Aborted, "CONFLICT"))
    }

    /// Their slugs, sorted, so that two templates lock them in one order.
    async fn governed(&self, tx: &Tx<'_>, area: &AreaId) -> Result<Vec<String>> {
        let mut below: HashMap<String, Vec<String>> = HashMap::new();
        for row in area::Entity::find().order_by_asc(area::Column::Area).all(tx.conn()).await? {
            below.entry(row.parent).or_default().push(row.area);
        }
        let (mut found, mut open) = (BTreeSet::new(), vec![area.as_str().to_owned()]);
        while let Some(slug) = open.pop() {
            for child in below.remove(&slug).unwrap_or_default() {
                if self.own_template(tx.conn(), &child).await?.is_none() {
                    open.push(child);
                }
            }
            found.insert(slug);
        }
        Ok(found.into_iter().collect())
    }

    /// Holds the locked areas against the template that now applies, and gives running and coming appointments the access
    /// roles that their posts carry now.
    ///
    /// # Errors
    /// FAILED_PRECONDITION with the kinds and posts that are in use and no longer fit.
    pub(super) async fn refit(
        &self,
        tx: &Tx<'_>,
        ctx: &Ctx,
        area: &AreaId,
        governed: &[String],
        blame: Blame,
    ) -> Result<()> {
        let template = self.template(tx.conn(), area).await?.unwrap_or_default();
        let mut misfits = Misfits::default();
        let mut changed = false;
        for slug in governed {
            let slug = AreaId::parse_name(&format!("areas/{slug}")).map_err(Error::internal)?;
            refit_units(&subtree(tx.conn(), slug.as_str(), "").await?, &template, &mut misfits);
            changed |= self.refit_posts(tx, ctx, &slug, &template, &mut misfits).await?;
        }
        misfits.refuse(area, blame)?;
        if changed { roles_changed(tx).await } else { Ok(()) }
    }

    /// Whether an access role changed.
    async fn refit_posts(
        &self,
        tx: &Tx<'_>,
        ctx: &Ctx,
        area: &AreaId,
        template: &Template,
        misfits: &mut Misfits,
    ) -> Result<bool> {
        let held = appointment::Entity::find()
            .filter(appointment::Column::Area.eq(area.as_str()))
            .filter(not_over(ctx.now().micros()))
            .order_by_asc(appointment::Column::Id)
            .all(tx.conn())
            .await?;
        let mut changed = false;
        for before in held {
            let Some(access_role) = self.access_role(template, &before.role) else {
                misfits.roles.insert(before.role);
                continue;
            };
            if access_role == before.access_role {
                continue;
            }
            let after = appointment::Model { access_role, revision: before.revision + 1, ..before.clone() };
            replace(tx, &before, &after).await?;
            tx.emit(event(ctx, area, &after));
            changed = true;
        }
        Ok(changed)
    }
}

fn refit_units(units: &[unit::Model], template: &Template, misfits: &mut Misfits) {
    let kinds: BTreeMap<&str, &str> = units.iter().map(|u| (u.id.as_str(), u.kind.as_str())).collect();
    for unit in units {
        let tree = if unit.tree == tree_number(Tree::Party) { Tree::Party } else { Tree::Residents };
        let parent = kinds.get(unit.parent.as_str()).copied();
        if let Some(misfit) = template.misfit(&unit.kind, tree, parent) {
            misfits.units.insert((misfit, unit.kind.clone(), parent.unwrap_or("-").to_owned()));
        }
    }
}

impl Misfits {
    fn refuse(self, area: &AreaId, blame: Blame) -> Result<()> {
        let by = match (self.units.is_empty(), self.roles.is_empty()) {
            (true, true) => return Ok(()),
            (false, _) => "units",
            (true, false) => "appointments",
        };
        let field = |of: &str| match blame {
            Blame::Template => format!("structure_template.{of}"),
            Blame::Deletion => "name".to_owned(),
        };
        let units = self.units.into_iter().map(|(misfit, kind, parent)| match misfit {
            Misfit::NoSuchKind => FieldViolation::new(field("unit_kinds"), "KIND_IN_USE").arg("kind", kind),
            Misfit::OtherTree => FieldViolation::new(field("unit_kinds"), "KIND_OTHER_TREE").arg("kind", kind),
            Misfit::DoesNotNest => {
                let violation = FieldViolation::new(field("unit_kinds"), "KIND_DOES_NOT_NEST");
                violation.arg("kind", kind).arg("parent", parent)
            }
        });
        let posts =
            self.roles.into_iter().map(|role| FieldViolation::new(field("posts"), "POST_IN_USE").arg("post", role));
        let name = format!("areas/{area}/structureTemplates/{TEMPLATE_ID}");
        let error = Error::new(ErrorCode::FailedPrecondition, "STILL_REFERENCED").with("resource", name).with("by", by);
        Err(error.with_fields(units.chain(posts).collect()))
    }
}
