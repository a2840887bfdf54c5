//! The five standard methods of catalogue resources, once for all four.

use std::sync::Arc;

use async_trait::async_trait;
use linli_access::{Scope, Target, Within};
use linli_kernel::{AreaId, Name};
use linli_kit::catalogue::{Catalogue, Entry, Scope as Areas, Written};
use linli_kit::idempotency::{Once, request_hash};
use linli_kit::page::PageRequest;
use linli_kit::store::Tx;
use linli_kit::{Ctx, Error, ErrorCode, FieldViolation, Result, check};
use parking_lot::Mutex;

use super::App;

/// A catalogue resource of booking.
#[async_trait]
pub(crate) trait Managed: prost::Message + Default + Clone + 'static {
    /// Its collection.
    const COLLECTION: &'static str;

    /// Where it is kept.
    fn catalogue(app: &App) -> &Catalogue<Self>;

    /// Its name.
    fn resource_name(&self) -> &str;

    /// What is wrong with it, as far as the message itself tells.
    fn violations(&self, app: &App, area: &AreaId) -> Vec<FieldViolation>;

    /// What else must hold or happen once it is written, in the same transaction.
    async fn written(app: &App, tx: &Tx<'_>, ctx: &Ctx, written: &Written<Self>) -> Result<()>;

    /// What must hold or happen when it is deleted, in the same transaction.
    async fn deleted(app: &App, tx: &Tx<'_>, ctx: &Ctx, entry: &Entry<Self>) -> Result<()>;
}

/// A change of a resource, as the requests of the four collections carry it.
pub(crate) struct Update<M> {
    pub(crate) resource: M,
    pub(crate) mask: Option<prost_types::FieldMask>,
    pub(crate) allow_missing: bool,
    pub(crate) request_id: String,
    pub(crate) validate_only: bool,
    pub(crate) hash: [u8; 32],
}

/// A request for a page.
pub(crate) struct Listing {
    pub(crate) parent: String,
    pub(crate) page_size: i32,
    pub(crate) page_token: String,
    pub(crate) filter: String,
    pub(crate) order_by: String,
}

impl App {
    /// The hash of a request without its id.
    pub(crate) fn hash(&self, ctx: &Ctx, request: &impl prost::Message) -> [u8; 32] {
        request_hash(self.keyring(), &ctx.method.path, request)
    }

    /// Areas whose offerings, and what belongs to them, the caller may read: as a resident also those of a named area that
    /// serves the resident's own.
    pub(super) async fn readable(&self, ctx: &Ctx, area: Option<&AreaId>) -> Result<Scope> {
        let denied = match (self.access.scope(ctx, area), area) {
            (Err(denied), Some(area)) => (denied, area),
            (scope, _) => return scope,
        };
        let (denied, area) = denied;
        let home = ctx.caller.subject().and_then(|subject| Name::parse(subject, "people").ok());
        let Some(home) = home.map(|name| name.area().clone()) else { return Err(denied) };
        if self.access.authorise(ctx, &Target::area(&home)).is_err() {
            return Err(denied);
        }
        let offerings = self.offerings.all(self.store().reader(), area.as_str()).await?;
        let served = offerings.iter().any(|entry| entry.resource.service_areas.contains(&home.name()));
        if served { Ok(Scope { areas: vec![(area.as_str().to_owned(), Within::All)] }) } else { Err(denied) }
    }

    pub(crate) async fn get_managed<M: Managed>(&self, ctx: &Ctx, name: &str) -> Result<M> {
        let name = check::name("name", name, M::COLLECTION)?;
        self.readable(ctx, Some(name.area())).await?;
        M::catalogue(self).get(name.area().as_str(), name.id()).await
    }

    pub(crate) async fn list_managed<M: Managed>(&self, ctx: &Ctx, ask: &Listing) -> Result<(Vec<M>, String)> {
        let area = check::list_parent(&ask.parent)?;
        let areas = self.readable(ctx, area.as_ref()).await?.slugs();
        let query = [ask.parent.as_str(), ask.filter.as_str(), ask.order_by.as_str()];
        let page = PageRequest::parse(self.keyring(), &ctx.method.path, &query, ask.page_size, &ask.page_token)?;
        let list = M::catalogue(self).list(Areas::Areas(&areas), &page, &ask.filter, &ask.order_by).await?;
        Ok((list.0.into_iter().map(|entry| entry.resource).collect(), list.1))
    }

    pub(crate) async fn create_managed<M: Managed>(
        &self,
        ctx: &Arc<Ctx>,
        (parent, id): (&str, &str),
        resource: Option<M>,
        (request_id, hash): (&str, [u8; 32]),
    ) -> Result<M> {
        let area = check::area("parent", parent)?;
        self.access.authorise(ctx, &Target::area(&area))?;
        let resource = resource.unwrap_or_default();
        let (area, resource, ctx) = (&area, &resource, &**ctx);
        let once = self.store().write_once(ctx, area.as_str(), request_id, hash, "booking.catalogue.create", |tx| {
            Box::pin(async move {
                let validate = |merged: &M| merged.violations(self, area);
                let catalogue = M::catalogue(self);
                let written = catalogue.create(tx, ctx.now(), (area.as_str(), id), resource, validate).await?;
                M::written(self, tx, ctx, &written).await?;
                let resource = written.entry.resource;
                Ok((resource.resource_name().to_owned(), resource))
            })
        });
        self.once(once.await?).await
    }

    pub(crate) async fn update_managed<M: Managed>(&self, ctx: &Arc<Ctx>, update: &Update<M>) -> Result<M> {
        let field = "name";
        let name = check::name(field, update.resource.resource_name(), M::COLLECTION)?;
        self.access.authorise(ctx, &Target::area(name.area()))?;
        let (area, ctx) = (name.area(), &**ctx);
        let planned: Mutex<Option<M>> = Mutex::new(None);
        let planned = &planned;
        let request_id = if update.validate_only { "" } else { update.request_id.as_str() };
        let once =
            self.store().write_once(ctx, area.as_str(), request_id, update.hash, "booking.catalogue.update", |tx| {
                Box::pin(async move {
                    let validate = |merged: &M| merged.violations(self, area);
                    let catalogue = M::catalogue(self);
                    let (mask, missing) = (update.mask.as_ref(), update.allow_missing);
                    let written = catalogue.update(tx, ctx.now(), &update.resource, mask, missing, validate).await?;
                    M::written(self, tx, ctx, &written).await?;
                    let resource = written.entry.resource;
                    if update.validate_only {
                        *planned.lock() = Some(resource);
                        return Err(Error::new(ErrorCode::FailedPrecondition, "VALIDATE_ONLY"));
                    }
                    Ok((resource.resource_name().to_owned(), resource))
                })
            });
        let once = once.await;
        if let (Err(_), Some(resource)) = (&once, planned.lock().take()) {
            return Ok(resource);
        }
        self.once(once?).await
    }

    pub(crate) async fn delete_managed<M: Managed>(
        &self,
        ctx: &Arc<Ctx>,
        (name, etag): (&str, &str),
        (request_id, hash): (&str, [u8; 32]),
    ) -> Result<()> {
        let name = check::name("name", name, M::COLLECTION)?;
        self.access.authorise(ctx, &Target::area(name.area()))?;
        let (name, ctx) = (&name, &**ctx);
        let area = name.area().as_str();
        let deleting = self.store().write_once(ctx, area, request_id, hash, "booking.catalogue.delete", |tx| {
            Box::pin(async move {
                let entry = M::catalogue(self).delete(tx, area, name.id(), etag).await?;
                M::deleted(self, tx, ctx, &entry).await?;
                Ok((name.to_string(), ()))
            })
        });
        deleting.await.map(|_| ())
    }

    /// What was written, or the resource of an earlier request as it is now.
    async fn once<M: Managed>(&self, once: Once<M>) -> Result<M> {
        match once {
            Once::Done(resource) => Ok(resource),
            Once::Repeat(name) => {
                let (area, id) = super::split(&name);
                M::catalogue(self).get(area, id).await
            }
        }
    }
}
