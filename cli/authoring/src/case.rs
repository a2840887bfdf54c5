//! A case: one question, its settings and what is to come of it, read from YAML. Never: asks.

use linli_rules_engine::types::Context;
use linli_rules_engine::{Hook, Question};
use serde_json::{Map, Value};

use crate::declared::{self, Given};
use crate::expect::Expect;
use crate::facts;
use crate::place::{Mistake, Source, Wrong};

/// 2026-06-01 08:00 in Beijing: now, where a case does not say it.
const NOW: &str = "2026-06-01T08:00+08:00";
const FIELDS: [&str; 7] = ["name", "hook", "settings", "now", "seed", "facts", "expect"];

/// One case.
#[derive(Debug, Clone, PartialEq)]
pub struct Case {
    /// What it claims, for people.
    pub name: String,
    /// The line on which it begins, from 1.
    pub line: usize,
    /// The settings that it gives, not typed yet: their kinds stand in the rule's manifest.
    pub settings: Map<String, Value>,
    /// The context without settings.
    pub context: Context,
    /// What is asked.
    pub question: Question,
    /// The facts about people that it gives.
    pub given: Vec<Given>,
    /// What is to come of it; absent in a file of facts alone.
    pub expect: Option<Expect>,
}

/// Reads a file of cases.
///
/// # Errors
/// Everything that is wrong with it.
pub fn parse(file: &str, text: &str) -> Result<Vec<Case>, Vec<Mistake>> {
    let source = Source::new(file, text);
    let items = match yaml(file, text)? {
        Value::Array(items) if !items.is_empty() => items,
        Value::Null | Value::Array(_) => {
            return Err(vec![whole(file, "there is no case: begin one with `- name: ...`")]);
        }
        _ => return Err(vec![whole(file, "a list of cases is wanted, each `- name: ...`")]),
    };
    let (mut cases, mut mistakes) = (Vec::new(), Vec::new());
    for (at, item) in items.into_iter().enumerate() {
        match case(item, None, true) {
            Ok(case) => cases.push(Case { line: source.line_of(at), ..case }),
            Err(wrong) => mistakes.extend(wrong.iter().map(|wrong| source.mistake(at, wrong))),
        }
    }
    for (at, case) in cases.iter().enumerate() {
        if cases[..at].iter().any(|other| other.name == case.name) {
            let what = format!("another case is called {:?} too; a name is a claim of its own", case.name);
            mistakes.push(Mistake { file: file.to_owned(), line: case.line, field: "name".to_owned(), what });
        }
    }
    if mistakes.is_empty() { Ok(cases) } else { Err(mistakes) }
}

/// Reads one question to a hook: either the fields of a case, or the facts alone.
///
/// # Errors
/// Everything that is wrong with it.
pub fn parse_one(file: &str, text: &str, hook: Option<Hook>) -> Result<Case, Vec<Mistake>> {
    let source = Source::new(file, text);
    let value = match yaml(file, text)? {
        Value::Array(mut items) if items.len() == 1 => items.remove(0),
        Value::Array(_) => {
            return Err(vec![whole(file, "one question is wanted, not a list; cases run with `linli plugin test`")]);
        }
        Value::Null => Value::Object(Map::new()),
        value => value,
    };
    let is_case = value.as_object().is_some_and(|map| map.keys().any(|key| key == "facts" || key == "expect"));
    let value = if is_case { value } else { Value::Object(Map::from_iter([("facts".to_owned(), value)])) };
    case(value, hook, false).map_err(|wrong| {
        let outer = |wrong: &Wrong| Mistake { line: wrong_line(&source, wrong, is_case), ..source.mistake(0, wrong) };
        wrong.iter().map(outer).collect()
    })
}

/// Where the facts alone make up the file, no line says `facts:`.
fn wrong_line(source: &Source<'_>, wrong: &Wrong, is_case: bool) -> usize {
    let skip = usize::from(!is_case && wrong.path.len() > 1);
    let path = wrong.path.iter().skip(skip).cloned().collect();
    source.mistake(0, &Wrong { path, what: String::new() }).line
}

fn whole(file: &str, what: &str) -> Mistake {
    Mistake { file: file.to_owned(), line: 1, field: String::new(), what: what.to_owned() }
}

fn yaml(file: &str, text: &str) -> Result<Value, Vec<Mistake>> {
    serde_norway::from_str(text).map_err(|error| {
        let line = error.location().map_or(1, |at| at.line());
        let what = format!("this is no YAML: {error}");
        vec![Mistake { file: file.to_owned(), line, field: String::new(), what }]
    })
}

fn case(item: Value, hook: Option<Hook>, in_list: bool) -> Result<Case, Vec<Wrong>> {
    let Value::Object(mut fields) = item else {
        return Err(vec![Wrong { path: vec![], what: "a case has name, hook, facts and expect".to_owned() }]);
    };
    let mut wrong = Vec::new();
    for key in fields.keys().filter(|key| !FIELDS.contains(&key.as_str())) {
        wrong.push(Wrong::new(key, format!("a case has no such field; it has {}", FIELDS.join(", "))));
    }
    let name = match fields.remove("name") {
        Some(Value::String(name)) if !name.trim().is_empty() => name,
        None if !in_list => String::new(),
        _ => {
            wrong.push(Wrong::new("name", "a claim in words is wanted, such as: the first of a month is allowed"));
            String::new()
        }
    };
    let hook =
        match (fields.remove("hook"), hook) {
            (None, Some(hook)) => Ok(hook),
            (given, _) => given.as_ref().and_then(Value::as_str).and_then(Hook::from_code).ok_or_else(|| {
                Wrong::new("hook", format!("one of {} is wanted", Hook::ALL.map(Hook::code).join(", ")))
            }),
        };
    let hook = hook.map_err(|one| wrong.push(one)).ok();
    let settings = match fields.remove("settings") {
        None | Some(Value::Null) => Map::new(),
        Some(Value::Object(settings)) => settings,
        Some(_) => {
            wrong.push(Wrong::new("settings", "`{key: value}` is wanted"));
            Map::new()
        }
    };
    let context = context(&mut fields).map_err(|mut found| wrong.append(&mut found)).unwrap_or_default();
    let facts = fields.remove("facts").unwrap_or(Value::Null);
    let given = declared::given(&facts);
    let question = hook.map(|hook| facts::question(hook, facts, &context));
    let question = question.and_then(|question| {
        question.map_err(|found| wrong.extend(found.into_iter().map(|one| one.within("facts")))).ok()
    });
    let expect = match (fields.remove("expect"), hook) {
        (None, _) if !in_list => None,
        (expect, Some(hook)) => Expect::read(hook, expect.unwrap_or(Value::Null))
            .map_err(|found| wrong.extend(found.into_iter().map(|one| one.within("expect"))))
            .ok(),
        (_, None) => None,
    };
    match question {
        Some(question) if wrong.is_empty() => Ok(Case { name, line: 1, settings, context, question, given, expect }),
        _ => Err(wrong),
    }
}

fn context(fields: &mut Map<String, Value>) -> Result<Context, Vec<Wrong>> {
    let mut wrong = Vec::new();
    let now = fields.remove("now").unwrap_or_else(|| Value::String(NOW.to_owned()));
    let (now, utc_offset_min) = facts::instant(&now).unwrap_or_else(|what| {
        wrong.push(Wrong::new("now", what));
        (0, 0)
    });
    let seed = fields.remove("seed").unwrap_or(Value::from(1));
    let seed = seed.as_u64().and_then(|seed| u32::try_from(seed).ok()).unwrap_or_else(|| {
        wrong.push(Wrong::new("seed", "a whole number from 0 to 4294967295 is wanted"));
        0
    });
    if wrong.is_empty() { Ok(Context { now, utc_offset_min, seed, settings: Vec::new() }) } else { Err(wrong) }
}

#[cfg(test)]
mod tests {
    use linli_rules_engine::question::Question;

    use super::*;

    const HAIRCUT: &str = "
- name: the second of a month is refused
  hook: booking-eligibility
  settings: {per-month: 1}
  now: 2026-05-01T09:00+08:00
  facts:
    who: {age-years: 75, tags: [living-alone]}
    used: {this-month: 1}
    balances: {hearts: 3}
    answers: {urgent: true, trade: water}
    slot: {starts: 2026-05-02T10:00+08:00}
  expect: {deny: {code: already-this-month, args: [1, 1]}}
";

    #[test]
    fn a_case_becomes_a_typed_question() {
        let cases = parse("v.yaml", HAIRCUT).expect("a case");
        let Question::Eligibility(asked) = &cases[0].question else { panic!("{cases:?}") };
        assert_eq!(asked.who.age_years, Some(75));
        assert_eq!(asked.balances[0].asset, "hearts");
        assert_eq!(asked.answers.len(), 2);
        assert_eq!(asked.party, 1);
        assert_eq!(cases[0].context.utc_offset_min, 480);
        assert_eq!(asked.slot.starts - cases[0].context.now, 25 * 60);
        assert_eq!((cases[0].line, cases[0].context.seed), (2, 1));
    }

    #[test]
    fn every_mistake_is_told_with_its_line_and_remedy() {
        let text = "- name: a\n  hook: booking-eligibilty\n  expect: {allow: true}\n\
                    - name: b\n  hook: booking-eligibility\n  facts:\n    who: {age: 7}\n  expect: {maybe: true}\n  exspect: 1\n";
        let told: Vec<String> = parse("v.yaml", text).expect_err("wrong").iter().map(Mistake::to_string).collect();
        assert_eq!(told.len(), 4, "{told:#?}");
        assert!(told[0].starts_with("v.yaml:2: hook: one of booking-eligibility, "), "{told:#?}");
        assert!(
            told.iter().any(|t| t.starts_with("v.yaml:7: facts.who.age: ") && t.contains("age-years")),
            "{told:#?}"
        );
        assert!(told.iter().any(|t| t.starts_with("v.yaml:8: expect: ") && t.contains("needs-approval")), "{told:#?}");
        assert!(told.iter().any(|t| t.starts_with("v.yaml:9: exspect: ")), "{told:#?}");
    }

    #[test]
    fn an_empty_file_says_how_to_begin() {
        assert!(parse("v.yaml", "# nothing yet\n").expect_err("empty")[0].what.contains("- name:"));
        assert!(parse("v.yaml", "- [\n").expect_err("no YAML")[0].to_string().starts_with("v.yaml:"));
    }

    #[test]
    fn two_cases_of_one_name_are_refused() {
        let twice = format!("{HAIRCUT}{HAIRCUT}");
        assert!(parse("v.yaml", &twice).expect_err("twice")[0].what.contains("another case"));
    }

    #[test]
    fn facts_alone_are_a_question_too() {
        let case = parse_one("f.yaml", "who: {age-years: 60}\n", Some(Hook::Eligibility)).expect("facts");
        assert!(matches!(&case.question, Question::Eligibility(asked) if asked.who.age_years == Some(60)));
        let wrong = parse_one("f.yaml", "party: 1\nwho: {age-years: old}\n", Some(Hook::Eligibility)).expect_err("old");
        assert_eq!((wrong[0].line, wrong[0].field.as_str()), (2, "facts.who.age-years"));
        assert!(parse_one("f.yaml", "who: {}", None).expect_err("no hook")[0].what.contains("booking-price"));
    }
}
