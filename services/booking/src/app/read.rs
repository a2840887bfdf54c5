//! Reading slots, bookings and receipts: one by name, or in pages within what the caller may see.

use linli_access::Scope;
use linli_kit::check::{list_parent, recorded};
use linli_kit::page::PageRequest;
use linli_kit::{Ctx, Error, Result};
use linli_proto::booking::{Booking, Receipt, Slot};

use super::managed::Listing;
use super::{App, view};
use crate::ids::{BookingId, ReceiptId, SlotId};
use crate::store;
use crate::store::lists;

impl App {
    fn page(&self, ctx: &Ctx, ask: &Listing) -> Result<(Scope, PageRequest)> {
        let area = list_parent(&ask.parent)?;
        let scope = self.access.scope(ctx, area.as_ref())?;
        let query = [ask.parent.as_str(), ask.filter.as_str(), ask.order_by.as_str()];
        let page = PageRequest::parse(self.keyring(), &ctx.method.path, &query, ask.page_size, &ask.page_token)?;
        Ok((scope, page))
    }

    pub(crate) async fn get_slot(&self, ctx: &Ctx, name: &str) -> Result<Slot> {
        let (area, id) = recorded::<SlotId>("name", name, "slots")?;
        self.access.scope(ctx, Some(&area))?;
        let row = store::slots::find(self.store().reader(), area.as_str(), id).await?;
        row.map(|row| view::slot(&row)).ok_or_else(|| Error::not_found(name))
    }

    pub(crate) async fn list_slots(&self, ctx: &Ctx, ask: &Listing) -> Result<(Vec<Slot>, String)> {
        let (scope, page) = self.page(ctx, ask)?;
        let (rows, next) = lists::slots(self.store(), &scope.slugs(), &page, &ask.filter, &ask.order_by).await?;
        Ok((rows.iter().map(view::slot).collect(), next))
    }

    pub(crate) async fn get_booking(&self, ctx: &Ctx, name: &str) -> Result<Booking> {
        let (row, _) = self.authorised(ctx, name).await?;
        self.view_booking(ctx, &row, self.serves(ctx, &row)).await
    }

    /// A booking that the caller has made or changed before, as it is now.
    pub(super) async fn booking_by_name(&self, ctx: &Ctx, name: &str) -> Result<Booking> {
        let (area, id) = recorded::<BookingId>("name", name, "bookings")?;
        let row = store::bookings::find(self.store().reader(), area.as_str(), id).await?;
        let row = row.ok_or_else(|| Error::not_found(name))?;
        self.authorise_booking(ctx, &row)?;
        self.view_booking(ctx, &row, self.serves(ctx, &row)).await
    }

    pub(crate) async fn list_bookings(&self, ctx: &Ctx, ask: &Listing) -> Result<(Vec<Booking>, String)> {
        let (scope, page) = self.page(ctx, ask)?;
        let (rows, next) = lists::bookings(self.store(), &scope, &page, &ask.filter, &ask.order_by).await?;
        let mut bookings = Vec::with_capacity(rows.len());
        for row in &rows {
            bookings.push(self.view_booking(ctx, row, self.serves(ctx, row)).await?);
        }
        Ok((bookings, next))
    }

    pub(crate) async fn get_receipt(&self, ctx: &Ctx, name: &str) -> Result<Receipt> {
        let (area, id) = recorded::<ReceiptId>("name", name, "receipts")?;
        let reader = self.store().reader();
        let found = store::receipts::find(reader, area.as_str(), id).await?;
        let booking = match &found {
            Some(receipt) => store::bookings::find(reader, area.as_str(), receipt.booking).await?,
            None => None,
        };
        match (found, booking) {
            (Some(receipt), Some(booking)) => {
                self.authorise_booking(ctx, &booking)?;
                view::receipt(&receipt, ctx.lang)
            }
            _ => {
                self.access.authorise(ctx, &linli_access::Target::area(&area))?;
                Err(Error::not_found(name))
            }
        }
    }

    pub(crate) async fn list_receipts(&self, ctx: &Ctx, ask: &Listing) -> Result<(Vec<Receipt>, String)> {
        let (scope, page) = self.page(ctx, ask)?;
        let (rows, next) = lists::receipts(self.store(), &scope, &page, &ask.filter, &ask.order_by).await?;
        let receipts: Result<Vec<Receipt>> = rows.iter().map(|row| view::receipt(row, ctx.lang)).collect();
        Ok((receipts?, next))
    }
}
