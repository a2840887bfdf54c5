//! Plugin versions as callers see them.

use linli_access::Target;
use linli_kernel::{Lang, Text};
use linli_kit::page::{KeyPart, PageRequest};
use linli_kit::{Ctx, Error, Result, check, filter};
use linli_proto::rules as pb;
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait as _, EntityTrait as _, Order, QueryFilter as _, QueryOrder as _, QuerySelect as _};

use super::App;
use crate::domain::version::{Both, KeptManifest, PluginVersionId};
use crate::store::entities::version;
use crate::store::{VersionRow, version_of};

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

/// A version in a reader's language.
pub(super) fn proto(row: &VersionRow, lang: Lang) -> Result<pb::PluginVersion> {
    let problems = row.problems()?.into_iter().map(|problem| pb::PluginProblem {
        message: read(&problem.text, lang),
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
    })
}

fn manifest(kept: KeptManifest, lang: Lang) -> pb::PluginManifest {
    let settings = kept.settings.into_iter().map(|decl| pb::SettingDecl {
        label: read(&decl.label, lang),
        help: read(&decl.help, lang),
        key: decl.key,
        r#type: decl.kind,
    });
    pb::PluginManifest {
        title: read(&kept.title, lang),
        summary: read(&kept.summary, lang),
        settings: settings.collect(),
        facts: kept.facts,
    }
}

fn read(text: &Both, lang: Lang) -> String {
    Text::new(text.zh_cn.as_str(), text.en.as_str()).get(lang).to_owned()
}
