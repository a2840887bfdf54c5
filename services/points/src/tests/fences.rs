//! Awards that rest on balances: what moved meanwhile is decided anew.

use std::sync::Arc;

use futures::FutureExt as _;
use linli_kernel::Clock as _;
use linli_kit::ErrorCode;
use linli_kit::check::timestamp;
use linli_kit::feed::Handler as _;
use linli_proto::points as pb;
use linli_proto::points::points_service_server::PointsService as _;
use sea_orm::ConnectionTrait as _;
use tokio::sync::Barrier;

use super::awards::{awards, bind, deliver, event};
use super::contributions::{reason, receipts, record, shift};
use super::suite::{Meanwhile, OPERATOR, Suite, each, person, request_id};
use crate::app::Awards;

/// Hearts for shifts and haircuts; the rule grants one to whom it sees with fewer than ten units.
async fn one_below_ten(suite: &Suite) {
    suite.asset("hearts", false, 0).await;
    bind(suite, "shifts", &["shift", "haircut"], 10).await;
    suite.world.lock().declared = vec!["balances".to_owned()];
    suite.world.lock().below = Some(10);
}

/// Somebody has nine units.
async fn nine(suite: &Suite, n: u32) {
    let grant = std::mem::replace(&mut suite.world.lock().grant, 9);
    record(suite, OPERATOR, earlier(suite, n, 100), "").await.expect("nine");
    suite.world.lock().grant = grant;
}

/// A shift of some seconds ago.
fn earlier(suite: &Suite, n: u32, secs: i64) -> pb::Contribution {
    pb::Contribution { occur_time: Some(timestamp(suite.clock.now().plus_secs(-secs))), ..shift(suite, n) }
}

/// The next two questions wait for one another, so that both have seen the same.
fn two_at_once(suite: &Suite) {
    let (both, from) = (Arc::new(Barrier::new(2)), suite.world.lock().asked_rules);
    let meanwhile: Meanwhile = Arc::new(move |asked| {
        let both = both.clone();
        async move {
            if asked <= from + 2 {
                both.wait().await;
            }
        }
        .boxed()
    });
    suite.world.lock().meanwhile = Some(meanwhile);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_contributions_at_once_the_second_sees_what_the_first_brought() {
    each(async |suite: &Suite| {
        one_below_ten(suite).await;
        nine(suite, 1).await;
        two_at_once(suite);
        let ids = [request_id(1), request_id(2)];
        let both = tokio::join!(
            record(suite, OPERATOR, earlier(suite, 1, 1), &ids[0]),
            record(suite, OPERATOR, earlier(suite, 1, 2), &ids[1]),
        );
        let both = [both.0.expect("records"), both.1.expect("records too")];
        assert_eq!(suite.balance("hearts", &person(1)).await, Some((10, 10)), "ten and no more");
        let mut thanked: Vec<usize> = both.iter().map(|one| one.awards.len()).collect();
        thanked.sort_unstable();
        assert_eq!(thanked, [0, 1]);
        let mut verdicts: Vec<String> = receipts(suite, OPERATOR).await.into_iter().map(|one| one.verdict).collect();
        verdicts.sort();
        assert_eq!(verdicts, ["1 hearts", "9 hearts", "nothing"]);
        suite.verify().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_no_account_yet_is_not_welcomed_twice_in_two_assets() {
    each(async |suite: &Suite| {
        for asset in ["hearts", "flowers"] {
            suite.asset(asset, false, 0).await;
            let binding = pb::AwardBinding {
                kinds: vec![asset.to_owned()],
                asset: asset.to_owned(),
                cap: 10,
                ..pb::AwardBinding::default()
            };
            let request = pb::CreateAwardBindingRequest {
                parent: "areas/a".to_owned(),
                award_binding: Some(binding),
                award_binding_id: asset.to_owned(),
                request_id: String::new(),
            };
            suite
                .api
                .create_award_binding(suite.ask("CreateAwardBinding", OPERATOR, request))
                .await
                .expect("a binding");
        }
        suite.world.lock().declared = vec!["balances".to_owned()];
        suite.world.lock().below = Some(1);
        for n in 1..=8 {
            two_at_once(suite);
            let of = |kind: &str| pb::Contribution { kind: kind.to_owned(), ..shift(suite, n) };
            let (hearts, flowers) =
                tokio::join!(record(suite, OPERATOR, of("hearts"), ""), record(suite, OPERATOR, of("flowers"), ""),);
            let awards = [hearts.expect("records").awards, flowers.expect("records").awards].concat();
            assert_eq!(awards.len(), 1, "{:?}: person {n}", suite.store.engine());
        }
        suite.verify().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_whose_balances_moved_is_decided_again_and_not_posted() {
    each(async |suite: &Suite| {
        one_below_ten(suite).await;
        nine(suite, 1).await;
        let consumer = Awards { app: suite.app.clone() };
        let events = [event(suite, 1, &[1]), event(suite, 2, &[2, 1])];
        let mut prepared = Vec::new();
        for event in &events {
            prepared.push(consumer.prepare(event).await.expect("both see nine"));
        }
        let apply = async |at: usize| {
            let (consumer, event, prepared) = (&consumer, &events[at], &prepared[at]);
            suite.store.write("test.apply", |tx| Box::pin(consumer.apply(tx, event, prepared))).await
        };
        apply(0).await.expect("posts the tenth");
        let moved = apply(1).await.expect_err("no longer nine");
        assert_eq!(
            (moved.code(), moved.reason().as_str()),
            (ErrorCode::Aborted, "CONFLICT"),
            "the consumer comes again"
        );
        assert_eq!(awards(suite, &person(2)).await.len(), 0, "not half of it either");
        deliver(suite, &events[1]).await.expect("decided again");
        assert_eq!(suite.balance("hearts", &person(1)).await, Some((10, 10)));
        assert_eq!(suite.balance("hearts", &person(2)).await, Some((1, 1)));
        apply(1).await.expect("decided before: nothing more");
        assert_eq!(awards(suite, &person(1)).await.len(), 2);
        suite.verify().await;
    })
    .await;
}

/// Every question moves everybody's accounts.
fn restless(suite: &Suite) {
    let store = linli_kit::store::Store::clone(&suite.store);
    let meanwhile: Meanwhile = Arc::new(move |_| {
        let store = store.clone();
        async move {
            let write = store.write("test.move", |tx| {
                Box::pin(async move {
                    Ok(tx.conn().execute_unprepared("UPDATE account SET version = version + 1").await?.rows_affected())
                })
            });
            write.await.expect("moves");
        }
        .boxed()
    });
    suite.world.lock().meanwhile = Some(meanwhile);
}

#[tokio::test(flavor = "multi_thread")]
async fn balances_that_never_rest_refuse_the_contribution_whole_after_a_bound() {
    each(async |suite: &Suite| {
        one_below_ten(suite).await;
        nine(suite, 1).await;
        restless(suite);
        let before = suite.world.lock().asked_rules;
        let refused = record(suite, OPERATOR, earlier(suite, 1, 1), &request_id(1)).await.expect_err("never the same");
        assert_eq!((refused.code(), reason(&refused).as_str()), (tonic::Code::Aborted, "CONFLICT"));
        assert_eq!(suite.world.lock().asked_rules - before, 12);
        assert_eq!(receipts(suite, OPERATOR).await.len(), 1, "nothing of it is left");
        suite.world.lock().meanwhile = None;
        let again = record(suite, OPERATOR, earlier(suite, 1, 1), &request_id(1)).await.expect("a retry");
        assert_eq!(again.awards.len(), 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_rule_has_seen_may_move() {
    each(async |suite: &Suite| {
        one_below_ten(suite).await;
        nine(suite, 1).await;
        suite.world.lock().declared.clear();
        restless(suite);
        let before = suite.world.lock().asked_rules;
        record(suite, OPERATOR, earlier(suite, 1, 1), "").await.expect("records");
        assert_eq!(suite.world.lock().asked_rules - before, 1);
    })
    .await;
}
