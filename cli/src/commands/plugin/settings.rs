//! Settings on the command line: `per-month=1`, `elders-first=true`, `kinds=[haircut,mending]`. Pure.

use linli_proto::rules::setting::Value;
use linli_proto::rules::{Codes, Numbers, Setting};
use linli_rules_engine::types::{Setting as Native, SettingValue};

/// Reads `key=value`: a flag, a whole number, a code, or a list in brackets of either.
pub(super) fn parse(text: &str) -> Result<Setting, String> {
    let (key, value) = text.split_once('=').ok_or("a setting is key=value, such as per-month=1 or kinds=[haircut]")?;
    let (key, value) = (key.trim(), value.trim());
    if key.is_empty() || value.is_empty() {
        return Err("a setting has a key and a value".to_owned());
    }
    Ok(Setting { key: key.to_owned(), value: Some(value_of(value)) })
}

fn value_of(text: &str) -> Value {
    if let Some(items) = text.strip_prefix('[').and_then(|t| t.strip_suffix(']')) {
        let items: Vec<&str> = items.split(',').map(str::trim).filter(|item| !item.is_empty()).collect();
        return match items.iter().map(|item| item.parse()).collect::<Result<Vec<i32>, _>>() {
            Ok(values) if !values.is_empty() => Value::Numbers(Numbers { values }),
            _ => Value::Codes(Codes { values: items.into_iter().map(str::to_owned).collect() }),
        };
    }
    match (text, text.parse()) {
        ("true", _) => Value::Flag(true),
        ("false", _) => Value::Flag(false),
        (_, Ok(number)) => Value::Number(number),
        (text, Err(_)) => Value::Choice(text.to_owned()),
    }
}

/// The setting as the engine takes it; one without a value is left out.
pub(super) fn native(setting: &Setting) -> Option<Native> {
    let value = match setting.value.clone()? {
        Value::Flag(flag) => SettingValue::Flag(flag),
        Value::Number(number) => SettingValue::Number(number),
        Value::Choice(code) => SettingValue::Choice(code),
        Value::Numbers(list) => SettingValue::Numbers(list.values),
        Value::Codes(list) => SettingValue::Codes(list.values),
    };
    Some(Native { key: setting.key.clone(), value })
}

/// A setting as `--setting` takes it.
pub(super) fn text(setting: &Setting) -> String {
    let value = match &setting.value {
        None => String::new(),
        Some(Value::Flag(flag)) => flag.to_string(),
        Some(Value::Number(number)) => number.to_string(),
        Some(Value::Choice(code)) => code.clone(),
        Some(Value::Numbers(list)) => format!("{:?}", list.values),
        Some(Value::Codes(list)) => format!("[{}]", list.values.join(",")),
    };
    format!("{}={value}", setting.key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_form_of_a_value_says_its_type() {
        let value = |text: &str| parse(text).expect(text).value.expect("a value");
        assert_eq!(value("a=true"), Value::Flag(true));
        assert_eq!(value("a=-3"), Value::Number(-3));
        assert_eq!(value("a=hearts"), Value::Choice("hearts".into()));
        assert_eq!(value("a=[1, 2]"), Value::Numbers(Numbers { values: vec![1, 2] }));
        assert_eq!(value("a=[haircut]"), Value::Codes(Codes { values: vec!["haircut".into()] }));
        assert!(parse("a").is_err() && parse("=1").is_err() && parse("a=").is_err());
    }

    #[test]
    fn a_setting_reads_as_it_is_said() {
        for said in ["a=true", "a=-3", "a=hearts", "a=[haircut,mending]"] {
            assert_eq!(text(&parse(said).expect(said)), said);
        }
    }

    #[test]
    fn the_engine_gets_what_was_said() {
        let setting = parse("a=[1,2]").expect("a setting");
        assert_eq!(native(&setting).map(|s| s.value), Some(SettingValue::Numbers(vec![1, 2])));
    }
}
