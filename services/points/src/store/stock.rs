//! The stock of rewards: what a redemption decides by. Its text is in the catalogue.

use linli_kit::Result;
use linli_kit::store::Engine;
use linli_kit::store::Tx;
use sea_orm::{ConnectionTrait as _, DatabaseConnection, DbBackend, Statement};

use super::rows;
use crate::domain::RewardTerms;

/// Writes the terms of a reward, keeping how many pieces were redeemed; false when fewer are supplied than were redeemed.
pub(crate) async fn set(tx: &Tx<'_>, area: &str, reward: &str, terms: &RewardTerms) -> Result<bool> {
    let sql = "INSERT INTO reward_stock (area, reward, asset, price, supplied, redeemed, payee, archived, card_only) \
               VALUES ($1, $2, $3, $4, $5, 0, $6, $7, $8) \
               ON CONFLICT (area, reward) DO UPDATE SET asset = excluded.asset, price = excluded.price, \
               supplied = excluded.supplied, payee = excluded.payee, archived = excluded.archived, \
               card_only = excluded.card_only WHERE reward_stock.redeemed <= excluded.supplied";
    let values = [
        area.into(),
        reward.into(),
        terms.asset.clone().into(),
        terms.price.into(),
        terms.supplied.into(),
        terms.payee.to_string().into(),
        i64::from(terms.archived).into(),
        i64::from(terms.card_only).into(),
    ];
    Ok(tx.conn().execute_raw(tx.statement(sql, values)).await?.rows_affected() == 1)
}

/// Forgets a reward that nobody ever redeemed, also not for a time; false when somebody did.
pub(crate) async fn forget(tx: &Tx<'_>, area: &str, reward: &str) -> Result<bool> {
    let sql = "DELETE FROM reward_stock WHERE area = $1 AND reward = $2 AND NOT EXISTS \
               (SELECT 1 FROM redemption r WHERE r.area = $1 AND r.reward = $2)";
    let deleted = tx.conn().execute_raw(tx.statement(sql, [area.into(), reward.into()])).await?;
    Ok(deleted.rows_affected() == 1)
}

/// Pieces redeemed of one reward, inside a transaction.
pub(crate) async fn redeemed(tx: &Tx<'_>, area: &str, reward: &str) -> Result<i64> {
    let sql = "SELECT redeemed FROM reward_stock WHERE area = $1 AND reward = $2";
    let row = tx.conn().query_one_raw(tx.statement(sql, [area.into(), reward.into()])).await?;
    row.map_or(Ok(0), |row| rows::get(&row, "redeemed"))
}

/// Pieces redeemed of some rewards, in their order.
pub(crate) async fn redeemed_of(
    conn: &DatabaseConnection,
    engine: Engine,
    keys: &[(String, String)],
) -> Result<Vec<i64>> {
    let backend = if engine == Engine::Postgres { DbBackend::Postgres } else { DbBackend::Sqlite };
    let mut all = Vec::with_capacity(keys.len());
    for (area, reward) in keys {
        let sql = "SELECT redeemed FROM reward_stock WHERE area = $1 AND reward = $2";
        let statement = Statement::from_sql_and_values(backend, sql, [area.clone().into(), reward.clone().into()]);
        let row = conn.query_one_raw(statement).await?;
        all.push(row.map_or(Ok(0), |row| rows::get(&row, "redeemed"))?);
    }
    Ok(all)
}
