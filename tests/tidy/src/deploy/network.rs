//! Claims about the network: it lets through what the contract allows, and nothing else.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{ROLES, base, list, text, title};
use crate::repo::holds;

/// Port of gRPC inside the cluster.
const GRPC: u64 = 50051;

/// Roles that a pod selector picks.
fn picked(selector: &Value) -> BTreeSet<String> {
    let label = &selector["matchLabels"]["app.kubernetes.io/component"];
    if label.is_string() {
        return BTreeSet::from([text(label).to_owned()]);
    }
    let expressions = list(&selector["matchExpressions"]);
    let expression = expressions.iter().find(|e| e["key"] == "app.kubernetes.io/component" && e["operator"] == "In");
    expression.map(|e| list(&e["values"]).iter().map(|role| text(role).to_owned()).collect()).unwrap_or_default()
}

fn on_grpc(rule: &Value) -> bool {
    list(&rule["ports"]).iter().any(|port| port["port"] == GRPC)
}

/// Arrows `(caller, callee)` of all policies, in one of the two directions.
fn arrows(direction: &str, peers: &str) -> BTreeSet<(String, String)> {
    let mut found = BTreeSet::new();
    for policy in base("NetworkPolicy") {
        let subjects = picked(&policy["spec"]["podSelector"]);
        for rule in list(&policy["spec"][direction]).iter().filter(|rule| on_grpc(rule)) {
            for other in list(&rule[peers]).iter().flat_map(|peer| picked(&peer["podSelector"])) {
                for subject in &subjects {
                    let (subject, other) = (subject.clone(), other.clone());
                    found.insert(if direction == "ingress" { (other, subject) } else { (subject, other) });
                }
            }
        }
    }
    found
}

/// Arrows that the contract asks for: the gateway calls every service, a service calls whom it may, and all follow org.
fn wanted() -> BTreeSet<(String, String)> {
    let services: Vec<&str> = ROLES.into_iter().filter(|role| *role != "gateway").collect();
    let mut wanted: BTreeSet<(String, String)> =
        services.iter().map(|service| ("gateway".to_owned(), (*service).to_owned())).collect();
    for method in linli_proto::methods().values() {
        let callee = method.path.split('.').nth(1).unwrap_or_default();
        if services.contains(&callee) {
            wanted.extend(method.internal_callers.iter().map(|caller| (caller.clone(), callee.to_owned())));
        }
    }
    // Feeds have one method for all services. Everybody follows org; points follows booking, to thank volunteers.
    for service in services.iter().filter(|service| **service != "org") {
        wanted.insert(((*service).to_owned(), "org".to_owned()));
    }
    wanted.insert(("points".to_owned(), "booking".to_owned()));
    wanted
}

#[test]
fn the_network_lets_through_what_the_contract_allows_and_nothing_else() {
    let wanted = wanted();
    let mut found = Vec::new();
    for (direction, peers) in [("ingress", "from"), ("egress", "to")] {
        let there = arrows(direction, peers);
        found.extend(wanted.difference(&there).map(|(from, to)| format!("{direction}: no way from {from} to {to}")));
        found
            .extend(there.difference(&wanted).map(|(from, to)| format!("{direction}: {from} reaches {to} needlessly")));
    }
    holds(found);
}

#[test]
fn what_is_not_listed_is_refused() {
    let default = base("NetworkPolicy").into_iter().find(|policy| text(&policy["metadata"]["name"]) == "linli-default");
    let default = default.expect("a default policy");
    assert_eq!(default["spec"]["policyTypes"], serde_json::json!(["Ingress", "Egress"]));
    assert_eq!(default["spec"]["podSelector"]["matchLabels"], serde_json::json!({"app.kubernetes.io/name": "linli"}));
    assert!(default["spec"]["ingress"].is_null(), "nothing comes in by default");
    // And every pod carries the label by which it is picked.
    let mut found = Vec::new();
    for document in ["Deployment", "Job"].into_iter().flat_map(base) {
        if document["spec"]["template"]["metadata"]["labels"]["app.kubernetes.io/name"] != "linli" {
            found.push(format!("{}: escapes the default policy", title(&document)));
        }
    }
    holds(found);
}

#[test]
fn only_the_gateway_is_reached_from_everywhere() {
    let mut found = Vec::new();
    for policy in base("NetworkPolicy") {
        let open = list(&policy["spec"]["ingress"]).iter().any(|rule| list(&rule["from"]).is_empty());
        if open && picked(&policy["spec"]["podSelector"]) != BTreeSet::from(["gateway".to_owned()]) {
            found.push(title(&policy));
        }
    }
    holds(found);
}

#[test]
fn only_roles_with_a_schema_reach_the_database() {
    let mut reach: BTreeMap<u64, BTreeSet<String>> = BTreeMap::new();
    for policy in base("NetworkPolicy") {
        for rule in list(&policy["spec"]["egress"]) {
            for port in list(&rule["ports"]).iter().filter_map(|port| port["port"].as_u64()) {
                reach.entry(port).or_default().extend(picked(&policy["spec"]["podSelector"]));
            }
        }
    }
    let expected = ["booking", "deliberation", "migrate", "org", "points", "rules"].map(str::to_owned);
    assert_eq!(reach[&5432], BTreeSet::from(expected));
}
