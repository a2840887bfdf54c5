//! The events of booking's feed: ids and codes only, never what a person typed.

use linli_kit::check::timestamp;
use linli_kit::store::{EventDraft, Tx};
use linli_kit::{Ctx, Result};
use linli_proto::booking::{Booking, BookingChanged, BookingState, Server, SlotCancelled};
use prost::Message as _;

use crate::domain::State;
use crate::store::bookings::{BookingRow, columns_of};
use crate::store::slots::SlotRow;

/// The contract's state of a state.
pub(super) fn proto_state(state: State) -> i32 {
    i32::try_from(columns_of(state).0).unwrap_or(BookingState::Unspecified as i32)
}

/// Tells that a booking came to its present state from `previous`; `None`: it is new.
pub(super) fn changed(tx: &Tx<'_>, ctx: &Ctx, row: &BookingRow, previous: Option<State>) -> Result<()> {
    let spec = Booking::decode(row.spec.as_slice()).map_err(linli_kit::Error::internal)?;
    let slot_us = row.window.end.micros() - row.window.start.micros();
    let event = BookingChanged {
        booking: row.name(),
        slot: row.slot_name(),
        offering: row.offering.clone(),
        kind: row.kind.clone(),
        state: proto_state(row.state),
        previous_state: previous.map_or(BookingState::Unspecified as i32, proto_state),
        resident: row.resident.clone(),
        tags: row.tags.split(',').filter(|tag| !tag.is_empty()).map(str::to_owned).collect(),
        servers: if row.state == State::Completed { spec.servers } else { Vec::<Server>::new() },
        start_time: Some(timestamp(row.window.start)),
        slot_min: i32::try_from(slot_us / 60_000_000).unwrap_or(i32::MAX),
        party: row.party,
    };
    tx.emit(EventDraft::new(ctx, "linli.booking.v1.BookingChanged", row.area.clone(), row.name(), row.version, &event));
    Ok(())
}

/// Tells that a slot was cancelled.
pub(super) fn slot_cancelled(tx: &Tx<'_>, ctx: &Ctx, slot: &SlotRow) {
    let event = SlotCancelled { slot: slot.name(), offering: slot.offering.clone() };
    let version = slot.version + 1;
    tx.emit(EventDraft::new(ctx, "linli.booking.v1.SlotCancelled", slot.area.clone(), slot.name(), version, &event));
}
