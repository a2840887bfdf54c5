//! Appointments: terms, conflicts between them, and what their posts permit.

use linli_proto::org::*;

use crate::suite::*;

async fn somebody(suite: &Suite) -> String {
    suite.home("micro-1", vec![person("甲", 1950)]).await.1[0].name.clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_term_is_to_come_runs_and_is_over_as_of_an_instant() {
    for suite in suites().await {
        let who = somebody(&suite).await;
        suite.appoint(&who, ("micro-1", "head"), (10, Some(20))).await.expect("a post");
        let as_of = async |day: Option<i64>, filter: &str| {
            let as_of_time = day.map(|day| suite.day(day));
            let request = ListAppointmentsRequest {
                parent: PARENT.into(),
                as_of_time,
                filter: filter.into(),
                ..Default::default()
            };
            let found = suite.op().list_appointments(request).await.expect("a list").into_inner().appointments;
            found.first().map(Appointment::state)
        };
        use AppointmentState::{Active, Ended, Upcoming};
        for (day, state) in
            [(None, Upcoming), (Some(9), Upcoming), (Some(10), Active), (Some(19), Active), (Some(20), Ended)]
        {
            assert_eq!(as_of(day, "").await, Some(state), "{day:?}");
            for other in [Upcoming, Active, Ended] {
                let filter = format!("state = {}", other.as_str_name());
                assert_eq!(as_of(day, &filter).await, (other == state).then_some(state), "{day:?} {filter}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn posts_exclude_one_another_only_while_their_terms_overlap() {
    for suite in suites().await {
        let who = somebody(&suite).await;
        let at = |role: &'static str| ("micro-1", role);
        suite.appoint(&who, at("head"), (0, Some(30))).await.expect("runs for a month");
        suite.appoint(&who, at("housekeeper"), (30, Some(60))).await.expect("the next month");
        suite.appoint(&who, at("head"), (60, None)).await.expect("again, later");
        for (role, term, reason) in [
            ("housekeeper", (29, Some(30)), "POSTS_CONFLICT"),
            ("housekeeper", (90, Some(91)), "POSTS_CONFLICT"),
            ("head", (20, Some(30)), "POST_HELD_ALREADY"),
            ("head", (45, None), "POST_HELD_ALREADY"),
        ] {
            let answer = suite.appoint(&who, at(role), term).await;
            assert_eq!(fields(answer), [format!("appointment.role: {reason}")], "{role} {term:?}");
        }
        let other = somebody(&suite).await;
        let one = |role: &str, from: i64| CreateAppointmentRequest {
            appointment: Some(Appointment {
                appointee: other.clone(),
                unit: unit_name("micro-1"),
                role: role.into(),
                start_time: Some(suite.day(from)),
                ..Default::default()
            }),
            ..Default::default()
        };
        let requests = vec![one("head", 100), one("housekeeper", 200), one("gardener", 0)];
        let batch = BatchCreateAppointmentsRequest { parent: PARENT.into(), requests };
        let answer = suite.op().batch_create_appointments(batch).await;
        assert_eq!(fields(answer), ["requests[2].appointment.role: POST_UNKNOWN"]);
        let batch = BatchCreateAppointmentsRequest {
            parent: PARENT.into(),
            requests: vec![one("head", 100), one("housekeeper", 200)],
        };
        let answer = suite.op().batch_create_appointments(batch).await;
        assert_eq!(fields(answer), ["requests[1].appointment.role: POSTS_CONFLICT"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_end_is_put_off_only_where_no_other_term_is_in_the_way() {
    for suite in suites().await {
        let who = somebody(&suite).await;
        let head = suite.appoint(&who, ("micro-1", "head"), (0, Some(10))).await.expect("a post").into_inner();
        suite.appoint(&who, ("micro-1", "housekeeper"), (20, None)).await.expect("a post");
        let end = |day: Option<i64>| EndAppointmentRequest {
            name: head.name.clone(),
            end_time: day.map(|day| suite.day(day)),
            ..Default::default()
        };
        assert_eq!(fields(suite.op().end_appointment(end(Some(21))).await), ["end_time: POSTS_CONFLICT"]);
        assert_eq!(fields(suite.op().end_appointment(end(Some(-1))).await), ["end_time: TERM_EMPTY"]);
        let longer = suite.op().end_appointment(end(Some(20))).await.expect("until the next term").into_inner();
        assert_eq!(longer.end_time, Some(suite.day(20)));
        suite.op().end_appointment(end(None)).await.expect("ends now");
        assert_eq!(reason(suite.op().end_appointment(end(Some(5))).await), "APPOINTMENT_ENDED");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_access_role_of_a_post_holds_for_those_who_hold_it() {
    for suite in suites().await {
        let who = somebody(&suite).await;
        let head = suite.appoint(&who, ("micro-1", "head"), (0, None)).await.expect("a post").into_inner();
        let late = suite.appoint(&who, ("grid-2", "head"), (5, None)).await.expect("a post").into_inner();
        let over = suite.appoint(&who, ("grid-1", "head"), (-9, Some(-1))).await.expect("a post").into_inner();
        let read = || ListPeopleRequest { parent: PARENT.into(), ..Default::default() };
        let refused = suite.of_replica(0, &who).list_people(read()).await;
        assert_eq!(reason(refused), "PERMISSION_DENIED", "a viewer reads no people");
        suite.home("micro-1", vec![person("乙", 1960)]).await;
        let mut promoted = template();
        promoted.posts[1].access_role = "worker".into();
        let request = UpdateStructureTemplateRequest { structure_template: Some(promoted), ..Default::default() };
        let trial = UpdateStructureTemplateRequest { validate_only: true, ..request.clone() };
        suite.op().update_structure_template(trial).await.expect("would be");
        assert_eq!(suite.events::<AppointmentChanged>(&head.name).await.len(), 1, "a trial tells nobody");
        suite.of_replica(0, OPERATOR).update_structure_template(request).await.expect("changes");
        for (name, told) in [(&head.name, 2), (&late.name, 2), (&over.name, 1)] {
            let events = suite.events::<AppointmentChanged>(name).await;
            assert_eq!(events.len(), told, "{name}");
            let last = events.last().map(|event| event.access_role.as_str());
            assert_eq!(last, Some(if told == 2 { "worker" } else { "viewer" }));
        }
        let people = suite.of_replica(0, &who).list_people(read()).await.expect("a worker's").into_inner().people;
        assert_eq!(people.len(), 2, "at once, where it was changed");
    }
}
