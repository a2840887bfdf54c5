//! Plugins that are none, or that would harm: rejected with every problem by name, and never bound.

use linli_harness::{engines, refusal, seed::request_id};
use serde_json::json;
use tonic::Code;

use crate::plugins::{guest, hostile, upload, validated};
use crate::world::World;

const PARENT: &str = "areas/xinhua";

#[tokio::test(flavor = "multi_thread")]
async fn hostile_plugins_are_rejected_with_their_problems_by_name() {
    let corpus = [
        ("bytes", b"no component at all".to_vec(), "NOT_A_COMPONENT"),
        ("module", hostile("core-module"), "NOT_A_COMPONENT"),
        ("importer", hostile("importer"), "FORBIDDEN_IMPORT"),
        ("loop", guest("loop"), "LOOPS"),
        ("eater", guest("memory-eater"), "TOO_MUCH_MEMORY"),
        ("recursion", guest("recursion"), "TRAPS"),
        ("trap", guest("trap"), "TRAPS"),
    ];
    for engine in engines() {
        let world = World::start(engine, false).await;
        world.roles_known().await;
        let op = world.secretary();
        let plugin = json!({"display_name": {"zh_cn": "敌", "en": "hostile"}});
        op.ok("rules.CreatePlugin", json!({"parent": PARENT, "plugin_id": "hostile", "plugin": plugin})).await;
        let mut wrong = Vec::new();
        for (what, component, code) in &corpus {
            let name = format!("{PARENT}/plugins/hostile");
            let version = upload(&op, &name, &request_id(), component).await.expect("bytes are taken in");
            let version = validated(&op, version["name"].as_str().unwrap_or_default()).await;
            let problems = version["problems"].as_array().cloned().unwrap_or_default();
            let named = problems.iter().any(|p| p["code"].as_str().is_some_and(|c| c == *code));
            let remedy = problems.iter().all(|p| p["message"].as_str().is_some_and(|m| m.len() > 10));
            if version["state"] != "PLUGIN_VERSION_STATE_REJECTED" || !named || !remedy {
                wrong.push(format!("{what}: wanted {code}: {version}"));
            }
            let binding = json!({"hook": "points-award", "plugin_version": version["name"]});
            let body = json!({"parent": PARENT, "rule_binding_id": "hostile", "rule_binding": binding});
            let refused = op.refused("rules.CreateRuleBinding", body).await;
            if !refused.names("rule_binding.plugin_version") {
                wrong.push(format!("{what} is not bound: {refused:?}"));
            }
        }
        assert!(wrong.is_empty(), "{engine:?}: {wrong:#?}");
        let bindings = op.ok("rules.ListRuleBindings", json!({"parent": PARENT})).await;
        assert_eq!(bindings["rule_bindings"], json!([]), "nothing was bound");
        world.suite.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_that_is_too_large_empty_or_out_of_order_is_refused() {
    for engine in engines() {
        let world = World::start(engine, false).await;
        world.roles_known().await;
        let op = world.secretary();
        let plugin = json!({"display_name": {"zh_cn": "大", "en": "large"}});
        op.ok("rules.CreatePlugin", json!({"parent": PARENT, "plugin_id": "large", "plugin": plugin})).await;
        let name = format!("{PARENT}/plugins/large");
        for (what, component) in [("too large", vec![0; 300 << 10]), ("empty", Vec::new())] {
            let refused = refusal(&upload(&op, &name, &request_id(), &component).await.expect_err(what));
            assert_eq!((refused.code, refused.names("chunk")), (Code::InvalidArgument, true), "{what}: {refused:?}");
        }
        let missing = upload(&op, &format!("{PARENT}/plugins/none"), &request_id(), b"x").await.expect_err("no plugin");
        assert_eq!(refusal(&missing).code, Code::NotFound);
        let listed = op.ok("rules.ListPluginVersions", json!({"parent": PARENT})).await;
        assert_eq!(listed["plugin_versions"], json!([]));
        world.suite.stop().await;
    }
}
