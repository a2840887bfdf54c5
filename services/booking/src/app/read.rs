//! Reading slots, bookings and receipts: one by name, or in pages within what the caller may see.

use linli_access::{Scope, Target, Within};
use linli_kernel::AreaId;
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
    fn page(&self, ctx: &Ctx, ask: &Listing) -> Result<PageRequest> {
        let query = [ask.parent.as_str(), ask.filter.as_str(), ask.order_by.as_str()];
        PageRequest::parse(self.keyring(), &ctx.method.path, &query, ask.page_size, &ask.page_token)
    }

    /// What the caller may see of bookings and receipts. Residents of other areas who have booked see their own.
    async fn scope_of_bookings(&self, ctx: &Ctx, parent: &str) -> Result<Scope> {
        let area = list_parent(parent)?;
        let scope = self.access.scope(ctx, area.as_ref());
        let Some(subject) = ctx.caller.subject() else { return scope };
        let (mut scope, others) = match (scope, area) {
            (Ok(scope), Some(_)) => return Ok(scope),
            (Ok(scope), None) => {
                let snapshot = self.access.snapshot();
                let unseen = snapshot.areas().filter(|slug| scope.areas.iter().all(|(seen, _)| seen != slug));
                let unseen: Result<Vec<AreaId>> = unseen.map(super::area_id).collect();
                (scope, unseen?)
            }
            (Err(denied), Some(area)) => {
                if !self.is_guest(ctx, subject, &area).await? {
                    return Err(denied);
                }
                (Scope { areas: Vec::new() }, vec![area])
            }
            (Err(denied), None) => return Err(denied),
        };
        for area in others {
            if self.is_guest(ctx, subject, &area).await? {
                scope.areas.push((area.as_str().to_owned(), Within::Person(subject.to_owned())));
            }
        }
        scope.areas.sort_by(|a, b| a.0.cmp(&b.0));
        Ok(scope)
    }

    /// Whether somebody may read their own bookings in an area and has any there.
    async fn is_guest(&self, ctx: &Ctx, subject: &str, area: &AreaId) -> Result<bool> {
        let allowed = self.access.authorise(ctx, &Target::area(area).about(subject)).is_ok();
        Ok(allowed && store::bookings::any_of(self.store().reader(), area.as_str(), subject).await?)
    }

    pub(crate) async fn get_slot(&self, ctx: &Ctx, name: &str) -> Result<Slot> {
        let (area, id) = recorded::<SlotId>("name", name, "slots")?;
        self.readable(ctx, Some(&area)).await?;
        let row = store::slots::find(self.store().reader(), area.as_str(), id).await?;
        row.map(|row| view::slot(&row)).ok_or_else(|| Error::not_found(name))
    }

    pub(crate) async fn list_slots(&self, ctx: &Ctx, ask: &Listing) -> Result<(Vec<Slot>, String)> {
        let scope = self.readable(ctx, list_parent(&ask.parent)?.as_ref()).await?;
        let page = self.page(ctx, ask)?;
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
        let scope = self.scope_of_bookings(ctx, &ask.parent).await?;
        let page = self.page(ctx, ask)?;
        let (rows, next) = lists::bookings(self.store(), &scope, &page, &ask.filter, &ask.order_by).await?;
        let places = store::bookings::positions(self.store().reader(), &rows).await?;
        let view = |row| self.view_at(ctx, row, self.serves(ctx, row), places.get(&row.id).copied());
        let bookings: Result<Vec<Booking>> = rows.iter().map(view).collect();
        Ok((bookings?, next))
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
                self.view_receipt(&receipt, ctx.lang)
            }
            _ => {
                self.access.authorise(ctx, &Target::area(&area))?;
                Err(Error::not_found(name))
            }
        }
    }

    pub(crate) async fn list_receipts(&self, ctx: &Ctx, ask: &Listing) -> Result<(Vec<Receipt>, String)> {
        let scope = self.scope_of_bookings(ctx, &ask.parent).await?;
        let page = self.page(ctx, ask)?;
        let (rows, next) = lists::receipts(self.store(), &scope, &page, &ask.filter, &ask.order_by).await?;
        let receipts: Result<Vec<Receipt>> = rows.iter().map(|row| self.view_receipt(row, ctx.lang)).collect();
        Ok((receipts?, next))
    }
}
