//! A way to decide: stages in order, each with the conditions for leaving it.

use std::collections::BTreeSet;

use super::ballot::Rule;

/// What must hold before a topic leaves a stage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Condition {
    /// At least so many supports.
    MinSupports(i32),
    /// At least one record of this kind at the stage.
    Record(String),
    /// A publication of the stage is at least so many hours old.
    PublishedHours(i32),
    /// A ballot of the stage is closed and passed.
    BallotPassed(Rule),
    /// The topic has been at the stage for at least so many hours.
    StageHours(i32),
    /// A decision of the stage was approved by a holder of this role.
    ApprovedByRole(String),
}

/// One stage of a process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stage {
    /// Code, unique in the process.
    pub(crate) id: String,
    /// All must hold before a topic leaves the stage.
    pub(crate) conditions: Vec<Condition>,
    /// Roles of which the caller who advances must hold one; empty: anyone with the permission.
    pub(crate) advanced_by: Vec<String>,
}

impl Stage {
    /// The rule of the stage's ballot; `None` when the stage has none.
    pub(crate) fn ballot(&self) -> Option<Rule> {
        self.conditions.iter().find_map(|c| if let Condition::BallotPassed(rule) = c { Some(*rule) } else { None })
    }

    /// Whether somebody with these roles may move a topic on.
    pub(crate) fn advances(&self, roles: &[String]) -> bool {
        self.advanced_by.is_empty() || self.advanced_by.iter().any(|wanted| roles.contains(wanted))
    }
}

/// A whole process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Process {
    /// Stages in order; at least one.
    pub(crate) stages: Vec<Stage>,
    /// Whether its topics are for their raisers and for those who move them on only.
    pub(crate) confidential: bool,
}

impl Process {
    /// Whether some stage has a ballot, so that a topic needs an electorate.
    pub(crate) fn has_ballot(&self) -> bool {
        self.stages.iter().any(|stage| stage.ballot().is_some())
    }

    /// Roles whose holders may know of a confidential topic, sorted; none when topics are public.
    pub(crate) fn readers(&self) -> BTreeSet<&str> {
        let roles = self.stages.iter().filter(|_| self.confidential).flat_map(|stage| &stage.advanced_by);
        roles.map(String::as_str).collect()
    }

    /// The stage of an ordinal.
    pub(crate) fn stage(&self, ordinal: usize) -> Option<&Stage> {
        self.stages.get(ordinal)
    }
}
