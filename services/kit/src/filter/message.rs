//! A checked filter as a test of messages, for resources that are stored whole.

use std::borrow::Cow;

use prost_reflect::{DynamicMessage, Kind as ProtoKind, MessageDescriptor, ReflectMessage as _, Value};

use super::Kind;
use super::check::{Compare, Match, Test, Tree, check};
use crate::Result;

/// A filter over messages of one type.
#[derive(Debug, Clone)]
pub struct MessageFilter {
    tree: Tree,
    paths: Vec<&'static str>,
}

impl MessageFilter {
    /// Checks a filter over the fields at `paths` (`kind`, `display_name.zh_cn`); their kinds come from the contract.
    ///
    /// # Errors
    /// A violation of the field `filter` with what is wrong and which fields there are.
    ///
    /// # Panics
    /// When a path is no filterable field of the message; a test of the service runs into it.
    pub fn parse(filter: &str, descriptor: &MessageDescriptor, paths: &[&'static str]) -> Result<Self> {
        let kinds: Vec<Kind> = paths
            .iter()
            .map(|path| {
                let found = kind(descriptor, path);
                found.unwrap_or_else(|| panic!("{path} is no filterable field of {}", descriptor.full_name()))
            })
            .collect();
        let known: Vec<(&str, &Kind)> = paths.iter().copied().zip(&kinds).collect();
        Ok(Self { tree: check(filter, &known)?, paths: paths.to_vec() })
    }

    /// Whether every message passes.
    pub fn is_empty(&self) -> bool {
        self.tree == Tree::All(Vec::new())
    }

    /// Whether `message` passes.
    pub fn matches(&self, message: &DynamicMessage) -> bool {
        self.passes(&self.tree, message)
    }

    fn passes(&self, tree: &Tree, message: &DynamicMessage) -> bool {
        match tree {
            Tree::All(parts) => parts.iter().all(|part| self.passes(part, message)),
            Tree::Any(parts) => parts.iter().any(|part| self.passes(part, message)),
            Tree::Not(part) => !self.passes(part, message),
            Tree::Test(field, test) => lookup(message, self.paths[*field]).is_some_and(|value| holds(test, &value)),
        }
    }
}

/// The kind of the field at a path; `None` when there is no such field or it cannot be filtered.
fn kind(descriptor: &MessageDescriptor, path: &str) -> Option<Kind> {
    let (name, rest) = path.split_once('.').map_or((path, None), |(name, rest)| (name, Some(rest)));
    let field = descriptor.get_field_by_name(name)?;
    match (field.kind(), rest) {
        _ if field.is_map() => None,
        (ProtoKind::Message(inner), Some(rest)) if !field.is_list() => kind(&inner, rest),
        (ProtoKind::Message(inner), None) if inner.full_name() == "google.protobuf.Timestamp" => Some(Kind::Timestamp),
        (_, Some(_)) => None,
        (ProtoKind::String, None) => Some(Kind::Text),
        (ProtoKind::Bool, None) => Some(Kind::Bool),
        (ProtoKind::Enum(found), None) => Some(Kind::ProtoEnum(found)),
        (ProtoKind::Int32 | ProtoKind::Int64 | ProtoKind::Uint32, None) => Some(Kind::Int),
        _ => None,
    }
}

/// The value at a path; `None` when a message on the way, or the field with presence, is not set.
fn lookup<'a>(message: &'a DynamicMessage, path: &str) -> Option<Cow<'a, Value>> {
    let (name, rest) = path.split_once('.').map_or((path, None), |(name, rest)| (name, Some(rest)));
    let field = message.descriptor().get_field_by_name(name)?;
    if field.supports_presence() && !message.has_field(&field) {
        return None;
    }
    match (message.get_field(&field), rest) {
        (value, None) => Some(value),
        (Cow::Borrowed(value), Some(rest)) => lookup(value.as_message()?, rest),
        (Cow::Owned(_), Some(_)) => None,
    }
}

fn holds(test: &Test, value: &Value) -> bool {
    match (test, value) {
        (Test::Text(how, text), Value::List(items)) => {
            let how = if *how == Match::Has { Match::Exact } else { *how };
            items.iter().any(|item| holds(&Test::Text(how, text.clone()), item))
        }
        (Test::Number(..), Value::List(items)) => items.iter().any(|item| holds(test, item)),
        (Test::Present, Value::List(items)) => !items.is_empty(),
        (Test::Present, Value::String(text)) => !text.is_empty(),
        (Test::Present, _) => true,
        (Test::Text(how, text), Value::String(found)) => match how {
            Match::Exact => found == text,
            Match::Prefix => found.starts_with(text),
            Match::Suffix => found.ends_with(text),
            Match::Contains | Match::Has => found.contains(text),
        },
        (Test::Flag(flag), Value::Bool(found)) => flag == found,
        (Test::Reference(_, name), Value::String(found)) => name == found,
        (Test::Number(how, number), found) => as_number(found).is_some_and(|found| compare(*how, found, *number)),
        (Test::Text(..) | Test::Flag(_) | Test::Reference(..), _) => false,
    }
}

fn as_number(value: &Value) -> Option<i64> {
    match value {
        Value::I32(n) | Value::EnumNumber(n) => Some(i64::from(*n)),
        Value::I64(n) => Some(*n),
        Value::U32(n) => Some(i64::from(*n)),
        Value::Message(time) => {
            let secs = time.get_field_by_name("seconds")?.as_i64()?;
            let nanos = time.get_field_by_name("nanos")?.as_i32()?;
            Some(secs.saturating_mul(1_000_000) + i64::from(nanos / 1000))
        }
        _ => None,
    }
}

fn compare(how: Compare, found: i64, wanted: i64) -> bool {
    match how {
        Compare::Equal => found == wanted,
        Compare::Greater => found > wanted,
        Compare::GreaterOrEqual => found >= wanted,
        Compare::Less => found < wanted,
        Compare::LessOrEqual => found <= wanted,
    }
}
