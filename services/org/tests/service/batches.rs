//! Request ids: each item of a batch has one effect, and so has an update that creates.

use linli_proto::org::*;

use crate::suite::*;

fn with_id<T>(id: &str, mut item: T, set: impl Fn(&mut T) -> &mut String) -> T {
    id.clone_into(set(&mut item));
    item
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_that_repeats_half_of_another_makes_the_rest() {
    for suite in suites().await {
        let ids: Vec<String> = (0..3).map(|_| request_id()).collect();
        let one =
            |n: usize| with_id(&ids[n], create(&format!("m-{n}"), unit("micro", "grid-1")), |r| &mut r.request_id);
        let batch = |of: &[usize]| BatchCreateUnitsRequest {
            parent: PARENT.into(),
            requests: of.iter().map(|n| one(*n)).collect(),
        };
        let first = suite.op().batch_create_units(batch(&[0, 1])).await.expect("made").into_inner().units;
        let again = suite.op().batch_create_units(batch(&[2, 1])).await.expect("made").into_inner().units;
        assert_eq!(again[1], first[1], "the repeated item is answered as it is");
        assert_eq!(again[0].name, unit_name("m-2"));
        assert_eq!(suite.unit("m-2").await, again[0]);

        let one = |n: usize| {
            let people = vec![person("甲", 1950)];
            with_id(&ids[n], draft("micro-1", &format!("h-{n}"), people), |r| &mut r.request_id)
        };
        let batch = |of: &[usize]| BatchCreateHouseholdsRequest {
            parent: PARENT.into(),
            requests: of.iter().map(|n| one(*n)).collect(),
        };
        let first = suite.op().batch_create_households(batch(&[0, 1])).await.expect("made").into_inner().households;
        let again = suite.op().batch_create_households(batch(&[1, 2, 1])).await.expect("made").into_inner().households;
        assert_eq!((&again[0], &again[2]), (&first[1], &first[1]));
        assert_ne!(again[1].household, first[0].household);
        let list = ListHouseholdsRequest { parent: PARENT.into(), ..Default::default() };
        assert_eq!(suite.op().list_households(list).await.expect("a list").into_inner().households.len(), 3);

        let who: Vec<String> = first.iter().chain(&again[1..2]).map(|h| h.people[0].name.clone()).collect();
        let one = |n: usize| CreateAppointmentRequest {
            appointment: Some(Appointment {
                appointee: who[n].clone(),
                unit: unit_name("micro-1"),
                role: "head".into(),
                ..Default::default()
            }),
            request_id: ids[n].clone(),
            ..Default::default()
        };
        let batch = |of: &[usize]| BatchCreateAppointmentsRequest {
            parent: PARENT.into(),
            requests: of.iter().map(|n| one(*n)).collect(),
        };
        let first = suite.op().batch_create_appointments(batch(&[0, 1])).await.expect("made").into_inner().appointments;
        let again = suite.op().batch_create_appointments(batch(&[2, 0])).await.expect("made").into_inner().appointments;
        assert_eq!(again[1], first[0]);
        assert_eq!(again[0].appointee, who[2]);
        assert_eq!(suite.violations().await, []);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn twins_in_one_batch_are_one_and_a_reused_id_names_its_item() {
    for suite in suites().await {
        let (twin, id) = (draft("micro-1", "h-1", vec![person("甲", 1950)]), request_id());
        let twin = with_id(&id, twin, |r| &mut r.request_id);
        let batch = |requests| BatchCreateHouseholdsRequest { parent: PARENT.into(), requests };
        let both = vec![twin.clone(), twin.clone()];
        let made = suite.op().batch_create_households(batch(both)).await.expect("made").into_inner().households;
        assert_eq!(made[0], made[1]);
        assert_eq!(suite.violations().await, [], "one household, one member");
        let other = with_id(&id, draft("micro-1", "h-2", vec![]), |r| &mut r.request_id);
        let fresh = draft("micro-1", "h-3", vec![]);
        let answer = suite.op().batch_create_households(batch(vec![fresh, other.clone()])).await;
        let status = answer.expect_err("another body");
        let wanted = ("REQUEST_ID_REUSED".to_owned(), vec!["requests[1].request_id: REQUEST_ID_REUSED".to_owned()]);
        assert_eq!(refusal(&status), wanted);
        let bad = with_id("nonsense", other, |r| &mut r.request_id);
        let answer = suite.op().batch_create_households(batch(vec![bad])).await;
        assert_eq!(fields(answer), ["requests[0].request_id: REQUEST_ID_INVALID"]);
        let list = ListHouseholdsRequest { parent: PARENT.into(), ..Default::default() };
        let listed = suite.op().list_households(list).await.expect("a list").into_inner().households;
        assert_eq!(listed.len(), 1, "a refused batch leaves nothing");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_update_that_creates_is_repeated_under_its_own_request_id() {
    for suite in suites().await {
        let wanted = named("micro-9", unit("micro", "grid-1"));
        let request = UpdateUnitRequest {
            unit: Some(wanted.clone()),
            allow_missing: true,
            request_id: request_id(),
            ..Default::default()
        };
        let made = suite.op().update_unit(request.clone()).await.expect("created").into_inner();
        let again = suite.op().update_unit(request.clone()).await.expect("repeated").into_inner();
        assert_eq!((again, made.etag.as_str()), (made.clone(), "r1"));
        let other = UpdateUnitRequest { unit: Some(Unit { display_name: text("other"), ..wanted }), ..request };
        assert_eq!(reason(suite.op().update_unit(other.clone()).await), "REQUEST_ID_REUSED");
        let changed = UpdateUnitRequest { request_id: request_id(), ..other };
        let changed = suite.op().update_unit(changed).await.expect("what is there is changed").into_inner();
        assert_eq!((changed.display_name, changed.etag.as_str()), (text("other"), "r2"));

        let request = UpdateAreaRequest {
            area: Some(area("guanba", "litong")),
            allow_missing: true,
            request_id: request_id(),
            ..Default::default()
        };
        let made = suite.op().update_area(request.clone()).await.expect("created").into_inner();
        assert_eq!(suite.op().update_area(request).await.expect("repeated").into_inner(), made);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_key_that_is_taken_is_named_where_it_stands() {
    for suite in suites().await {
        let keyed = |key: &str| Person { import_key: key.into(), ..person("甲", 1950) };
        let batch = |requests| BatchCreateHouseholdsRequest { parent: PARENT.into(), requests };
        let first = batch(vec![draft("micro-1", "h-1", vec![keyed("p-1")])]);
        suite.op().batch_create_households(first).await.expect("recorded");
        let second = batch(vec![
            draft("micro-1", "h-2", vec![keyed("p-2")]),
            draft("micro-1", "h-1", vec![keyed("p-3"), keyed("p-1")]),
            draft("micro-1", "h-2", vec![keyed("p-2")]),
        ]);
        let wanted = [
            "requests[1].household.import_key: IMPORT_KEY_TAKEN",
            "requests[2].household.import_key: IMPORT_KEY_TAKEN",
            "requests[1].people[1].import_key: IMPORT_KEY_TAKEN",
            "requests[2].people[0].import_key: IMPORT_KEY_TAKEN",
        ];
        assert_eq!(fields(suite.op().batch_create_households(second).await), wanted);
        let household = draft("micro-1", "h-1", vec![]).household;
        let one = CreateHouseholdRequest { parent: PARENT.into(), household, ..Default::default() };
        assert_eq!(fields(suite.op().create_household(one).await), ["household.import_key: IMPORT_KEY_TAKEN"]);
        let one = CreatePersonRequest { parent: PARENT.into(), person: Some(keyed("p-1")), ..Default::default() };
        assert_eq!(fields(suite.op().create_person(one).await), ["person.import_key: IMPORT_KEY_TAKEN"]);
    }
}
