//! What the two catalogues share: lists, answers to repeats, writes that only validate.

use std::sync::Arc;

use linli_access::{Target, Within};
use linli_kernel::Name;
use linli_kit::catalogue::{Catalogue, Scope, Written};
use linli_kit::idempotency::Once;
use linli_kit::page::PageRequest;
use linli_kit::store::EventDraft;
use linli_kit::{Ctx, Error, FieldViolation, Result, check};

use super::{App, keys};

/// A write that only validates: the transaction is rolled back by an error that carries the answer.
#[derive(Debug)]
pub(super) struct ValidatedOnly(Vec<u8>);

impl std::fmt::Display for ValidatedOnly {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("validated only")
    }
}

impl std::error::Error for ValidatedOnly {}

impl ValidatedOnly {
    pub(super) fn error(answer: &impl prost::Message) -> Error {
        Error::internal(Self(answer.encode_to_vec()))
    }

    pub(super) fn answer<M: prost::Message + Default>(error: Error) -> Result<M> {
        match error.cause().and_then(|cause| cause.downcast_ref::<Self>()) {
            Some(Self(encoded)) => M::decode(encoded.as_slice()).map_err(Error::internal),
            None => Err(error),
        }
    }
}

/// The resource that was written now, or as it is after a repeat.
pub(super) async fn done_or_read<M: prost::Message + Default>(catalogue: &Catalogue<M>, done: Once<M>) -> Result<M> {
    match done {
        Once::Done(resource) => Ok(resource),
        Once::Repeat(name) => {
            let mut parts = name.split('/').skip(1);
            let (area, id) = (parts.next().unwrap_or_default(), parts.nth(1).unwrap_or_default());
            catalogue.get(area, id).await
        }
    }
}

/// A message with a name.
pub(super) trait Resource {
    /// Its name.
    fn name(&self) -> &str;

    /// What others hear when it was written, if anything.
    fn event(&self, _ctx: &Ctx, _area: &str, _revision: i64) -> Option<EventDraft> {
        None
    }
}

impl Resource for linli_proto::rules::Plugin {
    fn name(&self) -> &str {
        &self.name
    }
}

impl Resource for linli_proto::rules::AuthorKey {
    fn name(&self) -> &str {
        &self.name
    }

    fn event(&self, ctx: &Ctx, area: &str, revision: i64) -> Option<EventDraft> {
        Some(keys::event(ctx, area, self, revision, false))
    }
}

/// A resource that is to be created.
pub(super) struct Creation<'a, M> {
    pub(super) parent: &'a str,
    pub(super) id: &'a str,
    pub(super) wanted: M,
    pub(super) request_id: &'a str,
    pub(super) hash: [u8; 32],
}

/// A resource that is to be changed.
pub(super) struct Change<'a, M> {
    pub(super) name: Name,
    pub(super) wanted: M,
    pub(super) mask: Option<&'a prost_types::FieldMask>,
    pub(super) allow_missing: bool,
    pub(super) validate_only: bool,
    pub(super) request_id: &'a str,
    pub(super) hash: [u8; 32],
}

/// What is wrong with a resource as it would be.
type Judge<M> = fn(&M) -> Vec<FieldViolation>;

impl App {
    /// Creates a resource on which nothing depends yet.
    pub(super) async fn create_resource<M: prost::Message + Default + Clone + Resource>(
        &self,
        ctx: &Arc<Ctx>,
        catalogue: &Catalogue<M>,
        label: &'static str,
        creation: Creation<'_, M>,
        judge: Judge<M>,
    ) -> Result<M> {
        let area = check::area("parent", creation.parent)?;
        self.access.authorise(ctx, &Target::area(&area))?;
        let done = self
            .parts
            .store
            .write_once(ctx, area.as_str(), creation.request_id, creation.hash, label, |tx| {
                let (key, wanted) = ((area.as_str(), creation.id), &creation.wanted);
                Box::pin(async move {
                    let written = catalogue.create(tx, ctx.now(), key, wanted, judge).await?.entry;
                    written.resource.event(ctx, key.0, written.revision).into_iter().for_each(|event| tx.emit(event));
                    Ok((written.resource.name().to_owned(), written.resource))
                })
            })
            .await?;
        done_or_read(catalogue, done).await
    }

    /// Changes a resource of which nothing else needs to hear; with `allow_missing` creates it.
    pub(super) async fn update_resource<M: prost::Message + Default + Clone + Resource>(
        &self,
        ctx: &Arc<Ctx>,
        catalogue: &Catalogue<M>,
        label: &'static str,
        change: Change<'_, M>,
        judge: Judge<M>,
    ) -> Result<M> {
        self.access.authorise(ctx, &Target::area(change.name.area()))?;
        let area = change.name.area().as_str();
        let done = self
            .parts
            .store
            .write_once(ctx, area, change.request_id, change.hash, label, |tx| {
                let change = &change;
                Box::pin(async move {
                    let (wanted, mask) = (&change.wanted, change.mask);
                    let updated = catalogue.update(tx, ctx.now(), wanted, mask, change.allow_missing, judge);
                    let Written { entry: written, changed, .. } = updated.await?;
                    if change.validate_only {
                        return Err(ValidatedOnly::error(&written.resource));
                    }
                    let event = written.resource.event(ctx, area, written.revision).filter(|_| changed);
                    event.into_iter().for_each(|event| tx.emit(event));
                    Ok((written.resource.name().to_owned(), written.resource))
                })
            })
            .await;
        match done {
            Ok(done) => done_or_read(catalogue, done).await,
            Err(error) => ValidatedOnly::answer(error),
        }
    }

    /// The areas that a list shows: those that the caller may list as a whole.
    pub(super) fn listed_areas(&self, ctx: &Ctx, parent: &str) -> Result<Vec<String>> {
        let area = check::list_parent(parent)?;
        let scope = self.access.scope(ctx, area.as_ref())?;
        Ok(scope.areas.into_iter().filter(|(_, within)| *within == Within::All).map(|(area, _)| area).collect())
    }

    pub(super) async fn list_catalogue<M: prost::Message + Default>(
        &self,
        ctx: &Ctx,
        catalogue: &Catalogue<M>,
        (parent, filter, order): (&str, &str, &str),
        (size, token): (i32, &str),
    ) -> Result<(Vec<M>, String)> {
        let areas = self.listed_areas(ctx, parent)?;
        let page = PageRequest::parse(&self.parts.keyring, &ctx.method.path, &[parent, filter, order], size, token)?;
        let (entries, next) = catalogue.list(Scope::Areas(&areas), &page, filter, order).await?;
        Ok((entries.into_iter().map(|e| e.resource).collect(), next))
    }
}
