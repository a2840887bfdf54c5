//! Changing the state of a booking under the lock of its slot, with everything that follows: seats, waitlist, holds, usage,
//! events.

use linli_kit::ids::new_v7;
use linli_kit::store::Tx;
use linli_kit::{Ctx, Error, ErrorCode, Result};
use linli_proto::booking::{Booking, Receipt};
use linli_proto::common::Reason;
use prost::Message as _;

use super::place::expiry;
use super::rules::PRICE;
use super::{App, area_of, events, holds, id_of};
use crate::domain::waitlist::move_up;
use crate::domain::{Effect, State, Step, WrongState};
use crate::ids::BookingId;
use crate::store;
use crate::store::bookings::BookingRow;
use crate::store::receipts::ReceiptRow;
use crate::store::slots::{OPEN, SlotRow};
use crate::store::usage::Key;

impl App {
    /// A booking and its slot, locked until the end of the transaction.
    pub(super) async fn lock_booking(&self, tx: &Tx<'_>, area: &str, id: BookingId) -> Result<(SlotRow, BookingRow)> {
        let gone = || Error::not_found(format!("areas/{area}/bookings/{id}"));
        let row = store::bookings::find(tx.conn(), area, id).await?.ok_or_else(gone)?;
        let slot = store::slots::lock(tx, area, row.slot).await?.ok_or_else(gone)?;
        // Read again: it may have changed before the lock was ours.
        let row = store::bookings::find(tx.conn(), area, id).await?.ok_or_else(gone)?;
        Ok((slot, row))
    }

    /// Takes a step of one booking and lets the waitlist move up; writes booking and slot.
    pub(super) async fn take_step(
        &self,
        tx: &Tx<'_>,
        ctx: &Ctx,
        slot: &mut SlotRow,
        row: BookingRow,
        step: Step,
        reasons: Option<Vec<Reason>>,
    ) -> Result<BookingRow> {
        let frees = step.effects.contains(&Effect::FreeSeats);
        let row = self.change(tx, ctx, slot, row, step, reasons).await?;
        if frees {
            self.move_waitlist_up(tx, ctx, slot).await?;
        }
        store::slots::update(tx, slot).await?;
        Ok(row)
    }

    /// Gives free seats to those who wait, in their order.
    async fn move_waitlist_up(&self, tx: &Tx<'_>, ctx: &Ctx, slot: &mut SlotRow) -> Result<()> {
        if slot.state != OPEN || slot.waiting == 0 || slot.window().begun(ctx.now()) {
            return Ok(());
        }
        let rows = store::bookings::queue(tx.conn(), &slot.area, slot.id).await?;
        let mut queue: Vec<_> = rows.iter().map(store::bookings::waiting).collect();
        for id in move_up(slot.seats().free(), &mut queue) {
            let Some(row) = rows.iter().find(|row| row.id == id) else { continue };
            let Ok(step) = row.claim().promote(ctx.now()) else { continue };
            let mut seats = slot.seats();
            if seats.take(row.party) {
                seats.leave();
                slot.set_seats(&seats);
                self.change(tx, ctx, slot, row.clone(), step, Some(Vec::new())).await?;
            }
        }
        Ok(())
    }

    /// Writes the new state of one booking with its effects; the slot is changed in memory only.
    pub(super) async fn change(
        &self,
        tx: &Tx<'_>,
        ctx: &Ctx,
        slot: &mut SlotRow,
        mut row: BookingRow,
        step: Step,
        reasons: Option<Vec<Reason>>,
    ) -> Result<BookingRow> {
        let previous = row.state;
        row.state = step.to;
        row.version += 1;
        row.updated = ctx.now();
        row.expires = expiry(step.to, &row.window, ctx.now());
        if let Some(reasons) = reasons {
            let mut spec = Booking::decode(row.spec.as_slice()).map_err(Error::internal)?;
            spec.reasons = reasons;
            row.spec = spec.encode_to_vec();
        }
        let mut seats = slot.seats();
        for effect in &step.effects {
            match effect {
                Effect::FreeSeats => seats.give_back(row.party),
                Effect::LeaveWaitlist => seats.leave(),
                Effect::PlaceHold => holds::enqueue_place(&self.durable, tx, ctx, &row).await?,
                Effect::Capture => holds::enqueue_capture(&self.durable, tx, ctx, &row).await?,
                Effect::Void => holds::enqueue_void(&self.durable, tx, ctx, &row).await?,
            }
        }
        slot.set_seats(&seats);
        store::bookings::update(tx, &row).await?;
        if counted(previous) != counted(row.state) {
            self.bump(tx, &row).await?;
        }
        if previous != row.state {
            events::changed(tx, ctx, &row, Some(previous))?;
        }
        Ok(row)
    }

    /// Decisions that rest on what this resident has used must be made again.
    async fn bump(&self, tx: &Tx<'_>, row: &BookingRow) -> Result<()> {
        let key = Key { area: row.area.clone(), kind: row.kind.clone(), resident: row.resident.clone() };
        let locked = store::lock_usage(tx, &[key]).await?;
        let next: Vec<(Key, i64)> = locked.into_iter().map(|(key, version)| (key, version + 1)).collect();
        store::bump_usage(tx, &next).await
    }

    /// The ledger has answered for a booking: with a hold's name, or with the reason of its refusal.
    pub(super) async fn hold_answered(
        &self,
        tx: &Tx<'_>,
        ctx: &Ctx,
        booking: &str,
        answer: std::result::Result<String, String>,
    ) -> Result<()> {
        let id: BookingId = id_of(booking).parse().map_err(Error::internal)?;
        let (mut slot, mut row) = self.lock_booking(tx, area_of(booking), id).await?;
        let (step, reasons) = match answer {
            Ok(hold) => {
                row.hold = hold;
                (row.claim().hold_placed(), None)
            }
            Err(reason) => {
                let step = row.claim().hold_refused();
                if step.to == row.state {
                    return Ok(());
                }
                let why = self.reason("hold-refused", "REASON_HOLD_REFUSED", &[("reason", reason)]);
                self.write_refusal(tx, ctx, &row, &why).await?;
                (step, Some(vec![why]))
            }
        };
        self.take_step(tx, ctx, &mut slot, row, step, reasons).await.map(|_| ())
    }

    /// The receipt of a refusal by the ledger or by a person, who are no rule.
    pub(super) async fn write_refusal(&self, tx: &Tx<'_>, ctx: &Ctx, row: &BookingRow, why: &Reason) -> Result<()> {
        let spec = Receipt { reasons: vec![why.clone()], facts_json: "{}".to_owned(), ..Receipt::default() };
        let receipt = ReceiptRow {
            area: row.area.clone(),
            id: new_v7(ctx.now()),
            booking: row.id,
            hook: PRICE.to_owned(),
            verdict: "refused".to_owned(),
            spec: spec.encode_to_vec(),
            created: ctx.now(),
        };
        store::insert_receipts(tx, &[&receipt]).await
    }
}

/// How a state counts in a resident's usage: ahead, done, missed, or not at all.
fn counted(state: State) -> u8 {
    match state {
        State::Pending(_) | State::Waitlisted { .. } | State::Confirmed | State::CheckedIn => 0,
        State::Completed => 1,
        State::NoShow => 2,
        State::Cancelled | State::Refused => 3,
    }
}

/// A transition that is not possible, as the caller reads it.
pub(super) fn wrong(problem: WrongState, booking: &str) -> Error {
    let error = |reason| Error::new(ErrorCode::FailedPrecondition, reason).with("resource", booking);
    match problem {
        WrongState::State { state, wanted } => error("WRONG_STATE").with("state", state).with("wanted", wanted),
        WrongState::TooEarly(from) => error("TOO_EARLY").with("from", from.to_chrono().to_rfc3339()),
        WrongState::TooLate(until) => error("TOO_LATE").with("until", until.to_chrono().to_rfc3339()),
    }
}
