//! Claims about messages: resources and their names.

use std::collections::BTreeSet;

use prost_reflect::{Kind, MessageDescriptor, Value};

use super::{behaves, messages, methods, option, text};
use crate::repo::holds;

/// `google.api.FieldBehavior.IDENTIFIER`.
const IDENTIFIER: i32 = 8;

/// What `name` means in these messages is no resource name of ours, or it is looked up and never stored.
const NAMED_BUT_NO_RESOURCE: [(&str, &str); 0] = [];

fn resource(message: &MessageDescriptor) -> Option<Value> {
    option(&message.options(), "google.api.resource")
}

#[test]
fn every_resource_name_begins_with_its_area() {
    let mut found = Vec::new();
    for message in messages() {
        let Some(resource) = resource(&message) else { continue };
        let patterns = resource.as_message().and_then(|r| Some(r.get_field_by_name("pattern")?.into_owned()));
        let patterns = patterns.and_then(|p| p.as_list().map(<[Value]>::to_vec)).unwrap_or_default();
        if patterns.is_empty() {
            found.push(format!("{}: no pattern", message.full_name()));
        }
        for pattern in patterns.iter().filter_map(Value::as_str) {
            if pattern != "areas/{area}" && !pattern.starts_with("areas/{area}/") {
                found.push(format!("{}: pattern {pattern}", message.full_name()));
            }
        }
        if text(&resource, "type") != format!("linli/{}", message.name()) {
            found.push(format!("{}: type {}", message.full_name(), text(&resource, "type")));
        }
        let name = message.get_field_by_name("name");
        if !name.is_some_and(|f| matches!(f.kind(), Kind::String) && behaves(&f, IDENTIFIER)) {
            found.push(format!("{}: no text field `name` with IDENTIFIER", message.full_name()));
        }
    }
    holds(found);
}

#[test]
fn what_is_got_or_updated_is_a_resource() {
    let mut found = Vec::new();
    for method in methods() {
        let standard = ["Get", "Create", "Update"]
            .iter()
            .any(|verb| method.name().strip_prefix(verb).is_some_and(|noun| noun == method.output().name()));
        if standard && resource(&method.output()).is_none() && !excused(&method.output()) {
            found.push(format!("{}: {} is no google.api.resource", method.full_name(), method.output().full_name()));
        }
    }
    holds(found);
}

/// Computed answers and clocks are read by a Get-like method and are no resource.
fn excused(message: &MessageDescriptor) -> bool {
    let computed = ["linli.rules.v1.EffectiveRules"];
    computed.contains(&message.full_name())
        || NAMED_BUT_NO_RESOURCE.iter().any(|(name, _)| *name == message.full_name())
}

#[test]
fn every_reference_names_a_type_that_exists() {
    let types: BTreeSet<String> =
        messages().iter().filter_map(resource).map(|resource| text(&resource, "type")).collect();
    let mut found = Vec::new();
    for message in messages() {
        for field in message.fields() {
            let Some(reference) = option(&field.options(), "google.api.resource_reference") else { continue };
            let wanted = [text(&reference, "type"), text(&reference, "child_type")];
            for wanted in wanted.iter().filter(|t| !t.is_empty() && *t != "*" && !types.contains(*t)) {
                found.push(format!("{}: no resource {wanted}", field.full_name()));
            }
        }
    }
    holds(found);
}

#[test]
fn what_can_be_updated_has_an_etag() {
    let updates = methods().into_iter().filter(|method| method.name().starts_with("Update"));
    let without = updates.filter(|method| method.output().get_field_by_name("etag").is_none());
    holds(without.map(|method| format!("{}: no etag", method.output().full_name())).collect());
}
