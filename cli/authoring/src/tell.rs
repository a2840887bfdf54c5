//! Answers in the words of a file of cases, so that what came can be copied into one. Never: for residents.

use linli_rules_engine::deliberation::{Share, Thresholds};
use linli_rules_engine::types::{Amount, Reason, Refusal, Verdict};
use linli_rules_engine::{Fault, Outcome};

/// An answer as `expect:` takes it.
pub fn outcome(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Eligibility(Verdict::Allow) => "{allow: true}".to_owned(),
        Outcome::Eligibility(Verdict::Abstain) => "{abstain: true}".to_owned(),
        Outcome::Eligibility(Verdict::Deny(why)) => format!("{{deny: {}}}", reason(why)),
        Outcome::Eligibility(Verdict::NeedsApproval(why)) => format!("{{needs-approval: {}}}", reason(why)),
        Outcome::Price(terms) => format!("{{price: {}, why: [{}]}}", amount(&terms.price), reasons(&terms.why)),
        Outcome::Priority(scores) => format!("{{scores: {scores:?}}}"),
        Outcome::Award(awards) => {
            let one = |amount: &Amount, why: &Reason| {
                format!("{{asset: {}, value: {}, {}}}", amount.asset, amount.value, bare(why))
            };
            let all: Vec<String> = awards.iter().map(|award| one(&award.amount, &award.why)).collect();
            format!("{{awards: [{}]}}", all.join(", "))
        }
        Outcome::Track(choice) => format!("{{track: {}, {}}}", choice.track, bare(&choice.why)),
        Outcome::Thresholds(tightened) => {
            format!("{{{}, why: [{}]}}", thresholds(&tightened.thresholds), reasons(&tightened.why))
        }
    }
}

/// What came instead of an answer, as `expect:` takes it.
pub fn fault(fault: &Fault) -> String {
    match fault {
        Fault::Refused(refused) => format!("{{refusal: {}}}", refusal(refused)),
        fault => format!("{{fault: {}}} ({fault})", fault.code()),
    }
}

pub(crate) fn refusal(refusal: &Refusal) -> String {
    match refusal {
        Refusal::BadSettings(code) => format!("bad-settings {code}"),
        Refusal::MissingFact(code) => format!("missing-fact {code}"),
        Refusal::Unsupported(code) => format!("unsupported {code}"),
    }
}

fn amount(amount: &Amount) -> String {
    format!("{} {}", amount.value, amount.asset)
}

fn bare(reason: &Reason) -> String {
    let args = if reason.args.is_empty() { String::new() } else { format!(", args: [{}]", reason.args.join(", ")) };
    format!("code: {}{args}", reason.code)
}

fn reason(reason: &Reason) -> String {
    format!("{{{}}}", bare(reason))
}

fn reasons(reasons: &[Reason]) -> String {
    let one = |why: &Reason| if why.args.is_empty() { why.code.clone() } else { reason(why) };
    reasons.iter().map(one).collect::<Vec<_>>().join(", ")
}

fn thresholds(thresholds: &Thresholds) -> String {
    let share = |share: Option<Share>| match share {
        None => "none".to_owned(),
        Some(Share { numerator, denominator, exclusive: true }) => format!("\">{numerator}/{denominator}\""),
        Some(Share { numerator, denominator, exclusive: false }) => format!("{numerator}/{denominator}"),
    };
    let (quorum, pass) = (share(thresholds.quorum), share(thresholds.pass));
    format!("quorum: {quorum}, pass: {pass}, open-hours: {}", thresholds.open_hours)
}
