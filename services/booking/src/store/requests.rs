//! What earlier requests have made, by their ids. The rows are kit's; they are only read here.

use linli_kit::Result;
use linli_kit::idempotency::{Claim, reused};
use sea_orm::ConnectionTrait;

use super::{get, one};

/// The name of what an earlier request of this id made.
///
/// # Errors
/// REQUEST_ID_REUSED when it was another request.
pub(crate) async fn earlier<C: ConnectionTrait>(conn: &C, claim: &Claim) -> Result<Option<String>> {
    let sql = "SELECT request_hash, resource FROM idempotency \
               WHERE area = $1 AND caller = $2 AND method = $3 AND request_id = $4";
    let values = vec![
        claim.area.clone().into(),
        claim.caller.clone().into(),
        claim.method.clone().into(),
        claim.request_id.into(),
    ];
    let Some(row) = one(conn, sql, values).await? else { return Ok(None) };
    if get::<Vec<u8>>(&row, "request_hash")? != claim.request_hash {
        return Err(reused());
    }
    get(&row, "resource").map(Some)
}
