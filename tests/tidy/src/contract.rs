//! What buf cannot check about the contract: our options, names, ids and pages. Read from the descriptors of this build.

use prost_reflect::{DescriptorPool, DynamicMessage, MessageDescriptor, MethodDescriptor, Value};

mod comments;
mod messages;
mod methods;
mod privacy;

/// Every method of linli.
fn methods() -> Vec<MethodDescriptor> {
    let services = pool().services().filter(|service| service.full_name().starts_with("linli."));
    services.flat_map(|service| service.methods().collect::<Vec<_>>()).collect()
}

/// Every message of linli, nested ones too.
fn messages() -> Vec<MessageDescriptor> {
    let all = pool().all_messages().filter(|message| message.full_name().starts_with("linli."));
    all.filter(|message| !message.is_map_entry()).collect()
}

fn pool() -> &'static DescriptorPool {
    linli_proto::pool()
}

/// The value of an option, or `None` when it is not set.
fn option(options: &DynamicMessage, name: &str) -> Option<Value> {
    let extension = pool().get_extension_by_name(name).unwrap_or_else(|| panic!("{name} is in the pool"));
    options.has_extension(&extension).then(|| options.get_extension(&extension).into_owned())
}

/// A text field of a message value; empty when there is none.
fn text(value: &Value, field: &str) -> String {
    let message = value.as_message().expect("a message option");
    message.get_field_by_name(field).and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default()
}

/// A flag of a message value.
fn flag(value: &Value, field: &str) -> bool {
    let message = value.as_message().expect("a message option");
    message.get_field_by_name(field).and_then(|v| v.as_bool()).unwrap_or_default()
}

/// The access option of a method.
fn access(method: &MethodDescriptor) -> Option<Value> {
    option(&method.options(), "linli.options.v1.access")
}

/// Whether a field carries `google.api.field_behavior` of that number.
fn behaves(field: &prost_reflect::FieldDescriptor, number: i32) -> bool {
    match option(&field.options(), "google.api.field_behavior") {
        Some(Value::List(list)) => list.iter().any(|value| value.as_enum_number() == Some(number)),
        _ => false,
    }
}
