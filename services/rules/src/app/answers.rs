//! Asks the rules in force, one after another, and makes one answer of theirs; then those in shadow, whose answers change
//! nothing. Never: a database, or a clock but the deadline's.

use std::panic::{self, AssertUnwindSafe};
use std::time::Duration;

use linli_kernel::Lang;
use linli_proto::common;
use linli_proto::rules as pb;
use linli_proto::rules::evaluate_response::Answer;
use tokio::time::Instant;

use super::effective::{Bound, Effective, Subject};
use super::evaluator::Loaded;
use super::noted::{Blamed, Noted, Series, Tally};
use super::spoken;
use crate::domain::said::Said;
use crate::domain::thresholds::stricter;
use crate::engine::combine::{self, Decision};
use crate::engine::types::{
    AwardRequest, Context, EligibilityRequest, PriceRequest, PriorityRequest, Refusal, Restrict, Verdict,
};
use crate::engine::{Engine, Evaluated, Fact, FactSet, Fault, Kind, Outcome, Plugin, Question};

/// Characters of a fault in a receipt at most.
const MAX_FAULT: usize = 200;
/// What must be left until the deadline for a rule in shadow to be asked.
const SPARE: Duration = Duration::from_millis(50);

/// Why there is no answer.
pub(super) enum NoAnswer {
    /// A rule that must answer did not.
    Fault { rule_binding: String, plugin_version: String, code: &'static str },
    /// A fact that a rule declares and must have is not on record.
    Missing { rule_binding: String, fact: Fact },
    /// The host had no room: nothing is known about the rules.
    Busy,
    /// The caller's deadline passed between two rules.
    Late,
}

/// What a rule runs.
#[derive(Clone, Default)]
pub(super) struct Plugins {
    /// `None` where the binding is off or only tried.
    pub(super) active: Option<Loaded>,
    pub(super) trial: Option<Loaded>,
}

/// One case with everything that its answer depends on.
pub(super) struct Case<'a> {
    pub(super) context: &'a Context,
    pub(super) question: &'a Question,
    pub(super) in_force: &'a Effective,
    /// In the order of the rules.
    pub(super) plugins: &'a [Plugins],
    pub(super) lang: Lang,
    /// 0 to 999: for which canaries it counts.
    pub(super) bucket: i32,
    /// No further rule is asked then.
    pub(super) due: Instant,
    /// Whether its calls count in the metrics: those of real traffic.
    pub(super) is_measured: bool,
}

/// Answers one case; what is to be counted comes with it, also when there is no answer.
pub(super) fn answer(engine: &Engine, case: &Case<'_>) -> (Result<pb::EvaluateResponse, NoAnswer>, Noted) {
    let mut asking = Asking { engine, case, parts: Vec::new(), noted: Noted::default(), shadows: Vec::new() };
    let answer = match case.question {
        Question::Eligibility(req) => asking.eligibility(req).map(Answer::Eligibility),
        Question::Price(req) => asking.price(req).map(Answer::Price),
        Question::Priority(req) => asking.priority(req).map(Answer::Priority),
        Question::Award(req) => asking.award(req).map(Answer::Award),
        Question::Track(_) => asking.track().map(Answer::Track),
        Question::Thresholds(req) => asking.thresholds(req.lawful).map(Answer::Thresholds),
    };
    asking.shadows();
    let Asking { parts, noted, .. } = asking;
    let revision = case.in_force.revision.clone();
    (answer.map(|answer| pb::EvaluateResponse { answer: Some(answer), parts, revision }), noted)
}

/// One question on its way through the rules.
struct Asking<'a> {
    engine: &'a Engine,
    case: &'a Case<'a>,
    parts: Vec<pb::RulePart>,
    noted: Noted,
    /// Those to be asked in the end, beside what was obeyed.
    shadows: Vec<(Asked<'a>, Said)>,
}

/// A version that is asked for a rule.
#[derive(Clone, Copy)]
struct Asked<'a> {
    rule: &'a Bound,
    subject: &'a Subject,
    loaded: &'a Loaded,
    stage: pb::RuleStage,
}

/// What somebody answered; `None` where nobody did and that is passed over.
type Answered<'a> = Option<(Outcome, &'a Plugin)>;

/// Why a rule gave no answer.
struct Silence {
    code: &'static str,
    text: String,
    budget: u64,
    busy: bool,
    /// The declared fact for want of which it said nothing.
    missing: Option<Fact>,
}

impl<'a> Asking<'a> {
    fn rules(&self) -> impl Iterator<Item = (&'a Bound, &'a Plugins)> + use<'a> {
        self.case.in_force.rules.iter().zip(self.case.plugins)
    }

    fn eligibility(&mut self, _: &EligibilityRequest) -> Result<pb::EligibilityAnswer, NoAnswer> {
        let (mut verdicts, mut denials, mut approvals) = (Vec::new(), Vec::new(), Vec::new());
        for rule in self.rules() {
            let Some((Outcome::Eligibility(verdict), plugin)) = self.ask(rule)? else { continue };
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
            let Some((Outcome::Price(terms), plugin)) = self.ask(rule)? else { continue };
            let reasons = terms.why.iter().map(|why| self.reason(plugin, why)).collect();
            let price = combine::price([terms], req.base.clone(), req.floor.value, req.ceiling.value).price;
            return Ok(pb::PriceAnswer { price: Some(spoken::amount(&price)), reasons });
        }
        Ok(pb::PriceAnswer { price: Some(spoken::amount(&req.base)), reasons: Vec::new() })
    }

    /// Scores of several rules add up.
    fn priority(&mut self, req: &PriorityRequest) -> Result<pb::PriorityAnswer, NoAnswer> {
        let mut scores = vec![0_i32; req.queue.len()];
        for rule in self.rules() {
            let Some((Outcome::Priority(given), _)) = self.ask(rule)? else { continue };
            for (score, more) in scores.iter_mut().zip(given) {
                *score = score.saturating_add(more);
            }
        }
        Ok(pb::PriorityAnswer { scores })
    }

    fn award(&mut self, req: &AwardRequest) -> Result<pb::AwardAnswer, NoAnswer> {
        let mut grants = Vec::new();
        for rule in self.rules() {
            let Some((Outcome::Award(given), plugin)) = self.ask(rule)? else { continue };
            for award in combine::awards(given, &req.caps) {
                grants.push(pb::Grant {
                    amount: Some(spoken::amount(&award.amount)),
                    reason: Some(self.reason(plugin, &award.why)),
                    digest: plugin.digest().to_string(),
                    rule_binding: rule.0.binding.name.clone(),
                });
            }
        }
        Ok(pb::AwardAnswer { grants })
    }

    /// The nearest rule that answers chooses; those above it are not asked.
    fn track(&mut self) -> Result<pb::TrackAnswer, NoAnswer> {
        for rule in self.rules() {
            let Some((Outcome::Track(choice), plugin)) = self.ask(rule)? else { continue };
            return Ok(pb::TrackAnswer { track: choice.track, reason: Some(self.reason(plugin, &choice.why)) });
        }
        Ok(pb::TrackAnswer::default())
    }

    /// Every rule may tighten what the law asks for.
    fn thresholds(
        &mut self,
        lawful: crate::engine::deliberation::Thresholds,
    ) -> Result<pb::ThresholdsAnswer, NoAnswer> {
        let (mut held, mut reasons) = (lawful, Vec::new());
        for rule in self.rules() {
            let Some((Outcome::Thresholds(asked), plugin)) = self.ask(rule)? else { continue };
            let tighter = stricter(held, asked.thresholds);
            // Against the law, not against a rule before: two rules that ask for the same both have their say.
            if stricter(lawful, asked.thresholds) != lawful {
                reasons.extend(asked.why.iter().map(|why| self.reason(plugin, why)));
            }
            held = tighter;
        }
        Ok(pb::ThresholdsAnswer { thresholds: Some(spoken::thresholds(&held)), reasons })
    }

    /// Asks one rule and notes its part; `None` when it gave no answer and is passed over, or is only tried.
    fn ask(&mut self, (rule, plugins): (&'a Bound, &'a Plugins)) -> Result<Answered<'a>, NoAnswer> {
        let trial = rule.trial.as_ref().zip(plugins.trial.as_ref());
        let is_canary = |stage, permille| stage == pb::RuleStage::Canary && self.case.bucket < permille;
        if let Some((trial, loaded)) = trial.filter(|(trial, _)| is_canary(trial.stage, trial.permille)) {
            let asked = Asked { rule, subject: &trial.subject, loaded, stage: pb::RuleStage::Canary };
            // Nothing stands beside it that it could be compared with.
            return Ok(self.obey(asked, trial.on_fault)?.1);
        }
        let active = rule.active.as_ref().zip(plugins.active.as_ref());
        let (said, answer) = match active {
            Some((subject, loaded)) => {
                let asked = Asked { rule, subject, loaded, stage: pb::RuleStage::Active };
                self.obey(asked, rule.on_fault)?
            }
            None => (Said::nothing(), None),
        };
        if let Some((trial, loaded)) = trial.filter(|(trial, _)| trial.stage == pb::RuleStage::Shadow) {
            let asked = Asked { rule, subject: &trial.subject, loaded, stage: pb::RuleStage::Shadow };
            self.shadows.push((asked, said));
        }
        Ok(answer)
    }

    /// Asks somebody whose answer counts.
    fn obey(&mut self, asked: Asked<'a>, on_fault: pb::OnFault) -> Result<(Said, Answered<'a>), NoAnswer> {
        if Instant::now() >= self.case.due {
            return Err(NoAnswer::Late);
        }
        match self.call(&asked) {
            Ok((found, plugin)) => {
                let said = Said::of(&found.value);
                self.note(&asked, (found.fuel_used, found.fuel_budget), spoken::verdict(&found.value));
                Ok((said, Some((found.value, plugin))))
            }
            Err(silence) if silence.busy => Err(NoAnswer::Busy),
            Err(silence) if on_fault == pb::OnFault::Skip => {
                self.note(&asked, (silence.budget, silence.budget), format!("fault: {}", silence.text));
                Ok((Said::fault(silence.code), None))
            }
            Err(Silence { missing: Some(fact), .. }) => {
                Err(NoAnswer::Missing { rule_binding: asked.rule.binding.name.clone(), fact })
            }
            Err(silence) => Err(NoAnswer::Fault {
                rule_binding: asked.rule.binding.name.clone(),
                plugin_version: asked.subject.version.clone(),
                code: silence.code,
            }),
        }
    }

    /// Asks those in shadow while there is time; what becomes of them touches nothing.
    fn shadows(&mut self) {
        for (asked, was) in std::mem::take(&mut self.shadows) {
            if Instant::now() + SPARE >= self.case.due {
                return;
            }
            let Some(trial) = &asked.rule.trial else { continue };
            let would = match self.call(&asked) {
                Ok((found, _)) => {
                    self.note(&asked, (found.fuel_used, found.fuel_budget), spoken::verdict(&found.value));
                    Said::of(&found.value)
                }
                Err(silence) if silence.busy => continue,
                Err(silence) => {
                    self.note(&asked, (silence.budget, silence.budget), format!("fault: {}", silence.text));
                    Said::fault(silence.code)
                }
            };
            self.noted.tallies.push(Tally { change: trial.change, was, would });
        }
    }

    /// One call of one plugin, counted; a fault is billed the whole budget.
    fn call(&mut self, asked: &Asked<'a>) -> Result<(Evaluated<Outcome>, &'a Plugin), Silence> {
        let context = Context { settings: asked.subject.settings.clone(), ..self.case.context.clone() };
        let plugin = match asked.loaded {
            Ok(plugin) => plugin.as_ref(),
            Err(fault) => {
                let budget = self.engine.config().native.budget(0);
                let text = fault.text.chars().take(MAX_FAULT).collect();
                self.count(asked, 1.0, Duration::ZERO, Some((fault.code, false)));
                return Err(Silence { code: fault.code, text, budget, busy: false, missing: None });
            }
        };
        let begun = Instant::now();
        let came = guarded(|| self.engine.evaluate(plugin, &context, self.case.question));
        let took = begun.elapsed();
        match came {
            Ok(found) => {
                let ratio = ratio(found.fuel_used, found.fuel_budget);
                self.count(asked, ratio, took, None);
                Ok((found, plugin))
            }
            Err(fault) => {
                self.count(asked, 1.0, took, Some((fault.code(), fault.is_the_plugins())));
                let limits = match plugin.kind() {
                    Kind::Script => &self.engine.config().script,
                    Kind::Native | Kind::Table => &self.engine.config().native,
                };
                let budget = limits.budget(items(self.case.question, plugin.facts()) + context.settings.len());
                let text = fault.to_string().chars().take(MAX_FAULT).collect();
                let missing = missing(&fault, plugin.facts());
                Err(Silence { code: fault.code(), text, budget, busy: fault == Fault::Busy, missing })
            }
        }
    }

    fn count(&mut self, asked: &Asked<'_>, fuel: f64, took: Duration, fault: Option<(&'static str, bool)>) {
        let subject = asked.subject;
        if self.case.is_measured {
            let hook = self.case.question.hook();
            let series = subject.series.get_or_init(|| Series::new(&subject.plugin, hook, asked.stage));
            series.record(fuel, took, fault.map(|(code, _)| code));
        }
        if let Some((code, true)) = fault {
            self.noted.blamed.push(Blamed { version: subject.version.clone(), code });
        }
    }

    fn note(&mut self, asked: &Asked<'_>, (used, budget): (u64, u64), verdict: String) {
        self.parts.push(pb::RulePart {
            rule_binding: asked.rule.binding.name.clone(),
            plugin_version: asked.subject.version.clone(),
            digest: asked.subject.digest.clone(),
            fuel_used: i64::try_from(used).unwrap_or(i64::MAX),
            fuel_budget: i64::try_from(budget).unwrap_or(i64::MAX),
            verdict,
            stage: asked.stage.into(),
        });
    }

    fn reason(&self, plugin: &Plugin, reason: &crate::engine::types::Reason) -> common::Reason {
        spoken::reason(plugin, reason, self.case.lang)
    }
}

/// The call with a breakdown of the host as a fault of this one call: it must not take down what other rules say.
fn guarded<T>(call: impl FnOnce() -> Result<T, Fault>) -> Result<T, Fault> {
    // Nothing of the call is used again: its store and instance are its own.
    panic::catch_unwind(AssertUnwindSafe(call)).unwrap_or(Err(Fault::Host))
}

/// The fact that a rule says it lacks, where it declares that fact and a resident may be without it. Of the others there is
/// always something to say: that one is missing is nothing that a resident could mend.
fn missing(fault: &Fault, declared: FactSet) -> Option<Fact> {
    let Fault::Refused(Refusal::MissingFact(code)) = fault else { return None };
    let mendable = |fact: &Fact| matches!(fact, Fact::Age | Fact::Joined | Fact::Answers);
    Fact::from_code(code).filter(|fact| mendable(fact) && declared.iter().any(|known| known == *fact))
}

/// List entries of the question as the plugin sees it.
fn items(question: &Question, facts: FactSet) -> usize {
    match question {
        Question::Eligibility(req) => req.restricted_to(facts).list_items(),
        Question::Price(req) => req.restricted_to(facts).list_items(),
        Question::Priority(req) => req.restricted_to(facts).list_items(),
        Question::Award(req) => req.restricted_to(facts).list_items(),
        Question::Track(req) => req.restricted_to(facts).list_items(),
        Question::Thresholds(req) => req.restricted_to(facts).list_items(),
    }
}

#[expect(clippy::cast_precision_loss, reason = "a share for a histogram")]
fn ratio(used: u64, budget: u64) -> f64 {
    used as f64 / budget.max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::evaluator::Unusable;
    use crate::engine::EngineConfig;

    /// A rule that cannot be asked and is passed over, under a deadline.
    fn answered(due: Instant) -> Result<pb::EvaluateResponse, NoAnswer> {
        let damaged = || Unusable { code: "unusable", text: "damaged".to_owned() };
        let subject = Subject { artefact: Err(damaged()), ..Subject::default() };
        let rule = Bound { active: Some(subject), on_fault: pb::OnFault::Skip, ..Bound::default() };
        let in_force = Effective { rules: vec![rule], revision: String::new() };
        let question = Question::Eligibility(EligibilityRequest::default());
        let (context, plugins) = (Context::default(), [Plugins { active: Some(Err(damaged())), trial: None }]);
        let engine = Engine::new(EngineConfig::validation()).expect("the engine starts");
        let case = Case {
            context: &context,
            question: &question,
            in_force: &in_force,
            plugins: &plugins,
            lang: Lang::En,
            bucket: 0,
            due,
            is_measured: false,
        };
        answer(&engine, &case).0
    }

    #[test]
    fn past_the_deadline_no_further_rule_is_asked() {
        let now = Instant::now();
        let passed = answered(now + Duration::from_secs(60)).unwrap_or_default();
        assert_eq!(passed.parts.len(), 1);
        assert!(matches!(answered(now), Err(NoAnswer::Late)));
    }

    #[test]
    fn a_breakdown_of_the_host_is_a_fault_of_that_call() {
        assert_eq!(guarded(|| -> Result<(), Fault> { panic!("the engine broke") }), Err(Fault::Host));
        assert_eq!(guarded(|| Ok(1)), Ok(1));
    }
}
