//! What is asked across catalogue resources, and the one menu per offering and day.

use linli_kit::store::Tx;
use linli_kit::{Error, Result};
use sea_orm::ConnectionTrait;
use uuid::Uuid;

use super::{all, execute, get, one};
use crate::ids::BookingId;

/// All resources of a collection, with area and id; their names are not filled in.
pub(crate) async fn specs<M: prost::Message + Default>(
    conn: &impl ConnectionTrait,
    collection: &str,
) -> Result<Vec<(String, String, M)>> {
    let sql = "SELECT area, id, spec FROM catalogue WHERE collection = $1";
    let rows = all(conn, sql, vec![collection.into()]).await?;
    let read = |row: &sea_orm::QueryResult| {
        let spec: Vec<u8> = get(row, "spec")?;
        Ok((get(row, "area")?, get(row, "id")?, M::decode(spec.as_slice()).map_err(Error::internal)?))
    };
    rows.iter().map(read).collect()
}

/// One resource of a collection with its revision, as it stands now; its name is not filled in. No lock is taken.
pub(crate) async fn spec<M: prost::Message + Default>(
    conn: &impl ConnectionTrait,
    area: &str,
    collection: &str,
    id: &str,
) -> Result<Option<(M, i64)>> {
    let sql = "SELECT spec, revision FROM catalogue WHERE area = $1 AND collection = $2 AND id = $3";
    let Some(row) = one(conn, sql, vec![area.into(), collection.into(), id.into()]).await? else { return Ok(None) };
    let spec: Vec<u8> = get(&row, "spec")?;
    Ok(Some((M::decode(spec.as_slice()).map_err(Error::internal)?, get(&row, "revision")?)))
}

/// An open booking of an offering.
pub(crate) async fn open_booking_of(conn: &impl ConnectionTrait, offering: &str) -> Result<Option<String>> {
    let sql = "SELECT area, id FROM booking WHERE offering = $1 AND state <= 4 LIMIT 1";
    let row = one(conn, sql, vec![offering.into()]).await?;
    let name = |row: sea_orm::QueryResult| {
        let id = <BookingId as linli_kernel::Id>::from_uuid(get::<Uuid>(&row, "id")?);
        Ok(format!("areas/{}/bookings/{id}", get::<String>(&row, "area")?))
    };
    row.map(name).transpose()
}

/// Makes `menu` the menu of its day; the other one when there is one already.
pub(crate) async fn claim_day(
    tx: &Tx<'_>,
    area: &str,
    offering: &str,
    day: &str,
    menu: &str,
) -> Result<Option<String>> {
    release_day(tx, area, menu).await?;
    let sql = "INSERT INTO menu_day (area, offering, day, menu) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING";
    if execute(tx, sql, vec![area.into(), offering.into(), day.into(), menu.into()]).await? == 1 {
        return Ok(None);
    }
    menu_of(tx.conn(), area, offering, day).await
}

/// Gives the day of a menu back.
pub(crate) async fn release_day(tx: &Tx<'_>, area: &str, menu: &str) -> Result<()> {
    let sql = "DELETE FROM menu_day WHERE area = $1 AND menu = $2";
    execute(tx, sql, vec![area.into(), menu.into()]).await.map(|_| ())
}

/// The menu of an offering and day.
pub(crate) async fn menu_of(
    conn: &impl ConnectionTrait,
    area: &str,
    offering: &str,
    day: &str,
) -> Result<Option<String>> {
    let sql = "SELECT menu FROM menu_day WHERE area = $1 AND offering = $2 AND day = $3";
    one(conn, sql, vec![area.into(), offering.into(), day.into()]).await?.map(|row| get(&row, "menu")).transpose()
}

/// The revisions of catalogue resources, in the order of the keys `(area, collection, id)`; 0 for those that are gone.
pub(crate) async fn revisions(tx: &Tx<'_>, keys: &[(String, &'static str, String)]) -> Result<Vec<i64>> {
    // Few distinct offerings stand in one batch, so that a statement each is as good as arrays.
    let sql = "SELECT revision FROM catalogue WHERE area = $1 AND collection = $2 AND id = $3";
    let mut revisions = Vec::with_capacity(keys.len());
    for (area, collection, id) in keys {
        let row = one(tx.conn(), sql, vec![area.clone().into(), (*collection).into(), id.clone().into()]).await?;
        revisions.push(row.map_or(Ok(0), |row| get(&row, "revision"))?);
    }
    Ok(revisions)
}

/// Sets when the slots of a schedule are to be extended next; `None`: never.
pub(crate) async fn set_horizon(tx: &Tx<'_>, area: &str, schedule: &str, extend_us: Option<i64>) -> Result<()> {
    let Some(extend_us) = extend_us else {
        let sql = "DELETE FROM schedule_horizon WHERE area = $1 AND schedule = $2";
        return execute(tx, sql, vec![area.into(), schedule.into()]).await.map(|_| ());
    };
    let sql = "INSERT INTO schedule_horizon (area, schedule, extend_us) VALUES ($1, $2, $3) \
               ON CONFLICT (area, schedule) DO UPDATE SET extend_us = excluded.extend_us";
    execute(tx, sql, vec![area.into(), schedule.into(), extend_us.into()]).await.map(|_| ())
}

/// Looks at a schedule again later, when it is to be extended at all.
pub(crate) async fn postpone_horizon(tx: &Tx<'_>, area: &str, schedule: &str, extend_us: i64) -> Result<()> {
    let sql = "UPDATE schedule_horizon SET extend_us = $3 WHERE area = $1 AND schedule = $2";
    execute(tx, sql, vec![area.into(), schedule.into(), extend_us.into()]).await.map(|_| ())
}

/// Schedules whose slots are to be extended, as `(area, id)`.
pub(crate) async fn due_horizons(conn: &impl ConnectionTrait, now_us: i64) -> Result<Vec<(String, String)>> {
    let sql = "SELECT area, schedule FROM schedule_horizon WHERE extend_us <= $1 ORDER BY extend_us LIMIT 50";
    let rows = all(conn, sql, vec![now_us.into()]).await?;
    rows.iter().map(|row| Ok((get(row, "area")?, get(row, "schedule")?))).collect()
}
