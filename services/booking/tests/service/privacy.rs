//! Who sees and does what: residents, workers on their behalf, residents of other areas.

use linli_proto::booking::booking::Details;
use linli_proto::booking::*;
use linli_proto::common::{Answer, answer};
use tonic_types::StatusExt as _;

use crate::suite::*;

fn repair() -> Offering {
    let question = |key: &str, kind: QuestionType, required: bool| Question {
        key: key.into(),
        text: text("?"),
        r#type: kind as i32,
        required,
        max: 10,
        ..Question::default()
    };
    Offering {
        mode: Mode::HomeVisit as i32,
        kind: "repair".into(),
        questions: vec![question("note", QuestionType::Text, false), question("taps", QuestionType::Number, true)],
        service_areas: vec!["areas/guanba".into()],
        ..haircut()
    }
}

fn wish(slot: &str, resident: &str, taps: i32) -> Booking {
    let answer = |key: &str, value| Answer { key: key.into(), value: Some(value) };
    Booking {
        slot: slot.into(),
        resident: resident.into(),
        answers: vec![answer("note", answer::Value::Text("备注".into())), answer("taps", answer::Value::Number(taps))],
        details: Some(Details::Visit(VisitDetails { household: String::new(), description: "漏水".into() })),
        ..Booking::default()
    }
}

fn typed(booking: &Booking) -> (usize, &str) {
    let Some(Details::Visit(visit)) = &booking.details else { panic!("a visit") };
    (booking.answers.len(), &visit.description)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_resident_typed_is_read_by_them_and_by_those_who_serve() {
    for suite in suites().await {
        let slots = suite.open(repair(), 5, 60).await;
        let resident = person("a");
        let booking = suite.book_as(WORKER, wish(&slots[0].name, &resident, 3)).await.expect("on behalf");
        assert!(booking.on_behalf);
        assert_eq!((booking.booked_by.as_str(), booking.resident.as_str()), (WORKER, resident.as_str()));
        let get = || GetBookingRequest { name: booking.name.clone() };
        let own = suite.as_(&resident).get_booking(get()).await.expect("one's own").into_inner();
        assert_eq!(typed(&own), (2, "漏水"));
        let served = suite.as_(WORKER).get_booking(get()).await.expect("the worker's").into_inner();
        assert_eq!(typed(&served), (2, "漏水"));
        assert!(suite.as_(&person("b")).get_booking(get()).await.is_err(), "nobody else's");
        let mine = ListBookingsRequest { parent: "areas/xinhua".into(), ..ListBookingsRequest::default() };
        let count = |client: Client| {
            let (mine, mut client) = (mine.clone(), client);
            async move { client.list_bookings(mine).await.expect("a list").into_inner().bookings.len() }
        };
        assert_eq!(count(suite.as_(&resident)).await, 1);
        assert_eq!(count(suite.as_(&person("b"))).await, 0);
        assert_eq!(count(suite.as_(WORKER)).await, 1);
        let behalf = suite.book_as(&person("b"), wish(&slots[0].name, &resident, 3)).await;
        assert_eq!(behalf.expect_err("no role").code(), tonic::Code::PermissionDenied);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_bad_field_is_named_at_once() {
    for suite in suites().await {
        let slots = suite.open(repair(), 5, 60).await;
        let mut bad = wish(&slots[0].name, "", 99);
        bad.party = 7;
        bad.answers[0].key = "colour".into();
        let status = suite.book_as(&person("a"), bad).await.expect_err("bad fields");
        let fields: Vec<String> = status
            .get_details_bad_request()
            .map(|bad| bad.field_violations.into_iter().map(|v| v.field).collect())
            .unwrap_or_default();
        assert_eq!(fields, ["booking.party", "booking.answers[0].key", "booking.answers[1].number"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn residents_of_another_area_book_only_what_serves_them() {
    for suite in suites().await {
        let slots = suite.open(repair(), 5, 60).await;
        let neighbour = "areas/guanba/people/per-n";
        let booking = suite.book_as(neighbour, wish(&slots[0].name, "", 1)).await.expect("served");
        assert_eq!(booking.state(), BookingState::Confirmed);
        let stranger =
            suite.book_as("areas/bayi/people/per-s", wish(&slots[0].name, "", 1)).await.expect_err("not served");
        assert_eq!(stranger.get_details_error_info().map(|i| i.reason).as_deref(), Some("NOT_SERVED_HERE"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_is_scored_anew_by_what_they_answered_when_they_booked() {
    let urgent =
        Question { key: "urgent".into(), text: text("?"), r#type: QuestionType::Flag as i32, ..Question::default() };
    for suite in suites().await {
        let offering = Offering { questions: vec![urgent.clone()], waitlist: true, ..haircut() };
        let slots = suite.open(offering, 1, 60).await;
        suite.book(&person("a"), &slots[0].name).await.expect("takes the seat");
        let said = |value| vec![Answer { key: "urgent".into(), value: Some(answer::Value::Flag(value)) }];
        let wish = |id: &str, answers| Booking {
            slot: slots[0].name.clone(),
            resident: person(id),
            answers,
            ..Booking::default()
        };
        let pressing = suite.book_as(&person("b"), wish("b", said(true))).await.expect("waits");
        let calm = suite.book_as(&person("c"), wish("c", said(false))).await.expect("waits");
        // A third asks for all scores anew: the sealed answers of those before must be in that question.
        suite.book_as(&person("d"), wish("d", Vec::new())).await.expect("waits");
        let scores = [suite.get(&pressing.name).await.priority, suite.get(&calm.name).await.priority];
        assert_eq!(scores, [1_030, 30], "{}", suite.engine);
        suite.verify().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_person_types_as_a_reason_is_bounded_sealed_and_read_by_the_resident() {
    for suite in suites().await {
        let slots = suite.open(haircut(), 3, 60).await;
        *suite.world.approval.lock() = true;
        let pending = suite.book(&person("a"), &slots[0].name).await.expect("books");
        let typed =
            |zh: &str| RefuseBookingRequest { name: pending.name.clone(), reason: text(zh), request_id: String::new() };
        let long = suite.as_(WORKER).refuse_booking(typed(&"长".repeat(501))).await.expect_err("too long");
        assert_eq!(reason(&long), "FIELD_TOO_LONG", "{}", suite.engine);
        suite.as_(WORKER).refuse_booking(typed("shibboleth one")).await.expect("refuses");
        let own = GetBookingRequest { name: pending.name.clone() };
        let own = suite.as_(&person("a")).get_booking(own).await.expect("their own").into_inner();
        assert_eq!(own.reasons[0].message, "shibboleth one");
        let other = suite.book(&person("b"), &slots[1].name).await.expect("books");
        let cancel =
            |zh: &str| CancelSlotRequest { name: slots[1].name.clone(), reason: text(zh), request_id: String::new() };
        let long = suite.as_(OPERATOR).cancel_slot(cancel(&"长".repeat(501))).await.expect_err("too long");
        assert_eq!(reason(&long), "FIELD_TOO_LONG");
        suite.as_(OPERATOR).cancel_slot(cancel("shibboleth two")).await.expect("cancels");
        assert_eq!(
            suite.get(&other.name).await.reasons[0].text.as_ref().map(|t| t.zh_cn.as_str()),
            Some("shibboleth two")
        );
        let mut stored = suite.bytes_of("booking", "spec").await;
        stored.extend(suite.bytes_of("booking", "secret_enc").await);
        stored.extend(suite.bytes_of("receipt", "spec_enc").await);
        for told in ["shibboleth", "ask-first", "age_years", "slot-cancelled"] {
            let open = stored.windows(told.len()).any(|window| window == told.as_bytes());
            assert!(!open, "{told} lies open on {}", suite.engine);
        }
    }
}
