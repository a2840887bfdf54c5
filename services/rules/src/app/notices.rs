//! What authors are told about their versions, and the release of a quarantined one.

use std::sync::Arc;

use linli_access::Target;
use linli_kernel::{Id as _, Lang};
use linli_kit::idempotency::Once;
use linli_kit::ids::new_v7;
use linli_kit::page::{KeyPart, PageRequest};
use linli_kit::store::{EventDraft, Tx};
use linli_kit::{Ctx, Error, ErrorCode, Result, check, filter};
use linli_proto::common::{Reason, Text};
use linli_proto::rules as pb;
use sea_orm::sea_query::Expr;
use sea_orm::{
    ActiveModelTrait as _, ColumnTrait as _, EntityTrait as _, IntoActiveModel as _, Order, QueryFilter as _,
    QueryOrder as _, QuerySelect as _,
};

use super::{App, versions};
use crate::domain::version::{PluginNoticeId, PluginVersionId, State};
use crate::store::entities::notice;
use crate::store::{self, VersionRow};

/// Who may read the notices of everybody's versions.
const RELEASE: &str = "rules.pluginVersions.release";
const MAX_NOTE: usize = 500;

/// What happened to a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Notice {
    /// It gave too many faults.
    Quarantined,
    /// It may be asked again.
    Released,
}

impl Notice {
    fn code(self) -> &'static str {
        match self {
            Self::Quarantined => "quarantined",
            Self::Released => "released",
        }
    }

    fn text(code: &str) -> &'static str {
        if code == "released" { "NOTICE_RELEASED" } else { "NOTICE_QUARANTINED" }
    }
}

/// Tells the author of a version what happened to it. `args`: what the text of the notice wants, in its order.
pub(super) async fn tell(ctx: &Ctx, tx: &Tx<'_>, row: &VersionRow, what: Notice, args: &[String]) -> Result<()> {
    let kept = notice::Model {
        area: row.area.clone(),
        id: new_v7::<PluginNoticeId>(ctx.now()).uuid(),
        plugin_version: row.name(),
        author: row.author.clone(),
        code: what.code().to_owned(),
        args: serde_json::to_string(args).map_err(Error::internal)?,
        create_us: ctx.now().micros(),
    };
    kept.into_active_model().reset_all().insert(tx.conn()).await?;
    Ok(())
}

impl App {
    /// Lists notices, newest first.
    pub(crate) async fn list_plugin_notices(
        &self,
        ctx: &Ctx,
        r: &pb::ListPluginNoticesRequest,
    ) -> Result<pb::ListPluginNoticesResponse> {
        use notice::Column;
        let area = check::area("parent", &r.parent)?;
        let target = Target::area(&area);
        let permit = self.access.authorise(ctx, &target)?;
        let query = [r.parent.as_str(), &r.filter, &r.order_by];
        let page = PageRequest::parse(&self.parts.keyring, &ctx.method.path, &query, r.page_size, &r.page_token)?;
        filter::order_by(&r.order_by, &[])?;
        let fields = [filter::FilterField::new("plugin_version", filter::Kind::Text, Expr::col(Column::PluginVersion))];
        let mut rows = notice::Entity::find()
            .filter(Column::Area.eq(area.as_str()))
            .filter(filter::condition(&r.filter, &fields)?)
            .filter(page.condition(&[(Expr::col(Column::Id), Order::Desc)])?);
        if self.access.authorise_as(ctx, RELEASE, &target).is_err() {
            rows = rows.filter(Column::Author.eq(permit.subject()));
        }
        let rows = rows.order_by_desc(Column::Id).limit(page.limit()).all(self.parts.store.reader()).await?;
        let (rows, next_page_token) = page.cut(rows, |row| vec![KeyPart::Id(row.id)]);
        let plugin_notices = rows.iter().map(|row| self.notice(row, ctx.lang)).collect::<Result<_>>()?;
        Ok(pb::ListPluginNoticesResponse { plugin_notices, next_page_token })
    }

    fn notice(&self, row: &notice::Model, lang: Lang) -> Result<pb::PluginNotice> {
        let args: Vec<String> = serde_json::from_str(&row.args).map_err(Error::internal)?;
        let named: Vec<(&'static str, String)> = ["first", "second"].into_iter().zip(args.iter().cloned()).collect();
        let said = |lang| self.parts.kit.texts.render(lang, Notice::text(&row.code), &named);
        Ok(pb::PluginNotice {
            name: format!("areas/{}/pluginNotices/{}", row.area, PluginNoticeId::from_uuid(row.id)),
            plugin_version: row.plugin_version.clone(),
            author: row.author.clone(),
            reason: Some(Reason {
                code: row.code.clone(),
                args: args.clone(),
                message: said(lang),
                text: Some(Text { zh_cn: said(Lang::ZhCn), en: said(Lang::En) }),
            }),
            create_time: Some(check::timestamp_us(row.create_us)),
        })
    }

    /// Lets a quarantined version be asked again.
    pub(crate) async fn release_plugin_version(
        &self,
        ctx: &Arc<Ctx>,
        r: pb::ReleasePluginVersionRequest,
    ) -> Result<pb::PluginVersion> {
        let (area, id) = check::recorded::<PluginVersionId>("name", &r.name, "pluginVersions")?;
        self.access.authorise(ctx, &Target::area(&area))?;
        let mut bad = check::Violations::new();
        bad.text("note", &r.note, MAX_NOTE);
        bad.finish()?;
        let hash = self.hash(ctx, &pb::ReleasePluginVersionRequest { request_id: String::new(), ..r.clone() });
        let done = self
            .parts
            .store
            .write_once(ctx, area.as_str(), &r.request_id, hash, "rules.release_plugin_version", |tx| {
                let (area, r) = (&area, &r);
                Box::pin(async move {
                    let row = store::lock_version(tx, area, id).await?;
                    let mut row = row.ok_or_else(|| Error::not_found(&r.name))?;
                    if row.state() != State::Quarantined {
                        let refused = Error::new(ErrorCode::FailedPrecondition, "VERSION_NOT_QUARANTINED");
                        return Err(refused.with("version", &r.name));
                    }
                    store::faults::forget(tx, &row).await?;
                    row.state = State::Valid.number();
                    row.quarantine = String::new();
                    (row.revision, row.update_us) = (row.revision + 1, ctx.now().micros());
                    store::update_version(tx, &row).await?;
                    tell(ctx, tx, &row, Notice::Released, std::slice::from_ref(&r.note)).await?;
                    tx.emit(changed(ctx, &row));
                    Ok((row.name(), row))
                })
            })
            .await?;
        self.in_force.changed();
        let row = match done {
            Once::Done(row) => row,
            Once::Repeat(name) => {
                let row = store::version_of(self.parts.store.reader(), &area, id).await?;
                row.ok_or_else(|| Error::not_found(name))?
            }
        };
        versions::proto(&row, ctx.lang)
    }
}

/// The event that a version came to another state.
pub(super) fn changed(ctx: &Ctx, row: &VersionRow) -> EventDraft {
    let payload = pb::PluginVersionChanged { plugin_version: row.name(), plugin: row.plugin.clone(), state: row.state };
    EventDraft::new(ctx, "linli.rules.v1.PluginVersionChanged", &row.area, row.name(), row.revision, &payload)
}
