//! Writing units into their trees: paths, inserts, moves.

use std::collections::HashMap;

use linli_kernel::{AreaId, Name};
use linli_kit::check::Violations;
use linli_kit::store::Tx;
use linli_kit::{Ctx, Error, ErrorCode, FieldViolation, Result};
use linli_proto::org as pb;
use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait as _, ConnectionTrait as _, EntityTrait as _, IntoActiveModel as _, QueryFilter as _};

use super::fields::labels_text;
use super::{Draft, MAX_MOVE, draft_name};
use crate::app::App;
use crate::app::change::was_current;
use crate::domain::template::{Template, Tree};
use crate::domain::tree;
use crate::store::entities::unit;
use crate::store::{INSERT_CHUNK, subtree, unit_of};

/// Gives drafts their paths: parents stand before them in the batch or in the table.
pub(super) async fn place(
    tx: &Tx<'_>,
    ctx: &Ctx,
    area: &AreaId,
    drafts: &[&Draft],
    template: &Template,
) -> Result<Vec<unit::Model>> {
    let mut bad = Violations::new();
    let mut known: HashMap<String, (String, String)> = HashMap::new();
    let mut ids: Vec<String> = drafts.iter().filter_map(|d| d.parent.clone()).collect();
    ids.extend(drafts.iter().map(|d| d.id.clone()));
    ids.sort();
    ids.dedup();
    for chunk in ids.chunks(INSERT_CHUNK) {
        for row in crate::store::units_of(tx.conn(), area.as_str(), chunk.to_vec()).await? {
            known.insert(row.id, (row.kind, row.path));
        }
    }
    let mut rows = Vec::with_capacity(drafts.len());
    for draft in drafts {
        let at = &draft.at;
        if known.contains_key(&draft.id) {
            return Err(
                Error::new(ErrorCode::AlreadyExists, "ALREADY_EXISTS").with("resource", draft_name(area, &draft.id))
            );
        }
        let parent = match &draft.parent {
            None => None,
            Some(id) => match known.get(id) {
                Some(found) => Some(found.clone()),
                None => {
                    bad.push(
                        FieldViolation::new(format!("{at}unit.parent"), "REFERENCE_NOT_FOUND")
                            .arg("value", draft_name(area, id)),
                    );
                    continue;
                }
            },
        };
        let Some(kind) = template.kind(&draft.unit.kind) else {
            bad.push(FieldViolation::new(format!("{at}unit.kind"), "KIND_UNKNOWN").arg("kind", &draft.unit.kind));
            continue;
        };
        if !template.nests(&kind.code, parent.as_ref().map(|(k, _)| k.as_str())) {
            let under = parent.as_ref().map_or("-", |(k, _)| k.as_str());
            bad.push(
                FieldViolation::new(format!("{at}unit.parent"), "KIND_DOES_NOT_NEST")
                    .arg("kind", &kind.code)
                    .arg("parent", under),
            );
            continue;
        }
        let path = tree::child_path(parent.as_ref().map_or("", |(_, p)| p), &draft.id);
        if tree::depth(&path) > tree::MAX_DEPTH {
            bad.push(FieldViolation::new(format!("{at}unit.parent"), "TREE_TOO_DEEP").arg("max", tree::MAX_DEPTH));
            continue;
        }
        known.insert(draft.id.clone(), (kind.code.clone(), path.clone()));
        rows.push(new_row(ctx, area, draft, kind.tree, path)?);
    }
    bad.finish()?;
    Ok(rows)
}

fn new_row(ctx: &Ctx, area: &AreaId, draft: &Draft, in_tree: Tree, path: String) -> Result<unit::Model> {
    let now = ctx.now().micros();
    let text = draft.unit.display_name.clone().unwrap_or_default();
    Ok(unit::Model {
        area: area.as_str().to_owned(),
        id: draft.id.clone(),
        parent: draft.parent.clone().unwrap_or_default(),
        kind: draft.unit.kind.clone(),
        tree: tree_number(in_tree),
        path,
        zh_cn: text.zh_cn,
        en: text.en,
        labels: labels_text(&draft.unit)?,
        households: 0,
        people: 0,
        revision: 1,
        create_us: now,
        update_us: now,
    })
}

/// A tree as the contract numbers it.
pub(in crate::app) fn tree_number(tree: Tree) -> i32 {
    match tree {
        Tree::Residents => pb::Tree::Residents as i32,
        Tree::Party => pb::Tree::Party as i32,
    }
}

/// Writes the texts and labels of a unit that is at the revision it was read at, and nothing else of it.
pub(super) async fn replace(tx: &Tx<'_>, name: &Name, before: &unit::Model, after: &unit::Model) -> Result<()> {
    let after = after.clone();
    let done = unit::Entity::update_many()
        .set(unit::ActiveModel {
            zh_cn: Set(after.zh_cn),
            en: Set(after.en),
            labels: Set(after.labels),
            revision: Set(after.revision),
            update_us: Set(after.update_us),
            ..Default::default()
        })
        .filter(unit::Column::Area.eq(&before.area))
        .filter(unit::Column::Id.eq(&before.id))
        .filter(unit::Column::Revision.eq(before.revision))
        .exec(tx.conn())
        .await?;
    was_current(done.rows_affected, name)
}

pub(super) async fn insert(tx: &Tx<'_>, rows: &[unit::Model]) -> Result<()> {
    for chunk in rows.chunks(INSERT_CHUNK) {
        let models = chunk.iter().map(|row| row.clone().into_active_model());
        unit::Entity::insert_many(models).exec_without_returning(tx.conn()).await?;
    }
    Ok(())
}

/// Rewrites the paths of a subtree.
pub(super) async fn relocate(
    tx: &Tx<'_>,
    ctx: &Ctx,
    area: &AreaId,
    row: &unit::Model,
    new_parent: &str,
    template: &Template,
) -> Result<unit::Model> {
    let parent = match new_parent {
        "" => None,
        id => Some(unit_of(tx.conn(), area.as_str(), id).await?.ok_or_else(|| {
            Error::field(FieldViolation::new("new_parent", "REFERENCE_NOT_FOUND").arg("value", draft_name(area, id)))
        })?),
    };
    if parent.as_ref().is_some_and(|p| tree::is_below(&p.path, &row.path)) {
        return Err(Error::field(FieldViolation::new("new_parent", "TREE_CYCLE")));
    }
    if !template.nests(&row.kind, parent.as_ref().map(|p| p.kind.as_str())) {
        let under = parent.as_ref().map_or("-", |p| p.kind.as_str());
        let violation = FieldViolation::new("new_parent", "KIND_DOES_NOT_NEST");
        return Err(Error::field(violation.arg("kind", &row.kind).arg("parent", under)));
    }
    let units = subtree(tx.conn(), area.as_str(), &row.path).await?;
    if units.len() > MAX_MOVE {
        let violation = FieldViolation::new("name", "SUBTREE_TOO_LARGE").arg("max", MAX_MOVE);
        let error = Error::new(ErrorCode::FailedPrecondition, "SUBTREE_TOO_LARGE").with("max", MAX_MOVE);
        return Err(error.with_fields(vec![violation]));
    }
    let new_top = tree::child_path(parent.as_ref().map_or("", |p| p.path.as_str()), &row.id);
    let deepest = units.iter().map(|u| tree::depth(&tree::moved_path(&u.path, &row.path, &new_top))).max();
    if deepest.unwrap_or(0) > tree::MAX_DEPTH {
        return Err(Error::field(FieldViolation::new("new_parent", "TREE_TOO_DEEP").arg("max", tree::MAX_DEPTH)));
    }
    // Every path in one statement; each path is unique before and after, so the order does not matter.
    let tail = i32::try_from(row.path.len() + 1).map_err(Error::internal)?;
    let sql = "UPDATE unit SET path = $1 || substr(path, $2), revision = revision + 1, update_us = $3
               WHERE area = $4 AND path >= $5 AND path < $6";
    let values: [sea_orm::Value; 6] = [
        new_top.clone().into(),
        tail.into(),
        ctx.now().micros().into(),
        area.as_str().into(),
        row.path.clone().into(),
        tree::upper_bound(&row.path).into(),
    ];
    tx.conn().execute_raw(tx.statement(sql, values)).await?;
    unit::Entity::update_many()
        .col_expr(unit::Column::Parent, Expr::value(new_parent))
        .filter(unit::Column::Area.eq(area.as_str()))
        .filter(unit::Column::Id.eq(&row.id))
        .exec(tx.conn())
        .await?;
    let mut moved = row.clone();
    for unit in units {
        let after = unit::Model {
            path: tree::moved_path(&unit.path, &row.path, &new_top),
            revision: unit.revision + 1,
            update_us: ctx.now().micros(),
            parent: if unit.id == row.id { new_parent.to_owned() } else { unit.parent.clone() },
            ..unit
        };
        tx.emit(App::unit_event(ctx, area, &after, false));
        if after.id == row.id {
            moved = after;
        }
    }
    Ok(moved)
}
