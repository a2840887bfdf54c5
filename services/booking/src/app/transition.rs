//! Changing the state of a booking under the lock of its slot, with everything that follows: seats, waitlist, holds, usage,
//! events.

use linli_kernel::Timestamp;
use linli_kit::check::timestamp;
use linli_kit::store::Tx;
use linli_kit::{Ctx, Error, ErrorCode, Result};
use linli_proto::booking::{Booking, BookingTransition};
use linli_proto::common::Reason;
use prost::Message as _;

use super::place::expiry;
use super::promote::Heads;
use super::rules::PRICE;
use super::{App, area_of, events, holds, id_of};
use crate::domain::{Effect, Settlement, State, Step, WrongState};
use crate::ids::BookingId;
use crate::store;
use crate::store::bookings::BookingRow;
use crate::store::slots::SlotRow;
use crate::store::usage::Key;

/// The code of the reason that one who waits is told.
pub(super) const SLOT_FULL: &str = "slot-full";

/// Who brings a booking to a state.
#[derive(Debug, Clone)]
pub(super) struct By {
    actor: String,
    on_behalf: bool,
}

impl By {
    pub(super) fn new(actor: String, on_behalf: bool) -> Self {
        Self { actor, on_behalf }
    }

    /// The service itself: time has passed, the ledger has answered, a seat became free.
    pub(super) fn service() -> Self {
        Self::new(format!("services/{}", crate::SERVICE), false)
    }

    /// The caller, by their office.
    pub(super) fn caller(ctx: &Ctx) -> Self {
        Self::new(ctx.caller.recorded_as(), false)
    }

    /// The caller, who does what the resident could do as well.
    pub(super) fn for_resident(ctx: &Ctx, resident: &str) -> Self {
        Self::new(ctx.caller.recorded_as(), ctx.caller.subject() != Some(resident))
    }

    /// The entry in the booking's own record.
    pub(super) fn came_to(&self, state: State, at: Timestamp) -> BookingTransition {
        BookingTransition {
            state: events::proto_state(state),
            actor: self.actor.clone(),
            on_behalf: self.on_behalf,
            change_time: Some(timestamp(at)),
        }
    }
}

/// A step of a booking with who takes it and what the resident is told; `None` leaves what was told before.
#[derive(Debug)]
pub(super) struct Turn {
    pub(super) step: Step,
    pub(super) reasons: Option<Vec<Reason>>,
    pub(super) by: By,
}

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
        turn: Turn,
        heads: &Heads,
    ) -> Result<BookingRow> {
        let frees = turn.step.effects.contains(&Effect::FreeSeats);
        let row = self.change(tx, ctx, slot, row, turn).await?;
        if frees {
            self.move_waitlist_up(tx, ctx, slot, heads).await?;
        }
        store::slots::update(tx, slot).await?;
        Ok(row)
    }

    /// Writes the new state of one booking with its effects; the slot is changed in memory only.
    pub(super) async fn change(
        &self,
        tx: &Tx<'_>,
        ctx: &Ctx,
        slot: &mut SlotRow,
        mut row: BookingRow,
        turn: Turn,
    ) -> Result<BookingRow> {
        let (previous, step) = (row.state, turn.step);
        row.state = step.to;
        row.version += 1;
        row.updated = ctx.now();
        row.expires = expiry(step.to, &row.window, ctx.now());
        if previous != row.state {
            let mut spec = Booking::decode(row.spec.as_slice()).map_err(Error::internal)?;
            spec.transitions.push(turn.by.came_to(row.state, ctx.now()));
            row.spec = spec.encode_to_vec();
        }
        if let Some(reasons) = turn.reasons {
            self.tell(&mut row, reasons)?;
        }
        let mut seats = slot.seats();
        for effect in &step.effects {
            match effect {
                Effect::FreeSeats => seats.give_back(row.party),
                Effect::LeaveWaitlist => seats.leave(),
                Effect::PlaceHold => holds::enqueue_place(&self.durable, tx, ctx, &row).await?,
                Effect::Capture => holds::capture(&self.durable, tx, ctx, &mut row).await?,
                Effect::Void => holds::void(&self.durable, tx, ctx, &mut row).await?,
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
                row.settlement = Settlement::Held;
                (row.claim().hold_placed(), None)
            }
            Err(reason) => {
                let step = row.claim().hold_refused();
                if step.to == row.state {
                    return Ok(());
                }
                let why = self.reason("hold-refused", refusal_text(&reason), &[("reason", reason)]);
                let receipt = self.refusal((&row.area, row.id), PRICE, &why, ctx.now());
                store::insert_receipts(tx, &[&receipt]).await?;
                (step, Some(vec![why]))
            }
        };
        let turn = Turn { step, reasons, by: By::service() };
        // Within the answer's transaction nobody can be asked: who moves up does so by the decision that let them wait.
        self.take_step(tx, ctx, &mut slot, row, turn, &Heads::default()).await.map(|_| ())
    }
}

/// The text of what the ledger says when it sets nothing aside.
fn refusal_text(reason: &str) -> &'static str {
    match reason {
        "INSUFFICIENT_BALANCE" => "REASON_HOLD_INSUFFICIENT_BALANCE",
        "ASSET_NOT_FOUND" => "REASON_HOLD_ASSET_NOT_FOUND",
        "NOT_TRANSFERABLE" => "REASON_HOLD_NOT_TRANSFERABLE",
        "HOLDER_CAP_REACHED" => "REASON_HOLD_CAP_REACHED",
        _ => "REASON_HOLD_REFUSED",
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
