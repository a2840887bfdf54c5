//! The typed round trip: a field that Kubernetes does not know would be dropped, and is named here.

use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, PersistentVolumeClaim, Secret, Service, ServiceAccount};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{ROOTS, rendered, text, title};
use crate::repo::holds;

fn through<T: DeserializeOwned + Serialize>(document: &Value) -> Result<Value, String> {
    let typed: T = serde_json::from_value(document.clone()).map_err(|e| e.to_string())?;
    serde_json::to_value(typed).map_err(|e| e.to_string())
}

/// The document after a trip through its type.
fn round_trip(document: &Value) -> Result<Value, String> {
    match (text(&document["apiVersion"]), text(&document["kind"])) {
        ("apps/v1", "Deployment") => through::<Deployment>(document),
        ("apps/v1", "StatefulSet") => through::<StatefulSet>(document),
        ("batch/v1", "Job") => through::<Job>(document),
        ("networking.k8s.io/v1", "NetworkPolicy") => through::<NetworkPolicy>(document),
        ("policy/v1", "PodDisruptionBudget") => through::<PodDisruptionBudget>(document),
        ("v1", "ConfigMap") => through::<ConfigMap>(document),
        ("v1", "PersistentVolumeClaim") => through::<PersistentVolumeClaim>(document),
        ("v1", "Namespace") => through::<Namespace>(document),
        ("v1", "Secret") => through::<Secret>(document),
        ("v1", "Service") => through::<Service>(document),
        ("v1", "ServiceAccount") => through::<ServiceAccount>(document),
        (version, kind) => Err(format!("{version} {kind}: no type for it; add it here")),
    }
}

/// Kustomize breaks long base64 into lines, which Kubernetes passes over and the typed decoder does not.
fn unwrap_lines(document: &mut Value) {
    if document["kind"] != "Secret" {
        return;
    }
    for value in document["data"].as_object_mut().into_iter().flat_map(|data| data.values_mut()) {
        *value = text(value).split_whitespace().collect::<String>().into();
    }
}

/// Paths at which two values differ.
fn differences(path: &str, before: &Value, after: &Value, found: &mut Vec<String>) {
    match (before, after) {
        (Value::Object(a), Value::Object(b)) => {
            for key in a.keys().chain(b.keys().filter(|key| !a.contains_key(*key))) {
                let (a, b) = (a.get(key).unwrap_or(&Value::Null), b.get(key).unwrap_or(&Value::Null));
                differences(&format!("{path}.{key}"), a, b, found);
            }
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            for (at, (a, b)) in a.iter().zip(b).enumerate() {
                differences(&format!("{path}[{at}]"), a, b, found);
            }
        }
        _ if before != after => found.push(format!("{path}: {before} became {after}")),
        _ => {}
    }
}

#[test]
fn every_manifest_survives_its_type_unchanged() {
    let mut found = Vec::new();
    for path in ROOTS {
        for mut document in rendered(path) {
            unwrap_lines(&mut document);
            match round_trip(&document) {
                Err(error) => found.push(format!("{path}: {}: {error}", title(&document))),
                Ok(after) => differences(&format!("{path}: {}", title(&document)), &document, &after, &mut found),
            }
        }
    }
    holds(found);
}

#[test]
fn a_field_that_kubernetes_does_not_know_is_noticed() {
    let mut service = serde_json::json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": "a"}, "spec": {"clusterIp": "None"}
    });
    let after = round_trip(&service).expect("unknown fields are passed over");
    let mut found = Vec::new();
    differences("it", &service, &after, &mut found);
    assert_eq!(found, ["it.spec.clusterIp: \"None\" became null"]);
    service["spec"] = serde_json::json!({"clusterIP": "None"});
    assert_eq!(round_trip(&service), Ok(service));
}
