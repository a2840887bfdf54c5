//! Rows of receipts.

use linli_kernel::{Id as _, Timestamp};
use linli_kit::Result;
use sea_orm::{ConnectionTrait, QueryResult};

use super::{all, get, one};
use crate::ids::{BookingId, ReceiptId};

/// A receipt as it is stored.
#[derive(Debug, Clone)]
pub(crate) struct ReceiptRow {
    pub(crate) area: String,
    pub(crate) id: ReceiptId,
    pub(crate) booking: BookingId,
    pub(crate) hook: String,
    pub(crate) verdict: String,
    /// Reasons, rules and facts as an encoded message, sealed.
    pub(crate) spec_enc: Vec<u8>,
    pub(crate) created: Timestamp,
}

impl ReceiptRow {
    pub(crate) fn read(row: &QueryResult) -> Result<Self> {
        Ok(Self {
            area: get(row, "area")?,
            id: ReceiptId::from_uuid(get(row, "id")?),
            booking: BookingId::from_uuid(get(row, "booking")?),
            hook: get(row, "hook")?,
            verdict: get(row, "verdict")?,
            spec_enc: get(row, "spec_enc")?,
            created: Timestamp::from_micros(get(row, "create_us")?),
        })
    }
}

/// The receipt of an area.
pub(crate) async fn find<C: ConnectionTrait>(conn: &C, area: &str, id: ReceiptId) -> Result<Option<ReceiptRow>> {
    let sql = "SELECT * FROM receipt WHERE area = $1 AND id = $2";
    let row = one(conn, sql, vec![area.into(), id.uuid().into()]).await?;
    row.as_ref().map(ReceiptRow::read).transpose()
}

/// The newest receipts of an area.
pub(crate) async fn newest<C: ConnectionTrait>(conn: &C, area: &str, limit: i64) -> Result<Vec<ReceiptRow>> {
    let sql = "SELECT * FROM receipt WHERE area = $1 ORDER BY id DESC LIMIT $2";
    let rows = all(conn, sql, vec![area.into(), limit.into()]).await?;
    rows.iter().map(ReceiptRow::read).collect()
}

/// The receipt of the decision by rules that let a booking in.
pub(crate) async fn accepting<C: ConnectionTrait>(
    conn: &C,
    area: &str,
    booking: BookingId,
) -> Result<Option<ReceiptId>> {
    let sql =
        "SELECT id FROM receipt WHERE area = $1 AND booking = $2 AND hook = 'booking-eligibility' ORDER BY id LIMIT 1";
    let row = one(conn, sql, vec![area.into(), booking.uuid().into()]).await?;
    row.map(|row| Ok(ReceiptId::from_uuid(get(&row, "id")?))).transpose()
}
