//! Pages of recorded objects, as the caller may see them.

use linli_kit::page::PageRequest;
use linli_kit::{Ctx, Result, check};
use sea_orm::QueryResult;

use super::App;
use crate::store::list::{self, Listed, Table};

/// A page of a list as it was asked for.
pub(crate) struct ListRequest<'a> {
    pub(crate) parent: &'a str,
    pub(crate) page_size: i32,
    pub(crate) page_token: &'a str,
    pub(crate) filter: &'a str,
    pub(crate) order_by: &'a str,
}

/// What a List request of any collection asks for.
macro_rules! page_of {
    ($request:ident) => {
        $crate::app::pages::ListRequest {
            parent: &$request.parent,
            page_size: $request.page_size,
            page_token: &$request.page_token,
            filter: &$request.filter,
            order_by: &$request.order_by,
        }
    };
}
pub(crate) use page_of;

impl App {
    /// Reads a page of a table: the rows in the caller's scope, without those about people whom the caller does not see.
    pub(crate) async fn recorded<T>(
        &self,
        ctx: &Ctx,
        table: &Table,
        asked: ListRequest<'_>,
        read: fn(&QueryResult) -> Result<T>,
    ) -> Result<(Vec<Listed<T>>, String)> {
        let area = check::list_parent(asked.parent)?;
        let scope = self.access.scope(ctx, area.as_ref())?;
        let query = [asked.parent, asked.filter, asked.order_by];
        let page =
            PageRequest::parse(&self.parts.keyring, &ctx.method.path, &query, asked.page_size, asked.page_token)?;
        let how = (asked.filter, asked.order_by);
        let (found, next_page_token) = list::page(&self.parts.store, table, &scope, &page, how, read).await?;
        Ok((self.visible(ctx, &scope, found).await?, next_page_token))
    }
}
