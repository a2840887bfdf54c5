//! The records of the deliberation hooks: which track a topic takes, and how strict a ballot is.
//! Never: facts about people; these hooks see topics and counts only.

use wasmtime::component::{ComponentType, Lift, Lower};

use super::facts::FactSet;
use super::types::{Reason, Restrict};

/// A matter that somebody raised.
#[derive(Debug, Clone, Default, PartialEq, Eq, ComponentType, Lower)]
#[component(record)]
pub struct Topic {
    /// The topic's kind.
    pub kind: String,
    /// Where it came from.
    pub source: String,
    /// How many support it.
    pub supports: u32,
    /// How many households it touches.
    #[component(name = "affected-households")]
    pub affected_households: u32,
    /// What it costs.
    #[component(name = "cost-fen")]
    pub cost_fen: Option<i32>,
    /// The community's own marks.
    pub tags: Vec<String>,
}

/// The question of the track hook.
#[derive(Debug, Clone, Default, PartialEq, Eq, ComponentType, Lower)]
#[component(record)]
pub struct TrackRequest {
    /// The topic.
    pub topic: Topic,
    /// The tracks that the process template offers.
    pub tracks: Vec<String>,
}

/// The answer of the track hook.
#[derive(Debug, Clone, PartialEq, Eq, ComponentType, Lift)]
#[component(record)]
pub struct TrackChoice {
    /// One of the request's tracks.
    pub track: String,
    /// Why.
    pub why: Reason,
}

/// A share by number of heads or households and one by floor area, in permille.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ComponentType, Lift, Lower)]
#[component(record)]
pub struct Share {
    /// By heads or households.
    pub number: u16,
    /// By floor area.
    pub area: u16,
}

/// What a ballot has to reach, and how long it is open.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ComponentType, Lift, Lower)]
#[component(record)]
pub struct Thresholds {
    /// Who has to take part.
    pub participation: Share,
    /// Who of those has to agree.
    pub approval: Share,
    /// Notice before the ballot opens.
    #[component(name = "notice-hours")]
    pub notice_hours: u32,
    /// How long the ballot is open.
    #[component(name = "open-hours")]
    pub open_hours: u32,
}

/// The question of the thresholds hook.
#[derive(Debug, Clone, Default, PartialEq, Eq, ComponentType, Lower)]
#[component(record)]
pub struct ThresholdsRequest {
    /// The ballot's kind.
    pub kind: String,
    /// The track it is on.
    pub track: String,
    /// How many may vote.
    pub eligible: u32,
    /// What the matter costs.
    #[component(name = "cost-fen")]
    pub cost_fen: Option<i32>,
    /// The community's own marks.
    pub tags: Vec<String>,
    /// What the law and the charter ask for already.
    pub lawful: Thresholds,
}

/// The answer of the thresholds hook.
#[derive(Debug, Clone, PartialEq, Eq, ComponentType, Lift)]
#[component(record)]
pub struct Tightened {
    /// The thresholds that the plugin asks for.
    pub thresholds: Thresholds,
    /// Why.
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
