//! Rows of awards, and the mark that an event was decided.

use linli_kernel::{Id as _, Timestamp};
use linli_kit::Result;
use linli_kit::store::Tx;
use sea_orm::{ConnectionTrait as _, QueryResult};
use uuid::Uuid;

use super::dialect::{Column, texts, write};
use super::rows::get;
use crate::domain::{AwardId, CardId, TransferId};

/// An award.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AwardRow {
    pub(crate) area: String,
    pub(crate) id: AwardId,
    pub(crate) event: String,
    /// Name of the binding.
    pub(crate) binding: String,
    pub(crate) source: String,
    /// Id of the person.
    pub(crate) recipient: String,
    pub(crate) asset: String,
    pub(crate) value: i64,
    pub(crate) transfer: Option<TransferId>,
    /// Encoded reasons, in the form of the contract.
    pub(crate) reasons: Vec<u8>,
    pub(crate) digest: String,
    pub(crate) created: Timestamp,
}

pub(crate) fn read(row: &QueryResult) -> Result<AwardRow> {
    Ok(AwardRow {
        area: get(row, "area")?,
        id: AwardId::from_uuid(get(row, "id")?),
        event: get(row, "event_id")?,
        binding: get(row, "award_binding")?,
        source: get(row, "source")?,
        recipient: get(row, "recipient")?,
        asset: get(row, "asset")?,
        value: get(row, "value")?,
        transfer: get::<Option<Uuid>>(row, "transfer_id")?.map(TransferId::from_uuid),
        reasons: get(row, "reasons")?,
        digest: get(row, "digest")?,
        created: Timestamp::from_micros(get(row, "created_us")?),
    })
}

/// Marks an event as decided; false when it was before.
pub(crate) async fn decide(tx: &Tx<'_>, area: &str, event: &str, now: Timestamp) -> Result<bool> {
    let sql = "INSERT INTO award_event (area, event_id, decided_us) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING";
    let values = [area.into(), event.into(), now.micros().into()];
    Ok(tx.conn().execute_raw(tx.statement(sql, values)).await?.rows_affected() == 1)
}

/// Whether an award of this key stands already.
pub(crate) async fn stands(
    tx: &Tx<'_>,
    area: &str,
    event: &str,
    binding: &str,
    recipient: &str,
    asset: &str,
) -> Result<bool> {
    let sql = "SELECT 1 AS one FROM award WHERE area = $1 AND event_id = $2 AND award_binding = $3 AND recipient = $4 \
               AND asset = $5";
    let values = [area.into(), event.into(), binding.into(), recipient.into(), asset.into()];
    Ok(tx.conn().query_one_raw(tx.statement(sql, values)).await?.is_some())
}

/// Writes awards; how many were new.
pub(crate) async fn insert(tx: &Tx<'_>, rows: &[AwardRow]) -> Result<u64> {
    let text = |pick: fn(&AwardRow) -> &String| Column::Text(rows.iter().map(|row| pick(row).clone()).collect());
    let columns = vec![
        text(|row| &row.area),
        Column::Id(rows.iter().map(|row| row.id.uuid()).collect()),
        text(|row| &row.event),
        text(|row| &row.binding),
        text(|row| &row.source),
        text(|row| &row.recipient),
        text(|row| &row.asset),
        Column::Int(rows.iter().map(|row| row.value).collect()),
        Column::OptId(rows.iter().map(|row| row.transfer.map(linli_kernel::Id::uuid)).collect()),
        Column::Bytes(rows.iter().map(|row| row.reasons.clone()).collect()),
        text(|row| &row.digest),
        Column::Int(rows.iter().map(|row| row.created.micros()).collect()),
    ];
    write(tx, texts(tx.engine()).insert_awards, columns).await
}

/// Writes which award put how many units on which card.
pub(crate) async fn insert_stamps(tx: &Tx<'_>, area: &str, stamps: &[(CardId, AwardId, i64)]) -> Result<()> {
    let columns = vec![
        Column::Text(vec![area.to_owned(); stamps.len()]),
        Column::Id(stamps.iter().map(|(card, _, _)| card.uuid()).collect()),
        Column::Id(stamps.iter().map(|(_, award, _)| award.uuid()).collect()),
        Column::Int(stamps.iter().map(|(_, _, units)| *units).collect()),
    ];
    write(tx, texts(tx.engine()).insert_stamps, columns).await?;
    Ok(())
}
