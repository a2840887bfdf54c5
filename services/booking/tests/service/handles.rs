//! The numbers under which rules see people: one within a decision, another in the next.

use std::collections::HashSet;

use linli_kernel::Clock as _;
use linli_proto::booking::*;
use linli_proto::rules::EvaluateRequest;
use linli_proto::rules::evaluate_request::Hook;

use crate::suite::*;

const GUEST: &str = "areas/guanba/people/per-n";

fn waitlisted() -> Offering {
    Offering { waitlist: true, base_price: points(0), service_areas: vec!["areas/guanba".into()], ..haircut() }
}

/// The handles in a question, the asker's last.
fn handles(ask: &EvaluateRequest) -> Vec<u32> {
    let who = match ask.hook.clone().expect("a hook") {
        Hook::Eligibility(f) => vec![f.who],
        Hook::Price(f) => vec![f.who],
        Hook::Priority(f) => f.queue.into_iter().map(|waiting| waiting.who).collect(),
        other => panic!("booking asks no {other:?}"),
    };
    who.into_iter().map(|who| who.expect("somebody").handle).collect()
}

/// The handles in the questions of one call; those of a call before are gone.
async fn asked_by<T>(suite: &Suite, call: impl Future<Output = T>) -> (Vec<Vec<u32>>, T) {
    suite.world.asked.lock().clear();
    let answer = call.await;
    (suite.world.asked.lock().iter().map(handles).collect(), answer)
}

#[tokio::test(flavor = "multi_thread")]
async fn within_a_decision_everybody_is_told_apart_and_is_one_in_all_its_questions() {
    for suite in suites().await {
        let slots = suite.open(waitlisted(), 1, 60).await;
        suite.book(&person("a"), &slots[0].name).await.expect("books");
        let mut own = Vec::new();
        let mut seen = HashSet::new();
        for (n, who) in [person("b"), GUEST.to_owned(), person("c")].iter().enumerate() {
            suite.clock.advance_to(suite.clock.now().plus_secs(1));
            let (asked, booking) = asked_by(&suite, suite.book(who, &slots[0].name)).await;
            assert_eq!(booking.expect("waits").state(), BookingState::Waitlisted, "{}", suite.engine);
            let [eligibility, price, queue] = asked.as_slice() else { panic!("three questions: {asked:?}") };
            assert_eq!((eligibility, queue.len()), (price, n + 1), "{}", suite.engine);
            assert_eq!(queue.last(), eligibility.last(), "one person in all three");
            assert_eq!(queue.iter().collect::<HashSet<_>>().len(), n + 1, "all who wait are told apart");
            assert!(queue.iter().all(|handle| seen.insert(*handle)), "nobody is known from another decision");
            own.extend(eligibility.iter().copied());
        }
        assert_eq!(own.len(), 3);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_bookings_of_one_person_show_different_handles_and_one_subject() {
    for suite in suites().await {
        let slots = suite.open(waitlisted(), 5, 60).await;
        let mut told = HashSet::new();
        for slot in [0, 1] {
            suite.clock.advance_to(suite.clock.now().plus_secs(60));
            let (asked, booking) = asked_by(&suite, suite.book(&person("a"), &slots[slot].name)).await;
            let name = booking.expect("books").name;
            let receipt = suite.receipts(&name, "booking-eligibility").await.remove(0);
            assert!(receipt.facts_json.contains(&format!("\"handle\":{},", asked[0][0])), "{}", receipt.facts_json);
            told.insert(asked[0][0]);
        }
        assert_eq!(told.len(), 2, "receipts cannot be joined on {}", suite.engine);
        let cases = suite.decisions("booking-eligibility", 0, String::new()).await.cases;
        assert_eq!((cases.len(), &cases[0].subject), (2, &cases[1].subject), "a simulation counts people");
        let kept: Vec<_> = cases.iter().map(|case| case.request.clone().expect("kept")).collect();
        assert_eq!(kept[0].bucket, kept[1].bucket, "a canary stays with whom it reached");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_moves_up_is_asked_about_under_a_new_handle() {
    for suite in suites().await {
        let slots = suite.open(waitlisted(), 1, 60).await;
        let first = suite.book(&person("a"), &slots[0].name).await.expect("books");
        let (waits, next) = asked_by(&suite, suite.book(&person("b"), &slots[0].name)).await;
        let (moves, _) = asked_by(&suite, suite.cancel(&person("a"), &first.name)).await;
        assert_eq!(suite.get(&next.expect("waits").name).await.state(), BookingState::Confirmed, "{}", suite.engine);
        assert_eq!(moves.len(), 1, "{moves:?}");
        assert_ne!(moves[0], waits[0], "on {}", suite.engine);
    }
}
