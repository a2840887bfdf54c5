//! Ballots, their rolls and votes. What is kept apart about a vote: see [`super::tables`].

use linli_kit::Result;
use linli_kit::store::Tx;
use sea_orm::sea_query::Expr;
use sea_orm::{
    ColumnTrait as _, ConnectionTrait, EntityTrait as _, IntoActiveModel as _, QueryFilter as _, QueryOrder as _,
};
use uuid::Uuid;

use super::dialect::Elector;
use super::entity::{ballot, roll, vote};
use super::{all, dialect, execute, one};

/// One ballot.
pub(crate) async fn find<C: ConnectionTrait>(conn: &C, area: &str, id: Uuid) -> Result<Option<ballot::Model>> {
    Ok(ballot::Entity::find_by_id((area.to_owned(), id)).one(conn).await?)
}

/// The ballots of some topics of an area, in the order in which they opened.
pub(crate) async fn of_topics<C: ConnectionTrait>(conn: &C, area: &str, topics: &[Uuid]) -> Result<Vec<ballot::Model>> {
    let rows = ballot::Entity::find()
        .filter(ballot::Column::Area.eq(area))
        .filter(ballot::Column::Topic.is_in(topics.iter().copied()))
        .order_by_asc(ballot::Column::OpenUs)
        .order_by_asc(ballot::Column::Id);
    Ok(rows.all(conn).await?)
}

/// Writes a ballot with its roll.
pub(crate) async fn insert(tx: &Tx<'_>, row: ballot::Model, electors: &[String]) -> Result<()> {
    let (area, id) = (row.area.clone(), row.id);
    ballot::Entity::insert(row.into_active_model()).exec_without_returning(tx.conn()).await?;
    let roll: Vec<Elector> = electors.iter().map(|elector| (elector.clone(), false, String::new())).collect();
    dialect::insert_roll(tx, &area, id, &roll).await
}

/// What came of marking an elector.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Marked {
    /// The elector had not voted; it has now.
    Now,
    /// The elector's vote is in already.
    Before,
    /// There is no such elector.
    Unknown,
}

/// Marks an elector as having voted, with who helped or an empty text; of parallel calls exactly one answers [`Marked::Now`].
pub(crate) async fn mark(tx: &Tx<'_>, area: &str, ballot: Uuid, elector: &str, assisted_by: &str) -> Result<Marked> {
    let sql = "UPDATE roll SET voted = TRUE, assisted_by = $4 \
               WHERE area = $1 AND ballot = $2 AND elector = $3 AND NOT voted";
    if execute(tx, sql, [area.into(), ballot.into(), elector.into(), assisted_by.into()]).await? == 1 {
        return Ok(Marked::Now);
    }
    let sql = "SELECT 1 FROM roll WHERE area = $1 AND ballot = $2 AND elector = $3";
    let found = one(tx, sql, [area.into(), ballot.into(), elector.into()]).await?;
    Ok(if found.is_some() { Marked::Before } else { Marked::Unknown })
}

/// Whether a vote lies in the ballot, under its id while it is pending, under its receipt code when it is published.
pub(crate) async fn holds(tx: &Tx<'_>, area: &str, ballot: Uuid, id: Uuid, receipt: &str) -> Result<bool> {
    let sql = "SELECT 1 FROM vote_pending WHERE area = $1 AND ballot = $2 AND id = $3 \
               UNION ALL SELECT 1 FROM vote WHERE area = $1 AND ballot = $2 AND receipt = $4";
    Ok(one(tx, sql, [area.into(), ballot.into(), id.into(), receipt.into()]).await?.is_some())
}

/// The sealed votes of an open ballot: `(id, vote_enc)`.
pub(crate) async fn pending(tx: &Tx<'_>, area: &str, ballot: Uuid) -> Result<Vec<(Uuid, Vec<u8>)>> {
    let sql = "SELECT id, vote_enc FROM vote_pending WHERE area = $1 AND ballot = $2";
    let rows = all(tx, sql, [area.into(), ballot.into()]).await?;
    rows.iter().map(|row| Ok((row.try_get_by_index(0)?, row.try_get_by_index(1)?))).collect()
}

/// Whether some elector has not voted yet.
pub(crate) async fn some_missing(tx: &Tx<'_>, area: &str, ballot: Uuid) -> Result<bool> {
    let sql = "SELECT 1 FROM roll WHERE area = $1 AND ballot = $2 AND NOT voted LIMIT 1";
    Ok(one(tx, sql, [area.into(), ballot.into()]).await?.is_some())
}

/// Ends a ballot: publishes the votes given in the order of their receipt codes, and writes state and result.
///
/// The pending votes go away, and the roll is written anew in the order of its electors, so that neither the place of a row
/// nor the number of its transaction says who voted when.
pub(crate) async fn end(
    tx: &Tx<'_>,
    area: &str,
    ballot: Uuid,
    mut votes: Vec<(String, i32)>,
    (state, result): (i32, Option<Vec<u8>>),
) -> Result<()> {
    votes.sort_unstable();
    dialect::insert_votes(tx, area, ballot, &votes).await?;
    let key = || [area.into(), ballot.into()];
    execute(tx, "DELETE FROM vote_pending WHERE area = $1 AND ballot = $2", key()).await?;
    let rows = all(tx, "SELECT elector, voted, assisted_by FROM roll WHERE area = $1 AND ballot = $2", key()).await?;
    let mut electors = rows.iter().map(dialect::elector_of).collect::<Result<Vec<Elector>>>()?;
    electors.sort_unstable();
    execute(tx, "DELETE FROM roll WHERE area = $1 AND ballot = $2", key()).await?;
    dialect::insert_roll(tx, area, ballot, &electors).await?;
    let update = ballot::Entity::update_many()
        .col_expr(ballot::Column::State, Expr::value(state))
        .col_expr(ballot::Column::Result, Expr::value(result))
        .filter(ballot::Column::Area.eq(area))
        .filter(ballot::Column::Id.eq(ballot));
    update.exec(tx.conn()).await?;
    Ok(())
}

/// A page of the roll behind an elector, by elector.
pub(crate) async fn roll_page<C: ConnectionTrait>(
    conn: &C,
    area: &str,
    ballot: Uuid,
    page: sea_orm::Condition,
    limit: u64,
) -> Result<Vec<roll::Model>> {
    use sea_orm::QuerySelect as _;
    let rows = roll::Entity::find()
        .filter(roll::Column::Area.eq(area))
        .filter(roll::Column::Ballot.eq(ballot))
        .filter(page)
        .order_by_asc(roll::Column::Elector)
        .limit(limit);
    Ok(rows.all(conn).await?)
}

/// A page of the published votes, by receipt code.
pub(crate) async fn vote_page<C: ConnectionTrait>(
    conn: &C,
    area: &str,
    ballot: Uuid,
    page: sea_orm::Condition,
    limit: u64,
) -> Result<Vec<vote::Model>> {
    use sea_orm::QuerySelect as _;
    let rows = vote::Entity::find()
        .filter(vote::Column::Area.eq(area))
        .filter(vote::Column::Ballot.eq(ballot))
        .filter(page)
        .order_by_asc(vote::Column::Receipt)
        .limit(limit);
    Ok(rows.all(conn).await?)
}
