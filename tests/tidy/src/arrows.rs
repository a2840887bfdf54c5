//! Which crate may know which: the arrows of ARCHITECTURE.md.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use crate::repo::{code, has_word, holds, root, text, tracked_with, without_tests};

const SERVICES: [&str; 5] = ["linli-org", "linli-booking", "linli-points", "linli-deliberation", "linli-rules"];

/// Direct, non-dev dependencies of every member of the workspace.
fn dependencies() -> BTreeMap<String, BTreeSet<String>> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["metadata", "--no-deps", "--offline", "--format-version", "1"])
        .current_dir(root())
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&output.stderr));
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).expect("cargo metadata is JSON");
    let packages = metadata["packages"].as_array().expect("packages");
    let named = |value: &serde_json::Value| value["name"].as_str().expect("a name").to_owned();
    packages
        .iter()
        .map(|package| {
            let all = package["dependencies"].as_array().expect("dependencies").iter();
            (named(package), all.filter(|d| d["kind"] != "dev").map(named).collect())
        })
        .collect()
}

/// Says so when a crate outside `allowed` depends on one of `crates`.
fn only(allowed: &[&str], crates: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for (package, dependencies) in dependencies() {
        for dependency in dependencies.iter().filter(|d| crates.contains(&d.as_str())) {
            if !allowed.contains(&package.as_str()) {
                found.push(format!("{package} depends on {dependency}; only {allowed:?} may"));
            }
        }
    }
    found
}

/// Lines of code, outside unit tests, that mention one of the words.
fn mentions(files: &[String], words: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for file in files {
        let source = text(file);
        for (number, line) in code(without_tests(&source)).lines().enumerate() {
            for word in words.iter().filter(|word| has_word(line, word)) {
                found.push(format!("{file}:{}: mentions {word}", number + 1));
            }
        }
    }
    found
}

#[test]
fn no_service_crate_depends_on_another() {
    // The binary wires them together; nobody else knows one.
    holds(only(&["linli"], &SERVICES));
}

#[test]
fn the_gateway_knows_contract_kit_and_kernel_only() {
    let allowed = ["linli-proto", "linli-kit", "linli-kernel"];
    let dependencies = &dependencies()["linli-gateway"];
    let ours = dependencies.iter().filter(|d| d.starts_with("linli") && !allowed.contains(&d.as_str()));
    holds(ours.map(|d| format!("linli-gateway depends on {d}")).collect());
}

#[test]
fn kit_and_access_know_no_service() {
    let all = dependencies();
    let allowed: BTreeMap<&str, &[&str]> = BTreeMap::from([
        ("linli-kernel", &[][..]),
        ("linli-proto", &[][..]),
        ("linli-kit", &["linli-proto", "linli-kernel"][..]),
        ("linli-access", &["linli-proto", "linli-kernel", "linli-kit"][..]),
    ]);
    let mut found = Vec::new();
    for (package, allowed) in allowed {
        for dependency in all[package].iter().filter(|d| d.starts_with("linli") && !allowed.contains(&d.as_str())) {
            found.push(format!("{package} depends on {dependency}"));
        }
    }
    holds(found);
}

#[test]
fn kernel_is_pure() {
    let banned = ["tokio", "tonic", "prost", "sea-orm", "linli-proto", "rand"];
    let kernel = &dependencies()["linli-kernel"];
    holds(banned.iter().filter(|b| kernel.contains(**b)).map(|b| format!("linli-kernel depends on {b}")).collect());
}

#[test]
fn a_domain_is_pure() {
    let mut files = tracked_with(&[".rs"]);
    files.retain(|file| {
        let parts: Vec<&str> = file.split('/').collect();
        matches!(parts.as_slice(), ["services", _, "src", "domain.rs"] | ["services", _, "src", "domain", ..])
    });
    holds(mentions(&files, &["tonic", "prost", "sea_orm", "tokio", "SystemTime", "Utc::now", "rand", "linli_proto"]));
}

#[test]
fn only_access_knows_the_policy_engine() {
    let files = tracked_with(&[".rs", "Cargo.toml"]);
    let outside: Vec<String> = files
        .into_iter()
        .filter(|f| !f.starts_with("services/access/") && !f.starts_with("tests/tidy/") && f != "Cargo.toml")
        .collect();
    holds(mentions(&outside, &["cedar", "cedar_policy", "cedar-policy"]));
}

#[test]
fn only_rules_runs_plugins() {
    holds(only(&["linli-rules-engine"], &["wasmtime", "wasmparser"]));
}

#[test]
fn authors_tools_know_the_evaluator_and_no_service() {
    let dependencies = &dependencies()["linli-authoring"];
    let ours = dependencies.iter().filter(|d| d.starts_with("linli") && *d != "linli-rules-engine");
    holds(ours.map(|d| format!("linli-authoring depends on {d}")).collect());
}

#[test]
fn only_the_edge_and_the_binary_terminate_tls() {
    let allowed = ["linli-gateway", "linli"];
    holds(only(&allowed, &["rustls", "tokio-rustls", "rcgen"]));
}

#[test]
fn only_storing_crates_know_the_database() {
    let storing = ["linli-kit", "linli-access", "linli", "linli-harness", "linli-faults", "linli-load", "linli-e2e"];
    let allowed: Vec<&str> = storing.into_iter().chain(SERVICES).collect();
    holds(only(&allowed, &["sea-orm", "sea-orm-migration"]));
}

#[test]
fn locks_for_update_stand_only_in_a_postgres_dialect() {
    // sea-query drops the builder's locks silently on SQLite, and the conformance suite would not notice.
    let mut files = tracked_with(&[".rs"]);
    files.retain(|file| file.starts_with("services/") && !file.contains("dialect/postgres"));
    let mut found = mentions(&files, &["lock_exclusive", "lock_shared", "lock_with_behavior"]);
    // Kit has no dialect files: it matches on the engine, and raw SQL of the wrong engine is refused aloud.
    files.retain(|file| !file.starts_with("services/kit/"));
    found.extend(mentions(&files, &["FOR UPDATE"]));
    holds(found);
}
