//! Evaluate: read the facts, find what is in force, load it, ask it off the asynchronous threads.

use std::sync::Arc;
use std::time::Duration;

use linli_access::Target;
use linli_kernel::AreaId;
use linli_kit::check::{self, Violations};
use linli_kit::{Ctx, Error, ErrorCode, FieldViolation, Result, deadline};
use linli_proto::rules as pb;
use tokio::time::Instant;

use super::App;
use super::answers::{self, Case, NoAnswer};
use super::effective::Effective;
use super::evaluator::Loaded;
use super::facts::{self, Question};
use crate::engine::types::Context;

/// Cases of one call at most.
const MAX_CASES: usize = 100;
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
        let mut answers = self.ask(ctx, cases).await?;
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
        Ok(pb::BatchEvaluateResponse { responses: self.ask(ctx, cases).await? })
    }

    async fn ready(&self, area: &AreaId, kind: &str, (context, question): (Context, Question)) -> Result<Ready> {
        let in_force = self.in_force(area, question.hook(), kind).await?;
        let mut plugins = Vec::with_capacity(in_force.rules.len());
        for rule in &in_force.rules {
            plugins.push(self.evaluator.plugin(&rule.area, &rule.digest).await?);
        }
        Ok(Ready { context, question, in_force, plugins })
    }

    async fn ask(&self, ctx: &Ctx, cases: Vec<Ready>) -> Result<Vec<pb::EvaluateResponse>> {
        let (lang, due) = (ctx.lang, ctx.deadline);
        // Without rules there is nothing that takes time; a thread would.
        let idle = cases.iter().all(|case| case.plugins.is_empty());
        let work = move |engine: &crate::engine::Engine| {
            let mut answers = Vec::with_capacity(cases.len());
            for ready in &cases {
                if Instant::now() >= due {
                    return Err(deadline::exceeded());
                }
                let Ready { context, question, in_force, plugins } = ready;
                let case = Case { context, question, in_force, plugins, lang };
                answers.push(answers::answer(engine, &case).map_err(refused)?);
            }
            Ok(answers)
        };
        if idle { work(self.evaluator.engine()) } else { self.evaluator.run(work).await? }
    }
}

fn refused(problem: NoAnswer) -> Error {
    match problem {
        NoAnswer::Busy => Error::new(ErrorCode::ResourceExhausted, "OVERLOADED").retry_after(RETRY),
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
