//! One attempt at a decision: what is there now, the facts, what the rules say, and the command that follows.

use std::collections::HashMap;
use std::sync::Arc;

use linli_kernel::Id as _;
use linli_kit::catalogue::Entry;
use linli_kit::idempotency::Claim;
use linli_kit::{Ctx, Error, ErrorCode, FieldViolation, Result};
use linli_proto::booking::booking::Details;
use linli_proto::booking::{Menu, Mode, Offering, OfferingState};
use linli_proto::org::org_service_client::OrgServiceClient;
use linli_proto::org::{GetHouseholdRequest, ResidentFacts};
use linli_proto::rules::Waiting;
use tokio::sync::{Mutex, MutexGuard};
use tonic::Code;

use super::create::Asked;
use super::facts::{Facts, MAX_RESCORED};
use super::place::{Fence, Place};
use super::request::{self, Wanted};
use super::rules::{BALANCES, Needs};
use super::{App, area_of, id_of, split};
use crate::domain::{Fit, Gate, LocalKey, Opening, Verdict, Wish, local_key};
use crate::ids::{BookingId, DecisionId, SlotId};
use crate::store;
use crate::store::bookings::BookingRow;
use crate::store::slots::{OPEN, SlotRow};
use crate::store::usage::Key;

/// Whose turn it is to join the waitlist of a slot, within this process; slots share turns by chance.
pub(super) struct Turns(Vec<Mutex<()>>);

impl Default for Turns {
    fn default() -> Self {
        Self((0..64).map(|_| Mutex::default()).collect())
    }
}

impl Turns {
    /// Waits until nobody else of this process is about to join the waitlist of the slot.
    pub(super) async fn take(&self, slot: SlotId) -> MutexGuard<'_, ()> {
        let at = usize::try_from(slot.uuid().as_u128() % 64).unwrap_or(0);
        self.0[at].lock().await
    }
}

/// What is read anew for every attempt.
pub(super) struct Present {
    slot: SlotRow,
    offering: Entry<Offering>,
    station_unit: String,
    menu: Option<Menu>,
}

impl Present {
    /// Whether the wish will have to wait for a seat, so that its priority is asked.
    pub(super) fn must_wait(&self, asked: &Asked) -> bool {
        let probe = Wish {
            party: asked.wish.party.max(1),
            verdict: Verdict::Allow,
            priced: false,
            scored: false,
            waitlist: self.offering.resource.waitlist,
        };
        self.slot.seats().place(&probe) == Fit::Unscored
    }
}

impl App {
    pub(super) async fn present(&self, asked: &Asked) -> Result<Present> {
        let area = asked.area.as_str();
        let slot = store::slots::find(self.store().reader(), area, asked.slot).await?;
        let slot = slot.ok_or_else(|| Error::not_found(&asked.wish.slot))?;
        let (owner, offering) = split(&slot.offering);
        let offering = self.offerings.find(owner, offering).await?;
        let offering = offering.ok_or_else(|| Error::not_found(&slot.offering))?;
        let (station_area, station) = split(&slot.station);
        let station = self.stations.find(station_area, station).await?;
        let menu = if offering.resource.mode() == Mode::Meal { self.menu_of(&slot).await? } else { None };
        let station_unit = station.map(|s| id_of(&s.resource.unit).to_owned()).unwrap_or_default();
        Ok(Present { slot, offering, station_unit, menu })
    }

    async fn menu_of(&self, slot: &SlotRow) -> Result<Option<Menu>> {
        let day = crate::domain::calendar::local_date(slot.start, self.tz(&slot.area)?).to_string();
        let reader = self.store().reader();
        let Some(name) = store::catalogue::menu_of(reader, &slot.area, &slot.offering, &day).await? else {
            return Ok(None);
        };
        let (area, id) = split(&name);
        Ok(self.menus.find(area, id).await?.map(|entry| entry.resource))
    }

    /// Gathers the facts, asks the rules and writes down what follows; `None`: the rules have changed meanwhile, decide again.
    pub(super) async fn decide(
        &self,
        ctx: &Arc<Ctx>,
        asked: &Asked,
        present: &Present,
        residents: &mut HashMap<String, ResidentFacts>,
        claim: Option<Claim>,
    ) -> Result<Option<Place>> {
        let (slot, offering) = (&present.slot, &present.offering.resource);
        let tz = self.tz(&slot.area)?;
        let (local, decision) = (local_key(slot.start, tz), DecisionId::of_booking(asked.id));
        let key = Key { area: slot.area.clone(), kind: slot.kind.clone(), resident: asked.resident.clone() };
        // The version first: what is read afterwards is at least as new.
        let counts = store::usage::counts(self.store().reader(), &key, local, ctx.now()).await?;
        let queue = if present.must_wait(asked) { Some(self.queue_of(slot).await?) } else { None };
        let needed =
            std::iter::once(asked.resident.as_str()).chain(queue.iter().flatten().map(|r| r.resident.as_str()));
        let unknown: Vec<&str> = needed.filter(|name| !residents.contains_key(*name)).collect();
        if !unknown.is_empty() {
            let found = self.residents(ctx, &unknown).await?;
            residents.extend(found);
        }
        let who = residents.get(&asked.resident).ok_or_else(|| unknown_resident(&asked.resident))?;
        let wanted = request::check(&asked.wish, offering, &who.household, present.menu.as_ref())?;
        self.check_household(ctx, asked, who, &wanted).await?;
        let needs = self.needs(ctx, &slot.area, &slot.kind).await?;
        let balances = match needs.eligibility.has(BALANCES) || needs.price.has(BALANCES) {
            true => self.balances(ctx, &slot.area, &[&asked.resident]).await?.remove(&asked.resident),
            false => None,
        };
        let queue = match &queue {
            Some(rows) => {
                Some(self.scored_queue((slot, offering), rows, residents, &needs, (local, decision, ctx)).await?)
            }
            None => None,
        };
        let balances = balances.unwrap_or_default();
        let facts = Facts {
            slot,
            offering,
            wanted: &wanted,
            who,
            counts,
            balances,
            queue,
            seed: seed(asked.id),
            decision,
            tz,
            needs: &needs,
        };
        let answers = match self.evaluate(ctx, &facts).await {
            Err(error) if self.asked_too_little(ctx, &slot.area, &slot.kind, &needs, &error).await => return Ok(None),
            answered => answered?,
        };
        if !needs.gave(&answers) {
            // A rule that came meanwhile may need what was not asked for.
            self.forget_needs(&slot.area, &slot.kind).await;
            return Ok(None);
        }
        let (revision, station_unit) = (present.offering.revision, &present.station_unit);
        let fence = Fence { counts, revision, local, station_unit, key, claim };
        self.place_of(ctx, asked, &facts, &answers, fence).map(Some)
    }

    /// Those who wait for a slot; nobody when they are too many to be scored anew.
    async fn queue_of(&self, slot: &SlotRow) -> Result<Vec<BookingRow>> {
        if slot.waiting > MAX_RESCORED {
            return Ok(Vec::new());
        }
        let mut rows = store::bookings::queue(self.store().reader(), &slot.area, slot.id).await?;
        if i32::try_from(rows.len()).is_ok_and(|n| n > MAX_RESCORED) {
            rows.clear();
        }
        Ok(rows)
    }

    async fn scored_queue(
        &self,
        (slot, offering): (&SlotRow, &Offering),
        rows: &[BookingRow],
        residents: &HashMap<String, ResidentFacts>,
        needs: &Needs,
        (local, decision, ctx): (LocalKey, DecisionId, &Ctx),
    ) -> Result<Vec<(BookingRow, Waiting)>> {
        let names: Vec<&str> = rows.iter().map(|row| row.resident.as_str()).collect();
        let reader = self.store().reader();
        let counts = store::usage::counts_of(reader, &slot.area, &slot.kind, &names, local, ctx.now()).await?;
        self.queue_facts((offering, needs), rows, residents, &counts, (self.tz(&slot.area)?, decision, ctx.now()))
    }

    /// A household in the details must be one that the caller may name: residents their own, others one that they may see.
    async fn check_household(&self, ctx: &Ctx, asked: &Asked, who: &ResidentFacts, wanted: &Wanted) -> Result<()> {
        let (field, household) = match &wanted.details {
            Some(Details::Meal(meal)) if !meal.household.is_empty() => ("booking.meal.household", &meal.household),
            Some(Details::Visit(visit)) => ("booking.visit.household", &visit.household),
            _ => return Ok(()),
        };
        if *household == who.household {
            return Ok(());
        }
        if !asked.on_behalf {
            return Err(Error::field(FieldViolation::new(field, "HOUSEHOLD_NOT_OWN")));
        }
        let area = area_of(household);
        if area != asked.area.as_str() && area != asked.home.as_str() {
            let violation = FieldViolation::new(field, "AREA_MISMATCH").arg("area", asked.home.name());
            return Err(Error::field(violation));
        }
        let mut client = OrgServiceClient::new(self.parts.peers.to("org", ctx));
        match client.get_household(GetHouseholdRequest { name: household.clone() }).await {
            Ok(_) => Ok(()),
            Err(status) if matches!(status.code(), Code::NotFound | Code::PermissionDenied | Code::InvalidArgument) => {
                Err(Error::field(FieldViolation::new(field, "REFERENCE_NOT_FOUND").arg("value", household)))
            }
            Err(status) => Err(Error::from_peer(status)),
        }
    }
}

/// The seed of rules that draw lots about a booking.
pub(super) fn seed(booking: BookingId) -> u32 {
    u32::try_from(booking.uuid().as_u128() & 0xffff_ffff).unwrap_or(0)
}

/// Whether the slot can be booked by this resident at this time.
pub(super) fn gate(ctx: &Ctx, present: &Present, asked: &Asked) -> Result<()> {
    let (slot, offering) = (&present.slot, &present.offering.resource);
    let refuse = |reason| Error::new(ErrorCode::FailedPrecondition, reason).with("slot", slot.name());
    if !request::serves(offering, &asked.area, &asked.home) {
        return Err(Error::new(ErrorCode::FailedPrecondition, "NOT_SERVED_HERE").with("area", asked.home.name()));
    }
    if slot.state != OPEN || offering.state() == OfferingState::Archived {
        return Err(refuse("SLOT_NOT_OPEN"));
    }
    match slot.window().booking(&opening(offering), ctx.now()) {
        Gate::Open => Ok(()),
        Gate::NotYet(from) => Err(refuse("NOT_YET_OPEN").with("from", from.to_chrono().to_rfc3339())),
        Gate::Over(since) => Err(refuse("BOOKING_CLOSED").with("since", since.to_chrono().to_rfc3339())),
    }
}

/// An offering's times.
pub(super) fn opening(offering: &Offering) -> Opening {
    Opening {
        opens_before_min: i64::from(offering.opens_before_min),
        closes_before_min: i64::from(offering.closes_before_min),
        cancel_before_min: i64::from(offering.cancel_before_min),
    }
}

pub(super) fn unknown_resident(name: &str) -> Error {
    Error::field(FieldViolation::new("booking.resident", "REFERENCE_NOT_FOUND").arg("value", name))
}
