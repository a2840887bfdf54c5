//! Lists: filters, pages, and what a caller may see.

use linli_proto::deliberation as pb;
use tonic::Code;

use crate::world::{AREA, COUNCIL, MANAGER, OPERATOR, World, resident, stage};

async fn raise(world: &World, area: &str, unit: &str, kind: &str) -> String {
    let topic = pb::Topic {
        process_template: "areas/litong/processTemplates/free".into(),
        unit: if unit.is_empty() { String::new() } else { format!("{area}/units/{unit}") },
        kind: kind.into(),
        title: "t".into(),
        ..Default::default()
    };
    let request = pb::CreateTopicRequest { parent: area.into(), topic: Some(topic), ..Default::default() };
    world.client(OPERATOR).create_topic(request).await.expect("a topic").into_inner().name
}

async fn names(world: &World, subject: &str, parent: &str, filter: &str) -> Vec<String> {
    let mut request =
        pb::ListTopicsRequest { parent: parent.into(), filter: filter.into(), page_size: 2, ..Default::default() };
    let mut names = Vec::new();
    loop {
        let page = world.client(subject).list_topics(request.clone()).await.expect("topics").into_inner();
        assert!(page.topics.len() <= 2);
        names.extend(page.topics.into_iter().map(|topic| topic.name));
        if page.next_page_token.is_empty() {
            return names;
        }
        request.page_token = page.next_page_token;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn filters_choose_by_every_declared_field() {
    for world in World::all().await {
        world
            .template("areas/litong/processTemplates/free", vec![stage("a", vec![], &[]), stage("b", vec![], &[])])
            .await;
        let first = raise(&world, AREA, "compound-1", "parking").await;
        let second = raise(&world, AREA, "compound-2", "parking").await;
        let third = raise(&world, AREA, "", "dogs").await;
        world.advance(MANAGER, &second).await.expect("advanced");
        let all = [first.clone(), second.clone(), third.clone()];
        for (filter, wanted) in [
            ("", &all[..]),
            ("kind = \"dogs\"", &all[2..]),
            ("stage = \"b\"", &all[1..2]),
            ("state = TOPIC_STATE_OPEN AND kind = \"parking\"", &all[..2]),
            ("unit = \"areas/xinhua/units/compound-1\"", &all[..1]),
            ("process_template = \"areas/litong/processTemplates/free\"", &all[..]),
            ("process_template = \"areas/litong/processTemplates/other\"", &[]),
        ] {
            assert_eq!(names(&world, MANAGER, AREA, filter).await, wanted, "{filter}");
        }
        let bad = pb::ListTopicsRequest { parent: AREA.into(), filter: "title = \"t\"".into(), ..Default::default() };
        let bad = world.client(MANAGER).list_topics(bad).await.expect_err("titles are sealed");
        assert_eq!(bad.code(), Code::InvalidArgument);
        let bad = pb::ListTopicsRequest { parent: AREA.into(), order_by: "name desc".into(), ..Default::default() };
        assert_eq!(world.client(MANAGER).list_topics(bad).await.expect_err("one order").code(), Code::InvalidArgument);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_lists_what_lies_within_their_scope() {
    for world in World::all().await {
        world.template("areas/litong/processTemplates/free", vec![stage("a", vec![], &[])]).await;
        let first = raise(&world, AREA, "compound-1", "x").await;
        let second = raise(&world, AREA, "compound-2", "x").await;
        let away = raise(&world, "areas/guanba", "", "x").await;
        assert_eq!(names(&world, "systems/elsewhere", AREA, "").await, std::slice::from_ref(&second));
        assert_eq!(names(&world, COUNCIL, "areas/-", "").await, [first.clone(), second.clone()], "a resident too");
        assert_eq!(names(&world, OPERATOR, "areas/-", "").await, [away.clone(), first.clone(), second.clone()]);
        assert_eq!(names(&world, "areas/guanba/people/per-1", "areas/-", "").await, [away]);
        let other = pb::ListTopicsRequest { parent: AREA.into(), ..Default::default() };
        let other = world.client("areas/guanba/people/per-1").list_topics(other).await.expect_err("another area");
        assert_eq!(other.code(), Code::PermissionDenied);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn records_and_ballots_are_listed_by_topic() {
    for world in World::all().await {
        world.six_steps().await;
        let topic = world.deliberated().await;
        let ballot = world.ballot(&topic).await;
        let filter = format!("topic = \"{topic}\"");
        let request = pb::ListBallotsRequest {
            parent: "areas/-".into(),
            filter: format!("{filter} AND state = BALLOT_STATE_OPEN"),
            ..Default::default()
        };
        let ballots = world.client(&resident(0, 0)).list_ballots(request).await.expect("ballots").into_inner().ballots;
        assert_eq!(ballots, [ballot]);
        let request = pb::ListStageRecordsRequest {
            parent: AREA.into(),
            filter: format!("{filter} AND stage = \"draft\""),
            ..Default::default()
        };
        let records = world.client(&resident(0, 0)).list_stage_records(request).await.expect("records").into_inner();
        let kinds: Vec<&str> = records.stage_records.iter().map(|record| record.kind.as_str()).collect();
        assert_eq!(kinds, ["survey", "draft"]);
        let one = pb::GetStageRecordRequest { name: records.stage_records[0].name.clone() };
        let one = world.client(&resident(0, 0)).get_stage_record(one).await.expect("a record").into_inner();
        assert_eq!(one, records.stage_records[0]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_ends_before_it_grows_too_large_for_one_message() {
    for world in World::all().await {
        world.template("areas/litong/processTemplates/free", vec![stage("a", vec![], &[])]).await;
        let mut topics = Vec::new();
        for _ in 0..2 {
            topics.push(raise(&world, AREA, "compound-1", "x").await);
        }
        let long = "邻".repeat(10_000);
        let mut full = None;
        for i in 0..80 {
            let record = pb::StageRecord { kind: "minutes".into(), text: long.clone(), ..Default::default() };
            let name = topics[usize::from(i >= 40)].clone();
            let request = pb::RecordStageRequest { name: name.clone(), record: Some(record), ..Default::default() };
            if let Err(status) = world.client(COUNCIL).record_stage(request).await {
                full = Some(status);
            }
        }
        assert!(full.is_none(), "40 records of 30,000 bytes fit: {full:?}");
        let mut request = pb::ListStageRecordsRequest { parent: AREA.into(), page_size: 1000, ..Default::default() };
        let (mut pages, mut seen) = (0, 0);
        loop {
            let page = world.client(COUNCIL).list_stage_records(request.clone()).await.expect("a page").into_inner();
            pages += 1;
            seen += page.stage_records.len();
            if page.next_page_token.is_empty() {
                break;
            }
            request.page_token = page.next_page_token;
        }
        assert_eq!((pages, seen), (2, 80));
        let record = pb::StageRecord { kind: "minutes".into(), text: long, ..Default::default() };
        let request = pb::RecordStageRequest { name: topics[0].clone(), record: Some(record), ..Default::default() };
        let mut refused = None;
        for _ in 0..40 {
            if let Err(status) = world.client(COUNCIL).record_stage(request.clone()).await {
                refused = Some(status);
                break;
            }
        }
        assert_eq!(refused.map(|status| status.code()), Some(Code::ResourceExhausted), "a file has an end");
    }
}
