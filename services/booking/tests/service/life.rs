//! One booking from wish to end: prices, approvals, times, slots that are cancelled, reservations that expire.

use linli_proto::booking::*;
use linli_proto::points::HoldState;
use tonic_types::StatusExt as _;

use crate::suite::*;

const HOUR: i64 = 3600;

#[tokio::test(flavor = "multi_thread")]
async fn a_priced_booking_is_held_confirmed_and_captured() {
    for suite in suites().await {
        let slots = suite.open(Offering { base_price: points(5), ..haircut() }, 2, 60).await;
        let booking = suite.book(&person("a"), &slots[0].name).await.expect("books");
        assert_eq!(booking.state(), BookingState::Pending);
        let confirmed = suite.until(&booking.name, BookingState::Confirmed).await;
        assert!(confirmed.hold.contains("/holds/hld-"), "{}", confirmed.hold);
        let early = suite.complete(OPERATOR, &booking.name).await.expect_err("before it begins");
        assert_eq!(early.get_details_error_info().map(|i| i.reason).as_deref(), Some("TOO_EARLY"));
        suite.clock.advance_to(START.plus_secs(6 * HOUR + 60));
        let done = suite.complete(OPERATOR, &booking.name).await.expect("completes");
        assert_eq!(done.state(), BookingState::Completed);
        suite.eventually("captured", |world| world.holds_in(HoldState::Captured) == 1).await;
        suite.verify().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_priced_booking_gives_its_points_back_and_its_seat_on() {
    for suite in suites().await {
        let offering = Offering { base_price: points(5), waitlist: true, ..haircut() };
        let slots = suite.open(offering, 1, 60).await;
        let first = suite.book(&person("a"), &slots[0].name).await.expect("books");
        let next = suite.book(&person("b"), &slots[0].name).await.expect("waits");
        suite.until(&first.name, BookingState::Confirmed).await;
        suite.cancel(&person("a"), &first.name).await.expect("cancels");
        suite.eventually("voided", |world| world.holds_in(HoldState::Voided) == 1).await;
        suite.until(&next.name, BookingState::Confirmed).await;
        assert_eq!(suite.world.holds_in(HoldState::Placed), 1);
        suite.verify().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_cannot_pay_is_refused_and_frees_the_seat() {
    for suite in suites().await {
        let slots = suite.open(Offering { base_price: points(500), ..haircut() }, 1, 60).await;
        let booking = suite.book(&person("a"), &slots[0].name).await.expect("books");
        let refused = suite.until(&booking.name, BookingState::Refused).await;
        assert_eq!(refused.reasons[0].code, "hold-refused");
        assert_eq!(suite.slots().await[0].taken, 0);
        suite.verify().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_rule_sends_to_a_person_waits_for_that_person() {
    for suite in suites().await {
        let slots = suite.open(haircut(), 1, 60).await;
        *suite.world.approval.lock() = true;
        let booking = suite.book(&person("a"), &slots[0].name).await.expect("books");
        assert_eq!((booking.state(), booking.reasons[0].code.as_str()), (BookingState::Pending, "ask-first"));
        let approve = ApproveBookingRequest { name: booking.name.clone(), request_id: String::new() };
        assert!(suite.as_(&person("a")).approve_booking(approve.clone()).await.is_err(), "not by oneself");
        let approved = suite.as_(WORKER).approve_booking(approve.clone()).await.expect("approves").into_inner();
        assert_eq!(approved.state(), BookingState::Confirmed);
        let again = suite.as_(WORKER).approve_booking(approve).await.expect_err("once only");
        assert_eq!(again.get_details_error_info().map(|i| i.reason).as_deref(), Some("WRONG_STATE"));
        let other = suite.book(&person("b"), &slots[1].name).await.expect("books");
        let refuse = RefuseBookingRequest { name: other.name.clone(), ..RefuseBookingRequest::default() };
        let refused = suite.as_(WORKER).refuse_booking(refuse).await.expect("refuses").into_inner();
        assert_eq!(refused.state(), BookingState::Refused);
        suite.verify().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_denied_booking_is_kept_with_its_receipt() {
    for suite in suites().await {
        let slots = suite.open(haircut(), 5, 60).await;
        *suite.world.per_month.lock() = 1;
        suite.book(&person("a"), &slots[0].name).await.expect("books");
        let denied = suite.book(&person("a"), &slots[1].name).await.expect("an outcome, no error");
        assert_eq!((denied.state(), denied.reasons[0].message.as_str()), (BookingState::Refused, "本月已约"));
        let filter = format!("booking = \"{}\"", denied.name);
        let list = ListReceiptsRequest { parent: "areas/xinhua".into(), filter, ..ListReceiptsRequest::default() };
        let receipts = suite.as_(&person("a")).list_receipts(list).await.expect("receipts").into_inner().receipts;
        assert_eq!(receipts[0].verdict, "deny");
        assert!(receipts[0].facts_json.contains("\"this_month\":1"), "{}", receipts[0].facts_json);
        assert!(!receipts[0].facts_json.contains("per-a"), "receipts know pseudonyms only");
        let get = GetReceiptRequest { name: receipts[0].name.clone() };
        assert!(suite.as_(&person("b")).get_receipt(get).await.is_err(), "nobody else's receipt");
        suite.verify().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_slot_cancels_its_bookings_and_stays_cancelled() {
    for suite in suites().await {
        let slots = suite.open(Offering { base_price: points(1), waitlist: true, ..haircut() }, 1, 60).await;
        let seated = suite.book(&person("a"), &slots[0].name).await.expect("books");
        let waiting = suite.book(&person("b"), &slots[0].name).await.expect("waits");
        suite.until(&seated.name, BookingState::Confirmed).await;
        let cancel = CancelSlotRequest { name: slots[0].name.clone(), ..CancelSlotRequest::default() };
        let slot = suite.as_(OPERATOR).cancel_slot(cancel).await.expect("cancels").into_inner();
        assert_eq!((slot.state(), slot.taken, slot.waiting), (SlotState::Cancelled, 0, 0));
        for booking in [seated, waiting] {
            assert_eq!(suite.get(&booking.name).await.state(), BookingState::Cancelled);
        }
        suite.eventually("voided", |world| world.holds_in(HoldState::Voided) == 1).await;
        let closed = suite.book(&person("c"), &slots[0].name).await.expect_err("it does not take place");
        assert_eq!(closed.get_details_error_info().map(|i| i.reason).as_deref(), Some("SLOT_NOT_OPEN"));
        suite.verify().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_still_waits_when_the_slot_begins_is_told_so() {
    for suite in suites().await {
        let slots = suite.open(Offering { waitlist: true, ..haircut() }, 1, 60).await;
        let seated = suite.book(&person("a"), &slots[0].name).await.expect("books");
        let waiting = suite.book(&person("b"), &slots[0].name).await.expect("waits");
        suite.clock.advance_to(START.plus_secs(6 * HOUR));
        let over = suite.until(&waiting.name, BookingState::Cancelled).await;
        assert_eq!(over.reasons[0].code, "slot-began");
        let check_in = CheckInBookingRequest { name: seated.name.clone(), request_id: String::new() };
        let here = suite.as_(WORKER).check_in_booking(check_in).await.expect("checks in").into_inner();
        assert_eq!(here.state(), BookingState::CheckedIn);
        let late = suite.book(&person("c"), &slots[0].name).await.expect_err("it has begun");
        assert_eq!(late.get_details_error_info().map(|i| i.reason).as_deref(), Some("BOOKING_CLOSED"));
        suite.verify().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_no_show_gets_the_points_back_and_counts_against_the_resident() {
    for suite in suites().await {
        let slots = suite.open(Offering { base_price: points(5), ..haircut() }, 2, 60).await;
        let booking = suite.book(&person("a"), &slots[0].name).await.expect("books");
        suite.until(&booking.name, BookingState::Confirmed).await;
        let mark = MarkBookingNoShowRequest { name: booking.name.clone(), request_id: String::new() };
        let early = suite.as_(WORKER).mark_booking_no_show(mark.clone()).await.expect_err("before it begins");
        assert_eq!(early.get_details_error_info().map(|i| i.reason).as_deref(), Some("TOO_EARLY"));
        suite.clock.advance_to(START.plus_secs(6 * HOUR));
        let missed = suite.as_(WORKER).mark_booking_no_show(mark).await.expect("marks").into_inner();
        assert_eq!(missed.state(), BookingState::NoShow);
        suite.eventually("voided", |world| world.holds_in(HoldState::Voided) == 1).await;
        let next = suite.book(&person("a"), &slots[1].name).await.expect("books");
        let filter = format!("booking = \"{}\" AND hook = \"booking-eligibility\"", next.name);
        let list = ListReceiptsRequest { parent: "areas/xinhua".into(), filter, ..ListReceiptsRequest::default() };
        let receipts = suite.as_(WORKER).list_receipts(list).await.expect("receipts").into_inner().receipts;
        assert!(receipts[0].facts_json.contains("\"no_shows\":1"), "{}", receipts[0].facts_json);
        suite.verify().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shift_is_served_by_whoever_booked_it_and_the_feed_says_so() {
    for suite in suites().await {
        let slots =
            suite.open(Offering { mode: Mode::Shift as i32, tags: vec!["rota".into()], ..haircut() }, 2, 90).await;
        let booking = suite.book(&person("v"), &slots[0].name).await.expect("books");
        suite.clock.advance_to(START.plus_secs(7 * HOUR));
        let done = suite.complete(WORKER, &booking.name).await.expect("completes");
        assert_eq!((done.servers[0].person.as_str(), done.servers[0].minutes), (person("v").as_str(), 90));
        let told = suite.last_event(&booking.name).await;
        assert_eq!((told.state(), told.previous_state()), (BookingState::Completed, BookingState::Confirmed));
        assert_eq!((told.servers[0].minutes, told.tags[0].as_str(), told.slot_min), (90, "rota", 90));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reservation_that_is_never_answered_ends_and_frees_its_seat() {
    for suite in suites().await {
        *suite.world.ledger_down.lock() = true;
        let slots = suite.open(Offering { base_price: points(5), ..haircut() }, 1, 60).await;
        let booking = suite.book(&person("a"), &slots[1].name).await.expect("books");
        assert_eq!(booking.state(), BookingState::Pending);
        suite.verify().await;
        suite.clock.advance_to(START.plus_secs(7 * HOUR));
        let over = suite.until(&booking.name, BookingState::Cancelled).await;
        assert_eq!(over.reasons[0].code, "reservation-expired");
        assert_eq!(suite.slots().await[1].taken, 0);
        // The ledger comes back and places what was asked for: it is given back at once.
        *suite.world.ledger_down.lock() = false;
        suite.eventually("voided", |world| world.holds_in(HoldState::Voided) == 1).await;
        suite.verify().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hold_that_outlived_its_booking_is_found_and_given_back() {
    for suite in suites().await {
        let slots = suite.open(haircut(), 1, 60).await;
        let booking = suite.book(&person("a"), &slots[3].name).await.expect("books");
        suite.cancel(&person("a"), &booking.name).await.expect("cancels");
        let stray = (HoldState::Placed, booking.name.clone());
        suite.world.holds.lock().insert("areas/xinhua/holds/hld-stray".into(), stray);
        suite.clock.advance_to(START.plus_secs(2 * HOUR));
        suite.eventually("voided", |world| world.holds_in(HoldState::Voided) == 1).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_an_office_is_a_resident_in_their_own_bookings() {
    for suite in suites().await {
        let slots = suite.open(Offering { cancel_before_min: 24 * 60, ..haircut() }, 2, 60).await;
        let own = suite.book(WORKER, &slots[0].name).await.expect("books for themselves");
        assert!(!own.on_behalf, "{}", suite.engine);
        let late = suite.cancel(WORKER, &own.name).await.expect_err("too late for a resident");
        assert_eq!(reason(&late), "TOO_LATE");
        let other = suite.book(&person("a"), &slots[0].name).await.expect("books");
        suite.cancel(WORKER, &other.name).await.expect("an office has no limit");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_booked_decided_and_served_is_recorded() {
    for suite in suites().await {
        let slots = suite.open(haircut(), 3, 60).await;
        *suite.world.approval.lock() = true;
        let wish = Booking { slot: slots[0].name.clone(), resident: person("a"), ..Booking::default() };
        let booking = suite.book_as(WORKER, wish.clone()).await.expect("on behalf");
        let approve = ApproveBookingRequest { name: booking.name.clone(), request_id: String::new() };
        suite.as_(OPERATOR).approve_booking(approve).await.expect("approves");
        suite.clock.advance_to(START.plus_secs(6 * HOUR));
        let done = suite.complete(WORKER, &booking.name).await.expect("completes");
        let steps: Vec<(BookingState, &str, bool)> =
            done.transitions.iter().map(|step| (step.state(), step.actor.as_str(), step.on_behalf)).collect();
        let want = [
            (BookingState::Pending, WORKER, true),
            (BookingState::Confirmed, OPERATOR, false),
            (BookingState::Completed, WORKER, false),
        ];
        assert_eq!(steps, want, "{}", suite.engine);
        assert_eq!(suite.receipts(&booking.name, "booking-approval").await[0].verdict, "approved");
        let wish = Booking { slot: slots[1].name.clone(), ..wish };
        let refused = suite.book_as(WORKER, wish).await.expect("on behalf");
        let refuse = RefuseBookingRequest { name: refused.name.clone(), ..RefuseBookingRequest::default() };
        suite.as_(OPERATOR).refuse_booking(refuse).await.expect("refuses");
        assert_eq!(suite.receipts(&refused.name, "booking-approval").await[0].verdict, "refused");
        assert!(suite.receipts(&refused.name, "booking-price").await.is_empty(), "no price was asked");
        suite.verify().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_moves_up_is_not_told_who_made_room() {
    for suite in suites().await {
        let slots = suite.open(Offering { waitlist: true, ..haircut() }, 1, 60).await;
        let first = suite.book(&person("a"), &slots[0].name).await.expect("books");
        let next = suite.book(&person("b"), &slots[0].name).await.expect("waits");
        suite.cancel(&person("a"), &first.name).await.expect("cancels");
        let actors: Vec<String> = suite.get(&next.name).await.transitions.into_iter().map(|step| step.actor).collect();
        assert_eq!(actors, [person("b"), "services/booking".to_owned()], "{}", suite.engine);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_that_came_meanwhile_gets_the_facts_that_it_needs() {
    for suite in suites().await {
        let slots = suite.open(haircut(), 3, 60).await;
        // The rules need balances by now, and whoever is asked what they need does not know it yet.
        *suite.world.wants_balances.lock() = true;
        *suite.world.revision.lock() = "r2".into();
        *suite.world.behind.lock() = 2;
        let booking = suite.book(&person("a"), &slots[0].name).await.expect("an outcome");
        assert_eq!(booking.state(), BookingState::Confirmed, "{}: {:?}", suite.engine, booking.reasons);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_cannot_pay_reads_why_in_words() {
    for suite in suites().await {
        let slots = suite.open(Offering { base_price: points(500), ..haircut() }, 1, 60).await;
        let booking = suite.book(&person("a"), &slots[0].name).await.expect("books");
        let refused = suite.until(&booking.name, BookingState::Refused).await;
        assert_eq!(
            refused.reasons[0].text.as_ref().map(|text| text.zh_cn.as_str()),
            Some("积分不足。"),
            "{}",
            suite.engine
        );
    }
}
