//! Facts that a case gives or a rule wants, against those that the rule declares: what is not declared never reaches it.
//! Never: decides what a rule may read; the engine leaves out what is not declared.

use linli_rules_engine::types::{Context, Refusal};
use linli_rules_engine::{Fact, Fault, Hook};
use serde_json::Value;

use crate::case::{Case, parse_one};
use crate::run::{Rule, ask};

/// Somebody of whom everything is known.
const WHO: &str =
    "{age-years: 75, standing: resident, joined: 2020-01-01T08:00+08:00, roles: [volunteer], tags: [living-alone]}";
const USED: &str = "{open: 0, this-week: 0, this-month: 0, no-shows: 0}";

/// A fact that a case gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Given {
    /// Where it stands, such as `who.age-years`.
    pub path: String,
    /// The group that a rule declares to read it.
    pub fact: Fact,
}

/// The facts about people in a case as it was written.
pub(crate) fn given(facts: &Value) -> Vec<Given> {
    let mut found = Vec::new();
    visit(facts, "", &mut found);
    found
}

fn visit(value: &Value, path: &str, found: &mut Vec<Given>) {
    let Value::Object(fields) = value else { return };
    for (key, value) in fields.iter().filter(|(_, value)| !value.is_null()) {
        let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
        match (key.as_str(), value) {
            ("who" | "actor", _) => person(value, &path, found),
            ("queue", Value::Array(waiting)) => waiting.iter().for_each(|one| visit(one, &path, found)),
            ("used", _) => found.push(Given { path, fact: Fact::Usage }),
            ("balances", _) => found.push(Given { path, fact: Fact::Balances }),
            ("answers", _) => found.push(Given { path, fact: Fact::Answers }),
            _ => {}
        }
    }
}

fn person(value: &Value, path: &str, found: &mut Vec<Given>) {
    let Value::Object(fields) = value else { return };
    for (key, _) in fields.iter().filter(|(_, value)| !value.is_null()) {
        let code = if key == "age-years" { "age" } else { key };
        found.extend(Fact::from_code(code).map(|fact| Given { path: format!("{path}.{key}"), fact }));
    }
}

/// The facts that a case gives and the rule does not declare, each group once.
pub fn undeclared<'a>(rule: &Rule, case: &'a Case) -> Vec<&'a Given> {
    let mut found: Vec<&Given> = Vec::new();
    for given in &case.given {
        if !rule.plugin().facts().has(given.fact) && !found.iter().any(|one| one.fact == given.fact) {
            found.push(given);
        }
    }
    found
}

/// The hooks that decline for want of a fact though everything is known, since the rule does not declare it.
pub fn forgotten(rule: &Rule) -> Vec<(Hook, Fact)> {
    rule.plugin().hooks().filter_map(|hook| missed(rule, hook).map(|fact| (hook, fact))).collect()
}

fn missed(rule: &Rule, hook: Hook) -> Option<Fact> {
    let case = parse_one("(everything known)", &everything(hook), Some(hook)).ok()?;
    let context: Context = rule.context("(everything known)", &case).ok()?;
    match ask(rule, &context, &case).came {
        Err(Fault::Refused(Refusal::MissingFact(code))) => {
            Fact::from_code(&code).filter(|fact| !rule.plugin().facts().has(*fact))
        }
        _ => None,
    }
}

fn everything(hook: Hook) -> String {
    let about = "balances: {points: 100}\nanswers: {urgent: false}\n";
    match hook {
        Hook::Eligibility | Hook::Price => format!("who: {WHO}\nused: {USED}\n{about}"),
        Hook::Priority => format!("queue: [{{who: {WHO}, used: {USED}, answers: {{urgent: false}}}}]\n"),
        Hook::Award => format!("actor: {WHO}\nbalances: {{points: 100}}\n"),
        Hook::Track | Hook::Thresholds => "{}".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(hook: Hook, text: &str) -> Vec<String> {
        let case = parse_one("f.yaml", text, Some(hook)).expect("facts");
        case.given.into_iter().map(|given| given.path).collect()
    }

    #[test]
    fn facts_about_people_are_found_where_they_stand() {
        let asked = "who: {age-years: 7, handle: 1, joined: null}\nused: {open: 1}\nparty: 2\n";
        assert_eq!(paths(Hook::Eligibility, asked), ["used", "who.age-years"]);
        assert_eq!(paths(Hook::Priority, "queue: [{who: {tags: [x]}}]"), ["queue.who.tags"]);
    }

    #[test]
    fn a_question_with_everything_known_can_be_asked_of_every_hook() {
        for hook in Hook::ALL {
            assert!(parse_one("x", &everything(hook), Some(hook)).is_ok(), "{}", hook.code());
        }
    }
}
