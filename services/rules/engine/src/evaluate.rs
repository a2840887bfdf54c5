//! The typed hooks: a request goes in, an answer that keeps the contract comes out, or a fault.
//! Never: combines the answers of several rules; that is `combine`.

use wasmtime::component::{ComponentType, Lift, Lower};

use super::Engine;
use super::deliberation::{Share, ThresholdsRequest, Tightened, TrackChoice, TrackRequest};
use super::fault::{BadResult, Fault};
use super::guest::{self, Allowance};
use super::hook::Hook;
use super::plugin::{Digest, Plugin};
use super::question::{Outcome, Question};
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

/// An answer and what it took.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evaluated<T> {
    /// The answer.
    pub value: T,
    /// Fuel that the call took.
    pub fuel_used: u64,
    /// Fuel that it might have taken.
    pub fuel_budget: u64,
    /// The plugin that answered.
    pub digest: Digest,
}

impl<T> Evaluated<T> {
    /// The same with another form of the answer.
    pub fn map<U>(self, form: impl FnOnce(T) -> U) -> Evaluated<U> {
        let Self { value, fuel_used, fuel_budget, digest } = self;
        Evaluated { value: form(value), fuel_used, fuel_budget, digest }
    }
}

impl Engine {
    /// Asks whatever is asked, of the hook that it belongs to.
    pub fn evaluate(&self, plugin: &Plugin, ctx: &Context, asked: &Question) -> Result<Evaluated<Outcome>, Fault> {
        match asked {
            Question::Eligibility(req) => Ok(self.eligibility(plugin, ctx, req)?.map(Outcome::Eligibility)),
            Question::Price(req) => Ok(self.price(plugin, ctx, req)?.map(Outcome::Price)),
            Question::Priority(req) => Ok(self.priority(plugin, ctx, req)?.map(Outcome::Priority)),
            Question::Award(req) => Ok(self.award(plugin, ctx, req)?.map(Outcome::Award)),
            Question::Track(req) => Ok(self.track(plugin, ctx, req)?.map(Outcome::Track)),
            Question::Thresholds(req) => Ok(self.thresholds(plugin, ctx, req)?.map(Outcome::Thresholds)),
        }
    }

    /// Asks whether a booking may be made.
    pub fn eligibility(
        &self,
        plugin: &Plugin,
        ctx: &Context,
        req: &EligibilityRequest,
    ) -> Result<Evaluated<Verdict>, Fault> {
        self.ask(plugin, Hook::Eligibility, ctx, req, |verdict, _| match verdict {
            Verdict::Allow | Verdict::Abstain => Ok(()),
            Verdict::Deny(reason) | Verdict::NeedsApproval(reason) => check_reason(plugin, reason),
        })
    }

    /// Asks what a booking costs; the price is not clamped yet (`combine::price`).
    pub fn price(&self, plugin: &Plugin, ctx: &Context, req: &PriceRequest) -> Result<Evaluated<Terms>, Fault> {
        self.ask(plugin, Hook::Price, ctx, req, |terms: &Terms, req| {
            if terms.price.asset != req.base.asset {
                return Err(BadResult::NotOffered { what: "asset", value: terms.price.asset.clone() });
            }
            check_reasons(plugin, &terms.why)
        })
    }

    /// Asks for the score of every entry of a queue, higher first.
    pub fn priority(
        &self,
        plugin: &Plugin,
        ctx: &Context,
        req: &PriorityRequest,
    ) -> Result<Evaluated<Vec<i32>>, Fault> {
        self.ask(plugin, Hook::Priority, ctx, req, |scores: &Vec<i32>, req| {
            if scores.len() != req.queue.len() {
                return Err(BadResult::WrongLength { wanted: req.queue.len(), got: scores.len() });
            }
            match scores.iter().find(|score| !(-MAX_SCORE..=MAX_SCORE).contains(*score)) {
                Some(&score) => Err(BadResult::OutOfRange { what: "score", value: i64::from(score) }),
                None => Ok(()),
            }
        })
    }

    /// Asks what an event earns; the amounts are not clamped yet (`combine::awards`).
    pub fn award(&self, plugin: &Plugin, ctx: &Context, req: &AwardRequest) -> Result<Evaluated<Vec<Award>>, Fault> {
        self.ask(plugin, Hook::Award, ctx, req, |awards: &Vec<Award>, req| check_awards(plugin, awards, req))
    }

    /// Asks which track a topic takes.
    pub fn track(&self, plugin: &Plugin, ctx: &Context, req: &TrackRequest) -> Result<Evaluated<TrackChoice>, Fault> {
        self.ask(plugin, Hook::Track, ctx, req, |choice: &TrackChoice, req| {
            if !req.tracks.contains(&choice.track) {
                return Err(BadResult::NotOffered { what: "track", value: choice.track.clone() });
            }
            check_reason(plugin, &choice.why)
        })
    }

    /// Asks how strict a ballot is; the law still has the last word.
    pub fn thresholds(
        &self,
        plugin: &Plugin,
        ctx: &Context,
        req: &ThresholdsRequest,
    ) -> Result<Evaluated<Tightened>, Fault> {
        self.ask(plugin, Hook::Thresholds, ctx, req, |tightened: &Tightened, _| {
            check_share("quorum", tightened.thresholds.quorum)?;
            check_share("pass", tightened.thresholds.pass)?;
            if tightened.thresholds.open_hours > MAX_OPEN_HOURS {
                let value = i64::from(tightened.thresholds.open_hours);
                return Err(BadResult::OutOfRange { what: "open-hours", value });
            }
            check_reasons(plugin, &tightened.why)
        })
    }

    fn ask<Q, A>(
        &self,
        plugin: &Plugin,
        hook: Hook,
        ctx: &Context,
        req: &Q,
        check: impl FnOnce(&A, &Q) -> Result<(), BadResult>,
    ) -> Result<Evaluated<A>, Fault>
    where
        Q: Restrict + ComponentType + Lower + Sync,
        A: ComponentType + Lift,
    {
        let req = req.restricted_to(plugin.facts());
        let items = req.list_items() + ctx.settings.len();
        let allowance = Allowance {
            fuel: self.config().budget(items),
            // Four bytes per entry come back from a queue.
            result_bytes: self.config().result_bytes + items * size_of::<i32>(),
        };
        let store =
            guest::store(self.wasmtime(), self.config(), allowance).map_err(|error| Fault::Trap(error.to_string()))?;
        type Answer<A> = (Result<A, Refusal>,);
        let (answer, fuel_used) = plugin.call_hook::<_, Answer<A>>(store, hook, (ctx, req.as_ref()), allowance)?;
        let value = answer.0.map_err(Fault::Refused)?;
        check(&value, &req).map_err(Fault::BadResult)?;
        Ok(Evaluated { value, fuel_used, fuel_budget: allowance.fuel, digest: plugin.digest() })
    }
}

fn check_awards(plugin: &Plugin, awards: &[Award], req: &AwardRequest) -> Result<(), BadResult> {
    for (at, award) in awards.iter().enumerate() {
        let asset = &award.amount.asset;
        if award.to != req.actor.handle {
            return Err(BadResult::NotOffered { what: "recipient", value: award.to.to_string() });
        }
        if !req.caps.iter().any(|cap| cap.asset == *asset) {
            return Err(BadResult::NotOffered { what: "asset", value: asset.clone() });
        }
        if award.amount.value <= 0 {
            return Err(BadResult::OutOfRange { what: "award", value: i64::from(award.amount.value) });
        }
        if awards[..at].iter().any(|other| other.amount.asset == *asset) {
            return Err(BadResult::Repeated(asset.clone()));
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
        return Err(BadResult::UnknownReason(reason.code.chars().take(MAX_ARG_CHARS).collect()));
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
