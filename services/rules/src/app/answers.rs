//! Asks the rules in force, one after another, and makes one answer of theirs. Never: a database, or a clock but the
//! deadline's.

use std::panic::{self, AssertUnwindSafe};

use linli_kernel::Lang;
use linli_proto::common;
use linli_proto::rules as pb;
use linli_proto::rules::evaluate_response::Answer;
use tokio::time::Instant;

use super::effective::{Bound, Effective};
use super::evaluator::Loaded;
use super::facts::Question;
use crate::engine::combine::{self, Decision};
use crate::engine::types::{
    Award, AwardRequest, Context, EligibilityRequest, PriceRequest, PriorityRequest, Reason, Restrict, Terms, Verdict,
};
use crate::engine::{Engine, Evaluated, Fault, Plugin};

/// Characters of a fault in a receipt at most.
const MAX_FAULT: usize = 200;

/// Why there is no answer.
pub(super) enum NoAnswer {
    /// A rule that must answer did not.
    Fault { rule_binding: String, plugin_version: String, fault: String },
    /// The host had no room: nothing is known about the rules.
    Busy,
    /// The caller's deadline passed between two rules.
    Late,
}

/// One case with everything that its answer depends on.
pub(super) struct Case<'a> {
    pub(super) context: &'a Context,
    pub(super) question: &'a Question,
    pub(super) in_force: &'a Effective,
    /// In the order of the rules.
    pub(super) plugins: &'a [Loaded],
    pub(super) lang: Lang,
    /// No further rule is asked then.
    pub(super) due: Instant,
}

/// Answers one case.
pub(super) fn answer(engine: &Engine, case: &Case<'_>) -> Result<pb::EvaluateResponse, NoAnswer> {
    let mut asking = Asking { engine, case, parts: Vec::new() };
    let answer = match case.question {
        Question::Eligibility(req) => Answer::Eligibility(asking.eligibility(req)?),
        Question::Price(req) => Answer::Price(asking.price(req)?),
        Question::Priority(req) => Answer::Priority(asking.priority(req)?),
        Question::Award(req) => Answer::Award(asking.award(req)?),
    };
    Ok(pb::EvaluateResponse { answer: Some(answer), parts: asking.parts, revision: case.in_force.revision.clone() })
}

/// One question on its way through the rules.
struct Asking<'a> {
    engine: &'a Engine,
    case: &'a Case<'a>,
    parts: Vec<pb::RulePart>,
}

impl<'a> Asking<'a> {
    fn rules(&self) -> impl Iterator<Item = (&'a Bound, &'a Loaded)> + use<'a> {
        self.case.in_force.rules.iter().zip(self.case.plugins)
    }

    fn eligibility(&mut self, req: &EligibilityRequest) -> Result<pb::EligibilityAnswer, NoAnswer> {
        let (mut verdicts, mut denials, mut approvals) = (Vec::new(), Vec::new(), Vec::new());
        for rule in self.rules() {
            let asked = self.ask(rule, req, Engine::eligibility, |verdict| match verdict {
                Verdict::Allow => "allow".to_owned(),
                Verdict::Abstain => "abstain".to_owned(),
                Verdict::NeedsApproval(reason) => format!("needs-approval: {}", reason.code),
                Verdict::Deny(reason) => format!("deny: {}", reason.code),
            })?;
            let Some((verdict, plugin)) = asked else { continue };
            match &verdict {
                Verdict::Allow | Verdict::Abstain => {}
                Verdict::NeedsApproval(reason) => approvals.push(self.reason(plugin, reason)),
                Verdict::Deny(reason) => denials.push(self.reason(plugin, reason)),
            }
            verdicts.push(verdict);
        }
        // The reasons are each plugin's own words, in the order in which the decision lists them.
        let (verdict, reasons) = match combine::eligibility(verdicts) {
            Decision::Allow => (pb::Verdict::Allow, Vec::new()),
            Decision::NeedsApproval(_) => (pb::Verdict::NeedsApproval, approvals),
            Decision::Deny(_) => (pb::Verdict::Deny, denials.into_iter().chain(approvals).collect()),
        };
        Ok(pb::EligibilityAnswer { verdict: verdict.into(), reasons })
    }

    /// The nearest rule that answers names the price; those above it are not asked.
    fn price(&mut self, req: &PriceRequest) -> Result<pb::PriceAnswer, NoAnswer> {
        for rule in self.rules() {
            let asked = self.ask(rule, req, Engine::price, |terms: &Terms| format!("price {}", terms.price.value))?;
            let Some((terms, plugin)) = asked else { continue };
            let reasons = terms.why.iter().map(|why| self.reason(plugin, why)).collect();
            let price = combine::price([terms], req.base.clone(), req.floor.value, req.ceiling.value).price;
            return Ok(pb::PriceAnswer { price: Some(amount(&price)), reasons });
        }
        Ok(pb::PriceAnswer { price: Some(amount(&req.base)), reasons: Vec::new() })
    }

    /// Scores of several rules add up.
    fn priority(&mut self, req: &PriorityRequest) -> Result<pb::PriorityAnswer, NoAnswer> {
        let mut scores = vec![0_i32; req.queue.len()];
        for rule in self.rules() {
            let said = |given: &Vec<i32>| format!("{} scores", given.len());
            let Some((given, _)) = self.ask(rule, req, Engine::priority, said)? else { continue };
            for (score, more) in scores.iter_mut().zip(given) {
                *score = score.saturating_add(more);
            }
        }
        Ok(pb::PriorityAnswer { scores })
    }

    fn award(&mut self, req: &AwardRequest) -> Result<pb::AwardAnswer, NoAnswer> {
        let mut grants = Vec::new();
        for (rule, loaded) in self.rules() {
            let said = |given: &Vec<Award>| format!("{} grants", given.len());
            let Some((given, plugin)) = self.ask((rule, loaded), req, Engine::award, said)? else { continue };
            for award in combine::awards(given, &req.caps) {
                grants.push(pb::Grant {
                    amount: Some(amount(&award.amount)),
                    reason: Some(self.reason(plugin, &award.why)),
                    digest: digest_of(rule),
                    rule_binding: rule.binding.name.clone(),
                });
            }
        }
        Ok(pb::AwardAnswer { grants })
    }

    /// Asks one rule and notes its part; `None` when it gave no answer and is passed over.
    fn ask<'p, Q: Restrict, A>(
        &mut self,
        (rule, loaded): (&Bound, &'p Loaded),
        req: &Q,
        call: impl Fn(&Engine, &Plugin, &Context, &Q) -> Result<Evaluated<A>, Fault>,
        said: impl Fn(&A) -> String,
    ) -> Result<Option<(A, &'p Plugin)>, NoAnswer> {
        if Instant::now() >= self.case.due {
            return Err(NoAnswer::Late);
        }
        let context = Context { settings: rule.settings.clone(), ..self.case.context.clone() };
        let plugin = match loaded {
            Ok(plugin) => plugin.as_ref(),
            Err(fault) => return self.no_answer(rule, 0, fault).map(|()| None),
        };
        match guarded(|| call(self.engine, plugin, &context, req)) {
            Ok(found) => {
                self.note(rule, (found.fuel_used, found.fuel_budget), said(&found.value));
                Ok(Some((found.value, plugin)))
            }
            Err(Fault::Busy) => Err(NoAnswer::Busy),
            Err(fault) => {
                let items = req.restricted_to(plugin.facts()).list_items() + context.settings.len();
                self.no_answer(rule, items, &fault.to_string()).map(|()| None)
            }
        }
    }

    /// What the binding says must happen; a fault is billed the whole budget.
    fn no_answer(&mut self, rule: &Bound, items: usize, fault: &str) -> Result<(), NoAnswer> {
        let fault: String = fault.chars().take(MAX_FAULT).collect();
        match rule.binding.on_fault() {
            pb::OnFault::Skip => {
                let budget = self.engine.config().budget(items);
                self.note(rule, (budget, budget), format!("fault: {fault}"));
                Ok(())
            }
            pb::OnFault::Deny | pb::OnFault::Unspecified => Err(NoAnswer::Fault {
                rule_binding: rule.binding.name.clone(),
                plugin_version: rule.binding.plugin_version.clone(),
                fault,
            }),
        }
    }

    fn note(&mut self, rule: &Bound, (used, budget): (u64, u64), verdict: String) {
        self.parts.push(pb::RulePart {
            rule_binding: rule.binding.name.clone(),
            plugin_version: rule.binding.plugin_version.clone(),
            digest: digest_of(rule),
            fuel_used: i64::try_from(used).unwrap_or(i64::MAX),
            fuel_budget: i64::try_from(budget).unwrap_or(i64::MAX),
            verdict,
        });
    }

    fn reason(&self, plugin: &Plugin, reason: &Reason) -> common::Reason {
        let text = |lang: Lang| plugin.manifest().render(reason, lang.tag());
        common::Reason {
            code: reason.code.clone(),
            args: reason.args.clone(),
            message: text(self.case.lang),
            text: Some(common::Text { zh_cn: text(Lang::ZhCn), en: text(Lang::En) }),
        }
    }
}

/// The call with a breakdown of the host as a fault of this one call: it must not take down what other rules say.
fn guarded<T>(call: impl FnOnce() -> Result<T, Fault>) -> Result<T, Fault> {
    // Nothing of the call is used again: its store and instance are its own.
    panic::catch_unwind(AssertUnwindSafe(call)).unwrap_or(Err(Fault::Host))
}

/// The digest of what a rule runs; empty where that is not known.
fn digest_of(rule: &Bound) -> String {
    rule.artefact.as_ref().map(ToString::to_string).unwrap_or_default()
}

fn amount(amount: &crate::engine::types::Amount) -> common::Amount {
    common::Amount { asset: amount.asset.clone(), value: amount.value.into() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{EngineConfig, FactSet};

    /// A rule that cannot be asked and is passed over, under a deadline.
    fn answered(due: Instant) -> Result<pb::EvaluateResponse, NoAnswer> {
        let binding = pb::RuleBinding { on_fault: pb::OnFault::Skip.into(), ..pb::RuleBinding::default() };
        let artefact = Err("damaged".to_owned());
        let rule = Bound { binding, settings: Vec::new(), facts: FactSet::default(), artefact };
        let in_force = Effective { rules: vec![rule], revision: String::new() };
        let question = Question::Eligibility(EligibilityRequest::default());
        let (context, plugins) = (Context::default(), [Err("damaged".to_owned())]);
        let (lang, in_force) = (Lang::En, &in_force);
        let engine = Engine::new(EngineConfig::validation()).expect("the engine starts");
        answer(&engine, &Case { context: &context, question: &question, in_force, plugins: &plugins, lang, due })
    }

    #[test]
    fn past_the_deadline_no_further_rule_is_asked() {
        let now = Instant::now();
        let passed = answered(now + std::time::Duration::from_secs(60)).unwrap_or_default();
        assert_eq!(passed.parts.len(), 1);
        assert!(matches!(answered(now), Err(NoAnswer::Late)));
    }

    #[test]
    fn a_breakdown_of_the_host_is_a_fault_of_that_call() {
        assert_eq!(guarded(|| -> Result<(), Fault> { panic!("the engine broke") }), Err(Fault::Host));
        assert_eq!(guarded(|| Ok(1)), Ok(1));
    }
}
