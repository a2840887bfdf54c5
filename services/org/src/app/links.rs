//! Links between units: ties outside the trees.

use std::sync::Arc;

use linli_access::Target;
use linli_kit::check::{self, Violations};
use linli_kit::store::Tx;
use linli_kit::{Ctx, FieldViolation, Result};
use linli_proto::org as pb;

use super::App;
use super::change::Change;
use super::structure::done_or_read;
use crate::store::{lock_area, unit_of};

impl App {
    /// Returns one link.
    pub(crate) async fn get_unit_link(&self, ctx: &Ctx, request: &pb::GetUnitLinkRequest) -> Result<pb::UnitLink> {
        let name = check::name("name", &request.name, "unitLinks")?;
        self.access.authorise(ctx, &Target::area(name.area()))?;
        self.links.get(name.area().as_str(), name.id()).await
    }

    /// Lists links.
    pub(crate) async fn list_unit_links(
        &self,
        ctx: &Ctx,
        r: &pb::ListUnitLinksRequest,
    ) -> Result<pb::ListUnitLinksResponse> {
        let paging = (r.page_size, r.page_token.as_str());
        let (unit_links, next_page_token) =
            self.list_catalogue(ctx, &self.links, &r.parent, &r.filter, &r.order_by, paging).await?;
        Ok(pb::ListUnitLinksResponse { unit_links, next_page_token })
    }

    /// Both ends of a link that are set must be units of the link's area; the area is locked.
    async fn check_link(&self, tx: &Tx<'_>, area: &linli_kernel::AreaId, link: &pb::UnitLink) -> Result<()> {
        let mut bad = Violations::new();
        for (end, value) in [("from_unit", &link.from_unit), ("to_unit", &link.to_unit)] {
            let at = format!("unit_link.{end}");
            if let Some(name) = bad.optional_name_in(&at, value, "units", area)
                && unit_of(tx.conn(), area.as_str(), name.id()).await?.is_none()
            {
                bad.push(FieldViolation::new(at, "REFERENCE_NOT_FOUND").arg("value", value));
            }
        }
        bad.finish()
    }

    /// Creates unit link.
    pub(crate) async fn create_unit_link(&self, ctx: &Arc<Ctx>, r: pb::CreateUnitLinkRequest) -> Result<pb::UnitLink> {
        let area = check::area("parent", &r.parent)?;
        self.roles.current(ctx).await?;
        self.access.authorise(ctx, &Target::area(&area))?;
        self.must_be_area(&area).await?;
        let wanted = r.unit_link.clone().unwrap_or_default();
        let change = Change {
            ctx,
            area: &area,
            request_id: &r.request_id,
            hash: self.hash(ctx, &pb::CreateUnitLinkRequest { request_id: String::new(), ..r.clone() }),
            name: "org.create_unit_link",
            validate_only: false,
        };
        let (key, wanted, of) = ((area.as_str(), r.unit_link_id.as_str()), &wanted, &area);
        let done = self.change(change, |tx| {
            Box::pin(async move {
                lock_area(tx, of.as_str()).await?;
                let made = self.links.create(tx, ctx.now(), key, wanted, check_kind).await?.entry;
                self.check_link(tx, of, &made.resource).await?;
                Ok((made.resource.name.clone(), made.resource))
            })
        });
        done_or_read(&self.links, done.await?).await
    }

    /// Changes unit link; with `allow_missing` creates it.
    pub(crate) async fn update_unit_link(&self, ctx: &Arc<Ctx>, r: pb::UpdateUnitLinkRequest) -> Result<pb::UnitLink> {
        let wanted = r.unit_link.clone().unwrap_or_default();
        let name = check::name("unit_link.name", &wanted.name, "unitLinks")?;
        let area = name.area();
        self.roles.current(ctx).await?;
        self.access.authorise(ctx, &Target::area(area))?;
        self.must_be_area(area).await?;
        let change = Change {
            ctx,
            area,
            request_id: &r.request_id,
            hash: self.hash(ctx, &pb::UpdateUnitLinkRequest { request_id: String::new(), ..r.clone() }),
            name: "org.update_unit_link",
            validate_only: r.validate_only,
        };
        let (r, wanted) = (&r, &wanted);
        let done = self.change(change, |tx| {
            Box::pin(async move {
                lock_area(tx, area.as_str()).await?;
                let (mask, missing) = (r.update_mask.as_ref(), r.allow_missing);
                let written = self.links.update(tx, ctx.now(), wanted, mask, missing, check_kind).await?.entry;
                self.check_link(tx, area, &written.resource).await?;
                Ok((written.resource.name.clone(), written.resource))
            })
        });
        done_or_read(&self.links, done.await?).await
    }

    /// Deletes unit link.
    pub(crate) async fn delete_unit_link(&self, ctx: &Arc<Ctx>, r: pb::DeleteUnitLinkRequest) -> Result<()> {
        let name = check::name("name", &r.name, "unitLinks")?;
        let area = name.area();
        self.roles.current(ctx).await?;
        self.access.authorise(ctx, &Target::area(area))?;
        let hash = self.hash(ctx, &pb::DeleteUnitLinkRequest { request_id: String::new(), ..r.clone() });
        let store = &self.parts.store;
        store
            .write_once(ctx, area.as_str(), &r.request_id, hash, "org.delete_unit_link", |tx| {
                let (name, etag) = (&name, r.etag.as_str());
                Box::pin(async move {
                    self.links.delete(tx, name.area().as_str(), name.id(), etag).await?;
                    Ok((name.to_string(), ()))
                })
            })
            .await?;
        Ok(())
    }
}

fn check_kind(link: &pb::UnitLink) -> Vec<FieldViolation> {
    let mut bad = Violations::new();
    bad.code("kind", &link.kind);
    bad.into_vec()
}
