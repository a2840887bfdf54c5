//! Ids of recorded objects: a prefix, a hyphen and a UUID as 26 lower-case base32 characters.
//!
//! Stored as 16 bytes. `define_id!` makes one newtype per kind, so that a booking's id never passes for a slot's.

use std::fmt;

use uuid::Uuid;

/// Crockford's base32 in lower case: no `i`, `l`, `o`, `u`, and the order of the text is the order of the bytes.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// Why a text is not an id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// The prefix is another kind's or is missing.
    #[error("expected an id that begins with \"{0}-\"")]
    Prefix(&'static str),
    /// The part behind the hyphen is not 26 characters of lower-case base32.
    #[error("expected 26 lower-case base32 characters after \"{0}-\"")]
    Body(&'static str),
}

/// What all id newtypes share.
pub trait Id: Copy + Eq + Ord + fmt::Display + Send + Sync + 'static {
    /// The text prefix, without the hyphen.
    const PREFIX: &'static str;

    /// Wraps a UUID.
    fn from_uuid(uuid: Uuid) -> Self;

    /// The UUID inside.
    fn uuid(self) -> Uuid;

    /// Reads the text form.
    ///
    /// # Errors
    /// [`IdError`] when the prefix or the body is wrong.
    fn parse(text: &str) -> Result<Self, IdError> {
        let body = text
            .strip_prefix(Self::PREFIX)
            .and_then(|rest| rest.strip_prefix('-'))
            .ok_or(IdError::Prefix(Self::PREFIX))?;
        RawId::decode(body).map(Self::from_uuid).ok_or(IdError::Body(Self::PREFIX))
    }
}

/// The text form of a UUID without a prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RawId(pub Uuid);

impl RawId {
    /// 26 characters of lower-case base32, or `None`.
    pub fn decode(body: &str) -> Option<Uuid> {
        let bytes = body.as_bytes();
        if bytes.len() != 26 {
            return None;
        }
        let mut value: u128 = 0;
        for (i, b) in bytes.iter().enumerate() {
            let digit = ALPHABET.iter().position(|a| a == b)? as u128;
            if i == 0 && digit > 7 {
                return None;
            }
            value = (value << 5) | digit;
        }
        Some(Uuid::from_u128(value))
    }
}

impl fmt::Display for RawId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = self.0.as_u128();
        let mut out = [0u8; 26];
        for (i, slot) in out.iter_mut().enumerate() {
            let shift = 5 * (25 - i);
            *slot = ALPHABET[((value >> shift) & 31) as usize];
        }
        f.write_str(std::str::from_utf8(&out).unwrap_or_default())
    }
}

/// Defines an id newtype: `define_id!(/** doc */ BookingId, "bkg");`.
#[macro_export]
macro_rules! define_id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name($crate::__Uuid);

        impl $crate::Id for $name {
            const PREFIX: &'static str = $prefix;
            fn from_uuid(uuid: $crate::__Uuid) -> Self {
                Self(uuid)
            }
            fn uuid(self) -> $crate::__Uuid {
                self.0
            }
        }

        impl ::std::fmt::Display for $name {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                write!(f, "{}-{}", $prefix, $crate::RawId(self.0))
            }
        }

        impl ::std::str::FromStr for $name {
            type Err = $crate::IdError;
            fn from_str(text: &str) -> ::std::result::Result<Self, Self::Err> {
                <Self as $crate::Id>::parse(text)
            }
        }
    };
}

#[cfg(test)]
mod tests {
    use super::*;
    crate::define_id!(
        /// An id for these tests.
        #[allow(unreachable_pub, reason = "the macro makes public types; this one stays in its test")]
        TestId,
        "tst"
    );

    #[test]
    fn text_and_bytes_round_trip_and_sort_alike() {
        let a = TestId::from_uuid(Uuid::from_u128(7));
        let b = TestId::from_uuid(Uuid::from_u128(u128::MAX));
        assert_eq!(TestId::parse(&a.to_string()), Ok(a));
        assert_eq!(TestId::parse(&b.to_string()), Ok(b));
        assert!(a.to_string() < b.to_string());
    }

    #[test]
    fn another_kinds_id_is_refused() {
        let text = TestId::from_uuid(Uuid::from_u128(7)).to_string().replace("tst", "bkg");
        assert_eq!(TestId::parse(&text), Err(IdError::Prefix("tst")));
        assert_eq!(TestId::parse("tst-zz"), Err(IdError::Body("tst")));
    }
}
