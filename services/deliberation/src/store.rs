//! Rows and queries of deliberation: topics on their way, records, ballots, archives.
//!
//! Every finder takes the area. Never: a decision; what differs between the engines stands in `dialect`.

pub(crate) mod ballots;
pub(crate) mod dialect;
pub(crate) mod entity;
pub(crate) mod list;
pub(crate) mod receipts;
pub(crate) mod tables;
pub(crate) mod topics;
pub(crate) mod verify;

use linli_kit::Result;
use linli_kit::store::Tx;
use sea_orm::sea_query::Value;
use sea_orm::{ConnectionTrait as _, QueryResult};

/// Runs a statement of the transaction; how many rows it touched.
pub(crate) async fn execute(tx: &Tx<'_>, sql: &str, values: impl IntoIterator<Item = Value>) -> Result<u64> {
    Ok(tx.conn().execute_raw(tx.statement(sql, values)).await?.rows_affected())
}

/// All rows of a query of the transaction.
pub(crate) async fn all(tx: &Tx<'_>, sql: &str, values: impl IntoIterator<Item = Value>) -> Result<Vec<QueryResult>> {
    Ok(tx.conn().query_all_raw(tx.statement(sql, values)).await?)
}

/// The first row of a query of the transaction.
pub(crate) async fn one(
    tx: &Tx<'_>,
    sql: &str,
    values: impl IntoIterator<Item = Value>,
) -> Result<Option<QueryResult>> {
    Ok(tx.conn().query_one_raw(tx.statement(sql, values)).await?)
}
