//! Who moves up when a seat becomes free, on whose word, and in which order.

use linli_proto::booking::*;

use crate::suite::*;

const HOUR: i64 = 3600;

fn waitlisted() -> Offering {
    Offering { waitlist: true, ..haircut() }
}

fn codes(booking: &Booking) -> Vec<&str> {
    booking.reasons.iter().map(|reason| reason.code.as_str()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn whom_the_rules_deny_by_now_is_refused_and_the_next_gets_the_seat() {
    for suite in suites().await {
        let slots = suite.open(waitlisted(), 1, 60).await;
        let first = suite.book(&person("a"), &slots[0].name).await.expect("books");
        let old = suite.book(&person("old-80"), &slots[0].name).await.expect("waits");
        let young = suite.book(&person("b"), &slots[0].name).await.expect("waits");
        // A rule that came after both had joined.
        *suite.world.denied_above.lock() = 70;
        *suite.world.revision.lock() = "r2".into();
        suite.cancel(&person("a"), &first.name).await.expect("cancels");
        let old = suite.get(&old.name).await;
        assert_eq!((old.state(), codes(&old)), (BookingState::Refused, vec!["too-old"]), "{}", suite.engine);
        assert_eq!(suite.receipts(&old.name, "booking-promotion").await[0].verdict, "deny");
        let young = suite.get(&young.name).await;
        assert_eq!((young.state(), codes(&young)), (BookingState::Confirmed, vec![]));
        let receipt = suite.receipts(&young.name, "booking-promotion").await.remove(0);
        assert!(receipt.facts_json.contains("asked again"), "{}", receipt.facts_json);
        assert_eq!((suite.slots().await[0].taken, suite.slots().await[0].waiting), (1, 0));
        suite.verify().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn while_rules_are_silent_the_old_decision_counts_and_the_receipt_names_it() {
    for suite in suites().await {
        let slots = suite.open(waitlisted(), 1, 60).await;
        let first = suite.book(&person("a"), &slots[0].name).await.expect("books");
        let next = suite.book(&person("b"), &slots[0].name).await.expect("waits");
        let old = suite.receipts(&next.name, "booking-eligibility").await.remove(0);
        *suite.world.rules_down.lock() = true;
        suite.cancel(&person("a"), &first.name).await.expect("cancels all the same");
        assert_eq!(suite.get(&next.name).await.state(), BookingState::Confirmed, "{}", suite.engine);
        let receipt = suite.receipts(&next.name, "booking-promotion").await.remove(0);
        assert!(receipt.facts_json.contains(&old.name), "{}", receipt.facts_json);
        suite.verify().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_missed_a_booking_since_gets_the_seat_only_by_a_person_while_rules_are_silent() {
    for suite in suites().await {
        let slots = suite.open(waitlisted(), 1, 60).await;
        let missed = suite.book(&person("b"), &slots[0].name).await.expect("books");
        let first = suite.book(&person("a"), &slots[1].name).await.expect("books");
        let next = suite.book(&person("b"), &slots[1].name).await.expect("waits");
        suite.clock.advance_to(START.plus_secs(6 * HOUR));
        let mark = MarkBookingNoShowRequest { name: missed.name, request_id: String::new() };
        suite.as_(WORKER).mark_booking_no_show(mark).await.expect("marks");
        *suite.world.rules_down.lock() = true;
        suite.cancel(&person("a"), &first.name).await.expect("cancels");
        let next = suite.get(&next.name).await;
        assert_eq!((next.state(), codes(&next)), (BookingState::Pending, vec!["missed-since"]), "{}", suite.engine);
        suite.verify().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_another_seat_at_that_time_leaves_the_waitlist() {
    for suite in suites().await {
        let slots = suite.open(waitlisted(), 1, 60).await;
        let beside = suite.schedule("areas/xinhua", "beside", ("FREQ=DAILY", "2026-11-02T14:30"), 7).await;
        let beside = suite.slots_of(&beside).await;
        let first = suite.book(&person("a"), &slots[0].name).await.expect("books");
        let both = suite.book(&person("b"), &slots[0].name).await.expect("waits");
        let last = suite.book(&person("c"), &slots[0].name).await.expect("waits");
        suite.book(&person("b"), &beside[0].name).await.expect("books half an hour later");
        suite.cancel(&person("a"), &first.name).await.expect("cancels");
        let both = suite.get(&both.name).await;
        assert_eq!(
            (both.state(), codes(&both)),
            (BookingState::Refused, vec!["overlapping-booking"]),
            "{}",
            suite.engine
        );
        assert_eq!(suite.get(&last.name).await.state(), BookingState::Confirmed);
        suite.verify().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_moves_up_into_what_is_no_longer_offered() {
    for suite in suites().await {
        let slots = suite.open(waitlisted(), 1, 60).await;
        let first = suite.book(&person("a"), &slots[0].name).await.expect("books");
        let next = suite.book(&person("b"), &slots[0].name).await.expect("waits");
        suite.change_offering(|offering| offering.state = OfferingState::Archived.into()).await.expect("archives");
        suite.cancel(&person("a"), &first.name).await.expect("cancels");
        let next = suite.get(&next.name).await;
        assert_eq!(
            (next.state(), codes(&next)),
            (BookingState::Refused, vec!["no-longer-offered"]),
            "{}",
            suite.engine
        );
        suite.verify().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_who_moves_up_keeps_what_the_rules_said() {
    for suite in suites().await {
        let slots = suite.open(waitlisted(), 1, 60).await;
        let first = suite.book(&person("a"), &slots[0].name).await.expect("books");
        *suite.world.approval.lock() = true;
        let next = suite.book(&person("b"), &slots[0].name).await.expect("waits");
        assert_eq!(codes(&next), ["ask-first", "slot-full"]);
        *suite.world.rules_down.lock() = true;
        suite.cancel(&person("a"), &first.name).await.expect("cancels");
        let next = suite.get(&next.name).await;
        assert_eq!((next.state(), codes(&next)), (BookingState::Pending, vec!["ask-first"]), "{}", suite.engine);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn those_who_join_at_once_are_all_scored_with_all_who_wait() {
    for suite in suites().await {
        let slots = suite.open(waitlisted(), 1, 60).await;
        suite.book(&person("first"), &slots[0].name).await.expect("books");
        *suite.world.scored_by_length.lock() = true;
        let people: Vec<String> = (0..12).map(person).collect();
        let all = people.iter().map(|resident| suite.book(resident, &slots[0].name));
        for booking in futures::future::join_all(all).await {
            let name = booking.expect("waits").name;
            assert_eq!(suite.get(&name).await.priority, 12, "{}", suite.engine);
        }
        suite.verify().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_waitlist_of_a_thousand_still_takes_a_newcomer() {
    for suite in suites().await {
        let slots = suite.open(waitlisted(), 1, 60).await;
        suite.book(&person("a"), &slots[0].name).await.expect("books");
        suite.book(&person("b"), &slots[0].name).await.expect("waits");
        let id = if suite.engine == "sqlite" { "randomblob(16)" } else { "gen_random_uuid()" };
        let same = "offering, kind, mode, tags, unit, station_unit, booked_by, on_behalf, party, state, awaits, approval, \
                    priority, price_asset, price_value, hold, settlement, tries, start_us, end_us, week, month, expires_us, \
                    used_open, used_week, used_month, used_no_shows, home_unit, spec, secret_enc, create_us, update_us, version";
        suite
            .tamper(&format!(
                "INSERT INTO booking (area, id, slot, resident, seq, {same}) \
                 WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 999) \
                 SELECT area, {id}, slot, resident || n.i, seq + n.i, {same} FROM booking, n WHERE state = 2"
            ))
            .await;
        suite.tamper("UPDATE slot SET waiting = waiting + 999, next_seq = next_seq + 999 WHERE waiting = 1").await;
        let newcomer = suite.book(&person("old-80"), &slots[0].name).await.expect("waits as well");
        assert_eq!((newcomer.state(), newcomer.waitlist_position), (BookingState::Waitlisted, 1), "{}", suite.engine);
        assert_eq!(suite.slots().await[0].waiting, 1001);
    }
}
