//! What becomes of slots when schedules run on, change and go.

use std::sync::Arc;

use linli_proto::booking::*;
use sea_orm::ConnectionTrait as _;
use tokio::sync::Notify;

use crate::suite::*;

const DAY: i64 = 86_400;
const HOUR: i64 = 3600;

fn name(schedule: &str) -> String {
    format!("areas/xinhua/schedules/{schedule}")
}

async fn get(suite: &Suite, schedule: &str) -> Schedule {
    let get = GetScheduleRequest { name: name(schedule) };
    suite.as_(OPERATOR).get_schedule(get).await.expect("a schedule").into_inner()
}

async fn update(suite: &Suite, schedule: Schedule) -> Result<Schedule, tonic::Status> {
    let update = UpdateScheduleRequest { schedule: Some(schedule), ..UpdateScheduleRequest::default() };
    suite.as_(OPERATOR).update_schedule(update).await.map(tonic::Response::into_inner)
}

async fn delete(suite: &Suite, schedule: &str) -> Result<(), tonic::Status> {
    let delete = DeleteScheduleRequest { name: name(schedule), ..DeleteScheduleRequest::default() };
    suite.as_(OPERATOR).delete_schedule(delete).await.map(|_| ())
}

fn starts(slots: &[Slot]) -> Vec<i64> {
    slots.iter().filter_map(|slot| slot.start_time.map(|t| t.seconds)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schedule_that_cannot_be_extended_holds_up_no_other() {
    for suite in suites().await {
        suite.open(haircut(), 2, 60).await;
        let other = suite.schedule("areas/xinhua", "other", ("FREQ=DAILY", "2026-11-02T15:00"), 7).await;
        let before = suite.slots_of(&other).await.len();
        // The row of the first is broken, and it is the first in line.
        suite.tamper("UPDATE catalogue SET spec = substr(spec, 1, 9) WHERE id = 'daily'").await;
        suite.tamper("UPDATE schedule_horizon SET extend_us = 1 WHERE schedule = 'daily'").await;
        suite.clock.advance_to(START.plus_secs(2 * DAY));
        for _ in 0..500 {
            if suite.slots_of(&other).await.len() == before + 2 {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        assert_eq!(suite.slots_of(&other).await.len(), before + 2, "{}", suite.engine);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schedule_that_will_grow_too_dense_is_refused_when_it_is_written() {
    for suite in suites().await {
        suite.open(haircut(), 2, 60).await;
        // A slot every five minutes, day and night, but within the first window only for some days.
        let dense = Schedule {
            start_local: "2026-11-28T00:00".into(),
            duration_min: 1440,
            slot_min: 5,
            horizon_days: 30,
            ..get(&suite, "daily").await
        };
        let refused = update(&suite, dense).await.expect_err("too dense");
        assert_eq!(reason(&refused), "FIELD_TOO_MANY", "{}", suite.engine);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slot_that_the_schedule_no_longer_has_takes_no_new_bookings() {
    for suite in suites().await {
        let offering = Offering { waitlist: true, ..haircut() };
        let slots = suite.open(offering, 1, 60).await;
        let kept = suite.book(&person("a"), &slots[1].name).await.expect("books");
        let waits = suite.book(&person("b"), &slots[1].name).await.expect("waits");
        let before = get(&suite, "daily").await;
        let later = Schedule { start_local: "2026-11-02T16:00".into(), etag: String::new(), ..before.clone() };
        update(&suite, later).await.expect("moves the hour");
        let closed = suite.as_(OPERATOR).get_slot(GetSlotRequest { name: slots[1].name.clone() }).await;
        assert_eq!(closed.expect("a slot").into_inner().state(), SlotState::Closed, "{}", suite.engine);
        let refused = suite.book(&person("c"), &slots[1].name).await.expect_err("no new ones");
        assert_eq!(reason(&refused), "SLOT_NOT_OPEN");
        assert_eq!(suite.get(&kept.name).await.state(), BookingState::Confirmed);
        suite.cancel(&person("a"), &kept.name).await.expect("cancels");
        assert_eq!(suite.get(&waits.name).await.state(), BookingState::Confirmed, "who waited moves up all the same");
        suite.verify().await;
        update(&suite, Schedule { etag: String::new(), ..before }).await.expect("moves it back");
        let again = suite.as_(OPERATOR).get_slot(GetSlotRequest { name: slots[1].name.clone() }).await;
        assert_eq!(again.expect("a slot").into_inner().state(), SlotState::Open);
        assert_eq!(starts(&suite.slots().await), starts(&slots), "no slot stands twice");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_kind_of_an_offering_never_changes() {
    for suite in suites().await {
        suite.open(haircut(), 1, 60).await;
        let refused = suite
            .change_offering(|offering| offering.kind = "shave".into())
            .await
            .expect_err("quotas are counted by it");
        assert_eq!(reason(&refused), "FIELD_IMMUTABLE", "{}", suite.engine);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_slots_of_a_deleted_schedule_are_cancelled_aloud() {
    for suite in suites().await {
        let slots = suite.open(haircut(), 1, 60).await;
        let booking = suite.book(&person("a"), &slots[1].name).await.expect("books");
        suite.cancel(&person("a"), &booking.name).await.expect("cancels");
        delete(&suite, "daily").await.expect("nothing is open");
        let left = suite.slots().await;
        assert_eq!(left.len(), 1, "who was touched stays");
        assert_eq!((left[0].name.as_str(), left[0].state()), (slots[1].name.as_str(), SlotState::Cancelled));
        assert_eq!(suite.events_about(&slots[1].name).await, ["linli.booking.v1.SlotCancelled"], "{}", suite.engine);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_booking_and_the_deletion_of_its_schedule_never_both_succeed() {
    for suite in suites().await {
        let slots = suite.open(haircut(), 1, 60).await;
        let (held, release) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let (holds, goes) = (&held, &release);
        let blocker = suite.store.write("test.hold", |tx| {
            Box::pin(async move {
                let sql = "UPDATE slot SET version = version WHERE start_us = (SELECT min(start_us) FROM slot)";
                tx.conn().execute_raw(tx.statement(sql, [])).await?;
                holds.notify_one();
                goes.notified().await;
                Ok(())
            })
        });
        let race = async {
            held.notified().await;
            // Behind whoever holds the slot: first the booking, then the deletion.
            let (mut resident, mut op) = (suite.as_(&person("a")), suite.as_(OPERATOR));
            let wish = Booking { slot: slots[0].name.clone(), ..Booking::default() };
            let create =
                CreateBookingRequest { parent: "areas/xinhua".into(), booking: Some(wish), request_id: String::new() };
            let booking = tokio::spawn(async move { resident.create_booking(create).await });
            suite.until_locks_wait(1).await;
            let delete = DeleteScheduleRequest { name: name("daily"), ..DeleteScheduleRequest::default() };
            let deleted = tokio::spawn(async move { op.delete_schedule(delete).await });
            suite.until_locks_wait(2).await;
            release.notify_one();
            (booking.await.expect("no panic"), deleted.await.expect("no panic"))
        };
        let (blocked, (booking, deleted)) = tokio::join!(blocker, race);
        blocked.expect("holds");
        assert!(booking.is_err() || deleted.is_err(), "both succeeded on {}", suite.engine);
        if suite.engine == "postgres" {
            assert_eq!(reason(&deleted.expect_err("there is a booking")), "STILL_REFERENCED");
        }
        suite.verify().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nine_o_clock_in_berlin_stays_nine_o_clock_on_both_sides_of_both_changes() {
    for suite in suites().await {
        let (spandau, nine) = ("areas/spandau", |day: &str| format!("{day}T09:00"));
        let berlin = |slots: &[Slot]| -> Vec<String> {
            let local = |at: i64| {
                chrono::DateTime::from_timestamp(at, 0).expect("in range").with_timezone(&chrono_tz::Europe::Berlin)
            };
            starts(slots).into_iter().map(|at| local(at).format("%m-%d %H:%M %z").to_string()).collect()
        };
        suite.open_in(spandau, haircut(), 1, 60).await.expect("a schedule");
        let at = |text: &str| -> linli_kernel::Timestamp {
            chrono::DateTime::parse_from_rfc3339(text).expect("an instant").to_utc().into()
        };
        suite.clock.advance_to(at("2027-03-26T12:00:00+01:00"));
        let spring = suite.schedule(spandau, "spring", ("FREQ=DAILY;COUNT=3", &nine("2027-03-27")), 7).await;
        let want = ["03-27 09:00 +0100", "03-28 09:00 +0200", "03-29 09:00 +0200"];
        assert_eq!(berlin(&suite.slots_of(&spring).await), want, "{}", suite.engine);
        let ends = suite.schedule(spandau, "ends", ("FREQ=MONTHLY;BYMONTHDAY=-1", &nine("2027-02-28")), 92).await;
        let want = ["03-31 09:00 +0200", "04-30 09:00 +0200", "05-31 09:00 +0200"];
        assert_eq!(berlin(&suite.slots_of(&ends).await), want, "{}", suite.engine);
        suite.clock.advance_to(at("2027-10-29T12:00:00+02:00"));
        let autumn = suite.schedule(spandau, "autumn", ("FREQ=DAILY;COUNT=3", &nine("2027-10-30")), 7).await;
        let want = ["10-30 09:00 +0200", "10-31 09:00 +0100", "11-01 09:00 +0100"];
        assert_eq!(berlin(&suite.slots_of(&autumn).await), want, "{}", suite.engine);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_slots_are_made_in_a_zone_that_is_guessed() {
    for suite in suites().await {
        let refused = suite.open_in("areas/atlantis", haircut(), 1, 60).await.expect_err("no such zone");
        assert_eq!((refused.code(), reason(&refused)), (tonic::Code::Unavailable, "ZONE_UNKNOWN".to_owned()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn servers_must_exist_and_a_shifts_resident_is_a_volunteer_without_saying_so() {
    for suite in suites().await {
        let slots = suite.open(Offering { mode: Mode::Shift.into(), ..haircut() }, 2, 60).await;
        let booking = suite.book(&person("v"), &slots[0].name).await.expect("books");
        suite.clock.advance_to(START.plus_secs(7 * HOUR));
        let server = |who: &str| Server { person: person(who), ..Server::default() };
        let complete = |servers: Vec<Server>| CompleteBookingRequest {
            name: booking.name.clone(),
            servers,
            ..CompleteBookingRequest::default()
        };
        let mistyped = complete(vec![server("v"), server("nobody")]);
        let refused = suite.as_(WORKER).complete_booking(mistyped).await.expect_err("mistyped");
        assert_eq!(reason(&refused), "REFERENCE_NOT_FOUND", "{}", suite.engine);
        assert_eq!(suite.get(&booking.name).await.state(), BookingState::Confirmed);
        let done =
            suite.as_(WORKER).complete_booking(complete(vec![server("v")])).await.expect("completes").into_inner();
        assert_eq!((done.servers.len(), done.servers[0].role.as_str(), done.servers[0].minutes), (1, "volunteer", 60));
    }
}
