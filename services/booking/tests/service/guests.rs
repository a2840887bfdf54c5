//! Residents of other areas, where an offering serves them, and those who care for them at home.

use linli_proto::booking::*;

use crate::suite::*;

const GUEST: &str = "areas/guanba/people/per-n";

fn open_to_guanba() -> Offering {
    Offering { service_areas: vec!["areas/guanba".into()], ..haircut() }
}

fn list(parent: &str) -> ListBookingsRequest {
    ListBookingsRequest { parent: parent.into(), ..ListBookingsRequest::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_books_and_reads_their_own_also_where_rules_want_balances() {
    for suite in suites().await {
        *suite.world.wants_balances.lock() = true;
        let slots = suite.open(open_to_guanba(), 5, 60).await;
        let list_slots = ListSlotsRequest { parent: "areas/xinhua".into(), ..ListSlotsRequest::default() };
        let seen = suite.as_(GUEST).list_slots(list_slots.clone()).await.expect("what serves them").into_inner().slots;
        assert_eq!(seen.len(), slots.len());
        let stranger = suite.as_("areas/spandau/people/per-s").list_slots(list_slots).await.expect_err("not served");
        assert_eq!(stranger.code(), tonic::Code::PermissionDenied);
        let booking = suite.book(GUEST, &slots[0].name).await.expect("served");
        suite.book(&person("a"), &slots[0].name).await.expect("books");
        assert_eq!(booking.state(), BookingState::Confirmed, "{}", suite.engine);
        for parent in ["areas/xinhua", "areas/-"] {
            let own = suite.as_(GUEST).list_bookings(list(parent)).await.expect("their own").into_inner().bookings;
            assert_eq!(own.iter().map(|b| &b.name).collect::<Vec<_>>(), [&booking.name], "{parent}");
            let receipts = ListReceiptsRequest { parent: parent.into(), ..ListReceiptsRequest::default() };
            let own = suite.as_(GUEST).list_receipts(receipts).await.expect("their own").into_inner().receipts;
            assert!(!own.is_empty() && own.iter().all(|receipt| receipt.booking == booking.name), "{parent}");
        }
        let nothing = suite.as_("areas/guanba/people/per-m").list_bookings(list("areas/xinhua")).await;
        assert_eq!(nothing.expect_err("no guest").code(), tonic::Code::PermissionDenied);
        suite.cancel(GUEST, &booking.name).await.expect("cancels");
        suite.verify().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_costs_points_is_refused_to_guests_with_its_own_reason() {
    for suite in suites().await {
        let slots = suite.open(Offering { base_price: points(5), ..open_to_guanba() }, 5, 60).await;
        let booking = suite.book(GUEST, &slots[0].name).await.expect("an outcome");
        assert_eq!((booking.state(), booking.reasons[0].code.as_str()), (BookingState::Refused, "guest-cannot-pay"));
        assert_eq!(
            suite.receipts(&booking.name, "booking-price").await.last().map(|r| r.verdict.as_str()),
            Some("refused")
        );
        assert_eq!(suite.slots().await[0].taken, 0, "{}", suite.engine);
        suite.verify().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_books_for_a_guest_at_home_reads_it_and_gives_it_up_and_does_no_more() {
    for suite in suites().await {
        let slots = suite.open(open_to_guanba(), 5, 60).await;
        let wish = Booking { slot: slots[0].name.clone(), resident: GUEST.into(), ..Booking::default() };
        let booking = suite.book_as(GUANBA_WORKER, wish.clone()).await.expect("on behalf");
        assert!(booking.on_behalf);
        assert!(suite.book_as(WORKER, wish).await.is_err(), "another area's worker has no say there");
        let get = GetBookingRequest { name: booking.name.clone() };
        suite.as_(GUANBA_WORKER).get_booking(get.clone()).await.expect("reads it");
        suite.clock.advance_to(START.plus_secs(6 * 3600));
        let served = suite.complete(GUANBA_WORKER, &booking.name).await.expect_err("served elsewhere");
        assert_eq!(served.code(), tonic::Code::PermissionDenied);
        suite.cancel(GUANBA_WORKER, &booking.name).await.expect("gives it up");
        let last = suite.get(&booking.name).await.transitions.pop().expect("a transition");
        assert_eq!((last.actor.as_str(), last.on_behalf), (GUANBA_WORKER, true), "{}", suite.engine);
    }
}
