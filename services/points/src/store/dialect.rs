//! Array-bound statements: one per batch on PostgreSQL, one prepared statement per row on SQLite.
//!
//! Both engines have the same texts under the same names; only here does it matter which engine it is.

mod postgres;
mod sqlite;

use linli_kit::Result;
use linli_kit::store::{Engine, Tx};
use sea_orm::sea_query::Value;
use sea_orm::{ConnectionTrait as _, QueryResult};
use uuid::Uuid;

/// The hot statements of one engine. Those that load rows lock them, in the order of their keys.
pub(crate) struct Texts {
    /// Keys (area, id).
    pub(crate) holds: &'static str,
    /// Keys (area, id).
    pub(crate) transfers: &'static str,
    /// Keys (area, transfer): the redemptions that transfers paid; the transfer's lock is theirs.
    pub(crate) redemptions: &'static str,
    /// Keys (area, transfer): what the awards of transfers put on cards, with each card's holder and type; not locked.
    pub(crate) stamped: &'static str,
    /// Keys (area, id): assets and holders of cards, which never change; not locked.
    pub(crate) card_assets: &'static str,
    /// Keys (area, id).
    pub(crate) cards: &'static str,
    /// Keys (area, holder, card type): the cards that are not redeemed.
    pub(crate) live_cards: &'static str,
    /// Keys (area, reward).
    pub(crate) rewards: &'static str,
    /// Keys (area, id): assets of the catalogue; not locked.
    pub(crate) assets: &'static str,
    /// Keys (area, asset, holder).
    pub(crate) accounts: &'static str,
    /// Keys (area, holder): all accounts of people; not locked.
    pub(crate) holders_accounts: &'static str,
    /// Keys (area, holder): takes a lock for each, until the end of the transaction; none where the single writer is the lock.
    pub(crate) lock_holders: Option<&'static str>,
    /// All columns.
    pub(crate) insert_accounts: &'static str,
    /// All columns.
    pub(crate) update_accounts: &'static str,
    /// All columns but `reversed_by`.
    pub(crate) insert_transfers: &'static str,
    /// (area, id, reversed_by).
    pub(crate) mark_reversed: &'static str,
    /// All columns.
    pub(crate) insert_entries: &'static str,
    /// All columns but `transfer_id`.
    pub(crate) insert_holds: &'static str,
    /// (area, id, state, transfer_id).
    pub(crate) update_holds: &'static str,
    /// All columns.
    pub(crate) insert_cards: &'static str,
    /// (area, id, stamps, state, full_us, version).
    pub(crate) update_cards: &'static str,
    /// All columns.
    pub(crate) insert_stamps: &'static str,
    /// (area, reward, redeemed).
    pub(crate) update_rewards: &'static str,
    /// All columns but `reversed_by`.
    pub(crate) insert_redemptions: &'static str,
    /// (area, id, reversed_by).
    pub(crate) mark_returned: &'static str,
    /// All columns; a key that was awarded before is passed over.
    pub(crate) insert_awards: &'static str,
}

/// The statements of an engine.
pub(crate) fn texts(engine: Engine) -> &'static Texts {
    match engine {
        Engine::Postgres => &postgres::TEXTS,
        Engine::Sqlite => &sqlite::TEXTS,
    }
}

/// One column of the rows that a statement is about.
pub(crate) enum Column {
    /// Texts.
    Text(Vec<String>),
    /// Numbers and instants.
    Int(Vec<i64>),
    /// Numbers that may be missing; stored as NULL, sent as the least number.
    OptInt(Vec<Option<i64>>),
    /// Ids.
    Id(Vec<Uuid>),
    /// Ids that may be missing; stored as NULL, sent as the nil id.
    OptId(Vec<Option<Uuid>>),
    /// Bytes.
    Bytes(Vec<Vec<u8>>),
}

impl Column {
    fn len(&self) -> usize {
        match self {
            Self::Text(all) => all.len(),
            Self::Int(all) => all.len(),
            Self::OptInt(all) => all.len(),
            Self::Id(all) => all.len(),
            Self::OptId(all) => all.len(),
            Self::Bytes(all) => all.len(),
        }
    }

    /// The whole column as one array; arrays hold no NULLs, the statement turns the stand-ins into them.
    fn array(&self) -> Value {
        match self {
            Self::Text(all) => all.clone().into(),
            Self::Int(all) => all.clone().into(),
            Self::OptInt(all) => all.iter().map(|one| one.unwrap_or(i64::MIN)).collect::<Vec<i64>>().into(),
            Self::Id(all) => all.clone().into(),
            Self::OptId(all) => all.iter().map(|one| one.unwrap_or_default()).collect::<Vec<Uuid>>().into(),
            Self::Bytes(all) => all.clone().into(),
        }
    }

    fn at(&self, row: usize) -> Value {
        match self {
            Self::Text(all) => all[row].clone().into(),
            Self::Int(all) => all[row].into(),
            Self::OptInt(all) => all[row].into(),
            Self::Id(all) => all[row].into(),
            Self::OptId(all) => all[row].into(),
            Self::Bytes(all) => all[row].clone().into(),
        }
    }
}

/// Writes rows given as columns; how many rows were touched. No rows: no statement.
pub(crate) async fn write(tx: &Tx<'_>, sql: &str, columns: Vec<Column>) -> Result<u64> {
    let rows = columns.first().map_or(0, Column::len);
    if rows == 0 {
        return Ok(0);
    }
    if tx.engine() == Engine::Postgres {
        let statement = tx.statement(sql, columns.iter().map(Column::array));
        return Ok(tx.conn().execute_raw(statement).await?.rows_affected());
    }
    let mut touched = 0;
    for row in 0..rows {
        let statement = tx.statement(sql, columns.iter().map(|column| column.at(row)));
        touched += tx.conn().execute_raw(statement).await?.rows_affected();
    }
    Ok(touched)
}

/// Reads the rows of keys given as columns. No keys: no statement.
pub(crate) async fn read(tx: &Tx<'_>, sql: &str, columns: Vec<Column>) -> Result<Vec<QueryResult>> {
    let rows = columns.first().map_or(0, Column::len);
    if rows == 0 {
        return Ok(Vec::new());
    }
    if tx.engine() == Engine::Postgres {
        let statement = tx.statement(sql, columns.iter().map(Column::array));
        return Ok(tx.conn().query_all_raw(statement).await?);
    }
    let mut found = Vec::with_capacity(rows);
    for row in 0..rows {
        let statement = tx.statement(sql, columns.iter().map(|column| column.at(row)));
        found.extend(tx.conn().query_all_raw(statement).await?);
    }
    Ok(found)
}
