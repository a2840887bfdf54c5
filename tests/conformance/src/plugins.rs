//! Components for uploads: those of this repository, and hostile ones that are made from text.

use std::path::PathBuf;

use linli_harness::until;
use prost::Message as _;
use serde_json::{Value, json};
use tonic::Status;
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

use crate::caller::Caller;
use crate::wire::{self, Rpc};

fn repository() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn read(path: &str) -> Vec<u8> {
    let path = repository().join(path);
    std::fs::read(&path).unwrap_or_else(|problem| {
        panic!("{} cannot be read ({problem}): build the plugins first with `cargo xtask plugins`", path.display())
    })
}

/// A plugin of this repository.
pub(crate) fn built(name: &str) -> Vec<u8> {
    read(&format!("plugins/target/components/{name}.wasm"))
}

/// A component of the hostile corpus, as it stands.
pub(crate) fn hostile(name: &str) -> Vec<u8> {
    let path = repository().join(format!("services/rules/engine/tests/hostile/{name}.wat"));
    wat::parse_file(path).expect("the corpus is valid text")
}

/// A guest of the hostile corpus: the skeleton with its body, made a component of the award hook.
pub(crate) fn guest(name: &str) -> Vec<u8> {
    let text = |path: &str| String::from_utf8(read(path)).expect("the corpus is text");
    let skeleton = text("services/rules/engine/tests/hostile/guests/skeleton.wat");
    let body = text(&format!("services/rules/engine/tests/hostile/guests/{name}.wat"));
    let mut module = wat::parse_str(skeleton.replace(";; BODY", &body)).expect("the guest is valid text");
    let mut resolve = Resolve::default();
    let package = resolve.push_str("rules.wit", &text("plugins/wit/rules.wit")).expect("the contract is valid");
    let world = resolve.select_world(&[package], Some("award-rule")).expect("the contract has an award hook");
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).expect("the metadata fits");
    let encoder = ComponentEncoder::default().module(&module).expect("the module is one");
    encoder.validate(false).encode().expect("the guest fits its world")
}

/// Says what is missing when uploads cannot be validated here.
pub(crate) fn validator_is_built() {
    let path = linli_harness::plugin_validator();
    let build = "cargo build -p linli-rules --bin linli-validate-worker";
    assert!(path.exists(), "{} is missing: build it first with `{build}`", path.display());
}

/// Uploads a component in chunks.
pub(crate) async fn upload(by: &Caller, plugin: &str, request_id: &str, component: &[u8]) -> Result<Value, Status> {
    upload_with(by, json!({"parent": plugin, "request_id": request_id}), component).await
}

/// The same with a header of one's own.
pub(crate) async fn upload_with(by: &Caller, header: Value, component: &[u8]) -> Result<Value, Status> {
    let rpc = Rpc::of("rules.UploadPluginVersion");
    let mut messages = vec![wire::encode(rpc.descriptor.input(), &json!({"header": header}))];
    for chunk in component.chunks(60 * 1024) {
        let data = linli_proto::rules::upload_plugin_version_request::Data::Chunk(chunk.to_vec());
        messages.push(linli_proto::rules::UploadPluginVersionRequest { data: Some(data) }.encode_to_vec());
    }
    let answer = wire::call(&by.channel, &rpc.info.path, messages, &by.terms).await?;
    Ok(rpc.decode(&answer))
}

/// Validates a version and waits for what comes of it.
pub(crate) async fn validated(by: &Caller, version: &str) -> Value {
    validator_is_built();
    by.ok("rules.ValidatePluginVersion", json!({"name": version})).await;
    until("a validation", || async {
        let version = by.ok("rules.GetPluginVersion", json!({"name": version})).await;
        (version["state"] != "PLUGIN_VERSION_STATE_UPLOADED").then_some(version)
    })
    .await
}
