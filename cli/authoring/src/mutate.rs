//! The mutation check: moves each threshold by one and asks whether any case would have noticed.
//! Never: changes what an author wrote, or judges a rule whose cases do not pass.

use linli_rules_engine::manifest::SettingDecl;
use linli_rules_engine::table::{Asked, Table};
use linli_rules_engine::types::{Context, SettingValue};
use linli_rules_engine::{Outcome, Question};
use serde_json::{Value, json};

use crate::case::Case;
use crate::run::{Rule, ask};
use crate::tell;

/// A setting's default, changed a little.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mutant {
    /// The setting.
    pub key: String,
    /// What its default is.
    pub was: SettingValue,
    /// What it would be.
    pub would: SettingValue,
}

/// A mutant that no case notices, and a case that would.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Survivor {
    /// What was changed, such as `elder-age 70 -> 71`.
    pub what: String,
    /// What to do about it.
    pub remedy: String,
}

/// How many mutants there were, and those that lived.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tried {
    /// All.
    pub mutants: usize,
    /// Those that no case notices.
    pub survivors: Vec<Survivor>,
}

/// The mutants of a rule's settings: numbers one up and one down within their bounds, flags turned, each number of a list
/// moved.
pub fn mutants(declared: &[SettingDecl]) -> Vec<Mutant> {
    let mut mutants = Vec::new();
    for decl in declared {
        let variants: Vec<SettingValue> = match &decl.default {
            SettingValue::Flag(flag) => vec![SettingValue::Flag(!flag)],
            SettingValue::Number(number) => moved(*number).into_iter().map(SettingValue::Number).collect(),
            SettingValue::Numbers(list) => {
                let at = |at: usize| {
                    moved(list[at]).into_iter().map(move |number| {
                        let mut list = list.clone();
                        list[at] = number;
                        SettingValue::Numbers(list)
                    })
                };
                (0..list.len()).flat_map(at).collect()
            }
            SettingValue::Choice(_) | SettingValue::Codes(_) => Vec::new(),
        };
        let admitted = variants.into_iter().filter(|value| decl.kind.admits(value));
        mutants.extend(admitted.map(|would| Mutant { key: decl.key.clone(), was: decl.default.clone(), would }));
    }
    mutants
}

fn moved(number: i32) -> Vec<i32> {
    [number.checked_add(1), number.checked_sub(1)].into_iter().flatten().collect()
}

/// Tries every mutant of the settings on the cases that rely on the default. All cases pass before.
pub fn try_mutants(rule: &Rule, cases: &[(Case, Context)]) -> Tried {
    let mutants: Vec<Mutant> = mutants(&rule.plugin().manifest().settings)
        .into_iter()
        // What the rule itself refuses, no community can set.
        .filter(|mutant| accepted(rule, mutant))
        .collect();
    let survives = |mutant: &&Mutant| {
        let relying = cases.iter().filter(|(case, _)| !case.settings.contains_key(&mutant.key));
        relying.into_iter().all(|(case, context)| ask(rule, &mutant.within(context), case).passed)
    };
    let survivors = mutants.iter().filter(survives).map(|mutant| survivor(rule, mutant, cases)).collect();
    let mut tried = Tried { mutants: mutants.len(), survivors };
    if let Some(table) = rule.table() {
        try_rows(rule, table, cases, &mut tried);
    }
    tried
}

/// Tries a table with one number or one comparison of its rows changed.
fn try_rows(rule: &Rule, table: &Table, cases: &[(Case, Context)], tried: &mut Tried) {
    // Changed defaults were tried already.
    let rows = table.mutants().into_iter().filter(|(_, mutant)| mutant.manifest() == table.manifest());
    for (what, mutant) in rows {
        tried.mutants += 1;
        let passes = |(case, context): &(Case, Context)| {
            let budget = ask(rule, context, case).fuel_budget;
            let came = mutant.evaluate(context, asked(&case.question), budget).map(|(outcome, _)| outcome);
            case.expect.as_ref().is_none_or(|expect| expect.admits(&case.question, &came))
        };
        if cases.iter().all(passes) {
            let remedy = "add a case on each side of what the row says there, or leave the row out if no case can tell";
            tried.survivors.push(Survivor { what, remedy: remedy.to_owned() });
        }
    }
}

fn asked(question: &Question) -> Asked<'_> {
    match question {
        Question::Eligibility(asked) => Asked::Eligibility(asked),
        Question::Price(asked) => Asked::Price(asked),
        Question::Priority(asked) => Asked::Priority(asked),
        Question::Award(asked) => Asked::Award(asked),
        Question::Track(asked) => Asked::Track(asked),
        Question::Thresholds(asked) => Asked::Thresholds(asked),
    }
}

fn accepted(rule: &Rule, mutant: &Mutant) -> bool {
    let context =
        mutant.within(&Context { settings: crate::fill(rule.plugin().manifest(), &[]), ..Context::default() });
    rule.engine().check_settings(rule.plugin(), &context.settings).is_ok_and(|problems| problems.is_empty())
}

impl Mutant {
    fn within(&self, context: &Context) -> Context {
        let mut context = context.clone();
        for setting in context.settings.iter_mut().filter(|setting| setting.key == self.key) {
            setting.value = self.would.clone();
        }
        context
    }

    fn number(&self) -> Option<i32> {
        match (&self.was, &self.would) {
            (SettingValue::Number(was), _) => Some(*was),
            (SettingValue::Numbers(was), SettingValue::Numbers(would)) => {
                was.iter().zip(would).find(|(was, would)| was != would).map(|(was, _)| *was)
            }
            _ => None,
        }
    }
}

fn survivor(rule: &Rule, mutant: &Mutant, cases: &[(Case, Context)]) -> Survivor {
    let what = format!("{} {} -> {}", mutant.key, value(&mutant.was), value(&mutant.would));
    let remedy = cases.iter().find_map(|(case, context)| noticing(rule, mutant, case, context)).unwrap_or_else(|| {
        match mutant.number() {
            Some(number) => format!(
                "add a case that leaves {} at its default, with a fact on each side of {number}; if there is none, the setting does nothing",
                mutant.key
            ),
            None => format!("add a case that leaves {} at its default and in which it matters", mutant.key),
        }
    });
    Survivor { what, remedy }
}

/// A case that differs from one of the author's in one fact, and notices.
fn noticing(rule: &Rule, mutant: &Mutant, case: &Case, context: &Context) -> Option<String> {
    let default = Context { settings: with_default(context, mutant), ..context.clone() };
    let differs = |case: &Case| {
        let (now, then) = (ask(rule, &default, case).came.ok()?, ask(rule, &mutant.within(&default), case).came.ok()?);
        (now != then).then_some((now, then))
    };
    if let Some((now, then)) = differs(case) {
        let told = format!("a case like {:?} that leaves {} at its default", case.name, mutant.key);
        return Some(format!("add {told}: {}", both(&now, &then)));
    }
    let asked = serde_json::to_value(&case.question).ok()?;
    for path in leaves(&asked) {
        for number in candidates(&path, mutant.number()?, context.now) {
            let mut asked = asked.clone();
            *asked.pointer_mut(&path)? = json!(number);
            let Ok(question) = serde_json::from_value(asked) else { continue };
            let tried = Case { question, ..case.clone() };
            if let Some((now, then)) = differs(&tried) {
                let fact = path.trim_start_matches('/').split('/').skip(1).collect::<Vec<_>>().join(".");
                let number = if is_instant(&path) { format!("{number} (minutes)") } else { number.to_string() };
                return Some(format!("add a case like {:?} with {fact}: {number}; {}", case.name, both(&now, &then)));
            }
        }
    }
    None
}

fn with_default(context: &Context, mutant: &Mutant) -> Vec<linli_rules_engine::types::Setting> {
    let mut settings = context.settings.clone();
    for setting in settings.iter_mut().filter(|setting| setting.key == mutant.key) {
        setting.value = mutant.was.clone();
    }
    settings
}

fn both(now: &Outcome, then: &Outcome) -> String {
    format!("it gives {}, and then {}", tell::outcome(now), tell::outcome(then))
}

/// Every number of a question, and whatever is not known and might be one.
fn leaves(value: &Value) -> Vec<String> {
    fn visit(value: &Value, path: &str, found: &mut Vec<String>) {
        match value {
            Value::Number(_) | Value::Null => found.push(path.to_owned()),
            Value::Object(map) => map.iter().for_each(|(key, value)| visit(value, &format!("{path}/{key}"), found)),
            Value::Array(list) => {
                list.iter().enumerate().for_each(|(at, value)| visit(value, &format!("{path}/{at}"), found));
            }
            _ => {}
        }
    }
    let mut found = Vec::new();
    visit(value, "", &mut found);
    found
}

fn is_instant(path: &str) -> bool {
    ["/starts", "/since", "/joined"].iter().any(|end| path.ends_with(end))
}

/// What a fact would be at the edge of a threshold; a time lies so many minutes, hours or days from now.
fn candidates(path: &str, edge: i32, now: u32) -> Vec<i64> {
    let around = |at: i64| [at, at - 1, at + 1];
    let (edge, now) = (i64::from(edge), i64::from(now));
    if is_instant(path) {
        let units = [1, 60, 24 * 60];
        return units.iter().flat_map(|unit| [now + edge * unit, now - edge * unit]).flat_map(around).collect();
    }
    around(edge).to_vec()
}

fn value(value: &SettingValue) -> String {
    match value {
        SettingValue::Flag(flag) => flag.to_string(),
        SettingValue::Number(number) => number.to_string(),
        SettingValue::Choice(code) => code.clone(),
        SettingValue::Numbers(list) => format!("{list:?}"),
        SettingValue::Codes(list) => format!("[{}]", list.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use linli_rules_engine::manifest::{SettingKind, Text};

    use super::*;

    fn decl(kind: SettingKind, default: SettingValue) -> SettingDecl {
        SettingDecl { key: "k".to_owned(), kind, default, label: Text::default(), help: Text::default() }
    }

    #[test]
    fn numbers_move_within_their_bounds_and_flags_turn() {
        let number = mutants(&[decl(SettingKind::Number((0, 9)), SettingValue::Number(0))]);
        assert_eq!(number.iter().map(|m| m.would.clone()).collect::<Vec<_>>(), [SettingValue::Number(1)]);
        let flag = mutants(&[decl(SettingKind::Flag, SettingValue::Flag(true))]);
        assert_eq!(flag[0].would, SettingValue::Flag(false));
        let list = mutants(&[decl(SettingKind::Numbers(4), SettingValue::Numbers(vec![60, 80]))]);
        assert_eq!(list.len(), 4);
        assert_eq!(list[3].would, SettingValue::Numbers(vec![60, 79]));
    }
}
