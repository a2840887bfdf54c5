//! Resources as cells of a table: which fields, and how each value reads.

use comfy_table::Table;
use linli_kernel::Lang;
use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, ReflectMessage as _, Value};

use super::read::to_json;
use super::types::ResourceType;
use crate::commands::output;

/// Columns that a table has at most.
const MOST_COLUMNS: usize = 7;
/// Fields that say most about a resource, in this order, where it has them.
const FIRST: [&str; 8] = ["name", "display_name", "title", "full_name", "state", "kind", "hook", "role"];
/// Fields that say nothing in a table.
const NEVER: [&str; 5] = ["etag", "create_time", "update_time", "description", "facts_json"];

/// A table of resources of one type.
pub(super) fn table(kind: &ResourceType, rows: &[DynamicMessage], lang: Lang) -> Table {
    let columns = columns(kind, rows);
    let headings: Vec<&str> = columns.iter().map(FieldDescriptor::name).collect();
    let mut table = output::table(&headings);
    for row in rows {
        table.add_row(columns.iter().map(|field| text(row, field, lang)));
    }
    table
}

/// The fields that say most, then others in their order, of those that at least one row has.
fn columns(kind: &ResourceType, rows: &[DynamicMessage]) -> Vec<FieldDescriptor> {
    let used = |field: &FieldDescriptor| rows.iter().any(|row| row.has_field(field));
    let first = FIRST.iter().filter_map(|name| kind.message.get_field_by_name(name));
    let simple = |field: &FieldDescriptor| match field.kind() {
        Kind::Message(inner) => ["linli.common.v1.Amount", "google.protobuf.Timestamp"].contains(&inner.full_name()),
        _ => !field.is_map(),
    };
    let others =
        kind.message.fields().filter(|f| !FIRST.contains(&f.name()) && !NEVER.contains(&f.name()) && simple(f));
    first.chain(others).filter(used).take(MOST_COLUMNS).collect()
}

/// What a person reads in a cell.
pub(super) fn text(message: &DynamicMessage, field: &FieldDescriptor, lang: Lang) -> String {
    if !message.has_field(field) {
        return String::new();
    }
    value_text(&message.get_field(field), field, lang)
}

fn value_text(value: &Value, field: &FieldDescriptor, lang: Lang) -> String {
    match value {
        Value::Bool(flag) => if *flag { "yes" } else { "no" }.to_owned(),
        Value::String(text) => text.clone(),
        Value::EnumNumber(number) => enum_text(field, *number),
        Value::List(items) => items.iter().map(|item| value_text(item, field, lang)).collect::<Vec<_>>().join(", "),
        Value::Message(inner) => message_text(inner, lang),
        Value::Map(entries) => {
            let mut pairs: Vec<String> = entries
                .iter()
                .map(|(key, value)| format!("{}={}", key_text(key), value_text(value, field, lang)))
                .collect();
            pairs.sort();
            pairs.join(", ")
        }
        Value::Bytes(bytes) => hex::encode(bytes),
        Value::I32(n) => n.to_string(),
        Value::I64(n) => n.to_string(),
        Value::U32(n) => n.to_string(),
        Value::U64(n) => n.to_string(),
        Value::F32(n) => n.to_string(),
        Value::F64(n) => n.to_string(),
    }
}

fn key_text(key: &prost_reflect::MapKey) -> String {
    key.as_str().map_or_else(|| format!("{key:?}"), str::to_owned)
}

/// `BOOKING_STATE_NO_SHOW` reads `no-show`.
fn enum_text(field: &FieldDescriptor, number: i32) -> String {
    let Kind::Enum(declared) = field.kind() else { return number.to_string() };
    let Some(value) = declared.get_value(number) else { return number.to_string() };
    let zero = declared.get_value(0).map(|zero| zero.name().to_owned()).unwrap_or_default();
    let prefix = zero.strip_suffix("UNSPECIFIED").unwrap_or_default().to_owned();
    value.name().strip_prefix(&prefix).unwrap_or(value.name()).to_lowercase().replace('_', "-")
}

fn message_text(message: &DynamicMessage, lang: Lang) -> String {
    let text =
        |name: &str| message.get_field_by_name(name).and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default();
    match message.descriptor().full_name() {
        "linli.common.v1.Text" => {
            let (wanted, other) = match lang {
                Lang::ZhCn => (text("zh_cn"), text("en")),
                Lang::En => (text("en"), text("zh_cn")),
            };
            if wanted.is_empty() { other } else { wanted }
        }
        "linli.common.v1.Amount" => {
            let units = message.get_field_by_name("value").and_then(|v| v.as_i64()).unwrap_or_default();
            format!("{units} {}", text("asset"))
        }
        _ => match to_json(message) {
            Ok(serde_json::Value::String(text)) => text,
            Ok(value) => value.to_string(),
            Err(_) => "?".to_owned(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::resources::types;

    fn offering() -> (&'static ResourceType, DynamicMessage) {
        let kind = types::find("offering").expect("a type");
        let json = r#"{"name": "areas/x/offerings/cut", "displayName": {"zhCn": "义剪", "en": "Cut"}, "mode": "MODE_HOME_VISIT",
            "basePrice": {"asset": "points", "value": 5}, "waitlist": true, "etag": "1"}"#;
        let mut from = serde_json::Deserializer::from_str(json);
        (kind, DynamicMessage::deserialize(kind.message.clone(), &mut from).expect("proto JSON"))
    }

    #[test]
    fn a_table_reads_in_the_callers_language_and_shows_what_is_there() {
        let (kind, row) = offering();
        let shown = table(kind, &[row], Lang::En).to_string();
        for wanted in ["Cut", "home-visit", "5 points", "yes"] {
            assert!(shown.contains(wanted), "{wanted} is missing in\n{shown}");
        }
        assert!(!shown.contains("ETAG") && !shown.contains("HORIZON"), "{shown}");
    }
}
