//! Archives can always be read, however much a topic's file holds.

use linli_proto::deliberation as pb;
use linli_proto::deliberation::condition::Condition as Kind;
use prost::Message as _;
use tonic::Code;
use tonic_types::StatusExt as _;

use crate::world::{AREA, COUNCIL, MANAGER, World, majority, reason, resident, stage};

async fn record(world: &World, topic: &str, text: &str) -> Result<pb::StageRecord, tonic::Status> {
    let record = pb::StageRecord { kind: "minutes".into(), text: text.to_owned(), ..Default::default() };
    let request = pb::RecordStageRequest { name: topic.to_owned(), record: Some(record), ..Default::default() };
    world.client(COUNCIL).record_stage(request).await.map(tonic::Response::into_inner)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_full_of_what_json_escapes_is_archived_and_read() {
    for world in World::all().await {
        let rule = pb::BallotRule { open_hours: 0, quorum: None, ..majority() };
        let only = stage("only", vec![Kind::BallotPassed(rule)], &[]);
        let template = world.template("areas/xinhua/processTemplates/one", vec![only]).await;
        let topic = world.raise_by(MANAGER, &template.name).await;
        // Each of these characters takes two bytes in JSON.
        let long = "\"\\\n\t".repeat(2_500);
        let mut full = None;
        for _ in 0..200 {
            if let Err(status) = record(&world, &topic, &long).await {
                full = Some(status);
                break;
            }
        }
        let full = full.expect("a file has an end");
        assert_eq!((full.code(), reason(&full).as_str()), (Code::ResourceExhausted, "TOPIC_FILE_FULL"));
        // Whatever small still fits, until nothing does.
        while record(&world, &topic, "x").await.is_ok() {}
        let request = pb::CreateBallotRequest {
            parent: AREA.into(),
            ballot: Some(world.asked(&topic, 24)),
            ..Default::default()
        };
        let ballot = world.client(COUNCIL).create_ballot(request).await.expect_err("a ballot needs room as well");
        assert_eq!(reason(&ballot), "TOPIC_FILE_FULL");
        // It can always be closed with an answer.
        let close = pb::CloseTopicRequest { name: topic, answer: "\"".repeat(2_000), ..Default::default() };
        world.client(COUNCIL).close_topic(close).await.expect("closes");
        world.sound().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_archive_is_larger_than_what_was_counted_while_it_grew() {
    for world in World::all().await {
        let rule = pb::BallotRule { open_hours: 0, quorum: None, ..majority() };
        let stages = (0..20).map(|i| {
            let conditions = if i == 0 { vec![Kind::BallotPassed(rule)] } else { vec![] };
            stage(&format!("a-stage-with-quite-a-long-name-{i}"), conditions, &[])
        });
        let template = world.template("areas/xinhua/processTemplates/long", stages.collect()).await;
        let topic = world.raise_by(MANAGER, &template.name).await;
        for i in 0..60 {
            record(&world, &topic, &"\"邻\n".repeat(i * 50 + 1)).await.expect("a record");
        }
        for _ in 0..5 {
            let ballot = world.ballot(&topic).await.name;
            world.pass_hours(24);
            world.close(&ballot).await.expect("closes, not passed");
        }
        let ballot = world.ballot(&topic).await.name;
        world.cast(&resident(0, 0), &ballot, pb::Choice::Yes).await.expect("a vote");
        world.pass_hours(24);
        world.close(&ballot).await.expect("closes, passed");
        for _ in 0..20 {
            world.advance(MANAGER, &topic).await.expect("advanced");
        }
        let list = pb::ListArchivesRequest { parent: AREA.into(), ..Default::default() };
        let listed = world.client(&resident(0, 0)).list_archives(list).await.expect("archives").into_inner().archives;
        let [listed] = listed.as_slice() else { panic!("one archive is wanted: {listed:?}") };
        assert_eq!(listed.document_json, "", "documents are read one by one");
        let get = pb::GetArchiveRequest { name: listed.name.clone() };
        let got = world.client(&resident(0, 0)).get_archive(get).await.expect("the archive").into_inner();
        let counted = world.numbers("SELECT file_bytes FROM topic").await;
        let whole = i64::try_from(got.document_json.len()).expect("a size");
        assert!(whole <= counted[0], "{whole} bytes, {} were counted", counted[0]);
        assert!(got.encoded_len() < 4 * 1024 * 1024);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn texts_hold_no_control_characters_but_line_breaks_and_tabs() {
    for world in World::all().await {
        world.six_steps().await;
        let topic = world.raise(&resident(0, 0)).await.name;
        let field = |status: tonic::Status| {
            let named = status.get_details_bad_request().expect("fields").field_violations;
            assert!(named[0].description.ends_with("[CONTROL_CHARACTERS]"), "{}", named[0].description);
            named.into_iter().map(|violation| violation.field).collect::<Vec<_>>()
        };
        record(&world, &topic, "one\r\n\ttwo").await.expect("a record");
        assert_eq!(field(record(&world, &topic, "a\u{1}b").await.expect_err("control")), ["record.text"]);
        let close = pb::CloseTopicRequest { name: topic, answer: "\u{0}".into(), ..Default::default() };
        assert_eq!(field(world.client(COUNCIL).close_topic(close).await.expect_err("control")), ["answer"]);
        let topic = pb::Topic {
            process_template: format!("{AREA}/processTemplates/six-steps"),
            unit: crate::world::UNIT.into(),
            kind: "x".into(),
            title: "\u{7f}".into(),
            body: "\u{85}".into(),
            ..Default::default()
        };
        let create = pb::CreateTopicRequest { parent: AREA.into(), topic: Some(topic), ..Default::default() };
        let refused = world.client(MANAGER).create_topic(create).await.expect_err("control");
        assert_eq!(field(refused), ["topic.title", "topic.body"]);
    }
}
