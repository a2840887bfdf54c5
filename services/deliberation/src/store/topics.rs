//! Topics, their way through the stages, their records and archives.

use linli_kit::Result;
use linli_kit::store::Tx;
use sea_orm::ActiveModelTrait as _;
use sea_orm::IntoActiveModel as _;
use sea_orm::sea_query::{Expr, ExprTrait as _};
use sea_orm::{
    ColumnTrait as _, ConnectionTrait, EntityTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect as _,
};
use uuid::Uuid;

use super::entity::{archive, stage_record, topic, topic_stage};

/// One topic.
pub(crate) async fn find<C: ConnectionTrait>(conn: &C, area: &str, id: Uuid) -> Result<Option<topic::Model>> {
    Ok(topic::Entity::find_by_id((area.to_owned(), id)).one(conn).await?)
}

/// Takes hold of a topic for a change: raises its revision, so that changes of one topic come one after the other.
pub(crate) async fn touch(tx: &Tx<'_>, area: &str, id: Uuid, now_us: i64) -> Result<Option<topic::Model>> {
    let update = topic::Entity::update_many()
        .col_expr(topic::Column::Revision, Expr::col(topic::Column::Revision).add(1))
        .col_expr(topic::Column::UpdateUs, Expr::value(now_us))
        .filter(topic::Column::Area.eq(area))
        .filter(topic::Column::Id.eq(id));
    Ok(update.exec_with_returning(tx.conn()).await?.into_iter().next())
}

/// Writes a new topic and its entry into the first stage.
pub(crate) async fn insert(tx: &Tx<'_>, row: topic::Model) -> Result<()> {
    let entry = entry(&row);
    row.into_active_model().insert(tx.conn()).await?;
    topic_stage::Entity::insert(entry.into_active_model()).exec_without_returning(tx.conn()).await?;
    Ok(())
}

/// Writes stage, state and file size of a topic that was touched, and the entry when it came to a new stage.
pub(crate) async fn move_to(tx: &Tx<'_>, row: &topic::Model, entered: bool) -> Result<()> {
    let update = topic::Entity::update_many()
        .col_expr(topic::Column::Ordinal, Expr::value(row.ordinal))
        .col_expr(topic::Column::Stage, Expr::value(row.stage.clone()))
        .col_expr(topic::Column::StageUs, Expr::value(row.stage_us))
        .col_expr(topic::Column::State, Expr::value(row.state))
        .col_expr(topic::Column::FileBytes, Expr::value(row.file_bytes))
        .filter(topic::Column::Area.eq(&row.area))
        .filter(topic::Column::Id.eq(row.id));
    update.exec(tx.conn()).await?;
    if entered {
        topic_stage::Entity::insert(entry(row).into_active_model()).exec_without_returning(tx.conn()).await?;
    }
    Ok(())
}

fn entry(row: &topic::Model) -> topic_stage::Model {
    topic_stage::Model {
        area: row.area.clone(),
        topic: row.id,
        ordinal: row.ordinal,
        stage: row.stage.clone(),
        entered_us: row.stage_us,
    }
}

/// Records a support, with who helped or an empty text; false when the person supported the topic before.
pub(crate) async fn support(
    tx: &Tx<'_>,
    (area, id): (&str, Uuid),
    supporter: &[u8],
    assisted_by: &str,
    now_us: i64,
) -> Result<bool> {
    let sql = "INSERT INTO support (area, topic, supporter_idx, assisted_by) VALUES ($1, $2, $3, $4) \
               ON CONFLICT DO NOTHING";
    if super::execute(tx, sql, [area.into(), id.into(), supporter.to_vec().into(), assisted_by.into()]).await? == 0 {
        return Ok(false);
    }
    let sql = "UPDATE topic SET supports = supports + 1, assisted_supports = assisted_supports + $4, \
               revision = revision + 1, update_us = $3 WHERE area = $1 AND id = $2";
    let assisted = i32::from(!assisted_by.is_empty());
    super::execute(tx, sql, [area.into(), id.into(), now_us.into(), assisted.into()]).await?;
    Ok(true)
}

/// The entries of a topic into its stages, in order.
pub(crate) async fn history<C: ConnectionTrait>(conn: &C, area: &str, id: Uuid) -> Result<Vec<topic_stage::Model>> {
    let rows = topic_stage::Entity::find()
        .filter(topic_stage::Column::Area.eq(area))
        .filter(topic_stage::Column::Topic.eq(id))
        .order_by_asc(topic_stage::Column::Ordinal);
    Ok(rows.all(conn).await?)
}

/// The records of a topic in the order in which they were made; of one stage when it is given.
pub(crate) async fn records<C: ConnectionTrait>(
    conn: &C,
    area: &str,
    topic: Uuid,
    stage: Option<&str>,
) -> Result<Vec<stage_record::Model>> {
    let mut rows = stage_record::Entity::find()
        .filter(stage_record::Column::Area.eq(area))
        .filter(stage_record::Column::Topic.eq(topic));
    if let Some(stage) = stage {
        rows = rows.filter(stage_record::Column::Stage.eq(stage));
    }
    let rows = rows.order_by_asc(stage_record::Column::CreateUs).order_by_asc(stage_record::Column::Id);
    Ok(rows.all(conn).await?)
}

/// What conditions ask about a record: all but its text.
#[derive(Debug, Clone, sea_orm::FromQueryResult)]
pub(crate) struct RecordHead {
    /// The topic.
    pub(crate) topic: Uuid,
    /// The stage.
    pub(crate) stage: String,
    /// Kind code.
    pub(crate) kind: String,
    /// What it decided.
    pub(crate) outcome: i32,
    /// Role of the recorder.
    pub(crate) role: String,
    /// When.
    pub(crate) create_us: i64,
}

/// The heads of the records of some topics of an area, in the order in which they were made.
pub(crate) async fn heads<C: ConnectionTrait>(conn: &C, area: &str, topics: &[Uuid]) -> Result<Vec<RecordHead>> {
    use stage_record::Column;
    let rows = stage_record::Entity::find()
        .select_only()
        .columns([Column::Topic, Column::Stage, Column::Kind, Column::Outcome, Column::Role, Column::CreateUs])
        .filter(Column::Area.eq(area))
        .filter(Column::Topic.is_in(topics.iter().copied()))
        .order_by_asc(Column::CreateUs)
        .order_by_asc(Column::Id);
    Ok(rows.into_model::<RecordHead>().all(conn).await?)
}

/// Writes a record.
pub(crate) async fn insert_record(tx: &Tx<'_>, row: stage_record::Model) -> Result<()> {
    stage_record::Entity::insert(row.into_active_model()).exec_without_returning(tx.conn()).await?;
    Ok(())
}

/// One record.
pub(crate) async fn find_record<C: ConnectionTrait>(
    conn: &C,
    area: &str,
    id: Uuid,
) -> Result<Option<stage_record::Model>> {
    Ok(stage_record::Entity::find_by_id((area.to_owned(), id)).one(conn).await?)
}

/// Writes an archive.
pub(crate) async fn insert_archive(tx: &Tx<'_>, row: archive::Model) -> Result<()> {
    archive::Entity::insert(row.into_active_model()).exec_without_returning(tx.conn()).await?;
    Ok(())
}

/// One archive.
pub(crate) async fn find_archive<C: ConnectionTrait>(conn: &C, area: &str, id: Uuid) -> Result<Option<archive::Model>> {
    Ok(archive::Entity::find_by_id((area.to_owned(), id)).one(conn).await?)
}

/// The oldest topic that follows a process template.
pub(crate) async fn first_of_template<C: ConnectionTrait>(conn: &C, template: &str) -> Result<Option<(String, Uuid)>> {
    let row = topic::Entity::find()
        .select_only()
        .columns([topic::Column::Area, topic::Column::Id])
        .filter(topic::Column::Template.eq(template))
        .limit(1);
    Ok(row.into_tuple::<(String, Uuid)>().one(conn).await?)
}
