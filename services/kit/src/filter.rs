//! List filters (AIP-160) and orders (AIP-132): parsed, checked against an allow-list, then a condition or a test.
//!
//! A filter is first turned into a tree of typed tests on listed fields; only that tree becomes SQL or is evaluated. Texts
//! compare exactly, by case, on both engines. Never: free text search.

mod check;
mod message;
mod order;
mod sql;

use prost_reflect::EnumDescriptor;
use sea_orm::Condition;
use sea_orm::sea_query::{Expr, Value};

pub use message::MessageFilter;
pub use order::{OrderField, order_by};

use crate::{Error, FieldViolation, Result};

/// Characters of a filter at most.
const MAX_LEN: usize = 2000;
/// Tests in a filter at most.
const MAX_TESTS: usize = 64;

/// What a field's values look like in a filter, and how its column stores them.
#[derive(Debug, Clone)]
pub enum Kind {
    /// Text: `=`, `!=` with `*` at the ends, `:` for "contains".
    Text,
    /// A whole number: all comparisons.
    Int,
    /// `true` or `false`; stored as a boolean.
    Bool,
    /// An instant in RFC 3339, quoted, or a quoted date; stored as microseconds; all comparisons.
    Timestamp,
    /// One of these codes, stored as the number beside it.
    Enum(&'static [(&'static str, i64)]),
    /// A value of an enum of the contract by its name, stored as its number.
    ProtoEnum(EnumDescriptor),
    /// A resource name; the function gives what the column stores, or nothing when the text is no such name.
    Ref(fn(&str) -> Option<Value>),
}

impl Kind {
    /// The kind of a column that stores an enum of the contract.
    ///
    /// # Panics
    /// When the contract has no such enum; a test of the service runs into it.
    pub fn proto_enum(full_name: &str) -> Self {
        let found = linli_proto::pool().get_enum_by_name(full_name);
        Self::ProtoEnum(found.unwrap_or_else(|| panic!("{full_name} is no enum of the contract")))
    }
}

/// A field that may stand in a filter.
#[derive(Debug, Clone)]
pub struct FilterField {
    /// Its path as the contract names it.
    pub name: &'static str,
    /// Its values.
    pub kind: Kind,
    /// Its column.
    pub column: Expr,
}

impl FilterField {
    /// A field with its column.
    pub fn new(name: &'static str, kind: Kind, column: impl Into<Expr>) -> Self {
        Self { name, kind, column: column.into() }
    }
}

/// Turns a filter into a condition on columns; an empty one matches every row.
///
/// # Errors
/// A violation of the field `filter` with what is wrong and which fields there are.
pub fn condition(filter: &str, fields: &[FilterField]) -> Result<Condition> {
    let known: Vec<(&str, &Kind)> = fields.iter().map(|f| (f.name, &f.kind)).collect();
    let tree = check::check(filter, &known)?;
    Ok(sql::condition(&tree, fields))
}

fn invalid(detail: impl std::fmt::Display, known: &[(&str, &Kind)]) -> Error {
    let allowed = known.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
    Error::field(FieldViolation::new("filter", "FILTER_INVALID").arg("detail", detail).arg("allowed", allowed))
}

#[cfg(test)]
mod tests;
