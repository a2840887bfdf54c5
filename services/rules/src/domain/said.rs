//! An answer in short: what is counted, compared and shown. Never: anything about a person.

use crate::engine::Outcome;
use crate::engine::deliberation::{Share, Thresholds};
use crate::engine::types::{Award, Verdict};

/// What was said and why.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Said {
    pub(crate) what: String,
    /// Code of the first reason; empty without any.
    pub(crate) reason: String,
}

impl Said {
    /// That nobody was asked.
    pub(crate) fn nothing() -> Self {
        Self { what: "none".to_owned(), reason: String::new() }
    }

    /// That no answer came.
    pub(crate) fn fault(code: &str) -> Self {
        Self { what: format!("fault: {code}"), reason: String::new() }
    }

    /// An answer of a rule.
    pub(crate) fn of(outcome: &Outcome) -> Self {
        let what = match outcome {
            Outcome::Eligibility(Verdict::Allow) => "allow".to_owned(),
            Outcome::Eligibility(Verdict::Abstain) => "abstain".to_owned(),
            Outcome::Eligibility(Verdict::NeedsApproval(_)) => "needs-approval".to_owned(),
            Outcome::Eligibility(Verdict::Deny(_)) => "deny".to_owned(),
            Outcome::Price(terms) => format!("price {}", terms.price.value),
            Outcome::Priority(scores) => order(scores),
            Outcome::Award(awards) => granted(awards),
            Outcome::Track(choice) => choice.track.clone(),
            Outcome::Thresholds(tightened) => thresholds(&tightened.thresholds),
        };
        let reason = outcome.reasons().first().map(|reason| reason.code.clone()).unwrap_or_default();
        Self { what, reason }
    }
}

/// Places in the order in which they are served, at most the first eight: `order 2 0 1`.
pub(crate) fn order(scores: &[i32]) -> String {
    const SHOWN: usize = 8;
    let mut places: Vec<usize> = (0..scores.len()).collect();
    places.sort_by_key(|&at| (std::cmp::Reverse(scores[at]), at));
    let shown: Vec<String> = places.iter().take(SHOWN).map(usize::to_string).collect();
    format!("order {}", shown.join(" ")).trim_end().to_owned()
}

fn granted(awards: &[Award]) -> String {
    if awards.is_empty() {
        return "nothing".to_owned();
    }
    let each: Vec<String> =
        awards.iter().map(|award| format!("{} {}", award.amount.value, award.amount.asset)).collect();
    format!("granted {}", each.join(", "))
}

/// Such as `quorum 1/2, pass >2/3, 24 h`.
pub(crate) fn thresholds(of: &Thresholds) -> String {
    let share = |share: Option<Share>| match share {
        Some(Share { numerator, denominator, exclusive }) => {
            format!("{}{numerator}/{denominator}", if exclusive { ">" } else { "" })
        }
        None => "any".to_owned(),
    };
    format!("quorum {}, pass {}, {} h", share(of.quorum), share(of.pass), of.open_hours)
}

/// A count as it is shown: groups of fewer than five are hidden.
pub(crate) fn hidden(count: u64) -> String {
    if count < 5 { "<5".to_owned() } else { count.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::types::Reason;

    #[test]
    fn an_order_is_told_by_places_and_ties_stay_in_their_order() {
        assert_eq!(order(&[0, 5, 0, 9]), "order 3 1 0 2");
        assert_eq!(order(&[]), "order");
    }

    #[test]
    fn the_first_reason_is_told_and_never_its_arguments() {
        let reason = Reason { code: "quota".to_owned(), args: vec!["7".to_owned()] };
        let said = Said::of(&Outcome::Eligibility(Verdict::Deny(reason)));
        assert_eq!((said.what.as_str(), said.reason.as_str()), ("deny", "quota"));
    }

    #[test]
    fn groups_of_fewer_than_five_are_hidden() {
        assert_eq!((hidden(4), hidden(5)), ("<5".to_owned(), "5".to_owned()));
    }
}
