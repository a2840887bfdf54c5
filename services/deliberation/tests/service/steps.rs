//! Topics on their way: six steps, none skipped, one file at the end.

use linli_proto::deliberation as pb;
use tonic::Code;
use tonic_types::StatusExt as _;

use crate::world::{AREA, BRANCH, COUNCIL, MANAGER, OPERATOR, WORKER, World, reason, resident};

/// Votes yes for so many households and closes the ballot after its time.
async fn decide(world: &World, topic: &str) {
    let ballot = world.ballot(topic).await;
    for home in 0..8 {
        let choice = if home < 6 { pb::Choice::Yes } else { pb::Choice::No };
        world.cast(&resident(home, 1), &ballot.name, choice).await.expect("a vote");
    }
    world.pass_hours(24);
    let closed = world.close(&ballot.name).await.expect("closes");
    assert!(closed.result.expect("a result").passed);
}

#[tokio::test(flavor = "multi_thread")]
async fn six_steps_lead_from_a_wish_to_an_archive() {
    for world in World::all().await {
        world.six_steps().await;
        let topic = world.deliberated().await;
        decide(&world, &topic).await;
        world.record(COUNCIL, &topic, "minutes").await;
        assert_eq!(world.advance(COUNCIL, &topic).await.expect("published").stage, "publish");
        world.record(COUNCIL, &topic, "publication").await;
        world.record(COUNCIL, &topic, "work").await;
        let early = world.advance(COUNCIL, &topic).await.expect_err("48 hours have not passed");
        assert_eq!(reason(&early), "CONDITIONS_NOT_MET");
        world.pass_hours(48);
        assert_eq!(world.advance(COUNCIL, &topic).await.expect("filed").stage, "file");
        world.record(COUNCIL, &topic, "answer").await;
        let done = world.advance(COUNCIL, &topic).await.expect("archived");
        assert_eq!(done.state(), pb::TopicState::Archived);
        assert_archive(&world, &topic).await;
        world.sound().await;
        let late = world.advance(COUNCIL, &topic).await.expect_err("it is at its end");
        assert_eq!((late.code(), reason(&late).as_str()), (Code::FailedPrecondition, "TOPIC_CLOSED"));
    }
}

async fn assert_archive(world: &World, topic: &str) {
    let request =
        pb::ListArchivesRequest { parent: AREA.into(), filter: format!("topic = \"{topic}\""), ..Default::default() };
    let listed = world.client(&resident(3, 0)).list_archives(request).await.expect("archives").into_inner();
    let [archive] = listed.archives.as_slice() else { panic!("one archive is wanted: {listed:?}") };
    let got = world.client(&resident(3, 0)).get_archive(pb::GetArchiveRequest { name: archive.name.clone() }).await;
    let got = got.expect("the archive").into_inner();
    assert_eq!(&pb::Archive { document_json: String::new(), ..got.clone() }, archive);
    let archive = got;
    let document: serde_json::Value = serde_json::from_str(&archive.document_json).expect("JSON");
    let stages: Vec<&str> =
        document["stages"].as_array().expect("stages").iter().filter_map(|s| s["stage"].as_str()).collect();
    assert_eq!(stages, ["collect", "screen", "draft", "deliberate", "publish", "file"]);
    assert_eq!(document["topic"]["title"], "The roof leaks");
    assert_eq!(document["stageRecords"].as_array().map(Vec::len), Some(7));
    assert_eq!(document["ballots"][0]["result"]["yes"], 6);
    assert_eq!(document["processTemplate"]["name"], "areas/litong/processTemplates/six-steps");
    assert!(!archive.document_json.contains(&resident(0, 0)), "who raised it is left out");
    use sha2::Digest as _;
    assert_eq!(archive.digest, hex::encode(sha2::Sha256::digest(archive.document_json.as_bytes())));
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_skips_a_stage_and_every_missing_condition_is_named() {
    for world in World::all().await {
        world.six_steps().await;
        let topic = world.raise(&resident(0, 0)).await;
        let refused = world.advance(COUNCIL, &topic.name).await.expect_err("nobody supports it yet");
        assert_eq!((refused.code(), reason(&refused).as_str()), (Code::FailedPrecondition, "CONDITIONS_NOT_MET"));
        let named = refused.get_details_bad_request().expect("the conditions").field_violations;
        assert_eq!(named.len(), 1);
        assert_eq!(named[0].description, "At least 3 supports. [CONDITION_MIN_SUPPORTS]");
        for subject in [COUNCIL, OPERATOR] {
            assert!(world.advance(subject, &topic.name).await.is_err(), "{subject} skips nothing");
        }
        world.support(&topic.name, 3).await;
        world.advance(COUNCIL, &topic.name).await.expect("screened");
        let refused = world.advance(COUNCIL, &topic.name).await.expect_err("the branch has not approved");
        assert_eq!(reason(&refused), "CONDITIONS_NOT_MET");
        world.record(BRANCH, &topic.name, "decision").await;
        world.advance(COUNCIL, &topic.name).await.expect("drafted");
        let request = pb::AdvanceTopicRequest { name: topic.name.clone(), ..Default::default() };
        let chinese = world.client_in(COUNCIL, "zh-CN").advance_topic(request).await.expect_err("two records lack");
        let named = chinese.get_details_bad_request().expect("the conditions").field_violations;
        let texts: Vec<&str> = named.iter().map(|v| v.description.as_str()).collect();
        assert_eq!(
            texts,
            ["本环节须有“survey”类记录。 [CONDITION_RECORD_KIND]", "本环节须有“draft”类记录。 [CONDITION_RECORD_KIND]"]
        );
        world.sound().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_a_holder_of_a_stages_role_moves_a_topic_on() {
    for world in World::all().await {
        world.six_steps().await;
        let topic = world.raise(&resident(0, 0)).await.name;
        world.support(&topic, 3).await;
        // The operator may advance everything, but holds none of the posts that the stage asks for.
        let refused = world.advance(OPERATOR, &topic).await.expect_err("no post");
        assert_eq!((refused.code(), reason(&refused).as_str()), (Code::PermissionDenied, "STAGE_ROLE_REQUIRED"));
        for subject in [resident(0, 0).as_str(), "systems/elsewhere", "areas/guanba/people/per-1"] {
            let refused = world.advance(subject, &topic).await.expect_err("no permission");
            assert_eq!(reason(&refused), "PERMISSION_DENIED", "{subject}");
        }
        world.advance(MANAGER, &topic).await.expect("the manager's role is listed");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stale_etag_moves_nothing() {
    for world in World::all().await {
        world.six_steps().await;
        let topic = world.raise(&resident(0, 0)).await;
        world.support(&topic.name, 3).await;
        let advance = |etag: String| pb::AdvanceTopicRequest { name: topic.name.clone(), etag, ..Default::default() };
        let stale = world.client(COUNCIL).advance_topic(advance(topic.etag.clone())).await.expect_err("supports came");
        assert_eq!((stale.code(), reason(&stale).as_str()), (Code::Aborted, "STALE_ETAG"));
        let now = world.client(COUNCIL).get_topic(pb::GetTopicRequest { name: topic.name.clone() }).await;
        let etag = now.expect("the topic").into_inner().etag;
        world.client(COUNCIL).advance_topic(advance(etag)).await.expect("the present etag");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closed_topic_carries_its_answer_and_takes_no_more_changes() {
    for world in World::all().await {
        world.six_steps().await;
        let topic = world.raise(&resident(0, 0)).await.name;
        let request = pb::CloseTopicRequest {
            name: topic.clone(),
            answer: "It is the street's roof".into(),
            ..Default::default()
        };
        let closed = world.client(COUNCIL).close_topic(request.clone()).await.expect("closes").into_inner();
        assert_eq!(closed.state(), pb::TopicState::Closed);
        assert!(closed.conditions.is_empty());
        let again = world.client(COUNCIL).close_topic(request).await.expect_err("closed already");
        assert_eq!(reason(&again), "TOPIC_CLOSED");
        let support = pb::SupportTopicRequest { name: topic.clone(), ..Default::default() };
        let support = world.client(&resident(5, 0)).support_topic(support).await.expect_err("closed");
        assert_eq!(reason(&support), "TOPIC_CLOSED");
        let request = pb::ListStageRecordsRequest {
            parent: AREA.into(),
            filter: format!("topic = \"{topic}\" AND kind = \"answer\""),
            ..Default::default()
        };
        let records = world.client(&resident(0, 0)).list_stage_records(request).await.expect("records").into_inner();
        assert_eq!(records.stage_records.first().map(|r| r.text.as_str()), Some("It is the street's roof"));
        world.sound().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_is_made_in_a_role_that_the_recorder_holds() {
    for world in World::all().await {
        world.six_steps().await;
        let topic = world.raise(&resident(0, 0)).await.name;
        let record = |role: &str| pb::RecordStageRequest {
            name: topic.clone(),
            record: Some(pb::StageRecord {
                kind: "decision".into(),
                text: "x".into(),
                role: role.into(),
                ..Default::default()
            }),
            ..Default::default()
        };
        let refused = world.client(COUNCIL).record_stage(record("branch-secretary")).await.expect_err("not held");
        let named = refused.get_details_bad_request().expect("fields").field_violations;
        assert_eq!(named[0].field, "record.role");
        let made = world.client(BRANCH).record_stage(record("branch-secretary")).await.expect("held").into_inner();
        assert_eq!((made.role.as_str(), made.recorded_by.as_str()), ("branch-secretary", BRANCH));
        let made = world.record(BRANCH, &topic, "minutes").await;
        assert_eq!(made.role, "branch-secretary", "the only post is taken when none is named");
        let worker = world.client(WORKER).record_stage(record("")).await.expect_err("the topic is above the grid");
        assert_eq!(reason(&worker), "PERMISSION_DENIED");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn parallel_advances_take_one_step_each_at_most() {
    for world in World::all().await {
        let free = |id: &str| crate::world::stage(id, vec![], &[]);
        let template =
            world.template("areas/xinhua/processTemplates/free", vec![free("a"), free("b"), free("c")]).await;
        let topic =
            pb::Topic { process_template: template.name, kind: "x".into(), title: "t".into(), ..Default::default() };
        let request = pb::CreateTopicRequest { parent: AREA.into(), topic: Some(topic), ..Default::default() };
        let topic = world.client(MANAGER).create_topic(request).await.expect("a topic").into_inner().name;
        let calls = (0..8).map(|_| world.advance(MANAGER, &topic));
        let done = futures::future::join_all(calls).await.into_iter().filter(Result::is_ok).count();
        assert_eq!(done, 3, "a to b, b to c, c to the archive");
        world.sound().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_decision_meant_for_one_stage_never_lands_at_the_next() {
    for world in World::all().await {
        world.six_steps().await;
        let topic = world.raise(&resident(0, 0)).await;
        world.support(&topic.name, 3).await;
        let seen = world.client(BRANCH).get_topic(pb::GetTopicRequest { name: topic.name.clone() }).await;
        let etag = seen.expect("the topic").into_inner().etag;
        let decision = |etag: String| pb::RecordStageRequest {
            name: topic.name.clone(),
            record: Some(pb::StageRecord {
                kind: "decision".into(),
                text: "Taken up".into(),
                outcome: pb::Outcome::Approved.into(),
                ..Default::default()
            }),
            etag,
            ..Default::default()
        };
        // One of the two comes first; either way no decision about collecting stands at the screening.
        let mut branch = world.client(BRANCH);
        let (moved, recorded) =
            futures::join!(world.advance(COUNCIL, &topic.name), branch.record_stage(decision(etag.clone())),);
        moved.expect("the conditions of the first stage are met");
        match recorded {
            Ok(made) => assert_eq!(made.into_inner().stage, "collect"),
            Err(stale) => assert_eq!((stale.code(), reason(&stale).as_str()), (Code::Aborted, "STALE_ETAG")),
        }
        let stale = branch.record_stage(decision(etag)).await.expect_err("the topic has moved on");
        assert_eq!((stale.code(), reason(&stale).as_str()), (Code::Aborted, "STALE_ETAG"));
        let seen = branch.get_topic(pb::GetTopicRequest { name: topic.name.clone() }).await;
        let made = branch.record_stage(decision(seen.expect("the topic").into_inner().etag)).await;
        assert_eq!(made.expect("the present etag").into_inner().stage, "screen");
    }
}
