//! The facts that expressions may use, hook by hook: their names, types, and where they are found in a request.
//! Never: a fact that the contract does not have.

use super::expr::Value;
use crate::deliberation::{ThresholdsRequest, TrackRequest};
use crate::types::{
    Amount, AwardRequest, Context, EligibilityRequest, Member, PriceRequest, PriorityRequest, Setting, Slot, Usage,
    Waiting,
};
use crate::{Fact, Hook, Question};

/// The type of an expression.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ty {
    Bool,
    Int,
    Code,
    Ints,
    Codes,
}

impl Ty {
    pub(super) const fn words(self) -> (&'static str, &'static str) {
        match self {
            Ty::Bool => ("是否", "yes/no"),
            Ty::Int => ("整数", "a number"),
            Ty::Code => ("代码", "a code"),
            Ty::Ints => ("整数列表", "a list of numbers"),
            Ty::Codes => ("代码列表", "a list of codes"),
        }
    }
}

/// A question by reference.
#[derive(Debug, Clone, Copy)]
pub enum Asked<'a> {
    /// May this booking be made?
    Eligibility(&'a EligibilityRequest),
    /// What does it cost?
    Price(&'a PriceRequest),
    /// In which order are those on the waitlist served?
    Priority(&'a PriorityRequest),
    /// What does this event earn?
    Award(&'a AwardRequest),
    /// Which track does this topic take?
    Track(&'a TrackRequest),
    /// How strict is this ballot?
    Thresholds(&'a ThresholdsRequest),
}

impl Asked<'_> {
    /// The hook that is asked.
    pub const fn hook(&self) -> Hook {
        match self {
            Asked::Eligibility(_) => Hook::Eligibility,
            Asked::Price(_) => Hook::Price,
            Asked::Priority(_) => Hook::Priority,
            Asked::Award(_) => Hook::Award,
            Asked::Track(_) => Hook::Track,
            Asked::Thresholds(_) => Hook::Thresholds,
        }
    }
}

impl<'a> From<&'a Question> for Asked<'a> {
    fn from(question: &'a Question) -> Self {
        match question {
            Question::Eligibility(req) => Asked::Eligibility(req),
            Question::Price(req) => Asked::Price(req),
            Question::Priority(req) => Asked::Priority(req),
            Question::Award(req) => Asked::Award(req),
            Question::Track(req) => Asked::Track(req),
            Question::Thresholds(req) => Asked::Thresholds(req),
        }
    }
}

/// A fact under a fixed name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Var {
    Now,
    Seed,
    Handle,
    Age,
    Standing,
    Joined,
    Roles,
    Tags,
    Open,
    ThisWeek,
    ThisMonth,
    NoShows,
    Offering,
    SlotKind,
    Starts,
    Length,
    Capacity,
    Taken,
    SlotTags,
    Party,
    BaseAsset,
    Base,
    Floor,
    Ceiling,
    Since,
    EventKind,
    EventRole,
    Minutes,
    Quantity,
    Score,
    EventTags,
    TopicKind,
    Source,
    Households,
    Cost,
    TopicTags,
    Tracks,
    Track,
    Eligible,
    OpenHours,
}

/// One line of the list of facts.
pub(super) struct Known {
    pub(super) var: Var,
    pub(super) path: &'static str,
    pub(super) ty: Ty,
    /// What is missing where it is not there; none for what is always there.
    pub(super) missing: Option<&'static str>,
    pub(super) fact: Option<Fact>,
    hooks: &'static [Hook],
}

use Hook::{Award, Eligibility, Price, Priority, Thresholds, Track};

const ALL: &[Hook] = &Hook::ALL;
const PEOPLE: &[Hook] = &[Eligibility, Price, Priority, Award];
const BOOKING: &[Hook] = &[Eligibility, Price, Priority];

const fn always(var: Var, path: &'static str, ty: Ty, hooks: &'static [Hook]) -> Known {
    Known { var, path, ty, missing: None, fact: None, hooks }
}

const fn perhaps(var: Var, path: &'static str, ty: Ty, missing: &'static str, hooks: &'static [Hook]) -> Known {
    Known { var, path, ty, missing: Some(missing), fact: None, hooks }
}

const fn declared(known: Known, fact: Fact) -> Known {
    Known { fact: Some(fact), ..known }
}

/// Every fact; `actor` is another name for `who`.
pub(super) static KNOWN: &[Known] = &[
    always(Var::Now, "now", Ty::Int, ALL),
    always(Var::Seed, "seed", Ty::Int, ALL),
    always(Var::Handle, "who.handle", Ty::Int, PEOPLE),
    declared(perhaps(Var::Age, "who.age_years", Ty::Int, "age", PEOPLE), Fact::Age),
    declared(perhaps(Var::Standing, "who.standing", Ty::Code, "standing", PEOPLE), Fact::Standing),
    declared(perhaps(Var::Joined, "who.joined", Ty::Int, "joined", PEOPLE), Fact::Joined),
    declared(always(Var::Roles, "who.roles", Ty::Codes, PEOPLE), Fact::Roles),
    declared(always(Var::Tags, "who.tags", Ty::Codes, PEOPLE), Fact::Tags),
    declared(perhaps(Var::Open, "used.open", Ty::Int, "usage", BOOKING), Fact::Usage),
    declared(perhaps(Var::ThisWeek, "used.this_week", Ty::Int, "usage", BOOKING), Fact::Usage),
    declared(perhaps(Var::ThisMonth, "used.this_month", Ty::Int, "usage", BOOKING), Fact::Usage),
    declared(perhaps(Var::NoShows, "used.no_shows", Ty::Int, "usage", BOOKING), Fact::Usage),
    always(Var::Offering, "slot.offering", Ty::Code, BOOKING),
    always(Var::SlotKind, "slot.kind", Ty::Code, BOOKING),
    always(Var::Starts, "slot.starts", Ty::Int, BOOKING),
    always(Var::Length, "slot.length_min", Ty::Int, BOOKING),
    always(Var::Capacity, "slot.capacity", Ty::Int, BOOKING),
    always(Var::Taken, "slot.taken", Ty::Int, BOOKING),
    always(Var::SlotTags, "slot.tags", Ty::Codes, BOOKING),
    always(Var::Party, "party", Ty::Int, &[Eligibility]),
    always(Var::BaseAsset, "base.asset", Ty::Code, &[Price]),
    always(Var::Base, "base.value", Ty::Int, &[Price]),
    always(Var::Floor, "floor.value", Ty::Int, &[Price]),
    always(Var::Ceiling, "ceiling.value", Ty::Int, &[Price]),
    always(Var::Since, "since", Ty::Int, &[Priority]),
    always(Var::EventKind, "event.kind", Ty::Code, &[Award]),
    always(Var::EventRole, "event.role", Ty::Code, &[Award]),
    always(Var::Minutes, "event.minutes", Ty::Int, &[Award]),
    always(Var::Quantity, "event.quantity", Ty::Int, &[Award]),
    perhaps(Var::Score, "event.score", Ty::Int, "score", &[Award]),
    always(Var::EventTags, "event.tags", Ty::Codes, &[Award]),
    always(Var::TopicKind, "topic.kind", Ty::Code, &[Track]),
    perhaps(Var::Source, "topic.source", Ty::Code, "source", &[Track]),
    perhaps(Var::Households, "topic.affected_households", Ty::Int, "affected-households", &[Track]),
    perhaps(Var::Cost, "topic.cost_fen", Ty::Int, "cost-fen", &[Track]),
    always(Var::TopicTags, "topic.tags", Ty::Codes, &[Track]),
    always(Var::Tracks, "tracks", Ty::Codes, &[Track]),
    always(Var::TopicKind, "kind", Ty::Code, &[Thresholds]),
    always(Var::Track, "track", Ty::Code, &[Thresholds]),
    always(Var::Eligible, "eligible", Ty::Int, &[Thresholds]),
    perhaps(Var::Households, "affected_households", Ty::Int, "affected-households", &[Thresholds]),
    perhaps(Var::Cost, "cost_fen", Ty::Int, "cost-fen", &[Thresholds]),
    always(Var::TopicTags, "tags", Ty::Codes, &[Thresholds]),
    always(Var::OpenHours, "lawful.open_hours", Ty::Int, &[Thresholds]),
];

/// The facts of a hook.
pub(super) fn of_hook(hook: Hook) -> impl Iterator<Item = &'static Known> {
    KNOWN.iter().filter(move |known| known.hooks.contains(&hook))
}

/// Whether a hook has a map of this name: answers, balances, caps.
pub(super) fn has_map(hook: Hook, name: &str) -> bool {
    match name {
        "settings" => true,
        "answers" => BOOKING.contains(&hook),
        "balances" => matches!(hook, Eligibility | Price | Award),
        "caps" => hook == Award,
        _ => false,
    }
}

/// A request as expressions see it; of a queue, one entry.
#[derive(Debug, Clone, Copy)]
pub(super) struct View<'a> {
    pub(super) ctx: &'a Context,
    pub(super) asked: Asked<'a>,
    who: Option<&'a Member>,
    used: Option<&'a Usage>,
    slot: Option<&'a Slot>,
    pub(super) answers: &'a [Setting],
    pub(super) balances: &'a [Amount],
    since: u32,
}

impl<'a> View<'a> {
    pub(super) fn new(ctx: &'a Context, asked: Asked<'a>) -> Self {
        let none = Self { ctx, asked, who: None, used: None, slot: None, answers: &[], balances: &[], since: 0 };
        match asked {
            Asked::Eligibility(req) => Self {
                who: Some(&req.who),
                used: req.used.as_ref(),
                slot: Some(&req.slot),
                answers: &req.answers,
                balances: &req.balances,
                ..none
            },
            Asked::Price(req) => Self {
                who: Some(&req.who),
                used: req.used.as_ref(),
                slot: Some(&req.slot),
                answers: &req.answers,
                balances: &req.balances,
                ..none
            },
            Asked::Priority(req) => Self { slot: Some(&req.slot), ..none },
            Asked::Award(req) => Self { who: Some(&req.actor), balances: &req.balances, ..none },
            Asked::Track(_) | Asked::Thresholds(_) => none,
        }
    }

    pub(super) fn of(self, waiting: &'a Waiting) -> Self {
        Self {
            who: Some(&waiting.who),
            used: waiting.used.as_ref(),
            answers: &waiting.answers,
            since: waiting.since,
            ..self
        }
    }

    /// The value of a fact; none where it is missing.
    pub(super) fn get(&self, var: Var) -> Option<Value<'a>> {
        let int = |n: i64| Some(Value::Int(n));
        match var {
            Var::Now => return int(self.ctx.now.into()),
            Var::Seed => return int(self.ctx.seed.into()),
            Var::Handle => return int(self.who?.handle.into()),
            Var::Age => return int(self.who?.age_years?.into()),
            Var::Standing => return self.who?.standing.as_deref().map(Value::Code),
            Var::Joined => return int(self.who?.joined?.into()),
            Var::Roles => return Some(Value::Codes(&self.who?.roles)),
            Var::Tags => return Some(Value::Codes(&self.who?.tags)),
            Var::Open => return int(self.used?.open.into()),
            Var::ThisWeek => return int(self.used?.this_week.into()),
            Var::ThisMonth => return int(self.used?.this_month.into()),
            Var::NoShows => return int(self.used?.no_shows.into()),
            Var::Offering => return Some(Value::Code(&self.slot?.offering)),
            Var::SlotKind => return Some(Value::Code(&self.slot?.kind)),
            Var::Starts => return int(self.slot?.starts.into()),
            Var::Length => return int(self.slot?.length_min.into()),
            Var::Capacity => return int(self.slot?.capacity.into()),
            Var::Taken => return int(self.slot?.taken.into()),
            Var::SlotTags => return Some(Value::Codes(&self.slot?.tags)),
            Var::Since => return int(self.since.into()),
            _ => {}
        }
        match self.asked {
            Asked::Eligibility(req) if var == Var::Party => int(req.party.into()),
            Asked::Price(req) => of_price(req, var),
            Asked::Award(req) => of_award(req, var),
            Asked::Track(req) => of_track(req, var),
            Asked::Thresholds(req) => of_thresholds(req, var),
            Asked::Eligibility(_) | Asked::Priority(_) => None,
        }
    }
}

fn of_price(req: &PriceRequest, var: Var) -> Option<Value<'_>> {
    match var {
        Var::BaseAsset => Some(Value::Code(&req.base.asset)),
        Var::Base => Some(Value::Int(req.base.value.into())),
        Var::Floor => Some(Value::Int(req.floor.value.into())),
        Var::Ceiling => Some(Value::Int(req.ceiling.value.into())),
        _ => None,
    }
}

fn of_award(req: &AwardRequest, var: Var) -> Option<Value<'_>> {
    let event = &req.event;
    match var {
        Var::EventKind => Some(Value::Code(&event.kind)),
        Var::EventRole => Some(Value::Code(&event.role)),
        Var::Minutes => Some(Value::Int(event.minutes.into())),
        Var::Quantity => Some(Value::Int(event.quantity.into())),
        Var::Score => Some(Value::Int(event.score?.into())),
        Var::EventTags => Some(Value::Codes(&event.tags)),
        _ => None,
    }
}

fn of_track(req: &TrackRequest, var: Var) -> Option<Value<'_>> {
    let topic = &req.topic;
    match var {
        Var::TopicKind => Some(Value::Code(&topic.kind)),
        Var::Source => topic.source.as_deref().map(Value::Code),
        Var::Households => Some(Value::Int(topic.affected_households?.into())),
        Var::Cost => Some(Value::Int(topic.cost_fen?.into())),
        Var::TopicTags => Some(Value::Codes(&topic.tags)),
        Var::Tracks => Some(Value::Codes(&req.tracks)),
        _ => None,
    }
}

fn of_thresholds(req: &ThresholdsRequest, var: Var) -> Option<Value<'_>> {
    match var {
        Var::TopicKind => Some(Value::Code(&req.kind)),
        Var::Track => Some(Value::Code(&req.track)),
        Var::Eligible => Some(Value::Int(req.eligible.into())),
        Var::Households => Some(Value::Int(req.affected_households?.into())),
        Var::Cost => Some(Value::Int(req.cost_fen?.into())),
        Var::TopicTags => Some(Value::Codes(&req.tags)),
        Var::OpenHours => Some(Value::Int(req.lawful.open_hours.into())),
        _ => None,
    }
}
