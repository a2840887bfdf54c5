//! What an update would change, field by field. Pure.

use prost_reflect::{DynamicMessage, Value};

use crate::commands::resources::read::to_json;

/// Lines `- field: old` and `+ field: new` for the masked fields that differ; `old` is `None` for a new resource.
pub(super) fn lines(old: Option<&DynamicMessage>, new: &DynamicMessage, mask: &[String]) -> Vec<String> {
    let mut found = Vec::new();
    for name in mask {
        let before = old.and_then(|message| field(message, name));
        let after = field(new, name);
        if before == after {
            continue;
        }
        found.extend(before.map(|value| format!("- {name}: {value}")));
        found.extend(after.map(|value| format!("+ {name}: {value}")));
    }
    found
}

/// A field as compact JSON; `None` when it is not set.
fn field(message: &DynamicMessage, name: &str) -> Option<String> {
    let value = message.get_field_by_name(name).filter(|_| message.has_field_by_name(name))?;
    if let Value::String(text) = value.as_ref() {
        return Some(text.clone());
    }
    let json = to_json(message).ok()?;
    let descriptor = prost_reflect::ReflectMessage::descriptor(message);
    let key = descriptor.get_field_by_name(name)?;
    json.get(key.json_name()).map(serde_json::Value::to_string)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::resources::types;

    fn unit(kind: &str, en: &str) -> DynamicMessage {
        let json = format!(r#"{{"kind": "{kind}", "displayName": {{"en": "{en}"}}, "labels": {{"a": "b"}}}}"#);
        let message = types::find("unit").expect("a type").message.clone();
        DynamicMessage::deserialize(message, &mut serde_json::Deserializer::from_str(&json)).expect("proto JSON")
    }

    #[test]
    fn only_masked_fields_that_differ_are_shown() {
        let mask = ["kind".to_owned(), "display_name".to_owned()];
        let (old, new) = (unit("grid", "A"), unit("grid", "B"));
        assert_eq!(
            lines(Some(&old), &new, &mask),
            ["- display_name: {\"en\":\"A\"}", "+ display_name: {\"en\":\"B\"}"]
        );
        assert_eq!(lines(None, &new, &mask), ["+ kind: grid", "+ display_name: {\"en\":\"B\"}"]);
        assert!(lines(Some(&new), &new, &mask).is_empty());
    }
}
