//! Plugins: a name for what its versions have in common.

use std::sync::Arc;

use linli_access::Target;
use linli_kit::check::{self, Violations};
use linli_kit::{Ctx, Error, ErrorCode, FieldViolation, Result};
use linli_proto::rules as pb;

use super::App;
use super::catalogues::{Change, Creation};
use crate::store;

fn check_plugin(message: &pb::Plugin) -> Vec<FieldViolation> {
    let mut bad = Violations::new();
    // A missing name is found by the catalogue already.
    if message.display_name.is_some() {
        bad.both("display_name", message.display_name.as_ref(), 100);
    }
    bad.into_vec()
}

impl App {
    /// Returns one plugin.
    pub(crate) async fn get_plugin(&self, ctx: &Ctx, request: &pb::GetPluginRequest) -> Result<pb::Plugin> {
        let name = check::name("name", &request.name, "plugins")?;
        self.access.authorise(ctx, &Target::area(name.area()))?;
        self.plugins.get(name.area().as_str(), name.id()).await
    }

    /// Lists plugins.
    pub(crate) async fn list_plugins(&self, ctx: &Ctx, r: &pb::ListPluginsRequest) -> Result<pb::ListPluginsResponse> {
        let (query, paging) = ((&*r.parent, &*r.filter, &*r.order_by), (r.page_size, &*r.page_token));
        let (plugins, next_page_token) = self.list_catalogue(ctx, &self.plugins, query, paging).await?;
        Ok(pb::ListPluginsResponse { plugins, next_page_token })
    }

    /// Creates a plugin.
    pub(crate) async fn create_plugin(&self, ctx: &Arc<Ctx>, r: pb::CreatePluginRequest) -> Result<pb::Plugin> {
        let hash = self.hash(ctx, &pb::CreatePluginRequest { request_id: String::new(), ..r.clone() });
        let creation = Creation {
            parent: &r.parent,
            id: &r.plugin_id,
            wanted: r.plugin.clone().unwrap_or_default(),
            request_id: &r.request_id,
            hash,
        };
        self.create_resource(ctx, &self.plugins, "rules.create_plugin", creation, check_plugin).await
    }

    /// Changes a plugin; with `allow_missing` creates it.
    pub(crate) async fn update_plugin(&self, ctx: &Arc<Ctx>, r: pb::UpdatePluginRequest) -> Result<pb::Plugin> {
        let hash = self.hash(ctx, &pb::UpdatePluginRequest { request_id: String::new(), ..r.clone() });
        let wanted = r.plugin.clone().unwrap_or_default();
        let change = Change {
            name: check::name("plugin.name", &wanted.name, "plugins")?,
            wanted,
            mask: r.update_mask.as_ref(),
            allow_missing: r.allow_missing,
            validate_only: r.validate_only,
            request_id: &r.request_id,
            hash,
        };
        self.update_resource(ctx, &self.plugins, "rules.update_plugin", change, check_plugin).await
    }

    /// Deletes a plugin that has no versions.
    pub(crate) async fn delete_plugin(&self, ctx: &Arc<Ctx>, r: pb::DeletePluginRequest) -> Result<()> {
        let name = check::name("name", &r.name, "plugins")?;
        self.access.authorise(ctx, &Target::area(name.area()))?;
        let hash = self.hash(ctx, &pb::DeletePluginRequest { request_id: String::new(), ..r.clone() });
        self.parts
            .store
            .write_once(ctx, name.area().as_str(), &r.request_id, hash, "rules.delete_plugin", |tx| {
                let (name, etag) = (&name, r.etag.as_str());
                Box::pin(async move {
                    let area = name.area().as_str();
                    // Deleting first takes the row's lock, which an upload takes too.
                    self.plugins.delete(tx, area, name.id(), etag).await?;
                    let full = name.to_string();
                    if let Some(version) = store::any_version(tx.conn(), area, &full).await? {
                        return Err(Error::new(ErrorCode::FailedPrecondition, "STILL_REFERENCED")
                            .with("resource", full)
                            .with("by", version.name()));
                    }
                    Ok((full, ()))
                })
            })
            .await?;
        Ok(())
    }
}
