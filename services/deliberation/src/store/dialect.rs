//! Statements that differ between the engines: locks on a ballot, and rows in bulk.

mod postgres;
mod sqlite;

use linli_kit::Result;
use linli_kit::store::{Engine, Tx};
use sea_orm::QueryResult;
use uuid::Uuid;

/// State and closing time of a ballot, held against its closing until the transaction ends.
pub(crate) async fn ballot_for_cast(tx: &Tx<'_>, area: &str, ballot: Uuid) -> Result<Option<QueryResult>> {
    let sql = match tx.engine() {
        Engine::Postgres => postgres::BALLOT_FOR_CAST,
        Engine::Sqlite => sqlite::BALLOT_FOR_CAST,
    };
    super::one(tx, sql, [area.into(), ballot.into()]).await
}

/// A ballot held for its closing: waits for casts under way, and keeps others out.
pub(crate) async fn ballot_for_close(tx: &Tx<'_>, area: &str, ballot: Uuid) -> Result<Option<QueryResult>> {
    let sql = match tx.engine() {
        Engine::Postgres => postgres::BALLOT_FOR_CLOSE,
        Engine::Sqlite => sqlite::BALLOT_FOR_CLOSE,
    };
    super::one(tx, sql, [area.into(), ballot.into()]).await
}

/// Writes the roll of a ballot, in the order given.
pub(crate) async fn insert_roll(tx: &Tx<'_>, area: &str, ballot: Uuid, electors: &[(String, bool)]) -> Result<()> {
    match tx.engine() {
        Engine::Postgres => postgres::insert_roll(tx, area, ballot, electors).await,
        Engine::Sqlite => sqlite::insert_roll(tx, area, ballot, electors).await,
    }
}

/// Writes published votes, in the order given.
pub(crate) async fn insert_votes(tx: &Tx<'_>, area: &str, ballot: Uuid, votes: &[(String, i32)]) -> Result<()> {
    match tx.engine() {
        Engine::Postgres => postgres::insert_votes(tx, area, ballot, votes).await,
        Engine::Sqlite => sqlite::insert_votes(tx, area, ballot, votes).await,
    }
}
