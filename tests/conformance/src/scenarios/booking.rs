//! BookingService; the clock moves to the day of the slots and past it.

use linli_harness::until;
use serde_json::{Value, json};
use tonic::Code;

use super::{field, first, text};
use crate::caller::Caller;
use crate::catalogue::Kind;
use crate::world::World;

const PARENT: &str = "areas/xinhua";

pub(super) async fn play(world: &World) {
    let op = world.secretary();
    catalogues(world, &op).await;
    let slots = slots(&op, "haircuts").await;
    waitlist(world, &op, &slots).await;
    approvals(world, &op).await;
    let cancelled = slots[2].clone();
    let late = booked(world, &op, world.community.elder(4), &cancelled, json!({})).await;
    state(&op, &late["name"], "CONFIRMED").await;
    let reason = text("The barber is ill");
    let slot = op.ok("booking.CancelSlot", json!({"name": cancelled, "reason": reason})).await;
    assert_eq!(slot["state"], "SLOT_STATE_CANCELLED");
    state(&op, &late["name"], "CANCELLED").await;
    receipts(&op).await;
    day_of_service(world, &op, &slots[0]).await;
}

fn walkable<'a>(message: &'a str, collection: &'a str, kept: (&'a str, Value), gone: (&'a str, Value)) -> Kind<'a> {
    let change = ("display_name", json!({"display_name": text("Changed")}));
    Kind { service: "booking", message, collection, kept, gone, change }
}

async fn catalogues(world: &World, op: &Caller) {
    let haircut = json!({
        "display_name": text("Haircut"), "service_list": "SERVICE_LIST_SOCIAL_WELFARE", "mode": "MODE_SEAT", "kind": "haircut",
        "waitlist": true, "base_price": {"asset": "points", "value": 10},
    });
    walkable("Offering", "offerings", ("haircut", haircut.clone()), ("gone", haircut)).walk(op).await;
    let lunch = json!({
        "display_name": text("Lunch"), "service_list": "SERVICE_LIST_CONVENIENCE", "mode": "MODE_MEAL", "kind": "lunch",
    });
    let repair = json!({
        "display_name": text("Repair"), "service_list": "SERVICE_LIST_CONVENIENCE", "mode": "MODE_HOME_VISIT", "kind": "repair",
        "questions": [
            {"key": "trade", "text": text("Trade"), "type": "QUESTION_TYPE_CHOICE", "required": true,
             "choices": [{"code": "water", "text": text("Water")}]},
            {"key": "major", "text": text("Major?"), "type": "QUESTION_TYPE_FLAG"},
        ],
    });
    for (id, offering) in [("lunch", lunch), ("repair", repair)] {
        op.ok("booking.CreateOffering", json!({"parent": PARENT, "offering_id": id, "offering": offering})).await;
    }
    let station =
        |name: &str| json!({"display_name": text(name), "kind": "micro-station", "unit": world.name("units/grid-1")});
    walkable("Station", "stations", ("hut", station("hut")), ("gone", station("gone"))).walk(op).await;
    let schedule = |offering: &str, start: &str, capacity: i32| {
        json!({
            "offering": world.name(&format!("offerings/{offering}")), "station": world.name("stations/hut"),
            "rrule": "FREQ=DAILY", "start_local": start, "duration_min": 60, "capacity": capacity, "horizon_days": 5,
        })
    };
    let kind = Kind {
        service: "booking",
        message: "Schedule",
        collection: "schedules",
        kept: ("haircuts", schedule("haircut", "2026-11-03T09:00", 1)),
        gone: ("gone", schedule("haircut", "2026-11-03T15:00", 3)),
        change: ("horizon_days", json!({"horizon_days": 6})),
    };
    kind.walk(op).await;
    let repairs = schedule("repair", "2026-11-03T09:00", 5);
    op.ok("booking.CreateSchedule", json!({"parent": PARENT, "schedule_id": "repairs", "schedule": repairs})).await;
    let menu = |day: i32, dish: &str| {
        let dishes = json!([{"code": "dish", "display_name": text(dish)}]);
        json!({"offering": world.name("offerings/lunch"), "date": {"year": 2026, "month": 11, "day": day}, "dishes": dishes})
    };
    let kind = Kind {
        service: "booking",
        message: "Menu",
        collection: "menus",
        kept: ("tuesday", menu(3, "Tofu")),
        gone: ("gone", menu(4, "Rice")),
        change: ("dishes", json!({"dishes": [{"code": "soup", "display_name": text("Soup")}]})),
    };
    kind.walk(op).await;
}

/// The slots of a schedule, in order of time.
async fn slots(op: &Caller, schedule: &str) -> Vec<String> {
    let filter = format!("schedule = \"{PARENT}/schedules/{schedule}\"");
    let body = json!({"parent": PARENT, "filter": filter});
    let listed = until("slots of a schedule", || async {
        let listed = op.ok("booking.ListSlots", body.clone()).await;
        listed["slots"].as_array().is_some_and(|slots| slots.len() > 2).then_some(listed)
    })
    .await;
    let mut slots = listed["slots"].as_array().cloned().unwrap_or_default();
    slots.sort_by_key(|slot| field(slot, "start_time").to_owned());
    assert_eq!(op.ok("booking.GetSlot", json!({"name": slots[0]["name"]})).await, slots[0]);
    slots.iter().map(|slot| field(slot, "name").to_owned()).collect()
}

/// A slot of an offering of its own kind, with so many seats.
pub(super) async fn slot_of(world: &World, op: &Caller, kind: &str, capacity: i32) -> String {
    let offering = json!({
        "display_name": text(kind), "service_list": "SERVICE_LIST_SOCIAL_WELFARE", "mode": "MODE_SEAT", "kind": kind,
    });
    op.ok("booking.CreateOffering", json!({"parent": PARENT, "offering_id": kind, "offering": offering})).await;
    let schedule = json!({
        "offering": world.name(&format!("offerings/{kind}")), "station": world.name("stations/hut"), "rrule": "FREQ=DAILY",
        "start_local": "2026-11-06T09:00", "duration_min": 60, "capacity": capacity, "horizon_days": 6,
    });
    op.ok("booking.CreateSchedule", json!({"parent": PARENT, "schedule_id": kind, "schedule": schedule})).await;
    slots(op, kind).await.remove(0)
}

/// Waits until a booking is in a state.
async fn state(op: &Caller, name: &Value, state: &str) -> Value {
    until(&format!("{name} {state}"), || async {
        let booking = op.ok("booking.GetBooking", json!({"name": name})).await;
        (booking["state"] == format!("BOOKING_STATE_{state}")).then_some(booking)
    })
    .await
}

/// Books for somebody, by themselves; free of charge for those who have no points.
pub(super) async fn booked(world: &World, op: &Caller, who: &str, slot: &str, more: Value) -> Value {
    let grant = json!({"from": "issuance", "to": who, "amount": {"asset": "points", "value": 10}});
    op.ok("points.CreateTransfer", json!({"parent": PARENT, "transfer": grant})).await;
    let mut booking = json!({"slot": slot});
    for (key, value) in more.as_object().cloned().unwrap_or_default() {
        booking[key] = value;
    }
    let body = json!({"parent": PARENT, "booking": booking});
    // Whoever names themselves sends another request, though it means the same.
    let mut other = body.clone();
    other["booking"]["resident"] = who.into();
    world.caller(who).ok_or("booking.CreateBooking", body, other).await
}

async fn waitlist(world: &World, op: &Caller, slots: &[String]) {
    let (elder, adult) = (world.community.elder(2), world.community.adult(2));
    let one = booked(world, op, elder, &slots[0], json!({})).await;
    let one = state(op, &one["name"], "CONFIRMED").await;
    assert_eq!(one["price"]["value"].as_i64(), Some(10));
    assert_ne!(one["hold"], json!(""), "a priced booking has a hold");
    let two = booked(world, op, adult, &slots[0], json!({})).await;
    assert_eq!((field(&two, "state"), two["waitlist_position"].as_i64()), ("BOOKING_STATE_WAITLISTED", Some(1)));
    let own = world.caller(elder);
    let listed = own.ok("booking.ListBookings", json!({"parent": PARENT})).await;
    assert_eq!(listed["bookings"].as_array().map(Vec::len), Some(1), "residents see their own bookings");
    let body = json!({"name": one["name"], "etag": one["etag"]});
    let given_up = own.ok("booking.CancelBooking", body).await;
    assert_eq!(given_up["state"], "BOOKING_STATE_CANCELLED");
    state(op, &two["name"], "CONFIRMED").await;
}

async fn approvals(world: &World, op: &Caller) {
    let slot = slots(op, "repairs").await.remove(0);
    let major = json!({
        "answers": [{"key": "trade", "choice": "water"}, {"key": "major", "flag": true}],
        "visit": {"description": "The tap drips"},
    });
    let one = booked(world, op, world.community.elder(1), &slot, major.clone()).await;
    assert_eq!(one["state"], "BOOKING_STATE_PENDING", "{one}");
    assert_eq!(first(&one, "reasons")["code"], "major-work");
    let two = booked(world, op, world.community.elder(3), &slot, major).await;
    let approved = op.ok("booking.ApproveBooking", json!({"name": one["name"]})).await;
    assert_eq!(approved["state"], "BOOKING_STATE_CONFIRMED");
    let refused = op.ok("booking.RefuseBooking", json!({"name": two["name"], "reason": text("No parts")})).await;
    assert_eq!(refused["state"], "BOOKING_STATE_REFUSED");
    let late = op.refused("booking.ApproveBooking", json!({"name": two["name"]})).await;
    assert_eq!((late.code, late.reason.as_str()), (Code::FailedPrecondition, "WRONG_STATE"));
}

async fn receipts(op: &Caller) {
    let listed = op.ok("booking.ListReceipts", json!({"parent": PARENT})).await;
    let receipt = first(&listed, "receipts");
    assert_eq!(&op.ok("booking.GetReceipt", json!({"name": receipt["name"]})).await, receipt);
    assert_ne!(receipt["verdict"], json!(""), "{receipt}");
    assert!(!field(receipt, "facts_json").contains("/people/"), "rules see pseudonyms: {receipt}");
}

async fn day_of_service(world: &World, op: &Caller, slot: &str) {
    let adult = world.community.adult(2);
    let filter = format!("resident = \"{adult}\"");
    let listed = op.ok("booking.ListBookings", json!({"parent": PARENT, "filter": filter})).await;
    let booking = first(&listed, "bookings")["name"].clone();
    assert_eq!(first(&listed, "bookings")["slot"], json!(slot));
    let early = op.refused("booking.CompleteBooking", json!({"name": booking})).await;
    assert_eq!((early.code, early.reason.as_str()), (Code::FailedPrecondition, "TOO_EARLY"));
    world.advance_hours(25).await;
    let came = op.ok("booking.CheckInBooking", json!({"name": booking})).await;
    assert_eq!(came["state"], "BOOKING_STATE_CHECKED_IN");
    let volunteer = world.community.adult(5);
    let servers = json!([{"person": volunteer, "minutes": 60, "role": "volunteer"}]);
    let done = op.ok("booking.CompleteBooking", json!({"name": booking, "servers": servers})).await;
    assert_eq!(done["state"], "BOOKING_STATE_COMPLETED");
    super::points::awards(world, volunteer).await;
    let filter = format!("resident = \"{}\"", world.community.elder(1));
    let listed = op.ok("booking.ListBookings", json!({"parent": PARENT, "filter": filter})).await;
    let missed = first(&listed, "bookings")["name"].clone();
    let missed = op.ok("booking.MarkBookingNoShow", json!({"name": missed})).await;
    assert_eq!(missed["state"], "BOOKING_STATE_NO_SHOW");
}
