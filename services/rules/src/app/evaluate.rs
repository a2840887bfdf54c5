//! Evaluate: read the facts, find what is in force, load it, ask it off the asynchronous threads.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use linli_access::Target;
use linli_kernel::{AreaId, Lang};
use linli_kit::check::{self, Violations};
use linli_kit::{Ctx, Error, ErrorCode, FieldViolation, Result, deadline};
use linli_proto::rules as pb;
use tokio::time::Instant;

use super::App;
use super::answers::{self, Case, NoAnswer, Plugins};
use super::effective::{Effective, Subject, Trial};
use super::evaluator::{Loaded, Unusable};
use super::facts;
use super::noted::Noted;
use crate::engine::types::Context;
use crate::engine::{Engine, Hook, Question};

/// Cases of one call at most.
const MAX_CASES: usize = 100;
/// After so long at work, an area lets others have their turn. One case is never cut: it asks a bounded number of rules,
/// each of which ends by its fuel or its deadline.
pub(super) const SLICE: Duration = Duration::from_millis(5);
/// The same where cases are answered on the thread that serves other calls too.
const QUICK_SLICE: Duration = Duration::from_millis(1);
/// When somebody whose rule gave no answer may ask again.
const RETRY: Duration = Duration::from_secs(1);

/// A case, ready for a thread of its own.
pub(super) struct Ready {
    pub(super) context: Context,
    pub(super) question: Question,
    pub(super) bucket: i32,
    pub(super) in_force: Arc<Effective>,
    pub(super) plugins: Arc<[Plugins]>,
}

/// The rules of a hook and a kind, the same for all cases of one call.
struct Rules {
    hook: Hook,
    kind: String,
    in_force: Arc<Effective>,
    plugins: Arc<[Plugins]>,
}

impl App {
    /// Evaluates one case.
    pub(crate) async fn evaluate(&self, ctx: &Ctx, r: &pb::EvaluateRequest) -> Result<pb::EvaluateResponse> {
        let area = check::area("parent", &r.parent)?;
        self.access.authorise(ctx, &Target::area(&area))?;
        let mut bad = Violations::new();
        let read = facts::read(r, format_args!(""), &mut bad);
        bad.finish()?;
        let mut cases = Vec::new();
        if let Some(case) = read {
            cases.push(self.ready(&area, r, case, &mut Vec::new()).await?);
        }
        let mut answers = self.ask(ctx, &area, cases).await?;
        answers.pop().ok_or_else(|| Error::internal("no case was answered"))
    }

    /// Evaluates several cases of one area.
    pub(crate) async fn batch_evaluate(
        &self,
        ctx: &Ctx,
        r: &pb::BatchEvaluateRequest,
    ) -> Result<pb::BatchEvaluateResponse> {
        let area = check::area("parent", &r.parent)?;
        self.access.authorise(ctx, &Target::area(&area))?;
        let mut bad = Violations::new();
        if r.requests.is_empty() {
            bad.bad("requests", "FIELD_REQUIRED");
        }
        bad.max_items("requests", r.requests.len(), MAX_CASES);
        let mut read = Vec::with_capacity(r.requests.len().min(MAX_CASES));
        for (i, request) in r.requests.iter().take(MAX_CASES).enumerate() {
            if !request.parent.is_empty() && request.parent != r.parent {
                let violation = FieldViolation::new(format!("requests[{i}].parent"), "AREA_MISMATCH");
                bad.push(violation.arg("area", area.name()));
            }
            read.extend(facts::read(request, format_args!("requests[{i}]."), &mut bad).map(|case| (request, case)));
        }
        bad.finish()?;
        let (mut cases, mut known) = (Vec::with_capacity(read.len()), Vec::new());
        for (request, case) in read {
            cases.push(self.ready(&area, request, case, &mut known).await?);
        }
        Ok(pb::BatchEvaluateResponse { responses: self.ask(ctx, &area, cases).await? })
    }

    async fn ready(
        &self,
        area: &AreaId,
        r: &pb::EvaluateRequest,
        (context, question): (Context, Question),
        known: &mut Vec<Rules>,
    ) -> Result<Ready> {
        let (hook, bucket) = (question.hook(), r.bucket);
        if let Some(rules) = known.iter().find(|rules| rules.hook == hook && rules.kind == r.kind) {
            let (in_force, plugins) = (rules.in_force.clone(), rules.plugins.clone());
            return Ok(Ready { context, question, bucket, in_force, plugins });
        }
        let in_force = self.in_force(area, hook, &r.kind).await?;
        let plugins = self.plugins_of(&in_force).await?;
        let kind = r.kind.clone();
        known.push(Rules { hook, kind, in_force: in_force.clone(), plugins: plugins.clone() });
        Ok(Ready { context, question, bucket, in_force, plugins })
    }

    /// What the rules run, loaded.
    pub(super) async fn plugins_of(&self, in_force: &Effective) -> Result<Arc<[Plugins]>> {
        let mut plugins = Vec::with_capacity(in_force.rules.len());
        for rule in &in_force.rules {
            plugins.push(Plugins {
                active: self.loaded(rule.active.as_ref()).await?,
                trial: self.loaded_trial(rule.trial.as_ref()).await?,
            });
        }
        Ok(plugins.into())
    }

    /// What keeps a rule in shadow from being loaded is its own affair; a canary is obeyed as an active rule is.
    async fn loaded_trial(&self, trial: Option<&Trial>) -> Result<Option<Loaded>> {
        let Some(trial) = trial else { return Ok(None) };
        match self.loaded(Some(&trial.subject)).await {
            Err(error) if trial.stage == pb::RuleStage::Shadow => {
                tracing::warn!(version = trial.subject.version, %error, "a rule in shadow could not be loaded");
                Ok(Some(Err(Unusable::not_loaded())))
            }
            other => other,
        }
    }

    async fn loaded(&self, subject: Option<&Subject>) -> Result<Option<Loaded>> {
        Ok(match subject.map(|subject| &subject.artefact) {
            Some(Ok(digest)) => Some(self.evaluator.plugin(digest).await?),
            Some(Err(fault)) => Some(Err(fault.clone())),
            None => None,
        })
    }

    /// Asks case after case, in slices: after each, another area has its turn.
    async fn ask(&self, ctx: &Ctx, area: &AreaId, cases: Vec<Ready>) -> Result<Vec<pb::EvaluateResponse>> {
        // Heeded also when the caller leaves in between.
        let mut heeding = Heeding { app: self, noted: Noted::default() };
        self.ask_in_slices(ctx, area, cases, &mut heeding.noted).await
    }

    async fn ask_in_slices(
        &self,
        ctx: &Ctx,
        area: &AreaId,
        cases: Vec<Ready>,
        noted: &mut Noted,
    ) -> Result<Vec<pb::EvaluateResponse>> {
        let (lang, due) = (ctx.lang, ctx.deadline);
        let mut answers = Vec::with_capacity(cases.len());
        let mut left = VecDeque::from(cases);
        // Without rules there is nothing that takes time, and nothing to wait for a place for.
        let idle = left.iter().all(|case| case.plugins.is_empty());
        while !left.is_empty() {
            // To hand a case to another thread and take its answer back costs many times what a quick rule does. Asked for each
            // slice: a rule may have been slow in the last.
            let quick = left.iter().all(Ready::is_quick);
            let slice_of = if quick { QUICK_SLICE } else { SLICE };
            let work = move |engine: &Engine| slice(engine, left, (lang, due), slice_of);
            let done = if idle {
                work(self.evaluator.engine())
            } else if quick {
                self.evaluator.run_here(area.as_str(), work).await
            } else {
                self.evaluator.run(area.as_str(), work).await?
            };
            noted.append(done.noted);
            for answer in done.answers {
                answers.push(answer.map_err(refused)?);
            }
            left = done.left;
            if quick && !left.is_empty() {
                // Others have their turn on this thread.
                tokio::task::yield_now().await;
            }
        }
        Ok(answers)
    }
}

/// Heeds what was noted when it is dropped.
struct Heeding<'a> {
    app: &'a App,
    noted: Noted,
}

impl Drop for Heeding<'_> {
    fn drop(&mut self) {
        self.app.heed(std::mem::take(&mut self.noted));
    }
}

/// What came of a slice.
pub(super) struct Slice {
    /// The last of them may be that there is none.
    pub(super) answers: Vec<Result<pb::EvaluateResponse, NoAnswer>>,
    pub(super) noted: Noted,
    pub(super) left: VecDeque<Ready>,
}

/// Answers as many cases as fit into a slice, one at least, and none after one without an answer.
fn slice(engine: &Engine, mut left: VecDeque<Ready>, (lang, due): (Lang, Instant), slice_of: Duration) -> Slice {
    let begun = Instant::now();
    let (mut answers, mut noted) = (Vec::with_capacity(left.len()), Noted::default());
    while let Some(ready) = left.pop_front() {
        let (answer, more) = answers::answer(engine, &ready.case(lang, due));
        let over = answer.is_err() || begun.elapsed() >= slice_of;
        answers.push(answer);
        noted.append(more);
        if over {
            break;
        }
    }
    Slice { answers, noted, left }
}

impl Ready {
    /// The case under a deadline.
    pub(super) fn case(&self, lang: Lang, due: Instant) -> Case<'_> {
        let Self { context, question, bucket, in_force, plugins } = self;
        Case { context, question, in_force, plugins, lang, bucket: *bucket, due, is_measured: true }
    }

    /// Whether every rule that it meets has always been quick.
    fn is_quick(&self) -> bool {
        let loaded = self.plugins.iter().flat_map(|plugins| [&plugins.active, &plugins.trial]).flatten();
        loaded.flatten().all(|plugin| plugin.is_quick())
    }
}

fn refused(problem: NoAnswer) -> Error {
    match problem {
        NoAnswer::Late => deadline::exceeded(),
        NoAnswer::Busy => busy(),
        NoAnswer::Missing { rule_binding, fact } => Error::new(ErrorCode::FailedPrecondition, "FACT_MISSING")
            .with("rule_binding", rule_binding)
            .with("fact", fact.code()),
        // Its code alone: what else is known of a fault may hold what the rule made of the facts.
        NoAnswer::Fault { rule_binding, plugin_version, code } => {
            tracing::warn!(rule_binding, plugin_version, fault = code, "a rule gave no answer");
            Error::new(ErrorCode::Unavailable, "RULE_FAULT")
                .with("rule_binding", rule_binding)
                .with("plugin_version", plugin_version)
                .with("fault", code)
                .retry_after(RETRY)
        }
    }
}

/// There is no room for another instance.
pub(super) fn busy() -> Error {
    Error::new(ErrorCode::ResourceExhausted, "OVERLOADED").retry_after(RETRY)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_room_the_caller_is_asked_to_come_back_and_no_rule_is_blamed() {
        let error = refused(NoAnswer::Busy);
        assert_eq!((error.code(), error.reason().as_str()), (ErrorCode::ResourceExhausted, "OVERLOADED"));
    }
}
