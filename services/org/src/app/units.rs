//! Units: creating, changing, moving, deleting; the paths of the trees.

mod fields;
mod placing;

use std::collections::HashMap;
use std::sync::Arc;

use linli_access::{Target, Within};
use linli_kernel::{AreaId, Name};
use linli_kit::check::{self, Violations};
use linli_kit::idempotency::{Once, request_hash};
use linli_kit::page::{KeyPart, PageRequest};
use linli_kit::{Ctx, Error, ErrorCode, FieldViolation, Result, filter};
use linli_proto::org as pb;
use sea_orm::sea_query::Expr;
use sea_orm::{
    ActiveModelTrait as _, ColumnTrait as _, Condition, EntityTrait as _, IntoActiveModel as _, Order,
    QueryFilter as _, QueryOrder as _, QuerySelect as _,
};

use fields::{apply, check_mask, check_texts, proto, unit_id_value};
use placing::{insert, place, relocate};

use super::App;
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
        let drafts = self.check_drafts(&area, &request, prefix)?;
        let template = self.template(&area).await?.unwrap_or_default();
        let mut created = Vec::with_capacity(drafts.len());
        // One request id for the batch: that of its first item; items carry their own for callers that repeat one alone.
        let request_id = request.requests.first().map(|r| r.request_id.clone()).unwrap_or_default();
        let mut hashed = request.clone();
        hashed.requests.iter_mut().for_each(|r| r.request_id.clear());
        let hash = request_hash(&self.parts.keyring, &ctx.method.path, &hashed);
        let done = self
            .parts
            .store
            .write_once(ctx, area.as_str(), &request_id, hash, "org.create_units", |tx| {
                let (area, drafts, template) = (&area, &drafts, &template);
                Box::pin(async move {
                    lock_area(tx, area.as_str()).await?;
                    let rows = place(tx, ctx, area, drafts, template, prefix).await?;
                    insert(tx, &rows).await?;
                    for row in &rows {
                        tx.emit(Self::unit_event(ctx, area, row, false));
                    }
                    roles_changed(tx).await?;
                    Ok((area.name(), rows))
                })
            })
            .await?;
        self.roles.refresh().await?;
        match done {
            Once::Done(rows) => created.extend(rows.into_iter().map(proto)),
            Once::Repeat(_) => {
                for draft in &drafts {
                    created.push(
                        self.read_unit(&Name::parse(&draft_name(&area, &draft.id), "units").map_err(Error::internal)?)
                            .await?,
                    );
                }
            }
        }
        Ok(created)
    }

    fn check_drafts(&self, area: &AreaId, request: &pb::BatchCreateUnitsRequest, prefix: &str) -> Result<Vec<Draft>> {
        let mut bad = Violations::new();
        bad.max_items("requests", request.requests.len(), MAX_BATCH);
        if request.requests.len() > MAX_BATCH {
            bad.finish()?;
            return Ok(Vec::new());
        }
        bad.ensure(!request.requests.is_empty(), "requests", "FIELD_REQUIRED");
        let mut seen = HashMap::new();
        let mut drafts = Vec::new();
        for (i, one) in request.requests.iter().enumerate() {
            let at = if prefix.is_empty() { String::new() } else { format!("{prefix}[{i}].") };
            if !one.parent.is_empty() && one.parent != area.name() {
                bad.push(FieldViolation::new(format!("{at}parent"), "AREA_MISMATCH").arg("area", area.name()));
            }
            bad.code(&format!("{at}unit_id"), &one.unit_id);
            if seen.insert(one.unit_id.clone(), i).is_some() {
                bad.push(FieldViolation::new(format!("{at}unit_id"), "FIELD_DUPLICATE").arg("value", &one.unit_id));
            }
            let unit = one.unit.clone().unwrap_or_default();
            check_texts(&mut bad, &format!("{at}unit."), &unit);
            bad.code(&format!("{at}unit.kind"), &unit.kind);
            let parent = bad.optional_name_in(&format!("{at}unit.parent"), &unit.parent, "units", area);
            drafts.push(Draft { id: one.unit_id.clone(), parent: parent.map(|p| p.id().to_owned()), unit });
        }
        bad.finish()?;
        Ok(drafts)
    }

    /// Changes the texts and labels of a unit; with `allow_missing` creates it.
    pub(crate) async fn update_unit(&self, ctx: &Arc<Ctx>, request: pb::UpdateUnitRequest) -> Result<pb::Unit> {
        let wanted = request.unit.clone().unwrap_or_default();
        let name = check::name("unit.name", &wanted.name, "units")?;
        self.roles.current(ctx).await?;
        self.access.authorise(ctx, &Self::unit_target(name.area(), name.id()))?;
        self.must_be_area(name.area()).await?;
        let existing = unit_of(self.parts.store.reader(), name.area().as_str(), name.id()).await?;
        let Some(existing) = existing else {
            if !request.allow_missing {
                return Err(Error::not_found(name));
            }
            return self.create_missing(ctx, &name, &request, wanted).await;
        };
        let paths = check_mask(&request, &existing, &wanted)?;
        let mut hashed = request.clone();
        hashed.request_id.clear();
        let hash = request_hash(&self.parts.keyring, &ctx.method.path, &hashed);
        let area = name.area();
        let done = self
            .parts
            .store
            .write_once(ctx, area.as_str(), &request.request_id, hash, "org.update_unit", |tx| {
                let (name, wanted, paths, request) = (&name, &wanted, &paths, &request);
                Box::pin(async move {
                    let before = unit_of(tx.conn(), area.as_str(), name.id()).await?;
                    let before = before.ok_or_else(|| Error::not_found(name))?;
                    check::check_etag(&wanted.etag, before.revision, name)?;
                    let mut after = before.clone();
                    apply(&mut after, wanted, paths);
                    if after == before || request.validate_only {
                        return Ok((name.to_string(), after));
                    }
                    after.revision += 1;
                    after.update_us = ctx.now().micros();
                    after.clone().into_active_model().reset_all().update(tx.conn()).await?;
                    tx.emit(Self::unit_event(ctx, area, &after, false));
                    Ok((name.to_string(), after))
                })
            })
            .await?;
        match done {
            Once::Done(row) => Ok(proto(row)),
            Once::Repeat(_) => self.read_unit(&name).await,
        }
    }

    async fn create_missing(
        &self,
        ctx: &Arc<Ctx>,
        name: &Name,
        request: &pb::UpdateUnitRequest,
        unit: pb::Unit,
    ) -> Result<pb::Unit> {
        if request.validate_only {
            let one =
                pb::CreateUnitRequest { unit_id: name.id().to_owned(), unit: Some(unit.clone()), ..Default::default() };
            let batch = pb::BatchCreateUnitsRequest { parent: name.area().name(), requests: vec![one] };
            self.check_drafts(name.area(), &batch, "")?;
            return Ok(unit);
        }
        let create = pb::CreateUnitRequest {
            parent: name.area().name(),
            unit: Some(unit),
            unit_id: name.id().to_owned(),
            request_id: request.request_id.clone(),
        };
        match self.create_unit(ctx, create).await {
            // Another caller made it first; that is what allow_missing asked for.
            Err(error) if error.code() == ErrorCode::AlreadyExists => self.read_unit(name).await,
            other => other,
        }
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
        let template = self.template(name.area()).await?.unwrap_or_default();
        let mut hashed = request.clone();
        hashed.request_id.clear();
        let hash = request_hash(&self.parts.keyring, &ctx.method.path, &hashed);
        let area = name.area();
        let done = self
            .parts
            .store
            .write_once(ctx, area.as_str(), &request.request_id, hash, "org.move_unit", |tx| {
                let (name, parent, template, request) = (&name, &parent, &template, &request);
                Box::pin(async move {
                    lock_area(tx, area.as_str()).await?;
                    let row = unit_of(tx.conn(), area.as_str(), name.id()).await?;
                    let row = row.ok_or_else(|| Error::not_found(name))?;
                    check::check_etag(&request.etag, row.revision, name)?;
                    let new_parent = parent.as_ref().map(Name::id).unwrap_or_default();
                    if row.parent == new_parent {
                        return Ok((name.to_string(), row));
                    }
                    let moved = relocate(tx, ctx, area, &row, new_parent, template).await?;
                    roles_changed(tx).await?;
                    Ok((name.to_string(), moved))
                })
            })
            .await?;
        self.roles.refresh().await?;
        match done {
            Once::Done(row) => Ok(proto(row)),
            Once::Repeat(_) => self.read_unit(&name).await,
        }
    }

    /// Deletes a unit to which nothing belongs any more.
    pub(crate) async fn delete_unit(&self, ctx: &Arc<Ctx>, request: pb::DeleteUnitRequest) -> Result<()> {
        let name = check::name("name", &request.name, "units")?;
        self.roles.current(ctx).await?;
        self.access.authorise(ctx, &Self::unit_target(name.area(), name.id()))?;
        let mut hashed = request.clone();
        hashed.request_id.clear();
        let hash = request_hash(&self.parts.keyring, &ctx.method.path, &hashed);
        let area = name.area();
        self.parts
            .store
            .write_once(ctx, area.as_str(), &request.request_id, hash, "org.delete_unit", |tx| {
                let (name, request) = (&name, &request);
                Box::pin(async move {
                    lock_area(tx, area.as_str()).await?;
                    let row = unit_of(tx.conn(), area.as_str(), name.id()).await?;
                    let mut row = row.ok_or_else(|| Error::not_found(name))?;
                    check::check_etag(&request.etag, row.revision, name)?;
                    if let Some(by) = unit_in_use(tx, area.as_str(), name.id()).await? {
                        return Err(Error::new(ErrorCode::FailedPrecondition, "STILL_REFERENCED")
                            .with("resource", name)
                            .with("by", by));
                    }
                    unit::Entity::delete_by_id((area.as_str().to_owned(), name.id().to_owned()))
                        .exec(tx.conn())
                        .await?;
                    row.revision += 1;
                    tx.emit(Self::unit_event(ctx, area, &row, true));
                    roles_changed(tx).await?;
                    Ok((name.to_string(), ()))
                })
            })
            .await?;
        self.roles.refresh().await
    }
}

/// A unit to be created.
struct Draft {
    id: String,
    parent: Option<String>,
    unit: pb::Unit,
}

fn draft_name(area: &AreaId, id: &str) -> String {
    format!("areas/{area}/units/{id}")
}
