//! What a script threw, whose engine only says that it trapped: the same bundle is asked the same in Node.js.
//! Never: decides anything; where Node.js says nothing, nothing is said.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use linli_authoring::Case;
use linli_rules_engine::types::Context;
use linli_rules_engine::{Fact, FactSet};
use serde_json::{Map, Value, json};

/// Calls a hook of the bundle, and prints what it throws unless that is a refusal.
const ASK: &str = "import { readFileSync } from 'node:fs'; import { pathToFileURL } from 'node:url'; import { resolve } from 'node:path';\n\
    const { hook, ctx, request } = JSON.parse(readFileSync(0, 'utf8'));\n\
    const rule = (await import(pathToFileURL(resolve(process.argv[1]))))[hook];\n\
    try { Object.values(rule)[0].call(rule, ctx, request); } catch (e) { if (!e?.tag) process.stdout.write(String(e?.message ?? e)); }";

/// What the rule in a directory throws over a case.
pub(super) fn message(dir: &Path, case: &Case, context: &Context, declared: FactSet) -> Option<String> {
    let bundle = dir.join("dist/rule.js");
    let asked = asked(case, context, declared)?;
    let mut node = Command::new("node");
    node.args(["--input-type=module", "--eval", ASK, "--"]).arg(bundle.is_file().then_some(bundle)?);
    let mut node = node.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().ok()?;
    node.stdin.take()?.write_all(asked.to_string().as_bytes()).ok()?;
    let said = node.wait_with_output().ok()?;
    Some(String::from_utf8_lossy(&said.stdout).trim().to_owned()).filter(|said| !said.is_empty())
}

/// The hook, its context and its request as a script gets them.
fn asked(case: &Case, context: &Context, declared: FactSet) -> Option<Value> {
    let Value::Object(question) = serde_json::to_value(&case.question).ok()? else { return None };
    let (hook, mut request) = question.into_iter().next()?;
    Fact::ALL.into_iter().filter(|fact| !declared.has(*fact)).for_each(|fact| forget(&mut request, fact));
    let ctx = scripted(serde_json::to_value(context).ok()?);
    Some(json!({"hook": camel(&hook), "ctx": ctx, "request": scripted(request)}))
}

/// Takes out what the rule does not declare, as the host does.
fn forget(value: &mut Value, fact: Fact) {
    let field = match fact {
        Fact::Age => "age-years",
        Fact::Usage => "used",
        other => other.code(),
    };
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| forget(item, fact)),
        Value::Object(fields) => {
            for (key, value) in fields {
                // The tags of a slot, an event or a topic are nobody's.
                match (key.as_str(), &*value) {
                    ("slot" | "event" | "topic", _) => {}
                    (key, Value::Array(_)) if key == field => *value = json!([]),
                    (key, Value::String(_)) if key == field => *value = json!(""),
                    (key, _) if key == field => *value = Value::Null,
                    _ => forget(value, fact),
                }
            }
        }
        _ => {}
    }
}

/// Names in camelCase, and each value of an answer or a setting as `{tag, val}`.
fn scripted(value: Value) -> Value {
    match value {
        Value::Array(items) => Value::Array(items.into_iter().map(scripted).collect()),
        Value::Object(fields) => {
            let pair = |(key, value): (String, Value)| {
                let value = if key == "value" { tagged(value) } else { scripted(value) };
                (camel(&key), value)
            };
            Value::Object(fields.into_iter().map(pair).collect::<Map<_, _>>())
        }
        other => other,
    }
}

fn tagged(value: Value) -> Value {
    match value {
        Value::Object(fields) if fields.len() == 1 => {
            fields.into_iter().next().map_or(Value::Null, |(tag, val)| json!({"tag": tag, "val": val}))
        }
        other => other,
    }
}

fn camel(name: &str) -> String {
    let mut words = name.split('-');
    let first = words.next().unwrap_or_default().to_owned();
    words.fold(first, |mut name, word| {
        let mut letters = word.chars();
        name.extend(letters.next().map(|first| first.to_ascii_uppercase()));
        name.push_str(letters.as_str());
        name
    })
}

#[cfg(test)]
mod tests {
    use linli_rules_engine::Hook;
    use linli_rules_engine::types::{Setting, SettingValue};

    use super::*;

    #[test]
    fn a_script_is_asked_as_the_engine_asks_it() {
        let text = "who: {age-years: 70, tags: [a]}\nslot: {tags: [b]}\nanswers: {urgent: true}\n";
        let case = linli_authoring::parse_one("f.yaml", text, Some(Hook::Eligibility)).expect("facts");
        let settings = vec![Setting { key: "min-age".into(), value: SettingValue::Number(60) }];
        let context = Context { settings, ..Context::default() };
        let asked = asked(&case, &context, [Fact::Age, Fact::Answers].into_iter().collect()).expect("a question");
        assert_eq!(asked["hook"], "bookingEligibility");
        assert_eq!(asked["ctx"]["settings"][0], json!({"key": "min-age", "value": {"tag": "number", "val": 60}}));
        let request = &asked["request"];
        assert_eq!((&request["who"]["ageYears"], &request["who"]["tags"]), (&json!(70), &json!([])), "{request}");
        assert_eq!(request["answers"][0]["value"], json!({"tag": "flag", "val": true}));
        assert_eq!(request["slot"]["tags"], json!(["b"]), "the slot's own");
    }
}
