//! Every reason of an error has a text in both languages.

use std::collections::BTreeSet;

use crate::repo::{code, holds, root, text, tracked_with, without_tests};

/// Reasons that no client ever reads, and why.
const NEVER_RENDERED: [(&str, &str); 1] = [("PEER", "stands for the status of another service, passed on as it is")];

/// Ids of the texts in one Fluent file; empty when there is no such file.
fn ids(path: &str) -> BTreeSet<String> {
    if !root().join(path).is_file() {
        return BTreeSet::new();
    }
    let text = text(path);
    let heads = text.lines().filter(|line| line.starts_with(|c: char| c.is_ascii_alphabetic()));
    heads.filter_map(|line| line.split_once('=').map(|(id, _)| id.trim().to_owned())).collect()
}

/// Arguments of each call of `function` in a source: the text between its parentheses.
fn calls<'a>(source: &'a str, function: &str) -> Vec<&'a str> {
    let starts = source.match_indices(function).map(|(at, name)| &source[at + name.len()..]);
    starts.filter_map(|rest| rest.strip_prefix('(')).map(arguments).collect()
}

fn arguments(rest: &str) -> &str {
    let (mut depth, mut quoted, mut escaped) = (1, false, false);
    for (at, c) in rest.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            '(' if !quoted => depth += 1,
            ')' if !quoted => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return &rest[..at];
        }
    }
    rest
}

/// The text literals of an argument list that look like a reason.
fn reasons(arguments: &str) -> Vec<String> {
    let literals = arguments.split('"').skip(1).step_by(2);
    let reason = |s: &&str| {
        s.len() > 2
            && s.starts_with(|c: char| c.is_ascii_uppercase())
            && s.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
    };
    literals.filter(reason).map(str::to_owned).collect()
}

/// `services/booking` of `services/booking/src/api.rs`, when the file is one of a crate that answers clients.
fn owner(file: &str) -> Option<&str> {
    let (owner, _) = file.split_once("/src/")?;
    (owner.starts_with("services/") || owner == "gateway" || owner == "cli").then_some(owner)
}

#[test]
fn every_reason_has_a_text_in_both_languages() {
    let kit = ["zh-CN", "en"].map(|lang| ids(&format!("services/kit/locales/{lang}.ftl")));
    let mut found = Vec::new();
    for file in tracked_with(&[".rs"]) {
        let Some(owner) = owner(&file) else { continue };
        let source = text(&file);
        let source = code(without_tests(&source));
        let used = ["Error::new", "FieldViolation::new"].into_iter().flat_map(|name| calls(&source, name));
        let own = ["zh-CN", "en"].map(|lang| ids(&format!("{owner}/locales/{lang}.ftl")));
        for reason in used.flat_map(reasons).filter(|r| !NEVER_RENDERED.iter().any(|(name, _)| name == r)) {
            for (at, lang) in ["zh-CN", "en"].into_iter().enumerate() {
                if !kit[at].contains(&reason) && !own[at].contains(&reason) {
                    found.push(format!("{file}: {reason} has no text in {owner}/locales/{lang}.ftl"));
                }
            }
        }
    }
    holds(found);
}

#[test]
fn both_languages_have_the_same_texts() {
    let mut found = Vec::new();
    for file in tracked_with(&["/locales/zh-CN.ftl", "/locales/en.ftl"]) {
        let (dir, _) = file.rsplit_once('/').expect("a directory");
        let (zh, en) = (ids(&format!("{dir}/zh-CN.ftl")), ids(&format!("{dir}/en.ftl")));
        found.extend(zh.symmetric_difference(&en).map(|id| format!("{dir}: {id} stands in one language only")));
    }
    found.sort();
    found.dedup();
    holds(found);
}

#[test]
fn reasons_are_found_in_calls_over_several_lines() {
    let source = "Err(Error::new(\n    ErrorCode::Aborted,\n    \"SLOT_FULL\",\n).with(\"n\", f(\"a)\")))";
    let found: Vec<String> = calls(source, "Error::new").into_iter().flat_map(reasons).collect();
    assert_eq!(found, ["SLOT_FULL"]);
}
