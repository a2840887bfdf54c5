//! RulesService and the operations of its validations.

use linli_harness::{refusal, seed::request_id};
use serde_json::{Value, json};
use tonic::Code;

use super::{field, first, text};
use crate::caller::Caller;
use crate::catalogue::Kind;
use crate::plugins::{built, upload, validated};
use crate::world::World;

const PARENT: &str = "areas/xinhua";

pub(super) async fn play(world: &World) {
    let op = world.secretary();
    let plugin = |name: &str| json!({"display_name": text(name)});
    let plugins = Kind {
        service: "rules",
        message: "Plugin",
        collection: "plugins",
        kept: ("haircut", plugin("haircut")),
        gone: ("gone", plugin("gone")),
        change: ("display_name", plugin("Free haircuts")),
    };
    plugins.walk(&op).await;
    for name in ["repairs", "thanks"] {
        op.ok("rules.CreatePlugin", json!({"parent": PARENT, "plugin_id": name, "plugin": plugin(name)})).await;
    }
    let haircut = uploaded(&op, "haircut").await;
    let repairs = uploaded(&op, "repairs").await;
    let thanks = uploaded(&op, "thanks").await;
    operations(&op, field(&haircut, "name")).await;
    for version in [&haircut, &repairs, &thanks] {
        let version = validated(&op, field(version, "name")).await;
        assert_eq!((field(&version, "state"), &version["problems"]), ("PLUGIN_VERSION_STATE_VALID", &json!([])));
        assert_ne!(version["manifest"]["title"], json!(""), "{version}");
    }
    let listed = op.ok("rules.ListPluginVersions", json!({"parent": PARENT})).await;
    assert_eq!(listed["plugin_versions"].as_array().map(Vec::len), Some(3));
    bindings(&op, [&haircut, &repairs, &thanks]).await;
    deleted(&op, &haircut).await;
}

/// A version goes while no binding names it, and only then.
async fn deleted(op: &Caller, bound: &Value) {
    let refused = op.refused("rules.DeletePluginVersion", json!({"name": bound["name"]})).await;
    assert_eq!((refused.code, refused.reason.as_str()), (Code::FailedPrecondition, "STILL_REFERENCED"));
    let (plugin, id) = (format!("{PARENT}/plugins/haircut"), request_id());
    let spare = upload(op, &plugin, &id, b"never validated").await.expect("an upload");
    op.ok("rules.DeletePluginVersion", json!({"name": spare["name"]})).await;
    let gone = op.refused("rules.GetPluginVersion", json!({"name": spare["name"]})).await;
    assert_eq!(gone.code, Code::NotFound);
}

/// Uploads a component, also a second time: the same bytes are the same version.
async fn uploaded(op: &Caller, name: &str) -> Value {
    let (plugin, id, component) = (format!("{PARENT}/plugins/{name}"), request_id(), built(name));
    let version = upload(op, &plugin, &id, &component).await.expect("an upload");
    assert_eq!(version["state"], "PLUGIN_VERSION_STATE_UPLOADED");
    assert_eq!(version["size_bytes"].as_u64(), Some(component.len() as u64));
    let again = upload(op, &plugin, &id, &component).await.expect("the retry of an upload");
    assert_eq!(again["name"], version["name"]);
    let same = upload(op, &plugin, &request_id(), &component).await.expect("the same bytes");
    assert_eq!(same["name"], version["name"], "versions with the same digest are one version");
    let other = upload(op, &plugin, &id, &built("meals")).await.expect_err("other bytes with the same request id");
    assert_eq!(refusal(&other).reason, "REQUEST_ID_REUSED");
    op.note("rules.UploadPluginVersion", &version, true);
    version
}

async fn operations(op: &Caller, version: &str) {
    let running = op.ok("rules.ValidatePluginVersion", json!({"name": version})).await;
    let name = running["name"].clone();
    let ended = op.ok("operations.WaitOperation", json!({"name": name, "timeout": "20s"})).await;
    assert_eq!((&ended["done"], ended["error"].is_null()), (&json!(true), true), "{ended}");
    assert_eq!(op.ok("operations.GetOperation", json!({"name": name})).await, ended);
    let listed = op.ok("operations.ListOperations", json!({"name": format!("{PARENT}/operations")})).await;
    assert_eq!(first(&listed, "operations")["name"], name);
    // An operation that has ended stays as it is.
    let cancelled = op.call("operations.CancelOperation", &json!({"name": name})).await;
    op.note("operations.CancelOperation", &cancelled.expect("cancelling what has ended changes nothing"), false);
    assert_eq!(op.ok("operations.GetOperation", json!({"name": name})).await, ended);
    op.ok("operations.DeleteOperation", json!({"name": name})).await;
    let gone = op.refused("operations.GetOperation", json!({"name": name})).await;
    assert_eq!(gone.code, Code::NotFound);
}

async fn bindings(op: &Caller, [haircut, repairs, thanks]: [&Value; 3]) {
    let binding = |hook: &str, version: &Value, kinds: &[&str]| json!({"hook": hook, "plugin_version": version["name"], "kinds": kinds});
    let kind = Kind {
        service: "rules",
        message: "RuleBinding",
        collection: "ruleBindings",
        kept: ("haircut-monthly", binding("booking-eligibility", haircut, &["haircut"])),
        gone: ("gone-first", binding("booking-priority", haircut, &["haircut"])),
        change: ("settings", json!({"settings": [{"key": "per-month", "number": 2}]})),
    };
    kind.walk(op).await;
    for (id, hook, version, kinds) in
        [("repairs", "booking-eligibility", repairs, vec!["repair"]), ("thanks", "points-award", thanks, Vec::new())]
    {
        let mut body = binding(hook, version, &kinds);
        if id == "thanks" {
            body["settings"] = json!([{"key": "kinds", "codes": {"values": ["haircut", "shift-completed"]}}]);
        }
        op.ok("rules.CreateRuleBinding", json!({"parent": PARENT, "rule_binding_id": id, "rule_binding": body})).await;
    }
    let asked = json!({"parent": PARENT, "hook": "booking-eligibility", "kind": "haircut"});
    let effective = op.ok("rules.GetEffectiveRules", asked).await;
    assert_eq!(
        first(&effective, "rules")["rule_binding"]["name"],
        json!(format!("{PARENT}/ruleBindings/haircut-monthly"))
    );
    assert!(effective["facts"].as_array().is_some_and(|facts| facts.contains(&json!("usage"))), "{effective}");
    assert_ne!(effective["revision"], json!(""));
    let used = op.refused("rules.DeletePlugin", json!({"name": format!("{PARENT}/plugins/haircut")})).await;
    assert_eq!((used.code, used.reason.as_str()), (Code::FailedPrecondition, "STILL_REFERENCED"));
}
