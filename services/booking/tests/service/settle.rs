//! What becomes of the points that were set aside, and how that is seen.

use linli_proto::booking::*;
use linli_proto::points::HoldState;

use crate::suite::*;

const HOUR: i64 = 3600;

fn priced() -> Offering {
    Offering { base_price: points(5), ..haircut() }
}

/// A confirmed priced booking of the first slot.
async fn confirmed(suite: &Suite) -> Booking {
    let slots = suite.open(priced(), 2, 60).await;
    let booking = suite.book(&person("a"), &slots[0].name).await.expect("books");
    let booking = suite.until(&booking.name, BookingState::Confirmed).await;
    assert_eq!(booking.settlement(), Settlement::Held);
    booking
}

/// Moves the clock, and waits until the holds have been compared with the bookings at the new hour.
async fn compared(suite: &Suite, hours: i64) {
    let compared = |world: &crate::stubs::World| world.calls.lock().get("ListHolds").copied().unwrap_or_default();
    suite.eventually("compared", |world| compared(world) > 0).await;
    let before = compared(&suite.world);
    suite.clock.advance_to(START.plus_secs(hours * HOUR));
    suite.eventually("compared again", |world| compared(world) > before).await;
}

async fn settled(suite: &Suite, name: &str, wanted: Settlement) -> Booking {
    for _ in 0..500 {
        let booking = suite.get(name).await;
        if booking.settlement() == wanted {
            return booking;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    panic!("{:?} on {}: not {wanted:?}", suite.get(name).await.settlement(), suite.engine);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_capture_is_seen_on_the_booking_and_asked_for_again() {
    for suite in suites().await {
        let booking = confirmed(&suite).await;
        compared(&suite, 6).await;
        *suite.world.refusals.lock() = 1;
        suite.complete(OPERATOR, &booking.name).await.expect("completes");
        settled(&suite, &booking.name, Settlement::Failed).await;
        assert_eq!(suite.broken().await, ["booking.holds"], "{}", suite.engine);
        suite.clock.advance_to(START.plus_secs(8 * HOUR));
        settled(&suite, &booking.name, Settlement::Captured).await;
        assert_eq!(suite.world.holds_in(HoldState::Captured), 1);
        suite.verify().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_return_is_seen_on_the_booking_and_asked_for_again() {
    for suite in suites().await {
        let booking = confirmed(&suite).await;
        *suite.world.refusals.lock() = 1;
        suite.cancel(&person("a"), &booking.name).await.expect("cancels");
        settled(&suite, &booking.name, Settlement::Failed).await;
        suite.clock.advance_to(START.plus_secs(2 * HOUR));
        settled(&suite, &booking.name, Settlement::Voided).await;
        assert_eq!(suite.world.holds_in(HoldState::Voided), 1);
        suite.verify().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hold_that_is_not_the_bookings_own_is_given_back_and_leaves_the_own_alone() {
    for suite in suites().await {
        let booking = confirmed(&suite).await;
        suite.clock.advance_to(START.plus_secs(6 * HOUR));
        suite.complete(OPERATOR, &booking.name).await.expect("completes");
        settled(&suite, &booking.name, Settlement::Captured).await;
        let stray = (HoldState::Placed, booking.name.clone());
        suite.world.holds.lock().insert("areas/xinhua/holds/hld-stray".into(), stray);
        suite.clock.advance_to(START.plus_secs(8 * HOUR));
        suite.eventually("voided", |world| world.holds_in(HoldState::Voided) == 1).await;
        let after = suite.get(&booking.name).await;
        assert_eq!((after.hold, after.settlement), (booking.hold, Settlement::Captured.into()), "{}", suite.engine);
        suite.verify().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hold_that_fell_back_before_it_was_taken_leaves_the_booking_unpaid_for_all_to_see() {
    for suite in suites().await {
        let booking = confirmed(&suite).await;
        let fell_back = (HoldState::Expired, booking.name.clone());
        suite.world.holds.lock().insert(booking.hold.clone(), fell_back);
        suite.clock.advance_to(START.plus_secs(6 * HOUR));
        suite.complete(OPERATOR, &booking.name).await.expect("completes");
        settled(&suite, &booking.name, Settlement::Failed).await;
        assert_eq!(suite.broken().await, ["booking.holds"], "{}", suite.engine);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hold_that_fell_back_is_as_good_as_given_back() {
    for suite in suites().await {
        let booking = confirmed(&suite).await;
        let fell_back = (HoldState::Expired, booking.name.clone());
        suite.world.holds.lock().insert(booking.hold.clone(), fell_back);
        suite.cancel(&person("a"), &booking.name).await.expect("cancels");
        settled(&suite, &booking.name, Settlement::Voided).await;
        suite.verify().await;
    }
}
