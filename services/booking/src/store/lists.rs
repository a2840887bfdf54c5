//! Pages of slots, bookings and receipts: scope, filter, key.

use linli_access::{Scope, Within};
use linli_kernel::{Id, Name};
use linli_kit::Result;
use linli_kit::filter::{FilterField, Kind, OrderField, condition, order_by};
use linli_kit::page::{KeyPart, PageRequest};
use linli_kit::store::Store;
use sea_orm::sea_query::{Asterisk, Expr, ExprTrait as _, Query, SelectStatement};
use sea_orm::{Condition, ConnectionTrait as _, Order, Value};

use super::bookings::BookingRow;
use super::receipts::ReceiptRow;
use super::slots::SlotRow;
use crate::ids::{BookingId, SlotId};

fn id_in<I: Id>(name: &str, collection: &str) -> Option<Value> {
    Name::parse(name, collection).ok()?.typed::<I>().ok().map(|id| id.uuid().into())
}

/// What the caller may see of bookings.
fn visible(scope: &Scope) -> Condition {
    let mut any = Condition::any();
    for (area, within) in &scope.areas {
        let all = Condition::all().add(Expr::col("area").eq(area.as_str()));
        any = any.add(match within {
            Within::All => all,
            Within::Person(person) => all.add(Expr::col("resident").eq(person.as_str())),
            Within::Units(units) => {
                let here = |column: &'static str| Expr::col(column).is_in(units.iter().map(String::as_str));
                all.add(Condition::any().add(here("unit")).add(here("station_unit")))
            }
        });
    }
    if scope.areas.is_empty() { any.add(Expr::cust("1 = 0")) } else { any }
}

fn ordered(select: &mut SelectStatement, page: &PageRequest, columns: &[(Expr, Order)]) -> Result<()> {
    select.cond_where(page.condition(columns)?).limit(page.limit());
    for (column, order) in columns {
        select.order_by_expr(column.clone(), order.clone());
    }
    Ok(())
}

/// A page of slots by their begin.
pub(crate) async fn slots(
    store: &Store,
    areas: &[String],
    page: &PageRequest,
    filter: &str,
    order: &str,
) -> Result<(Vec<SlotRow>, String)> {
    let fields = [
        FilterField::new("offering", Kind::Text, Expr::col("offering")),
        FilterField::new("schedule", Kind::Text, Expr::col("schedule")),
        FilterField::new("state", Kind::proto_enum("linli.booking.v1.SlotState"), Expr::col("state")),
        FilterField::new("start_time", Kind::Timestamp, Expr::col("start_us")),
    ];
    let asked = order_by(order, &[OrderField::new("start_time", Expr::col("start_us"))])?;
    let direction = asked.first().map_or(Order::Asc, |(_, direction)| direction.clone());
    let columns = [(Expr::col("start_us"), direction.clone()), (Expr::col("id"), direction)];
    let mut select = Query::select();
    select.column(Asterisk).from("slot");
    select.and_where(Expr::col("area").is_in(areas.iter().map(String::as_str)));
    select.cond_where(condition(filter, &fields)?);
    ordered(&mut select, page, &columns)?;
    let rows = store.reader().query_all(&select).await?;
    let rows = rows.iter().map(SlotRow::read).collect::<Result<Vec<_>>>()?;
    Ok(page.cut(rows, |row| vec![KeyPart::Int(row.start.micros()), KeyPart::Id(row.id.uuid())]))
}

/// A page of bookings by their creation.
pub(crate) async fn bookings(
    store: &Store,
    scope: &Scope,
    page: &PageRequest,
    filter: &str,
    order: &str,
) -> Result<(Vec<BookingRow>, String)> {
    let fields = [
        FilterField::new("slot", Kind::Ref(|name| id_in::<SlotId>(name, "slots")), Expr::col("slot")),
        FilterField::new("offering", Kind::Text, Expr::col("offering")),
        FilterField::new("resident", Kind::Text, Expr::col("resident")),
        FilterField::new("state", Kind::proto_enum("linli.booking.v1.BookingState"), Expr::col("state")),
    ];
    let asked = order_by(order, &[OrderField::new("create_time", Expr::col("create_us"))])?;
    let direction = asked.first().map_or(Order::Asc, |(_, direction)| direction.clone());
    let columns = [(Expr::col("create_us"), direction.clone()), (Expr::col("id"), direction)];
    let mut select = Query::select();
    select.column(Asterisk).from("booking").cond_where(visible(scope)).cond_where(condition(filter, &fields)?);
    ordered(&mut select, page, &columns)?;
    let rows = store.reader().query_all(&select).await?;
    let rows = rows.iter().map(BookingRow::read).collect::<Result<Vec<_>>>()?;
    Ok(page.cut(rows, |row| vec![KeyPart::Int(row.created.micros()), KeyPart::Id(row.id.uuid())]))
}

/// A page of receipts by name, of the bookings that the caller may see.
pub(crate) async fn receipts(
    store: &Store,
    scope: &Scope,
    page: &PageRequest,
    filter: &str,
    order: &str,
) -> Result<(Vec<ReceiptRow>, String)> {
    let fields = [
        FilterField::new("booking", Kind::Ref(|name| id_in::<BookingId>(name, "bookings")), Expr::col("booking")),
        FilterField::new("hook", Kind::Text, Expr::col("hook")),
    ];
    let asked = order_by(order, &[OrderField::new("name", Expr::col("id"))])?;
    let direction = asked.first().map_or(Order::Asc, |(_, direction)| direction.clone());
    let columns = [(Expr::col("area"), direction.clone()), (Expr::col("id"), direction)];
    let mut select = Query::select();
    select.column(Asterisk).from("receipt").cond_where(condition(filter, &fields)?);
    let slugs = scope.slugs();
    select.and_where(Expr::col("area").is_in(slugs.iter().map(String::as_str)));
    if scope.areas.iter().any(|(_, within)| *within != Within::All) {
        let mut seen = Query::select();
        seen.column("id").from("booking").cond_where(visible(scope));
        select.and_where(Expr::col("booking").in_subquery(seen));
    }
    ordered(&mut select, page, &columns)?;
    let rows = store.reader().query_all(&select).await?;
    let rows = rows.iter().map(ReceiptRow::read).collect::<Result<Vec<_>>>()?;
    Ok(page.cut(rows, |row| vec![KeyPart::Text(row.area.clone()), KeyPart::Id(row.id.uuid())]))
}
