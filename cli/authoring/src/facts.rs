//! Facts as authors write them, as the records of the contract: times as text, maps for lists of pairs, shares as fractions.
//! Never: invents a fact about a person; what a file leaves out is not known.

use chrono::{DateTime, NaiveDateTime};
use linli_rules_engine::types::Context;
use linli_rules_engine::{Hook, Question};
use serde_json::{Map, Value, json};

use crate::place::Wrong;

/// What a field may be written as, beside what it is.
#[derive(Clone, Copy, PartialEq)]
enum Form {
    /// As it is.
    Plain,
    /// A whole number up to so much.
    Number(u64),
    /// A whole number that may be below zero.
    Signed,
    /// Minutes, or a time in words.
    Instant,
    /// `{asset: value}` for a list of amounts.
    Amounts,
    /// `700 cny-fen` for an amount.
    Amount,
    /// `{key: value}` for a list of answers.
    Answers,
    /// `2/3`, `>1/2`.
    Share,
    /// Codes.
    Codes,
    /// A record with these fields.
    Record(&'static [(&'static str, Form)]),
    /// A list of such records.
    Records(&'static [(&'static str, Form)]),
}

const MEMBER: &[(&str, Form)] = &[
    ("handle", Form::Number(u32::MAX as u64)),
    ("age-years", Form::Number(255)),
    ("standing", Form::Plain),
    ("joined", Form::Instant),
    ("roles", Form::Codes),
    ("tags", Form::Codes),
];
const SHORT: Form = Form::Number(u16::MAX as u64);
const USAGE: &[(&str, Form)] = &[("open", SHORT), ("this-week", SHORT), ("this-month", SHORT), ("no-shows", SHORT)];
const SLOT: &[(&str, Form)] = &[
    ("offering", Form::Plain),
    ("kind", Form::Plain),
    ("starts", Form::Instant),
    ("length-min", SHORT),
    ("capacity", SHORT),
    ("taken", SHORT),
    ("tags", Form::Codes),
];
const WAITING: &[(&str, Form)] = &[
    ("who", Form::Record(MEMBER)),
    ("since", Form::Instant),
    ("used", Form::Record(USAGE)),
    ("answers", Form::Answers),
];
const EVENT: &[(&str, Form)] = &[
    ("kind", Form::Plain),
    ("role", Form::Plain),
    ("minutes", Form::Number(u32::MAX as u64)),
    ("quantity", Form::Signed),
    ("score", Form::Number(100)),
    ("tags", Form::Codes),
];
const TOPIC: &[(&str, Form)] = &[
    ("kind", Form::Plain),
    ("source", Form::Plain),
    ("affected-households", Form::Number(u32::MAX as u64)),
    ("cost-fen", Form::Signed),
    ("tags", Form::Codes),
];
const LAWFUL: &[(&str, Form)] =
    &[("quorum", Form::Share), ("pass", Form::Share), ("open-hours", Form::Number(u32::MAX as u64))];

const fn fields(hook: Hook) -> &'static [(&'static str, Form)] {
    match hook {
        Hook::Eligibility => &[
            ("who", Form::Record(MEMBER)),
            ("balances", Form::Amounts),
            ("used", Form::Record(USAGE)),
            ("slot", Form::Record(SLOT)),
            ("party", Form::Number(255)),
            ("answers", Form::Answers),
        ],
        Hook::Price => &[
            ("who", Form::Record(MEMBER)),
            ("balances", Form::Amounts),
            ("used", Form::Record(USAGE)),
            ("slot", Form::Record(SLOT)),
            ("answers", Form::Answers),
            ("base", Form::Amount),
            ("floor", Form::Amount),
            ("ceiling", Form::Amount),
        ],
        Hook::Priority => &[("slot", Form::Record(SLOT)), ("queue", Form::Records(WAITING))],
        Hook::Award => &[
            ("actor", Form::Record(MEMBER)),
            ("balances", Form::Amounts),
            ("event", Form::Record(EVENT)),
            ("caps", Form::Amounts),
        ],
        Hook::Track => &[("topic", Form::Record(TOPIC)), ("tracks", Form::Codes)],
        Hook::Thresholds => &[
            ("kind", Form::Plain),
            ("track", Form::Plain),
            ("eligible", Form::Number(u32::MAX as u64)),
            ("affected-households", Form::Number(u32::MAX as u64)),
            ("cost-fen", Form::Signed),
            ("tags", Form::Codes),
            ("lawful", Form::Record(LAWFUL)),
        ],
    }
}

/// The question of a hook with these facts.
pub(crate) fn question(hook: Hook, facts: Value, context: &Context) -> Result<Question, Vec<Wrong>> {
    let mut wrong = Vec::new();
    let facts = if facts.is_null() { json!({}) } else { facts };
    let mut facts = record(facts, fields(hook), &mut wrong);
    if !wrong.is_empty() {
        return Err(wrong);
    }
    neutral(hook, &mut facts, context);
    let asked = Value::Object(Map::from_iter([(hook.code().to_owned(), Value::Object(facts))]));
    serde_json::from_value(asked).map_err(|error| vec![Wrong { path: Vec::new(), what: error.to_string() }])
}

/// What no fact about a person is and nobody wants to repeat: one person, a slot tomorrow, one of whatever was done.
fn neutral(hook: Hook, facts: &mut Map<String, Value>, context: &Context) {
    let tomorrow = context.now.saturating_add(24 * 60);
    if matches!(hook, Hook::Eligibility | Hook::Price | Hook::Priority) {
        within(facts, "slot").entry("starts").or_insert(json!(tomorrow));
    }
    match hook {
        Hook::Eligibility => {
            facts.entry("party").or_insert(json!(1));
        }
        Hook::Price => {
            let base = facts.entry("base").or_insert(json!({"asset": "points", "value": 0}));
            let asset = base["asset"].clone();
            facts.entry("floor").or_insert(json!({"asset": asset, "value": 0}));
            facts.entry("ceiling").or_insert(json!({"asset": asset, "value": i32::MAX}));
        }
        Hook::Priority => {
            let queue = facts.get_mut("queue").and_then(Value::as_array_mut);
            for (at, waiting) in queue.into_iter().flatten().enumerate() {
                if let Value::Object(waiting) = waiting {
                    within(waiting, "who").entry("handle").or_insert(json!(at));
                }
            }
        }
        Hook::Award => {
            within(facts, "event").entry("quantity").or_insert(json!(1));
        }
        Hook::Track | Hook::Thresholds => {}
    }
}

fn within<'a>(facts: &'a mut Map<String, Value>, field: &str) -> &'a mut Map<String, Value> {
    let inner = facts.entry(field).or_insert_with(|| json!({}));
    if !inner.is_object() {
        *inner = json!({});
    }
    inner.as_object_mut().expect("it was made an object")
}

fn record(value: Value, known: &[(&str, Form)], wrong: &mut Vec<Wrong>) -> Map<String, Value> {
    let names = || known.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
    let Value::Object(given) = value else {
        wrong.push(Wrong { path: Vec::new(), what: format!("a record is wanted, with {}", names()) });
        return Map::new();
    };
    let mut record = Map::new();
    for (key, value) in given {
        let Some((_, form)) = known.iter().find(|(name, _)| *name == key) else {
            wrong.push(Wrong::new(&key, format!("there is no such fact here; there are {}", names())));
            continue;
        };
        // Said to be unknown, which is what leaving it out says too.
        if value.is_null() {
            continue;
        }
        let mut inner = Vec::new();
        record.insert(key.clone(), formed(value, *form, &mut inner));
        wrong.extend(inner.into_iter().map(|one| one.within(&key)));
    }
    record
}

fn formed(value: Value, form: Form, wrong: &mut Vec<Wrong>) -> Value {
    let formed = match form {
        Form::Record(fields) => return Value::Object(record(value, fields, wrong)),
        Form::Records(fields) => return records(value, fields, wrong),
        Form::Plain => text(value),
        Form::Number(most) => match value.as_u64() {
            Some(number) if number <= most => Ok(value),
            _ => Err(format!("a whole number from 0 to {most} is wanted")),
        },
        Form::Signed => match value.as_i64().and_then(|number| i32::try_from(number).ok()) {
            Some(_) => Ok(value),
            None => Err("a whole number of 32 bits is wanted".to_owned()),
        },
        Form::Instant => instant(&value).map(|(minute, _)| json!(minute)),
        Form::Amount => amount(&value),
        Form::Amounts => amounts(value),
        Form::Answers => answers(value),
        Form::Share => share(&value),
        Form::Codes => match &value {
            Value::Array(items) if items.iter().all(Value::is_string) => Ok(value),
            _ => Err("a list of codes is wanted, such as [volunteer]".to_owned()),
        },
    };
    formed.unwrap_or_else(|what| {
        wrong.push(Wrong { path: Vec::new(), what });
        Value::Null
    })
}

fn records(value: Value, fields: &[(&str, Form)], wrong: &mut Vec<Wrong>) -> Value {
    let Value::Array(items) = value else {
        wrong.push(Wrong { path: Vec::new(), what: "a list is wanted".to_owned() });
        return Value::Null;
    };
    Value::Array(items.into_iter().map(|item| Value::Object(record(item, fields, wrong))).collect())
}

fn text(value: Value) -> Result<Value, String> {
    match value {
        Value::String(_) => Ok(value),
        Value::Number(number) => Ok(Value::String(number.to_string())),
        _ => Err("a code is wanted".to_owned()),
    }
}

/// Minutes since the epoch, and the offset from UTC that was written with them (Beijing's when none was).
pub(crate) fn instant(value: &Value) -> Result<(u32, i16), String> {
    const BEIJING: i16 = 480;
    const WANTED: &str = "a time is wanted, such as 2026-05-01T09:00+08:00, or minutes since 1970";
    let told = || WANTED.to_owned();
    if let Some(minutes) = value.as_u64() {
        return Ok((u32::try_from(minutes).map_err(|_| told())?, BEIJING));
    }
    let text = value.as_str().ok_or_else(told)?.trim().replace(' ', "T");
    let full = ["%Y-%m-%dT%H:%M%:z", "%Y-%m-%dT%H:%M:%S%:z"];
    let zulu = text.strip_suffix('Z').map(|text| format!("{text}+00:00"));
    let text = zulu.as_deref().unwrap_or(&text);
    let (seconds, offset) = match full.iter().find_map(|form| DateTime::parse_from_str(text, form).ok()) {
        Some(time) => (time.timestamp(), time.offset().local_minus_utc() / 60),
        None => {
            let local = ["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"];
            let time = local.iter().find_map(|form| NaiveDateTime::parse_from_str(text, form).ok()).ok_or_else(told)?;
            (time.and_utc().timestamp() - i64::from(BEIJING) * 60, i32::from(BEIJING))
        }
    };
    let minute = u32::try_from(seconds.div_euclid(60)).map_err(|_| told())?;
    Ok((minute, i16::try_from(offset).map_err(|_| told())?))
}

fn amount(value: &Value) -> Result<Value, String> {
    const WANTED: &str = "an amount is wanted, such as 700 cny-fen or {asset: cny-fen, value: 700}";
    match value {
        Value::String(text) => {
            let (number, asset) = text.trim().split_once(' ').ok_or(WANTED)?;
            let number: i32 = number.parse().map_err(|_| WANTED)?;
            Ok(json!({"asset": asset.trim(), "value": number}))
        }
        Value::Object(fields) if fields.len() == 2 && fields.get("asset").is_some_and(Value::is_string) => {
            let number = fields.get("value").and_then(Value::as_i64).and_then(|number| i32::try_from(number).ok());
            number.map(|_| value.clone()).ok_or_else(|| WANTED.to_owned())
        }
        _ => Err(WANTED.to_owned()),
    }
}

fn amounts(value: Value) -> Result<Value, String> {
    match value {
        Value::Object(map) => {
            let pair = |(asset, value): (String, Value)| amount(&json!({"asset": asset, "value": value}));
            Ok(Value::Array(map.into_iter().map(pair).collect::<Result<_, _>>()?))
        }
        Value::Array(items) => Ok(Value::Array(items.iter().map(amount).collect::<Result<_, _>>()?)),
        _ => Err("amounts are wanted, such as {hearts: 12}".to_owned()),
    }
}

fn answers(value: Value) -> Result<Value, String> {
    const WANTED: &str = "answers are wanted, such as {urgent: true, trade: water, persons: 2}";
    let Value::Object(map) = value else { return Err(WANTED.to_owned()) };
    let answer = |(key, value): (String, Value)| {
        let value = match &value {
            Value::Bool(_) => json!({"flag": value}),
            Value::Number(number) if number.as_i64().is_some_and(|n| i32::try_from(n).is_ok()) => {
                json!({"number": value})
            }
            Value::String(_) => json!({"choice": value}),
            Value::Array(items) if items.iter().all(Value::is_string) => json!({"codes": value}),
            Value::Array(items) if items.iter().all(Value::is_i64) => json!({"numbers": value}),
            _ => return Err(WANTED.to_owned()),
        };
        Ok(json!({"key": key, "value": value}))
    };
    Ok(Value::Array(map.into_iter().map(answer).collect::<Result<_, _>>()?))
}

/// `2/3`, `>1/2` (must be exceeded), or the record.
pub(crate) fn share(value: &Value) -> Result<Value, String> {
    const WANTED: &str = "a share is wanted, such as 2/3, or \">1/2\" where it must be exceeded";
    if value.is_object() {
        return Ok(value.clone());
    }
    let text = value.as_str().ok_or(WANTED)?.trim();
    let (exclusive, text) = text.strip_prefix('>').map_or((false, text), |rest| (true, rest));
    let (numerator, denominator) = text.split_once('/').ok_or(WANTED)?;
    let number = |text: &str| text.trim().parse::<u32>().map_err(|_| WANTED.to_owned());
    Ok(json!({"numerator": number(numerator)?, "denominator": number(denominator)?, "exclusive": exclusive}))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(hook: Hook, facts: Value) -> Question {
        question(hook, facts, &Context { now: 1_000, ..Context::default() }).expect("facts")
    }

    #[test]
    fn what_is_left_out_of_a_person_is_not_known_and_the_rest_is_neutral() {
        let Question::Eligibility(asked) = ask(Hook::Eligibility, Value::Null) else { panic!("another hook") };
        assert_eq!((asked.used, asked.who.age_years, asked.party), (None, None, 1));
        assert_eq!(asked.slot.starts, 1_000 + 24 * 60);
        let Question::Price(asked) = ask(Hook::Price, json!({"base": "700 cny-fen"})) else { panic!("another hook") };
        assert_eq!((asked.floor.value, asked.ceiling.asset.as_str()), (0, "cny-fen"));
        let Question::Priority(asked) = ask(Hook::Priority, json!({"queue": [{}, {"who": {"age-years": 80}}]})) else {
            panic!("another hook")
        };
        assert_eq!(asked.queue.iter().map(|w| w.who.handle).collect::<Vec<_>>(), [0, 1]);
        let Question::Award(asked) = ask(Hook::Award, json!({"caps": {"hearts": 30}})) else { panic!("another hook") };
        assert_eq!((asked.event.quantity, asked.caps[0].value), (1, 30));
    }

    #[test]
    fn a_time_is_text_with_or_without_its_zone_or_minutes() {
        let minute = |text: &str| instant(&json!(text)).expect(text);
        assert_eq!(minute("2026-06-01T08:00+08:00"), (29_671_200, 480));
        assert_eq!(minute("2026-06-01 08:00"), (29_671_200, 480));
        assert_eq!(minute("2026-06-01T00:00:00Z"), (29_671_200, 0));
        assert_eq!(instant(&json!(5)), Ok((5, 480)));
        assert!(instant(&json!("tomorrow")).expect_err("words").contains("2026-05-01T09:00"));
    }

    #[test]
    fn shares_are_fractions() {
        let lawful = json!({"lawful": {"quorum": "2/3", "pass": ">1/2", "open-hours": 72}, "eligible": 90});
        let Question::Thresholds(asked) = ask(Hook::Thresholds, lawful) else { panic!("another hook") };
        let pass = asked.lawful.pass.expect("a share");
        assert_eq!((pass.numerator, pass.denominator, pass.exclusive), (1, 2, true));
        assert_eq!(asked.lawful.open_hours, 72);
        assert!(share(&json!("most")).is_err());
    }

    #[test]
    fn a_number_out_of_its_range_is_told_where_it_stands() {
        let wrong = question(Hook::Eligibility, json!({"who": {"age-years": 300}}), &Context::default());
        let wrong = wrong.expect_err("too old");
        assert_eq!(wrong[0].path, ["who", "age-years"]);
        assert!(wrong[0].what.contains("0 to 255"));
    }
}
