//! The facts a rule is given and the answers it gives back: the records of `linli:rules`, as plain Rust.
//! Never: names of people, or facts that the plugin did not declare (see [`Restrict`]).

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use wasmtime::component::{ComponentType, Lift, Lower};

use super::facts::{Fact, FactSet};

/// A quantity of one asset: points, hearts, flowers, minutes, cny-fen.
#[derive(Debug, Clone, PartialEq, Eq, ComponentType, Lift, Lower, Serialize, Deserialize)]
#[component(record)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Amount {
    /// The asset's code.
    pub asset: String,
    /// How much of it.
    pub value: i32,
}

impl Amount {
    /// A quantity; beyond 32 bits it saturates, and the second value says so.
    pub fn saturating(asset: &str, value: i64) -> (Self, bool) {
        let narrow = i32::try_from(value).unwrap_or(if value < 0 { i32::MIN } else { i32::MAX });
        (Self { asset: asset.to_owned(), value: narrow }, i64::from(narrow) != value)
    }
}

/// A person, as far as the declared facts go.
#[derive(Debug, Clone, Default, PartialEq, Eq, ComponentType, Lower, Serialize, Deserialize)]
#[component(record)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
pub struct Member {
    /// A pseudonym that means nothing outside one evaluation.
    pub handle: u32,
    /// Age in full years.
    #[component(name = "age-years")]
    pub age_years: Option<u8>,
    /// resident, tenant, guest...
    pub standing: Option<String>,
    /// When the person joined, in minutes since the Unix epoch.
    pub joined: Option<u32>,
    /// Offices held.
    pub roles: Vec<String>,
    /// The community's own marks, registered needs among them.
    pub tags: Vec<String>,
}

/// What a member has used of one offering.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ComponentType, Lower, Serialize, Deserialize)]
#[component(record)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
pub struct Usage {
    /// Bookings that are still ahead.
    pub open: u16,
    /// Uses since Monday.
    #[component(name = "this-week")]
    pub this_week: u16,
    /// Uses since the first of the month.
    #[component(name = "this-month")]
    pub this_month: u16,
    /// Bookings that the member did not come to.
    #[component(name = "no-shows")]
    pub no_shows: u16,
}

/// One slot of an offering.
#[derive(Debug, Clone, Default, PartialEq, Eq, ComponentType, Lower, Serialize, Deserialize)]
#[component(record)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
pub struct Slot {
    /// The offering's code.
    pub offering: String,
    /// The offering's kind.
    pub kind: String,
    /// When it starts, in minutes since the Unix epoch.
    pub starts: u32,
    /// How long it takes, in minutes.
    #[component(name = "length-min")]
    pub length_min: u16,
    /// Seats.
    pub capacity: u16,
    /// Seats taken.
    pub taken: u16,
    /// The community's own marks.
    pub tags: Vec<String>,
}

/// The value of a setting or of an answer.
#[derive(Debug, Clone, PartialEq, Eq, ComponentType, Lift, Lower, Serialize, Deserialize)]
#[component(variant)]
#[serde(rename_all = "kebab-case")]
pub enum SettingValue {
    /// Yes or no.
    #[component(name = "flag")]
    Flag(bool),
    /// A whole number.
    #[component(name = "number")]
    Number(i32),
    /// One code of several.
    #[component(name = "choice")]
    Choice(String),
    /// Whole numbers.
    #[component(name = "numbers")]
    Numbers(Vec<i32>),
    /// Codes.
    #[component(name = "codes")]
    Codes(Vec<String>),
}

/// A setting of a binding, or an answer to an offering's question.
#[derive(Debug, Clone, PartialEq, Eq, ComponentType, Lift, Lower, Serialize, Deserialize)]
#[component(record)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Setting {
    /// The key, kebab-case.
    pub key: String,
    /// The value.
    pub value: SettingValue,
}

/// Everything else that could vary: the same context and request give the same answer.
#[derive(Debug, Clone, Default, PartialEq, Eq, ComponentType, Lower, Serialize, Deserialize)]
#[component(record)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
pub struct Context {
    /// Minutes since the Unix epoch, UTC.
    pub now: u32,
    /// The community's offset from UTC, in minutes.
    #[component(name = "utc-offset-min")]
    pub utc_offset_min: i16,
    /// A number that stands in for chance.
    pub seed: u32,
    /// The settings of the binding.
    pub settings: Vec<Setting>,
}

/// Why: a code of the manifest's catalogue and the values of its placeholders.
#[derive(Debug, Clone, PartialEq, Eq, ComponentType, Lift, Serialize, Deserialize)]
#[component(record)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Reason {
    /// The code.
    pub code: String,
    /// The values of `{0}`, `{1}`...
    #[serde(default)]
    pub args: Vec<String>,
}

/// A plugin's own refusal to decide.
#[derive(Debug, Clone, PartialEq, Eq, ComponentType, Lift, Serialize, Deserialize)]
#[component(variant)]
#[serde(rename_all = "kebab-case")]
pub enum Refusal {
    /// The setting that is wrong.
    #[component(name = "bad-settings")]
    BadSettings(String),
    /// The fact that is missing.
    #[component(name = "missing-fact")]
    MissingFact(String),
    /// The feature that the plugin does not support.
    #[component(name = "unsupported")]
    Unsupported(String),
}

/// The question of the eligibility hook.
#[derive(Debug, Clone, Default, PartialEq, Eq, ComponentType, Lower, Serialize, Deserialize)]
#[component(record)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
pub struct EligibilityRequest {
    /// Who wants to book.
    pub who: Member,
    /// The member's balances.
    pub balances: Vec<Amount>,
    /// What the member has used of the offering.
    pub used: Option<Usage>,
    /// The slot.
    pub slot: Slot,
    /// How many people come.
    pub party: u8,
    /// Answers to the offering's questions.
    pub answers: Vec<Setting>,
}

/// The answer of the eligibility hook.
#[derive(Debug, Clone, PartialEq, Eq, ComponentType, Lift, Serialize, Deserialize)]
#[component(variant)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// The booking may be made.
    #[component(name = "allow")]
    Allow,
    /// The booking may not be made.
    #[component(name = "deny")]
    Deny(Reason),
    /// Somebody has to approve it.
    #[component(name = "needs-approval")]
    NeedsApproval(Reason),
    /// The rule has nothing to say.
    #[component(name = "abstain")]
    Abstain,
}

/// The question of the price hook.
#[derive(Debug, Clone, PartialEq, Eq, ComponentType, Lower, Serialize, Deserialize)]
#[component(record)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct PriceRequest {
    /// Who pays.
    #[serde(default)]
    pub who: Member,
    /// The member's balances.
    #[serde(default)]
    pub balances: Vec<Amount>,
    /// What the member has used of the offering.
    #[serde(default)]
    pub used: Option<Usage>,
    /// The slot.
    #[serde(default)]
    pub slot: Slot,
    /// Answers to the offering's questions.
    #[serde(default)]
    pub answers: Vec<Setting>,
    /// The offering's own price.
    pub base: Amount,
    /// The least that may be asked.
    pub floor: Amount,
    /// The most that may be asked.
    pub ceiling: Amount,
}

/// The answer of the price hook.
#[derive(Debug, Clone, PartialEq, Eq, ComponentType, Lift, Serialize, Deserialize)]
#[component(record)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Terms {
    /// The price, in the asset of the request's base.
    pub price: Amount,
    /// How it came about.
    #[serde(default)]
    pub why: Vec<Reason>,
}

/// One entry of a waitlist.
#[derive(Debug, Clone, Default, PartialEq, Eq, ComponentType, Lower, Serialize, Deserialize)]
#[component(record)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
pub struct Waiting {
    /// Who waits.
    pub who: Member,
    /// Since when, in minutes since the Unix epoch.
    pub since: u32,
    /// What the member has used of the offering.
    pub used: Option<Usage>,
    /// Answers to the offering's questions.
    pub answers: Vec<Setting>,
}

/// The question of the priority hook: one whole queue.
#[derive(Debug, Clone, Default, PartialEq, Eq, ComponentType, Lower, Serialize, Deserialize)]
#[component(record)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
pub struct PriorityRequest {
    /// The slot that is waited for.
    pub slot: Slot,
    /// Those who wait.
    pub queue: Vec<Waiting>,
}

/// Something that happened and may deserve thanks.
#[derive(Debug, Clone, Default, PartialEq, Eq, ComponentType, Lower, Serialize, Deserialize)]
#[component(record)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
pub struct AwardEvent {
    /// The event's code.
    pub kind: String,
    /// As what the actor took part: volunteer, organiser, participant...
    pub role: String,
    /// How long it took.
    pub minutes: u32,
    /// How much of it was done.
    pub quantity: i32,
    /// What others said of it, 0 to 100.
    pub score: Option<u8>,
    /// The community's own marks.
    pub tags: Vec<String>,
}

/// The question of the award hook.
#[derive(Debug, Clone, Default, PartialEq, Eq, ComponentType, Lower, Serialize, Deserialize)]
#[component(record)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
pub struct AwardRequest {
    /// Who acted.
    pub actor: Member,
    /// The actor's balances.
    pub balances: Vec<Amount>,
    /// What happened.
    pub event: AwardEvent,
    /// The most that may be granted, one entry per asset.
    pub caps: Vec<Amount>,
}

/// One grant.
#[derive(Debug, Clone, PartialEq, Eq, ComponentType, Lift, Serialize, Deserialize)]
#[component(record)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Award {
    /// The handle of the actor.
    pub to: u32,
    /// How much of what.
    pub amount: Amount,
    /// Why.
    pub why: Reason,
}

/// A request whose undeclared facts can be blanked.
pub trait Restrict: Clone {
    /// Removes what the set does not hold.
    fn restrict(&mut self, facts: FactSet);

    /// How many list entries the request holds; each widens the fuel budget.
    fn list_items(&self) -> usize;

    /// The request as the plugin sees it, and as a receipt records it.
    fn restricted_to(&self, facts: FactSet) -> Cow<'_, Self> {
        if facts.is_full() {
            return Cow::Borrowed(self);
        }
        let mut copy = self.clone();
        copy.restrict(facts);
        Cow::Owned(copy)
    }
}

impl Restrict for Member {
    fn restrict(&mut self, facts: FactSet) {
        self.age_years = self.age_years.filter(|_| facts.has(Fact::Age));
        self.joined = self.joined.filter(|_| facts.has(Fact::Joined));
        self.standing = self.standing.take().filter(|_| facts.has(Fact::Standing));
        keep(&mut self.roles, facts, Fact::Roles);
        keep(&mut self.tags, facts, Fact::Tags);
    }

    fn list_items(&self) -> usize {
        self.roles.len() + self.tags.len()
    }
}

impl Restrict for EligibilityRequest {
    fn restrict(&mut self, facts: FactSet) {
        self.who.restrict(facts);
        self.used = self.used.filter(|_| facts.has(Fact::Usage));
        keep(&mut self.balances, facts, Fact::Balances);
        keep(&mut self.answers, facts, Fact::Answers);
    }

    fn list_items(&self) -> usize {
        self.who.list_items() + self.balances.len() + self.answers.len() + self.slot.tags.len()
    }
}

impl Restrict for PriceRequest {
    fn restrict(&mut self, facts: FactSet) {
        self.who.restrict(facts);
        self.used = self.used.filter(|_| facts.has(Fact::Usage));
        keep(&mut self.balances, facts, Fact::Balances);
        keep(&mut self.answers, facts, Fact::Answers);
    }

    fn list_items(&self) -> usize {
        self.who.list_items() + self.balances.len() + self.answers.len() + self.slot.tags.len()
    }
}

impl Restrict for PriorityRequest {
    fn restrict(&mut self, facts: FactSet) {
        for waiting in &mut self.queue {
            waiting.who.restrict(facts);
            waiting.used = waiting.used.filter(|_| facts.has(Fact::Usage));
            keep(&mut waiting.answers, facts, Fact::Answers);
        }
    }

    fn list_items(&self) -> usize {
        let entries = self.queue.iter().map(|waiting| 1 + waiting.who.list_items() + waiting.answers.len());
        self.slot.tags.len() + entries.sum::<usize>()
    }
}

impl Restrict for AwardRequest {
    fn restrict(&mut self, facts: FactSet) {
        self.actor.restrict(facts);
        keep(&mut self.balances, facts, Fact::Balances);
    }

    fn list_items(&self) -> usize {
        self.actor.list_items() + self.balances.len() + self.event.tags.len() + self.caps.len()
    }
}

pub(super) fn keep<T>(list: &mut Vec<T>, facts: FactSet, fact: Fact) {
    if !facts.has(fact) {
        list.clear();
    }
}
