//! Checking requests: names parsed at the edge, bad fields collected until all are known.

use linli_kernel::{AreaId, Id, Name, NameError, Timestamp};

use crate::{Error, FieldViolation, Result};

/// Bad fields found so far.
#[derive(Debug, Default)]
pub struct Violations(Vec<FieldViolation>);

impl Violations {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds one.
    pub fn push(&mut self, violation: FieldViolation) {
        self.0.push(violation);
    }

    /// Adds one with a reason that takes no arguments.
    pub fn bad(&mut self, field: impl Into<String>, reason: &'static str) {
        self.0.push(FieldViolation::new(field, reason));
    }

    /// Adds one when `ok` is false.
    pub fn ensure(&mut self, ok: bool, field: &str, reason: &'static str) {
        if !ok {
            self.bad(field, reason);
        }
    }

    /// The text must not be empty (or only blanks) and have at most `max` characters.
    pub fn text(&mut self, field: &str, text: &str, max: usize) {
        if text.trim().is_empty() {
            self.bad(field, "FIELD_REQUIRED");
        }
        self.max_chars(field, text, max);
    }

    /// The text may be empty and has at most `max` characters.
    pub fn max_chars(&mut self, field: impl std::fmt::Display, text: &str, max: usize) {
        if text.chars().count() > max {
            self.push(FieldViolation::new(field.to_string(), "FIELD_TOO_LONG").arg("max", max));
        }
    }

    /// The number lies between `min` and `max`, both included.
    pub fn range(&mut self, field: impl std::fmt::Display, value: i64, min: i64, max: i64) {
        if !(min..=max).contains(&value) {
            self.push(FieldViolation::new(field.to_string(), "FIELD_OUT_OF_RANGE").arg("min", min).arg("max", max));
        }
    }

    /// The list has at most `max` entries.
    pub fn max_items(&mut self, field: impl std::fmt::Display, len: usize, max: usize) {
        if len > max {
            self.push(FieldViolation::new(field.to_string(), "FIELD_TOO_MANY").arg("max", max));
        }
    }

    /// The enum value is declared and not the unspecified one.
    pub fn declared<T>(&mut self, field: &str, value: Result<T, prost::UnknownEnumValue>, raw: i32) -> Option<T> {
        match value {
            Ok(value) if raw != 0 => Some(value),
            Ok(_) => {
                self.bad(field, "FIELD_REQUIRED");
                None
            }
            Err(_) => {
                self.bad(field, "FIELD_ENUM");
                None
            }
        }
    }

    /// A code: 1-63 characters of a-z, 0-9, hyphen and dot.
    pub fn code(&mut self, field: impl std::fmt::Display, text: &str) {
        if text.is_empty() {
            self.bad(field.to_string(), "FIELD_REQUIRED");
        } else if let Err(error) = linli_kernel::Slug::new(text) {
            self.name_error(&field.to_string(), &error);
        }
    }

    /// A resource name of a collection within `area`; empty is bad.
    pub fn name_in(&mut self, field: &str, text: &str, collection: &str, area: &AreaId) -> Option<Name> {
        if text.is_empty() {
            self.bad(field, "FIELD_REQUIRED");
            return None;
        }
        match Name::parse(text, collection) {
            Ok(name) if name.area() == area => Some(name),
            Ok(_) => {
                self.push(FieldViolation::new(field, "AREA_MISMATCH").arg("area", area.name()));
                None
            }
            Err(error) => {
                self.name_error(field, &error);
                None
            }
        }
    }

    /// The same for a field that may be empty.
    pub fn optional_name_in(&mut self, field: &str, text: &str, collection: &str, area: &AreaId) -> Option<Name> {
        if text.is_empty() { None } else { self.name_in(field, text, collection, area) }
    }

    /// A text in both languages of which at least one is set.
    pub fn both(&mut self, field: &str, text: Option<&linli_proto::common::Text>, max: usize) {
        match text {
            Some(t) if !(t.zh_cn.trim().is_empty() && t.en.trim().is_empty()) => {
                self.max_chars(field, &t.zh_cn, max);
                self.max_chars(field, &t.en, max);
            }
            _ => self.bad(field, "FIELD_REQUIRED"),
        }
    }

    fn name_error(&mut self, field: &str, error: &NameError) {
        self.push(FieldViolation::new(field, "NAME_INVALID").arg("detail", error));
    }

    /// Ends the check.
    ///
    /// # Errors
    /// INVALID_ARGUMENT with every bad field.
    pub fn finish(self) -> Result<()> {
        Error::check(self.0)
    }

    /// The list itself, for violations with a prefix.
    pub fn into_vec(self) -> Vec<FieldViolation> {
        self.0
    }
}

/// Reads a resource name from a field.
///
/// # Errors
/// A violation of the field.
pub fn name(field: &str, text: &str, collection: &str) -> Result<Name> {
    if text.is_empty() {
        return Err(Error::field(FieldViolation::new(field, "FIELD_REQUIRED")));
    }
    Name::parse(text, collection).map_err(|e| Error::field(FieldViolation::new(field, "NAME_INVALID").arg("detail", e)))
}

/// Reads a recorded object's name and id from a field.
///
/// # Errors
/// A violation of the field.
pub fn recorded<I: Id>(field: &str, text: &str, collection: &str) -> Result<(AreaId, I)> {
    let name = name(field, text, collection)?;
    let id = name.typed().map_err(|e| Error::field(FieldViolation::new(field, "NAME_INVALID").arg("detail", e)))?;
    Ok((name.area().clone(), id))
}

/// Reads `areas/{area}` from a field.
///
/// # Errors
/// A violation of the field.
pub fn area(field: &str, text: &str) -> Result<AreaId> {
    if text.is_empty() {
        return Err(Error::field(FieldViolation::new(field, "FIELD_REQUIRED")));
    }
    AreaId::parse_name(text).map_err(|e| Error::field(FieldViolation::new(field, "NAME_INVALID").arg("detail", e)))
}

/// Reads the parent of a list: `areas/{area}`, or `None` for `areas/-`.
///
/// # Errors
/// A violation of `parent`.
pub fn list_parent(text: &str) -> Result<Option<AreaId>> {
    if text == "areas/-" { Ok(None) } else { area("parent", text).map(Some) }
}

/// The instant of a protobuf timestamp, rounded down to microseconds.
pub fn instant(t: &prost_types::Timestamp) -> Timestamp {
    Timestamp::from_micros(t.seconds.saturating_mul(1_000_000).saturating_add(i64::from(t.nanos) / 1000))
}

/// An instant as a protobuf timestamp.
pub fn timestamp(t: Timestamp) -> prost_types::Timestamp {
    prost_types::Timestamp { seconds: t.secs(), nanos: t.subsec_nanos() }
}

/// Microseconds as a protobuf timestamp.
pub fn timestamp_us(us: i64) -> prost_types::Timestamp {
    timestamp(Timestamp::from_micros(us))
}

/// The etag of a revision.
pub fn etag(revision: i64) -> String {
    format!("r{revision}")
}

/// Compares an etag that a caller sent with the present revision; an empty one matches.
///
/// # Errors
/// ABORTED STALE_ETAG when it is another.
pub fn check_etag(sent: &str, revision: i64, resource: impl std::fmt::Display) -> Result<()> {
    if sent.is_empty() || sent == etag(revision) {
        return Ok(());
    }
    Err(stale_etag(resource))
}

/// The error of an etag that is no longer the resource's.
pub fn stale_etag(resource: impl std::fmt::Display) -> Error {
    let resource = resource.to_string();
    let field = FieldViolation::new("etag", "STALE_ETAG").arg("resource", &resource);
    Error::new(crate::ErrorCode::Aborted, "STALE_ETAG").with("resource", resource).with_fields(vec![field])
}
