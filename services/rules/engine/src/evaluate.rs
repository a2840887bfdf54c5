//! The typed hooks: a request goes in, an answer that keeps the contract comes out, or a fault.
//! Never: combines the answers of several rules; that is `combine`.

use super::Engine;
use super::ask::Ask;
use super::deliberation::{ThresholdsRequest, Tightened, TrackChoice, TrackRequest};
use super::digest::Digest;
use super::fault::Fault;
use super::plugin::Plugin;
use super::question::{Outcome, Question};
use super::types::{Award, AwardRequest, Context, EligibilityRequest, PriceRequest, PriorityRequest, Terms, Verdict};

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
        ask(plugin, ctx, req)
    }

    /// Asks what a booking costs; the price is not clamped yet (`combine::price`).
    pub fn price(&self, plugin: &Plugin, ctx: &Context, req: &PriceRequest) -> Result<Evaluated<Terms>, Fault> {
        ask(plugin, ctx, req)
    }

    /// Asks for the score of every entry of a queue, higher first.
    pub fn priority(
        &self,
        plugin: &Plugin,
        ctx: &Context,
        req: &PriorityRequest,
    ) -> Result<Evaluated<Vec<i32>>, Fault> {
        ask(plugin, ctx, req)
    }

    /// Asks what an event earns; the amounts are not clamped yet (`combine::awards`).
    pub fn award(&self, plugin: &Plugin, ctx: &Context, req: &AwardRequest) -> Result<Evaluated<Vec<Award>>, Fault> {
        ask(plugin, ctx, req)
    }

    /// Asks which track a topic takes.
    pub fn track(&self, plugin: &Plugin, ctx: &Context, req: &TrackRequest) -> Result<Evaluated<TrackChoice>, Fault> {
        ask(plugin, ctx, req)
    }

    /// Asks how strict a ballot is; the law still has the last word.
    pub fn thresholds(
        &self,
        plugin: &Plugin,
        ctx: &Context,
        req: &ThresholdsRequest,
    ) -> Result<Evaluated<Tightened>, Fault> {
        ask(plugin, ctx, req)
    }
}

fn ask<Q: Ask>(plugin: &Plugin, ctx: &Context, req: &Q) -> Result<Evaluated<Q::Answer>, Fault> {
    let req = req.restricted_to(plugin.facts());
    let items = req.list_items() + ctx.settings.len();
    let (value, fuel_used) = plugin.ask(ctx, req.as_ref(), items)?;
    req.check(&value, plugin).map_err(Fault::BadResult)?;
    Ok(Evaluated { value, fuel_used, fuel_budget: plugin.budget(items), digest: plugin.digest() })
}
