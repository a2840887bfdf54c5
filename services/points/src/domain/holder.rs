//! Who holds units: a person of the area, or a purpose such as `issuance`.

use std::fmt;

use linli_kernel::{AreaId, Id as _, Name, Slug};

use super::PersonId;

/// A holder within one area.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Holder {
    /// A person.
    Person(PersonId),
    /// A purpose by its code: letters, digits and hyphens, never beginning like a person's id.
    Purpose(Slug),
}

/// Why a text names no holder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HolderError {
    /// Neither a person's name nor a purpose code.
    Malformed,
    /// A person of another area.
    OtherArea,
}

/// Code of the purpose from which all units come.
const ISSUANCE: &str = "issuance";
/// Code of the purpose to which spent units go.
const REDEEMED: &str = "redeemed";

impl Holder {
    /// The purpose from which all units come; the only holder that may owe.
    pub fn issuance() -> Self {
        Self::purpose(ISSUANCE)
    }

    /// The purpose to which spent units go when no payee is named.
    pub fn redeemed() -> Self {
        Self::purpose(REDEEMED)
    }

    fn purpose(code: &str) -> Self {
        Self::Purpose(Slug::new(code).unwrap_or_else(|_| unreachable!("the code is a slug")))
    }

    /// Whether its balance may fall below zero.
    pub fn may_owe(&self) -> bool {
        matches!(self, Self::Purpose(code) if code.as_str() == ISSUANCE)
    }

    /// Whether an asset's cap holds for it. Purposes are the community's own books and have none.
    pub fn is_capped(&self) -> bool {
        matches!(self, Self::Person(_))
    }

    /// Reads the short form, as in accounts: a person's id or a purpose code.
    pub fn parse(text: &str) -> Option<Self> {
        if text.starts_with("per-") {
            return PersonId::parse(text).ok().map(Self::Person);
        }
        let plain = text.bytes().all(|b| b != b'.');
        Slug::new(text).ok().filter(|_| plain).map(Self::Purpose)
    }

    /// Reads the long form, as in requests: a person's full name or a purpose code.
    ///
    /// # Errors
    /// [`HolderError`] with what is wrong.
    pub fn parse_name(text: &str, area: &AreaId) -> Result<Self, HolderError> {
        if !text.contains('/') {
            return match Self::parse(text) {
                Some(purpose @ Self::Purpose(_)) => Ok(purpose),
                _ => Err(HolderError::Malformed),
            };
        }
        let name = Name::parse(text, "people").map_err(|_| HolderError::Malformed)?;
        let id = name.typed().map_err(|_| HolderError::Malformed)?;
        if name.area() == area { Ok(Self::Person(id)) } else { Err(HolderError::OtherArea) }
    }

    /// The long form.
    pub fn name(&self, area: &str) -> String {
        match self {
            Self::Person(id) => format!("areas/{area}/people/{id}"),
            Self::Purpose(code) => code.to_string(),
        }
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Person(id) => id.fmt(f),
            Self::Purpose(code) => code.fmt(f),
        }
    }
}
