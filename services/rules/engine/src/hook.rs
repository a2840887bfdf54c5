//! The hooks of `linli:rules`, and where a component exports them.
//! Never: what a hook's records look like.

use serde::{Deserialize, Serialize};

/// The package and version that this host speaks.
pub const PACKAGE_VERSION: &str = "1.0.0";

/// The interface of manifest and settings check, which every plugin exports.
pub(crate) const META: &str = "linli:rules/meta@1.0.0";

/// The type-only instance: the one import that a plugin may have.
pub(crate) const TYPES: &str = "linli:rules/types@1.0.0";

/// A named point at which a service asks a community's rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "&'static str")]
pub enum Hook {
    /// May this booking be made?
    Eligibility,
    /// What does it cost?
    Price,
    /// In which order are those on the waitlist served?
    Priority,
    /// What does this event earn?
    Award,
    /// Which track does this topic take?
    Track,
    /// How strict is this ballot?
    Thresholds,
}

impl Hook {
    /// Every hook.
    pub const ALL: [Hook; 6] =
        [Hook::Eligibility, Hook::Price, Hook::Priority, Hook::Award, Hook::Track, Hook::Thresholds];

    /// The name of the hook's interface.
    pub const fn code(self) -> &'static str {
        match self {
            Hook::Eligibility => "booking-eligibility",
            Hook::Price => "booking-price",
            Hook::Priority => "booking-priority",
            Hook::Award => "points-award",
            Hook::Track => "deliberation-track",
            Hook::Thresholds => "deliberation-thresholds",
        }
    }

    /// The hook of a name.
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|hook| hook.code() == code)
    }

    pub(crate) fn from_interface(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|hook| hook.interface() == name)
    }

    pub(crate) const fn interface(self) -> &'static str {
        match self {
            Hook::Eligibility => "linli:rules/booking-eligibility@1.0.0",
            Hook::Price => "linli:rules/booking-price@1.0.0",
            Hook::Priority => "linli:rules/booking-priority@1.0.0",
            Hook::Award => "linli:rules/points-award@1.0.0",
            Hook::Track => "linli:rules/deliberation-track@1.0.0",
            Hook::Thresholds => "linli:rules/deliberation-thresholds@1.0.0",
        }
    }

    pub(crate) const fn function(self) -> &'static str {
        match self {
            Hook::Eligibility => "decide",
            Hook::Price => "quote",
            Hook::Priority => "prioritise",
            Hook::Award => "grant",
            Hook::Track => "choose",
            Hook::Thresholds => "tighten",
        }
    }
}

impl TryFrom<String> for Hook {
    type Error = String;

    fn try_from(code: String) -> Result<Self, String> {
        Self::from_code(&code).ok_or_else(|| format!("no hook is called {code:?}"))
    }
}

impl From<Hook> for &'static str {
    fn from(hook: Hook) -> Self {
        hook.code()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interface_is_the_package_the_code_and_the_version() {
        for hook in Hook::ALL {
            assert_eq!(hook.interface(), format!("linli:rules/{}@{PACKAGE_VERSION}", hook.code()));
            assert_eq!(Hook::from_interface(hook.interface()), Some(hook));
            assert_eq!(Hook::from_code(hook.code()), Some(hook));
        }
        assert!(META.ends_with(PACKAGE_VERSION) && TYPES.ends_with(PACKAGE_VERSION));
    }
}
