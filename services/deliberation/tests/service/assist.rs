//! Acting for somebody who asks for help: who may, and what is kept about it.

use linli_proto::deliberation as pb;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use crate::world::{BRANCH, COUNCIL, MANAGER, OPERATOR, WORKER, World, reason, resident};

fn field(status: &Status) -> (String, String) {
    let named = status.get_details_bad_request().expect("fields").field_violations;
    (named[0].field.clone(), named[0].description.clone())
}

async fn support(world: &World, subject: &str, topic: &str, supporter: &str) -> Result<pb::Topic, Status> {
    let request =
        pb::AssistSupportRequest { name: topic.to_owned(), supporter: supporter.to_owned(), ..Default::default() };
    world.client(subject).assist_support(request).await.map(tonic::Response::into_inner)
}

#[tokio::test(flavor = "multi_thread")]
async fn who_helped_stands_on_the_roll_for_good() {
    for world in World::all().await {
        world.six_steps().await;
        let topic = world.deliberated().await;
        let ballot = world.ballot(&topic).await.name;
        let own = world.assist(WORKER, &ballot, &resident(2, 0)).await.expect("lives in the worker's grid");
        assert!(!own.already_cast && !own.receipt_code.is_empty());
        for home in [1, 3, 4] {
            world.cast(&resident(home, 0), &ballot, pb::Choice::No).await.expect("a vote");
        }
        let again = world.assist(WORKER, &ballot, &resident(3, 1)).await.expect("an answer");
        assert!(again.already_cast, "the household has voted itself");
        let helped = |roll: Vec<pb::RollEntry>| -> Vec<(String, String)> {
            let voted = roll.into_iter().filter(|entry| entry.voted);
            voted.map(|entry| (entry.elector[entry.elector.len() - 2..].to_owned(), entry.assisted_by)).collect()
        };
        let wanted = ["01", "02", "03", "04"]
            .map(|home| (home.to_owned(), if home == "02" { WORKER.to_owned() } else { String::new() }));
        assert_eq!(helped(world.roll(&ballot).await), wanted);
        world.pass_hours(24);
        world.close(&ballot).await.expect("closes");
        assert_eq!(helped(world.roll(&ballot).await), wanted, "after the closing too");
        world.sound().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retry_of_help_is_one_vote() {
    for world in World::all().await {
        world.six_steps().await;
        let topic = world.deliberated().await;
        let ballot = world.ballot(&topic).await.name;
        let request = pb::AssistVoteRequest {
            name: ballot.clone(),
            choice: pb::Choice::Yes.into(),
            voter: resident(2, 0),
            request_id: "6f2c1f5e-6c62-4d0e-9a43-3c9f0f3a4c11".into(),
        };
        let first = world.client(WORKER).assist_vote(request.clone()).await.expect("a vote").into_inner();
        let again = world.client(WORKER).assist_vote(request).await.expect("a repeat").into_inner();
        assert_eq!(again, pb::CastVoteResponse { repeated: true, ..first });
        world.sound().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_votes_for_another_without_a_post_among_the_people_there() {
    for world in World::all().await {
        world.six_steps().await;
        let topic = world.deliberated().await;
        let ballot = world.ballot(&topic).await.name;
        let neighbour = resident(1, 0);
        for subject in [MANAGER, COUNCIL, BRANCH, &neighbour] {
            let refused = world.assist(subject, &ballot, &resident(2, 0)).await.expect_err("may not assist");
            assert_eq!(reason(&refused), "PERMISSION_DENIED", "{subject}");
        }
        let refused = world.assist(OPERATOR, &ballot, &resident(2, 0)).await.expect_err("runs the installation");
        assert_eq!((refused.code(), reason(&refused).as_str()), (Code::PermissionDenied, "ON_BEHALF_NEEDS_POST"));
        let other = world.assist(WORKER, &ballot, &resident(8, 0)).await.expect_err("another grid");
        assert_eq!(reason(&other), "PERMISSION_DENIED");
        // A manager votes as anybody does: for the household in which the manager lives, here for none.
        let manager = world.cast(MANAGER, &ballot, pb::Choice::Yes).await.expect_err("no elector");
        assert_eq!(reason(&manager), "NOT_AN_ELECTOR");
        assert!(world.roll(&ballot).await.iter().all(|entry| !entry.voted), "nobody has voted");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn help_names_somebody_else() {
    for world in World::all().await {
        world.six_steps().await;
        let topic = world.deliberated().await;
        let ballot = world.ballot(&topic).await.name;
        let grid = world.raise_in_grid(&resident(1, 0)).await;
        world.arrives("per-worker", 1980, 1);
        let oneself = world.assist(WORKER, &ballot, WORKER).await.expect_err("no help");
        assert_eq!(field(&oneself).0, "voter");
        assert!(field(&oneself).1.ends_with("[ASSISTS_ONESELF]"), "{:?}", field(&oneself));
        for (supporter, told) in [
            ("", "[FIELD_REQUIRED]"),
            ("areas/xinhua/people/per-none", "[PERSON_OF_AREA]"),
            ("areas/guanba/people/per-1", "[PERSON_OF_AREA]"),
            ("somebody", "[PERSON_OF_AREA]"),
        ] {
            let refused = support(&world, WORKER, &grid, supporter).await.expect_err("nobody to help");
            assert_eq!(field(&refused).0, "supporter");
            assert!(field(&refused).1.ends_with(told), "{supporter}: {:?}", field(&refused));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn supports_with_help_are_counted_apart_and_keep_who_helped() {
    for world in World::all().await {
        world.six_steps().await;
        let topic = world.raise(&resident(0, 0)).await.name;
        let done = support(&world, WORKER, &topic, &resident(2, 0)).await.expect("lives in the grid");
        assert_eq!((done.supports, done.assisted_supports), (1, 1));
        world.support(&topic, 3).await;
        let done = support(&world, WORKER, &topic, &resident(1, 0)).await.expect("supports already");
        assert_eq!((done.supports, done.assisted_supports), (3, 1), "one support each, by whoever was first");
        let helpers = world.texts("SELECT assisted_by FROM support ORDER BY assisted_by").await;
        assert_eq!(helpers, ["", "", WORKER]);
        let other = support(&world, WORKER, &topic, &resident(9, 0)).await.expect_err("another grid");
        assert_eq!(other.code(), Code::PermissionDenied);
        for subject in [MANAGER, COUNCIL, resident(1, 0).as_str()] {
            let refused = support(&world, subject, &topic, &resident(4, 1)).await.expect_err("may not assist");
            assert_eq!(reason(&refused), "PERMISSION_DENIED", "{subject}");
        }
        let refused = support(&world, OPERATOR, &topic, &resident(4, 1)).await.expect_err("runs the installation");
        assert_eq!(reason(&refused), "ON_BEHALF_NEEDS_POST");
        let request = pb::SupportTopicRequest { name: topic.clone(), ..Default::default() };
        let unknown = world.client("areas/xinhua/people/per-none").support_topic(request.clone()).await;
        assert_eq!(reason(&unknown.expect_err("org does not know them")), "NOT_A_RESIDENT");
        let system = world.client(OPERATOR).support_topic(request).await.expect_err("no resident");
        assert_eq!(reason(&system), "NOT_A_RESIDENT");
    }
}
