//! Pages of the receipts of rules, newest first, with whom they were about.

use linli_kernel::{Id as _, Timestamp};
use linli_kit::Result;
use linli_kit::page::{KeyPart, PageRequest};
use linli_kit::store::Store;
use sea_orm::sea_query::{Expr, ExprTrait as _, Query};
use sea_orm::{ConnectionTrait as _, Order};
use uuid::Uuid;

use super::get;
use super::receipts::ReceiptRow;

/// Which receipts.
pub(crate) struct Wanted<'a> {
    pub(crate) area: &'a str,
    pub(crate) hook: &'a str,
    /// Kinds of the bookings; empty: all.
    pub(crate) kinds: &'a [String],
    /// The first instant.
    pub(crate) from: Timestamp,
    /// The first instant that is too late.
    pub(crate) until: Timestamp,
}

/// The least id of a millisecond: ids begin with theirs, so that a window is a range of the primary key.
fn first_of(milliseconds: i64) -> Uuid {
    Uuid::from_u128(u128::try_from(milliseconds).unwrap_or(0) << 80)
}

/// A page of receipts with the residents of their bookings. Refusals that no rule has made are left out.
pub(crate) async fn page(
    store: &Store,
    wanted: &Wanted<'_>,
    page: &PageRequest,
) -> Result<(Vec<(ReceiptRow, String)>, String)> {
    let (receipt, booking) =
        (|column: &'static str| Expr::col(("r", column)), |column: &'static str| Expr::col(("b", column)));
    let (from, until) = (wanted.from.micros(), wanted.until.micros());
    let mut select = Query::select();
    select.column(("r", sea_orm::sea_query::Asterisk)).expr_as(booking("resident"), "resident").from_as("receipt", "r");
    let joined =
        sea_orm::Condition::all().add(booking("area").eq(receipt("area"))).add(booking("id").eq(receipt("booking")));
    select.join_as(sea_orm::JoinType::InnerJoin, "booking", "b", joined);
    select
        .and_where(receipt("area").eq(wanted.area))
        .and_where(receipt("hook").eq(wanted.hook))
        .and_where(receipt("verdict").ne("refused"))
        .and_where(receipt("id").gte(first_of(from.div_euclid(1000))))
        .and_where(receipt("id").lt(first_of(until.div_euclid(1000) + 1)))
        .and_where(receipt("create_us").gte(from))
        .and_where(receipt("create_us").lt(until));
    if !wanted.kinds.is_empty() {
        select.and_where(booking("kind").is_in(wanted.kinds.iter().map(String::as_str)));
    }
    select.cond_where(page.condition(&[(receipt("id"), Order::Desc)])?);
    select.order_by_expr(receipt("id"), Order::Desc).limit(page.limit());
    let found = store.reader().query_all(&select).await?;
    let rows = found.iter().map(|row| Ok((ReceiptRow::read(row)?, get(row, "resident")?)));
    Ok(page.cut(rows.collect::<Result<_>>()?, |(row, _)| vec![KeyPart::Id(row.id.uuid())]))
}
