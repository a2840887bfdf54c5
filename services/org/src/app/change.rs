//! One change: once per request id, or tried only and rolled back.

use futures::future::BoxFuture;
use linli_kernel::AreaId;
use linli_kit::idempotency::{Once, request_hash};
use linli_kit::store::Tx;
use linli_kit::{Ctx, Error, Result, check};

use super::App;

/// A change about to be made.
pub(super) struct Change<'a> {
    pub(super) ctx: &'a Ctx,
    pub(super) area: &'a AreaId,
    pub(super) request_id: &'a str,
    /// The request's hash, without its request id.
    pub(super) hash: [u8; 32],
    /// Its name in metrics.
    pub(super) name: &'static str,
    /// Run everything and write nothing.
    pub(super) validate_only: bool,
}

impl App {
    /// The hash of a request; the caller clears its `request_id` first.
    pub(super) fn hash(&self, ctx: &Ctx, request: &impl prost::Message) -> [u8; 32] {
        request_hash(&self.parts.keyring, &ctx.method.path, request)
    }

    /// Runs `f` in one transaction, once per request id; `f` answers the resource's name and the resource.
    ///
    /// To validate only, the same transaction is rolled back, its claim of the request id with it.
    ///
    /// # Errors
    /// As [`linli_kit::store::Store::write_once`].
    pub(super) async fn change<'env, M, F>(&self, change: Change<'_>, f: F) -> Result<Once<M>>
    where
        M: prost::Message + Default,
        F: for<'t> Fn(&'t Tx<'env>) -> BoxFuture<'t, Result<(String, M)>> + Send + Sync,
    {
        let (f, validate_only, area) = (&f, change.validate_only, change.area.as_str());
        let store = &self.parts.store;
        let done = store.write_once(change.ctx, area, change.request_id, change.hash, change.name, |tx| {
            Box::pin(async move {
                let (name, answer) = f(tx).await?;
                if validate_only { Err(ValidatedOnly::error(&answer)) } else { Ok((name, answer)) }
            })
        });
        match done.await {
            Ok(done) => Ok(done),
            Err(error) => ValidatedOnly::answer(error).map(Once::Done),
        }
    }
}

/// The error that rolls a validated transaction back, with the answer inside.
#[derive(Debug)]
struct ValidatedOnly(Vec<u8>);

impl std::fmt::Display for ValidatedOnly {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("validated only")
    }
}

impl std::error::Error for ValidatedOnly {}

impl ValidatedOnly {
    fn error(answer: &impl prost::Message) -> Error {
        Error::internal(Self(answer.encode_to_vec()))
    }

    fn answer<M: prost::Message + Default>(error: Error) -> Result<M> {
        match error.cause().and_then(|cause| cause.downcast_ref::<Self>()) {
            Some(Self(encoded)) => M::decode(encoded.as_slice()).map_err(Error::internal),
            None => Err(error),
        }
    }
}

/// The row whose revision a write expected was there.
///
/// # Errors
/// ABORTED STALE_ETAG when it was not.
pub(super) fn was_current(rows: u64, resource: impl std::fmt::Display) -> Result<()> {
    if rows == 1 { Ok(()) } else { Err(check::stale_etag(resource)) }
}
