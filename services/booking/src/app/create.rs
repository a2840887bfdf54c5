//! CreateBooking: who may book for whom, and attempts until a decision holds when it is written.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use linli_access::{Permit, Target};
use linli_kernel::{AreaId, Name};
use linli_kit::check::recorded;
use linli_kit::idempotency::{Claim, parse_request_id};
use linli_kit::ids::new_v7;
use linli_kit::{Ctx, Error, ErrorCode, FieldViolation, Result, check};
use linli_proto::booking::{Booking, CreateBookingRequest};
use linli_proto::org::ResidentFacts;

use super::decide::{gate, unknown_resident};
use super::place::Placed;
use super::request::Wanted;
use super::{App, area_of, id_of};
use crate::ids::{BookingId, SlotId};
use crate::store;

/// Decisions of one request at most; then the caller is asked to come back. Two replicas that take turns at one slot lose
/// against each other now and then.
const ATTEMPTS: u32 = 12;

/// Who books what for whom.
pub(super) struct Asked {
    pub(super) area: AreaId,
    pub(super) slot: SlotId,
    pub(super) resident: String,
    pub(super) home: AreaId,
    pub(super) id: BookingId,
    pub(super) wish: Booking,
    /// Text under which the caller is recorded.
    pub(super) booked_by: String,
    /// Whether another than the resident books.
    pub(super) on_behalf: bool,
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
        if let Some(claim) = &claim
            && let Some(earlier) = store::requests::earlier(self.store().reader(), claim).await?
        {
            return self.booking_by_name(ctx, &earlier).await;
        }
        let (slot_area, slot) = recorded::<SlotId>("booking.slot", &wish.slot, "slots")?;
        if slot_area != area {
            let violation = FieldViolation::new("booking.slot", "AREA_MISMATCH").arg("area", area.name());
            return Err(Error::field(violation));
        }
        let (id, home) = (new_v7(ctx.now()), person.area().clone());
        let (booked_by, on_behalf) = (permit.subject().to_owned(), ctx.caller.subject() != Some(resident.as_str()));
        let asked = Asked { area, slot, resident, home, id, wish, booked_by, on_behalf };
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

    async fn decide_and_place(
        &self,
        ctx: &Arc<Ctx>,
        asked: &Asked,
        mut residents: HashMap<String, ResidentFacts>,
        claim: Option<Claim>,
    ) -> Result<Booking> {
        let claim = claim.map(|claim| claim.of_resource(format!("areas/{}/bookings/{}", asked.area, asked.id)));
        for _ in 0..ATTEMPTS {
            match self.attempt(ctx, asked, &mut residents, claim.clone()).await? {
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

    /// Decides once and tries to write it. Those who will have to wait for one slot do so one after the other: each is scored
    /// together with all who wait already.
    async fn attempt(
        &self,
        ctx: &Arc<Ctx>,
        asked: &Asked,
        residents: &mut HashMap<String, ResidentFacts>,
        claim: Option<Claim>,
    ) -> Result<Placed> {
        let mut present = self.present(asked).await?;
        gate(ctx, &present, asked)?;
        let mut turn = None;
        if present.must_wait(asked) {
            turn = Some(self.turns.take(asked.slot).await);
            present = self.present(asked).await?;
            gate(ctx, &present, asked)?;
        }
        let placed = match self.decide(ctx, asked, &present, residents, claim).await? {
            Some(place) => self.places.submit_until(ctx.deadline, place).await?,
            None => Placed::Moved,
        };
        drop(turn);
        Ok(placed)
    }
}

/// Id of the resident's unit when it is one of the slot's area, and otherwise, as the second, in the resident's own.
pub(super) fn unit_in(area: &str, who: &ResidentFacts) -> (String, String) {
    let id = id_of(&who.unit).to_owned();
    if area_of(&who.unit) == area { (id, String::new()) } else { (String::new(), id) }
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
