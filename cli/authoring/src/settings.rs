//! Settings as authors write them, typed by the manifest. Never: decides whether a rule accepts them.

use linli_rules_engine::manifest::{Manifest, SettingDecl, SettingKind, kind_text};
use linli_rules_engine::types::{Setting, SettingValue};
use serde_json::{Map, Value};

/// The settings that were given, each as its declaration says.
///
/// # Errors
/// Each wrong one: its key, what is wrong, what would be right.
pub fn typed(manifest: &Manifest, given: &Map<String, Value>) -> Result<Vec<Setting>, Vec<(String, String)>> {
    let (mut settings, mut wrong) = (Vec::new(), Vec::new());
    for (key, value) in given {
        let Some(decl) = manifest.settings.iter().find(|decl| decl.key == *key) else {
            let known: Vec<&str> = manifest.settings.iter().map(|decl| decl.key.as_str()).collect();
            let known = if known.is_empty() { "none at all".to_owned() } else { known.join(", ") };
            wrong.push((key.clone(), format!("the rule has no such setting; it has {known}")));
            continue;
        };
        match value_of(&decl.kind, value).filter(|value| decl.kind.admits(value)) {
            Some(value) => settings.push(Setting { key: key.clone(), value }),
            None => wrong.push((key.clone(), format!("{} is wanted", kind_text(&decl.kind)))),
        }
    }
    if wrong.is_empty() { Ok(settings) } else { Err(wrong) }
}

/// The settings with the defaults of the manifest for the rest.
pub fn fill(manifest: &Manifest, given: &[Setting]) -> Vec<Setting> {
    let of = |decl: &SettingDecl| given.iter().find(|setting| setting.key == decl.key).cloned();
    let default = |decl: &SettingDecl| Setting { key: decl.key.clone(), value: decl.default.clone() };
    manifest.settings.iter().map(|decl| of(decl).unwrap_or_else(|| default(decl))).collect()
}

fn value_of(kind: &SettingKind, value: &Value) -> Option<SettingValue> {
    let number = |value: &Value| value.as_i64().and_then(|number| i32::try_from(number).ok());
    let code = |value: &Value| value.as_str().map(str::to_owned);
    Some(match kind {
        SettingKind::Flag => SettingValue::Flag(value.as_bool()?),
        SettingKind::Number(_) => SettingValue::Number(number(value)?),
        SettingKind::Choice(_) => SettingValue::Choice(code(value)?),
        SettingKind::Numbers(_) => SettingValue::Numbers(value.as_array()?.iter().map(number).collect::<Option<_>>()?),
        SettingKind::Codes(_) => SettingValue::Codes(value.as_array()?.iter().map(code).collect::<Option<_>>()?),
    })
}

#[cfg(test)]
mod tests {
    use linli_rules_engine::manifest::Text;
    use serde_json::json;

    use super::*;

    fn manifest() -> Manifest {
        let decl = |key: &str, kind, default| SettingDecl {
            key: key.to_owned(),
            kind,
            default,
            label: Text::default(),
            help: Text::default(),
        };
        let settings = vec![
            decl("per-month", SettingKind::Number((1, 30)), SettingValue::Number(1)),
            decl("kinds", SettingKind::Codes(4), SettingValue::Codes(vec![])),
        ];
        Manifest { settings, ..Manifest::default() }
    }

    #[test]
    fn the_declaration_says_what_a_value_is_and_the_defaults_fill_the_rest() {
        let given = json!({"kinds": []});
        let given = typed(&manifest(), given.as_object().expect("a map")).expect("settings");
        assert_eq!(given[0].value, SettingValue::Codes(vec![]));
        let all = fill(&manifest(), &given);
        assert_eq!(all.iter().map(|s| s.key.as_str()).collect::<Vec<_>>(), ["per-month", "kinds"]);
    }

    #[test]
    fn wrong_settings_are_told_with_what_would_be_right() {
        let given = json!({"per-month": 99, "per-week": 1});
        let wrong = typed(&manifest(), given.as_object().expect("a map")).expect_err("wrong");
        assert!(wrong.iter().any(|(key, what)| key == "per-month" && what.contains("number(1..30)")), "{wrong:?}");
        assert!(wrong.iter().any(|(key, what)| key == "per-week" && what.contains("kinds")), "{wrong:?}");
    }
}
