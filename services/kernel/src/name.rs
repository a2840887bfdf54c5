//! Resource names (AIP-122): `areas/xinhua/bookings/bkg-...`.
//!
//! Every name begins with its area. A [`Name`] is parsed once at the edge; behind it nobody splits strings.

use std::fmt;

use crate::id::{Id, IdError};

/// Why a text is not a resource name of the wanted kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// The segments do not follow the pattern.
    #[error("expected a name like \"{0}\"")]
    Pattern(String),
    /// One id segment is not allowed.
    #[error("\"{0}\" is not an id: 1 to 63 characters of a-z, 0-9, hyphen and dot, beginning with a letter or a digit")]
    Slug(String),
    /// A recorded object's id is malformed.
    #[error(transparent)]
    Id(#[from] IdError),
}

/// An id that an author chose: 1-63 characters of `a-z`, `0-9`, `-`, `.`; begins and ends with a letter or digit.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slug(String);

impl Slug {
    /// Checks the text.
    ///
    /// # Errors
    /// [`NameError::Slug`] when a character or the length is not allowed.
    pub fn new(text: impl Into<String>) -> Result<Self, NameError> {
        let text = text.into();
        let ok = (1..=63).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'.')
            && !text.starts_with('-')
            && !text.ends_with('-');
        if ok { Ok(Self(text)) } else { Err(NameError::Slug(text)) }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Slug {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The slug of an administrative area, unique in the installation.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AreaId(Slug);

impl AreaId {
    /// Checks the slug.
    ///
    /// # Errors
    /// [`NameError::Slug`] when it is not a slug.
    pub fn new(text: impl Into<String>) -> Result<Self, NameError> {
        Slug::new(text).map(Self)
    }

    /// Reads `areas/{area}`.
    ///
    /// # Errors
    /// [`NameError`] when the text is no area name.
    pub fn parse_name(text: &str) -> Result<Self, NameError> {
        match text.split_once('/') {
            Some(("areas", rest)) if !rest.contains('/') => Self::new(rest),
            _ => Err(NameError::Pattern("areas/{area}".into())),
        }
    }

    /// The slug's text.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// The resource name `areas/{area}`.
    pub fn name(&self) -> String {
        format!("areas/{}", self.0)
    }
}

impl fmt::Display for AreaId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A name of the form `areas/{area}/{collection}/{id}`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name {
    area: AreaId,
    collection: String,
    id: String,
}

impl Name {
    /// Reads `areas/{area}/{collection}/{id}` for one wanted collection.
    ///
    /// # Errors
    /// [`NameError`] when the pattern does not match or the id has characters that no id has.
    pub fn parse(text: &str, collection: &str) -> Result<Self, NameError> {
        let pattern = || NameError::Pattern(format!("areas/{{area}}/{collection}/{{id}}"));
        let mut parts = text.split('/');
        let (Some("areas"), Some(area), Some(found), Some(id), None) =
            (parts.next(), parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(pattern());
        };
        if found != collection {
            return Err(pattern());
        }
        let slug = Slug::new(id)?;
        Ok(Self { area: AreaId::new(area)?, collection: collection.to_owned(), id: slug.0 })
    }

    /// Builds the name of a catalogue object.
    pub fn catalogue(area: &AreaId, collection: &str, id: &Slug) -> Self {
        Self { area: area.clone(), collection: collection.to_owned(), id: id.as_str().to_owned() }
    }

    /// Builds the name of a recorded object.
    pub fn recorded(area: &AreaId, collection: &str, id: impl Id) -> Self {
        Self { area: area.clone(), collection: collection.to_owned(), id: id.to_string() }
    }

    /// The area.
    pub fn area(&self) -> &AreaId {
        &self.area
    }

    /// The id's text.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The id as a recorded object's.
    ///
    /// # Errors
    /// [`NameError::Id`] when it is not such an id.
    pub fn typed<I: Id>(&self) -> Result<I, NameError> {
        Ok(I::parse(&self.id)?)
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "areas/{}/{}/{}", self.area, self.collection, self.id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_read_only_for_its_own_collection() {
        let name = Name::parse("areas/xinhua/units/grid-1", "units").expect("a unit's name");
        assert_eq!((name.area().as_str(), name.id()), ("xinhua", "grid-1"));
        assert!(Name::parse("areas/xinhua/units/grid-1", "people").is_err());
        assert!(Name::parse("areas/xinhua/units/grid-1/x", "units").is_err());
    }

    #[test]
    fn slugs_refuse_upper_case_spaces_and_outer_hyphens() {
        for bad in ["", "A", "a b", "-a", "a-", &"a".repeat(64)] {
            assert!(Slug::new(bad).is_err(), "{bad:?}");
        }
    }
}
