//! Merging an author's message into the stored one (AIP-134), and what is wrong with the result.

use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, ReflectMessage as _, Value};

use super::schema::Schema;
use crate::FieldViolation;

/// Takes the masked fields of `source` over into `target`; every bad path is a violation.
///
/// No mask: the fields that are set. `*`: all fields. Fields that the service sets keep what `target` has.
pub(super) fn merge(
    schema: &Schema,
    target: &mut DynamicMessage,
    source: &DynamicMessage,
    mask: Option<&prost_types::FieldMask>,
) -> Vec<FieldViolation> {
    let paths = mask.map(|m| m.paths.as_slice()).unwrap_or_default();
    if paths.is_empty() || paths.iter().any(|path| path == "*") {
        let all = !paths.is_empty();
        for field in schema.descriptor.fields() {
            let behaviour = schema.behaviour(&field);
            if !schema.is_own(&field) && !behaviour.output_only && (all || source.has_field(&field)) {
                copy(schema, target, source, &field);
            }
        }
        return Vec::new();
    }
    let bad = |path: &String| apply(schema, target, Some(source), path, path);
    paths.iter().filter_map(bad).collect()
}

/// Applies one path below `target`; the violation when it cannot be.
fn apply(
    schema: &Schema,
    target: &mut DynamicMessage,
    source: Option<&DynamicMessage>,
    whole: &str,
    path: &str,
) -> Option<FieldViolation> {
    let (name, rest) = path.split_once('.').map_or((path, None), |(name, rest)| (name, Some(rest)));
    let Some(field) = target.descriptor().get_field_by_name(name) else {
        return Some(FieldViolation::new(whole, "FIELD_UNKNOWN"));
    };
    let top = field.parent_message().full_name() == schema.descriptor.full_name();
    if schema.behaviour(&field).output_only {
        return Some(FieldViolation::new(whole, "FIELD_OUTPUT_ONLY"));
    }
    if top && schema.is_own(&field) {
        return None;
    }
    let Some(rest) = rest else {
        match source {
            Some(source) => copy(schema, target, source, &field),
            None => target.clear_field(&field),
        }
        return None;
    };
    if !matches!(field.kind(), Kind::Message(_)) || field.is_list() || field.is_map() {
        return Some(FieldViolation::new(whole, "FIELD_UNKNOWN"));
    }
    let value = source.filter(|s| s.has_field(&field)).map(|s| s.get_field(&field));
    let inner = value.as_deref().and_then(Value::as_message);
    // A path below an absent message clears a leaf there: of an absent target nothing is to clear, but it must exist.
    if inner.is_none() && !target.has_field(&field) {
        let mut absent = target.get_field_mut(&field).as_message().cloned()?;
        target.clear_field(&field);
        return apply(schema, &mut absent, None, whole, rest);
    }
    let below = target.get_field_mut(&field).as_message_mut()?;
    apply(schema, below, inner, whole, rest)
}

/// Copies one field or its absence, without what only the service may set inside.
fn copy(schema: &Schema, target: &mut DynamicMessage, source: &DynamicMessage, field: &FieldDescriptor) {
    if !source.has_field(field) {
        target.clear_field(field);
        return;
    }
    let mut value = source.get_field(field).into_owned();
    each_message(&mut value, &mut |inner| clear_output_only(schema, inner));
    target.set_field(field, value);
}

fn clear_output_only(schema: &Schema, message: &mut DynamicMessage) {
    for field in message.descriptor().fields() {
        if !message.has_field(&field) {
            continue;
        }
        if schema.behaviour(&field).output_only {
            message.clear_field(&field);
        } else if matches!(field.kind(), Kind::Message(_)) {
            each_message(message.get_field_mut(&field), &mut |inner| clear_output_only(schema, inner));
        }
    }
}

fn each_message(value: &mut Value, act: &mut dyn FnMut(&mut DynamicMessage)) {
    match value {
        Value::Message(message) => act(message),
        Value::List(items) => items.iter_mut().for_each(|item| each_message(item, act)),
        Value::Map(entries) => entries.values_mut().for_each(|entry| each_message(entry, act)),
        _ => {}
    }
}

/// Required fields that are missing and enum values that are none, at any depth.
pub(super) fn check(schema: &Schema, message: &DynamicMessage) -> Vec<FieldViolation> {
    let mut found = Vec::new();
    check_message(schema, message, "", &mut found);
    found
}

fn check_message(schema: &Schema, message: &DynamicMessage, prefix: &str, found: &mut Vec<FieldViolation>) {
    for field in message.descriptor().fields() {
        let path = format!("{prefix}{}", field.name());
        if !message.has_field(&field) {
            if schema.behaviour(&field).required && absence_shows(&field) {
                found.push(FieldViolation::new(path, "FIELD_REQUIRED"));
            }
            continue;
        }
        check_value(schema, &field, &message.get_field(&field), &path, found);
    }
}

/// Whether absence can be told from a meant value: 0 and false may well be meant.
fn absence_shows(field: &FieldDescriptor) -> bool {
    field.supports_presence()
        || field.is_list()
        || field.is_map()
        || matches!(field.kind(), Kind::String | Kind::Bytes | Kind::Enum(_))
}

fn check_value(schema: &Schema, field: &FieldDescriptor, value: &Value, path: &str, found: &mut Vec<FieldViolation>) {
    match value {
        Value::Message(inner) => check_message(schema, inner, &format!("{path}."), found),
        Value::List(items) => {
            for (i, item) in items.iter().enumerate() {
                check_value(schema, field, item, &format!("{path}[{i}]"), found);
            }
        }
        Value::Map(entries) => {
            for (key, entry) in entries {
                if let Value::Message(inner) = entry {
                    check_message(schema, inner, &format!("{path}[{key:?}]."), found);
                }
            }
        }
        Value::EnumNumber(number) => {
            let known = field.kind().as_enum().is_some_and(|e| e.get_value(*number).is_some());
            if !known {
                found.push(FieldViolation::new(path, "FIELD_ENUM"));
            }
        }
        _ => {}
    }
}

/// Immutable fields whose value is another one now.
pub(super) fn immutable_changes(schema: &Schema, old: &DynamicMessage, new: &DynamicMessage) -> Vec<FieldViolation> {
    let mut found = Vec::new();
    compare(schema, old, new, "", &mut found);
    found
}

fn compare(schema: &Schema, old: &DynamicMessage, new: &DynamicMessage, prefix: &str, found: &mut Vec<FieldViolation>) {
    for field in old.descriptor().fields() {
        let (before, after) = (old.get_field(&field), new.get_field(&field));
        if before == after && old.has_field(&field) == new.has_field(&field) {
            continue;
        }
        let path = format!("{prefix}{}", field.name());
        if schema.behaviour(&field).immutable {
            found.push(FieldViolation::new(path, "FIELD_IMMUTABLE"));
        } else if let (Value::Message(before), Value::Message(after)) = (before.as_ref(), after.as_ref())
            && old.has_field(&field)
            && new.has_field(&field)
        {
            compare(schema, before, after, &format!("{path}."), found);
        }
    }
}
