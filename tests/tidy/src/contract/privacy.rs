//! Claims about privacy: what an event may carry.

use std::collections::BTreeSet;

use prost_reflect::{FieldDescriptor, Kind, MessageDescriptor};

use super::{messages, option};
use crate::repo::holds;

/// `DATA_CLASS_PERSONAL` and `DATA_CLASS_SENSITIVE`.
const PRIVATE: [i32; 2] = [2, 3];

fn is_private(field: &FieldDescriptor) -> bool {
    let class = option(&field.options(), "linli.options.v1.data_class").and_then(|value| value.as_enum_number());
    class.is_some_and(|class| PRIVATE.contains(&class))
}

/// Paths of the private fields that a message can carry.
fn private_fields(message: &MessageDescriptor, seen: &mut BTreeSet<String>) -> Vec<String> {
    if !seen.insert(message.full_name().to_owned()) {
        return Vec::new();
    }
    let mut found = Vec::new();
    for field in message.fields() {
        if is_private(&field) {
            found.push(field.full_name().to_owned());
        }
        if let Kind::Message(inner) = field.kind() {
            found.extend(private_fields(&inner, seen));
        }
    }
    found
}

#[test]
fn no_event_can_carry_a_private_field() {
    let payloads: Vec<_> =
        messages().into_iter().filter(|message| message.parent_file().name().ends_with("/events.proto")).collect();
    let payloads = payloads.into_iter().filter(|message| message.package_name() != "linli.events.v1");
    let mut found = Vec::new();
    for payload in payloads {
        for field in private_fields(&payload, &mut BTreeSet::new()) {
            found.push(format!("{} can carry {field}", payload.full_name()));
        }
    }
    holds(found);
}

#[test]
fn the_walk_sees_private_fields_of_inner_messages() {
    // Negative control: a booking carries free text in its answers and visits.
    let booking = messages().into_iter().find(|m| m.full_name() == "linli.booking.v1.Booking").expect("Booking");
    let found = private_fields(&booking, &mut BTreeSet::new());
    assert!(found.iter().any(|f| f == "linli.common.v1.Answer.text"), "{found:?}");
    assert!(found.iter().any(|f| f == "linli.booking.v1.VisitDetails.description"), "{found:?}");
}

#[test]
fn facts_for_rules_are_pseudonymous() {
    let rules = ["EligibilityFacts", "PriceFacts", "PriorityFacts", "AwardFacts"];
    let mut found = Vec::new();
    for name in rules {
        let name = format!("linli.rules.v1.{name}");
        let facts = messages().into_iter().find(|m| m.full_name() == name).unwrap_or_else(|| panic!("{name}"));
        let mut fields = private_fields(&facts, &mut BTreeSet::new());
        // Answers travel as flags, numbers and choices; the service that asks drops the texts.
        fields.retain(|field| field != "linli.common.v1.Answer.text");
        found.extend(fields.into_iter().map(|field| format!("{name} can carry {field}")));
    }
    holds(found);
}
