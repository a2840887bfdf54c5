//! Request ids (AIP-155): a request takes effect once, and a repeat names the same resource.
//!
//! The claim is a row of the transaction that makes the change, so only committed effects are recorded. Kept: a keyed hash
//! of the request and the resource's name. Never: the request or its answer.

mod claim;

use std::time::Duration;

use futures::future::BoxFuture;
use linli_kernel::Timestamp;
use sea_orm::ConnectionTrait as _;
use uuid::Uuid;

pub use claim::{Claim, ClaimOutcome, claim_many, release_many};

use crate::crypto::{Keyring, Purpose};
use crate::store::{Store, Tx};
use crate::{Ctx, Error, ErrorCode, FieldViolation, Result};

/// How long a request id is remembered.
pub const RETENTION: Duration = Duration::from_secs(7 * 24 * 3600);
/// Rows that one purging transaction deletes at most.
const PURGE_CHUNK: u64 = 1000;

/// What came of a request with an id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Once<T> {
    /// It was done now.
    Done(T),
    /// It was done before; read the resource of this name as the caller may see it now.
    Repeat(String),
}

/// The keyed hash of a request; the caller clears its `request_id` first.
///
/// Maps are encoded in the order of their keys, so equal requests have equal hashes.
pub fn request_hash(keys: &Keyring, method: &str, request: &impl prost::Message) -> [u8; 32] {
    keys.hmac(Purpose::RequestHash, &[method.as_bytes(), &request.encode_to_vec()])
}

/// Reads a request id; `None` when the caller sent none and wants no protection.
///
/// # Errors
/// A violation of the field `request_id` when it is no UUID, or the nil UUID.
pub fn parse_request_id(text: &str) -> Result<Option<Uuid>> {
    if text.is_empty() {
        return Ok(None);
    }
    match Uuid::try_parse(text) {
        Ok(id) if !id.is_nil() => Ok(Some(id)),
        _ => Err(Error::field(FieldViolation::new("request_id", "REQUEST_ID_INVALID"))),
    }
}

/// The error for an id that came with another request before.
pub fn reused() -> Error {
    Error::new(ErrorCode::InvalidArgument, "REQUEST_ID_REUSED")
        .with_fields(vec![FieldViolation::new("request_id", "REQUEST_ID_REUSED")])
}

impl Store {
    /// Like [`Store::write`], once per request id: `f` returns the name of the resource and its value.
    ///
    /// An empty `request_id` means no protection. A second call in flight waits for the first. Until the call's deadline.
    ///
    /// # Errors
    /// As [`Store::write`]; a violation of `request_id` when it is no UUID; REQUEST_ID_REUSED when it came with another
    /// request before.
    pub async fn write_once<'env, T, F>(
        &self,
        ctx: &Ctx,
        area: &str,
        request_id: &str,
        request_hash: [u8; 32],
        name: &'static str,
        f: F,
    ) -> Result<Once<T>>
    where
        T: Send,
        F: for<'t> Fn(&'t Tx<'env>) -> BoxFuture<'t, Result<(String, T)>> + Send + Sync,
    {
        let claim = parse_request_id(request_id)?.map(|id| Claim::new(ctx, area, id, request_hash));
        let (claim, f) = (claim.as_ref(), &f);
        self.write_until(name, ctx.deadline, |tx| {
            Box::pin(async move {
                let Some(claim) = claim else { return Ok(Once::Done(f(tx).await?.1)) };
                match claim::claim(tx, claim).await? {
                    ClaimOutcome::New => {}
                    ClaimOutcome::Repeat(resource) => return Ok(Once::Repeat(resource)),
                    ClaimOutcome::SameAs(_) | ClaimOutcome::Reused => return Err(reused()),
                }
                let (resource, value) = f(tx).await?;
                claim::set_resource(tx, claim, &resource).await?;
                Ok(Once::Done(value))
            })
        })
        .await
    }

    /// Forgets request ids that are older than [`RETENTION`]; returns how many.
    ///
    /// # Errors
    /// As [`Store::write`]; what was deleted before stays deleted.
    pub async fn purge_request_ids(&self, now: Timestamp) -> Result<u64> {
        let before = now.micros() - i64::try_from(RETENTION.as_micros()).unwrap_or(i64::MAX);
        let sql = format!(
            "DELETE FROM idempotency WHERE (area, caller, method, request_id) IN (SELECT area, caller, method, request_id \
             FROM idempotency WHERE created_us < $1 ORDER BY created_us LIMIT {PURGE_CHUNK})"
        );
        let (sql, mut purged) = (&sql, 0);
        loop {
            let chunk = self.write("idempotency.purge", |tx| {
                Box::pin(
                    async move { Ok(tx.conn().execute_raw(tx.statement(sql, [before.into()])).await?.rows_affected()) },
                )
            });
            let deleted = chunk.await?;
            purged += deleted;
            if deleted < PURGE_CHUNK {
                return Ok(purged);
            }
        }
    }
}

#[cfg(test)]
mod tests;
