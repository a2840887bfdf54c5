//! Areas: the administrative tree.

use std::sync::Arc;

use linli_access::Target;
use linli_kernel::AreaId;
use linli_kit::check::{self, Violations};
use linli_kit::idempotency::{Once, request_hash};
use linli_kit::page::{KeyPart, PageRequest};
use linli_kit::{Ctx, Error, ErrorCode, FieldViolation, Result, filter};
use linli_proto::org as pb;
use sea_orm::sea_query::Expr;
use sea_orm::{
    ActiveModelTrait as _, EntityTrait as _, IntoActiveModel as _, Order, QueryFilter as _, QueryOrder as _,
    QuerySelect as _,
};

use super::App;
use crate::store::entities::area;
use crate::store::{area_of, roles_changed};

/// Fields of an area that a write may change.
const PATHS: [&str; 5] = ["display_name", "kind", "parent", "division_code", "time_zone"];

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
        // A new area is created by whoever runs the area above it, an old one changed by whoever runs it.
        let existing = area_of(self.parts.store.reader(), area.as_str()).await?;
        let target = match (&existing, AreaId::parse_name(&wanted.parent)) {
            (None, Ok(parent)) => Target::area(&parent),
            (None, Err(_)) => Target::installation(),
            (Some(_), _) => Target::area(&area),
        };
        self.access.authorise(ctx, &target)?;
        let paths = mask(&request, existing.is_none())?;
        if existing.is_none() && !request.allow_missing {
            return Err(Error::not_found(area.name()));
        }
        let hash = request_hash(
            &self.parts.keyring,
            &ctx.method.path,
            &pb::UpdateAreaRequest { request_id: String::new(), ..request.clone() },
        );
        let done = self
            .parts
            .store
            .write_once(ctx, area.as_str(), &request.request_id, hash, "org.update_area", |tx| {
                let (area, wanted, paths, request) = (&area, &wanted, &paths, &request);
                Box::pin(async move {
                    let before = area_of(tx.conn(), area.as_str()).await?;
                    let merged = merge(area, before.as_ref(), wanted, paths, ctx)?;
                    self.check_area(tx, &merged).await?;
                    if let Some(row) = &before {
                        check::check_etag(&wanted.etag, row.revision, area.name())?;
                    }
                    let unchanged = before.as_ref().is_some_and(|row| same(row, &merged));
                    if request.validate_only || unchanged {
                        return Ok((area.name(), proto(before.filter(|_| unchanged).unwrap_or(merged))));
                    }
                    let active = merged.clone().into_active_model().reset_all();
                    if before.is_none() {
                        active.insert(tx.conn()).await?
                    } else {
                        active.update(tx.conn()).await?
                    };
                    roles_changed(tx).await?;
                    let payload = pb::AreaChanged {
                        area: area.name(),
                        parent: area_name(&merged.parent),
                        time_zone: merged.time_zone.clone(),
                    };
                    let kind = "linli.org.v1.AreaChanged";
                    tx.emit(Self::event(ctx, kind, area, &area.name(), merged.revision, &payload));
                    Ok((area.name(), proto(merged)))
                })
            })
            .await?;
        self.roles.refresh().await?;
        match done {
            Once::Done(area) => Ok(area),
            Once::Repeat(_) => self.read_area(&area).await,
        }
    }

    async fn check_area(&self, tx: &linli_kit::store::Tx<'_>, row: &area::Model) -> Result<()> {
        let mut bad = Violations::new();
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
            if at == row.area || steps > 16 {
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
        bad.finish()
    }
}

fn slug_value(text: &str) -> Option<sea_orm::Value> {
    AreaId::parse_name(text).ok().map(|a| a.as_str().into())
}

fn area_name(slug: &str) -> String {
    if slug.is_empty() { String::new() } else { format!("areas/{slug}") }
}

fn mask(request: &pb::UpdateAreaRequest, creating: bool) -> Result<Vec<String>> {
    let given = request.update_mask.as_ref().map(|m| m.paths.clone()).unwrap_or_default();
    if given.is_empty() || creating {
        return Ok(PATHS.map(str::to_owned).to_vec());
    }
    let mut bad = Violations::new();
    for path in &given {
        match path.as_str() {
            known if PATHS.contains(&known) => {}
            "name" | "etag" | "create_time" | "update_time" => {
                bad.bad(format!("update_mask.{path}"), "FIELD_OUTPUT_ONLY")
            }
            _ => bad.bad(format!("update_mask.{path}"), "FIELD_UNKNOWN"),
        }
    }
    bad.finish()?;
    Ok(given)
}

fn merge(
    area: &AreaId,
    before: Option<&area::Model>,
    wanted: &pb::Area,
    paths: &[String],
    ctx: &Ctx,
) -> Result<area::Model> {
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
    let has = |path: &str| paths.iter().any(|p| p == path);
    if has("display_name") {
        let text = wanted.display_name.clone().unwrap_or_default();
        (row.zh_cn, row.en) = (text.zh_cn, text.en);
    }
    if has("kind") {
        row.kind = wanted.kind;
    }
    if has("parent") {
        row.parent = match wanted.parent.as_str() {
            "" => String::new(),
            name => check::area("area.parent", name)?.as_str().to_owned(),
        };
    }
    if has("division_code") {
        row.division_code.clone_from(&wanted.division_code);
    }
    if has("time_zone") {
        row.time_zone.clone_from(&wanted.time_zone);
    }
    if before.is_some() && row.revision == i64::MAX {
        return Err(Error::new(ErrorCode::Internal, "INTERNAL"));
    }
    row.revision += 1;
    row.update_us = now;
    Ok(row)
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
