//! Confidential topics: for whoever raised them and for the roles that the process names; for everybody else there are none.

use linli_proto::deliberation as pb;
use linli_proto::deliberation::condition::Condition as Kind;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use crate::world::{AREA, BRANCH, COUNCIL, MANAGER, OPERATOR, WORKER, World, majority, reason, resident, stage, text};

const TEMPLATE: &str = "areas/xinhua/processTemplates/letterbox";
const KEEPER: &str = BRANCH;

fn letterbox(stages: Vec<pb::Stage>) -> pb::ProcessTemplate {
    pb::ProcessTemplate {
        name: TEMPLATE.to_owned(),
        display_name: text("Letterbox"),
        stages,
        visibility: pb::Visibility::Confidential.into(),
        ..Default::default()
    }
}

/// A letter that the keeper has answered, with what was published about it.
struct Letter {
    topic: String,
    answer: String,
    publication: String,
}

async fn letter(world: &World) -> Letter {
    let stages = vec![
        stage("read", vec![Kind::RecordKind("answer".into())], &["branch-secretary"]),
        stage("publish", vec![Kind::RecordKind("publication".into())], &["branch-secretary"]),
    ];
    world.process(letterbox(stages)).await.expect("a template");
    let topic = world.raise_by(&resident(0, 0), TEMPLATE).await;
    let answer = world.record(KEEPER, &topic, "answer").await.name;
    world.advance(KEEPER, &topic).await.expect("read");
    let publication = world.record(KEEPER, &topic, "publication").await.name;
    Letter { topic, answer, publication }
}

/// What a subject finds in the three lists: topics, records, archives.
async fn listed(world: &World, subject: &str) -> (Vec<String>, Vec<String>, Vec<String>) {
    let mut client = world.client(subject);
    let parent = || AREA.to_owned();
    let topics = client.list_topics(pb::ListTopicsRequest { parent: parent(), ..Default::default() }).await;
    let records =
        client.list_stage_records(pb::ListStageRecordsRequest { parent: parent(), ..Default::default() }).await;
    let archives = client.list_archives(pb::ListArchivesRequest { parent: parent(), ..Default::default() }).await;
    (
        topics.expect("topics").into_inner().topics.into_iter().map(|topic| topic.name).collect(),
        records.expect("records").into_inner().stage_records.into_iter().map(|record| record.name).collect(),
        archives.expect("archives").into_inner().archives.into_iter().map(|archive| archive.name).collect(),
    )
}

async fn topic(world: &World, subject: &str, name: &str) -> Result<pb::Topic, Status> {
    let request = pb::GetTopicRequest { name: name.to_owned() };
    world.client(subject).get_topic(request).await.map(tonic::Response::into_inner)
}

async fn record(world: &World, subject: &str, name: &str) -> Result<pb::StageRecord, Status> {
    let request = pb::GetStageRecordRequest { name: name.to_owned() };
    world.client(subject).get_stage_record(request).await.map(tonic::Response::into_inner)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_letter_is_read_by_its_writer_and_its_keeper_and_by_nobody_else() {
    for world in World::all().await {
        let letter = letter(&world).await;
        world.advance(KEEPER, &letter.topic).await.expect("archived");
        let mine = listed(&world, &resident(0, 0)).await;
        assert_eq!(
            (&mine.0, &mine.1),
            (&vec![letter.topic.clone()], &vec![letter.answer.clone(), letter.publication.clone()])
        );
        assert_eq!(mine.2.len(), 1, "the archive");
        assert_eq!(listed(&world, KEEPER).await, mine);
        for reader in [&resident(0, 0), KEEPER] {
            topic(&world, reader, &letter.topic).await.expect("the topic");
            record(&world, reader, &letter.answer).await.expect("the answer");
            let get = pb::GetArchiveRequest { name: mine.2[0].clone() };
            world.client(reader).get_archive(get).await.expect("the archive");
        }
        for other in [&resident(0, 1), &resident(3, 0), COUNCIL, MANAGER, OPERATOR] {
            let (topics, records, archives) = listed(&world, other).await;
            assert_eq!((topics.len(), archives.len()), (0, 0), "{other}");
            assert_eq!(records, std::slice::from_ref(&letter.publication), "{other} reads what was published");
            record(&world, other, &letter.publication).await.expect("what was published");
            let get = pb::GetArchiveRequest { name: mine.2[0].clone() };
            for refused in [
                topic(&world, other, &letter.topic).await.expect_err("confidential"),
                record(&world, other, &letter.answer).await.expect_err("confidential"),
                world.client(other).get_archive(get).await.expect_err("confidential"),
            ] {
                assert_eq!(refused.code(), Code::NotFound, "{other}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_may_not_know_of_a_letter_cannot_change_it_or_learn_that_it_is_there() {
    for world in World::all().await {
        let letter = letter(&world).await;
        let absent = "areas/xinhua/topics/top-00000000000000000000000001".to_owned();
        for other in [COUNCIL, MANAGER, OPERATOR, WORKER] {
            let mut client = world.client(other);
            let mut answers = Vec::new();
            for name in [letter.topic.clone(), absent.clone()] {
                let minutes = pb::StageRecord { kind: "minutes".into(), text: "x".into(), ..Default::default() };
                let record = pb::RecordStageRequest { name: name.clone(), record: Some(minutes), ..Default::default() };
                let advance = pb::AdvanceTopicRequest { name: name.clone(), ..Default::default() };
                let close = pb::CloseTopicRequest { name: name.clone(), answer: "x".into(), ..Default::default() };
                let support = pb::SupportTopicRequest { name: name.clone(), ..Default::default() };
                let ballot = pb::CreateBallotRequest {
                    parent: AREA.into(),
                    ballot: Some(world.asked(&name, 24)),
                    ..Default::default()
                };
                let refusals = [
                    client.record_stage(record).await.expect_err("no record"),
                    client.advance_topic(advance).await.expect_err("no step"),
                    client.close_topic(close).await.expect_err("no end"),
                    client.support_topic(support).await.expect_err("no support"),
                    client.create_ballot(ballot).await.expect_err("no ballot"),
                ];
                answers.push(refusals.map(|status| (status.code(), reason(&status))));
            }
            assert_eq!(answers[0], answers[1], "{other}: a letter is like one that is not there");
        }
        let seen = topic(&world, &resident(0, 0), &letter.topic).await.expect("the topic");
        assert_eq!((seen.stage.as_str(), seen.supports), ("publish", 0));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_feed_tells_nothing_about_a_letter() {
    for world in World::all().await {
        letter(&world).await;
        let told = world.texts("SELECT event_type FROM event").await;
        assert!(!told.iter().any(|event| event.ends_with("TopicChanged")), "{told:?}");
        world.six_steps().await;
        world.raise(&resident(0, 0)).await;
        let told = world.texts("SELECT event_type FROM event").await;
        assert!(told.iter().any(|event| event.ends_with("TopicChanged")), "a public topic is told of: {told:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_role_counts_where_the_topic_is() {
    for world in World::all().await {
        let stages = vec![stage("read", vec![], &["council-member", "grid-worker"])];
        world.process(letterbox(stages)).await.expect("a template");
        let name = world.raise_by(&resident(0, 0), TEMPLATE).await;
        topic(&world, COUNCIL, &name).await.expect("a council member of the compound");
        assert_eq!(listed(&world, COUNCIL).await.0, std::slice::from_ref(&name));
        // The same post at another compound; the grid worker's post is below the topic, not above it.
        let elsewhere = topic(&world, "systems/elsewhere", &name).await.expect_err("another compound");
        assert_eq!(reason(&elsewhere), "PERMISSION_DENIED");
        assert!(listed(&world, "systems/elsewhere").await.0.is_empty());
        assert!(listed(&world, WORKER).await.0.is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_confidential_process_names_its_readers_and_has_no_ballot() {
    for world in World::all().await {
        let stages = vec![
            stage("read", vec![], &["branch-secretary"]),
            stage("vote", vec![Kind::BallotPassed(majority())], &[]),
        ];
        let refused = world.process(letterbox(stages)).await.expect_err("a ballot, and a stage for anybody");
        let mut fields: Vec<String> =
            refused.get_details_bad_request().expect("fields").field_violations.into_iter().map(|v| v.field).collect();
        fields.sort();
        assert_eq!(fields, ["process_template.stages[1].advanced_by", "process_template.visibility"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_keeps_the_visibility_with_which_it_was_raised() {
    for world in World::all().await {
        let stages = || vec![stage("read", vec![], &["branch-secretary"])];
        world.process(letterbox(stages())).await.expect("a template");
        let secret = world.raise_by(&resident(0, 0), TEMPLATE).await;
        let public = pb::ProcessTemplate { visibility: pb::Visibility::Public.into(), ..letterbox(stages()) };
        world.process(public).await.expect("a template");
        let open = world.raise_by(&resident(0, 0), TEMPLATE).await;
        assert_eq!(listed(&world, &resident(3, 0)).await.0, std::slice::from_ref(&open));
        let hidden = topic(&world, &resident(3, 0), &secret).await.expect_err("still confidential");
        assert_eq!(hidden.code(), Code::NotFound);
    }
}
