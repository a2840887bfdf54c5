//! Units: creating, changing, moving, deleting; the paths of the trees.

mod fields;
mod placing;

use std::collections::HashSet;
use std::sync::Arc;

use linli_access::{Target, Within};
use linli_kernel::{AreaId, Name};
use linli_kit::check::{self, Violations};
use linli_kit::idempotency::{ClaimOutcome, Once};
use linli_kit::page::{KeyPart, PageRequest};
use linli_kit::store::Tx;
use linli_kit::{Ctx, Error, ErrorCode, FieldViolation, Result, filter};
use linli_proto::org as pb;
use sea_orm::sea_query::Expr;
use sea_orm::{
    ColumnTrait as _, Condition, EntityTrait as _, Order, QueryFilter as _, QueryOrder as _, QuerySelect as _,
};

use fields::{apply, check_fields, check_labels, check_name, proto, unit_id_value};
pub(super) use placing::tree_number;
use placing::{insert, place, relocate, replace};

use super::batch::{Items, at, fresh};
use super::change::Change;
use super::{App, by_name};
use crate::store::entities::unit;
use crate::store::{lock_area, roles_changed, unit_in_use, unit_of};

/// Units of one batch.
const MAX_BATCH: usize = 1000;
/// Units of the largest subtree that one call moves.
const MAX_MOVE: usize = 20_000;
/// Labels of one unit.
const MAX_LABELS: usize = 16;

impl App {
    /// Returns one unit.
    pub(crate) async fn get_unit(&self, ctx: &Ctx, request: &pb::GetUnitRequest) -> Result<pb::Unit> {
        let name = check::name("name", &request.name, "units")?;
        self.access.authorise(ctx, &Self::unit_target(name.area(), name.id()))?;
        self.read_unit(&name).await
    }

    async fn read_unit(&self, name: &Name) -> Result<pb::Unit> {
        let row = unit_of(self.parts.store.reader(), name.area().as_str(), name.id()).await?;
        row.map(proto).ok_or_else(|| Error::not_found(name))
    }

    /// Lists units by area and id.
    pub(crate) async fn list_units(&self, ctx: &Ctx, r: &pb::ListUnitsRequest) -> Result<pb::ListUnitsResponse> {
        let area = check::list_parent(&r.parent)?;
        let scope = self.access.scope(ctx, area.as_ref())?;
        by_name(&r.order_by)?;
        let page = PageRequest::parse(
            &self.parts.keyring,
            &ctx.method.path,
            &[&r.parent, &r.filter, &r.order_by],
            r.page_size,
            &r.page_token,
        )?;
        let fields = [
            filter::FilterField::new("kind", filter::Kind::Text, Expr::col(unit::Column::Kind)),
            filter::FilterField::new("parent", filter::Kind::Ref(unit_id_value), Expr::col(unit::Column::Parent)),
            filter::FilterField::new(
                "tree",
                filter::Kind::proto_enum("linli.org.v1.Tree"),
                Expr::col(unit::Column::Tree),
            ),
        ];
        let visible = scope.condition(|area, within| {
            let here = Condition::all().add(unit::Column::Area.eq(area));
            match within {
                Within::All => Some(here),
                Within::Units(ids) => Some(here.add(unit::Column::Id.is_in(ids.iter().cloned()))),
                Within::Person(_) => None,
            }
        });
        let key = [(Expr::col(unit::Column::Area), Order::Asc), (Expr::col(unit::Column::Id), Order::Asc)];
        let rows = unit::Entity::find()
            .filter(visible)
            .filter(filter::condition(&r.filter, &fields)?)
            .filter(page.condition(&key)?)
            .order_by_asc(unit::Column::Area)
            .order_by_asc(unit::Column::Id)
            .limit(page.limit())
            .all(self.parts.store.reader())
            .await?;
        let (rows, next_page_token) =
            page.cut(rows, |row| vec![KeyPart::Text(row.area.clone()), KeyPart::Text(row.id.clone())]);
        Ok(pb::ListUnitsResponse { units: rows.into_iter().map(proto).collect(), next_page_token })
    }

    /// Creates one unit.
    pub(crate) async fn create_unit(&self, ctx: &Arc<Ctx>, request: pb::CreateUnitRequest) -> Result<pb::Unit> {
        let batch = pb::BatchCreateUnitsRequest { parent: request.parent.clone(), requests: vec![request] };
        let mut units = self.create_units(ctx, batch, "").await?;
        units.pop().ok_or_else(|| Error::internal("a batch of one answered nothing"))
    }

    /// Creates up to a thousand units, all or none.
    pub(crate) async fn batch_create_units(
        &self,
        ctx: &Arc<Ctx>,
        request: pb::BatchCreateUnitsRequest,
    ) -> Result<pb::BatchCreateUnitsResponse> {
        Ok(pb::BatchCreateUnitsResponse { units: self.create_units(ctx, request, "requests").await? })
    }

    async fn create_units(
        &self,
        ctx: &Arc<Ctx>,
        request: pb::BatchCreateUnitsRequest,
        prefix: &str,
    ) -> Result<Vec<pb::Unit>> {
        let area = check::area("parent", &request.parent)?;
        self.roles.current(ctx).await?;
        self.access.authorise(ctx, &Target::area(&area))?;
        self.must_be_area(&area).await?;
        let (drafts, items) = self.check_drafts(ctx, &area, &request, prefix)?;
        let (at, new, claims) = (&area, &drafts, &items);
        let done = self.parts.store.write_until("org.create_units", ctx.deadline, |tx| {
            Box::pin(async move {
                let outcomes = claims.claim(tx).await?;
                lock_area(tx, at.as_str()).await?;
                let rows = self.plant(tx, ctx, at, &fresh(new, &outcomes)).await?;
                Ok((outcomes, rows))
            })
        });
        let (outcomes, rows) = done.await?;
        self.roles.refresh().await?;
        let mut rows = rows.into_iter();
        let mut units: Vec<pb::Unit> = Vec::with_capacity(drafts.len());
        for outcome in outcomes {
            units.push(match outcome {
                ClaimOutcome::SameAs(earlier) => units[earlier].clone(),
                ClaimOutcome::Repeat(name) => self.read_unit(&check::name("name", &name, "units")?).await?,
                ClaimOutcome::New | ClaimOutcome::Reused => {
                    proto(rows.next().ok_or_else(|| Error::internal("a new unit without a row"))?)
                }
            });
        }
        Ok(units)
    }

    /// Writes new units, whose parents stand before them or in the table; the area is locked.
    async fn plant(&self, tx: &Tx<'_>, ctx: &Ctx, area: &AreaId, drafts: &[&Draft]) -> Result<Vec<unit::Model>> {
        if drafts.is_empty() {
            return Ok(Vec::new());
        }
        let template = self.template(tx.conn(), area).await?.unwrap_or_default();
        let rows = place(tx, ctx, area, drafts, &template).await?;
        insert(tx, &rows).await?;
        for row in &rows {
            tx.emit(Self::unit_event(ctx, area, row, false));
        }
        roles_changed(tx).await?;
        Ok(rows)
    }

    fn check_drafts(
        &self,
        ctx: &Ctx,
        area: &AreaId,
        request: &pb::BatchCreateUnitsRequest,
        prefix: &str,
    ) -> Result<(Vec<Draft>, Items)> {
        let mut bad = Violations::new();
        let (mut drafts, mut items) = (Vec::new(), Items::default());
        bad.max_items("requests", request.requests.len(), MAX_BATCH);
        bad.ensure(!request.requests.is_empty(), "requests", "FIELD_REQUIRED");
        let mut seen = HashSet::new();
        for (i, one) in request.requests.iter().enumerate().take(MAX_BATCH) {
            let at = at(prefix, i);
            if !one.parent.is_empty() && one.parent != area.name() {
                bad.push(FieldViolation::new(format!("{at}parent"), "AREA_MISMATCH").arg("area", area.name()));
            }
            bad.code(format_args!("{at}unit_id"), &one.unit_id);
            if !seen.insert(&one.unit_id) {
                bad.push(FieldViolation::new(format!("{at}unit_id"), "FIELD_DUPLICATE").arg("value", &one.unit_id));
            }
            let bare = pb::CreateUnitRequest { parent: area.name(), request_id: String::new(), ..one.clone() };
            let name = draft_name(area, &one.unit_id);
            items.push(self, (ctx, area), (&mut bad, &at), &one.request_id, &bare, name);
            drafts.push(check_draft(&mut bad, area, at, &one.unit_id, one.unit.clone().unwrap_or_default()));
        }
        bad.finish()?;
        Ok((drafts, items))
    }

    /// Changes the texts and labels of a unit; with `allow_missing` creates it.
    pub(crate) async fn update_unit(&self, ctx: &Arc<Ctx>, request: pb::UpdateUnitRequest) -> Result<pb::Unit> {
        let wanted = request.unit.clone().unwrap_or_default();
        let name = check::name("unit.name", &wanted.name, "units")?;
        let area = name.area();
        self.roles.current(ctx).await?;
        self.access.authorise(ctx, &Self::unit_target(area, name.id()))?;
        self.must_be_area(area).await?;
        let change = Change {
            ctx,
            area,
            request_id: &request.request_id,
            hash: self.hash(ctx, &pb::UpdateUnitRequest { request_id: String::new(), ..request.clone() }),
            name: "org.update_unit",
            validate_only: request.validate_only,
        };
        let (named, request) = (&name, &request);
        let done = self.change(change, |tx| {
            Box::pin(async move {
                lock_area(tx, area.as_str()).await?;
                let row = match unit_of(tx.conn(), area.as_str(), named.id()).await? {
                    Some(before) => self.change_unit(tx, ctx, named, before, request).await?,
                    None if request.allow_missing => self.plant_missing(tx, ctx, named, request).await?,
                    None => return Err(Error::not_found(named)),
                };
                Ok((named.to_string(), proto(row)))
            })
        });
        let done = done.await?;
        self.roles.refresh().await?;
        match done {
            Once::Done(unit) => Ok(unit),
            Once::Repeat(_) => self.read_unit(&name).await,
        }
    }

    async fn change_unit(
        &self,
        tx: &Tx<'_>,
        ctx: &Ctx,
        name: &Name,
        before: unit::Model,
        request: &pb::UpdateUnitRequest,
    ) -> Result<unit::Model> {
        let wanted = request.unit.clone().unwrap_or_default();
        check::check_etag(&wanted.etag, before.revision, name)?;
        let paths = check_fields(request.update_mask.as_ref(), Some(&before), &wanted)?;
        let mut after = before.clone();
        apply(&mut after, &wanted, &paths)?;
        if after == before {
            return Ok(before);
        }
        after.revision += 1;
        after.update_us = ctx.now().micros();
        replace(tx, name, &before, &after).await?;
        tx.emit(Self::unit_event(ctx, name.area(), &after, false));
        Ok(after)
    }

    /// Creates the unit that an update with `allow_missing` did not find; that takes the right to create.
    async fn plant_missing(
        &self,
        tx: &Tx<'_>,
        ctx: &Ctx,
        name: &Name,
        request: &pb::UpdateUnitRequest,
    ) -> Result<unit::Model> {
        let wanted = request.unit.clone().unwrap_or_default();
        self.access.authorise(ctx, &Target::area(name.area()))?;
        check::check_etag(&wanted.etag, 0, name)?;
        check_fields(request.update_mask.as_ref(), None, &wanted)?;
        let mut bad = Violations::new();
        let draft = check_draft(&mut bad, name.area(), String::new(), name.id(), wanted);
        bad.finish()?;
        let rows = self.plant(tx, ctx, name.area(), &[&draft]).await?;
        rows.into_iter().next().ok_or_else(|| Error::internal("a new unit without a row"))
    }

    /// Hangs a unit with all below it under another parent.
    pub(crate) async fn move_unit(&self, ctx: &Arc<Ctx>, request: pb::MoveUnitRequest) -> Result<pb::Unit> {
        let name = check::name("name", &request.name, "units")?;
        self.roles.current(ctx).await?;
        self.access.authorise(ctx, &Self::unit_target(name.area(), name.id()))?;
        let mut bad = Violations::new();
        let parent = bad.optional_name_in("new_parent", &request.new_parent, "units", name.area());
        bad.finish()?;
        if let Some(parent) = &parent {
            // Whoever moves must also be allowed where it goes.
            self.access.authorise(ctx, &Self::unit_target(name.area(), parent.id()))?;
        }
        let area = name.area();
        let change = Change {
            ctx,
            area,
            request_id: &request.request_id,
            hash: self.hash(ctx, &pb::MoveUnitRequest { request_id: String::new(), ..request.clone() }),
            name: "org.move_unit",
            validate_only: false,
        };
        let (named, parent, request) = (&name, &parent, &request);
        let done = self.change(change, |tx| {
            Box::pin(async move {
                lock_area(tx, area.as_str()).await?;
                let row = unit_of(tx.conn(), area.as_str(), named.id()).await?;
                let row = row.ok_or_else(|| Error::not_found(named))?;
                check::check_etag(&request.etag, row.revision, named)?;
                let new_parent = parent.as_ref().map(Name::id).unwrap_or_default();
                if row.parent == new_parent {
                    return Ok((named.to_string(), proto(row)));
                }
                let template = self.template(tx.conn(), area).await?.unwrap_or_default();
                let moved = relocate(tx, ctx, area, &row, new_parent, &template).await?;
                roles_changed(tx).await?;
                Ok((named.to_string(), proto(moved)))
            })
        });
        let done = done.await?;
        self.roles.refresh().await?;
        match done {
            Once::Done(unit) => Ok(unit),
            Once::Repeat(_) => self.read_unit(&name).await,
        }
    }

    /// Deletes a unit to which nothing belongs any more.
    pub(crate) async fn delete_unit(&self, ctx: &Arc<Ctx>, request: pb::DeleteUnitRequest) -> Result<()> {
        let name = check::name("name", &request.name, "units")?;
        let area = name.area();
        self.roles.current(ctx).await?;
        self.access.authorise(ctx, &Self::unit_target(area, name.id()))?;
        let change = Change {
            ctx,
            area,
            request_id: &request.request_id,
            hash: self.hash(ctx, &pb::DeleteUnitRequest { request_id: String::new(), ..request.clone() }),
            name: "org.delete_unit",
            validate_only: false,
        };
        let (named, request) = (&name, &request);
        let done = self.change(change, |tx| {
            Box::pin(async move {
                lock_area(tx, area.as_str()).await?;
                let row = unit_of(tx.conn(), area.as_str(), named.id()).await?;
                let mut row = row.ok_or_else(|| Error::not_found(named))?;
                check::check_etag(&request.etag, row.revision, named)?;
                if let Some(by) = self.unit_used_by(tx, named).await? {
                    return Err(still_referenced("name", named, by));
                }
                unit::Entity::delete_by_id((area.as_str().to_owned(), named.id().to_owned())).exec(tx.conn()).await?;
                row.revision += 1;
                tx.emit(Self::unit_event(ctx, area, &row, true));
                roles_changed(tx).await?;
                Ok((named.to_string(), ()))
            })
        });
        done.await?;
        self.roles.refresh().await
    }

    /// What still refers to a unit: its children, its people, its posts, its links.
    async fn unit_used_by(&self, tx: &Tx<'_>, name: &Name) -> Result<Option<&'static str>> {
        if let Some(by) = unit_in_use(tx, name.area().as_str(), name.id()).await? {
            return Ok(Some(by));
        }
        let links = self.links.all(tx.conn(), name.area().as_str()).await?;
        let text = name.to_string();
        let linked = links.iter().any(|l| l.resource.from_unit == text || l.resource.to_unit == text);
        Ok(linked.then_some("unitLinks"))
    }
}

/// The refusal to remove what something still needs.
pub(super) fn still_referenced(field: &str, resource: impl std::fmt::Display, by: &str) -> Error {
    let violation = FieldViolation::new(field, "STILL_REFERENCED").arg("resource", &resource).arg("by", by);
    Error::new(ErrorCode::FailedPrecondition, "STILL_REFERENCED")
        .with("resource", resource)
        .with("by", by)
        .with_fields(vec![violation])
}

/// A unit to be created.
struct Draft {
    /// What stands before its fields in the request.
    at: String,
    id: String,
    parent: Option<String>,
    unit: pb::Unit,
}

fn check_draft(bad: &mut Violations, area: &AreaId, at: String, id: &str, unit: pb::Unit) -> Draft {
    check_name(bad, &format!("{at}unit."), &unit);
    check_labels(bad, &format!("{at}unit."), &unit);
    bad.code(format_args!("{at}unit.kind"), &unit.kind);
    let parent = bad.optional_name_in(&format!("{at}unit.parent"), &unit.parent, "units", area);
    Draft { at, id: id.to_owned(), parent: parent.map(|p| p.id().to_owned()), unit }
}

fn draft_name(area: &AreaId, id: &str) -> String {
    format!("areas/{area}/units/{id}")
}
