//! Proto JSON, read strictly: every unknown field, wrong type and unknown enum value with its path, all at once.

use prost_reflect::{DeserializeOptions, DynamicMessage, FieldDescriptor, Kind, MessageDescriptor};
use serde_json::{Map, Value};

use crate::commands::resources::nearest;
use crate::commands::resources::types::is_output_only;

/// Reads a message; every bad field as its path and what is wrong with it.
pub(crate) fn message_of(
    descriptor: &MessageDescriptor,
    fields: &Map<String, Value>,
) -> Result<DynamicMessage, Vec<(String, String)>> {
    let mut bad = Vec::new();
    object(descriptor, fields, "", &mut bad);
    if !bad.is_empty() {
        return Err(bad);
    }
    // What concerns several fields at once, such as two members of a oneof.
    decode(descriptor, Value::Object(fields.clone())).map_err(|problem| vec![(String::new(), problem)])
}

fn decode(descriptor: &MessageDescriptor, value: Value) -> Result<DynamicMessage, String> {
    let options = DeserializeOptions::new().deny_unknown_fields(true);
    let read = DynamicMessage::deserialize_with_options(descriptor.clone(), value, &options);
    read.map_err(|error| error.to_string())
}

fn object(descriptor: &MessageDescriptor, fields: &Map<String, Value>, path: &str, bad: &mut Vec<(String, String)>) {
    for (key, value) in fields {
        let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
        match descriptor.get_field_by_json_name(key).or_else(|| descriptor.get_field_by_name(key)) {
            Some(field) if is_output_only(&field) => {
                bad.push((path, "only the service sets this field; leave it out".to_owned()))
            }
            Some(field) => self::field(descriptor, &field, key, value, &path, bad),
            None => bad.push((path, unknown(descriptor, key))),
        }
    }
}

fn unknown(descriptor: &MessageDescriptor, key: &str) -> String {
    let fields: Vec<FieldDescriptor> = descriptor.fields().filter(|field| !is_output_only(field)).collect();
    match nearest(key, fields.iter().map(FieldDescriptor::json_name)) {
        Some(near) => format!("there is no such field; did you mean `{near}`?"),
        None => {
            let known: Vec<&str> = fields.iter().map(FieldDescriptor::json_name).collect();
            format!("{} has no such field; it has {}", descriptor.name(), known.join(", "))
        }
    }
}

fn field(
    parent: &MessageDescriptor,
    field: &FieldDescriptor,
    key: &str,
    value: &Value,
    path: &str,
    bad: &mut Vec<(String, String)>,
) {
    match (field.kind(), value) {
        (_, Value::Null) => bad.push((path.to_owned(), "it has no value; give one or leave the field out".to_owned())),
        (Kind::Message(inner), Value::Array(items)) if field.is_list() && is_plain(&inner) => {
            for (i, item) in items.iter().enumerate() {
                let path = format!("{path}[{i}]");
                match item {
                    Value::Object(fields) => object(&inner, fields, &path, bad),
                    other => bad.push((path, format!("a {} with fields is wanted, not {other}", inner.name()))),
                }
            }
        }
        (Kind::Message(inner), Value::Object(fields)) if !field.is_list() && !field.is_map() && is_plain(&inner) => {
            object(&inner, fields, path, bad);
        }
        (Kind::Enum(declared), Value::String(word))
            if !field.is_list() && declared.get_value_by_name(word).is_none() =>
        {
            let names: Vec<String> =
                declared.values().filter(|v| v.number() != 0).map(|v| v.name().to_owned()).collect();
            let near = nearest(word, names.iter().map(String::as_str)).map(|near| format!("; did you mean {near}?"));
            let told = format!("{word} is none of {}{}", names.join(", "), near.unwrap_or_default());
            bad.push((path.to_owned(), told));
        }
        _ => {
            let alone = Value::Object(Map::from_iter([(key.to_owned(), value.clone())]));
            if let Err(problem) = decode(parent, alone) {
                let numeric = matches!(field.kind(), Kind::String) && (value.is_number() || value.is_boolean());
                let remedy = if numeric { "; write it in quotes" } else { "" };
                bad.push((path.to_owned(), format!("{problem}{remedy}")));
            }
        }
    }
}

/// Whether its JSON form is an object with its fields; those of google.protobuf have forms of their own.
fn is_plain(message: &MessageDescriptor) -> bool {
    message.package_name() != "google.protobuf"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::resources::types;

    fn problems(yaml: &str) -> Vec<(String, String)> {
        let fields: Map<String, Value> = serde_norway::from_str(yaml).expect("YAML");
        message_of(&types::find("offering").expect("a type").message, &fields).expect_err("is wrong")
    }

    #[test]
    fn every_bad_field_is_named_with_its_path_at_once() {
        let found = problems(
            "displayName: {zhCN: x}\nkindd: a\nmode: MODE_SEATS\nmaxParty: many\nquestions: [{key: a, text: {en: 1}}]\nstate: [1]\n",
        );
        let told: Vec<&str> = found.iter().map(|(path, _)| path.as_str()).collect();
        assert_eq!(told, ["displayName.zhCN", "kindd", "maxParty", "mode", "questions[0].text.en", "state"]);
        assert!(
            found[0].1.contains("zhCn") && found[1].1.contains("`kind`") && found[3].1.contains("MODE_SEAT?"),
            "{found:?}"
        );
        assert!(found[4].1.contains("quotes"), "{found:?}");
    }

    #[test]
    fn what_only_the_service_sets_is_refused() {
        assert_eq!(problems("createTime: 2026-01-01T00:00:00Z")[0].0, "createTime");
    }

    #[test]
    fn a_good_message_keeps_all_it_says() {
        let yaml = "name: areas/x/offerings/a\ndisplayName: {en: A}\nmode: MODE_SEAT\nmaxParty: 2\nwaitlist: true\nbasePrice: {asset: points, value: 3}";
        let fields: Map<String, Value> = serde_norway::from_str(yaml).expect("YAML");
        let read = message_of(&types::find("offering").expect("a type").message, &fields).expect("is right");
        assert_eq!(crate::commands::resources::read::text(&read, "name"), "areas/x/offerings/a");
        assert!(read.has_field_by_name("base_price"));
    }
}
