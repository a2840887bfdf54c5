//! Many at once: no write undoes another, and what one has checked still holds when it writes.

use futures::FutureExt as _;
use linli_proto::org::*;
use tonic::Status;

use crate::suite::*;

/// Whether it was done, or why not.
type Done = Result<(), String>;

fn done<T>(answer: Result<T, Status>) -> Done {
    answer.map(drop).map_err(|status| {
        let (reason, fields) = refusal(&status);
        std::iter::once(reason).chain(fields).collect::<Vec<_>>().join(" ")
    })
}

const ROLES: &str = "SELECT 1 FROM roles_version";
const AREA: &str = "SELECT 1 FROM area WHERE area = 'xinhua'";

fn row_of(id: &str) -> String {
    format!("SELECT 1 FROM unit WHERE id = '{id}'")
}

/// The only refusal of two calls.
fn loser(outcomes: Vec<Done>) -> String {
    let lost: Vec<String> = outcomes.iter().filter_map(|done| done.clone().err()).collect();
    assert_eq!(lost.len(), 1, "one of two: {outcomes:?}");
    lost[0].clone()
}

fn stale(lost: &str) {
    assert!(lost.starts_with("STALE_ETAG"), "{lost}");
}

fn relabel(suite: &Suite, id: &str, label: &str, etag: &str) -> Call<Done> {
    let unit = Unit {
        name: unit_name(id),
        labels: [("circle".to_owned(), label.to_owned())].into(),
        etag: etag.into(),
        ..Unit::default()
    };
    let mut client = suite.op();
    async move { done(client.update_unit(UpdateUnitRequest { unit: Some(unit), ..Default::default() }).await) }.boxed()
}

fn delete(suite: &Suite, id: &str) -> Call<Done> {
    let (mut client, name) = (suite.op(), unit_name(id));
    async move { done(client.delete_unit(DeleteUnitRequest { name, ..Default::default() }).await) }.boxed()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_claims_run_on_postgres_when_a_server_is_given() {
    let engines: Vec<bool> = suites().await.iter().map(Suite::is_postgres).collect();
    let wanted: &[bool] = if linli_kit::testing::postgres_url().is_some() { &[false, true] } else { &[false] };
    assert_eq!(engines, wanted);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_and_a_move_of_one_unit_both_last() {
    for suite in suites().await {
        let (mut client, name) = (suite.op(), unit_name("micro-1"));
        let to = MoveUnitRequest { name, new_parent: unit_name("grid-2"), ..Default::default() };
        let moved = async move { done(client.move_unit(to).await) }.boxed();
        let outcomes = suite.race(&row_of("micro-1"), vec![relabel(&suite, "micro-1", "活力", ""), moved]).await;
        assert_eq!(outcomes, [Ok(()), Ok(())]);
        let unit = suite.unit("micro-1").await;
        assert_eq!((unit.parent, unit.labels["circle"].as_str()), (unit_name("grid-2"), "活力"));
        assert_eq!(unit.etag, "r3");
        assert_eq!(suite.violations().await, []);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn households_recorded_while_their_unit_changes_are_counted() {
    for suite in suites().await {
        let home = |key: &str| -> Call<Done> {
            let household = draft("micro-1", key, Vec::new()).household;
            let request = CreateHouseholdRequest { parent: PARENT.into(), household, ..Default::default() };
            let mut client = suite.op();
            async move { done(client.create_household(request).await) }.boxed()
        };
        let calls =
            vec![home("a"), relabel(&suite, "micro-1", "x", ""), home("b"), relabel(&suite, "micro-1", "y", "")];
        let outcomes = suite.race(&row_of("micro-1"), calls).await;
        assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
        assert_eq!(suite.violations().await, []);
        let summary = SummarizeUnitRequest { name: unit_name("micro-1") };
        assert_eq!(suite.op().summarize_unit(summary).await.expect("counts").into_inner().households, 2);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_writes_with_one_etag_one_is_stale() {
    for suite in suites().await {
        let etag = suite.unit("micro-1").await.etag;
        let calls = vec![relabel(&suite, "micro-1", "x", &etag), relabel(&suite, "micro-1", "y", &etag)];
        stale(&loser(suite.race(&row_of("micro-1"), calls).await));

        let (_, people) = suite.home("micro-1", vec![person("甲", 1950)]).await;
        let rename = |to: &str| -> Call<Done> {
            let person = Person { full_name: to.into(), ..people[0].clone() };
            let (mut client, update_mask) =
                (suite.op(), Some(prost_types::FieldMask { paths: vec!["full_name".into()] }));
            let request = UpdatePersonRequest { person: Some(person), update_mask, ..Default::default() };
            async move { done(client.update_person(request).await) }.boxed()
        };
        let outcomes = suite.race("SELECT 1 FROM person", vec![rename("乙"), rename("丙")]).await;
        stale(&loser(outcomes));

        let read = suite.op().get_area(GetAreaRequest { name: PARENT.into() }).await.expect("an area").into_inner();
        let rename = |to: &str| -> Call<Done> {
            let area = Area { display_name: text(to), ..read.clone() };
            let mut client = suite.op();
            async move { done(client.update_area(UpdateAreaRequest { area: Some(area), ..Default::default() }).await) }
                .boxed()
        };
        stale(&loser(suite.race(AREA, vec![rename("x"), rename("y")]).await));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_areas_never_come_to_stand_below_each_other() {
    for suite in suites().await {
        let apply = |area: Area| -> Call<Done> {
            let request = UpdateAreaRequest { area: Some(area), allow_missing: true, ..Default::default() };
            let mut client = suite.op();
            async move { done(client.update_area(request).await) }.boxed()
        };
        for slug in ["left", "right"] {
            assert_eq!(apply(area(slug, "litong")).await, Ok(()));
        }
        let outcomes = suite.race(ROLES, vec![apply(area("left", "right")), apply(area("right", "left"))]).await;
        assert_eq!(loser(outcomes), "INVALID_FIELDS area.parent: TREE_CYCLE");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_post_that_was_ended_now_stays_ended() {
    for suite in suites().await {
        let (_, people) = suite.home("micro-1", vec![person("甲", 1950)]).await;
        let made = suite.appoint(&people[0].name, ("micro-1", "head"), (0, None)).await.expect("a post").into_inner();
        let end = |end_time: Option<prost_types::Timestamp>| -> Call<Done> {
            let request = EndAppointmentRequest { name: made.name.clone(), end_time, ..Default::default() };
            let mut client = suite.op();
            async move { done(client.end_appointment(request).await) }.boxed()
        };
        suite.race("SELECT 1 FROM appointment", vec![end(None), end(Some(suite.day(30)))]).await;
        let get = GetAppointmentRequest { name: made.name.clone() };
        let now = suite.op().get_appointment(get).await.expect("a post").into_inner();
        assert_eq!(now.state(), AppointmentState::Ended);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_unit_is_deleted_or_gets_something_never_both() {
    for suite in suites().await {
        let (_, people) = suite.home("micro-1", vec![person("甲", 1950)]).await;
        for (n, what) in ["unit", "household", "person", "appointment", "link"].into_iter().enumerate() {
            let id = format!("gone-{n}");
            suite.op().create_unit(create(&id, unit("micro", "grid-1"))).await.expect("a unit");
            let mut client = suite.op();
            let (parent, unit_of, who) = (PARENT.to_owned(), unit_name(&id), people[0].name.clone());
            let (child, household) =
                (create(&format!("child-{n}"), unit("micro", &id)), draft(&id, "", vec![]).household);
            let getting = async move {
                let rest = Default::default;
                match what {
                    "unit" => done(client.create_unit(child).await),
                    "household" => {
                        let request = CreateHouseholdRequest { parent, household, ..rest() };
                        done(client.create_household(request).await)
                    }
                    "person" => {
                        let person = Some(Person { unit: unit_of, ..person("乙", 1960) });
                        done(client.create_person(CreatePersonRequest { parent, person, ..Default::default() }).await)
                    }
                    "appointment" => {
                        let post =
                            Appointment { appointee: who, unit: unit_of, role: "head".into(), ..Default::default() };
                        let request =
                            CreateAppointmentRequest { parent, appointment: Some(post), ..Default::default() };
                        done(client.create_appointment(request).await)
                    }
                    _ => {
                        let (from_unit, to_unit) = (unit_of, unit_name("grid-2"));
                        let link = UnitLink { kind: "joint".into(), from_unit, to_unit, ..Default::default() };
                        let (unit_link, unit_link_id) = (Some(link), "tie".into());
                        let request = CreateUnitLinkRequest { parent, unit_link, unit_link_id, ..Default::default() };
                        done(client.create_unit_link(request).await)
                    }
                }
            };
            let lock = match what {
                "household" | "person" => row_of(&id),
                "link" => AREA.to_owned(),
                _ => ROLES.to_owned(),
            };
            let lost = loser(suite.race(&lock, vec![delete(&suite, &id), getting.boxed()]).await);
            let expected = lost.starts_with("STILL_REFERENCED name: STILL") || lost.contains("REFERENCE_NOT_FOUND");
            assert!(expected, "{what}: {lost}");
            assert_eq!(suite.violations().await, [], "{what}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_posts_in_conflict_asked_for_at_once_yield_one() {
    for suite in suites().await {
        let (_, people) = suite.home("micro-1", vec![person("甲", 1950)]).await;
        let take = |role: &str| -> Call<Done> {
            let (appointee, unit) = (people[0].name.clone(), unit_name("micro-1"));
            let appointment = Some(Appointment { appointee, unit, role: role.into(), ..Default::default() });
            let request = CreateAppointmentRequest { parent: PARENT.into(), appointment, ..Default::default() };
            let mut client = suite.op();
            async move { done(client.create_appointment(request).await) }.boxed()
        };
        let outcomes = suite.race(ROLES, vec![take("head"), take("housekeeper")]).await;
        assert_eq!(loser(outcomes), "INVALID_FIELDS appointment.role: POSTS_CONFLICT");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_import_key_sent_twice_at_once_is_recorded_once() {
    for suite in suites().await {
        let record = || -> Call<Done> {
            let requests = vec![draft("micro-1", "h-1", vec![])];
            let request = BatchCreateHouseholdsRequest { parent: PARENT.into(), requests };
            let mut client = suite.op();
            async move { done(client.batch_create_households(request).await) }.boxed()
        };
        let outcomes = suite.race(&row_of("micro-1"), vec![record(), record()]).await;
        assert_eq!(loser(outcomes), "INVALID_FIELDS requests[0].household.import_key: IMPORT_KEY_TAKEN");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kind_is_dropped_or_used_never_both() {
    for suite in suites().await {
        let mut without = template();
        without.unit_kinds.retain(|kind| kind.code != "branch");
        let request = UpdateStructureTemplateRequest { structure_template: Some(without), ..Default::default() };
        let (mut one, mut other) = (suite.op(), suite.op());
        let drops = async move { done(one.update_structure_template(request).await) }.boxed();
        let uses = async move { done(other.create_unit(create("branch-1", unit("branch", ""))).await) }.boxed();
        let lost = loser(suite.race(AREA, vec![drops, uses]).await);
        let expected = ["structure_template.unit_kinds: KIND_IN_USE", "unit.kind: KIND_UNKNOWN"];
        assert!(expected.iter().any(|field| lost.ends_with(field)), "{lost}");
    }
}
