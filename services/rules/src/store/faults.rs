//! Faults of versions, counted for all processes together. Never: a row per fault, or one that outlives every window.

use linli_kit::Result;
use linli_kit::store::Tx;
use sea_orm::sea_query::{Expr, OnConflict};
use sea_orm::{
    ActiveModelTrait as _, ColumnTrait as _, EntityTrait as _, ExprTrait as _, IntoActiveModel as _, QueryFilter as _,
    QuerySelect as _,
};

use super::VersionRow;
use super::entities::fault;

/// Adds faults of a version; returns how many there were after `since`. Older ones go.
pub(crate) async fn add(tx: &Tx<'_>, row: fault::Model, since_us: i64) -> Result<i64> {
    let (area, version) = (row.area.clone(), row.version);
    fault::Entity::delete_many()
        .filter(fault::Column::Area.eq(&area))
        .filter(fault::Column::Version.eq(version))
        .filter(fault::Column::AtUs.lte(since_us))
        .exec(tx.conn())
        .await?;
    let more = row.faults;
    // Two processes may count in the same microsecond.
    let add = OnConflict::columns([fault::Column::Area, fault::Column::Version, fault::Column::AtUs])
        .value(fault::Column::Faults, Expr::col((fault::Entity, fault::Column::Faults)).add(more))
        .to_owned();
    fault::Entity::insert(row.into_active_model().reset_all())
        .on_conflict(add)
        .exec_without_returning(tx.conn())
        .await?;
    let counted: Vec<i32> = fault::Entity::find()
        .select_only()
        .column(fault::Column::Faults)
        .filter(fault::Column::Area.eq(area))
        .filter(fault::Column::Version.eq(version))
        .into_tuple()
        .all(tx.conn())
        .await?;
    Ok(counted.into_iter().map(i64::from).sum())
}

/// Forgets the faults of a version.
pub(crate) async fn forget(tx: &Tx<'_>, version: &VersionRow) -> Result<()> {
    fault::Entity::delete_many()
        .filter(fault::Column::Area.eq(&version.area))
        .filter(fault::Column::Version.eq(version.id))
        .exec(tx.conn())
        .await?;
    Ok(())
}
