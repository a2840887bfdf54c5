//! CreateBooking: facts, rules, and a write that checks that what was decided on still holds.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use linli_access::{Permit, Target};
use linli_kernel::{AreaId, Id as _, Name};
use linli_kit::catalogue::Entry;
use linli_kit::check::recorded;
use linli_kit::idempotency::{Claim, parse_request_id};
use linli_kit::ids::new_v7;
use linli_kit::{Ctx, Error, ErrorCode, FieldViolation, Result, check};
use linli_proto::booking::{Booking, CreateBookingRequest, Menu, Mode, Offering, OfferingState};
use linli_proto::org::ResidentFacts;

use super::facts::Facts;
use super::place::{Place, Placed};
use super::request::{self, Wanted};
use super::{App, area_of, id_of, split};
use crate::domain::{Fit, Gate, LocalKey, Opening, Verdict, Wish, local_key};
use crate::ids::{BookingId, SlotId};
use crate::store;
use crate::store::slots::{OPEN, SlotRow};
use crate::store::usage::{Counts, Key};

/// Decisions of one request at most; then the caller is asked to come back.
const ATTEMPTS: u32 = 4;

/// Who books what for whom.
pub(super) struct Asked {
    pub(super) area: AreaId,
    pub(super) slot: SlotId,
    pub(super) resident: String,
    pub(super) home: AreaId,
    pub(super) id: BookingId,
    pub(super) wish: Booking,
    pub(super) permit: Permit,
}

/// What is read anew for every attempt.
struct Present {
    slot: SlotRow,
    offering: Entry<Offering>,
    station_unit: String,
    menu: Option<Menu>,
}

impl App {
    pub(crate) async fn create_booking(&self, ctx: &Arc<Ctx>, mut request: CreateBookingRequest) -> Result<Booking> {
        let area = check::area("parent", &request.parent)?;
        let request_id = std::mem::take(&mut request.request_id);
        let hash = self.hash(ctx, &request);
        let wish = request.booking.take().unwrap_or_default();
        let resident = match (wish.resident.as_str(), ctx.caller.subject()) {
            ("", Some(subject)) => subject.to_owned(),
            (named, _) => named.to_owned(),
        };
        let person = check::name("booking.resident", &resident, "people")?;
        let mut residents = HashMap::new();
        let permit = if ctx.caller.subject() == Some(resident.as_str()) {
            self.access.authorise(ctx, &Target::area(&area).about(resident.as_str()))?
        } else {
            residents = self.residents(ctx, &[&resident]).await?;
            self.authorise_for(ctx, &person, residents.get(&resident))?
        };
        let claim = parse_request_id(&request_id)?.map(|id| Claim::new(ctx, area.as_str(), id, hash));
        if let Some(earlier) = self.earlier(claim.as_ref()).await? {
            return self.booking_by_name(ctx, &earlier).await;
        }
        let (slot_area, slot) = recorded::<SlotId>("booking.slot", &wish.slot, "slots")?;
        if slot_area != area {
            let violation = FieldViolation::new("booking.slot", "AREA_MISMATCH").arg("area", area.name());
            return Err(Error::field(violation));
        }
        let (id, home) = (new_v7(ctx.now()), person.area().clone());
        let asked = Asked { area, slot, resident, home, id, wish, permit };
        self.decide_and_place(ctx, &asked, residents, claim).await
    }

    /// Another than the resident books: a role at the resident's unit is wanted.
    fn authorise_for(&self, ctx: &Ctx, person: &Name, facts: Option<&ResidentFacts>) -> Result<Permit> {
        let mut target = Target::area(person.area());
        if let Some(facts) = facts.filter(|facts| !facts.unit.is_empty()) {
            target = target.at_unit(id_of(&facts.unit));
        }
        let permit = self.access.authorise(ctx, &target)?;
        match facts {
            Some(_) => Ok(permit),
            None => Err(unknown_resident(&person.to_string())),
        }
    }

    /// The booking that an earlier request of this id made; REQUEST_ID_REUSED when it was another request.
    async fn earlier(&self, claim: Option<&Claim>) -> Result<Option<String>> {
        let Some(claim) = claim else { return Ok(None) };
        let sql = "SELECT request_hash, resource FROM idempotency \
                   WHERE area = $1 AND caller = $2 AND method = $3 AND request_id = $4";
        let values = vec![
            claim.area.clone().into(),
            claim.caller.clone().into(),
            claim.method.clone().into(),
            claim.request_id.into(),
        ];
        let Some(row) = store::one(self.store().reader(), sql, values).await? else { return Ok(None) };
        if store::get::<Vec<u8>>(&row, "request_hash")? != claim.request_hash {
            return Err(linli_kit::idempotency::reused());
        }
        store::get(&row, "resource").map(Some)
    }

    async fn decide_and_place(
        &self,
        ctx: &Arc<Ctx>,
        asked: &Asked,
        mut residents: HashMap<String, ResidentFacts>,
        claim: Option<Claim>,
    ) -> Result<Booking> {
        let claim = claim.map(|claim| claim.of_resource(format!("areas/{}/bookings/{}", asked.area, asked.id)));
        for _ in 0..ATTEMPTS {
            let present = self.present(asked).await?;
            gate(ctx, &present, asked)?;
            let place = self.decide(ctx, asked, &present, &mut residents, claim.clone()).await?;
            match self.places.submit_until(ctx.deadline, place).await? {
                Placed::New => {
                    let row = store::bookings::find(self.store().reader(), asked.area.as_str(), asked.id).await?;
                    let row = row.ok_or_else(|| Error::internal("a booking vanished"))?;
                    return self.view_booking(ctx, &row, true).await;
                }
                Placed::Repeat(name) => return self.booking_by_name(ctx, &name).await,
                Placed::Moved => {}
            }
        }
        Err(Error::new(ErrorCode::Aborted, "CONFLICT").retry_after(Duration::from_millis(200)))
    }

    async fn present(&self, asked: &Asked) -> Result<Present> {
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
        let day = crate::domain::calendar::local_date(slot.start, self.tz(&slot.area)).to_string();
        let reader = self.store().reader();
        let Some(name) = store::catalogue::menu_of(reader, &slot.area, &slot.offering, &day).await? else {
            return Ok(None);
        };
        let (area, id) = split(&name);
        Ok(self.menus.find(area, id).await?.map(|entry| entry.resource))
    }

    /// Gathers the facts, asks the rules and writes down what follows.
    async fn decide(
        &self,
        ctx: &Arc<Ctx>,
        asked: &Asked,
        present: &Present,
        residents: &mut HashMap<String, ResidentFacts>,
        claim: Option<Claim>,
    ) -> Result<Place> {
        let (slot, offering) = (&present.slot, &present.offering.resource);
        let local = local_key(slot.start, self.tz(&slot.area));
        let key = Key { area: slot.area.clone(), kind: slot.kind.clone(), resident: asked.resident.clone() };
        // The version first: what is read afterwards is at least as new.
        let counts = store::usage::counts(self.store().reader(), &key, local, ctx.now()).await?;
        let queue = self.waiting(slot, offering, asked).await?;
        let needed =
            std::iter::once(asked.resident.as_str()).chain(queue.iter().flatten().map(|r| r.resident.as_str()));
        let unknown: Vec<&str> = needed.filter(|name| !residents.contains_key(*name)).collect();
        if !unknown.is_empty() {
            let found = self.residents(ctx, &unknown).await?;
            residents.extend(found);
        }
        let who = residents.get(&asked.resident).ok_or_else(|| unknown_resident(&asked.resident))?;
        let wanted = request::check(&asked.wish, offering, &who.household, present.menu.as_ref())?;
        let needs = self.needs(ctx, &slot.area, &slot.kind).await?;
        let balances = match needs.has("balances") {
            true => self.balances(ctx, &slot.area, &asked.resident).await?,
            false => Vec::new(),
        };
        let queue = match &queue {
            Some(rows) => Some(self.scored_queue(slot, rows, residents, local, ctx).await?),
            None => None,
        };
        let seed = u32::try_from(asked.id.uuid().as_u128() & 0xffff_ffff).unwrap_or(0);
        let facts = Facts { slot, offering, wanted: &wanted, who, counts, balances, queue, seed };
        let answers = self.evaluate(ctx, &facts).await?;
        if needs.moved(answers.iter().take(2).map(|(_, answer)| answer.revision.as_str())) {
            self.forget_needs(&slot.area, &slot.kind).await;
            // A rule that came meanwhile may need what was not asked for.
            let now_needed = self.needs(ctx, &slot.area, &slot.kind).await?.has("balances");
            if now_needed && !needs.has("balances") {
                return Err(Error::new(ErrorCode::Aborted, "CONFLICT").retry_after(Duration::from_millis(200)));
            }
        }
        let fence = (counts, present.offering.revision);
        self.place_of(ctx, asked, &facts, &answers, (fence, local, &present.station_unit, key, claim))
    }

    /// Those who wait, when the newcomer will have to wait as well.
    async fn waiting(
        &self,
        slot: &SlotRow,
        offering: &Offering,
        asked: &Asked,
    ) -> Result<Option<Vec<store::bookings::BookingRow>>> {
        let probe = Wish {
            party: asked.wish.party.max(1),
            verdict: Verdict::Allow,
            priced: false,
            scored: false,
            waitlist: offering.waitlist,
        };
        if slot.seats().place(&probe) != Fit::Unscored {
            return Ok(None);
        }
        store::bookings::queue(self.store().reader(), &slot.area, slot.id).await.map(Some)
    }

    async fn scored_queue(
        &self,
        slot: &SlotRow,
        rows: &[store::bookings::BookingRow],
        residents: &HashMap<String, ResidentFacts>,
        local: LocalKey,
        ctx: &Ctx,
    ) -> Result<Vec<(store::bookings::BookingRow, linli_proto::rules::Member, Counts)>> {
        let names: Vec<&str> = rows.iter().map(|row| row.resident.as_str()).collect();
        let reader = self.store().reader();
        let counts = store::usage::counts_of(reader, &slot.area, &slot.kind, &names, local, ctx.now()).await?;
        Ok(self.queue_facts(&slot.area, rows, residents, &counts, ctx.now()))
    }
}

/// Whether the slot can be booked by this resident at this time.
fn gate(ctx: &Ctx, present: &Present, asked: &Asked) -> Result<()> {
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

fn unknown_resident(name: &str) -> Error {
    Error::field(FieldViolation::new("booking.resident", "REFERENCE_NOT_FOUND").arg("value", name))
}

/// Id of the resident's unit, when it is one of the slot's area.
pub(super) fn unit_in(area: &str, who: &ResidentFacts) -> String {
    if area_of(&who.unit) == area { id_of(&who.unit).to_owned() } else { String::new() }
}

/// What goes into the sealed column: everything that the resident answered or described.
pub(super) fn secret_of(wanted: &Wanted) -> Booking {
    use linli_proto::booking::booking::Details;
    let visit = match &wanted.details {
        Some(Details::Visit(visit)) => Some(Details::Visit(linli_proto::booking::VisitDetails {
            household: String::new(),
            description: visit.description.clone(),
        })),
        _ => None,
    };
    Booking { answers: wanted.answers.clone(), details: visit, ..Booking::default() }
}
