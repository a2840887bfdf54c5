//! The resource types of the contract and their standard methods, read from its descriptors.

use std::collections::HashSet;
use std::sync::LazyLock;

use anyhow::{Result, anyhow};
use prost_reflect::{
    DynamicMessage, ExtensionDescriptor, FieldDescriptor, Kind, MessageDescriptor, MethodDescriptor, Value,
};

use super::suggest::nearest;

/// A resource type with its standard methods (AIP-121).
#[derive(Debug)]
pub struct ResourceType {
    /// Such as `linli/AwardBinding`.
    pub name: String,
    /// Collection in names, such as `awardBindings`.
    pub plural: String,
    /// The resource's message.
    pub message: MessageDescriptor,
    /// Returns one.
    pub get: Option<MethodDescriptor>,
    /// Lists them.
    pub list: Option<MethodDescriptor>,
    /// Changes one.
    pub update: Option<MethodDescriptor>,
    /// Deletes one.
    pub delete: Option<MethodDescriptor>,
    /// Whether authors choose the ids, so that files can describe it.
    pub catalogue: bool,
}

static TYPES: LazyLock<Vec<ResourceType>> = LazyLock::new(|| {
    let Some(option) = extension("google.api.resource") else { return Vec::new() };
    linli_proto::pool().all_messages().filter_map(|message| ResourceType::of(message, &option)).collect()
});

impl ResourceType {
    fn of(message: MessageDescriptor, option: &ExtensionDescriptor) -> Option<Self> {
        let (name, plural) = {
            let options = message.options();
            let declared = options.get_extension(option);
            let text = |name: &str| {
                declared.as_message()?.get_field_by_name(name)?.as_str().filter(|t| !t.is_empty()).map(str::to_owned)
            };
            (text("type")?, text("plural")?)
        };
        let pool = linli_proto::pool();
        let methods: Vec<MethodDescriptor> = pool
            .services()
            .filter(|service| service.package_name() == message.package_name())
            .flat_map(|service| service.methods().collect::<Vec<_>>())
            .collect();
        let named = |verb: &str| methods.iter().find(|m| m.name() == format!("{verb}{}", message.name())).cloned();
        let list = methods.iter().find(|m| m.name().starts_with("List") && page_field(m, &message).is_some()).cloned();
        let update = named("Update").filter(|m| m.input().get_field_by_name("allow_missing").is_some());
        let chosen = named("Create")
            .is_none_or(|m| m.input().fields().any(|f| f.name().ends_with("_id") && f.name() != "request_id"));
        // What an area has one of, and always, is no catalogue: it cannot be listed.
        let catalogue = update.is_some() && list.is_some() && chosen;
        Some(Self { name, plural, get: named("Get"), list, update, delete: named("Delete"), catalogue, message })
    }

    /// The word that people use, such as `awardBinding`.
    pub fn singular(&self) -> &str {
        self.name.rsplit('/').next().unwrap_or(&self.name)
    }

    /// Whether it is listed by area.
    pub fn has_parent(&self) -> bool {
        self.list.as_ref().is_some_and(|m| m.input().get_field_by_name("parent").is_some())
    }

    /// The field of a list's answer that holds the page.
    pub fn page_field(&self) -> Option<FieldDescriptor> {
        self.list.as_ref().and_then(|method| page_field(method, &self.message))
    }

    /// The field of an update's request that holds the resource.
    pub fn update_field(&self) -> Option<FieldDescriptor> {
        let input = self.update.as_ref()?.input();
        input.fields().find(|field| !field.is_list() && field.kind().as_message() == Some(&self.message))
    }

    /// Whether `name` is that of such a resource: `areas/{area}`, or `areas/{area}/{plural}/{id}`.
    pub fn is_named(&self, name: &str) -> bool {
        let parts: Vec<&str> = name.split('/').collect();
        let filled = parts.iter().all(|part| !part.is_empty() && *part != "-");
        filled
            && match parts.as_slice() {
                [collection, _] => self.plural == *collection,
                ["areas", _, collection, _] => self.plural == *collection && self.has_parent(),
                _ => false,
            }
    }
}

fn page_field(method: &MethodDescriptor, message: &MessageDescriptor) -> Option<FieldDescriptor> {
    method.output().fields().find(|field| field.is_list() && field.kind().as_message() == Some(message))
}

fn extension(name: &str) -> Option<ExtensionDescriptor> {
    linli_proto::pool().get_extension_by_name(name)
}

/// All resource types, in the order of the contract.
pub fn all() -> &'static [ResourceType] {
    &TYPES
}

/// Finds a type by what people call it: `offering`, `offerings`, `award-binding`, `linli/Offering`.
///
/// # Errors
/// The nearest type, or all of them, when there is none.
pub fn find(word: &str) -> Result<&'static ResourceType> {
    let plain = |text: &str| text.replace(['-', '_'], "").to_lowercase();
    let wanted = plain(word.strip_prefix("linli/").unwrap_or(word));
    let found = all().iter().find(|t| plain(t.singular()) == wanted || plain(&t.plural) == wanted);
    found.ok_or_else(|| {
        let words = all().iter().flat_map(|t| [t.singular(), t.plural.as_str()]);
        match nearest(word.strip_prefix("linli/").unwrap_or(word), words) {
            Some(near) => anyhow!("there is no resource type {word:?}; did you mean {near:?}?"),
            None => {
                let known: Vec<&str> = all().iter().map(|t| t.plural.as_str()).collect();
                anyhow!("there is no resource type {word:?}; there are {}", known.join(", "))
            }
        }
    })
}

/// The resource type to which a field refers.
pub fn referred_type(field: &FieldDescriptor) -> Option<String> {
    let option = extension("google.api.resource_reference")?;
    let options = field.options();
    if !options.has_extension(&option) {
        return None;
    }
    let declared = options.get_extension(&option);
    let found = declared.as_message()?.get_field_by_name("type")?.as_str().map(str::to_owned);
    found.filter(|name| !name.is_empty())
}

/// Whether only the service sets a field.
pub fn is_output_only(field: &FieldDescriptor) -> bool {
    let Some(option) = extension("google.api.field_behavior") else { return false };
    let options = field.options();
    let declared = options.get_extension(&option);
    declared.as_list().is_some_and(|list| list.contains(&Value::EnumNumber(3)))
}

/// The types to which fields of a message refer, at any depth; what only the service sets is left out.
pub fn referred_types(message: &MessageDescriptor) -> HashSet<String> {
    let mut found = HashSet::new();
    collect_types(message, &mut found, &mut HashSet::new());
    found
}

fn collect_types(message: &MessageDescriptor, found: &mut HashSet<String>, seen: &mut HashSet<String>) {
    if !seen.insert(message.full_name().to_owned()) {
        return;
    }
    for field in message.fields().filter(|field| !is_output_only(field)) {
        found.extend(referred_type(&field));
        if let Kind::Message(inner) = field.kind() {
            collect_types(&inner, found, seen);
        }
    }
}

/// The names of resources to which a message refers, at any depth.
pub fn references(message: &DynamicMessage) -> Vec<String> {
    let mut found = Vec::new();
    for (field, value) in message.fields() {
        let refers = referred_type(&field).is_some();
        visit(value, refers, &mut found);
    }
    found
}

fn visit(value: &Value, refers: bool, found: &mut Vec<String>) {
    match value {
        Value::String(name) if refers && !name.is_empty() => found.push(name.clone()),
        Value::Message(inner) => found.extend(references(inner)),
        Value::List(items) => items.iter().for_each(|item| visit(item, refers, found)),
        Value::Map(entries) => entries.values().for_each(|entry| visit(entry, refers, found)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_is_found_by_every_word_that_people_use() {
        for word in ["awardBinding", "award-bindings", "AWARDBINDINGS", "linli/AwardBinding", "award_binding"] {
            assert_eq!(find(word).expect(word).name, "linli/AwardBinding");
        }
        assert_eq!(find("people").expect("people").name, "linli/Person");
    }

    #[test]
    fn an_unknown_type_is_answered_with_the_nearest() {
        assert!(find("ofering").expect_err("mistyped").to_string().contains("\"Offering\""));
        assert!(find("spaceship").expect_err("strange").to_string().contains("bookings"));
    }

    #[test]
    fn what_authors_name_is_catalogue_and_what_is_recorded_is_not() {
        let catalogue: Vec<&str> = all().iter().filter(|t| t.catalogue).map(ResourceType::singular).collect();
        for name in
            ["Area", "StructureTemplate", "Unit", "UnitLink", "Offering", "Schedule", "Asset", "Plugin", "RuleBinding"]
        {
            assert!(catalogue.contains(&name), "{name} is missing in {catalogue:?}");
        }
        for name in ["Person", "Household", "Booking", "PluginVersion", "Transfer"] {
            assert!(!catalogue.contains(&name), "{name} is no catalogue resource");
        }
    }

    #[test]
    fn every_type_with_a_list_can_be_read_by_pages() {
        for kind in all().iter().filter(|t| t.list.is_some()) {
            assert!(kind.page_field().is_some(), "{}", kind.name);
        }
        assert!(all().iter().filter(|t| t.catalogue).all(|t| t.list.is_some() && t.update_field().is_some()));
    }

    #[test]
    fn names_are_checked_against_the_collection() {
        let offering = find("offering").expect("a type");
        assert!(offering.is_named("areas/xinhua/offerings/haircut"));
        assert!(!offering.is_named("areas/xinhua/stations/haircut"));
        assert!(!offering.is_named("areas/-/offerings/haircut"));
        assert!(find("area").expect("a type").is_named("areas/xinhua"));
    }
}
