//! Pages of rows within what a caller may see.

use linli_access::{Scope, Within};
use linli_kit::Result;
use linli_kit::page::PageRequest;
use sea_orm::sea_query::{Expr, ExprTrait as _, Query};
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, EntityTrait, Order, QueryFilter as _, QueryOrder as _, QuerySelect as _,
};

use super::entity::topic;

/// The columns by which every list of recorded resources is bounded and ordered.
pub(crate) struct Columns<C> {
    /// The area.
    pub(crate) area: C,
    /// The id.
    pub(crate) id: C,
    /// The unit of the topic.
    pub(crate) unit: C,
    /// The topic; `None` for topics themselves.
    pub(crate) topic: Option<C>,
}

impl<C: ColumnTrait> Columns<C> {
    /// Rows whose topic the caller may know: `known` says which topics those are.
    pub(crate) fn of_known(&self, known: Condition) -> Condition {
        let Some(reference) = self.topic else { return known };
        let mut topics = Query::select();
        topics
            .expr(Expr::val(1))
            .from(topic::Entity)
            .and_where(topic::Column::Area.into_expr().eq(self.area.into_expr()))
            .and_where(topic::Column::Id.into_expr().eq(reference.into_expr()))
            .cond_where(known);
        Condition::all().add(Expr::exists(topics))
    }
}

/// A page of rows by area and id, one more than the page holds.
pub(crate) async fn page<E: EntityTrait, C: ConnectionTrait>(
    conn: &C,
    columns: &Columns<E::Column>,
    conditions: [Condition; 3],
    page: &PageRequest,
    limit: u64,
) -> Result<Vec<E::Model>> {
    let keys = [(columns.area.into_expr(), Order::Asc), (columns.id.into_expr(), Order::Asc)];
    let [scope, known, filter] = conditions;
    let rows = E::find()
        .filter(scope)
        .filter(known)
        .filter(filter)
        .filter(page.condition(&keys)?)
        .order_by_asc(columns.area)
        .order_by_asc(columns.id)
        .limit(limit);
    Ok(rows.all(conn).await?)
}

/// The condition that keeps rows within a scope; `index` gives the blind index of a raiser in an area.
pub(crate) fn within<C: ColumnTrait>(
    scope: &Scope,
    columns: &Columns<C>,
    index: impl Fn(&str, &str) -> Vec<u8>,
) -> Condition {
    // Never an empty OR: a caller without areas sees nothing.
    let mut any = Condition::any().add(Expr::cust("1 = 0"));
    let whole = scope.areas.iter().filter(|(_, within)| *within == Within::All).map(|(area, _)| area.clone());
    let whole: Vec<String> = whole.collect();
    if !whole.is_empty() {
        any = any.add(columns.area.is_in(whole));
    }
    for (area, within) in &scope.areas {
        let here = Condition::all().add(columns.area.eq(area.clone()));
        match within {
            Within::All => {}
            Within::Units(units) => any = any.add(here.add(columns.unit.is_in(units.iter().cloned()))),
            Within::Person(person) => any = any.add(here.add(raised_by(columns, area, index(area, person)))),
        }
    }
    any
}

fn raised_by<C: ColumnTrait>(columns: &Columns<C>, area: &str, index: Vec<u8>) -> Expr {
    let Some(reference) = columns.topic else { return topic::Column::RaisedByIdx.eq(index) };
    let mut topics = Query::select();
    topics
        .column(topic::Column::Id)
        .from(topic::Entity)
        .and_where(topic::Column::Area.eq(area))
        .and_where(topic::Column::RaisedByIdx.eq(index));
    reference.into_expr().in_subquery(topics)
}
