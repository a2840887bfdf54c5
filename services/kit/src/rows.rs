//! Runs the few hand-written statements of leases, feed, durable calls and operations.
//!
//! Placeholders are `$1`, `$2`, ...: PostgreSQL's own form, which SQLite reads too. Never: a statement built from input.

use linli_kernel::{Clock as _, SystemClock};
use sea_orm::{ConnectionTrait, QueryResult, Statement, TryGetable, Value};

use crate::Result;

/// Runs a statement; how many rows it touched.
pub(crate) async fn execute<C: ConnectionTrait>(conn: &C, sql: &str, values: Vec<Value>) -> Result<u64> {
    let statement = Statement::from_sql_and_values(conn.get_database_backend(), sql, values);
    Ok(conn.execute_raw(statement).await?.rows_affected())
}

/// All rows of a query.
pub(crate) async fn all<C: ConnectionTrait>(conn: &C, sql: &str, values: Vec<Value>) -> Result<Vec<QueryResult>> {
    let statement = Statement::from_sql_and_values(conn.get_database_backend(), sql, values);
    Ok(conn.query_all_raw(statement).await?)
}

/// The first row of a query.
pub(crate) async fn one<C: ConnectionTrait>(conn: &C, sql: &str, values: Vec<Value>) -> Result<Option<QueryResult>> {
    let statement = Statement::from_sql_and_values(conn.get_database_backend(), sql, values);
    Ok(conn.query_one_raw(statement).await?)
}

/// One column of a row.
pub(crate) fn get<T: TryGetable>(row: &QueryResult, column: &str) -> Result<T> {
    Ok(row.try_get::<T>("", column)?)
}

/// Microseconds by the machine's clock: for leases, retries and other time that is not the suite's.
pub(crate) fn machine_us() -> i64 {
    SystemClock.now().micros()
}
