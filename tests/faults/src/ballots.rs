//! The process is killed while votes come in: no vote that was acknowledged is lost, none counts twice.

use std::collections::BTreeSet;
use std::sync::Arc;

use linli_harness::seed::{self, request_id, text};
use linli_harness::{Actor, Engine, Processes, START, Spread, engines, until};
use linli_proto::common::VerifyInvariantsRequest;
use linli_proto::deliberation as pb;
use linli_proto::deliberation::condition::Condition as Kind;
use tokio::sync::mpsc;

const PARENT: &str = "areas/xinhua";
/// Electors: the adults and elders of the first micro-grid.
const VOTERS: usize = 12;

/// Opens a ballot by person at the first micro-grid; its name.
async fn ballot(operator: &Actor) -> String {
    let rule = pb::BallotRule { basis: pb::ElectorateBasis::Person.into(), ..Default::default() };
    let stage = pb::Stage {
        id: "vote".into(),
        display_name: text("表决", "Vote"),
        conditions: vec![pb::Condition { condition: Some(Kind::BallotPassed(rule)) }],
        ..Default::default()
    };
    let template = pb::ProcessTemplate {
        name: format!("{PARENT}/processTemplates/poll"),
        display_name: text("表决", "Poll"),
        stages: vec![stage],
        ..Default::default()
    };
    let request = pb::UpdateProcessTemplateRequest {
        process_template: Some(template),
        allow_missing: true,
        ..Default::default()
    };
    let template = until("the template is applied", || async {
        operator.deliberation().update_process_template(request.clone()).await.ok()
    });
    let topic = pb::Topic {
        process_template: template.await.into_inner().name,
        unit: format!("{PARENT}/units/micro-1"),
        kind: "roof".into(),
        title: "屋顶".into(),
        ..Default::default()
    };
    let request = pb::CreateTopicRequest { parent: PARENT.into(), topic: Some(topic), request_id: request_id() };
    let topic = operator.deliberation().create_topic(request).await.expect("a topic").into_inner();
    let ballot = pb::Ballot {
        topic: topic.name,
        question: text("修吗？", "Mend it?"),
        close_time: Some(prost_types::Timestamp { seconds: START.secs() + 86_400, nanos: 0 }),
        ..Default::default()
    };
    let request = pb::CreateBallotRequest { parent: PARENT.into(), ballot: Some(ballot), request_id: request_id() };
    let ballot = operator.deliberation().create_ballot(request).await.expect("a ballot").into_inner();
    assert_eq!(usize::try_from(ballot.electors), Ok(VOTERS));
    ballot.name
}

fn cast(ballot: &str, id: &str) -> pb::CastVoteRequest {
    pb::CastVoteRequest { name: ballot.to_owned(), choice: pb::Choice::Yes.into(), request_id: id.to_owned() }
}

async fn verify(operator: &Actor) {
    let request = VerifyInvariantsRequest { parent: PARENT.into() };
    let answer = operator.deliberation().verify_invariants(request).await.expect("verifies").into_inner();
    for check in answer.checks {
        assert!(check.violations.is_empty(), "{}: {:?}", check.invariant, check.violations);
    }
}

/// Casts every vote at once and kills the process when `acks` are acknowledged; what was acknowledged, by voter.
async fn killed_among_votes(
    suite: Processes,
    ballot: &str,
    voters: &[(String, String)],
    acks: usize,
) -> (Processes, Vec<(usize, String)>) {
    let (told, mut heard) = mpsc::unbounded_channel();
    let ballot: Arc<str> = ballot.into();
    for (i, (voter, id)) in voters.iter().enumerate() {
        let (actor, ballot, id, told) = (suite.actor(voter), ballot.clone(), id.clone(), told.clone());
        tokio::spawn(async move {
            if let Ok(done) = actor.deliberation().cast_vote(cast(&ballot, &id)).await {
                let _ = told.send((i, done.into_inner().receipt_code));
            }
        });
    }
    drop(told);
    let mut acknowledged = Vec::new();
    while acknowledged.len() < acks {
        acknowledged.push(heard.recv().await.expect("votes are acknowledged until the process is killed"));
    }
    let suite = suite.kill_and_restart("", START.secs()).await.expect("the suite starts again");
    // What was on its way to the voters when the process died counts as well.
    while let Some(late) = heard.recv().await {
        acknowledged.push(late);
    }
    (suite, acknowledged)
}

async fn story(engine: Engine, acks: usize) {
    let suite = Processes::start(engine, Spread::One, "").await.expect("the suite starts");
    let community = seed::community(&suite.operator(), "xinhua").await;
    let ballot = ballot(&suite.operator()).await;
    let people = community.people[..VOTERS / 2].iter().flatten();
    let voters: Vec<(String, String)> = people.map(|person| (person.clone(), request_id())).collect();
    let (suite, acknowledged) = killed_among_votes(suite, &ballot, &voters, acks).await;
    let mut receipts = BTreeSet::new();
    for (i, (voter, id)) in voters.iter().enumerate() {
        // A process that has just begun refuses changes until it has heard of the roles.
        let again = until("a retry is answered", || async {
            suite.actor(voter).deliberation().cast_vote(cast(&ballot, id)).await.ok()
        });
        let again = again.await.into_inner();
        assert!(!again.already_cast, "{engine:?}: only this call votes for {voter}: {again:?}");
        if let Some((_, receipt)) = acknowledged.iter().find(|(acknowledged, _)| *acknowledged == i) {
            assert!(again.repeated, "{engine:?}: the vote of {voter} was acknowledged before the kill and is lost");
            assert_eq!(&again.receipt_code, receipt, "{engine:?}");
        }
        receipts.insert(again.receipt_code);
    }
    let operator = suite.operator();
    verify(&operator).await;
    let close = pb::CloseBallotRequest { name: ballot.clone(), request_id: request_id() };
    let closed = operator.deliberation().close_ballot(close).await.expect("all have voted").into_inner();
    let counted = closed.result.expect("a result");
    assert_eq!((usize::try_from(counted.yes), receipts.len()), (Ok(VOTERS), VOTERS), "{engine:?}");
    let list = pb::ListVotesRequest { name: ballot, page_size: 100, page_token: String::new() };
    let votes = operator.deliberation().list_votes(list).await.expect("votes").into_inner().votes;
    assert_eq!(votes.into_iter().map(|vote| vote.receipt_code).collect::<BTreeSet<_>>(), receipts, "{engine:?}");
    verify(&operator).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_while_votes_come_in_no_acknowledged_vote_is_lost() {
    for engine in engines() {
        for acks in [1, 5] {
            story(engine, acks).await;
        }
    }
}
