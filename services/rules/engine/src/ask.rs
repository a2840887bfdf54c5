//! What the host asks of every hook in the same way: its types, and the checks of its answer.
//! Never: runs anything.

use wasmtime::component::{ComponentType, Lift, Lower};

use super::deliberation::{Share, ThresholdsRequest, Tightened, TrackChoice, TrackRequest};
use super::fault::BadResult;
use super::hook::Hook;
use super::plugin::Plugin;
use super::question::Outcome;
use super::table;
use super::types::{
    Award, AwardRequest, Context, EligibilityRequest, PriceRequest, PriorityRequest, Reason, Refusal, Restrict, Terms,
    Verdict,
};

/// The largest score either way.
const MAX_SCORE: i32 = 1_000_000;
const MAX_REASONS: usize = 16;
const MAX_ARGS: usize = 8;
const MAX_ARG_CHARS: usize = 64;
/// The finest share that laws state.
const MAX_DENOMINATOR: u32 = 1_000;
/// Ninety days, the longest that a ballot may be open.
const MAX_OPEN_HOURS: u32 = 90 * 24;

/// The parameters of every hook.
pub(super) type Asked<'a, Q> = (&'a Context, &'a Q);

/// The result of every hook.
pub(super) type Answer<A> = (Result<A, Refusal>,);

/// A request of a hook.
pub(super) trait Ask: Restrict + ComponentType + Lower + Sync {
    /// Its hook.
    const HOOK: Hook;
    /// The answer of the hook.
    type Answer: ComponentType + Lift;

    /// The question of a table.
    fn asked(&self) -> table::Asked<'_>;

    /// The answer of a table; none where it is that of another hook.
    fn answer(outcome: Outcome) -> Option<Self::Answer>;

    /// Whether an answer keeps the contract.
    fn check(&self, answer: &Self::Answer, plugin: &Plugin) -> Result<(), BadResult>;
}

impl Ask for EligibilityRequest {
    const HOOK: Hook = Hook::Eligibility;
    type Answer = Verdict;

    fn asked(&self) -> table::Asked<'_> {
        table::Asked::Eligibility(self)
    }

    fn answer(outcome: Outcome) -> Option<Self::Answer> {
        match outcome {
            Outcome::Eligibility(answer) => Some(answer),
            _ => None,
        }
    }

    fn check(&self, verdict: &Verdict, plugin: &Plugin) -> Result<(), BadResult> {
        match verdict {
            Verdict::Allow | Verdict::Abstain => Ok(()),
            Verdict::Deny(reason) | Verdict::NeedsApproval(reason) => check_reason(plugin, reason),
        }
    }
}

impl Ask for PriceRequest {
    const HOOK: Hook = Hook::Price;
    type Answer = Terms;

    fn asked(&self) -> table::Asked<'_> {
        table::Asked::Price(self)
    }

    fn answer(outcome: Outcome) -> Option<Self::Answer> {
        match outcome {
            Outcome::Price(answer) => Some(answer),
            _ => None,
        }
    }

    fn check(&self, terms: &Terms, plugin: &Plugin) -> Result<(), BadResult> {
        if terms.price.asset != self.base.asset {
            return Err(not_offered("asset", &terms.price.asset));
        }
        check_reasons(plugin, &terms.why)
    }
}

impl Ask for PriorityRequest {
    const HOOK: Hook = Hook::Priority;
    type Answer = Vec<i32>;

    fn asked(&self) -> table::Asked<'_> {
        table::Asked::Priority(self)
    }

    fn answer(outcome: Outcome) -> Option<Self::Answer> {
        match outcome {
            Outcome::Priority(answer) => Some(answer),
            _ => None,
        }
    }

    fn check(&self, scores: &Vec<i32>, _plugin: &Plugin) -> Result<(), BadResult> {
        if scores.len() != self.queue.len() {
            return Err(BadResult::WrongLength { wanted: self.queue.len(), got: scores.len() });
        }
        match scores.iter().find(|score| !(-MAX_SCORE..=MAX_SCORE).contains(*score)) {
            Some(&score) => Err(BadResult::OutOfRange { what: "score", value: i64::from(score) }),
            None => Ok(()),
        }
    }
}

impl Ask for AwardRequest {
    const HOOK: Hook = Hook::Award;
    type Answer = Vec<Award>;

    fn asked(&self) -> table::Asked<'_> {
        table::Asked::Award(self)
    }

    fn answer(outcome: Outcome) -> Option<Self::Answer> {
        match outcome {
            Outcome::Award(answer) => Some(answer),
            _ => None,
        }
    }

    fn check(&self, awards: &Vec<Award>, plugin: &Plugin) -> Result<(), BadResult> {
        check_awards(plugin, awards, self)
    }
}

impl Ask for TrackRequest {
    const HOOK: Hook = Hook::Track;
    type Answer = TrackChoice;

    fn asked(&self) -> table::Asked<'_> {
        table::Asked::Track(self)
    }

    fn answer(outcome: Outcome) -> Option<Self::Answer> {
        match outcome {
            Outcome::Track(answer) => Some(answer),
            _ => None,
        }
    }

    fn check(&self, choice: &TrackChoice, plugin: &Plugin) -> Result<(), BadResult> {
        if !self.tracks.contains(&choice.track) {
            return Err(not_offered("track", &choice.track));
        }
        check_reason(plugin, &choice.why)
    }
}

impl Ask for ThresholdsRequest {
    const HOOK: Hook = Hook::Thresholds;
    type Answer = Tightened;

    fn asked(&self) -> table::Asked<'_> {
        table::Asked::Thresholds(self)
    }

    fn answer(outcome: Outcome) -> Option<Self::Answer> {
        match outcome {
            Outcome::Thresholds(answer) => Some(answer),
            _ => None,
        }
    }

    fn check(&self, tightened: &Tightened, plugin: &Plugin) -> Result<(), BadResult> {
        check_share("quorum", tightened.thresholds.quorum)?;
        check_share("pass", tightened.thresholds.pass)?;
        if tightened.thresholds.open_hours > MAX_OPEN_HOURS {
            let value = i64::from(tightened.thresholds.open_hours);
            return Err(BadResult::OutOfRange { what: "open-hours", value });
        }
        check_reasons(plugin, &tightened.why)
    }
}

fn check_awards(plugin: &Plugin, awards: &[Award], req: &AwardRequest) -> Result<(), BadResult> {
    for (at, award) in awards.iter().enumerate() {
        let asset = &award.amount.asset;
        if award.to != req.actor.handle {
            return Err(not_offered("recipient", &award.to.to_string()));
        }
        if !req.caps.iter().any(|cap| cap.asset == *asset) {
            return Err(not_offered("asset", asset));
        }
        if award.amount.value <= 0 {
            return Err(BadResult::OutOfRange { what: "award", value: i64::from(award.amount.value) });
        }
        if awards[..at].iter().any(|other| other.amount.asset == *asset) {
            return Err(BadResult::Repeated(shorten(asset)));
        }
        check_reason(plugin, &award.why)?;
    }
    Ok(())
}

fn check_reasons(plugin: &Plugin, reasons: &[Reason]) -> Result<(), BadResult> {
    if reasons.len() > MAX_REASONS {
        return Err(BadResult::ReasonTooLong);
    }
    reasons.iter().try_for_each(|reason| check_reason(plugin, reason))
}

fn check_reason(plugin: &Plugin, reason: &Reason) -> Result<(), BadResult> {
    if !plugin.declares(&reason.code) {
        return Err(BadResult::UnknownReason(shorten(&reason.code)));
    }
    let long = |arg: &String| arg.chars().count() > MAX_ARG_CHARS;
    if reason.args.len() > MAX_ARGS || reason.args.iter().any(long) {
        return Err(BadResult::ReasonTooLong);
    }
    Ok(())
}

/// A share is a part of its whole; one that must be exceeded cannot be the whole, or nothing would ever pass.
fn check_share(what: &'static str, share: Option<Share>) -> Result<(), BadResult> {
    let Some(share) = share else { return Ok(()) };
    if !(1..=MAX_DENOMINATOR).contains(&share.denominator) {
        return Err(BadResult::OutOfRange { what, value: i64::from(share.denominator) });
    }
    let most = if share.exclusive { share.denominator - 1 } else { share.denominator };
    if share.numerator > most {
        return Err(BadResult::OutOfRange { what, value: i64::from(share.numerator) });
    }
    Ok(())
}

fn not_offered(what: &'static str, value: &str) -> BadResult {
    BadResult::NotOffered { what, value: shorten(value) }
}

/// As much as is told of something that a plugin wrote.
fn shorten(text: &str) -> String {
    text.chars().take(MAX_ARG_CHARS).collect()
}
