//! A client that leaves in the middle of a change: the change is whole or absent, and a repeat returns it.

use std::time::Duration;

use linli_harness::seed::{self, request_id};
use linli_harness::{TestSuite, engines, until};
use linli_proto::{booking, org};
use sea_orm::ConnectionTrait as _;

use crate::setting::{barber, book, haircut, known_to_booking};

#[tokio::test(flavor = "multi_thread")]
async fn a_household_whose_author_left_is_there_once_after_a_repeat_with_its_people() {
    for engine in engines() {
        let suite = TestSuite::start(engine).await.expect("the suite starts");
        seed::community(&suite.operator(), "xinhua").await;
        let op = suite.operator();
        for (n, patience_ms) in [0, 1, 2, 4, 8, 16, 32].into_iter().enumerate() {
            let household = org::Household {
                unit: "areas/xinhua/units/micro-1".into(),
                import_key: format!("left-{n}"),
                ..Default::default()
            };
            let person = org::Person { full_name: "来去".into(), ..Default::default() };
            let draft =
                org::HouseholdDraft { household: Some(household), people: vec![person; 3], request_id: request_id() };
            let request = org::BatchCreateHouseholdsRequest { parent: "areas/xinhua".into(), requests: vec![draft] };
            let mut client = op.org();
            // Dropping the future resets the stream: the server sees the client go.
            let patience = Duration::from_millis(patience_ms);
            let _ = tokio::time::timeout(patience, client.batch_create_households(request.clone())).await;
            let made = op.org().batch_create_households(request).await.expect("the repeat answers").into_inner();
            assert_eq!(made.households[0].people.len(), 3, "{engine:?}: whole");
        }
        let request =
            org::ListHouseholdsRequest { parent: "areas/xinhua".into(), page_size: 1000, ..Default::default() };
        let listed = op.org().list_households(request).await.expect("households").into_inner().households;
        let left = listed.iter().filter(|h| h.import_key.starts_with("left-"));
        assert_eq!(left.clone().count(), 7, "{engine:?}: each is there once");
        assert!(left.into_iter().all(|h| h.people_count == 3), "{engine:?}: each has its people");
        suite.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_that_waits_for_the_database_when_its_author_leaves_is_made_without_a_repeat() {
    for engine in engines() {
        let suite = TestSuite::start(engine).await.expect("the suite starts");
        let op = suite.operator();
        seed::community(&op, "xinhua").await;
        let store = suite.suite().stores().iter().find(|store| store.service() == "org").expect("org is here").clone();
        let household = org::Household {
            unit: "areas/xinhua/units/micro-1".into(),
            import_key: "left".into(),
            ..Default::default()
        };
        let draft = org::HouseholdDraft { household: Some(household), request_id: request_id(), ..Default::default() };
        let request = org::BatchCreateHouseholdsRequest { parent: "areas/xinhua".into(), requests: vec![draft] };
        let (held, left) = (&tokio::sync::Notify::new(), &tokio::sync::Notify::new());
        let holding = store.write("test.hold", |tx| {
            Box::pin(async move {
                // On SQLite the transaction itself keeps others from writing.
                if tx.engine() == linli_kit::store::Engine::Postgres {
                    tx.conn().execute_unprepared("LOCK TABLE household IN EXCLUSIVE MODE").await?;
                }
                held.notify_one();
                left.notified().await;
                Ok(())
            })
        });
        let leaving = async {
            held.notified().await;
            let mut client = op.org();
            // Nothing can be answered while the table is held; what the author has sent has long arrived by then.
            let call = client.batch_create_households(request);
            let answered = tokio::time::timeout(Duration::from_secs(1), call).await;
            assert!(answered.is_err(), "{engine:?}: the author left before the answer: {answered:?}");
            left.notify_one();
        };
        let (released, ()) = tokio::join!(holding, leaving);
        released.expect("the hold ends");
        let request =
            org::ListHouseholdsRequest { parent: "areas/xinhua".into(), page_size: 1000, ..Default::default() };
        until("the household is there", || async {
            let listed = op.org().list_households(request.clone()).await.ok()?.into_inner().households;
            listed.iter().any(|household| household.import_key == "left").then_some(())
        })
        .await;
        suite.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_booking_whose_resident_left_takes_one_chair() {
    for engine in engines() {
        let suite = TestSuite::start(engine).await.expect("the suite starts");
        let op = suite.operator();
        let community = seed::community(&op, "xinhua").await;
        let slot = barber(&op, haircut(), 100).await.remove(0).name;
        let resident = |n: usize| suite.actor(community.elder(n));
        known_to_booking(&resident(0)).await;
        for (n, patience_ms) in [0, 1, 2, 4, 8, 16].into_iter().enumerate() {
            let id = request_id();
            let patience = Duration::from_millis(patience_ms);
            let _ = tokio::time::timeout(patience, book(&resident(n), &slot, id.clone())).await;
            let booked = book(&resident(n), &slot, id.clone()).await.expect("the repeat answers");
            let again = book(&resident(n), &slot, id).await.expect("the repeat of the repeat");
            assert_eq!(booked.name, again.name, "{engine:?}");
        }
        let slot = op.booking().get_slot(booking::GetSlotRequest { name: slot }).await.expect("the slot").into_inner();
        assert_eq!(slot.taken, 6, "{engine:?}: one chair each");
        suite.stop().await;
    }
}
