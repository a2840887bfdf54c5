//! Claims about the configuration that the manifests carry.

use serde_json::Value;

use super::base;
use crate::repo::{holds, text};

fn yaml(path: &str) -> Value {
    serde_norway::from_str(&text(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
}

/// Paths of keys that the defaults do not have. A map that is empty by default takes any key.
fn unknown(path: &str, ours: &Value, defaults: &Value, found: &mut Vec<String>) {
    let (Some(ours), Some(defaults)) = (ours.as_object(), defaults.as_object()) else { return };
    if defaults.is_empty() {
        return;
    }
    for (key, value) in ours {
        match defaults.get(key) {
            Some(default) => unknown(&format!("{path}{key}."), value, default, found),
            None => found.push(format!("deploy/base/linli.yaml: {path}{key} is no setting")),
        }
    }
}

#[test]
fn every_key_of_the_manifests_configuration_is_a_setting() {
    // The binary refuses unknown keys, and would never become ready.
    let mut found = Vec::new();
    unknown("", &yaml("deploy/base/linli.yaml"), &yaml("cli/src/config.yaml"), &mut found);
    holds(found);
}

#[test]
fn compiled_plugins_fill_half_of_their_volume_at_most() {
    let kept = yaml("deploy/base/linli.yaml")["rules"]["compiled_mib"].as_u64().expect("a number");
    let pod = text("deploy/components/restricted/pod.yaml");
    let (_, limit) = pod.split_once("sizeLimit: ").expect("the volume has a limit");
    let limit: u64 = limit.split("Mi").next().and_then(|mib| mib.parse().ok()).expect("in Mi");
    assert!(kept > 0 && kept * 2 <= limit, "{kept} MiB of {limit} MiB: a full volume would have the pod evicted");
}

#[test]
fn every_peer_is_a_service_of_the_manifests_on_its_port() {
    let config = yaml("deploy/base/linli.yaml");
    let services = base("Service");
    let mut found = Vec::new();
    for (role, url) in config["peers"].as_object().expect("peers") {
        let service = services.iter().find(|service| service["metadata"]["name"] == format!("linli-{role}"));
        let port = service.and_then(|service| service["spec"]["ports"][0]["port"].as_u64());
        let there = port.map(|port| format!("http://linli-{role}:{port}"));
        if url.as_str() != there.as_deref() {
            found.push(format!("peers.{role} is {url}, but the Service is at {there:?}"));
        }
    }
    holds(found);
}
