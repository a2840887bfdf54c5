//! Pages of recorded objects: the caller's scope, the filter, the key behind which the page begins.

use linli_access::{Scope, Within};
use linli_kernel::{Id as _, Name};
use linli_kit::Result;
use linli_kit::filter::{FilterField, Kind, OrderField, condition, order_by};
use linli_kit::page::{KeyPart, PageRequest};
use linli_kit::store::Store;
use sea_orm::sea_query::{Expr, ExprTrait as _, Query, Value};
use sea_orm::{Condition, ConnectionTrait as _, Order, QueryResult};
use uuid::Uuid;

use super::rows;
use crate::domain::{AccountKey, Holder, TransferId};

/// What a list is made of.
pub(crate) struct Table {
    /// The table.
    name: &'static str,
    /// The columns of the key behind the area; their order is the order of names.
    key: &'static [&'static str],
    /// The columns that say about whom a row is; a person sees rows that name them in one of these.
    holders: &'static [&'static str],
    /// By what an order may be asked for.
    order: &'static str,
    /// Fields of filters.
    fields: fn() -> Vec<FilterField>,
}

/// A resource name's id, whatever its collection.
fn id_of(text: &str) -> Option<Value> {
    text.rsplit_once('/').map(|(_, id)| id.into())
}

/// A holder's short form, from a person's name or a purpose code.
fn holder_of(text: &str) -> Option<Value> {
    let short = text.rsplit_once('/').map_or(text, |(_, id)| id);
    Holder::parse(short).map(|holder| holder.to_string().into())
}

fn account_of(text: &str) -> Option<Value> {
    let (_, id) = text.rsplit_once('/')?;
    AccountKey::parse(id).map(|key| key.to_string().into())
}

fn transfer_of(text: &str) -> Option<Value> {
    Name::parse(text, "transfers").ok()?.typed::<TransferId>().ok().map(|id| id.uuid().into())
}

fn code(name: &'static str) -> Kind {
    Kind::proto_enum(name)
}

/// Accounts.
pub(crate) const ACCOUNTS: Table = Table {
    name: "account",
    key: &["asset", "holder"],
    holders: &["holder"],
    order: "name",
    fields: || {
        vec![
            FilterField::new("asset", Kind::Text, Expr::col("asset")),
            FilterField::new("holder", Kind::Ref(holder_of), Expr::col("holder")),
        ]
    },
};

/// Transfers.
pub(crate) const TRANSFERS: Table = Table {
    name: "transfer",
    key: &["id"],
    holders: &["from_holder", "to_holder"],
    order: "create_time",
    fields: || {
        vec![
            FilterField::new("from", Kind::Ref(holder_of), Expr::col("from_holder")),
            FilterField::new("to", Kind::Ref(holder_of), Expr::col("to_holder")),
            FilterField::new("asset", Kind::Text, Expr::col("asset")),
            FilterField::new("kind", code("linli.points.v1.TransferKind"), Expr::col("kind")),
        ]
    },
};

/// Entries.
pub(crate) const ENTRIES: Table = Table {
    name: "entry",
    // An entry's id is its transfer's with another last bit: both orders are one.
    key: &["transfer_id", "id"],
    holders: &[],
    order: "name",
    fields: || {
        vec![
            FilterField::new("account", Kind::Ref(account_of), Expr::col("account")),
            FilterField::new("transfer", Kind::Ref(transfer_of), Expr::col("transfer_id")),
        ]
    },
};

/// Holds.
pub(crate) const HOLDS: Table = Table {
    name: "hold",
    key: &["id"],
    holders: &["from_holder"],
    order: "name",
    fields: || {
        vec![
            FilterField::new("account", Kind::Ref(account_of), Expr::cust("(asset || '.' || from_holder)")),
            FilterField::new("state", code("linli.points.v1.HoldState"), Expr::col("state")),
            FilterField::new("cause", Kind::Text, Expr::col("cause")),
        ]
    },
};

/// Cards.
pub(crate) const CARDS: Table = Table {
    name: "card",
    key: &["id"],
    holders: &["holder"],
    order: "name",
    fields: || {
        vec![
            FilterField::new("holder", Kind::Ref(holder_of), Expr::col("holder")),
            FilterField::new("card_type", Kind::Ref(id_of), Expr::col("card_type")),
            FilterField::new("state", code("linli.points.v1.CardState"), Expr::col("state")),
        ]
    },
};

/// Redemptions.
pub(crate) const REDEMPTIONS: Table = Table {
    name: "redemption",
    key: &["id"],
    holders: &["holder"],
    order: "name",
    fields: || {
        vec![
            FilterField::new("reward", Kind::Ref(id_of), Expr::col("reward")),
            FilterField::new("holder", Kind::Ref(holder_of), Expr::col("holder")),
        ]
    },
};

/// Awards.
pub(crate) const AWARDS: Table = Table {
    name: "award",
    key: &["id"],
    holders: &["recipient"],
    order: "name",
    fields: || {
        vec![
            FilterField::new("recipient", Kind::Ref(holder_of), Expr::col("recipient")),
            FilterField::new("award_binding", Kind::Text, Expr::col("award_binding")),
            FilterField::new("event", Kind::Text, Expr::col("event_id")),
        ]
    },
};

/// Receipts of awards.
pub(crate) const AWARD_RECEIPTS: Table = Table { name: "award_receipt", ..AWARDS };

/// Contributions.
pub(crate) const CONTRIBUTIONS: Table = Table {
    name: "contribution",
    key: &["id"],
    holders: &["person"],
    order: "name",
    fields: || {
        vec![
            FilterField::new("person", Kind::Ref(holder_of), Expr::col("person")),
            FilterField::new("kind", Kind::Text, Expr::col("kind")),
        ]
    },
};

/// A row of a list, with its area and the holders that it names.
#[derive(Debug)]
pub(crate) struct Listed<T> {
    pub(crate) area: String,
    pub(crate) holders: Vec<String>,
    pub(crate) row: T,
}

/// Reads a page. Rows of areas where the caller sees some units only are all in it: the caller of this sorts them out.
pub(crate) async fn page<T>(
    store: &Store,
    table: &Table,
    scope: &Scope,
    page: &PageRequest,
    (filter, order): (&str, &str),
    read: fn(&QueryResult) -> Result<T>,
) -> Result<(Vec<Listed<T>>, String)> {
    let filter = condition(filter, &(table.fields)())?;
    let order = order_by(order, &[OrderField::new(table.order, Expr::col("id"))])?;
    let order = order.first().map_or(Order::Asc, |(_, order)| order.clone());
    let columns: Vec<(Expr, Order)> =
        std::iter::once("area").chain(table.key.iter().copied()).map(|c| (Expr::col(c), order.clone())).collect();
    let mut select = Query::select();
    select.expr(Expr::cust("*")).from(table.name);
    select.cond_where(visible(table, scope)).cond_where(filter).cond_where(page.condition(&columns)?);
    for (column, order) in columns {
        select.order_by_expr(column, order);
    }
    select.limit(page.limit());
    let found = store.reader().query_all(&select).await?;
    let rows = found.iter().map(|row| Ok((key(table, row)?, listed(table, row, read)?))).collect::<Result<Vec<_>>>()?;
    let (rows, token) = page.cut(rows, |(key, _)| key.clone());
    Ok((rows.into_iter().map(|(_, row)| row).collect(), token))
}

fn listed<T>(table: &Table, row: &QueryResult, read: fn(&QueryResult) -> Result<T>) -> Result<Listed<T>> {
    let mut holders: Vec<String> = table.holders.iter().map(|c| rows::get(row, c)).collect::<Result<_>>()?;
    if table.name == "entry" {
        holders.push(rows::entry(row)?.account.holder.to_string());
    }
    Ok(Listed { area: rows::get(row, "area")?, holders, row: read(row)? })
}

fn key(table: &Table, row: &QueryResult) -> Result<Vec<KeyPart>> {
    let mut key = vec![KeyPart::Text(rows::get(row, "area")?)];
    for column in table.key {
        key.push(match *column {
            "id" | "transfer_id" => KeyPart::Id(rows::get::<Uuid>(row, column)?),
            _ => KeyPart::Text(rows::get(row, column)?),
        });
    }
    Ok(key)
}

/// The rows that the caller may see, as far as the table knows.
fn visible(table: &Table, scope: &Scope) -> Condition {
    let mut any = Condition::any();
    let whole = scope.areas.iter().filter(|(_, within)| !matches!(within, Within::Person(_)));
    any = any.add(Expr::col("area").is_in(whole.map(|(area, _)| area.clone())));
    for (area, within) in &scope.areas {
        if let Within::Person(person) = within {
            let own = person.rsplit('/').next().unwrap_or_default();
            let mut named = Condition::any();
            for column in table.holders {
                named = named.add(Expr::col(*column).eq(own));
            }
            if !table.holders.is_empty() {
                any = any.add(Condition::all().add(Expr::col("area").eq(area.as_str())).add(named));
            }
        }
    }
    any
}
