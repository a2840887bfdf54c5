//! Claims about pods: what they run, as whom, with which secrets, and how they end.

use serde_json::Value;

use super::{ROLES, ROOTS, base, list, rendered, text, title};
use crate::repo::{self, holds};

/// Pod templates of Deployments and Jobs, with the document they are from.
fn pods() -> Vec<(Value, Value)> {
    let documents = ROOTS.into_iter().flat_map(rendered);
    let with_pods = documents.filter(|document| document["spec"]["template"]["spec"].is_object());
    with_pods.map(|document| (document.clone(), document["spec"]["template"]["spec"].clone())).collect()
}

/// `org` of a document that belongs to the role org.
fn role(document: &Value) -> String {
    text(&document["metadata"]["labels"]["app.kubernetes.io/component"]).to_owned()
}

#[test]
fn every_role_is_deployed_with_all_that_belongs_to_it() {
    let mut found = Vec::new();
    for kind in ["Deployment", "Service", "ServiceAccount", "PodDisruptionBudget"] {
        let there: Vec<String> =
            base(kind).iter().map(|document| text(&document["metadata"]["name"]).to_owned()).collect();
        for role in ROLES.iter().filter(|role| !there.contains(&format!("linli-{role}"))) {
            found.push(format!("no {kind} linli-{role}"));
        }
    }
    holds(found);
}

#[test]
fn a_role_runs_its_own_command() {
    let mut found = Vec::new();
    for deployment in base("Deployment") {
        let args = &deployment["spec"]["template"]["spec"]["containers"][0]["args"];
        if text(&args[0]) != "serve" || text(&args[1]) != role(&deployment) {
            found.push(format!("{}: {args}", title(&deployment)));
        }
    }
    holds(found);
}

#[test]
fn every_pod_is_restricted() {
    let mut found = Vec::new();
    for (document, pod) in pods() {
        let mut claim = |holds: bool, what: &str| {
            if !holds {
                found.push(format!("{}: {what}", title(&document)));
            }
        };
        claim(pod["securityContext"]["runAsNonRoot"] == true, "may run as root");
        claim(pod["securityContext"]["seccompProfile"]["type"] == "RuntimeDefault", "no seccomp profile");
        claim(pod["automountServiceAccountToken"] == false, "carries a token of the cluster");
        claim(pod["enableServiceLinks"] == false, "gets variables that look like configuration");
        for container in list(&pod["containers"]).iter().chain(list(&pod["initContainers"])) {
            let security = &container["securityContext"];
            claim(security["readOnlyRootFilesystem"] == true, "may write its image");
            claim(security["allowPrivilegeEscalation"] == false, "may gain privileges");
            claim(security["capabilities"]["drop"] == serde_json::json!(["ALL"]), "keeps capabilities");
            claim(container["resources"]["limits"]["memory"].is_string(), "no memory limit");
            claim(container["resources"]["requests"]["cpu"].is_string(), "asks for no CPU");
        }
    }
    holds(found);
}

#[test]
fn a_pod_sees_no_secret_but_its_own() {
    // Rules runs what communities upload: it above all.
    let mut found = Vec::new();
    for (document, pod) in pods() {
        let own = format!("linli-{}-", role(&document));
        for name in secrets(&pod).into_iter().filter(|name| !name.starts_with(&own)) {
            found.push(format!("{}: {name}", title(&document)));
        }
    }
    holds(found);
}

/// Names of all secrets that a pod mentions, wherever it does.
fn secrets(value: &Value) -> Vec<String> {
    match value {
        Value::Array(all) => all.iter().flat_map(secrets).collect(),
        Value::Object(all) => {
            let mut found = Vec::new();
            for (key, inner) in all {
                match key.as_str() {
                    "secretName" => found.push(text(inner).to_owned()),
                    "secretKeyRef" | "secretRef" => found.push(text(&inner["name"]).to_owned()),
                    "secret" if inner["name"].is_string() => found.push(text(&inner["name"]).to_owned()),
                    _ => found.extend(secrets(inner)),
                }
            }
            // A secret volume nests its name once more.
            found.extend(all.get("secret").filter(|inner| !inner["name"].is_string()).map(secrets).unwrap_or_default());
            found.sort();
            found.dedup();
            found
        }
        _ => Vec::new(),
    }
}

#[test]
fn secrets_are_found_wherever_a_pod_mentions_them() {
    let pod = serde_json::json!({
        "containers": [{
            "env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "one", "key": "k"}}}],
            "envFrom": [{"secretRef": {"name": "two"}}]
        }],
        "volumes": [
            {"name": "a", "secret": {"secretName": "three"}},
            {"name": "b", "projected": {"sources": [{"secret": {"name": "four"}}]}}
        ]
    });
    let mut found = secrets(&pod);
    found.sort();
    assert_eq!(found, ["four", "one", "three", "two"]);
}

#[test]
fn a_drain_ends_before_the_pod_is_killed() {
    let config: Value = serde_norway::from_str(&repo::text("deploy/base/linli.yaml")).expect("the config is YAML");
    let drain = config["server"]["drain_secs"].as_u64().expect("drain_secs");
    let mut found = Vec::new();
    for deployment in base("Deployment") {
        let pod = &deployment["spec"]["template"]["spec"];
        let grace = pod["terminationGracePeriodSeconds"].as_u64().unwrap_or(30);
        let pause = pod["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"].as_u64().unwrap_or(0);
        if pause == 0 || pause + drain >= grace {
            found.push(format!("{}: pause {pause} s + drain {drain} s, killed after {grace} s", title(&deployment)));
        }
    }
    holds(found);
}

#[test]
fn every_server_is_probed_for_start_life_and_readiness() {
    let mut found = Vec::new();
    for deployment in base("Deployment") {
        let container = &deployment["spec"]["template"]["spec"]["containers"][0];
        for (probe, path) in
            [("startupProbe", "/healthz"), ("livenessProbe", "/healthz"), ("readinessProbe", "/readyz")]
        {
            if container[probe]["httpGet"]["path"] != path {
                found.push(format!("{}: {probe} is not {path}", title(&deployment)));
            }
        }
    }
    holds(found);
}

#[test]
fn selectors_find_the_pods_of_their_own_role_only() {
    let mut found = Vec::new();
    for kind in ["Service", "PodDisruptionBudget", "Deployment"] {
        for document in base(kind) {
            let spec = &document["spec"]["selector"];
            let selector = if kind == "Service" { spec } else { &spec["matchLabels"] };
            if selector["app.kubernetes.io/component"] != role(&document).as_str() || role(&document).is_empty() {
                found.push(format!("{}: {selector}", title(&document)));
            }
        }
    }
    holds(found);
}
