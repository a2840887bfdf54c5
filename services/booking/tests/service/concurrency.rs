//! Many at once: seats, quotas, retries, waitlists, and how many calls a booking costs.

use linli_proto::booking::*;

use crate::suite::*;

#[tokio::test(flavor = "multi_thread")]
async fn the_claims_run_on_postgres_when_a_server_is_given() {
    let engines: Vec<&str> = suites().await.iter().map(|suite| suite.engine).collect();
    let wanted: &[&str] =
        if linli_kit::testing::postgres_url().is_some() { &["sqlite", "postgres"] } else { &["sqlite"] };
    assert_eq!(engines, wanted);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_at_once_never_get_thirteen_of_twelve_chairs() {
    for suite in suites().await {
        let slots = suite.open(haircut(), 12, 60).await;
        let people: Vec<String> = (0..200).map(person).collect();
        let all = people.iter().map(|resident| suite.book(resident, &slots[0].name));
        let outcomes = futures::future::join_all(all).await;
        let seated = outcomes.iter().filter(|o| o.as_ref().is_ok_and(|b| b.state() == BookingState::Confirmed)).count();
        assert_eq!(seated, 12, "{}", suite.engine);
        for refused in outcomes.iter().filter_map(|o| o.as_ref().err()) {
            assert_eq!(reason(refused), "SLOT_FULL");
        }
        assert_eq!(suite.slots().await[0].taken, 12);
        suite.verify().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_at_once_of_one_person_under_one_a_month_yield_one() {
    for suite in suites().await {
        let slots = suite.open(haircut(), 50, 60).await;
        *suite.world.per_month.lock() = 1;
        let one = person("one");
        let all = (0..20).map(|i| suite.book(&one, &slots[i % slots.len()].name));
        let outcomes = futures::future::join_all(all).await;
        let in_state = |state| outcomes.iter().filter(|o| o.as_ref().is_ok_and(|b| b.state() == state)).count();
        assert_eq!(in_state(BookingState::Confirmed), 1, "{}: {outcomes:?}", suite.engine);
        let conflicts = outcomes.iter().filter(|o| o.as_ref().is_err_and(|e| reason(e) == "CONFLICT")).count();
        assert_eq!(in_state(BookingState::Refused) + conflicts, 19, "{}: {outcomes:?}", suite.engine);
        suite.verify().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_whole_waitlist_builds_up_at_once_and_drains_without_an_empty_seat() {
    for suite in suites().await {
        let slots = suite.open(Offering { waitlist: true, ..haircut() }, 3, 60).await;
        let people: Vec<String> = (0..30).map(person).collect();
        let all = people.iter().map(|resident| suite.book(resident, &slots[0].name));
        let bookings: Vec<Booking> =
            futures::future::join_all(all).await.into_iter().map(|b| b.expect("books")).collect();
        let waiting = bookings.iter().filter(|b| b.state() == BookingState::Waitlisted).count();
        assert_eq!(waiting, 27, "{}", suite.engine);
        let cancels = bookings.iter().take(20).map(|b| suite.cancel(OPERATOR, &b.name));
        for cancelled in futures::future::join_all(cancels).await {
            assert_eq!(cancelled.expect("cancels").state(), BookingState::Cancelled);
        }
        let slot = suite.slots().await.remove(0);
        assert_eq!((slot.taken, slot.waiting), (3, 7), "{}", suite.engine);
        suite.verify().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_seat_of_one_who_cancels_goes_to_the_highest_priority() {
    for suite in suites().await {
        let slots = suite.open(Offering { waitlist: true, ..haircut() }, 1, 60).await;
        let slot = &slots[0].name;
        let first = suite.book(&person("a"), slot).await.expect("books");
        let young = suite.book(&person("b"), slot).await.expect("waits");
        let old = suite.book(&person("old-80"), slot).await.expect("waits");
        let older = suite.book(&person("old-90"), slot).await.expect("waits");
        assert_eq!((young.state(), young.waitlist_position), (BookingState::Waitlisted, 1));
        assert_eq!(older.waitlist_position, 1);
        assert_eq!(suite.get(&young.name).await.waitlist_position, 3);
        assert_eq!(old.reasons[0].code, "slot-full");
        suite.cancel(&person("a"), &first.name).await.expect("cancels");
        assert_eq!(suite.get(&older.name).await.state(), BookingState::Confirmed, "{}", suite.engine);
        assert_eq!(suite.get(&old.name).await.waitlist_position, 1);
        suite.verify().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retry_with_the_same_request_id_books_once_and_another_body_is_refused() {
    for suite in suites().await {
        let slots = suite.open(haircut(), 5, 60).await;
        let request = |slot: &str| CreateBookingRequest {
            parent: "areas/xinhua".into(),
            booking: Some(Booking { slot: slot.into(), ..Booking::default() }),
            request_id: "6f2c1f5e-6c62-4d0e-9a43-3c9f0f3a4c11".into(),
        };
        let one = person("one");
        let all = (0..10).map(|_| {
            let mut client = suite.as_(&one);
            let request = request(&slots[0].name);
            async move { client.create_booking(request).await }
        });
        let names: std::collections::HashSet<String> = futures::future::join_all(all)
            .await
            .into_iter()
            .map(|answer| answer.expect("books").into_inner().name)
            .collect();
        assert_eq!(names.len(), 1, "{}", suite.engine);
        assert_eq!(suite.slots().await[0].taken, 1);
        let other = suite.as_(&one).create_booking(request(&slots[1].name)).await.expect_err("another body");
        assert_eq!(reason(&other), "REQUEST_ID_REUSED");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_booking_costs_at_most_three_calls() {
    for suite in suites().await {
        *suite.world.wants_balances.lock() = true;
        let offering = Offering { waitlist: true, base_price: points(0), ..haircut() };
        let slots = suite.open(offering, 2, 60).await;
        // Each replica asks once what the rules need, and believes it for some seconds.
        for warm in ["warm", "up"] {
            suite.book(&person(warm), &slots[1].name).await.expect("books");
        }
        for resident in ["a", "b", "c", "d", "e"] {
            suite.world.calls.lock().clear();
            suite.book(&person(resident), &slots[0].name).await.expect("books");
            let calls = suite.world.count();
            assert!(calls <= 3, "{}: {:?}", suite.engine, suite.world.calls.lock());
        }
    }
}
