//! Claims about the manifests, as `kubectl kustomize` renders them.

use std::path::PathBuf;
use std::process::Command;

use serde::Deserialize as _;
use serde_json::Value;

use crate::repo::root;

mod config;
mod network;
mod pods;
mod typed;

/// What an operator applies.
const ROOTS: [&str; 2] = ["deploy/base", "deploy/overlays/dev"];
/// The roles that are deployed.
const ROLES: [&str; 6] = ["gateway", "org", "booking", "points", "deliberation", "rules"];

/// Every document of a rendered root.
fn rendered(path: &str) -> Vec<Value> {
    let output = Command::new(kubectl()).args(["kustomize", path]).current_dir(root()).output();
    let output = output.expect("kubectl, 1.30 or newer: `cargo xtask doctor --install`");
    assert!(output.status.success(), "{path}: {}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("manifests are UTF-8");
    serde_norway::Deserializer::from_str(&text)
        .map(|document| Value::deserialize(document).unwrap_or_else(|e| panic!("{path}: {e}")))
        .collect()
}

/// The one that xtask has installed, else that of the path.
fn kubectl() -> PathBuf {
    let ours = root().join("target/tools/python/bin/kubectl");
    if ours.is_file() { ours } else { "kubectl".into() }
}

/// Documents of one kind in the base.
fn base(kind: &str) -> Vec<Value> {
    rendered("deploy/base").into_iter().filter(|document| document["kind"] == kind).collect()
}

/// `Deployment linli-org`.
fn title(document: &Value) -> String {
    format!("{} {}", text(&document["kind"]), text(&document["metadata"]["name"]))
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}
