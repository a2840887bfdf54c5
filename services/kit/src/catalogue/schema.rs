//! What the contract says about a resource: its descriptor and the behaviour of its fields, read once.

use std::collections::{HashMap, HashSet};

use prost_reflect::{DescriptorPool, FieldDescriptor, Kind, MessageDescriptor, Value};

/// What a field's `google.api.field_behavior` says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Behaviour {
    pub(super) required: bool,
    pub(super) output_only: bool,
    pub(super) immutable: bool,
    pub(super) identifier: bool,
}

/// A resource type of the contract.
pub(super) struct Schema {
    pub(super) descriptor: MessageDescriptor,
    /// The field of requests that holds the resource: `award_binding`.
    pub(super) singular: String,
    /// Behaviours by full field name; fields without any are left out.
    behaviours: HashMap<String, Behaviour>,
}

impl Schema {
    /// Finds the message that declares a resource type.
    pub(super) fn of(resource_type: &str) -> Option<Self> {
        let pool = linli_proto::pool();
        let resource = pool.get_extension_by_name("google.api.resource")?;
        let declares = |message: &MessageDescriptor| {
            let options = message.options();
            let declared = options.get_extension(&resource);
            let text = |name: &str| {
                let value = declared.as_message()?.get_field_by_name(name)?;
                value.as_str().map(str::to_owned)
            };
            (text("type").as_deref() == Some(resource_type)).then(|| text("singular").unwrap_or_default())
        };
        let (descriptor, singular) = pool.all_messages().find_map(|m| declares(&m).map(|singular| (m, singular)))?;
        let singular = snake(if singular.is_empty() { descriptor.name() } else { &singular });
        let mut behaviours = HashMap::new();
        collect(pool, &descriptor, &mut behaviours, &mut HashSet::new());
        Some(Self { descriptor, singular, behaviours })
    }

    pub(super) fn behaviour(&self, field: &FieldDescriptor) -> Behaviour {
        self.behaviours.get(field.full_name()).copied().unwrap_or_default()
    }

    /// Whether a top-level field is set here and not by authors.
    pub(super) fn is_own(&self, field: &FieldDescriptor) -> bool {
        self.behaviour(field).identifier || matches!(field.name(), "name" | "etag" | "create_time" | "update_time")
    }
}

fn collect(
    pool: &DescriptorPool,
    message: &MessageDescriptor,
    found: &mut HashMap<String, Behaviour>,
    seen: &mut HashSet<String>,
) {
    if !seen.insert(message.full_name().to_owned()) {
        return;
    }
    for field in message.fields() {
        let behaviour = read(pool, &field);
        if behaviour != Behaviour::default() {
            found.insert(field.full_name().to_owned(), behaviour);
        }
        if let Kind::Message(inner) = field.kind() {
            collect(pool, &inner, found, seen);
        }
    }
}

/// Numbers of `google.api.FieldBehavior`.
fn read(pool: &DescriptorPool, field: &FieldDescriptor) -> Behaviour {
    let mut behaviour = Behaviour::default();
    let Some(extension) = pool.get_extension_by_name("google.api.field_behavior") else { return behaviour };
    let options = field.options();
    let listed = options.get_extension(&extension);
    for value in listed.as_list().unwrap_or_default() {
        match value {
            Value::EnumNumber(2) => behaviour.required = true,
            Value::EnumNumber(3) => behaviour.output_only = true,
            Value::EnumNumber(5) => behaviour.immutable = true,
            Value::EnumNumber(8) => behaviour.identifier = true,
            _ => {}
        }
    }
    behaviour
}

/// `awardBinding` and `AwardBinding` become `award_binding`.
fn snake(text: &str) -> String {
    let mut out = String::new();
    for (i, c) in text.chars().enumerate() {
        if c.is_ascii_uppercase() {
            if i > 0 {
                out.push('_');
            }
            out.push(c.to_ascii_lowercase());
        } else {
            out.push(c);
        }
    }
    out
}
