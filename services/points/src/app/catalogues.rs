//! Assets, card types and award bindings: what authors describe. Rewards have a stock and stand in their own file.

mod assets;
mod bindings;
mod card_types;

use std::future::Future;
use std::sync::Arc;

use linli_access::{Target, Within};
use linli_kernel::{AreaId, Name};
use linli_kit::catalogue::{Catalogue, Entry, Scope, Written};
use linli_kit::idempotency::Once;
use linli_kit::page::PageRequest;
use linli_kit::store::Tx;
use linli_kit::{Ctx, Error, ErrorCode, FieldViolation, Result, check};
use parking_lot::Mutex;

use super::pages::ListRequest;
use super::{App, still_referenced};

/// A catalogue resource of points: what it refers to, what is wrong with it, what uses it.
pub(crate) trait Resource: prost::Message + Default + Clone {
    /// What the request refers to, and whether it is there.
    type References: Send + Sync;

    /// Looks up what the request refers to and locks it, so that it stays until this resource is written.
    fn references(
        app: &App,
        tx: &Tx<'_>,
        area: &AreaId,
        asked: &Self,
    ) -> impl Future<Output = Result<Self::References>> + Send;

    /// Checks the merged message.
    fn validate(&self, references: &Self::References) -> Vec<FieldViolation>;

    /// Something that uses a resource of this kind, which the transaction has locked.
    fn used_by(app: &App, tx: &Tx<'_>, name: &Name) -> impl Future<Output = Result<Option<String>>> + Send;
}

/// A change as it was asked for.
pub(crate) struct Change<'a, M> {
    pub(crate) message: &'a M,
    pub(crate) mask: Option<&'a prost_types::FieldMask>,
    pub(crate) allow_missing: bool,
    pub(crate) validate_only: bool,
    pub(crate) request_id: &'a str,
    pub(crate) hash: [u8; 32],
}

impl App {
    /// Reads one resource of a catalogue.
    pub(crate) async fn catalogue_get<M>(
        &self,
        ctx: &Ctx,
        all: &Catalogue<M>,
        collection: &str,
        name: &str,
    ) -> Result<M>
    where
        M: prost::Message + Default,
    {
        let name = check::name("name", name, collection)?;
        self.access.authorise(ctx, &Target::area(name.area()))?;
        all.get(name.area().as_str(), name.id()).await
    }

    /// Reads a page of a catalogue. Its resources are about nobody: a caller sees those of an area or none.
    pub(crate) async fn catalogue_list<M>(
        &self,
        ctx: &Ctx,
        all: &Catalogue<M>,
        request: ListRequest<'_>,
    ) -> Result<(Vec<Entry<M>>, String)>
    where
        M: prost::Message + Default,
    {
        let area = check::list_parent(request.parent)?;
        let scope = self.access.scope(ctx, area.as_ref())?;
        let whole = scope.areas.iter().filter(|(_, within)| !matches!(within, Within::Person(_)));
        let areas: Vec<String> = whole.map(|(area, _)| area.clone()).collect();
        let query = [request.parent, request.filter, request.order_by];
        let page =
            PageRequest::parse(&self.parts.keyring, &ctx.method.path, &query, request.page_size, request.page_token)?;
        all.list(Scope::Areas(&areas), &page, request.filter, request.order_by).await
    }

    /// Creates a resource, once per request id.
    pub(crate) async fn catalogue_create<M>(
        &self,
        ctx: &Ctx,
        all: &Catalogue<M>,
        (area, id): (&AreaId, &str),
        (message, request_id, hash): (&M, &str, [u8; 32]),
    ) -> Result<M>
    where
        M: Resource,
    {
        let once = self.parts.store.write_once(ctx, area.as_str(), request_id, hash, "points.catalogue.create", |tx| {
            Box::pin(async move {
                let written = self.create_in(tx, ctx, all, (area, id), message).await?;
                Ok((all.name(area.as_str(), id), written.entry.resource))
            })
        });
        self.answer(all, once.await?).await
    }

    /// Changes a resource, once per request id.
    pub(crate) async fn catalogue_update<M>(
        &self,
        ctx: &Ctx,
        all: &Catalogue<M>,
        area: &AreaId,
        change: Change<'_, M>,
    ) -> Result<M>
    where
        M: Resource,
    {
        let (preview, change) = (Mutex::new(None), &change);
        let seen = &preview;
        let once = self.parts.store.write_once(
            ctx,
            area.as_str(),
            change.request_id,
            change.hash,
            "points.catalogue.update",
            |tx| {
                Box::pin(async move {
                    let written = self.update_in(tx, ctx, all, area, change).await?;
                    finish(change.validate_only, seen, &written.entry.resource)?;
                    Ok((all.name(area.as_str(), &written.entry.id), written.entry.resource))
                })
            },
        );
        let once = once.await;
        match preview.into_inner() {
            Some(preview) => Ok(preview),
            None => self.answer(all, once?).await,
        }
    }

    /// What was written, or on a repeat the resource as it is now.
    pub(crate) async fn answer<M>(&self, all: &Catalogue<M>, once: Once<M>) -> Result<M>
    where
        M: prost::Message + Default,
    {
        match once {
            Once::Done(resource) => Ok(resource),
            Once::Repeat(name) => {
                let mut parts = name.split('/').skip(1).step_by(2);
                all.get(parts.next().unwrap_or_default(), parts.next().unwrap_or_default()).await
            }
        }
    }

    /// Deletes a resource, once per request id, when nothing uses it.
    pub(crate) async fn catalogue_delete<M>(
        &self,
        ctx: &Ctx,
        all: &Catalogue<M>,
        name: &Name,
        (etag, request_id, hash): (&str, &str, [u8; 32]),
    ) -> Result<()>
    where
        M: Resource,
    {
        let area = name.area().as_str();
        let once = self.parts.store.write_once(ctx, area, request_id, hash, "points.catalogue.delete", |tx| {
            Box::pin(async move {
                self.delete_in(tx, all, name, etag).await?;
                Ok((name.to_string(), ()))
            })
        });
        once.await.map(|_| ())
    }

    /// Creates a resource inside a transaction.
    pub(crate) async fn create_in<M: Resource>(
        &self,
        tx: &Tx<'_>,
        ctx: &Ctx,
        all: &Catalogue<M>,
        (area, id): (&AreaId, &str),
        message: &M,
    ) -> Result<Written<M>> {
        let references = M::references(self, tx, area, message).await?;
        all.create(tx, ctx.now(), (area.as_str(), id), message, |merged| merged.validate(&references)).await
    }

    /// Applies a change inside a transaction.
    pub(crate) async fn update_in<M: Resource>(
        &self,
        tx: &Tx<'_>,
        ctx: &Ctx,
        all: &Catalogue<M>,
        area: &AreaId,
        change: &Change<'_, M>,
    ) -> Result<Written<M>> {
        let references = M::references(self, tx, area, change.message).await?;
        let validate = |merged: &M| merged.validate(&references);
        all.update(tx, ctx.now(), change.message, change.mask, change.allow_missing, validate).await
    }

    /// Deletes a resource inside a transaction, when nothing uses it.
    pub(crate) async fn delete_in<M: Resource>(
        &self,
        tx: &Tx<'_>,
        all: &Catalogue<M>,
        name: &Name,
        etag: &str,
    ) -> Result<()> {
        // First the row's lock: whoever writes something that refers to it has to have the lock as well.
        all.delete(tx, name.area().as_str(), name.id(), etag).await?;
        match M::used_by(self, tx, name).await? {
            Some(by) => Err(still_referenced(name, by)),
            None => Ok(()),
        }
    }

    /// Whether the area or one above it defines the asset; the nearest stays locked.
    pub(crate) async fn has_asset(&self, tx: &Tx<'_>, area: &AreaId, asset: &str) -> Result<bool> {
        for above in self.access.snapshot().ancestors(area.as_str()) {
            if self.assets.find_for_update(tx, &above, asset).await?.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The area and those below it.
    fn areas_below(&self, area: &AreaId) -> Vec<String> {
        let snapshot = self.access.snapshot();
        let below = snapshot.areas().filter(|below| *below != area.as_str() && snapshot.below(below, area.as_str()));
        std::iter::once(area.as_str()).chain(below).map(str::to_owned).collect()
    }

    /// The keyed hash of a request and the request id, cleared out of it.
    pub(crate) fn claim_of<R: prost::Message>(
        &self,
        ctx: &Arc<Ctx>,
        request: &mut R,
        id: fn(&mut R) -> &mut String,
    ) -> (String, [u8; 32]) {
        let request_id = std::mem::take(id(request));
        (request_id, self.hash(ctx, request))
    }
}

/// Ends a transaction that only shows what would be: keeps the resource, then refuses to commit.
pub(crate) fn finish<M: Clone>(validate_only: bool, preview: &Mutex<Option<M>>, resource: &M) -> Result<()> {
    if validate_only {
        *preview.lock() = Some(resource.clone());
        return Err(Error::new(ErrorCode::Aborted, "CONFLICT"));
    }
    Ok(())
}

/// The asset of a message is unknown.
pub(crate) fn asset_not_found(field: &str, asset: &str) -> FieldViolation {
    FieldViolation::new(field, "ASSET_NOT_FOUND").arg("asset", asset)
}
