//! A question to any hook and its answer as values: what vectors, receipts and simulations are made of.
//! Never: asks; that is [`Engine::evaluate`](crate::Engine::evaluate).
//!
//! Serialised, these read like the contract: kebab-case names, variants as `{"deny": {"code": ..}}`, and what has a
//! neutral value may be left out.

use serde::{Deserialize, Serialize};

use crate::deliberation::{ThresholdsRequest, Tightened, TrackChoice, TrackRequest};
use crate::types::{
    Award, AwardRequest, Context, EligibilityRequest, PriceRequest, PriorityRequest, Reason, Refusal, Terms, Verdict,
};
use crate::{Evaluated, Fault, Hook};

/// A request of one of the hooks, under the hook's name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Question {
    /// May this booking be made?
    #[serde(rename = "booking-eligibility")]
    Eligibility(EligibilityRequest),
    /// What does it cost?
    #[serde(rename = "booking-price")]
    Price(PriceRequest),
    /// In which order are those on the waitlist served?
    #[serde(rename = "booking-priority")]
    Priority(PriorityRequest),
    /// What does this event earn?
    #[serde(rename = "points-award")]
    Award(AwardRequest),
    /// Which track does this topic take?
    #[serde(rename = "deliberation-track")]
    Track(TrackRequest),
    /// How strict is this ballot?
    #[serde(rename = "deliberation-thresholds")]
    Thresholds(ThresholdsRequest),
}

impl Question {
    /// The hook that is asked.
    pub const fn hook(&self) -> Hook {
        match self {
            Question::Eligibility(_) => Hook::Eligibility,
            Question::Price(_) => Hook::Price,
            Question::Priority(_) => Hook::Priority,
            Question::Award(_) => Hook::Award,
            Question::Track(_) => Hook::Track,
            Question::Thresholds(_) => Hook::Thresholds,
        }
    }
}

/// An answer of one of the hooks, under the hook's name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// A verdict.
    #[serde(rename = "booking-eligibility")]
    Eligibility(Verdict),
    /// A price, not clamped yet.
    #[serde(rename = "booking-price")]
    Price(Terms),
    /// One score per entry of the queue.
    #[serde(rename = "booking-priority")]
    Priority(Vec<i32>),
    /// Grants, not clamped yet.
    #[serde(rename = "points-award")]
    Award(Vec<Award>),
    /// A track.
    #[serde(rename = "deliberation-track")]
    Track(TrackChoice),
    /// Thresholds, not compared with the law yet.
    #[serde(rename = "deliberation-thresholds")]
    Thresholds(Tightened),
}

impl Outcome {
    /// The hook that answered.
    pub const fn hook(&self) -> Hook {
        match self {
            Outcome::Eligibility(_) => Hook::Eligibility,
            Outcome::Price(_) => Hook::Price,
            Outcome::Priority(_) => Hook::Priority,
            Outcome::Award(_) => Hook::Award,
            Outcome::Track(_) => Hook::Track,
            Outcome::Thresholds(_) => Hook::Thresholds,
        }
    }

    /// The reasons that it gives, in order.
    pub fn reasons(&self) -> Vec<&Reason> {
        match self {
            Outcome::Eligibility(Verdict::Deny(reason) | Verdict::NeedsApproval(reason)) => vec![reason],
            Outcome::Eligibility(Verdict::Allow | Verdict::Abstain) | Outcome::Priority(_) => Vec::new(),
            Outcome::Price(terms) => terms.why.iter().collect(),
            Outcome::Award(awards) => awards.iter().map(|award| &award.why).collect(),
            Outcome::Track(choice) => vec![&choice.why],
            Outcome::Thresholds(tightened) => tightened.why.iter().collect(),
        }
    }

    fn reasons_mut(&mut self) -> Vec<&mut Reason> {
        match self {
            Outcome::Eligibility(Verdict::Deny(reason) | Verdict::NeedsApproval(reason)) => vec![reason],
            Outcome::Eligibility(Verdict::Allow | Verdict::Abstain) | Outcome::Priority(_) => Vec::new(),
            Outcome::Price(terms) => terms.why.iter_mut().collect(),
            Outcome::Award(awards) => awards.iter_mut().map(|award| &mut award.why).collect(),
            Outcome::Track(choice) => vec![&mut choice.why],
            Outcome::Thresholds(tightened) => tightened.why.iter_mut().collect(),
        }
    }
}

/// One case that an author wrote down: what is asked, and what is to come of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Vector {
    /// A name for people.
    pub name: String,
    /// The context, with the settings of the case.
    #[serde(default)]
    pub context: Context,
    /// What is asked.
    pub question: Question,
    /// What is to come of it.
    pub expect: Expected,
}

/// What a vector expects.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Expected {
    /// This answer; a reason without arguments stands for the same reason with any.
    Outcome(Outcome),
    /// That the plugin declines, so.
    Refusal(Refusal),
}

impl Expected {
    /// Whether this is what came.
    pub fn admits(&self, came: &Result<Evaluated<Outcome>, Fault>) -> bool {
        match (self, came) {
            (Expected::Refusal(expected), Err(Fault::Refused(refusal))) => expected == refusal,
            (Expected::Outcome(expected), Ok(evaluated)) => {
                let mut came = evaluated.value.clone();
                for (expected, came) in expected.reasons().into_iter().zip(came.reasons_mut()) {
                    if expected.args.is_empty() {
                        came.args.clear();
                    }
                }
                *expected == came
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Digest;
    use crate::types::{Member, Setting, SettingValue, Usage};

    fn came(value: Outcome) -> Result<Evaluated<Outcome>, Fault> {
        Ok(Evaluated { value, fuel_used: 1, fuel_budget: 2, digest: Digest::of(b"") })
    }

    fn denied(args: &[&str]) -> Outcome {
        let args = args.iter().map(|&arg| arg.to_owned()).collect();
        Outcome::Eligibility(Verdict::Deny(Reason { code: "quota".to_owned(), args }))
    }

    #[test]
    fn a_vector_reads_like_the_contract_and_leaves_out_what_is_neutral() {
        let text = r#"{
            "name": "the second of a month",
            "context": {"now": 29671200, "utc-offset-min": 480, "settings": [{"key": "per-month", "value": {"number": 2}}]},
            "question": {"booking-eligibility": {"who": {"age-years": 75}, "used": {"this-month": 1}, "party": 1}},
            "expect": {"outcome": {"booking-eligibility": {"deny": {"code": "quota"}}}}
        }"#;
        let vector: Vector = serde_json::from_str(text).unwrap();
        let settings = vec![Setting { key: "per-month".to_owned(), value: SettingValue::Number(2) }];
        let question = EligibilityRequest {
            who: Member { age_years: Some(75), ..Member::default() },
            used: Some(Usage { this_month: 1, ..Usage::default() }),
            party: 1,
            ..EligibilityRequest::default()
        };
        assert_eq!(vector.context, Context { now: 29_671_200, utc_offset_min: 480, seed: 0, settings });
        assert_eq!(vector.question, Question::Eligibility(question));
        assert_eq!(vector.expect, Expected::Outcome(denied(&[])));
        let again: Vector = serde_json::from_str(&serde_json::to_string(&vector).unwrap()).unwrap();
        assert_eq!(again, vector);
        let abstain: Outcome = serde_json::from_str(r#"{"booking-eligibility": "abstain"}"#).unwrap();
        assert_eq!(abstain, Outcome::Eligibility(Verdict::Abstain));
    }

    #[test]
    fn a_misspelt_fact_is_an_error_and_not_left_out() {
        let misspelt = r#"{"booking-eligibility": {"who": {"age": 75}}}"#;
        assert!(serde_json::from_str::<Question>(misspelt).unwrap_err().to_string().contains("age"));
    }

    #[test]
    fn a_reason_without_arguments_stands_for_any() {
        assert!(Expected::Outcome(denied(&[])).admits(&came(denied(&["1", "1"]))));
        assert!(Expected::Outcome(denied(&["1", "1"])).admits(&came(denied(&["1", "1"]))));
        assert!(!Expected::Outcome(denied(&["1", "2"])).admits(&came(denied(&["1", "1"]))));
        assert!(!Expected::Outcome(Outcome::Eligibility(Verdict::Allow)).admits(&came(denied(&[]))));
        let refusal = Refusal::MissingFact("usage".to_owned());
        assert!(Expected::Refusal(refusal.clone()).admits(&Err(Fault::Refused(refusal.clone()))));
        assert!(!Expected::Refusal(refusal).admits(&Err(Fault::Deadline)));
    }
}
