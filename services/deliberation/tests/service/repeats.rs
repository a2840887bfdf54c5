//! Request ids: one effect each, and the same answer for a repeat even when the world has moved on.

use linli_proto::deliberation as pb;
use tonic::Code;

use crate::world::{AREA, COUNCIL, MANAGER, World, reason, resident};

const ID: &str = "6f2c1f5e-6c62-4d0e-9a43-3c9f0f3a4c11";

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_topic_is_the_same_topic() {
    for world in World::all().await {
        world.six_steps().await;
        let topic = |title: &str| pb::Topic {
            process_template: format!("{AREA}/processTemplates/six-steps"),
            unit: crate::world::UNIT.into(),
            kind: "x".into(),
            title: title.into(),
            ..Default::default()
        };
        let request = |title: &str| pb::CreateTopicRequest {
            parent: AREA.into(),
            topic: Some(topic(title)),
            request_id: ID.into(),
        };
        let raiser = resident(0, 0);
        let calls = (0..6).map(|_| async {
            world.client(&raiser).create_topic(request("same")).await.expect("a topic").into_inner().name
        });
        let mut names = futures::future::join_all(calls).await;
        names.dedup();
        assert_eq!(names.len(), 1, "six parallel calls raise one topic");
        let other = world.client(&raiser).create_topic(request("other")).await.expect_err("another request");
        assert_eq!((other.code(), reason(&other).as_str()), (Code::InvalidArgument, "REQUEST_ID_REUSED"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_advance_takes_no_second_step() {
    for world in World::all().await {
        world.six_steps().await;
        let topic = world.raise(&resident(0, 0)).await.name;
        world.support(&topic, 3).await;
        let request = pb::AdvanceTopicRequest { name: topic.clone(), request_id: ID.into(), ..Default::default() };
        for _ in 0..3 {
            let moved = world.client(COUNCIL).advance_topic(request.clone()).await.expect("advanced").into_inner();
            assert_eq!(moved.stage, "screen");
        }
        let close = pb::CloseTopicRequest { name: topic.clone(), answer: "a".into(), request_id: ID.into() };
        for _ in 0..2 {
            world.client(COUNCIL).close_topic(close.clone()).await.expect("closed, and closed");
        }
        let moved = world.client(COUNCIL).advance_topic(request).await.expect("a repeat").into_inner();
        assert_eq!(moved.state(), pb::TopicState::Closed, "as it is now");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_ballot_answers_long_after_its_time() {
    for world in World::all().await {
        world.six_steps().await;
        let topic = world.deliberated().await;
        let create = pb::CreateBallotRequest {
            parent: AREA.into(),
            ballot: Some(world.asked(&topic, 24)),
            request_id: ID.into(),
        };
        let ballot = world.client(COUNCIL).create_ballot(create.clone()).await.expect("a ballot").into_inner();
        let cast =
            pb::CastVoteRequest { name: ballot.name.clone(), choice: pb::Choice::Yes.into(), request_id: ID.into() };
        let voter = resident(0, 0);
        let first = world.client(&voter).cast_vote(cast.clone()).await.expect("a vote").into_inner();
        world.pass_hours(30);
        let again = world.client(&voter).cast_vote(cast.clone()).await.expect("a repeat after the time").into_inner();
        assert_eq!(again, pb::CastVoteResponse { repeated: true, ..first.clone() });
        let close = pb::CloseBallotRequest { name: ballot.name.clone(), request_id: ID.into() };
        let closed = world.client(COUNCIL).close_ballot(close.clone()).await.expect("closes").into_inner();
        let second = world.client(COUNCIL).close_ballot(close).await.expect("a repeat").into_inner();
        assert_eq!(closed, second);
        let again = world.client(&voter).cast_vote(cast).await.expect("a repeat after the closing").into_inner();
        assert_eq!(again, pb::CastVoteResponse { repeated: true, ..first });
        let same = world.client(COUNCIL).create_ballot(create).await.expect("a repeat").into_inner();
        assert_eq!(same.name, ballot.name);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_supports_a_topic_once_with_or_without_a_request_id() {
    for world in World::all().await {
        world.six_steps().await;
        let topic = world.raise(&resident(0, 0)).await;
        let support = pb::SupportTopicRequest { name: topic.name.clone(), ..Default::default() };
        let supporter = resident(1, 0);
        let calls = (0..8).map(|_| async { world.client(&supporter).support_topic(support.clone()).await.map(|_| ()) });
        assert!(futures::future::join_all(calls).await.into_iter().all(|answer| answer.is_ok()));
        let got = world.client(MANAGER).get_topic(pb::GetTopicRequest { name: topic.name }).await.expect("the topic");
        assert_eq!(got.into_inner().supports, 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_vote_is_told_from_that_of_another_member_of_the_household() {
    for world in World::all().await {
        world.six_steps().await;
        let topic = world.deliberated().await;
        let ballot = world.ballot(&topic).await.name;
        let cast = |choice: pb::Choice| pb::CastVoteRequest {
            name: ballot.clone(),
            choice: choice.into(),
            request_id: ID.into(),
        };
        let (voter, spouse) = (resident(0, 0), resident(0, 1));
        // Eight at once are one vote, and all of them learn its receipt.
        let calls = (0..8).map(|_| async {
            world.client(&voter).cast_vote(cast(pb::Choice::Yes)).await.expect("a vote").into_inner()
        });
        let answers = futures::future::join_all(calls).await;
        assert_eq!(answers.iter().filter(|answer| !answer.repeated).count(), 1, "{answers:?}");
        let receipt = answers[0].receipt_code.clone();
        assert!(!receipt.is_empty());
        assert!(answers.iter().all(|answer| answer.receipt_code == receipt && !answer.already_cast), "{answers:?}");
        let other = world.client(&voter).cast_vote(cast(pb::Choice::No)).await.expect("an answer").into_inner();
        let wanted = pb::CastVoteResponse { receipt_code: receipt.clone(), already_cast: false, repeated: true };
        assert_eq!(other, wanted, "the first vote stands");
        let late = world.client(&spouse).cast_vote(cast(pb::Choice::No)).await.expect("an answer").into_inner();
        let wanted = pb::CastVoteResponse { receipt_code: String::new(), already_cast: true, repeated: false };
        assert_eq!(late, wanted, "the same id of somebody else is another call");
        let without = world.cast(&voter, &ballot, pb::Choice::Yes).await.expect("an answer");
        assert_eq!(without, wanted, "without the id nobody can tell");
        let bad = pb::CastVoteRequest { request_id: "7".into(), ..cast(pb::Choice::Yes) };
        let bad = world.client(&voter).cast_vote(bad).await.expect_err("no UUID");
        assert_eq!(bad.code(), Code::InvalidArgument);
        world.pass_hours(24);
        assert_eq!(world.close(&ballot).await.expect("closes").result.expect("a result").yes, 1);
    }
}
