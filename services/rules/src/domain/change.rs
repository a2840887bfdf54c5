//! A rule change: its id, what is kept of its steps. Never: whether somebody may.

use serde::{Deserialize, Serialize};

linli_kernel::define_id!(
    /// Id of a rule change.
    RuleChangeId,
    "rc"
);

/// The number of the stage canary.
const CANARY: i32 = 2;

/// What the service does by date or because of faults.
pub(crate) const BY_ITSELF: &str = "service/rules";

/// One thing that somebody did, as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Step {
    pub(crate) action: String,
    pub(crate) actor: String,
    pub(crate) at_us: i64,
    pub(crate) stage: i32,
    pub(crate) permille: i32,
    pub(crate) note: String,
}

/// Whether what is asked for is a step forward: a later stage, or the same one with another share.
/// Stages are the numbers of the contract.
pub(crate) fn is_forward(from: (i32, i32), to: (i32, i32)) -> bool {
    let canary = (CANARY, CANARY);
    to.0 > from.0 || ((from.0, to.0) == canary && from.1 != to.1)
}

/// Whether somebody other than those who asked for it must agree.
pub(crate) fn may_approve(steps: &[Step], subject: &str) -> bool {
    !steps.iter().any(|step| matches!(step.action.as_str(), "propose" | "promote") && step.actor == subject)
}

/// Whether what is asked for last was agreed to since.
pub(crate) fn is_approved(steps: &[Step]) -> bool {
    let asked = steps.iter().rposition(|step| matches!(step.action.as_str(), "propose" | "promote"));
    let agreed = steps.iter().rposition(|step| step.action == "approve");
    agreed.is_some() && agreed > asked
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(action: &str, actor: &str) -> Step {
        let (action, actor) = (action.to_owned(), actor.to_owned());
        Step { action, actor, at_us: 0, stage: 1, permille: 0, note: String::new() }
    }

    #[test]
    fn a_trial_goes_forward_only_but_its_share_may_go_either_way() {
        const SHADOW: i32 = 1;
        const ACTIVE: i32 = 3;
        assert!(is_forward((SHADOW, 0), (CANARY, 10)) && is_forward((SHADOW, 0), (ACTIVE, 0)));
        assert!(is_forward((CANARY, 10), (CANARY, 5)) && is_forward((CANARY, 10), (ACTIVE, 0)));
        assert!(!is_forward((CANARY, 10), (CANARY, 10)) && !is_forward((CANARY, 10), (SHADOW, 0)));
        assert!(!is_forward((SHADOW, 0), (SHADOW, 0)));
    }

    #[test]
    fn nobody_approves_what_they_asked_for() {
        let steps = [step("propose", "a"), step("promote", "b")];
        assert!(!may_approve(&steps, "a") && !may_approve(&steps, "b") && may_approve(&steps, "c"));
    }

    #[test]
    fn an_approval_counts_for_what_was_asked_before_it() {
        assert!(is_approved(&[step("propose", "a"), step("approve", "b")]));
        assert!(!is_approved(&[step("propose", "a"), step("approve", "b"), step("promote", "a")]));
        assert!(!is_approved(&[step("propose", "a")]));
    }
}
