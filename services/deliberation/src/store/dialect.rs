//! Statements that differ between the engines: locks on a ballot, rows in bulk, rows at random.

mod postgres;
mod sqlite;

use linli_kit::store::{Engine, Tx};
use linli_kit::{Error, Result};
use sea_orm::QueryResult;
use uuid::Uuid;

/// Other votes, and others who voted, that one cast writes anew.
const HANDFUL: i64 = 16;

/// A row of the roll: id of the elector, whether it voted, who cast the vote for it.
pub(crate) type Elector = (String, bool, String);

/// State and closing time of a ballot, held against its closing until the transaction ends.
pub(crate) async fn ballot_for_cast(tx: &Tx<'_>, area: &str, ballot: Uuid) -> Result<Option<QueryResult>> {
    let sql = match tx.engine() {
        Engine::Postgres => postgres::BALLOT_FOR_CAST,
        Engine::Sqlite => sqlite::BALLOT_FOR_CAST,
    };
    super::one(tx, sql, [area.into(), ballot.into()]).await
}

/// A ballot held for its closing: waits for casts under way, and keeps others out.
///
/// # Errors
/// When what is read afterwards could be older than the casts that were waited for: a snapshot of the whole transaction was
/// taken before the wait.
pub(crate) async fn ballot_for_close(tx: &Tx<'_>, area: &str, ballot: Uuid) -> Result<Option<QueryResult>> {
    let sql = match tx.engine() {
        Engine::Postgres => postgres::BALLOT_FOR_CLOSE,
        Engine::Sqlite => sqlite::BALLOT_FOR_CLOSE,
    };
    let held = super::one(tx, sql, [area.into(), ballot.into()]).await?;
    if let (Some(row), Engine::Postgres) = (&held, tx.engine()) {
        let isolation: String = row.try_get("", "isolation")?;
        if isolation != "read committed" {
            return Err(Error::internal(format!("ballots are counted under READ COMMITTED, not under {isolation}")));
        }
    }
    Ok(held)
}

/// Takes a random handful of an open ballot's pending votes out, to be put back with [`put_votes`]: `(id, vote_enc)`.
///
/// Never waits: rows that another cast has taken are left to it.
pub(crate) async fn take_votes(tx: &Tx<'_>, area: &str, ballot: Uuid) -> Result<Vec<(Uuid, Vec<u8>)>> {
    let sql = match tx.engine() {
        Engine::Postgres => postgres::TAKE_VOTES,
        Engine::Sqlite => sqlite::TAKE_VOTES,
    };
    let rows = super::all(tx, sql, [area.into(), ballot.into(), HANDFUL.into()]).await?;
    rows.iter().map(|row| Ok((row.try_get_by_index(0)?, row.try_get_by_index(1)?))).collect()
}

/// Puts sealed votes into an open ballot, in the order given.
pub(crate) async fn put_votes(tx: &Tx<'_>, area: &str, ballot: Uuid, votes: &[(Uuid, Vec<u8>)]) -> Result<()> {
    match tx.engine() {
        Engine::Postgres => postgres::put_votes(tx, area, ballot, votes).await,
        Engine::Sqlite => sqlite::put_votes(tx, area, ballot, votes).await,
    }
}

/// Takes the row of an elector who has just voted out, with a random handful of the others who voted, to be put back with
/// [`insert_roll`]. Never waits.
pub(crate) async fn take_electors(tx: &Tx<'_>, area: &str, ballot: Uuid, elector: &str) -> Result<Vec<Elector>> {
    let sql = match tx.engine() {
        Engine::Postgres => postgres::TAKE_ELECTORS,
        Engine::Sqlite => sqlite::TAKE_ELECTORS,
    };
    let rows = super::all(tx, sql, [area.into(), ballot.into(), elector.into(), HANDFUL.into()]).await?;
    rows.iter().map(elector_of).collect()
}

/// Reads `elector, voted, assisted_by`.
pub(crate) fn elector_of(row: &QueryResult) -> Result<Elector> {
    Ok((row.try_get_by_index(0)?, row.try_get_by_index(1)?, row.try_get_by_index(2)?))
}

/// Writes the roll of a ballot, in the order given.
pub(crate) async fn insert_roll(tx: &Tx<'_>, area: &str, ballot: Uuid, electors: &[Elector]) -> Result<()> {
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
