//! Reading catalogue resources: by name, nearest first along a chain of areas, and in pages.

use linli_kernel::Timestamp;
use prost::Message as _;
use prost_reflect::{DynamicMessage, Kind, Value};
use sea_orm::sea_query::extension::postgres::PgFunc;
use sea_orm::sea_query::{Expr, ExprTrait as _, Query, SelectStatement};
use sea_orm::{ConnectionTrait, Order, QueryResult};

use super::Catalogue;
use crate::filter::{MessageFilter, OrderField, order_by};
use crate::page::{KeyPart, PageRequest};
use crate::store::{Engine, Tx, statement};
use crate::{Error, Result};

/// Rows that one filtered page looks at, at most; a page may end there with fewer rows and a token.
const MAX_SCANNED: usize = 5_000;
/// Rows of one read while a filter is at work.
const CHUNK: u64 = 500;

/// A resource with what the table knows beside it.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry<M> {
    /// Slug of its area.
    pub area: String,
    /// Its id.
    pub id: String,
    /// Counts its changes from 1: the `aggregate_version` of its events.
    pub revision: i64,
    /// The resource as callers see it.
    pub resource: M,
}

/// The areas of a list.
#[derive(Debug, Clone, Copy)]
pub enum Scope<'a> {
    /// These, by slug.
    Areas(&'a [String]),
    /// All areas of the installation; needs a permit for all.
    Everywhere,
}

/// A row of the table.
pub(super) struct Row {
    pub(super) area: String,
    pub(super) id: String,
    pub(super) revision: i64,
    pub(super) spec: Vec<u8>,
    pub(super) create_us: i64,
    pub(super) update_us: i64,
}

impl Row {
    pub(super) fn read(row: &QueryResult) -> Result<Self> {
        Ok(Self {
            area: row.try_get("", "area")?,
            id: row.try_get("", "id")?,
            revision: row.try_get("", "revision")?,
            spec: row.try_get("", "spec")?,
            create_us: row.try_get("", "create_us")?,
            update_us: row.try_get("", "update_us")?,
        })
    }

    /// Opaque; the instant of creation is in it, so that no etag of a deleted resource fits its successor.
    pub(super) fn etag(&self) -> String {
        format!("r{}-{:x}", self.revision, self.create_us)
    }
}

const FIND: &str = "SELECT area, id, revision, spec, create_us, update_us FROM catalogue \
                    WHERE area = $1 AND collection = $2 AND id = $3";

impl<M: prost::Message + Default> Catalogue<M> {
    /// Reads a resource.
    ///
    /// # Errors
    /// RESOURCE_NOT_FOUND; those of the store.
    pub async fn get(&self, area: &str, id: &str) -> Result<M> {
        let found = self.find(area, id).await?;
        found.map(|entry| entry.resource).ok_or_else(|| Error::not_found(self.name(area, id)))
    }

    /// Reads a resource that may be absent.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn find(&self, area: &str, id: &str) -> Result<Option<Entry<M>>> {
        let row = self.row(self.store.reader(), FIND, area, id).await?;
        row.map(|row| self.entry(row)).transpose()
    }

    /// Reads a resource inside a transaction and, on PostgreSQL, keeps others from changing it until the end.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn find_for_update(&self, tx: &Tx<'_>, area: &str, id: &str) -> Result<Option<Entry<M>>> {
        let row = self.locked_row(tx, area, id).await?;
        row.map(|row| self.entry(row)).transpose()
    }

    /// Reads every resource of an area, by id; inside a transaction over its own connection.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn all(&self, conn: &impl ConnectionTrait, area: &str) -> Result<Vec<Entry<M>>> {
        let areas = [area.to_owned()];
        let mut select = self.select(Scope::Areas(&areas));
        select.order_by("id", Order::Asc);
        let rows = conn.query_all(&select).await?;
        rows.iter().map(|row| Row::read(row).and_then(|row| self.entry(row))).collect()
    }

    /// Reads the resource of the first area in the chain that has one with this id.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn get_nearest<A: AsRef<str>>(&self, chain: &[A], id: &str) -> Result<Option<Entry<M>>> {
        let areas: Vec<String> = chain.iter().map(|area| area.as_ref().to_owned()).collect();
        let mut select = self.select(Scope::Areas(&areas));
        select.and_where(Expr::col("id").eq(id));
        let mut rows = self.rows(&select).await?;
        let place = |row: &Row| areas.iter().position(|area| *area == row.area);
        rows.sort_by_key(place);
        rows.into_iter().next().map(|row| self.entry(row)).transpose()
    }

    /// Reads a page; ordered by `name` (default), `create_time` or `update_time`, filtered by the catalogue's paths.
    ///
    /// # Errors
    /// Violations of `filter` and `order_by`, PAGE_TOKEN_INVALID, those of the store.
    pub async fn list(
        &self,
        scope: Scope<'_>,
        page: &PageRequest,
        filter: &str,
        order: &str,
    ) -> Result<(Vec<Entry<M>>, String)> {
        let filter = MessageFilter::parse(filter, &self.schema.descriptor, self.filterable)?;
        let (by, columns) = columns(order)?;
        let chunk = if filter.is_empty() { page.limit() } else { CHUNK };
        let (mut found, mut scanned, mut position) = (Vec::new(), 0, page.clone());
        loop {
            let mut select = self.select(scope);
            select.cond_where(position.condition(&columns)?).limit(chunk);
            for (column, order) in &columns {
                select.order_by_expr(column.clone(), order.clone());
            }
            let rows = self.rows(&select).await?;
            let is_last = (rows.len() as u64) < chunk;
            scanned += rows.len();
            let mut last = None;
            for row in rows {
                let passes = filter.is_empty() || filter.matches(&self.decode(&row)?);
                if passes && found.len() == page.size() {
                    let end = last.or_else(|| position.after().map(<[KeyPart]>::to_vec));
                    return Ok((found, page.next_token(&end.unwrap_or_default())));
                }
                last = Some(key(by, &row));
                if passes {
                    found.push(self.entry(row)?);
                }
            }
            position = last.map_or_else(|| position.clone(), |key| position.behind(key));
            if is_last {
                return Ok((found, String::new()));
            }
            if scanned >= MAX_SCANNED {
                return Ok((found, page.next_token(position.after().unwrap_or_default())));
            }
        }
    }

    pub(super) async fn locked_row(&self, tx: &Tx<'_>, area: &str, id: &str) -> Result<Option<Row>> {
        match tx.engine() {
            // BEGIN IMMEDIATE holds the whole file.
            Engine::Sqlite => self.row(tx.conn(), FIND, area, id).await,
            Engine::Postgres => self.row(tx.conn(), &format!("{FIND} FOR UPDATE"), area, id).await,
        }
    }

    async fn row<C: ConnectionTrait>(&self, conn: &C, sql: &str, area: &str, id: &str) -> Result<Option<Row>> {
        let values = [area.into(), self.collection.into(), id.into()];
        let row = conn.query_one_raw(statement(self.store.engine(), sql, values)).await?;
        row.as_ref().map(Row::read).transpose()
    }

    async fn rows(&self, select: &SelectStatement) -> Result<Vec<Row>> {
        self.store.reader().query_all(select).await?.iter().map(Row::read).collect()
    }

    fn select(&self, scope: Scope<'_>) -> SelectStatement {
        let mut select = Query::select();
        select.columns(["area", "id", "revision", "spec", "create_us", "update_us"]).from("catalogue");
        select.and_where(Expr::col("collection").eq(self.collection));
        if let Scope::Areas(areas) = scope {
            select.and_where(match self.store.engine() {
                // An array keeps the statement's text, and its plan, whatever the number of areas.
                Engine::Postgres => Expr::col("area").eq(PgFunc::any(areas.to_vec())),
                Engine::Sqlite => Expr::col("area").is_in(areas.iter().map(String::as_str)),
            });
        }
        select
    }

    pub(super) fn decode(&self, row: &Row) -> Result<DynamicMessage> {
        DynamicMessage::decode(self.schema.descriptor.clone(), row.spec.as_slice()).map_err(Error::internal)
    }

    /// The stored bytes followed by the service's own fields: protobuf reads that as one merged message.
    pub(super) fn entry(&self, row: Row) -> Result<Entry<M>> {
        let mut bytes = row.spec.clone();
        let mut own = DynamicMessage::new(self.schema.descriptor.clone());
        self.set(&mut own, "name", Value::String(self.name(&row.area, &row.id)));
        self.set(&mut own, "etag", Value::String(row.etag()));
        self.set_time(&mut own, "create_time", row.create_us);
        self.set_time(&mut own, "update_time", row.update_us);
        own.encode(&mut bytes).map_err(Error::internal)?;
        let resource = M::decode(bytes.as_slice()).map_err(Error::internal)?;
        Ok(Entry { area: row.area, id: row.id, revision: row.revision, resource })
    }

    fn set(&self, message: &mut DynamicMessage, name: &str, value: Value) {
        if let Some(field) = self.schema.descriptor.get_field_by_name(name) {
            message.set_field(&field, value);
        }
    }

    fn set_time(&self, message: &mut DynamicMessage, name: &str, micros: i64) {
        let Some(field) = self.schema.descriptor.get_field_by_name(name) else { return };
        let Kind::Message(kind) = field.kind() else { return };
        let (at, mut time) = (Timestamp::from_micros(micros), DynamicMessage::new(kind));
        time.set_field_by_name("seconds", Value::I64(at.secs()));
        time.set_field_by_name("nanos", Value::I32(at.subsec_nanos()));
        message.set_field(&field, Value::Message(time));
    }
}

/// By what a list is ordered before its names.
#[derive(Debug, Clone, Copy)]
enum By {
    Name,
    Created,
    Updated,
}

fn columns(order: &str) -> Result<(By, Vec<(Expr, Order)>)> {
    let known = [
        OrderField::new("name", Expr::col("area")),
        OrderField::new("create_time", Expr::col("create_us")),
        OrderField::new("update_time", Expr::col("update_us")),
    ];
    let asked = order_by(order, &known)?;
    let (by, direction) = match asked.as_slice() {
        [] => (By::Name, Order::Asc),
        [(field, direction), ..] if field.name == "name" => (By::Name, direction.clone()),
        [(field, direction), ..] if field.name == "create_time" => (By::Created, direction.clone()),
        [(_, direction), ..] => (By::Updated, direction.clone()),
    };
    let names = [(Expr::col("area"), direction.clone()), (Expr::col("id"), direction.clone())];
    let first = match by {
        By::Name => None,
        By::Created => Some((Expr::col("create_us"), direction)),
        By::Updated => Some((Expr::col("update_us"), direction)),
    };
    Ok((by, first.into_iter().chain(names).collect()))
}

fn key(by: By, row: &Row) -> Vec<KeyPart> {
    let names = [KeyPart::Text(row.area.clone()), KeyPart::Text(row.id.clone())];
    let first = match by {
        By::Name => None,
        By::Created => Some(KeyPart::Int(row.create_us)),
        By::Updated => Some(KeyPart::Int(row.update_us)),
    };
    first.into_iter().chain(names).collect()
}
