//! The invariants see what is broken: each is shown rows that were changed behind the service's back.

use linli_proto::booking::*;

use crate::suite::*;

/// What is broken, by which change, and how it is put right again.
const BREAKS: [(&str, &str, &str); 10] = [
    (
        "booking.no-oversell",
        "UPDATE slot SET taken = 0 WHERE waiting = 1",
        "UPDATE slot SET taken = 1 WHERE waiting = 1",
    ),
    (
        "booking.waitlist",
        "UPDATE slot SET capacity = 2 WHERE waiting = 1",
        "UPDATE slot SET capacity = 1 WHERE waiting = 1",
    ),
    (
        "booking.cancelled-slot",
        "UPDATE slot SET state = 2 WHERE taken = 1 AND waiting = 0",
        "UPDATE slot SET state = 1 WHERE state = 2",
    ),
    (
        "booking.quota",
        "UPDATE booking SET resident = 'areas/xinhua/people/per-a', used_week = 1, used_open = 1 WHERE resident LIKE '%per-d'",
        "UPDATE booking SET resident = 'areas/xinhua/people/per-d' WHERE used_open = 1",
    ),
    (
        "booking.quota",
        "UPDATE booking SET resident = 'areas/xinhua/people/per-a', used_week = 0, used_month = 1 WHERE used_open = 1",
        "UPDATE booking SET resident = 'areas/xinhua/people/per-d', used_week = 1 WHERE used_open = 1",
    ),
    (
        "booking.quota",
        "UPDATE booking SET resident = 'areas/xinhua/people/per-a', used_open = 0 WHERE used_open = 1",
        "UPDATE booking SET resident = 'areas/xinhua/people/per-d', used_open = 1 WHERE used_month = 1",
    ),
    (
        "booking.refusal-has-receipt",
        "UPDATE receipt SET verdict = 'lost' WHERE verdict = 'deny'",
        "UPDATE receipt SET verdict = 'deny' WHERE verdict = 'lost'",
    ),
    (
        "booking.holds",
        "UPDATE booking SET settlement = 0 WHERE settlement = 1",
        "UPDATE booking SET settlement = 1 WHERE settlement = 0 AND hold <> ''",
    ),
    (
        "booking.quota",
        "UPDATE receipt SET verdict = 'deny' WHERE hook = 'booking-eligibility' AND verdict = 'allow'",
        "UPDATE receipt SET verdict = 'allow' WHERE hook = 'booking-eligibility' AND verdict = 'deny' \
         AND booking IN (SELECT id FROM booking WHERE state <> 8)",
    ),
    // The last one: what was sealed is not put back.
    (
        "booking.receipts-open",
        "UPDATE receipt SET spec_enc = secret_enc FROM booking WHERE booking.id = receipt.booking",
        "",
    ),
];

#[tokio::test(flavor = "multi_thread")]
async fn each_invariant_sees_what_breaks_it() {
    for suite in suites().await {
        let slots = suite.open(Offering { base_price: points(5), waitlist: true, ..haircut() }, 1, 60).await;
        *suite.world.denied_above.lock() = 70;
        for (who, slot, state) in [
            ("a", 0, BookingState::Confirmed),
            ("b", 0, BookingState::Waitlisted),
            ("d", 1, BookingState::Confirmed),
            ("old-80", 2, BookingState::Refused),
        ] {
            let booking = suite.book(&person(who), &slots[slot].name).await.expect("an outcome");
            suite.until(&booking.name, state).await;
        }
        let named: Vec<String> = suite.checks().await.into_iter().map(|check| check.invariant).collect();
        for id in &named {
            assert!(BREAKS.iter().any(|(broken, ..)| broken == id), "{id} has no negative control");
        }
        for (id, breaks, mends) in BREAKS {
            suite.verify().await;
            suite.tamper(breaks).await;
            assert!(suite.broken().await.iter().any(|broken| broken == id), "{id} on {}: {breaks}", suite.engine);
            if !mends.is_empty() {
                suite.tamper(mends).await;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_sees_some_units_only_recounts_no_area() {
    for suite in suites().await {
        suite.open(haircut(), 1, 60).await;
        let request = linli_proto::common::VerifyInvariantsRequest { parent: "areas/-".into() };
        let checks = suite.as_(GRID_MANAGER).verify_invariants(request).await.expect("of no area").into_inner().checks;
        assert!(checks.iter().all(|check| check.checked == 0), "{}: {checks:?}", suite.engine);
    }
}
