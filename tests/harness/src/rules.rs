//! Rules for tests: a built plugin that is uploaded, validated and bound, through public RPCs.

use linli_proto::rules as pb;

use crate::seed::{request_id, text};
use crate::{Actor, plugin_validator, until};

/// The bytes of a plugin that `cargo xtask plugins` has built.
///
/// # Panics
/// When it was not built.
pub fn component(plugin: &str) -> Vec<u8> {
    let path = format!("{}/../../plugins/target/components/{plugin}.wasm", env!("CARGO_MANIFEST_DIR"));
    std::fs::read(&path).unwrap_or_else(|e| panic!("{path}: {e}: build it with `cargo xtask plugins`"))
}

/// Uploads a plugin, waits until it is found valid, and binds it at a hook, for some kinds (none: for all).
///
/// # Panics
/// When something refuses.
pub async fn bind(op: &Actor, slug: &str, plugin: &str, hook: &str, kinds: &[&str], settings: Vec<pb::Setting>) {
    let parent = format!("areas/{slug}");
    let plugin_version = valid_version(op, &parent, plugin).await;
    let binding = pb::RuleBinding {
        hook: hook.to_owned(),
        plugin_version,
        kinds: kinds.iter().map(|kind| (*kind).to_owned()).collect(),
        settings,
        ..Default::default()
    };
    let request = pb::CreateRuleBindingRequest {
        parent,
        rule_binding: Some(binding),
        rule_binding_id: format!("{plugin}-rule"),
        request_id: request_id(),
    };
    op.rules().create_rule_binding(request).await.expect("a binding");
}

async fn valid_version(op: &Actor, parent: &str, plugin: &str) -> String {
    assert!(plugin_validator().exists(), "build it first: cargo build -p linli-rules --bin linli-validate-worker");
    let request = pb::CreatePluginRequest {
        parent: parent.to_owned(),
        plugin: Some(pb::Plugin { display_name: text(plugin, plugin), ..Default::default() }),
        plugin_id: plugin.to_owned(),
        request_id: request_id(),
    };
    let made = op.rules().create_plugin(request).await.expect("a plugin").into_inner();
    let header = pb::UploadHeader { parent: made.name, request_id: request_id(), ..Default::default() };
    let message = |data| pb::UploadPluginVersionRequest { data: Some(data) };
    let mut messages = vec![message(pb::upload_plugin_version_request::Data::Header(header))];
    let component = component(plugin);
    let chunks = component.chunks(60 << 10).map(|c| pb::upload_plugin_version_request::Data::Chunk(c.to_vec()));
    messages.extend(chunks.map(message));
    let uploaded = op.rules().upload_plugin_version(futures::stream::iter(messages)).await;
    let version = uploaded.expect("an upload").into_inner().name;
    let request = pb::ValidatePluginVersionRequest { name: version.clone(), request_id: request_id() };
    op.rules().validate_plugin_version(request).await.expect("a validation");
    until("a valid version", || async {
        let request = pb::GetPluginVersionRequest { name: version.clone() };
        let found = op.rules().get_plugin_version(request).await.ok()?.into_inner();
        assert_ne!(found.state(), pb::PluginVersionState::Rejected, "{:?}", found.problems);
        (found.state() == pb::PluginVersionState::Valid).then_some(())
    })
    .await;
    version
}
