//! The records of the deliberation hooks: which track a topic takes, and how strict a ballot is.
//! Never: facts about people; these hooks see topics and counts only.

use serde::{Deserialize, Serialize};
use wasmtime::component::{ComponentType, Lift, Lower};

use super::facts::FactSet;
use super::types::{Reason, Restrict};

/// A matter that somebody raised.
#[derive(Debug, Clone, Default, PartialEq, Eq, ComponentType, Lower, Serialize, Deserialize)]
#[component(record)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
pub struct Topic {
    /// The topic's kind.
    pub kind: String,
    /// Where it came from.
    pub source: Option<String>,
    /// How many households it touches.
    #[component(name = "affected-households")]
    pub affected_households: Option<u32>,
    /// What it costs.
    #[component(name = "cost-fen")]
    pub cost_fen: Option<i32>,
    /// The community's own marks.
    pub tags: Vec<String>,
}

/// The question of the track hook.
#[derive(Debug, Clone, Default, PartialEq, Eq, ComponentType, Lower, Serialize, Deserialize)]
#[component(record)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
pub struct TrackRequest {
    /// The topic.
    pub topic: Topic,
    /// Ids of the process templates that the place has.
    pub tracks: Vec<String>,
}

/// The answer of the track hook.
#[derive(Debug, Clone, PartialEq, Eq, ComponentType, Lift, Serialize, Deserialize)]
#[component(record)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct TrackChoice {
    /// One of the request's tracks.
    pub track: String,
    /// Why.
    pub why: Reason,
}

/// An exact share of a whole: two thirds are 2 of 3.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ComponentType, Lift, Lower, Serialize, Deserialize)]
#[component(record)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Share {
    /// Parts, 0 to the denominator.
    pub numerator: u32,
    /// Parts of the whole, 1 to 1,000.
    pub denominator: u32,
    /// Whether the share must be exceeded, not only reached.
    #[serde(default)]
    pub exclusive: bool,
}

/// What a ballot has to reach, and how long it is open.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ComponentType, Lift, Lower, Serialize, Deserialize)]
#[component(record)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
pub struct Thresholds {
    /// How many of the electors have to take part.
    pub quorum: Option<Share>,
    /// How many of those have to agree.
    pub pass: Option<Share>,
    /// How long the ballot is open.
    #[component(name = "open-hours")]
    pub open_hours: u32,
}

/// The question of the thresholds hook.
#[derive(Debug, Clone, Default, PartialEq, Eq, ComponentType, Lower, Serialize, Deserialize)]
#[component(record)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
pub struct ThresholdsRequest {
    /// The topic's kind.
    pub kind: String,
    /// The process template that it follows.
    pub track: String,
    /// How many may vote.
    pub eligible: u32,
    /// How many households it touches.
    #[component(name = "affected-households")]
    pub affected_households: Option<u32>,
    /// What the matter costs.
    #[component(name = "cost-fen")]
    pub cost_fen: Option<i32>,
    /// The community's own marks.
    pub tags: Vec<String>,
    /// What the law and the charter ask for already.
    pub lawful: Thresholds,
}

/// The answer of the thresholds hook.
#[derive(Debug, Clone, PartialEq, Eq, ComponentType, Lift, Serialize, Deserialize)]
#[component(record)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Tightened {
    /// The thresholds that the plugin asks for.
    pub thresholds: Thresholds,
    /// Why.
    #[serde(default)]
    pub why: Vec<Reason>,
}

impl Restrict for TrackRequest {
    fn restrict(&mut self, _facts: FactSet) {}

    fn list_items(&self) -> usize {
        self.topic.tags.len() + self.tracks.len()
    }
}

impl Restrict for ThresholdsRequest {
    fn restrict(&mut self, _facts: FactSet) {}

    fn list_items(&self) -> usize {
        self.tags.len()
    }
}
