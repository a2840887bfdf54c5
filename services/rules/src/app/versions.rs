//! Plugin versions as callers see them.

use std::sync::Arc;

use linli_access::Target;
use linli_kernel::Lang;
use linli_kit::page::{KeyPart, PageRequest};
use linli_kit::store::Tx;
use linli_kit::{Ctx, Error, ErrorCode, Result, check, filter};
use linli_proto::rules as pb;
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait as _, EntityTrait as _, Order, QueryFilter as _, QueryOrder as _, QuerySelect as _};

use super::App;
use crate::domain::version::{KeptManifest, PluginVersionId};
use crate::store::entities::version;
use crate::store::{self, VersionRow, version_of};

impl App {
    /// Returns one plugin version.
    pub(crate) async fn get_plugin_version(
        &self,
        ctx: &Ctx,
        request: &pb::GetPluginVersionRequest,
    ) -> Result<pb::PluginVersion> {
        let (area, id) = check::recorded::<PluginVersionId>("name", &request.name, "pluginVersions")?;
        self.access.authorise(ctx, &Target::area(&area))?;
        let row = version_of(self.parts.store.reader(), &area, id).await?;
        proto(&row.ok_or_else(|| Error::not_found(&request.name))?, ctx.lang)
    }

    /// Lists plugin versions by name.
    pub(crate) async fn list_plugin_versions(
        &self,
        ctx: &Ctx,
        r: &pb::ListPluginVersionsRequest,
    ) -> Result<pb::ListPluginVersionsResponse> {
        let areas = self.listed_areas(ctx, &r.parent)?;
        let query = [r.parent.as_str(), &r.filter, &r.order_by];
        let page = PageRequest::parse(&self.parts.keyring, &ctx.method.path, &query, r.page_size, &r.page_token)?;
        let by_name = filter::OrderField::new("name", Expr::col(version::Column::Id));
        let downwards = filter::order_by(&r.order_by, &[by_name])?.iter().any(|(_, order)| *order == Order::Desc);
        let order = if downwards { Order::Desc } else { Order::Asc };
        let state = filter::Kind::proto_enum("linli.rules.v1.PluginVersionState");
        let fields = [
            filter::FilterField::new("plugin", filter::Kind::Text, Expr::col(version::Column::Plugin)),
            filter::FilterField::new("state", state, Expr::col(version::Column::State)),
            filter::FilterField::new("digest", filter::Kind::Text, Expr::col(version::Column::Digest)),
        ];
        let keys = [(Expr::col(version::Column::Area), order.clone()), (Expr::col(version::Column::Id), order.clone())];
        let rows = version::Entity::find()
            .filter(version::Column::Area.is_in(areas))
            .filter(filter::condition(&r.filter, &fields)?)
            .filter(page.condition(&keys)?)
            .order_by(version::Column::Area, order.clone())
            .order_by(version::Column::Id, order)
            .limit(page.limit())
            .all(self.parts.store.reader())
            .await?;
        let (rows, next_page_token) = page.cut(rows, |row| vec![KeyPart::Text(row.area.clone()), KeyPart::Id(row.id)]);
        let plugin_versions = rows.iter().map(|row| proto(row, ctx.lang)).collect::<Result<_>>()?;
        Ok(pb::ListPluginVersionsResponse { plugin_versions, next_page_token })
    }
}

impl App {
    /// Deletes a version that no binding names, here or below.
    pub(crate) async fn delete_plugin_version(&self, ctx: &Arc<Ctx>, r: pb::DeletePluginVersionRequest) -> Result<()> {
        let (area, id) = check::recorded::<PluginVersionId>("name", &r.name, "pluginVersions")?;
        self.access.authorise(ctx, &Target::area(&area))?;
        let hash = self.hash(ctx, &pb::DeletePluginVersionRequest { request_id: String::new(), ..r.clone() });
        // Whoever may bind it: a version counts in its own area and below.
        let snapshot = self.access.snapshot();
        let below: Vec<String> =
            snapshot.areas().filter(|slug| snapshot.below(slug, area.as_str())).map(str::to_owned).collect();
        self.parts
            .store
            .write_once(ctx, area.as_str(), &r.request_id, hash, "rules.delete_plugin_version", |tx| {
                let (area, below, name) = (&area, &below, r.name.as_str());
                Box::pin(async move {
                    store::lock_area(tx, area.as_str()).await?;
                    let row = store::lock_version(tx, area, id).await?.ok_or_else(|| Error::not_found(name))?;
                    if let Some(by) = still_named(tx, below, name).await? {
                        return Err(Error::new(ErrorCode::FailedPrecondition, "STILL_REFERENCED")
                            .with("resource", name)
                            .with("by", by));
                    }
                    for slug in below {
                        let bindings = self.bindings.all(tx.conn(), slug).await?;
                        if let Some(by) = bindings.iter().find(|entry| entry.resource.plugin_version == name) {
                            return Err(Error::new(ErrorCode::FailedPrecondition, "STILL_REFERENCED")
                                .with("resource", name)
                                .with("by", &by.resource.name));
                        }
                    }
                    store::delete_version(tx, &row).await?;
                    Ok((name.to_owned(), ()))
                })
            })
            .await?;
        Ok(())
    }
}

/// The change that may still bring a version into force: an open one, or one that can be rolled back to it.
async fn still_named(tx: &Tx<'_>, areas: &[String], version: &str) -> Result<Option<String>> {
    for row in store::changes::living(tx.conn(), areas).await? {
        let names = |binding: pb::RuleBinding| binding.plugin_version == version;
        let gone = row.wanted()?.hook.is_empty();
        let undone = row.is_undoable && !gone && row.previous()?.is_some_and(names);
        if undone || (row.is_open() && names(row.wanted()?)) {
            return Ok(Some(row.name()));
        }
    }
    Ok(None)
}

/// A version in a reader's language.
pub(super) fn proto(row: &VersionRow, lang: Lang) -> Result<pb::PluginVersion> {
    let problems = row.problems()?.into_iter().map(|problem| pb::PluginProblem {
        message: problem.text.read(lang),
        code: problem.code,
        location: problem.location,
    });
    Ok(pb::PluginVersion {
        name: row.name(),
        plugin: row.plugin.clone(),
        digest: row.digest.clone(),
        size_bytes: row.size_bytes,
        state: row.state,
        problems: problems.collect(),
        hooks: row.hooks()?,
        manifest: row.manifest()?.map(|kept| manifest(kept, lang)),
        create_time: Some(check::timestamp_us(row.create_us)),
        form: row.form,
        author: row.author.clone(),
        author_key: row.author_key.clone(),
        peak_fuel_percent: row.peak_fuel,
        quarantine: row.quarantine()?.map(|kept| pb::Quarantine {
            time: Some(check::timestamp_us(kept.since_us)),
            fault: kept.fault,
            faults: kept.faults,
        }),
    })
}

fn manifest(kept: KeptManifest, lang: Lang) -> pb::PluginManifest {
    let settings = kept.settings.into_iter().map(|decl| pb::SettingDecl {
        label: decl.label.read(lang),
        help: decl.help.read(lang),
        key: decl.key,
        r#type: decl.kind,
    });
    pb::PluginManifest {
        title: kept.title.read(lang),
        summary: kept.summary.read(lang),
        settings: settings.collect(),
        facts: kept.facts,
    }
}
