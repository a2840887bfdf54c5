//! The communities' rules in `plugins/` as examples: short enough to be read, with cases, and listed where readers look.

use std::collections::BTreeMap;

use crate::repo::{holds, text, tracked};

/// What a newcomer reads at one sitting.
const MOST_LINES: usize = 150;

/// The sources of rules, by the form that they have.
const SOURCES: [&str; 4] = ["src/lib.rs", "rule.js", "rule.ts", "rule.yaml"];

/// The directories of rules with their source; what others are written with is no rule.
fn rules() -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for path in tracked() {
        let rest = path.strip_prefix("plugins/").and_then(|rest| rest.split_once('/'));
        let Some((name, file)) = rest.filter(|(name, _)| *name != "sdk") else { continue };
        if SOURCES.contains(&file) {
            found.insert(name.to_owned(), path.clone());
        }
    }
    assert!(found.len() >= 9, "only {found:?}");
    found
}

#[test]
fn each_rule_is_short_and_has_cases() {
    let (tracked, mut wrong) = (tracked(), Vec::new());
    for (name, source) in rules() {
        let lines = text(&source).lines().count();
        if lines > MOST_LINES {
            wrong.push(format!("{source}: {lines} lines, at most {MOST_LINES}"));
        }
        let vectors = format!("plugins/{name}/vectors.yaml");
        if !tracked.contains(&vectors) {
            wrong.push(format!("{source}: no {vectors}"));
        }
    }
    holds(wrong);
}

#[test]
fn each_rule_is_among_the_examples() {
    let page = text("docs/plugins/README.md");
    let missing = rules().into_iter().filter(|(_, source)| !page.contains(&format!("](../../{source})")));
    holds(missing.map(|(name, source)| format!("docs/plugins/README.md does not name {name} ({source})")).collect());
}
