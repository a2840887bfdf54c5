//! A plugin version: its id, where it stands, and what is kept of its validation.

use serde::{Deserialize, Serialize};

use crate::engine::manifest::{Manifest, Text, kind_text};

linli_kernel::define_id!(
    /// Id of a notice to an author.
    PluginNoticeId,
    "pn"
);

linli_kernel::define_id!(
    /// Id of a plugin version.
    PluginVersionId,
    "pv"
);

/// Where a version stands. A valid one stays valid until it is quarantined; one that was rejected may be validated again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// It awaits validation.
    Uploaded,
    /// It may be bound.
    Valid,
    /// It may not be used.
    Rejected,
    /// It gave too many faults and is not asked until it is released.
    Quarantined,
}

impl State {
    /// The number in rows and messages.
    pub(crate) fn number(self) -> i32 {
        match self {
            Self::Uploaded => 1,
            Self::Valid => 2,
            Self::Rejected => 3,
            Self::Quarantined => 4,
        }
    }

    /// The state of a number.
    pub(crate) fn of(number: i32) -> Self {
        match number {
            2 => Self::Valid,
            3 => Self::Rejected,
            4 => Self::Quarantined,
            _ => Self::Uploaded,
        }
    }
}

/// A text in both languages, as it is kept.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Both {
    pub(crate) zh_cn: String,
    pub(crate) en: String,
}

impl Both {
    /// In a reader's language, or the one that there is.
    pub(crate) fn read(&self, lang: linli_kernel::Lang) -> String {
        linli_kernel::Text::new(self.zh_cn.as_str(), self.en.as_str()).get(lang).to_owned()
    }
}

impl From<&Text> for Both {
    fn from(text: &Text) -> Self {
        Self { zh_cn: text.zh_cn.clone(), en: text.en.clone() }
    }
}

/// One thing that validation found wrong, as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct KeptProblem {
    pub(crate) code: String,
    pub(crate) text: Both,
    pub(crate) location: String,
}

/// Why a version is not asked any more, as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct KeptQuarantine {
    pub(crate) since_us: i64,
    /// Stable code of the last fault.
    pub(crate) fault: String,
    pub(crate) faults: i32,
}

/// What a component says of itself, as far as it is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct KeptManifest {
    pub(crate) title: Both,
    pub(crate) summary: Both,
    pub(crate) facts: Vec<String>,
    pub(crate) settings: Vec<KeptDecl>,
}

/// A setting that a component takes, as far as it is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct KeptDecl {
    pub(crate) key: String,
    pub(crate) kind: String,
    pub(crate) label: Both,
    pub(crate) help: Both,
}

impl From<&Manifest> for KeptManifest {
    fn from(manifest: &Manifest) -> Self {
        let settings = manifest.settings.iter().map(|decl| KeptDecl {
            key: decl.key.clone(),
            kind: kind_text(&decl.kind),
            label: (&decl.label).into(),
            help: (&decl.help).into(),
        });
        Self {
            title: (&manifest.title).into(),
            summary: (&manifest.summary).into(),
            facts: manifest.facts.clone(),
            settings: settings.collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_leads_back_from_its_number() {
        for state in [State::Uploaded, State::Valid, State::Rejected, State::Quarantined] {
            assert_eq!(State::of(state.number()), state);
        }
    }
}
