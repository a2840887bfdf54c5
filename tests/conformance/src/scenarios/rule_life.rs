//! The life of a rule, by its RPCs: keys and charter, an upload that broke off, a change that a second person approves, its trial, the
//! way back, a simulation, a quarantine and its end; and who asks rules beside booking.

use linli_harness::seed::request_id;
use linli_harness::{refusal, until};
use serde_json::{Value, json};
use tonic::Code;

use super::{booking, field, first, text};
use crate::caller::Caller;
use crate::catalogue::Kind;
use crate::plugins::{upload, upload_with, validated};
use crate::world::World;

const PARENT: &str = "areas/xinhua";
const BINDING: &str = "areas/xinhua/ruleBindings/door";
const POLICY: &str = "areas/xinhua/rulesPolicy";
/// A point of the curve that verifies.
const PUBLIC_KEY: &str = "WGZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmY=";

/// A table with these rows at a hook; `why` is its reason.
fn table(hook: &str, rows: &str) -> String {
    format!(
        "linli: table/1\ntitle: {{zh-CN: 试, en: Trial}}\nsummary: {{zh-CN: 试, en: A trial}}\n\
         reasons:\n  why: {{zh-CN: 如此, en: So it is}}\nrules:\n  {hook}:\n{rows}"
    )
}

pub(super) async fn play(world: &World) {
    let op = world.secretary();
    let plugin = json!({"parent": PARENT, "plugin_id": "tables", "plugin": {"display_name": text("Tables")}});
    op.ok("rules.CreatePlugin", plugin).await;
    keys(&op).await;
    broken_off(&op).await;
    let open = version(&op, &table("booking-eligibility", "    - then: allow\n")).await;
    let closed = version(&op, &table("booking-eligibility", "    - {then: deny, reason: why}\n")).await;
    changes(world, &op, [&open, &closed]).await;
    simulated(&op, &closed).await;
    quarantined(world, &op).await;
    contributed(world, &op).await;
    ways(world, &op).await;
}

async fn version(op: &Caller, document: &str) -> String {
    let made = upload(op, &format!("{PARENT}/plugins/tables"), &request_id(), document.as_bytes()).await;
    let made = validated(op, field(&made.expect("an upload"), "name")).await;
    assert_eq!(
        (field(&made, "state"), field(&made, "form")),
        ("PLUGIN_VERSION_STATE_VALID", "PLUGIN_FORM_TABLE"),
        "{made}"
    );
    field(&made, "name").to_owned()
}

async fn keys(op: &Caller) {
    let key = |name: &str| json!({"display_name": text(name), "public_key": PUBLIC_KEY});
    let keys = Kind {
        service: "rules",
        message: "AuthorKey",
        collection: "authorKeys",
        kept: ("wang", key("Wang")),
        gone: ("gone", key("Gone")),
        change: ("display_name", json!({"display_name": text("Wang the elder")})),
    };
    keys.walk(op).await;
}

/// The digest of the whole, and less than the whole.
async fn broken_off(op: &Caller) {
    let digest = "0".repeat(63) + "1";
    let header = json!({"parent": format!("{PARENT}/plugins/tables"), "digest": digest, "request_id": request_id()});
    // As a component begins, and long enough to be written down before it is whole.
    let half = [b"\0asm".as_slice(), &[0; 180 << 10]].concat();
    let cut = upload_with(op, header, &half).await.expect_err("not the whole");
    assert_eq!(refusal(&cut).fields[0].0, "header.digest");
    let kept = op.ok("rules.GetUpload", json!({"name": format!("{PARENT}/uploads/{digest}")})).await;
    let received = kept["received_bytes"].as_i64().and_then(|bytes| usize::try_from(bytes).ok()).unwrap_or_default();
    assert!(
        received > 0 && received <= half.len() && field(&kept, "plugin") == "areas/xinhua/plugins/tables",
        "{kept}"
    );
}

async fn policy(op: &Caller, second_person: bool, faults: i32) {
    let policy = |faults: i32| {
        let rules_policy =
            json!({"name": POLICY, "second_person_required": second_person, "quarantine_faults": faults});
        json!({"rules_policy": rules_policy, "update_mask": "secondPersonRequired,quarantineFaults"})
    };
    let now = op.ok_or("rules.UpdateRulesPolicy", policy(faults), policy(faults + 1)).await;
    assert_eq!(
        (now["second_person_required"].as_bool(), now["quarantine_faults"].as_i64()),
        (Some(second_person), Some(i64::from(faults)))
    );
    assert_eq!(op.ok("rules.GetRulesPolicy", json!({"name": POLICY})).await, now);
}

async fn proposed(op: &Caller, version: &str, stage: &str) -> Value {
    let binding = json!({"name": BINDING, "hook": "booking-eligibility", "plugin_version": version, "kinds": ["door"]});
    let change = json!({"rule_binding": binding, "stage": stage});
    let body = |note: &str| json!({"parent": PARENT, "rule_change": change, "note": note});
    op.ok_or("rules.CreateRuleChange", body("a try"), body("another try")).await
}

async fn acted(by: &Caller, rpc: &str, name: &Value, more: Value) -> Value {
    let body = |note: &str| {
        let mut body = more.clone();
        (body["name"], body["note"]) = (name.clone(), note.into());
        body
    };
    by.ok_or(&format!("rules.{rpc}"), body("as agreed"), body("as not agreed")).await
}

async fn changes(world: &World, op: &Caller, [open, closed]: [&str; 2]) {
    let office = world.operator();
    policy(&office, true, 1).await;
    for version in [open, closed] {
        let change = proposed(op, version, "RULE_STAGE_ACTIVE").await;
        assert_eq!(change["state"], "RULE_CHANGE_STATE_PENDING_APPROVAL");
        let own = op.refused("rules.ApproveRuleChange", json!({"name": change["name"]})).await;
        assert_eq!((own.code, own.reason.as_str()), (Code::PermissionDenied, "SECOND_PERSON_NEEDED"), "not one's own");
        let approved = acted(&office, "ApproveRuleChange", &change["name"], json!({"etag": change["etag"]})).await;
        assert_eq!(approved["state"], "RULE_CHANGE_STATE_ACTIVE");
    }
    let back = acted(op, "RollBackRuleBinding", &json!(BINDING), json!({})).await;
    assert_eq!(back["state"], "RULE_CHANGE_STATE_ROLLED_BACK", "the change that went");
    let binding = op.ok("rules.GetRuleBinding", json!({"name": BINDING})).await;
    assert_eq!(binding["plugin_version"], json!(open), "one step back");

    let trial = proposed(op, closed, "RULE_STAGE_SHADOW").await;
    assert_eq!(trial["state"], "RULE_CHANGE_STATE_TRIAL", "what is not obeyed needs nobody else");
    let share = json!({"stage": "RULE_STAGE_CANARY", "canary_permille": 500});
    let wider = acted(op, "PromoteRuleChange", &trial["name"], share).await;
    assert_eq!(wider["state"], "RULE_CHANGE_STATE_PENDING_APPROVAL", "what is obeyed does");
    let gone = acted(op, "WithdrawRuleChange", &trial["name"], json!({})).await;
    assert_eq!(gone["state"], "RULE_CHANGE_STATE_WITHDRAWN");
    assert_eq!(op.ok("rules.GetRuleChange", json!({"name": trial["name"]})).await, gone);
    let filter = format!("rule_binding = \"{BINDING}\"");
    let all = op.ok("rules.ListRuleChanges", json!({"parent": PARENT, "filter": filter})).await;
    assert!(all["rule_changes"].as_array().is_some_and(|all| all.len() >= 3), "{all}");
    policy(&office, false, 1).await;
}

async fn simulated(op: &Caller, version: &str) {
    let candidate = json!({"hook": "booking-eligibility", "plugin_version": version, "kinds": ["haircut"]});
    let body = |cases: i32| json!({"parent": PARENT, "rule_binding": candidate, "start_time": "2026-11-01T00:00:00Z", "max_cases": cases});
    let running = op.ok_or("rules.SimulateRule", body(100), body(200)).await;
    let ended = op.ok("operations.WaitOperation", json!({"name": running["name"], "timeout": "20s"})).await;
    assert_eq!((&ended["done"], ended["error"].is_null()), (&json!(true), true), "{ended}");
    assert_ne!(ended["response"]["cases"], json!(null), "{ended}");
}

/// A rule that breaks down over a slot of 23 seats, which no sample question of the validation is about.
async fn quarantined(world: &World, op: &Caller) {
    let rows = "    - {when: 1 / (slot.capacity - 23) > 1, then: deny, reason: why}\n    - then: allow\n";
    let brittle = version(op, &table("booking-eligibility", rows)).await;
    let binding = json!({
        "hook": "booking-eligibility", "plugin_version": brittle, "kinds": ["brittle"], "on_fault": "ON_FAULT_SKIP",
    });
    op.ok("rules.CreateRuleBinding", json!({"parent": PARENT, "rule_binding_id": "brittle", "rule_binding": binding}))
        .await;
    let slot = booking::slot_of(world, op, "brittle", 23).await;
    booking::booked(world, op, world.community.elder(7), &slot, json!({})).await;
    until("the quarantine", || async {
        let now = op.ok("rules.GetPluginVersion", json!({"name": brittle})).await;
        (now["state"] == "PLUGIN_VERSION_STATE_QUARANTINED").then_some(())
    })
    .await;
    let notices = op.ok("rules.ListPluginNotices", json!({"parent": PARENT})).await;
    assert_eq!(first(&notices, "plugin_notices")["reason"]["code"], "quarantined", "{notices}");
    let released = acted(op, "ReleasePluginVersion", &json!(brittle), json!({})).await;
    assert_eq!((field(&released, "state"), released["quarantine"].is_null()), ("PLUGIN_VERSION_STATE_VALID", true));
}

async fn contributed(world: &World, op: &Caller) {
    let volunteer = world.community.adult(5);
    let body = json!({"parent": PARENT, "contribution": {
        "person": volunteer, "kind": "letters", "role": "volunteer", "minutes": 30, "occur_time": "2026-11-02T02:00:00Z",
    }});
    let made = op.ok("points.CreateContribution", body.clone()).await;
    assert_eq!(made["awards"], json!([]), "no binding is about letters");
    assert_eq!(op.refused("points.CreateContribution", body).await.code, Code::AlreadyExists);
    let own = world.caller(volunteer);
    assert_eq!(own.ok("points.GetContribution", json!({"name": made["name"]})).await["kind"], "letters");
    let listed = own.ok("points.ListContributions", json!({"parent": PARENT})).await;
    assert_eq!(first(&listed, "contributions")["name"], made["name"]);
    let receipts = own.ok("points.ListAwardReceipts", json!({"parent": PARENT})).await;
    let receipt = first(&receipts, "award_receipts");
    assert!(!field(receipt, "facts_json").contains("/people/"), "rules see pseudonyms: {receipt}");
    assert_eq!(&own.ok("points.GetAwardReceipt", json!({"name": receipt["name"]})).await, receipt);
}

/// A topic that names no process goes the way that a rule chooses.
async fn ways(world: &World, op: &Caller) {
    let ways = version(op, &table("deliberation-track", "    - {then: steps, reason: why}\n")).await;
    let binding = json!({"hook": "deliberation-track", "plugin_version": ways, "kinds": ["lamps"]});
    op.ok("rules.CreateRuleBinding", json!({"parent": PARENT, "rule_binding_id": "ways", "rule_binding": binding}))
        .await;
    let topic = json!({"unit": world.name("units/micro-1"), "kind": "lamps", "title": "路灯", "body": "…"});
    let raiser = world.caller(world.community.adult(6));
    let made = raiser.ok("deliberation.CreateTopic", json!({"parent": PARENT, "topic": topic})).await;
    assert_eq!(
        (field(&made, "process_template"), field(&made["track_reason"], "code")),
        ("areas/xinhua/processTemplates/steps", "why")
    );
    let receipts = op.ok("deliberation.ListTopicReceipts", json!({"parent": PARENT})).await;
    let receipt = first(&receipts, "topic_receipts");
    assert_eq!((&receipt["topic"], field(receipt, "hook")), (&made["name"], "deliberation-track"));
    assert_eq!(&op.ok("deliberation.GetTopicReceipt", json!({"name": receipt["name"]})).await, receipt);
}
