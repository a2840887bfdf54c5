//! The hot path: decided bookings that wait for the same slots are written together.
//!
//! A batch locks slots and usage rows, checks what the decisions rest on, decides who gets a seat in memory, and writes
//! everything with a few statements. A member is refused by data, so that it costs its neighbours nothing.

mod prepare;

pub(super) use prepare::{Fence, facts_json, replayable, rules_of, verdict_of};

use std::collections::HashMap;
use std::sync::Arc;

use linli_kernel::{Id as _, Timestamp};
use linli_kit::combiner::Batch;
use linli_kit::durable::DurableCalls;
use linli_kit::idempotency::{Claim, ClaimOutcome, claim_many, release_many};
use linli_kit::store::Tx;
use linli_kit::{Ctx, Error, ErrorCode, Result};
use linli_proto::booking::Booking;
use prost::Message as _;

use super::transition::By;
use super::{events, holds};
use crate::domain::{Awaits, Fit, State, Window, Wish};
use crate::ids::{BookingId, SlotId};
use crate::store;
use crate::store::bookings::BookingRow;
use crate::store::receipts::ReceiptRow;
use crate::store::slots::{OPEN, SlotRow};
use crate::store::usage::Key;

/// A reservation that waits for the ledger ends after this, or when the slot begins.
const HOLD_WAIT_SECS: i64 = 6 * 3600;

/// A decided booking with all that its write needs.
pub(super) struct Place {
    pub(super) ctx: Arc<Ctx>,
    pub(super) usage: Key,
    /// The version of the usage that the rules saw.
    pub(super) usage_version: i64,
    /// The offering `(area, id)` and its revision that the rules saw.
    pub(super) offering: (String, String, i64),
    pub(super) wish: Wish,
    /// The booking; its state, place on the waitlist and expiry are filled in.
    pub(super) row: BookingRow,
    /// What goes into `spec`.
    pub(super) spec: Booking,
    /// What is sealed for one who has to wait: the reasons say so.
    pub(super) waiting_enc: Vec<u8>,
    pub(super) receipts: Vec<ReceiptRow>,
    /// New scores of those who wait already.
    pub(super) scores: Vec<(BookingId, i32)>,
    /// The next place on the waitlist when the scores were given: who joined since has not been seen by them.
    pub(super) next_seq: i64,
    pub(super) claim: Option<Claim>,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Placed {
    /// It was written.
    New,
    /// An earlier request of the same id has written this booking.
    Repeat(String),
    /// What it rests on has changed: decide again.
    Moved,
}

/// Runs batches of bookings.
pub(super) struct Places {
    pub(super) durable: DurableCalls,
}

/// When a booking in this state ends by itself.
pub(super) fn expiry(state: State, window: &Window, now: Timestamp) -> Option<Timestamp> {
    match state {
        State::Pending(Awaits::Hold) => Some(now.plus_secs(HOLD_WAIT_SECS).min(window.start.max(now.plus_secs(60)))),
        State::Pending(Awaits::Approval) | State::Waitlisted { .. } => Some(window.start),
        _ => None,
    }
}

/// What a batch found in the database, and changes in memory.
struct Found {
    slots: HashMap<(String, SlotId), SlotRow>,
    touched: Vec<(String, SlotId)>,
    usage: HashMap<Key, i64>,
    bumped: Vec<Key>,
    offerings: HashMap<(String, String), i64>,
}

/// What a batch will write.
#[derive(Default)]
struct Writes {
    bookings: Vec<BookingRow>,
    members: Vec<usize>,
}

impl Batch for Places {
    type Command = Place;
    type Outcome = Placed;

    fn name(&self) -> &'static str {
        "booking.create"
    }

    fn shard(command: &Place) -> u64 {
        u64::try_from(command.row.slot.uuid().as_u128() & u128::from(u64::MAX)).unwrap_or(0)
    }

    async fn apply(&self, tx: &Tx<'_>, batch: &[&Place]) -> Result<Vec<Result<Placed>>> {
        let earlier = claims(tx, batch).await?;
        let mut found = load(tx, batch).await?;
        let mut writes = Writes::default();
        let mut outcomes: Vec<Result<Placed>> = Vec::with_capacity(batch.len());
        for (i, place) in batch.iter().enumerate() {
            let outcome = match &earlier[i] {
                Some(ClaimOutcome::Reused) => Err(linli_kit::idempotency::reused()),
                Some(ClaimOutcome::Repeat(name)) => Ok(Placed::Repeat(name.clone())),
                Some(ClaimOutcome::SameAs(first)) => same_as(&outcomes[*first], batch[*first]),
                Some(ClaimOutcome::New) | None => found.decide(place).map(|row| match row {
                    Some(row) => {
                        writes.members.push(i);
                        writes.bookings.push(row);
                        Placed::New
                    }
                    None => Placed::Moved,
                }),
            };
            outcomes.push(outcome);
        }
        let refused = batch.iter().enumerate().filter(|(i, _)| {
            matches!(earlier[*i], Some(ClaimOutcome::New)) && !matches!(outcomes[*i], Ok(Placed::New))
        });
        release_many(tx, refused.filter_map(|(_, place)| place.claim.as_ref())).await?;
        self.write(tx, batch, &found, &writes).await?;
        Ok(outcomes)
    }
}

async fn claims(tx: &Tx<'_>, batch: &[&Place]) -> Result<Vec<Option<ClaimOutcome>>> {
    let members: Vec<usize> = (0..batch.len()).filter(|i| batch[*i].claim.is_some()).collect();
    let claims: Vec<Claim> = members.iter().filter_map(|i| batch[*i].claim.clone()).collect();
    let mut outcomes = vec![None; batch.len()];
    for (at, outcome) in members.iter().zip(claim_many(tx, &claims).await?) {
        // An index within the claims becomes one within the batch.
        outcomes[*at] = Some(match outcome {
            ClaimOutcome::SameAs(first) => ClaimOutcome::SameAs(members[first]),
            other => other,
        });
    }
    Ok(outcomes)
}

/// The outcome of the same request earlier in the batch.
fn same_as(first: &Result<Placed>, place: &Place) -> Result<Placed> {
    match first {
        Ok(Placed::New) => Ok(Placed::Repeat(place.row.name())),
        Ok(other) => Ok(other.clone()),
        // It is refused for itself, when it is decided again.
        Err(_) => Ok(Placed::Moved),
    }
}

async fn load(tx: &Tx<'_>, batch: &[&Place]) -> Result<Found> {
    let keys: Vec<_> = batch.iter().map(|p| (p.row.area.clone(), p.row.slot)).collect();
    let slots = store::lock_slots(tx, &keys).await?;
    let usage: Vec<Key> = batch.iter().map(|p| p.usage.clone()).collect();
    let usage = store::lock_usage(tx, &usage).await?;
    let mut offerings: Vec<_> =
        batch.iter().map(|p| (p.offering.0.clone(), "offerings", p.offering.1.clone())).collect();
    offerings.sort();
    offerings.dedup();
    let revisions = store::catalogue::revisions(tx, &offerings).await?;
    Ok(Found {
        slots: slots.into_iter().map(|slot| ((slot.area.clone(), slot.id), slot)).collect(),
        touched: Vec::new(),
        usage: usage.into_iter().collect(),
        bumped: Vec::new(),
        offerings: offerings
            .into_iter()
            .zip(revisions)
            .map(|((area, _, id), revision)| ((area, id), revision))
            .collect(),
    })
}

impl Found {
    /// The booking as it will be; `None`: it must be decided again.
    fn decide(&mut self, place: &Place) -> Result<Option<BookingRow>> {
        let refuse =
            |reason| Err(Error::new(ErrorCode::FailedPrecondition, reason).with("slot", place.row.slot_name()));
        let usage = self.usage.get(&place.usage).copied().unwrap_or(0);
        let (area, id, revision) = &place.offering;
        let offering = self.offerings.get(&(area.clone(), id.clone())).copied();
        if usage != place.usage_version || offering != Some(*revision) {
            return Ok(None);
        }
        let key = (place.row.area.clone(), place.row.slot);
        let Some(slot) = self.slots.get_mut(&key).filter(|slot| slot.state == OPEN) else {
            return refuse("SLOT_NOT_OPEN");
        };
        let mut seats = slot.seats();
        let (state, seq) = match seats.place(&place.wish) {
            Fit::Unscored => return Ok(None),
            Fit::Full => return refuse("SLOT_FULL"),
            Fit::State { state, seq } => (state, seq),
        };
        let mut row = place.row.clone();
        let mut spec = place.spec.clone();
        row.state = state;
        row.seq = seq;
        row.expires = expiry(state, &row.window, row.created);
        if matches!(state, State::Waitlisted { .. }) {
            if seq != place.next_seq {
                return Ok(None);
            }
            row.secret_enc.clone_from(&place.waiting_enc);
        }
        let by = By::new(row.booked_by.clone(), row.on_behalf);
        spec.transitions.push(by.came_to(state, row.created));
        row.spec = spec.encode_to_vec();
        if state != State::Refused {
            slot.set_seats(&seats);
            self.touched.push(key);
            self.usage.insert(place.usage.clone(), usage + 1);
            self.bumped.push(place.usage.clone());
        }
        Ok(Some(row))
    }
}

impl Places {
    async fn write(&self, tx: &Tx<'_>, batch: &[&Place], found: &Found, writes: &Writes) -> Result<()> {
        store::insert_bookings(tx, &writes.bookings.iter().collect::<Vec<_>>()).await?;
        let receipts: Vec<&ReceiptRow> = writes.members.iter().flat_map(|i| &batch[*i].receipts).collect();
        store::insert_receipts(tx, &receipts).await?;
        let mut bumped = found.bumped.clone();
        bumped.sort();
        bumped.dedup();
        let versions: Vec<(Key, i64)> = bumped.into_iter().map(|key| (key.clone(), found.usage[&key])).collect();
        store::bump_usage(tx, &versions).await?;
        let mut touched = found.touched.clone();
        touched.sort();
        touched.dedup();
        for key in touched {
            store::slots::update(tx, &found.slots[&key]).await?;
        }
        for (i, row) in writes.members.iter().zip(&writes.bookings) {
            let place = batch[*i];
            if matches!(row.state, State::Waitlisted { .. }) {
                store::set_priorities(tx, &row.area, &place.scores).await?;
            }
            if row.state == State::Pending(Awaits::Hold) {
                holds::enqueue_place(&self.durable, tx, &place.ctx, row).await?;
            }
            events::changed(tx, &place.ctx, row, None)?;
        }
        Ok(())
    }
}
