//! Org's rows and the queries on them. Never: a decision.

mod dialect;
pub(crate) mod entities;
pub(crate) mod tables;

use linli_kit::store::{Engine, Store, Tx};
use linli_kit::{Error, ErrorCode, Result};
use sea_orm::sea_query::{Expr, ExprTrait as _};
use sea_orm::{
    ColumnTrait as _, Condition, ConnectionTrait, DbBackend, EntityTrait as _, FromQueryResult, QueryFilter as _,
    QueryOrder as _, QuerySelect as _, Statement, Value,
};

use crate::domain::tree;
use entities::{appointment, area, household, person, unit};

/// Reads one area.
pub(crate) async fn area_of(conn: &impl ConnectionTrait, slug: &str) -> Result<Option<area::Model>> {
    Ok(area::Entity::find_by_id(slug.to_owned()).one(conn).await?)
}

/// Reads one unit.
pub(crate) async fn unit_of(conn: &impl ConnectionTrait, area: &str, id: &str) -> Result<Option<unit::Model>> {
    Ok(unit::Entity::find_by_id((area.to_owned(), id.to_owned())).one(conn).await?)
}

/// Reads several units of one area.
pub(crate) async fn units_of(conn: &impl ConnectionTrait, area: &str, ids: Vec<String>) -> Result<Vec<unit::Model>> {
    let query = unit::Entity::find().filter(unit::Column::Area.eq(area)).filter(unit::Column::Id.is_in(ids));
    Ok(query.all(conn).await?)
}

/// The condition "at or below this path".
pub(crate) fn below(path: &str) -> Condition {
    Condition::all().add(unit::Column::Path.gte(path)).add(unit::Column::Path.lt(tree::upper_bound(path)))
}

/// Units at or below a path; all units of the area for an empty path.
pub(crate) async fn subtree(conn: &impl ConnectionTrait, area: &str, path: &str) -> Result<Vec<unit::Model>> {
    let mut query = unit::Entity::find().filter(unit::Column::Area.eq(area));
    if !path.is_empty() {
        query = query.filter(below(path));
    }
    Ok(query.order_by_asc(unit::Column::Path).all(conn).await?)
}

/// Takes an area's lock for the rest of the transaction: every writer of an area's rows takes it first, so that what one
/// of them has checked still holds when it writes.
///
/// SQLite has one writer; on PostgreSQL the area's row is locked.
pub(crate) async fn lock_area(tx: &Tx<'_>, slug: &str) -> Result<()> {
    if tx.engine() == Engine::Postgres {
        tx.conn().query_one_raw(tx.statement(dialect::postgres::LOCK_AREA, [slug.into()])).await?;
    }
    Ok(())
}

/// Takes the lock of the tree of areas, after that of the area that changes: two areas that each move below the other
/// would both find no cycle.
pub(crate) async fn lock_area_tree(tx: &Tx<'_>) -> Result<()> {
    if tx.engine() == Engine::Postgres {
        tx.conn().query_one_raw(tx.statement(dialect::postgres::LOCK_AREA_TREE, [])).await?;
    }
    Ok(())
}

/// Raises the version by which other processes notice that roles have changed.
pub(crate) async fn roles_changed(tx: &Tx<'_>) -> Result<()> {
    tx.conn().execute_raw(tx.statement("UPDATE roles_version SET version = version + 1 WHERE one = 1", [])).await?;
    Ok(())
}

/// The version by which other processes notice that roles have changed.
pub(crate) async fn roles_version(store: &Store) -> Result<i64> {
    let statement = raw(store.engine(), "SELECT version FROM roles_version WHERE one = 1", []);
    let row = store.reader().query_one_raw(statement).await?;
    row.map_or(Ok(0), |row| row.try_get("", "version").map_err(Error::from))
}

/// A statement for an engine.
pub(crate) fn raw(engine: Engine, sql: &str, values: impl IntoIterator<Item = Value>) -> Statement {
    let backend = match engine {
        Engine::Sqlite => DbBackend::Sqlite,
        Engine::Postgres => DbBackend::Postgres,
    };
    Statement::from_sql_and_values(backend, sql, values)
}

/// One code with a count.
#[derive(Debug, Clone, FromQueryResult)]
pub(crate) struct CodeCount {
    pub(crate) unit: String,
    pub(crate) code: String,
    pub(crate) n: i64,
}

/// Running appointments by unit and role; only those at or below `path` when it is not empty.
pub(crate) async fn holders(conn: &impl ConnectionTrait, area: &str, now_us: i64) -> Result<Vec<CodeCount>> {
    let query = appointment::Entity::find()
        .select_only()
        .column(appointment::Column::Unit)
        .column_as(appointment::Column::Role, "code")
        .column_as(appointment::Column::Id.count(), "n")
        .filter(appointment::Column::Area.eq(area))
        .filter(running(now_us))
        .group_by(appointment::Column::Unit)
        .group_by(appointment::Column::Role);
    Ok(query.into_model::<CodeCount>().all(conn).await?)
}

/// The condition "the term runs at this instant".
pub(crate) fn running(now_us: i64) -> Condition {
    Condition::all().add(appointment::Column::StartUs.lte(now_us)).add(not_over(now_us))
}

/// Adds households and people to a unit's own counts.
///
/// # Errors
/// CONFLICT when there is no such unit any more.
pub(crate) async fn add_counts(tx: &Tx<'_>, area: &str, unit: &str, households: i64, people: i64) -> Result<()> {
    let done = unit::Entity::update_many()
        .col_expr(unit::Column::Households, Expr::col(unit::Column::Households).add(households))
        .col_expr(unit::Column::People, Expr::col(unit::Column::People).add(people))
        .filter(unit::Column::Area.eq(area))
        .filter(unit::Column::Id.eq(unit))
        .exec(tx.conn())
        .await?;
    one_row(done.rows_affected)
}

/// Adds one person to a household.
///
/// # Errors
/// CONFLICT when there is no such household any more.
pub(crate) async fn add_member(tx: &Tx<'_>, area: &str, id: uuid::Uuid, now_us: i64) -> Result<()> {
    let done = household::Entity::update_many()
        .col_expr(household::Column::People, Expr::col(household::Column::People).add(1))
        .col_expr(household::Column::Revision, Expr::col(household::Column::Revision).add(1))
        .col_expr(household::Column::UpdateUs, Expr::value(now_us))
        .filter(household::Column::Area.eq(area))
        .filter(household::Column::Id.eq(id))
        .exec(tx.conn())
        .await?;
    one_row(done.rows_affected)
}

fn one_row(rows: u64) -> Result<()> {
    if rows == 1 { Ok(()) } else { Err(Error::new(ErrorCode::Aborted, "CONFLICT")) }
}

/// Which of these import keys households of the area have already.
pub(crate) async fn household_keys(tx: &Tx<'_>, area: &str, keys: &[String]) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for chunk in keys.chunks(INSERT_CHUNK) {
        let query = household::Entity::find()
            .select_only()
            .column(household::Column::ImportKey)
            .filter(household::Column::Area.eq(area))
            .filter(household::Column::ImportKey.is_in(chunk));
        found.extend(query.into_tuple::<String>().all(tx.conn()).await?);
    }
    Ok(found)
}

/// Which of these import keys people of the area have already.
pub(crate) async fn person_keys(tx: &Tx<'_>, area: &str, keys: &[String]) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for chunk in keys.chunks(INSERT_CHUNK) {
        let query = person::Entity::find()
            .select_only()
            .column(person::Column::ImportKey)
            .filter(person::Column::Area.eq(area))
            .filter(person::Column::ImportKey.is_in(chunk));
        found.extend(query.into_tuple::<String>().all(tx.conn()).await?);
    }
    Ok(found)
}

/// The condition "the term is not over at this instant": it runs or is to come.
pub(crate) fn not_over(now_us: i64) -> Condition {
    Condition::any().add(appointment::Column::EndUs.is_null()).add(appointment::Column::EndUs.gt(now_us))
}

/// Reads people by their ids.
pub(crate) async fn people_of(
    conn: &impl ConnectionTrait,
    area: &str,
    ids: Vec<uuid::Uuid>,
) -> Result<Vec<person::Model>> {
    let query = person::Entity::find().filter(person::Column::Area.eq(area)).filter(person::Column::Id.is_in(ids));
    Ok(query.all(conn).await?)
}

/// Whether anything still belongs to a unit: a child, a household, a person, an appointment.
pub(crate) async fn unit_in_use(tx: &Tx<'_>, area: &str, id: &str) -> Result<Option<&'static str>> {
    let sql = "SELECT CASE
          WHEN EXISTS (SELECT 1 FROM unit WHERE area = $1 AND parent = $2) THEN 'units'
          WHEN EXISTS (SELECT 1 FROM household WHERE area = $1 AND unit = $2) THEN 'households'
          WHEN EXISTS (SELECT 1 FROM person WHERE area = $1 AND unit = $2) THEN 'people'
          WHEN EXISTS (SELECT 1 FROM appointment WHERE area = $1 AND unit = $2) THEN 'appointments'
          ELSE '' END AS used_by";
    let row = tx.conn().query_one_raw(tx.statement(sql, [area.into(), id.into()])).await?;
    let used: String = row.map_or(Ok(String::new()), |row| row.try_get("", "used_by"))?;
    Ok(["units", "households", "people", "appointments"].into_iter().find(|u| *u == used))
}

/// Inserts rows in statements of at most this many, so that no statement has too many parameters.
pub(crate) const INSERT_CHUNK: usize = 200;

/// Reads a household.
pub(crate) async fn household_of(
    conn: &impl ConnectionTrait,
    area: &str,
    id: uuid::Uuid,
) -> Result<Option<household::Model>> {
    Ok(household::Entity::find_by_id((area.to_owned(), id)).one(conn).await?)
}
