//! DeliberationService: one topic through all stages into its archive, one that is closed with an answer.

use serde_json::{Value, json};
use tonic::Code;

use super::{field, first, text};
use crate::caller::Caller;
use crate::catalogue::Kind;
use crate::world::World;

const PARENT: &str = "areas/xinhua";

pub(super) async fn play(world: &World) {
    let op = world.secretary();
    let [topic, other] = raised(world, &op).await;
    records(&op, &topic).await;
    records(&op, &other).await;
    let ballot = opened(&op, &topic).await;
    // Another one, at which nobody votes.
    opened(&op, &other).await;
    votes(world, &op, &ballot).await;
    let ended = archived(&op, &topic).await;
    assert_eq!(ended["state"], "TOPIC_STATE_ARCHIVED");
}

fn template() -> Value {
    let rule = json!({
        "basis": "ELECTORATE_BASIS_HOUSEHOLD", "open_hours": 1,
        "quorum": {"numerator": 3, "denominator": 10}, "pass": {"numerator": 1, "denominator": 2},
    });
    let stage = |id: &str, condition: Value| json!({"id": id, "display_name": text(id), "conditions": [condition]});
    json!({"display_name": text("Four steps"), "stages": [
        stage("collect", json!({"min_supports": 2})),
        stage("discuss", json!({"record_kind": "minutes"})),
        stage("vote", json!({"ballot_passed": rule})),
        stage("publish", json!({"record_kind": "publication"})),
    ]})
}

async fn raised(world: &World, op: &Caller) -> [String; 2] {
    let kind = Kind {
        service: "deliberation",
        message: "ProcessTemplate",
        collection: "processTemplates",
        kept: ("steps", template()),
        gone: ("gone", template()),
        change: ("display_name", json!({"display_name": text("Changed")})),
    };
    let process = kind.walk(op).await;
    let raiser = world.caller(world.community.adult(6));
    let topic = |title: &str| {
        let unit = world.name("units/micro-1");
        let topic = json!({"process_template": process, "unit": unit, "kind": "parking", "title": title, "body": "…"});
        json!({"parent": PARENT, "topic": topic})
    };
    let made = raiser.ok("deliberation.CreateTopic", topic("车位")).await;
    assert_eq!((field(&made, "stage"), field(&made, "raised_by")), ("collect", world.community.adult(6)));
    let other = raiser.ok("deliberation.CreateTopic", topic("花坛")).await;
    let lamp = raiser.ok("deliberation.CreateTopic", topic("路灯")).await;
    let body = json!({"name": lamp["name"], "answer": "路灯已修"});
    let closed = op.ok("deliberation.CloseTopic", body).await;
    assert_eq!(closed["state"], "TOPIC_STATE_CLOSED");
    let listed = op.ok("deliberation.ListTopics", json!({"parent": PARENT})).await;
    assert_eq!(listed["topics"].as_array().map(Vec::len), Some(3));
    let early = op.refused("deliberation.AdvanceTopic", json!({"name": made["name"]})).await;
    assert_eq!((early.code, early.reason.as_str()), (Code::FailedPrecondition, "CONDITIONS_NOT_MET"));
    for who in [world.community.elder(6), world.community.adult(7)] {
        for topic in [&made, &other] {
            world.caller(who).ok("deliberation.SupportTopic", json!({"name": topic["name"]})).await;
        }
    }
    let worker = world.caller(&world.community.worker);
    let help = |who: &str| json!({"name": made["name"], "supporter": who});
    let (asked, other_one) = (world.community.elder(1), world.community.elder(2));
    let helped = worker.ok_or("deliberation.AssistSupport", help(asked), help(other_one)).await;
    assert_eq!((helped["supports"].as_i64(), helped["assisted_supports"].as_i64()), (Some(3), Some(1)));
    let read = op.ok("deliberation.GetTopic", json!({"name": made["name"]})).await;
    assert_eq!((read["supports"].as_i64(), &first(&read, "conditions")["met"]), (Some(3), &json!(true)));
    [made, other].map(|topic| field(&topic, "name").to_owned())
}

/// Takes a topic to its vote.
async fn records(op: &Caller, topic: &str) {
    op.ok("deliberation.AdvanceTopic", json!({"name": topic})).await;
    let minutes = json!({"kind": "minutes", "text": "会议记录", "attendance": 12});
    let record = op.ok("deliberation.RecordStage", json!({"name": topic, "record": minutes})).await;
    assert_eq!((field(&record, "stage"), field(&record, "topic")), ("discuss", topic));
    assert_eq!(op.ok("deliberation.GetStageRecord", json!({"name": record["name"]})).await, record);
    let listed = op
        .ok("deliberation.ListStageRecords", json!({"parent": PARENT, "filter": format!("topic = \"{topic}\"")}))
        .await;
    assert_eq!(listed["stage_records"].as_array().map(Vec::len), Some(1));
    let moved = op.ok("deliberation.AdvanceTopic", json!({"name": topic})).await;
    assert_eq!(moved["stage"], "vote");
}

async fn opened(op: &Caller, topic: &str) -> Value {
    let body = json!({"parent": PARENT, "ballot": {
        "topic": topic, "question": text("Park here?"), "close_time": "2026-11-03T09:00:00Z",
    }});
    let ballot = op.ok("deliberation.CreateBallot", body.clone()).await;
    assert_eq!((field(&ballot, "state"), ballot["electors"].as_i64()), ("BALLOT_STATE_OPEN", Some(7)), "{ballot}");
    assert!(ballot["result"].is_null(), "no result while it is open");
    let twice = op.refused("deliberation.CreateBallot", body).await;
    assert_eq!((twice.code, twice.reason.as_str()), (Code::FailedPrecondition, "BALLOT_STILL_OPEN"));
    assert_eq!(op.ok("deliberation.GetBallot", json!({"name": ballot["name"]})).await, ballot);
    ballot
}

/// Votes, and votes again: no row keeps the request id, so what a retry answers is the receipt code of the first vote.
async fn vote(by: &Caller, rpc: &str, mut body: Value) -> Value {
    body["request_id"] = linli_harness::seed::request_id().into();
    let cast = by.call(rpc, &body).await.unwrap_or_else(|status| panic!("{rpc}: {status:?}"));
    let known = |answer: &Value| (field(answer, "receipt_code").to_owned(), answer["already_cast"].clone());
    assert_eq!((known(&cast).1, field(&cast, "receipt_code").is_empty()), (json!(false), false), "{cast}");
    body["choice"] = "CHOICE_NO".into();
    let again = by.call(rpc, &body).await.unwrap_or_else(|status| panic!("{rpc}: {status:?}"));
    assert_eq!((known(&again), &again["repeated"]), (known(&cast), &json!(true)), "the first vote stands");
    by.note(rpc, &cast, true);
    cast
}

async fn votes(world: &World, op: &Caller, ballot: &Value) {
    let name = &ballot["name"];
    let (one, two, three) = (world.community.adult(2), world.community.elder(3), world.community.adult(4));
    vote(&world.caller(three), "deliberation.CastVote", json!({"name": name, "choice": "CHOICE_YES"})).await;
    let cast = vote(&world.caller(one), "deliberation.CastVote", json!({"name": name, "choice": "CHOICE_YES"})).await;
    let worker = world.caller(&world.community.worker);
    vote(&worker, "deliberation.AssistVote", json!({"name": name, "choice": "CHOICE_YES", "voter": two})).await;
    let refused = op.refused("deliberation.AssistVote", json!({"name": name, "choice": 1, "voter": two})).await;
    assert_eq!(refused.reason, "PERMISSION_DENIED", "who runs a ballot votes for nobody else");
    let body = json!({"name": name, "choice": "CHOICE_NO"});
    let again = world.caller(one).call("deliberation.CastVote", &body).await.expect("an answer");
    assert_eq!(again["already_cast"].as_bool(), Some(true), "the first vote stands");
    let roll = op.ok("deliberation.ListElectorRoll", json!({"name": name})).await;
    let voted = roll["electors"].as_array().expect("a roll").iter().filter(|e| e["voted"] == json!(true));
    let mut helpers: Vec<&str> = voted.map(|e| field(e, "assisted_by")).collect();
    helpers.sort_unstable();
    assert_eq!(helpers, ["", "", world.community.worker.as_str()]);
    op.refused("deliberation.ListVotes", json!({"name": name})).await;
    let early = op.refused("deliberation.CloseBallot", json!({"name": name})).await;
    assert_eq!(early.reason, "BALLOT_STILL_OPEN");
    world.advance_hours(9).await;
    let closed = op.ok("deliberation.CloseBallot", json!({"name": name})).await;
    assert_eq!((&closed["result"]["passed"], closed["result"]["yes"].as_i64()), (&json!(true), Some(3)), "{closed}");
    let votes = op.ok("deliberation.ListVotes", json!({"name": name})).await;
    let codes = votes["votes"].as_array().expect("votes").iter().filter_map(|v| v["receipt_code"].as_str());
    assert!(codes.collect::<Vec<_>>().contains(&field(&cast, "receipt_code")), "the voter finds the vote");
    let listed = op.ok("deliberation.ListBallots", json!({"parent": PARENT})).await;
    assert_eq!(listed["ballots"].as_array().map(Vec::len), Some(2));
}

async fn archived(op: &Caller, topic: &str) -> Value {
    op.ok("deliberation.AdvanceTopic", json!({"name": topic})).await;
    let publication = json!({"kind": "publication", "text": "公示"});
    op.ok("deliberation.RecordStage", json!({"name": topic, "record": publication})).await;
    let ended = op.ok("deliberation.AdvanceTopic", json!({"name": topic})).await;
    let listed = op.ok("deliberation.ListArchives", json!({"parent": PARENT})).await;
    let archive = first(&listed, "archives");
    let read = op.ok("deliberation.GetArchive", json!({"name": archive["name"]})).await;
    assert_eq!((field(&read, "topic"), field(&read, "digest").len()), (topic, 64));
    assert!(field(&read, "document_json").contains("会议记录"), "the file has the records");
    ended
}
