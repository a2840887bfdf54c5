//! The facts of a request as the engine takes them. Never: a fact that was not sent.
//!
//! The contract has no absent numbers and texts: an age of 0 and an empty standing count as not known.

use std::fmt::Arguments;

use linli_kit::FieldViolation;
use linli_kit::check::{Violations, instant};
use linli_proto::common;
use linli_proto::rules as pb;
use linli_proto::rules::evaluate_request::Hook as Asked;

use crate::engine::Question;
use crate::engine::deliberation::{Share, Thresholds, ThresholdsRequest, Topic, TrackRequest};
use crate::engine::types::{
    Amount, AwardEvent, AwardRequest, Context, EligibilityRequest, Member, PriceRequest, PriorityRequest, Setting,
    SettingValue, Slot, Usage, Waiting,
};

/// Entries of a queue at most.
const MAX_QUEUE: usize = 1_000;
/// Process templates of a place at most.
const MAX_TRACKS: usize = 64;
/// Ninety days, the longest that a ballot may be open.
const MAX_OPEN_HOURS: i64 = 90 * 24;
/// Entries of any other list at most.
const MAX_LIST: usize = 256;

/// Reads a request, whose fields are named below `at` (empty or `requests[3].`); every bad field is noted.
pub(super) fn read(r: &pb::EvaluateRequest, at: Arguments<'_>, bad: &mut Violations) -> Option<(Context, Question)> {
    if !r.kind.is_empty() {
        bad.code(format_args!("{at}kind"), &r.kind);
    }
    if r.now.is_none() {
        bad.bad(format!("{at}now"), "FIELD_REQUIRED");
    }
    bad.range(format_args!("{at}bucket"), r.bucket.into(), 0, 999);
    bad.range(format_args!("{at}utc_offset_min"), r.utc_offset_min.into(), -840, 840);
    let context = Context {
        now: minute(r.now.as_ref()).unwrap_or_default(),
        utc_offset_min: i16::try_from(r.utc_offset_min).unwrap_or_default(),
        seed: r.seed,
        settings: Vec::new(),
    };
    let question = match r.hook.as_ref() {
        None => {
            bad.bad(format!("{at}hook"), "FIELD_REQUIRED");
            return None;
        }
        Some(Asked::Eligibility(facts)) => {
            Question::Eligibility(eligibility(facts, format_args!("{at}eligibility."), bad))
        }
        Some(Asked::Price(facts)) => Question::Price(price(facts, format_args!("{at}price."), bad)),
        Some(Asked::Priority(facts)) => Question::Priority(priority(facts, format_args!("{at}priority."), bad)),
        Some(Asked::Award(facts)) => Question::Award(award(facts, format_args!("{at}award."), bad)),
        Some(Asked::Track(facts)) => Question::Track(track(facts, format_args!("{at}track."), bad)),
        Some(Asked::Thresholds(facts)) => Question::Thresholds(thresholds(facts, format_args!("{at}thresholds."), bad)),
    };
    Some((context, question))
}

fn eligibility(facts: &pb::EligibilityFacts, at: Arguments<'_>, bad: &mut Violations) -> EligibilityRequest {
    bad.range(format_args!("{at}party"), facts.party.into(), 0, u8::MAX.into());
    bad.max_items(format_args!("{at}balances"), facts.balances.len(), MAX_LIST);
    bad.max_items(format_args!("{at}answers"), facts.answers.len(), MAX_LIST);
    EligibilityRequest {
        who: member(facts.who.as_ref(), format_args!("{at}who"), bad),
        balances: amounts(&facts.balances),
        used: facts.used.as_ref().map(usage),
        slot: slot(facts.slot.as_ref(), at, bad),
        party: u8::try_from(facts.party).unwrap_or(u8::MAX),
        answers: answers(&facts.answers),
    }
}

fn price(facts: &pb::PriceFacts, at: Arguments<'_>, bad: &mut Violations) -> PriceRequest {
    bad.max_items(format_args!("{at}balances"), facts.balances.len(), MAX_LIST);
    bad.max_items(format_args!("{at}answers"), facts.answers.len(), MAX_LIST);
    let (asset, value) = match &facts.base {
        Some(base) => {
            bad.code(format_args!("{at}base.asset"), &base.asset);
            bad.range(format_args!("{at}base.value"), base.value, 0, i32::MAX.into());
            (base.asset.as_str(), base.value)
        }
        None => {
            bad.push(FieldViolation::new(format!("{at}base"), "FIELD_REQUIRED"));
            ("", 0)
        }
    };
    PriceRequest {
        who: member(facts.who.as_ref(), format_args!("{at}who"), bad),
        balances: amounts(&facts.balances),
        used: facts.used.as_ref().map(usage),
        slot: slot(facts.slot.as_ref(), at, bad),
        answers: answers(&facts.answers),
        base: Amount::saturating(asset, value).0,
        floor: Amount::saturating(asset, facts.floor).0,
        ceiling: Amount::saturating(asset, facts.ceiling).0,
    }
}

fn priority(facts: &pb::PriorityFacts, at: Arguments<'_>, bad: &mut Violations) -> PriorityRequest {
    bad.max_items(format_args!("{at}queue"), facts.queue.len(), MAX_QUEUE);
    for (i, waiting) in facts.queue.iter().take(MAX_QUEUE).enumerate() {
        bad.max_items(format_args!("{at}queue[{i}].answers"), waiting.answers.len(), MAX_LIST);
    }
    let queue = facts.queue.iter().take(MAX_QUEUE).enumerate().map(|(i, waiting)| Waiting {
        who: member(waiting.who.as_ref(), format_args!("{at}queue[{i}].who"), bad),
        since: minute(waiting.since.as_ref()).unwrap_or_default(),
        used: waiting.used.as_ref().map(usage),
        answers: answers(&waiting.answers),
    });
    let queue = queue.collect();
    PriorityRequest { slot: slot(facts.slot.as_ref(), at, bad), queue }
}

fn award(facts: &pb::AwardFacts, at: Arguments<'_>, bad: &mut Violations) -> AwardRequest {
    bad.max_items(format_args!("{at}balances"), facts.balances.len(), MAX_LIST);
    bad.max_items(format_args!("{at}tags"), facts.tags.len(), MAX_LIST);
    bad.code(format_args!("{at}kind"), &facts.kind);
    if facts.cap.is_none() {
        bad.push(FieldViolation::new(format!("{at}cap"), "FIELD_REQUIRED"));
    }
    AwardRequest {
        actor: member(facts.actor.as_ref(), format_args!("{at}actor"), bad),
        balances: amounts(&facts.balances),
        event: AwardEvent {
            kind: facts.kind.clone(),
            role: facts.role.clone(),
            minutes: u32::try_from(facts.minutes).unwrap_or_default(),
            quantity: facts.quantity,
            score: facts.score.map(|score| u8::try_from(score.clamp(0, 100)).unwrap_or(100)),
            tags: facts.tags.clone(),
        },
        caps: facts.cap.iter().map(|cap| Amount::saturating(&cap.asset, cap.value).0).collect(),
    }
}

fn track(facts: &pb::TrackFacts, at: Arguments<'_>, bad: &mut Violations) -> TrackRequest {
    bad.code(format_args!("{at}kind"), &facts.kind);
    bad.max_items(format_args!("{at}tags"), facts.tags.len(), MAX_LIST);
    if facts.tracks.is_empty() {
        bad.bad(format!("{at}tracks"), "FIELD_REQUIRED");
    }
    bad.max_items(format_args!("{at}tracks"), facts.tracks.len(), MAX_TRACKS);
    let topic = Topic {
        kind: facts.kind.clone(),
        source: Some(facts.source.clone()).filter(|code| !code.is_empty()),
        affected_households: facts.affected_households.map(count),
        cost_fen: facts.cost_fen.map(saturated),
        tags: facts.tags.clone(),
    };
    TrackRequest { topic, tracks: facts.tracks.clone() }
}

fn thresholds(facts: &pb::ThresholdsFacts, at: Arguments<'_>, bad: &mut Violations) -> ThresholdsRequest {
    bad.code(format_args!("{at}kind"), &facts.kind);
    bad.max_items(format_args!("{at}tags"), facts.tags.len(), MAX_LIST);
    if facts.lawful.is_none() {
        bad.bad(format!("{at}lawful"), "FIELD_REQUIRED");
    }
    let lawful = facts.lawful.unwrap_or_default();
    bad.range(format_args!("{at}lawful.open_hours"), lawful.open_hours.into(), 0, MAX_OPEN_HOURS);
    ThresholdsRequest {
        kind: facts.kind.clone(),
        track: facts.track.clone(),
        eligible: count(facts.eligible),
        affected_households: facts.affected_households.map(count),
        cost_fen: facts.cost_fen.map(saturated),
        tags: facts.tags.clone(),
        lawful: Thresholds {
            quorum: lawful.quorum.map(|ratio| share(ratio, format_args!("{at}lawful.quorum"), bad)),
            pass: lawful.pass.map(|ratio| share(ratio, format_args!("{at}lawful.pass"), bad)),
            open_hours: count(lawful.open_hours),
        },
    }
}

fn share(sent: pb::Ratio, at: Arguments<'_>, bad: &mut Violations) -> Share {
    bad.range(format_args!("{at}.denominator"), sent.denominator.into(), 1, 1_000);
    bad.range(format_args!("{at}.numerator"), sent.numerator.into(), 0, sent.denominator.max(0).into());
    Share { numerator: count(sent.numerator), denominator: count(sent.denominator), exclusive: sent.exclusive }
}

/// A count; what cannot be counted is none.
fn count(sent: i32) -> u32 {
    u32::try_from(sent).unwrap_or_default()
}

fn saturated(sent: i64) -> i32 {
    i32::try_from(sent).unwrap_or(if sent < 0 { i32::MIN } else { i32::MAX })
}

/// A member, in the field named `at`.
fn member(sent: Option<&pb::Member>, at: Arguments<'_>, bad: &mut Violations) -> Member {
    let Some(sent) = sent else { return Member::default() };
    for (field, len) in [("roles", sent.roles.len()), ("tags", sent.tags.len())] {
        bad.max_items(format_args!("{at}.{field}"), len, MAX_LIST);
    }
    Member {
        handle: sent.handle,
        age_years: u8::try_from(sent.age_years.min(u8::MAX.into())).ok().filter(|age| *age > 0),
        standing: Some(sent.standing.clone()).filter(|code| !code.is_empty()),
        joined: minute(sent.joined.as_ref()),
        roles: sent.roles.clone(),
        tags: sent.tags.clone(),
    }
}

/// As in the contract: the week and the month of the slot hold what is open and what was served.
fn usage(sent: &pb::Usage) -> Usage {
    Usage {
        open: narrow(sent.open),
        this_week: narrow(sent.this_week),
        this_month: narrow(sent.this_month),
        no_shows: narrow(sent.no_shows),
    }
}

fn slot(sent: Option<&pb::SlotFacts>, at: Arguments<'_>, bad: &mut Violations) -> Slot {
    let Some(sent) = sent else { return Slot::default() };
    bad.max_items(format_args!("{at}slot.tags"), sent.tags.len(), MAX_LIST);
    Slot {
        offering: sent.offering.clone(),
        kind: sent.kind.clone(),
        starts: minute(sent.start_time.as_ref()).unwrap_or_default(),
        length_min: narrow(sent.length_min),
        capacity: narrow(sent.capacity),
        taken: narrow(sent.taken),
        tags: sent.tags.clone(),
    }
}

fn amounts(sent: &[common::Amount]) -> Vec<Amount> {
    sent.iter().map(|amount| Amount::saturating(&amount.asset, amount.value).0).collect()
}

/// Flags, numbers and choices; a text is never shown to a rule.
fn answers(sent: &[common::Answer]) -> Vec<Setting> {
    use common::answer::Value;
    let value = |answer: &common::Answer| match answer.value.as_ref()? {
        Value::Flag(flag) => Some(SettingValue::Flag(*flag)),
        Value::Number(number) => Some(SettingValue::Number(*number)),
        Value::Choice(code) => Some(SettingValue::Choice(code.clone())),
        Value::Text(_) => None,
    };
    sent.iter().filter_map(|a| Some(Setting { key: a.key.clone(), value: value(a)? })).collect()
}

/// Minutes since the epoch, cut to what the records hold.
fn minute(sent: Option<&prost_types::Timestamp>) -> Option<u32> {
    let secs = instant(sent?).secs();
    Some(u32::try_from(secs.div_euclid(60)).unwrap_or(if secs < 0 { 0 } else { u32::MAX }))
}

fn narrow(number: i32) -> u16 {
    u16::try_from(number.max(0)).unwrap_or(u16::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usage_reaches_a_rule_as_the_contract_counts_it_and_no_number_overflows() {
        let used = usage(&pb::Usage { open: 1, this_week: 1, this_month: 2, no_shows: 70_000 });
        assert_eq!((used.open, used.this_week, used.this_month, used.no_shows), (1, 1, 2, u16::MAX));
    }

    #[test]
    fn every_bad_field_is_named_below_its_request() {
        let mut bad = Violations::new();
        let facts = pb::PriceFacts { base: None, ..pb::PriceFacts::default() };
        let request = pb::EvaluateRequest {
            utc_offset_min: 9_999,
            hook: Some(Asked::Price(facts)),
            ..pb::EvaluateRequest::default()
        };
        let _ = read(&request, format_args!("requests[2]."), &mut bad);
        let fields: Vec<String> = bad.into_vec().into_iter().map(|v| v.field).collect();
        assert_eq!(fields, ["requests[2].now", "requests[2].utc_offset_min", "requests[2].price.base"]);
    }

    #[test]
    fn a_bad_member_is_named_by_the_field_that_it_stands_in() {
        let crowded = Some(pb::Member { roles: vec!["a".to_owned(); MAX_LIST + 1], ..pb::Member::default() });
        let fields = |hook: Asked| {
            let mut bad = Violations::new();
            let now = Some(prost_types::Timestamp::default());
            let _ = read(
                &pb::EvaluateRequest { now, hook: Some(hook), ..pb::EvaluateRequest::default() },
                format_args!(""),
                &mut bad,
            );
            bad.into_vec().into_iter().map(|v| v.field).collect::<Vec<_>>()
        };
        let kind = "shift".to_owned();
        let cap = Some(common::Amount::default());
        let award = pb::AwardFacts { actor: crowded.clone(), kind, cap, ..pb::AwardFacts::default() };
        assert_eq!(fields(Asked::Award(award)), ["award.actor.roles"]);
        let who = crowded.clone();
        let eligibility = pb::EligibilityFacts { who: who.clone(), ..pb::EligibilityFacts::default() };
        assert_eq!(fields(Asked::Eligibility(eligibility)), ["eligibility.who.roles"]);
        let queue = vec![pb::Waiting::default(), pb::Waiting { who, ..pb::Waiting::default() }];
        let priority = pb::PriorityFacts { queue, ..pb::PriorityFacts::default() };
        assert_eq!(fields(Asked::Priority(priority)), ["priority.queue[1].who.roles"]);
    }

    #[test]
    fn texts_never_reach_a_rule() {
        let text = common::answer::Value::Text("secret".to_owned());
        assert!(answers(&[common::Answer { key: "note".to_owned(), value: Some(text) }]).is_empty());
    }
}
