//! Rows of what was done without a booking, and what an earlier request of the same id recorded.

use std::collections::HashMap;

use linli_kernel::{Id as _, Timestamp};
use linli_kit::Result;
use linli_kit::idempotency::{Claim, reused};
use linli_kit::store::{Store, Tx};
use sea_orm::sea_query::{Expr, ExprTrait as _, Query};
use sea_orm::{ConnectionTrait as _, QueryResult};

use super::finders;
use super::rows::{get, id};
use crate::domain::{AwardId, ContributionId};

/// A contribution as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ContributionRow {
    pub(crate) area: String,
    pub(crate) id: ContributionId,
    /// Id of the person.
    pub(crate) person: String,
    pub(crate) kind: String,
    pub(crate) role: String,
    pub(crate) minutes: i32,
    pub(crate) quantity: i32,
    pub(crate) score: Option<i32>,
    pub(crate) tags: Vec<String>,
    pub(crate) occurred: Timestamp,
    pub(crate) recorded_by: String,
    pub(crate) created: Timestamp,
}

fn small(number: i64) -> i32 {
    i32::try_from(number).unwrap_or_default()
}

pub(crate) fn read(row: &QueryResult) -> Result<ContributionRow> {
    let tags: String = get(row, "tags")?;
    Ok(ContributionRow {
        area: get(row, "area")?,
        id: id(row, "id")?,
        person: get(row, "person")?,
        kind: get(row, "kind")?,
        role: get(row, "role")?,
        minutes: small(get(row, "minutes")?),
        quantity: small(get(row, "quantity")?),
        score: get::<Option<i64>>(row, "score")?.map(small),
        tags: tags.split(',').filter(|tag| !tag.is_empty()).map(str::to_owned).collect(),
        occurred: Timestamp::from_micros(get(row, "occur_us")?),
        recorded_by: get(row, "recorded_by")?,
        created: Timestamp::from_micros(get(row, "created_us")?),
    })
}

/// Writes a contribution.
///
/// # Errors
/// CONTRIBUTION_EXISTS when the person's contribution of this kind and instant stands already.
pub(crate) async fn insert(tx: &Tx<'_>, row: &ContributionRow) -> Result<()> {
    let sql = "INSERT INTO contribution (area, id, person, kind, role, minutes, quantity, score, tags, occur_us, recorded_by, \
               created_us) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)";
    let values = [
        row.area.clone().into(),
        row.id.uuid().into(),
        row.person.clone().into(),
        row.kind.clone().into(),
        row.role.clone().into(),
        i64::from(row.minutes).into(),
        i64::from(row.quantity).into(),
        row.score.map(i64::from).into(),
        row.tags.join(",").into(),
        row.occurred.micros().into(),
        row.recorded_by.clone().into(),
        row.created.micros().into(),
    ];
    tx.conn().execute_raw(tx.statement(sql, values)).await?;
    Ok(())
}

/// A contribution.
pub(crate) async fn find(store: &Store, area: &str, id: ContributionId) -> Result<Option<ContributionRow>> {
    let sql = "SELECT * FROM contribution WHERE area = $1 AND id = $2";
    let found = finders::all(store, sql, [area.into(), id.uuid().into()]).await?;
    found.first().map(read).transpose()
}

/// The name of what an earlier request of this id recorded.
///
/// # Errors
/// REQUEST_ID_REUSED when it was another request.
pub(crate) async fn earlier(store: &Store, claim: &Claim) -> Result<Option<String>> {
    let sql = "SELECT request_hash, resource FROM idempotency \
               WHERE area = $1 AND caller = $2 AND method = $3 AND request_id = $4";
    let values =
        [claim.area.clone().into(), claim.caller.clone().into(), claim.method.clone().into(), claim.request_id.into()];
    let found = finders::all(store, sql, values).await?;
    let Some(row) = found.first() else { return Ok(None) };
    if get::<Vec<u8>>(row, "request_hash")? != claim.request_hash {
        return Err(reused());
    }
    get(row, "resource").map(Some)
}

/// The awards of contributions, by the id of each.
pub(crate) async fn awards(store: &Store, rows: &[ContributionRow]) -> Result<HashMap<String, Vec<AwardId>>> {
    let mut found: HashMap<String, Vec<AwardId>> = HashMap::new();
    if rows.is_empty() {
        return Ok(found);
    }
    let mut select = Query::select();
    select.columns(["event_id", "id"]).from("award");
    select.and_where(Expr::col("area").is_in(rows.iter().map(|row| row.area.as_str())));
    select.and_where(Expr::col("event_id").is_in(rows.iter().map(|row| row.id.to_string())));
    select.order_by_expr(Expr::col("id"), sea_orm::Order::Asc);
    for row in store.reader().query_all(&select).await? {
        found.entry(get(&row, "event_id")?).or_default().push(id(&row, "id")?);
    }
    Ok(found)
}
