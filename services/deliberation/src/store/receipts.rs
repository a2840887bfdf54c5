//! Receipts of what rules said about topics. Never: opens what is sealed.

use linli_kit::Result;
use linli_kit::page::PageRequest;
use linli_kit::store::Tx;
use sea_orm::{
    ColumnTrait as _, ConnectionTrait, EntityTrait as _, IntoActiveModel as _, Order, QueryFilter as _,
    QueryOrder as _, QuerySelect as _,
};
use uuid::Uuid;

use super::entity::topic_receipt::{Column, Entity, Model};

/// Writes a receipt.
pub(crate) async fn insert(tx: &Tx<'_>, row: Model) -> Result<()> {
    Entity::insert(row.into_active_model()).exec_without_returning(tx.conn()).await?;
    Ok(())
}

/// One receipt.
pub(crate) async fn find<C: ConnectionTrait>(conn: &C, area: &str, id: Uuid) -> Result<Option<Model>> {
    Ok(Entity::find_by_id((area.to_owned(), id)).one(conn).await?)
}

/// Which decisions a simulation asks for.
pub(crate) struct Window<'a> {
    /// The area.
    pub(crate) area: &'a str,
    /// The hook.
    pub(crate) hook: &'a str,
    /// Kinds of topics; empty: all.
    pub(crate) kinds: &'a [String],
    /// From then on.
    pub(crate) from_us: i64,
    /// Before then.
    pub(crate) until_us: i64,
}

/// A page of the receipts of a window, newest first, and one more.
pub(crate) async fn newest<C: ConnectionTrait>(
    conn: &C,
    window: &Window<'_>,
    page: &PageRequest,
) -> Result<Vec<Model>> {
    use sea_orm::sea_query::Expr;
    let keys = [(Column::CreateUs.into_expr(), Order::Desc), (Column::Id.into_expr(), Order::Desc)];
    let kinds = match window.kinds {
        [] => Expr::cust("1 = 1"),
        kinds => Column::Kind.is_in(kinds.iter().cloned()),
    };
    let rows = Entity::find()
        .filter(Column::Area.eq(window.area))
        .filter(Column::Hook.eq(window.hook))
        .filter(kinds)
        .filter(Column::CreateUs.gte(window.from_us))
        .filter(Column::CreateUs.lt(window.until_us))
        .filter(page.condition(&keys)?)
        .order_by_desc(Column::CreateUs)
        .order_by_desc(Column::Id)
        .limit(page.limit());
    Ok(rows.all(conn).await?)
}
