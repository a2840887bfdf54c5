//! Many at once: chairs are never sold twice, a monthly limit holds, through the gateway.

use futures::future::join_all;
use linli_harness::seed::{self, request_id};
use linli_harness::{TestSuite, engines, refusal};
use linli_proto::booking::BookingState;

use crate::setting::{barber, book, haircut, known_to_booking, one_a_month, residents};

#[tokio::test(flavor = "multi_thread")]
async fn of_two_hundred_who_book_at_once_twelve_get_the_twelve_chairs() {
    for engine in engines() {
        let suite = TestSuite::start(engine).await.expect("the suite starts");
        let op = suite.operator();
        seed::community(&op, "xinhua").await;
        let people = residents(&op, 200).await;
        known_to_booking(&suite.actor(&people[0])).await;
        let slot = barber(&op, haircut(), 12).await.remove(0);
        let actors: Vec<_> = people.iter().map(|person| suite.actor(person)).collect();
        let answers = join_all(actors.iter().map(|actor| book(actor, &slot.name, request_id()))).await;
        let confirmed = answers.iter().flatten().filter(|b| b.state() == BookingState::Confirmed).count();
        let full = answers.iter().filter_map(|a| a.as_ref().err()).filter(|s| refusal(s).reason == "SLOT_FULL").count();
        let other = answers.iter().filter_map(|a| a.as_ref().err()).find(|s| refusal(s).reason != "SLOT_FULL");
        assert_eq!((confirmed, full), (12, 188), "{engine:?}: {other:?}");
        suite.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_books_twenty_times_at_once_gets_the_one_haircut_of_the_month() {
    for engine in engines() {
        let suite = TestSuite::start(engine).await.expect("the suite starts");
        let op = suite.operator();
        let community = seed::community(&op, "xinhua").await;
        let slots = barber(&op, haircut(), 12).await;
        one_a_month(&op).await;
        let resident = suite.actor(community.elder(0));
        known_to_booking(&resident).await;
        let answers = join_all(slots.iter().take(20).map(|slot| book(&resident, &slot.name, request_id()))).await;
        let states: Vec<_> = answers.iter().flatten().map(|booking| booking.state()).collect();
        let got = states.iter().filter(|state| **state == BookingState::Confirmed).count();
        let denied = states.iter().filter(|state| **state == BookingState::Refused).count();
        let errors: Vec<_> = answers.iter().filter_map(|a| a.as_ref().err()).map(refusal).collect();
        assert_eq!((got, got + denied), (1, 20), "{engine:?}: {states:?} {errors:?}");
        suite.stop().await;
    }
}
