//! Queries that recount the invariants, a piece at a time.

use linli_kit::Result;
use sea_orm::{
    ColumnTrait as _, Condition, ConnectionTrait, DatabaseConnection, DbBackend, EntityTrait as _, QueryFilter as _,
    QueryOrder as _, QuerySelect as _, Statement,
};
use uuid::Uuid;

use super::entity::{archive, topic, topic_stage};

/// Rows looked at with one query.
const CHUNK: u64 = 200;

/// What the rows of a ballot amount to.
#[derive(Debug, Clone, PartialEq, Eq, sea_orm::FromQueryResult)]
pub(crate) struct BallotCount {
    /// The ballot.
    pub(crate) id: Uuid,
    /// Where it stands.
    pub(crate) state: i32,
    /// Stage of its topic at which it opened.
    pub(crate) stage: String,
    /// Process of its topic.
    pub(crate) process: Option<Vec<u8>>,
    /// Electors that it states.
    pub(crate) electors: i32,
    /// Rows of its roll.
    pub(crate) roll: i64,
    /// Of these, those that voted.
    pub(crate) voted: i64,
    /// Votes not yet published.
    pub(crate) pending: i64,
    /// Published votes.
    pub(crate) published: i64,
    /// Of these, yes.
    pub(crate) yes: i64,
    /// Of these, no.
    pub(crate) no: i64,
    /// Of these, abstentions.
    pub(crate) abstain: i64,
    /// The rule.
    pub(crate) rule: Vec<u8>,
    /// The published result.
    pub(crate) result: Option<Vec<u8>>,
}

/// Counts the ballots of an area behind an id, each with one snapshot of its rows.
pub(crate) async fn ballots(conn: &DatabaseConnection, area: &str, after: Uuid) -> Result<Vec<BallotCount>> {
    use sea_orm::FromQueryResult as _;
    let sql = "SELECT b.id, b.state, b.electors, b.rule, b.result, b.stage, \
         (SELECT t.process FROM topic t WHERE t.area = b.area AND t.id = b.topic) AS process, \
         (SELECT count(*) FROM roll r WHERE r.area = b.area AND r.ballot = b.id) AS roll, \
         (SELECT count(*) FROM roll r WHERE r.area = b.area AND r.ballot = b.id AND r.voted) AS voted, \
         (SELECT count(*) FROM vote_pending p WHERE p.area = b.area AND p.ballot = b.id) AS pending, \
         (SELECT count(*) FROM vote v WHERE v.area = b.area AND v.ballot = b.id) AS published, \
         (SELECT count(*) FROM vote v WHERE v.area = b.area AND v.ballot = b.id AND v.choice = 1) AS yes, \
         (SELECT count(*) FROM vote v WHERE v.area = b.area AND v.ballot = b.id AND v.choice = 2) AS no, \
         (SELECT count(*) FROM vote v WHERE v.area = b.area AND v.ballot = b.id AND v.choice = 3) AS abstain \
         FROM ballot b WHERE b.area = $1 AND b.id > $2 ORDER BY b.id LIMIT 200";
    let backend: DbBackend = conn.get_database_backend();
    let statement = Statement::from_sql_and_values(backend, sql, [area.into(), after.into()]);
    Ok(BallotCount::find_by_statement(statement).all(conn).await?)
}

/// Whether a query of [`ballots`], [`topics`] or [`archives`] was the last one.
pub(crate) fn is_last(rows: usize) -> bool {
    (rows as u64) < CHUNK
}

/// Topics of an area behind an id.
pub(crate) async fn topics(conn: &DatabaseConnection, area: &str, after: Uuid) -> Result<Vec<topic::Model>> {
    let behind = Condition::all().add(topic::Column::Area.eq(area)).add(topic::Column::Id.gt(after));
    let rows = topic::Entity::find().filter(behind).order_by_asc(topic::Column::Id).limit(CHUNK);
    Ok(rows.all(conn).await?)
}

/// The entries of some topics into their stages, by topic and ordinal.
pub(crate) async fn entries(conn: &DatabaseConnection, area: &str, ids: &[Uuid]) -> Result<Vec<topic_stage::Model>> {
    let rows = topic_stage::Entity::find()
        .filter(topic_stage::Column::Area.eq(area))
        .filter(topic_stage::Column::Topic.is_in(ids.iter().copied()))
        .order_by_asc(topic_stage::Column::Topic)
        .order_by_asc(topic_stage::Column::Ordinal);
    Ok(rows.all(conn).await?)
}

/// Archives of an area behind an id.
pub(crate) async fn archives(conn: &DatabaseConnection, area: &str, after: Uuid) -> Result<Vec<archive::Model>> {
    let behind = Condition::all().add(archive::Column::Area.eq(area)).add(archive::Column::Id.gt(after));
    let rows = archive::Entity::find().filter(behind).order_by_asc(archive::Column::Id).limit(CHUNK);
    Ok(rows.all(conn).await?)
}

/// Topics of an area that are archived and have no archive, or the other way round.
pub(crate) async fn unfiled(conn: &DatabaseConnection, area: &str, archived: i32) -> Result<Vec<Uuid>> {
    let sql = "SELECT t.id FROM topic t LEFT JOIN archive a ON a.area = t.area AND a.topic = t.id \
               WHERE t.area = $1 AND (t.state = $2) <> (a.id IS NOT NULL) ORDER BY t.id LIMIT 100";
    let backend = conn.get_database_backend();
    let rows = conn.query_all_raw(Statement::from_sql_and_values(backend, sql, [area.into(), archived.into()])).await?;
    rows.iter().map(|row| Ok(row.try_get_by_index(0)?)).collect()
}
