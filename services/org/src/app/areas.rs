//! Areas: the administrative tree.

use std::sync::Arc;

use linli_access::Target;
use linli_kernel::AreaId;
use linli_kit::check::{self, Violations};
use linli_kit::idempotency::Once;
use linli_kit::page::{KeyPart, PageRequest};
use linli_kit::store::{EventDraft, Tx};
use linli_kit::{Ctx, Error, FieldViolation, Result, filter};
use linli_proto::org as pb;
use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::Expr;
use sea_orm::{
    ActiveModelTrait as _, ColumnTrait as _, EntityTrait as _, IntoActiveModel as _, Order, QueryFilter as _,
    QueryOrder as _, QuerySelect as _,
};

use super::change::{Change, was_current};
use super::mask::{Field, chosen};
use super::{App, by_name};
use crate::store::entities::area;
use crate::store::{area_of, lock_area, lock_area_tree, roles_changed};

/// Areas one above the other, at most.
const MAX_DEPTH: usize = 16;

impl App {
    /// Returns one area.
    pub(crate) async fn get_area(&self, ctx: &Ctx, request: &pb::GetAreaRequest) -> Result<pb::Area> {
        let area = check::area("name", &request.name)?;
        self.access.authorise(ctx, &Target::area(&area))?;
        self.read_area(&area).await
    }

    async fn read_area(&self, area: &AreaId) -> Result<pb::Area> {
        let row = area_of(self.parts.store.reader(), area.as_str()).await?;
        row.map(proto).ok_or_else(|| Error::not_found(area.name()))
    }

    /// Lists areas by name.
    pub(crate) async fn list_areas(&self, ctx: &Ctx, r: &pb::ListAreasRequest) -> Result<pb::ListAreasResponse> {
        self.access.authorise(ctx, &Target::installation())?;
        by_name(&r.order_by)?;
        let page = PageRequest::parse(
            &self.parts.keyring,
            &ctx.method.path,
            &[&r.filter, &r.order_by],
            r.page_size,
            &r.page_token,
        )?;
        let fields = [
            filter::FilterField::new(
                "kind",
                filter::Kind::proto_enum("linli.org.v1.AreaKind"),
                Expr::col(area::Column::Kind),
            ),
            filter::FilterField::new("parent", filter::Kind::Ref(slug_value), Expr::col(area::Column::Parent)),
        ];
        let rows = area::Entity::find()
            .filter(filter::condition(&r.filter, &fields)?)
            .filter(page.condition(&[(Expr::col(area::Column::Area), Order::Asc)])?)
            .order_by_asc(area::Column::Area)
            .limit(page.limit())
            .all(self.parts.store.reader())
            .await?;
        let (rows, next_page_token) = page.cut(rows, |row| vec![KeyPart::Text(row.area.clone())]);
        Ok(pb::ListAreasResponse { areas: rows.into_iter().map(proto).collect(), next_page_token })
    }

    /// Changes or creates an area.
    pub(crate) async fn update_area(&self, ctx: &Arc<Ctx>, request: pb::UpdateAreaRequest) -> Result<pb::Area> {
        let wanted = request.area.clone().unwrap_or_default();
        let area = check::area("area.name", &wanted.name)?;
        self.roles.current(ctx).await?;
        let exists = area_of(self.parts.store.reader(), area.as_str()).await?.is_some();
        self.may_update(ctx, &area, exists, &wanted)?;
        let change = Change {
            ctx,
            area: &area,
            request_id: &request.request_id,
            hash: self.hash(ctx, &pb::UpdateAreaRequest { request_id: String::new(), ..request.clone() }),
            name: "org.update_area",
            validate_only: request.validate_only,
        };
        let (at, request) = (&area, &request);
        let done = self.change(change, |tx| {
            Box::pin(async move { Ok((at.name(), proto(self.write_area(tx, ctx, at, request).await?))) })
        });
        let done = done.await?;
        self.roles.refresh().await?;
        match done {
            Once::Done(area) => Ok(area),
            Once::Repeat(_) => self.read_area(&area).await,
        }
    }

    /// A new area is created by whoever runs the area above it, an old one changed by whoever runs it.
    fn may_update(&self, ctx: &Ctx, area: &AreaId, exists: bool, wanted: &pb::Area) -> Result<()> {
        let target = match (exists, AreaId::parse_name(&wanted.parent)) {
            (false, Ok(parent)) => Target::area(&parent),
            (false, Err(_)) => Target::installation(),
            (true, _) => Target::area(area),
        };
        self.access.authorise(ctx, &target).map(drop)
    }

    async fn write_area(
        &self,
        tx: &Tx<'_>,
        ctx: &Ctx,
        area: &AreaId,
        request: &pb::UpdateAreaRequest,
    ) -> Result<area::Model> {
        let wanted = request.area.clone().unwrap_or_default();
        lock_area(tx, area.as_str()).await?;
        lock_area_tree(tx).await?;
        let before = area_of(tx.conn(), area.as_str()).await?;
        // It may have been created since the first look.
        self.may_update(ctx, area, before.is_some(), &wanted)?;
        if before.is_none() && !request.allow_missing {
            return Err(Error::not_found(area.name()));
        }
        check::check_etag(&wanted.etag, before.as_ref().map_or(0, |row| row.revision), area.name())?;
        let mut bad = Violations::new();
        let fields = fields(&wanted);
        let mut paths = chosen(&mut bad, "area", request.update_mask.as_ref(), &fields);
        if before.is_none() {
            // What is created takes all of its fields from the message, whatever the mask says (AIP-134).
            paths = chosen(&mut Violations::new(), "area", None, &fields);
        }
        let merged = merge(&mut bad, area, before.as_ref(), &wanted, &paths, ctx);
        self.check_area(tx, &mut bad, &merged).await?;
        bad.finish()?;
        match before {
            Some(row) if same(&row, &merged) => return Ok(row),
            Some(row) => replace(tx, &row, &merged).await?,
            None => drop(merged.clone().into_active_model().insert(tx.conn()).await?),
        }
        roles_changed(tx).await?;
        tx.emit(event(ctx, area, &merged));
        Ok(merged)
    }

    async fn check_area(&self, tx: &Tx<'_>, bad: &mut Violations, row: &area::Model) -> Result<()> {
        let text = linli_proto::common::Text { zh_cn: row.zh_cn.clone(), en: row.en.clone() };
        bad.both("area.display_name", Some(&text), 100);
        bad.declared("area.kind", pb::AreaKind::try_from(row.kind), row.kind);
        let digits = row.division_code.bytes().all(|b| b.is_ascii_digit());
        let length = row.division_code.len();
        if !(digits && (length == 0 || (2..=12).contains(&length))) {
            bad.push(FieldViolation::new("area.division_code", "FIELD_FORMAT").arg("expected", "2 to 12 digits"));
        }
        if row.time_zone.parse::<chrono_tz::Tz>().is_err() {
            bad.push(
                FieldViolation::new("area.time_zone", "FIELD_FORMAT")
                    .arg("expected", "IANA time zone, such as Asia/Shanghai"),
            );
        }
        let mut at = row.parent.clone();
        let mut steps = 0;
        while !at.is_empty() {
            if at == row.area || steps > MAX_DEPTH {
                bad.bad("area.parent", "TREE_CYCLE");
                break;
            }
            match area_of(tx.conn(), &at).await? {
                Some(parent) => at = parent.parent,
                None => {
                    bad.push(FieldViolation::new("area.parent", "REFERENCE_NOT_FOUND").arg("value", area_name(&at)));
                    break;
                }
            }
            steps += 1;
        }
        Ok(())
    }
}

fn slug_value(text: &str) -> Option<sea_orm::Value> {
    AreaId::parse_name(text).ok().map(|a| a.as_str().into())
}

/// The event of an area's row.
pub(super) fn event(ctx: &Ctx, area: &AreaId, row: &area::Model) -> EventDraft {
    let (parent, time_zone) = (area_name(&row.parent), row.time_zone.clone());
    let payload = pb::AreaChanged { area: area.name(), parent, time_zone };
    App::event(ctx, "linli.org.v1.AreaChanged", area, &area.name(), row.revision, &payload)
}

fn area_name(slug: &str) -> String {
    if slug.is_empty() { String::new() } else { format!("areas/{slug}") }
}

fn fields(wanted: &pb::Area) -> [Field; 5] {
    [
        Field::free("display_name", wanted.display_name.is_some()),
        Field::free("kind", wanted.kind != 0),
        Field::free("parent", !wanted.parent.is_empty()),
        Field::free("division_code", !wanted.division_code.is_empty()),
        Field::free("time_zone", !wanted.time_zone.is_empty()),
    ]
}

fn merge(
    bad: &mut Violations,
    area: &AreaId,
    before: Option<&area::Model>,
    wanted: &pb::Area,
    paths: &[&str],
    ctx: &Ctx,
) -> area::Model {
    let now = ctx.now().micros();
    let mut row = before.cloned().unwrap_or_else(|| area::Model {
        area: area.as_str().to_owned(),
        parent: String::new(),
        kind: 0,
        zh_cn: String::new(),
        en: String::new(),
        division_code: String::new(),
        time_zone: String::new(),
        revision: 0,
        create_us: now,
        update_us: now,
    });
    for path in paths {
        match *path {
            "display_name" => {
                let text = wanted.display_name.clone().unwrap_or_default();
                (row.zh_cn, row.en) = (text.zh_cn, text.en);
            }
            "kind" => row.kind = wanted.kind,
            "parent" if wanted.parent.is_empty() => row.parent.clear(),
            "parent" => match AreaId::parse_name(&wanted.parent) {
                Ok(parent) => parent.as_str().clone_into(&mut row.parent),
                Err(e) => bad.push(FieldViolation::new("area.parent", "NAME_INVALID").arg("detail", e)),
            },
            "division_code" => row.division_code.clone_from(&wanted.division_code),
            _ => row.time_zone.clone_from(&wanted.time_zone),
        }
    }
    row.revision += 1;
    row.update_us = now;
    row
}

async fn replace(tx: &Tx<'_>, before: &area::Model, after: &area::Model) -> Result<()> {
    let after = after.clone();
    let done = area::Entity::update_many()
        .set(area::ActiveModel {
            parent: Set(after.parent),
            kind: Set(after.kind),
            zh_cn: Set(after.zh_cn),
            en: Set(after.en),
            division_code: Set(after.division_code),
            time_zone: Set(after.time_zone),
            revision: Set(after.revision),
            update_us: Set(after.update_us),
            ..Default::default()
        })
        .filter(area::Column::Area.eq(&before.area))
        .filter(area::Column::Revision.eq(before.revision))
        .exec(tx.conn())
        .await?;
    was_current(done.rows_affected, area_name(&before.area))
}

fn same(before: &area::Model, after: &area::Model) -> bool {
    let after = area::Model { revision: before.revision, update_us: before.update_us, ..after.clone() };
    *before == after
}

fn proto(row: area::Model) -> pb::Area {
    pb::Area {
        name: area_name(&row.area),
        display_name: Some(linli_proto::common::Text { zh_cn: row.zh_cn, en: row.en }),
        kind: row.kind,
        parent: area_name(&row.parent),
        division_code: row.division_code,
        time_zone: row.time_zone,
        etag: check::etag(row.revision),
        create_time: Some(check::timestamp_us(row.create_us)),
        update_time: Some(check::timestamp_us(row.update_us)),
    }
}
