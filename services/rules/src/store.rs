//! Rules' rows and the queries on them. Never: a decision.

pub(crate) mod changes;
mod dialect;
pub(crate) mod entities;
pub(crate) mod faults;
pub(crate) mod tables;

use linli_kernel::{AreaId, Id as _};
use linli_kit::store::{Engine, Tx};
use linli_kit::{Error, Result};
use sea_orm::{
    ActiveModelTrait as _, ColumnTrait as _, ConnectionTrait, EntityTrait as _, IntoActiveModel as _,
    PaginatorTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect as _,
};
use serde::de::DeserializeOwned;
use uuid::Uuid;

use crate::domain::version::{KeptManifest, KeptProblem, KeptQuarantine, PluginVersionId, State};
use entities::version;

pub(crate) use version::Model as VersionRow;

impl VersionRow {
    /// Its resource name.
    pub(crate) fn name(&self) -> String {
        format!("areas/{}/pluginVersions/{}", self.area, PluginVersionId::from_uuid(self.id))
    }

    /// Where it stands.
    pub(crate) fn state(&self) -> State {
        State::of(self.state)
    }

    /// Codes of the hooks that it answers.
    pub(crate) fn hooks(&self) -> Result<Vec<String>> {
        read(&self.hooks)
    }

    /// What validation found wrong.
    pub(crate) fn problems(&self) -> Result<Vec<KeptProblem>> {
        read(&self.problems)
    }

    /// Why it is not asked any more.
    pub(crate) fn quarantine(&self) -> Result<Option<KeptQuarantine>> {
        if self.quarantine.is_empty() {
            Ok(None)
        } else {
            serde_json::from_str(&self.quarantine).map_err(Error::internal)
        }
    }

    /// What it says of itself, once known.
    pub(crate) fn manifest(&self) -> Result<Option<KeptManifest>> {
        if self.manifest.is_empty() { Ok(None) } else { serde_json::from_str(&self.manifest).map_err(Error::internal) }
    }
}

/// JSON of a column; an empty text is an empty value.
fn read<T: DeserializeOwned + Default>(text: &str) -> Result<T> {
    if text.is_empty() { Ok(T::default()) } else { serde_json::from_str(text).map_err(Error::internal) }
}

/// Reads one version.
pub(crate) async fn version_of(
    conn: &impl ConnectionTrait,
    area: &AreaId,
    id: PluginVersionId,
) -> Result<Option<VersionRow>> {
    Ok(version::Entity::find_by_id((area.as_str().to_owned(), id.uuid())).one(conn).await?)
}

/// Reads versions of several areas by their ids.
pub(crate) async fn versions_of(
    conn: &impl ConnectionTrait,
    areas: &[String],
    ids: Vec<Uuid>,
) -> Result<Vec<VersionRow>> {
    let query = version::Entity::find()
        .filter(version::Column::Area.is_in(areas.iter().map(String::as_str)))
        .filter(version::Column::Id.is_in(ids));
    Ok(query.all(conn).await?)
}

/// All versions of an area.
pub(crate) async fn versions_in(conn: &impl ConnectionTrait, area: &str) -> Result<Vec<VersionRow>> {
    let query = version::Entity::find().filter(version::Column::Area.eq(area)).order_by_asc(version::Column::Id);
    Ok(query.all(conn).await?)
}

/// The version of a plugin that has these bytes.
pub(crate) async fn version_by_digest(
    conn: &impl ConnectionTrait,
    area: &str,
    plugin: &str,
    digest: &str,
) -> Result<Option<VersionRow>> {
    let query = version::Entity::find()
        .filter(version::Column::Area.eq(area))
        .filter(version::Column::Plugin.eq(plugin))
        .filter(version::Column::Digest.eq(digest));
    Ok(query.one(conn).await?)
}

/// Any version of a plugin.
pub(crate) async fn any_version(conn: &impl ConnectionTrait, area: &str, plugin: &str) -> Result<Option<VersionRow>> {
    let query = version::Entity::find()
        .filter(version::Column::Area.eq(area))
        .filter(version::Column::Plugin.eq(plugin))
        .limit(1);
    Ok(query.one(conn).await?)
}

/// Reads a version and keeps others from changing it until the end of the transaction.
///
/// SQLite has one writer; on PostgreSQL the row is locked.
pub(crate) async fn lock_version(tx: &Tx<'_>, area: &AreaId, id: PluginVersionId) -> Result<Option<VersionRow>> {
    if tx.engine() == Engine::Postgres {
        let key = [area.as_str().into(), id.uuid().into()];
        tx.conn().query_one_raw(tx.statement(dialect::postgres::LOCK_VERSION, key)).await?;
    }
    version_of(tx.conn(), area, id).await
}

/// Lets one transaction at a time change which versions and bindings an area has: their numbers are bounded, and a version
/// goes only while nothing names it.
///
/// SQLite has one writer.
pub(crate) async fn lock_area(tx: &Tx<'_>, area: &str) -> Result<()> {
    if tx.engine() == Engine::Postgres {
        tx.conn().query_one_raw(tx.statement(dialect::postgres::LOCK_AREA, [area.into()])).await?;
    }
    Ok(())
}

/// How many versions an area has, in one state or in any.
pub(crate) async fn count_versions(conn: &impl ConnectionTrait, area: &str, state: Option<State>) -> Result<u64> {
    let mut query = version::Entity::find().filter(version::Column::Area.eq(area));
    if let Some(state) = state {
        query = query.filter(version::Column::State.eq(state.number()));
    }
    Ok(query.count(conn).await?)
}

/// Bytes of all versions of an area.
pub(crate) async fn bytes_of_versions(conn: &impl ConnectionTrait, area: &str) -> Result<i64> {
    let query = version::Entity::find().filter(version::Column::Area.eq(area)).select_only();
    let sizes: Vec<i64> = query.column(version::Column::SizeBytes).into_tuple().all(conn).await?;
    Ok(sizes.into_iter().sum())
}

/// Which of these digests some version of any area has.
pub(crate) async fn digests_in_use(conn: &impl ConnectionTrait, digests: &[String]) -> Result<Vec<String>> {
    let query = version::Entity::find().filter(version::Column::Digest.is_in(digests.iter().map(String::as_str)));
    Ok(query.select_only().column(version::Column::Digest).distinct().into_tuple().all(conn).await?)
}

/// Deletes a version. Its bytes stay until nobody has them and the sweep comes by.
pub(crate) async fn delete_version(tx: &Tx<'_>, row: &VersionRow) -> Result<()> {
    faults::forget(tx, row).await?;
    version::Entity::delete_by_id((row.area.clone(), row.id)).exec(tx.conn()).await?;
    Ok(())
}

/// Writes a new version, whose bytes are kept already.
pub(crate) async fn insert_version(tx: &Tx<'_>, row: &VersionRow) -> Result<()> {
    row.clone().into_active_model().reset_all().insert(tx.conn()).await?;
    Ok(())
}

/// Writes a version anew.
pub(crate) async fn update_version(tx: &Tx<'_>, row: &VersionRow) -> Result<()> {
    row.clone().into_active_model().reset_all().update(tx.conn()).await?;
    Ok(())
}
