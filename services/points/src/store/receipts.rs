//! Rows of the receipts of awards.

use linli_kernel::{Id as _, Timestamp};
use linli_kit::Result;
use linli_kit::page::{KeyPart, PageRequest};
use linli_kit::store::{Store, Tx};
use sea_orm::sea_query::{Expr, ExprTrait as _, Query};
use sea_orm::{Condition, ConnectionTrait as _, Order, QueryResult};
use uuid::Uuid;

use super::finders;
use super::rows::get;
use crate::domain::{AwardId, AwardReceiptId};

/// A receipt as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ReceiptRow {
    pub(crate) area: String,
    pub(crate) id: AwardReceiptId,
    pub(crate) event: String,
    /// Name of the binding.
    pub(crate) binding: String,
    pub(crate) source: String,
    /// Id of the person.
    pub(crate) recipient: String,
    /// The award that came of it.
    pub(crate) award: Option<AwardId>,
    pub(crate) verdict: String,
    /// Reasons, rules, facts and the question as an encoded message, sealed.
    pub(crate) spec_enc: Vec<u8>,
    pub(crate) created: Timestamp,
}

pub(crate) fn read(row: &QueryResult) -> Result<ReceiptRow> {
    Ok(ReceiptRow {
        area: get(row, "area")?,
        id: AwardReceiptId::from_uuid(get(row, "id")?),
        event: get(row, "event_id")?,
        binding: get(row, "award_binding")?,
        source: get(row, "source")?,
        recipient: get(row, "recipient")?,
        award: get::<Option<Uuid>>(row, "award_id")?.map(AwardId::from_uuid),
        verdict: get(row, "verdict")?,
        spec_enc: get(row, "spec_enc")?,
        created: Timestamp::from_micros(get(row, "created_us")?),
    })
}

/// Writes receipts.
pub(crate) async fn insert(tx: &Tx<'_>, rows: &[ReceiptRow]) -> Result<()> {
    let sql = "INSERT INTO award_receipt (area, id, event_id, award_binding, source, recipient, award_id, verdict, spec_enc, \
               created_us) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
    for row in rows {
        let values = [
            row.area.clone().into(),
            row.id.uuid().into(),
            row.event.clone().into(),
            row.binding.clone().into(),
            row.source.clone().into(),
            row.recipient.clone().into(),
            row.award.map(linli_kernel::Id::uuid).into(),
            row.verdict.clone().into(),
            row.spec_enc.clone().into(),
            row.created.micros().into(),
        ];
        tx.conn().execute_raw(tx.statement(sql, values)).await?;
    }
    Ok(())
}

/// A receipt.
pub(crate) async fn find(store: &Store, area: &str, id: AwardReceiptId) -> Result<Option<ReceiptRow>> {
    let sql = "SELECT * FROM award_receipt WHERE area = $1 AND id = $2";
    let found = finders::all(store, sql, [area.into(), id.uuid().into()]).await?;
    found.first().map(read).transpose()
}

/// The newest receipts of an area.
pub(crate) async fn newest(store: &Store, area: &str, limit: i64) -> Result<Vec<ReceiptRow>> {
    let sql = "SELECT * FROM award_receipt WHERE area = $1 ORDER BY id DESC LIMIT $2";
    let found = finders::all(store, sql, [area.into(), limit.into()]).await?;
    found.iter().map(read).collect()
}

/// A page of the receipts of a window, newest first, of some bindings (ids) or of all.
pub(crate) async fn decided(
    store: &Store,
    area: &str,
    bindings: &[String],
    (from, until): (Timestamp, Timestamp),
    page: &PageRequest,
) -> Result<(Vec<ReceiptRow>, String)> {
    let mut select = Query::select();
    select.expr(Expr::cust("*")).from("award_receipt");
    select
        .and_where(Expr::col("area").eq(area))
        .and_where(Expr::col("created_us").gte(from.micros()))
        .and_where(Expr::col("created_us").lt(until.micros()));
    if !bindings.is_empty() {
        let mut any = Condition::any();
        for id in bindings {
            any = any.add(Expr::col("award_binding").like(format!("%/awardBindings/{id}")));
        }
        select.cond_where(any);
    }
    select.cond_where(page.condition(&[(Expr::col("id"), Order::Desc)])?);
    select.order_by_expr(Expr::col("id"), Order::Desc).limit(page.limit());
    let found = store.reader().query_all(&select).await?;
    let rows = found.iter().map(read).collect::<Result<_>>()?;
    Ok(page.cut(rows, |row: &ReceiptRow| vec![KeyPart::Id(row.id.uuid())]))
}
