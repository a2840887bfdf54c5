//! What several stories need: a barber with slots, many residents, a rule that is bound.

use linli_harness::seed::{request_id, text};
use linli_harness::{Actor, rules, until};
use linli_proto::booking as pb;
use linli_proto::org;

const PARENT: &str = "areas/xinhua";

/// An offering that is free and for everybody.
pub(crate) fn haircut() -> pb::Offering {
    pb::Offering {
        display_name: text("义剪", "Haircut"),
        service_list: pb::ServiceList::SocialWelfare.into(),
        mode: pb::Mode::Seat.into(),
        kind: "haircut".into(),
        ..Default::default()
    }
}

/// Makes the offering `haircut` at a station with a daily slot of so many chairs; answers the slots in order of time.
pub(crate) async fn barber(op: &Actor, offering: pb::Offering, chairs: i32) -> Vec<pb::Slot> {
    let request = pb::CreateOfferingRequest {
        parent: PARENT.into(),
        offering: Some(offering),
        offering_id: "haircut".into(),
        request_id: request_id(),
    };
    let offering = op.booking().create_offering(request).await.expect("an offering").into_inner();
    let station =
        pb::Station { display_name: text("驿站", "Hut"), kind: "micro-station".into(), ..Default::default() };
    let request = pb::CreateStationRequest {
        parent: PARENT.into(),
        station: Some(station),
        station_id: "hut".into(),
        request_id: request_id(),
    };
    let station = op.booking().create_station(request).await.expect("a station").into_inner();
    let schedule = pb::Schedule {
        offering: offering.name,
        station: station.name,
        rrule: "FREQ=DAILY".into(),
        start_local: "2026-11-03T09:00".into(),
        duration_min: 60,
        capacity: chairs,
        horizon_days: 25,
        ..Default::default()
    };
    let request = pb::CreateScheduleRequest {
        parent: PARENT.into(),
        schedule: Some(schedule),
        schedule_id: "daily".into(),
        request_id: request_id(),
    };
    op.booking().create_schedule(request).await.expect("a schedule");
    let request = pb::ListSlotsRequest { parent: PARENT.into(), page_size: 1000, ..Default::default() };
    let mut slots = until("slots", || async {
        let slots = op.booking().list_slots(request.clone()).await.ok()?.into_inner().slots;
        (slots.len() >= 20).then_some(slots)
    })
    .await;
    slots.sort_by_key(|slot| slot.start_time.map(|t| t.seconds));
    slots
}

/// So many more residents, two in a household.
pub(crate) async fn residents(op: &Actor, count: usize) -> Vec<String> {
    let person = |birth_year: i32| org::Person { full_name: "赵一".into(), birth_year, ..Default::default() };
    let draft = |n: usize| org::HouseholdDraft {
        household: Some(org::Household {
            unit: format!("{PARENT}/units/grid-2"),
            import_key: format!("more-{n}"),
            ..Default::default()
        }),
        people: vec![person(1950), person(1990)],
        request_id: request_id(),
    };
    let request = org::BatchCreateHouseholdsRequest {
        parent: PARENT.into(),
        requests: (0..count.div_ceil(2)).map(draft).collect(),
    };
    let made = op.org().batch_create_households(request).await.expect("households").into_inner();
    made.households.into_iter().flat_map(|h| h.people).map(|p| p.name).take(count).collect()
}

/// A booking by its resident.
pub(crate) async fn book(resident: &Actor, slot: &str, request_id: String) -> Result<pb::Booking, tonic::Status> {
    let booking = Some(pb::Booking { slot: slot.into(), ..Default::default() });
    let request = pb::CreateBookingRequest { parent: PARENT.into(), booking, request_id };
    resident.booking().create_booking(request).await.map(tonic::Response::into_inner)
}

/// Binds the haircut rule: one a month.
pub(crate) async fn one_a_month(op: &Actor) {
    rules::bind(op, "xinhua", "haircut", "booking-eligibility", &["haircut"], Vec::new()).await;
}

/// Waits until booking knows the area and its people may book.
pub(crate) async fn known_to_booking(who: &Actor) {
    let request = pb::ListOfferingsRequest { parent: PARENT.into(), ..Default::default() };
    until("booking knows the area", || async { who.booking().list_offerings(request.clone()).await.ok() }).await;
}
