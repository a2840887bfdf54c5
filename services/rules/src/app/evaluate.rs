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
use super::answers::{self, Case, NoAnswer};
use super::effective::Effective;
use super::evaluator::Loaded;
use super::facts::{self, Question};
use crate::engine::Engine;
use crate::engine::types::Context;

/// Cases of one call at most.
const MAX_CASES: usize = 100;
/// After so long at work, an area lets others have their turn. One case is never cut: it asks a bounded number of rules,
/// each of which ends by its fuel or its deadline.
const SLICE: Duration = Duration::from_millis(5);
/// When somebody whose rule gave no answer may ask again.
const RETRY: Duration = Duration::from_secs(1);

/// A case, ready for a thread of its own.
struct Ready {
    context: Context,
    question: Question,
    in_force: Arc<Effective>,
    plugins: Vec<Loaded>,
}

impl App {
    /// Evaluates one case.
    pub(crate) async fn evaluate(&self, ctx: &Ctx, r: &pb::EvaluateRequest) -> Result<pb::EvaluateResponse> {
        let area = check::area("parent", &r.parent)?;
        self.access.authorise(ctx, &Target::area(&area))?;
        let mut bad = Violations::new();
        let read = facts::read(r, "", &mut bad);
        bad.finish()?;
        let mut cases = Vec::new();
        if let Some(case) = read {
            cases.push(self.ready(&area, &r.kind, case).await?);
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
            read.extend(facts::read(request, &format!("requests[{i}]."), &mut bad).map(|case| (&request.kind, case)));
        }
        bad.finish()?;
        let mut cases = Vec::with_capacity(read.len());
        for (kind, case) in read {
            cases.push(self.ready(&area, kind, case).await?);
        }
        Ok(pb::BatchEvaluateResponse { responses: self.ask(ctx, &area, cases).await? })
    }

    async fn ready(&self, area: &AreaId, kind: &str, (context, question): (Context, Question)) -> Result<Ready> {
        let in_force = self.in_force(area, question.hook(), kind).await?;
        let mut plugins = Vec::with_capacity(in_force.rules.len());
        for rule in &in_force.rules {
            plugins.push(match &rule.artefact {
                Ok(digest) => self.evaluator.plugin(digest).await?,
                Err(fault) => Err(fault.clone()),
            });
        }
        Ok(Ready { context, question, in_force, plugins })
    }

    /// Asks case after case, in slices: after each, another area has its turn.
    async fn ask(&self, ctx: &Ctx, area: &AreaId, cases: Vec<Ready>) -> Result<Vec<pb::EvaluateResponse>> {
        let (lang, due) = (ctx.lang, ctx.deadline);
        let mut answers = Vec::with_capacity(cases.len());
        let mut left = VecDeque::from(cases);
        // Without rules there is nothing that takes time; a thread would.
        if left.iter().all(|case| case.plugins.is_empty()) {
            while !left.is_empty() {
                left = slice(self.evaluator.engine(), left, (lang, due), &mut answers)?;
            }
            return Ok(answers);
        }
        while !left.is_empty() {
            let work = move |engine: &Engine| {
                let mut answers = Vec::with_capacity(left.len());
                slice(engine, left, (lang, due), &mut answers).map(|left| (answers, left))
            };
            let (more, rest) = self.evaluator.run(area.as_str(), work).await??;
            answers.extend(more);
            left = rest;
        }
        Ok(answers)
    }
}

/// Answers as many cases as fit into a slice, one at least; returns those that are left.
fn slice(
    engine: &Engine,
    mut cases: VecDeque<Ready>,
    (lang, due): (Lang, Instant),
    answers: &mut Vec<pb::EvaluateResponse>,
) -> Result<VecDeque<Ready>> {
    let begun = Instant::now();
    while let Some(ready) = cases.pop_front() {
        let Ready { context, question, in_force, plugins } = &ready;
        let case = Case { context, question, in_force, plugins, lang, due };
        answers.push(answers::answer(engine, &case).map_err(refused)?);
        if begun.elapsed() >= SLICE {
            break;
        }
    }
    Ok(cases)
}

fn refused(problem: NoAnswer) -> Error {
    match problem {
        NoAnswer::Late => deadline::exceeded(),
        NoAnswer::Busy => busy(),
        NoAnswer::Fault { rule_binding, plugin_version, fault } => {
            metrics::counter!("linli_rule_faults_total").increment(1);
            tracing::warn!(rule_binding, plugin_version, fault, "a rule gave no answer");
            Error::new(ErrorCode::Unavailable, "RULE_FAULT")
                .with("rule_binding", rule_binding)
                .with("plugin_version", plugin_version)
                .with("fault", fault)
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
