//! Rows of booking and the statements on them.
//!
//! Every booking changes under the lock of its slot, and locks are taken slot first, then the resident's usage: so writers
//! never wait for each other in a circle. Never: a decision, a message of the contract beside `spec`.

pub(crate) mod bookings;
pub(crate) mod catalogue;
pub(crate) mod decisions;
mod dialect;
pub(crate) mod lists;
pub(crate) mod receipts;
pub(crate) mod requests;
pub(crate) mod slots;
pub(crate) mod tables;
pub(crate) mod usage;
pub(crate) mod verify;

use linli_kit::store::Tx;
use linli_kit::{Error, Result};
use sea_orm::{ConnectionTrait, QueryResult, Statement, TryGetable, Value};

pub(crate) use dialect::{bump_usage, insert_bookings, insert_receipts, lock_slots, lock_usage, set_priorities};

/// A statement in the words of the connection's engine.
fn statement<C: ConnectionTrait>(conn: &C, sql: &str, values: Vec<Value>) -> Statement {
    Statement::from_sql_and_values(conn.get_database_backend(), sql, values)
}

/// All rows of a query.
pub(crate) async fn all<C: ConnectionTrait>(conn: &C, sql: &str, values: Vec<Value>) -> Result<Vec<QueryResult>> {
    Ok(conn.query_all_raw(statement(conn, sql, values)).await?)
}

/// The first row of a query.
pub(crate) async fn one<C: ConnectionTrait>(conn: &C, sql: &str, values: Vec<Value>) -> Result<Option<QueryResult>> {
    Ok(conn.query_one_raw(statement(conn, sql, values)).await?)
}

/// Runs a statement; how many rows it touched.
pub(crate) async fn execute(tx: &Tx<'_>, sql: &str, values: Vec<Value>) -> Result<u64> {
    Ok(tx.conn().execute_raw(statement(tx.conn(), sql, values)).await?.rows_affected())
}

/// One column of a row.
pub(crate) fn get<T: TryGetable>(row: &QueryResult, column: &str) -> Result<T> {
    Ok(row.try_get::<T>("", column)?)
}

/// A number column as the type that its values have.
pub(crate) fn number<T: TryFrom<i64>>(row: &QueryResult, column: &str) -> Result<T> {
    let value: i64 = get(row, column)?;
    T::try_from(value).map_err(|_| Error::internal(format!("{column} is out of range: {value}")))
}
