//! Lists stay stable while rows are inserted: what was there is seen once, whatever comes meanwhile.

use std::collections::BTreeSet;

use linli_harness::seed::{self, Community, request_id, text};
use linli_harness::{Actor, TestSuite, engines};
use linli_proto::{booking, org};

use crate::setting::{barber, book, haircut, known_to_booking};

/// Checks that pages show what was there before exactly once.
fn stable(what: &str, before: &BTreeSet<String>, seen: &[String]) {
    let distinct: BTreeSet<_> = seen.iter().cloned().collect();
    assert_eq!(distinct.len(), seen.len(), "{what}: nothing is seen twice");
    let missed: Vec<_> = before.difference(&distinct).collect();
    assert!(missed.is_empty(), "{what}: missed {missed:?}");
}

async fn units(op: &Actor, size: i32, insert: bool) -> Vec<String> {
    let (mut seen, mut token) = (Vec::new(), String::new());
    for round in 0.. {
        let request = org::ListUnitsRequest {
            parent: "areas/xinhua".into(),
            page_size: size,
            page_token: token,
            ..Default::default()
        };
        let page = op.org().list_units(request).await.expect("a page").into_inner();
        seen.extend(page.units.into_iter().map(|unit| unit.name));
        token = page.next_page_token;
        if token.is_empty() {
            break;
        }
        // One that sorts before everything seen, one behind.
        for id in [format!("a-{round}"), format!("z-{round}")].into_iter().filter(|_| insert && round < 20) {
            let unit = Some(org::Unit { kind: "grid".into(), display_name: text("新", "new"), ..Default::default() });
            let request =
                org::CreateUnitRequest { parent: "areas/xinhua".into(), unit_id: id, unit, request_id: request_id() };
            op.org().create_unit(request).await.expect("a unit");
        }
    }
    seen
}

async fn people(op: &Actor, size: i32, insert: bool) -> Vec<String> {
    let (mut seen, mut token) = (Vec::new(), String::new());
    for round in 0.. {
        let request = org::ListPeopleRequest {
            parent: "areas/xinhua".into(),
            page_size: size,
            page_token: token,
            ..Default::default()
        };
        let page = op.org().list_people(request).await.expect("a page").into_inner();
        seen.extend(page.people.into_iter().map(|person| person.name));
        token = page.next_page_token;
        if token.is_empty() {
            break;
        }
        if insert && round < 20 {
            let person = Some(org::Person {
                full_name: "新来".into(),
                unit: "areas/xinhua/units/grid-1".into(),
                ..Default::default()
            });
            let request = org::CreatePersonRequest { parent: "areas/xinhua".into(), person, request_id: request_id() };
            op.org().create_person(request).await.expect("a person");
        }
    }
    seen
}

async fn bookings(suite: &TestSuite, community: &Community, slot: &str, size: i32, insert: bool) -> Vec<String> {
    let op = suite.operator();
    let (mut seen, mut token) = (Vec::new(), String::new());
    for round in 0.. {
        let request = booking::ListBookingsRequest {
            parent: "areas/xinhua".into(),
            page_size: size,
            page_token: token,
            ..Default::default()
        };
        let page = op.booking().list_bookings(request).await.expect("a page").into_inner();
        seen.extend(page.bookings.into_iter().map(|booking| booking.name));
        token = page.next_page_token;
        if token.is_empty() {
            break;
        }
        if insert && round < 4 {
            book(&suite.actor(community.adult(round)), slot, request_id()).await.expect("a booking");
        }
    }
    seen
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_show_once_what_was_there_while_more_is_inserted() {
    for engine in engines() {
        let suite = TestSuite::start(engine).await.expect("the suite starts");
        let op = suite.operator();
        let community = seed::community(&op, "xinhua").await;
        let before = units(&op, 1000, false).await.into_iter().collect();
        stable("units", &before, &units(&op, 1, true).await);
        let before = people(&op, 1000, false).await.into_iter().collect();
        stable("people", &before, &people(&op, 3, true).await);
        known_to_booking(&suite.actor(community.elder(0))).await;
        let slot = barber(&op, haircut(), 100).await.remove(0).name;
        for n in 0..8 {
            book(&suite.actor(community.elder(n)), &slot, request_id()).await.expect("a booking");
        }
        let before = bookings(&suite, &community, &slot, 1000, false).await.into_iter().collect();
        stable("bookings", &before, &bookings(&suite, &community, &slot, 2, true).await);
        suite.stop().await;
    }
}
