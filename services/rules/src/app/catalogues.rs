//! What the two catalogues share: lists, answers to repeats, writes that only validate.

use linli_access::Within;
use linli_kit::catalogue::{Catalogue, Scope};
use linli_kit::idempotency::Once;
use linli_kit::page::PageRequest;
use linli_kit::{Ctx, Error, Result, check};

use super::App;

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

impl App {
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
