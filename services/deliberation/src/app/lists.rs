//! What all lists of recorded resources share: parent, scope, filter, page.

use linli_kernel::{Id as _, Name};
use linli_kit::filter::{self, FilterField, Kind, OrderField};
use linli_kit::page::{KeyPart, PageRequest};
use linli_kit::{Ctx, Error, FieldViolation, Result, check};
use sea_orm::sea_query::{Expr, Value};
use sea_orm::{ColumnTrait, Condition, EntityTrait, Order};
use uuid::Uuid;

use super::App;
use crate::ids::{BALLOTS, BallotId, TEMPLATES, TOPICS, TopicId, UNITS};
use crate::store::list::{self, Columns};

/// Bytes of resources in one page at most, apart from its first one: below what a client decodes.
const PAGE_BYTES: usize = 2 * 1024 * 1024;

/// The fields of a list request.
pub(super) struct Asked<'a> {
    pub(super) parent: &'a str,
    pub(super) filter: &'a str,
    pub(super) order_by: &'a str,
    pub(super) page_size: i32,
    pub(super) page_token: &'a str,
}

/// A page that was read, with what the next one needs.
pub(super) struct Listed<M> {
    pub(super) rows: Vec<M>,
    pub(super) page: PageRequest,
}

impl App {
    /// Reads one page of what the caller may see; `limit` bounds the rows of resources that are large.
    ///
    /// Rows of topics of which the caller may not know are left out, but for those that `told` chooses.
    pub(super) async fn list<E: EntityTrait>(
        &self,
        ctx: &Ctx,
        asked: &Asked<'_>,
        columns: Columns<E::Column>,
        fields: &[FilterField],
        limit: u64,
        told: Option<Condition>,
    ) -> Result<Listed<E::Model>> {
        let parent = check::list_parent(asked.parent)?;
        let scope = self.access.scope(ctx, parent.as_ref())?;
        let filter = filter::condition(asked.filter, fields)?;
        by_name(asked.order_by)?;
        let query = [asked.parent, asked.filter];
        let page =
            PageRequest::parse(&self.parts.keyring, &ctx.method.path, &query, asked.page_size, asked.page_token)?;
        let known = columns.of_known(self.known(ctx, &scope));
        let known = told.into_iter().fold(Condition::any().add(known), Condition::add);
        let within: Condition = list::within(&scope, &columns, |area, person| self.raiser_index(area, person));
        let limit = page.limit().min(limit);
        let rows = list::page::<E, _>(self.reader(), &columns, [within, known, filter], &page, limit).await?;
        Ok(Listed { rows, page })
    }
}

impl<M> Listed<M> {
    /// Turns rows into resources until the page is full, in number or in bytes; with the token of the next page.
    ///
    /// `key` gives area and id of a row.
    pub(super) fn fill<R: prost::Message>(
        self,
        limit: u64,
        key: impl Fn(&M) -> (String, Uuid),
        show: impl Fn(&M) -> Result<R>,
    ) -> Result<(Vec<R>, String)> {
        let size = self.page.size().min(usize::try_from(limit - 1).unwrap_or(usize::MAX));
        let (mut shown, mut bytes) = (Vec::with_capacity(self.rows.len().min(size)), 0);
        let mut last = None;
        for row in &self.rows {
            let resource = if shown.len() < size { Some(show(row)?) } else { None };
            bytes += resource.as_ref().map_or(0, prost::Message::encoded_len);
            match resource {
                Some(resource) if bytes <= PAGE_BYTES || shown.is_empty() => shown.push(resource),
                Some(_) | None => {
                    let key: Option<(String, Uuid)> = last.map(&key);
                    let token = key.map(|(area, id)| self.page.next_token(&[KeyPart::Text(area), KeyPart::Id(id)]));
                    return Ok((shown, token.unwrap_or_default()));
                }
            }
            last = Some(row);
        }
        Ok((shown, String::new()))
    }
}

/// Lists have one order, by name.
fn by_name(order: &str) -> Result<()> {
    let asked = filter::order_by(order, &[OrderField::new("name", Expr::col("id"))])?;
    if asked.iter().any(|(_, direction)| *direction == Order::Desc) {
        return Err(Error::field(FieldViolation::new("order_by", "ORDER_BY_INVALID").arg("allowed", "name")));
    }
    Ok(())
}

/// A filter field that names a topic.
pub(super) fn topic_field(column: impl ColumnTrait) -> FilterField {
    FilterField::new("topic", Kind::Ref(topic_id), column.into_expr())
}

/// A filter field that names a ballot.
pub(super) fn ballot_field(column: impl ColumnTrait) -> FilterField {
    FilterField::new("ballot", Kind::Ref(ballot_id), column.into_expr())
}

/// A filter field that names a process template; the column stores the name.
pub(super) fn template_field(column: impl ColumnTrait) -> FilterField {
    FilterField::new("process_template", Kind::Ref(|text| named(text, TEMPLATES)), column.into_expr())
}

/// A filter field that names a unit of the row's area; the columns store slug and id.
pub(super) fn unit_field() -> FilterField {
    FilterField::new(
        "unit",
        Kind::Ref(|text| named(text, UNITS)),
        Expr::cust("('areas/' || area || '/units/' || unit)"),
    )
}

fn topic_id(text: &str) -> Option<Value> {
    let id: TopicId = Name::parse(text, TOPICS).ok()?.typed().ok()?;
    Some(id.uuid().into())
}

fn ballot_id(text: &str) -> Option<Value> {
    let id: BallotId = Name::parse(text, BALLOTS).ok()?.typed().ok()?;
    Some(id.uuid().into())
}

fn named(text: &str, collection: &str) -> Option<Value> {
    Name::parse(text, collection).ok().map(|name| name.to_string().into())
}
