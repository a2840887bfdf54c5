//! Reads one recorded object, and the few lists that the service needs for itself.

use linli_kernel::{Id, Timestamp};
use linli_kit::Result;
use linli_kit::store::{Engine, Store, Tx};
use sea_orm::sea_query::Value;
use sea_orm::{ConnectionTrait as _, DbBackend, QueryResult, Statement};

use super::rows;
use crate::domain::{
    Account, AccountKey, AwardId, Card, CardId, CardTerms, Hold, HoldId, Redemption, RedemptionId, Transfer, TransferId,
};
use crate::store::awards::{self, AwardRow};

/// All rows of a query outside transactions.
pub(crate) async fn all(store: &Store, sql: &str, values: impl IntoIterator<Item = Value>) -> Result<Vec<QueryResult>> {
    let backend = match store.engine() {
        Engine::Sqlite => DbBackend::Sqlite,
        Engine::Postgres => DbBackend::Postgres,
    };
    Ok(store.reader().query_all_raw(Statement::from_sql_and_values(backend, sql, values)).await?)
}

async fn one(store: &Store, sql: &str, area: &str, id: impl Id) -> Result<Option<QueryResult>> {
    Ok(all(store, sql, [area.into(), id.uuid().into()]).await?.into_iter().next())
}

/// A transfer.
pub(crate) async fn transfer(store: &Store, area: &str, id: TransferId) -> Result<Option<Transfer>> {
    let row = one(store, "SELECT * FROM transfer WHERE area = $1 AND id = $2", area, id).await?;
    row.as_ref().map(rows::transfer).transpose()
}

/// A hold.
pub(crate) async fn hold(store: &Store, area: &str, id: HoldId) -> Result<Option<Hold>> {
    let row = one(store, "SELECT * FROM hold WHERE area = $1 AND id = $2", area, id).await?;
    row.as_ref().map(rows::hold).transpose()
}

/// A card.
pub(crate) async fn card(store: &Store, area: &str, id: CardId) -> Result<Option<Card>> {
    let row = one(store, "SELECT * FROM card WHERE area = $1 AND id = $2", area, id).await?;
    row.as_ref().map(rows::card).transpose()
}

/// A redemption.
pub(crate) async fn redemption(store: &Store, area: &str, id: RedemptionId) -> Result<Option<Redemption>> {
    let row = one(store, "SELECT * FROM redemption WHERE area = $1 AND id = $2", area, id).await?;
    row.as_ref().map(rows::redemption).transpose()
}

/// An award.
pub(crate) async fn award(store: &Store, area: &str, id: AwardId) -> Result<Option<AwardRow>> {
    let row = one(store, "SELECT * FROM award WHERE area = $1 AND id = $2", area, id).await?;
    row.as_ref().map(awards::read).transpose()
}

/// An account.
pub(crate) async fn account(store: &Store, area: &str, key: &AccountKey) -> Result<Option<Account>> {
    let sql = "SELECT * FROM account WHERE area = $1 AND asset = $2 AND holder = $3";
    let values = [area.into(), key.asset.clone().into(), key.holder.to_string().into()];
    let rows = all(store, sql, values).await?;
    rows.first().map(|row| rows::account(row).map(|(_, account)| account)).transpose()
}

/// All accounts of some holders (short form).
pub(crate) async fn accounts_of(store: &Store, area: &str, holders: &[String]) -> Result<Vec<(AccountKey, Account)>> {
    let found = match store.engine() {
        Engine::Postgres => {
            let sql = "SELECT * FROM account WHERE area = $1 AND holder = ANY($2) ORDER BY holder, asset";
            all(store, sql, [area.into(), holders.to_vec().into()]).await?
        }
        Engine::Sqlite => {
            let mut found = Vec::new();
            for holder in holders {
                let sql = "SELECT * FROM account WHERE area = $1 AND holder = $2 ORDER BY asset";
                found.extend(all(store, sql, [area.into(), holder.clone().into()]).await?);
            }
            found
        }
    };
    found.iter().map(rows::account).collect()
}

/// Placed holds whose time is over, at most `limit`, with their areas.
pub(crate) async fn due_holds(store: &Store, now: Timestamp, limit: i64) -> Result<Vec<(String, HoldId)>> {
    let sql = "SELECT area, id FROM hold WHERE state = 1 AND expires_us <= $1 ORDER BY expires_us LIMIT $2";
    let found = all(store, sql, [now.micros().into(), limit.into()]).await?;
    let read = |row: &QueryResult| Ok((rows::get(row, "area")?, HoldId::from_uuid(rows::get(row, "id")?)));
    found.iter().map(read).collect()
}

/// Whether an event's awards were decided before.
pub(crate) async fn was_decided(store: &Store, area: &str, event: &str) -> Result<bool> {
    let sql = "SELECT 1 AS one FROM award_event WHERE area = $1 AND event_id = $2";
    Ok(!all(store, sql, [area.into(), event.into()]).await?.is_empty())
}

/// Terms of a card type, from its message.
pub(crate) fn card_terms(id: &str, card_type: &linli_proto::points::CardType) -> CardTerms {
    let reward = card_type.reward.rsplit('/').next().unwrap_or_default().to_owned();
    CardTerms { card_type: id.to_owned(), asset: card_type.asset.clone(), needed: card_type.stamps, reward }
}

async fn all_in(tx: &Tx<'_>, sql: &str, area: &str, id: &str) -> Result<Vec<QueryResult>> {
    Ok(tx.conn().query_all_raw(tx.statement(sql, [area.into(), id.into()])).await?)
}

/// An account or a reward of the area that counts in an asset; `None` when nothing does.
pub(crate) async fn user_of_asset(tx: &Tx<'_>, area: &str, asset: &str) -> Result<Option<String>> {
    let sql = "SELECT holder FROM account WHERE area = $1 AND asset = $2 LIMIT 1";
    if let Some(row) = all_in(tx, sql, area, asset).await?.first() {
        return Ok(Some(format!("areas/{area}/accounts/{asset}.{}", rows::get::<String>(row, "holder")?)));
    }
    let sql = "SELECT reward FROM reward_stock WHERE area = $1 AND asset = $2 LIMIT 1";
    if let Some(row) = all_in(tx, sql, area, asset).await?.first() {
        return Ok(Some(format!("areas/{area}/rewards/{}", rows::get::<String>(row, "reward")?)));
    }
    Ok(None)
}

/// Whether there are cards of a type.
pub(crate) async fn has_cards(tx: &Tx<'_>, area: &str, card_type: &str) -> Result<bool> {
    let sql = "SELECT 1 AS one FROM card WHERE area = $1 AND card_type = $2 LIMIT 1";
    Ok(!all_in(tx, sql, area, card_type).await?.is_empty())
}
