//! Rules are asked which way a topic goes and how strict its ballot is; what they said is on record and never makes a ballot
//! easier to pass.

use linli_kit::ErrorCode;
use linli_kit::store::Engine;
use linli_proto::common::{Reason, Text};
use linli_proto::deliberation as pb;
use linli_proto::deliberation::condition::Condition as Kind;
use linli_proto::rules::evaluate_request::Hook;
use linli_proto::rules::evaluate_response::Answer;
use linli_proto::rules::{Ratio, ReadDecisionsRequest, Thresholds, ThresholdsAnswer, TrackAnswer};
use tonic::Code;
use tonic_types::StatusExt as _;

use crate::world::{AREA, COUNCIL, MANAGER, UNIT, World, majority, reason, resident, stage, text};

const TRACK: &str = "deliberation-track";
const THRESHOLDS: &str = "deliberation-thresholds";

fn why(code: &str) -> Reason {
    let text = Some(Text { zh_cn: "因为花费".into(), en: "Because of the cost".into() });
    Reason { code: code.into(), args: vec!["500000".into()], message: String::new(), text }
}

fn track(id: &str) -> Result<Answer, ErrorCode> {
    Ok(Answer::Track(TrackAnswer { track: id.into(), reason: Some(why("much-money")) }))
}

const fn ratio(numerator: i32, denominator: i32) -> Option<Ratio> {
    Some(Ratio { numerator, denominator, exclusive: false })
}

fn thresholds(quorum: Option<Ratio>, pass: Option<Ratio>, open_hours: i32) -> Result<Answer, ErrorCode> {
    let thresholds = Some(Thresholds { quorum, pass, open_hours });
    Ok(Answer::Thresholds(ThresholdsAnswer { thresholds, reasons: vec![why("strict")] }))
}

fn wish() -> pb::Topic {
    pb::Topic {
        unit: UNIT.to_owned(),
        kind: "parking".to_owned(),
        source: "whiteboard".to_owned(),
        title: "The roof leaks".to_owned(),
        body: "Above staircase 3".to_owned(),
        affected_households: Some(40),
        cost_fen: Some(50_000_000),
        tags: vec!["urgent".to_owned(), "roof".to_owned()],
        ..Default::default()
    }
}

async fn raise(world: &World, topic: pb::Topic) -> Result<pb::Topic, tonic::Status> {
    let request = pb::CreateTopicRequest { parent: AREA.into(), topic: Some(topic), ..Default::default() };
    world.client(&resident(0, 0)).create_topic(request).await.map(tonic::Response::into_inner)
}

/// Two ways: one with a ballot, of the district, hidden by the community's own of the same id; one without, of the community.
async fn two_ways(world: &World) {
    let ballot = |id: &str| vec![stage(id, vec![Kind::BallotPassed(majority())], &["council"])];
    world.template("areas/litong/processTemplates/big", ballot("far")).await;
    world.template("areas/xinhua/processTemplates/big", ballot("near")).await;
    world.template("areas/xinhua/processTemplates/small", vec![stage("talk", vec![], &[])]).await;
}

async fn receipts(world: &World, subject: &str, filter: &str) -> Vec<pb::TopicReceipt> {
    let request = pb::ListTopicReceiptsRequest { parent: AREA.into(), filter: filter.into(), ..Default::default() };
    world.client(subject).list_topic_receipts(request).await.expect("receipts").into_inner().topic_receipts
}

async fn open(world: &World, topic: &str, hours: i64) -> Result<pb::Ballot, tonic::Status> {
    let ballot = Some(world.asked(topic, hours));
    let request = pb::CreateBallotRequest { parent: AREA.into(), ballot, ..Default::default() };
    world.client(COUNCIL).create_ballot(request).await.map(tonic::Response::into_inner)
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_choose_the_way_of_a_topic_that_names_none_and_the_receipt_says_why() {
    for world in World::all().await {
        two_ways(&world).await;
        world.rules.answer(TRACK, track("big"));
        let topic = raise(&world, wish()).await.expect("a topic");
        assert_eq!(
            (topic.process_template.as_str(), topic.stage.as_str()),
            ("areas/xinhua/processTemplates/big", "near")
        );
        assert_eq!((topic.affected_households, topic.cost_fen), (Some(40), Some(50_000_000)));
        assert_eq!(topic.tags, ["urgent", "roof"]);
        assert_eq!(topic.track_reason.as_ref().map(|r| r.message.as_str()), Some("Because of the cost"));
        let asked = world.rules.asked();
        let [ask] = asked.as_slice() else { panic!("one question is wanted: {asked:?}") };
        let Some(Hook::Track(facts)) = &ask.hook else { panic!("{ask:?}") };
        assert_eq!(facts.tracks, ["big", "small"], "each id once");
        assert_eq!((facts.source.as_str(), facts.cost_fen), ("whiteboard", Some(50_000_000)));
        assert!((0..1000).contains(&ask.bucket) && ask.utc_offset_min == 480);
        let found = receipts(&world, &resident(3, 0), &format!("topic = \"{}\"", topic.name)).await;
        let [receipt] = found.as_slice() else { panic!("one receipt is wanted: {found:?}") };
        assert_eq!((receipt.hook.as_str(), receipt.verdict.as_str(), receipt.ballot.as_str()), (TRACK, "big", ""));
        assert_eq!(receipt.rules[0].rule_binding, "areas/xinhua/ruleBindings/three-ways");
        assert_eq!(receipt.reasons[0].message, "Because of the cost");
        assert!(receipt.facts_json.contains("whiteboard") && !receipt.facts_json.contains("roof leaks"));
        let get = pb::GetTopicReceiptRequest { name: receipt.name.clone() };
        let chinese = world.client_in(&resident(3, 0), "zh-CN").get_topic_receipt(get).await.expect("it").into_inner();
        assert_eq!(chinese.reasons[0].message, "因为花费");
        world.sound().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_named_way_asks_no_rule() {
    for world in World::all().await {
        two_ways(&world).await;
        world.rules.answer(TRACK, track("big"));
        let named = pb::Topic { process_template: "areas/xinhua/processTemplates/small".into(), ..wish() };
        let topic = raise(&world, named).await.expect("a topic");
        assert_eq!((topic.stage.as_str(), topic.track_reason), ("talk", None));
        assert_eq!((world.rules.effective_calls(), world.rules.asked().len()), (0, 0));
        assert!(receipts(&world, MANAGER, "").await.is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_rule_the_error_names_the_ways_that_there_are() {
    for world in World::all().await {
        two_ways(&world).await;
        let refused = raise(&world, wish()).await.expect_err("nobody chooses");
        assert_eq!(refused.code(), Code::InvalidArgument);
        let named = refused.get_details_bad_request().expect("fields").field_violations;
        assert_eq!(named[0].field, "topic.process_template");
        assert!(named[0].description.contains("big, small") && named[0].description.contains("PROCESS_UNDECIDED"));
        assert!(world.rules.asked().is_empty(), "there is nobody to ask");
        // A rule that is in shadow only is in force for nobody: the answer names no way.
        world.rules.answer(TRACK, track(""));
        let request = pb::Topic { kind: "dogs".into(), ..wish() };
        let refused = raise(&world, request).await.expect_err("nobody chooses");
        assert!(refused.get_details_bad_request().is_some());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fault_of_rules_raises_nothing_and_may_be_tried_again() {
    for world in World::all().await {
        two_ways(&world).await;
        for answer in
            [Err(ErrorCode::Internal), Err(ErrorCode::Unavailable), track("elsewhere"), thresholds(None, None, 0)]
        {
            world.rules.answer(TRACK, answer);
            let refused = raise(&world, wish()).await.expect_err("no answer");
            assert_eq!(refused.code(), Code::Unavailable, "{refused:?}");
        }
        let request = pb::ListTopicsRequest { parent: AREA.into(), ..Default::default() };
        let topics = world.client(MANAGER).list_topics(request).await.expect("topics").into_inner().topics;
        assert!(topics.is_empty() && receipts(&world, MANAGER, "").await.is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_way_that_changed_while_rules_were_asked_is_not_taken() {
    for world in World::all().await {
        two_ways(&world).await;
        world.rules.answer(TRACK, track("small"));
        let (came, go) = world.rules.hold();
        let change = async {
            came.await.expect("rules are asked");
            world.template("areas/xinhua/processTemplates/small", vec![stage("walk", vec![], &[])]).await;
            go.send(()).expect("rules wait");
        };
        let (refused, ()) = futures::join!(raise(&world, wish()), change);
        let refused = refused.expect_err("another process than rules chose");
        assert_eq!((refused.code(), reason(&refused).as_str()), (Code::Aborted, "CONFLICT"));
        assert_eq!(raise(&world, wish()).await.expect("asked again").stage, "walk");
        assert_eq!(receipts(&world, MANAGER, "").await.len(), 1, "the first left none");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_request_raises_one_topic_with_one_receipt() {
    for world in World::all().await {
        two_ways(&world).await;
        world.rules.answer(TRACK, track("small"));
        let request = pb::CreateTopicRequest {
            parent: AREA.into(),
            topic: Some(wish()),
            request_id: "0f1e2d3c-4b5a-4978-8695-a4b3c2d1e0f1".into(),
        };
        let mut client = world.client(&resident(0, 0));
        let first = client.create_topic(request.clone()).await.expect("a topic").into_inner();
        let again = client.create_topic(request).await.expect("the same").into_inner();
        assert_eq!((first.name, receipts(&world, MANAGER, "").await.len()), (again.name, 1));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_topic_says_about_itself_is_checked_field_by_field() {
    for world in World::all().await {
        two_ways(&world).await;
        let bad = pb::Topic {
            affected_households: Some(-1),
            cost_fen: Some(1_000_000_000_001),
            tags: vec!["Not A Code".into()],
            ..wish()
        };
        let refused = raise(&world, bad).await.expect_err("three fields");
        let named = refused.get_details_bad_request().expect("fields").field_violations;
        let fields: Vec<&str> = named.iter().map(|v| v.field.as_str()).collect();
        assert_eq!(fields, ["topic.affected_households", "topic.cost_fen", "topic.tags[0]"]);
        assert_eq!(world.rules.effective_calls(), 0, "rules are not asked about what is refused anyway");
        world.rules.answer(TRACK, track("big"));
        let nowhere = raise(&world, pb::Topic { unit: String::new(), ..wish() }).await.expect_err("nobody could vote");
        assert_eq!(nowhere.get_details_bad_request().expect("fields").field_violations[0].field, "topic.unit");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receipt_is_for_nobody_who_may_not_know_of_the_topic() {
    for world in World::all().await {
        let letterbox = pb::ProcessTemplate {
            name: "areas/xinhua/processTemplates/letterbox".into(),
            display_name: text("Letterbox"),
            stages: vec![stage("read", vec![], &["branch-secretary"])],
            visibility: pb::Visibility::Confidential.into(),
            ..Default::default()
        };
        world.process(letterbox).await.expect("a template");
        world.rules.answer(TRACK, track("letterbox"));
        raise(&world, wish()).await.expect("a letter");
        let mine = receipts(&world, &resident(0, 0), "").await;
        assert_eq!((mine.len(), receipts(&world, crate::world::BRANCH, "").await.len()), (1, 1));
        for other in [&resident(0, 1), COUNCIL, MANAGER] {
            assert!(receipts(&world, other, "").await.is_empty(), "{other}");
            let get = pb::GetTopicReceiptRequest { name: mine[0].name.clone() };
            let refused = world.client(other).get_topic_receipt(get).await.expect_err("confidential");
            assert_eq!(refused.code(), Code::NotFound, "{other}");
        }
    }
}

/// A topic whose stage has a ballot of more than half and more than half, 24 hours.
async fn at_ballot(world: &World) -> String {
    two_ways(world).await;
    let named = pb::Topic { process_template: "areas/xinhua/processTemplates/big".into(), ..wish() };
    raise(world, named).await.expect("a topic").name
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ballot_takes_the_stricter_of_stage_and_rules_in_each_field() {
    for world in World::all().await {
        let topic = at_ballot(&world).await;
        // Stricter quorum and time, looser share of yes: the stage's stays.
        world.rules.answer(THRESHOLDS, thresholds(ratio(2, 3), ratio(1, 3), 72));
        let short = open(&world, &topic, 71).await.expect_err("72 hours are wanted");
        let named = short.get_details_bad_request().expect("fields").field_violations;
        assert_eq!(named[0].field, "ballot.close_time");
        assert!(named[0].description.contains("72") && named[0].description.contains("BALLOT_TOO_SHORT"));
        assert!(receipts(&world, MANAGER, "").await.is_empty(), "no receipt without its ballot");
        let ballot = open(&world, &topic, 72).await.expect("a ballot");
        let share = |numerator, denominator, exclusive| Some(pb::Share { numerator, denominator, exclusive });
        let rule = ballot.rule.expect("a rule");
        assert_eq!((rule.quorum, rule.pass, rule.open_hours), (share(2, 3, false), share(1, 2, true), 72));
        assert_eq!(ballot.rule_reasons.iter().map(|r| r.message.as_str()).collect::<Vec<_>>(), ["Because of the cost"]);
        let asked = world.rules.asked();
        let Some(Hook::Thresholds(facts)) = asked.last().and_then(|ask| ask.hook.as_ref()) else { panic!("{asked:?}") };
        assert_eq!((facts.track.as_str(), facts.eligible, facts.tags.len()), ("big", 12, 2));
        let lawful = facts.lawful.expect("the stage's rule");
        assert_eq!((lawful.quorum.map(|q| q.exclusive), lawful.open_hours), (Some(true), 24));
        let found = receipts(&world, MANAGER, &format!("ballot = \"{}\"", ballot.name)).await;
        assert_eq!((found.len(), found[0].hook.as_str()), (1, THRESHOLDS));
        assert_eq!(found[0].verdict, "quorum 2/3, pass >1/2, 72 h");
        world.sound().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn looser_thresholds_change_nothing_and_half_never_replaces_more_than_half() {
    for world in World::all().await {
        let topic = at_ballot(&world).await;
        world.rules.answer(THRESHOLDS, thresholds(ratio(1, 2), None, 1));
        let ballot = open(&world, &topic, 24).await.expect("a ballot");
        let rule = ballot.rule.expect("a rule");
        assert_eq!(pb::BallotRule { min_age: 0, ..rule }, majority());
        assert!(ballot.rule_reasons.is_empty(), "nothing was made stricter");
        assert_eq!(receipts(&world, MANAGER, "").await.len(), 1, "but rules were asked");
        world.sound().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_ballot_opens_while_rules_are_away_or_answer_nonsense() {
    for world in World::all().await {
        let topic = at_ballot(&world).await;
        for answer in [
            Err(ErrorCode::Internal),
            track("big"),
            thresholds(ratio(3, 2), None, 24),
            thresholds(ratio(1, 0), None, 24),
            thresholds(None, None, -1),
            thresholds(None, None, 100_000),
        ] {
            world.rules.answer(THRESHOLDS, answer);
            let refused = open(&world, &topic, 72).await.expect_err("no thresholds");
            assert_eq!(refused.code(), Code::Unavailable, "{refused:?}");
        }
    }
    for world in World::all().await {
        let topic = at_ballot(&world).await;
        world.rules.down();
        let refused = open(&world, &topic, 72).await.expect_err("nobody answers");
        assert_eq!(refused.code(), Code::Unavailable, "{refused:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_rules_a_ballot_is_as_before_and_only_what_is_in_force_is_asked_once() {
    for world in World::all().await {
        let topic = at_ballot(&world).await;
        let short = open(&world, &topic, 1).await.expect_err("24 hours are wanted");
        assert!(short.get_details_bad_request().is_some(), "{}", reason(&short));
        let ballot = open(&world, &topic, 24).await.expect("a ballot");
        assert_eq!(pb::BallotRule { min_age: 0, ..ballot.rule.expect("a rule") }, majority());
        assert_eq!((world.rules.effective_calls(), world.rules.asked().len()), (1, 0));
        assert!(receipts(&world, MANAGER, "").await.is_empty());
        world.sound().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ballot_that_was_made_easier_behind_the_services_back_is_found() {
    for world in World::all().await {
        let topic = at_ballot(&world).await;
        open(&world, &topic, 24).await.expect("a ballot");
        world.sound().await;
        let easy = pb::BallotRule { pass: None, ..majority() };
        let bytes = hex::encode(prost::Message::encode_to_vec(&easy));
        let literal = match world.store.engine() {
            Engine::Sqlite => format!("X'{bytes}'"),
            Engine::Postgres => format!("'\\x{bytes}'::bytea"),
        };
        world.run(&format!("UPDATE ballot SET rule = {literal}")).await;
        let broken: Vec<_> = world.violations().await.into_iter().filter(|(_, found)| !found.is_empty()).collect();
        assert_eq!(broken.len(), 1, "{broken:?}");
        assert_eq!(broken[0].0, "deliberation.ballot-rules");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_alone_read_what_was_asked_newest_first_and_page_by_page() {
    for world in World::all().await {
        two_ways(&world).await;
        world.rules.answer(TRACK, track("small"));
        for kind in ["parking", "dogs", "parking"] {
            world.pass_hours(1);
            raise(&world, pb::Topic { kind: kind.into(), ..wish() }).await.expect("a topic");
        }
        let mut request = ReadDecisionsRequest {
            parent: AREA.into(),
            hook: TRACK.into(),
            start_time: Some(world.in_hours(-10)),
            end_time: Some(world.in_hours(1)),
            page_size: 2,
            ..Default::default()
        };
        let first = world.as_service("rules").read_decisions(request.clone()).await.expect("cases").into_inner();
        assert_eq!(first.cases.len(), 2);
        let again = ReadDecisionsRequest { page_token: first.next_page_token.clone(), ..request.clone() };
        let second = world.as_service("rules").read_decisions(again).await.expect("cases").into_inner();
        assert_eq!((second.cases.len(), second.next_page_token.as_str()), (1, ""));
        let cases: Vec<_> = first.cases.into_iter().chain(second.cases).collect();
        let asked: Vec<_> = world.rules.asked().into_iter().rev().map(Some).collect();
        assert_eq!(cases.iter().map(|case| case.request.clone()).collect::<Vec<_>>(), asked, "each can be asked again");
        assert!(cases.iter().all(|case| case.verdict == "small" && !case.subject.contains("top-")));
        request.kinds = vec!["dogs".into()];
        let dogs = world.as_service("rules").read_decisions(request.clone()).await.expect("cases").into_inner();
        assert_eq!(dogs.cases.len(), 1);
        request.end_time = Some(world.in_hours(-5));
        let earlier = world.as_service("rules").read_decisions(request.clone()).await.expect("cases").into_inner();
        assert!(earlier.cases.is_empty(), "nothing was decided then");
        for subject in [MANAGER, COUNCIL, &resident(0, 0)] {
            let refused = world.client(subject).read_decisions(request.clone()).await.expect_err("for rules alone");
            assert_eq!(refused.code(), Code::PermissionDenied, "{subject}");
        }
        request.hook = "booking-price".into();
        let refused = world.as_service("rules").read_decisions(request).await.expect_err("not asked here");
        assert_eq!(refused.get_details_bad_request().expect("fields").field_violations[0].field, "hook");
    }
}
