//! A topic's way through its process: what is known at a stage, what is still missing, where it goes next.

use linli_kernel::Timestamp;

use super::process::{Condition, Process, Stage};

const HOUR_US: i64 = 3_600_000_000;

/// What a decision said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Approval {
    /// Nothing: it is no decision.
    None,
    /// Approved.
    Approved,
    /// Rejected.
    Rejected,
}

/// A record of the present stage, as far as conditions ask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RecordFact {
    /// Kind code.
    pub(crate) kind: String,
    /// What it decided.
    pub(crate) outcome: Approval,
    /// Role in which the recorder acted; empty when in none.
    pub(crate) role: String,
    /// When it was recorded.
    pub(crate) at: Timestamp,
}

/// What is known about a topic at its present stage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StageFacts {
    /// Supports of the topic.
    pub(crate) supports: i32,
    /// When it came to the stage.
    pub(crate) entered: Timestamp,
    /// Records of the stage.
    pub(crate) records: Vec<RecordFact>,
    /// Whether a ballot of the stage is closed and passed.
    pub(crate) ballot_passed: bool,
}

impl StageFacts {
    /// Whether one condition holds at `now`.
    ///
    /// Among decisions of one role the newest counts: a later rejection takes an approval back.
    pub(crate) fn meets(&self, condition: &Condition, now: Timestamp) -> bool {
        match condition {
            Condition::MinSupports(least) => self.supports >= *least,
            Condition::Record(kind) => self.records.iter().any(|r| r.kind == *kind),
            Condition::PublishedHours(hours) => {
                let publications = self.records.iter().filter(|r| r.kind == "publication");
                publications.map(|r| r.at).any(|at| older(at, *hours, now))
            }
            Condition::BallotPassed(_) => self.ballot_passed,
            Condition::StageHours(hours) => older(self.entered, *hours, now),
            Condition::ApprovedByRole(role) => {
                let decisions = self.records.iter().filter(|r| r.kind == "decision" && r.role == *role);
                // Later records stand behind earlier ones; of equal times the last one is the newest.
                decisions.max_by_key(|r| r.at).is_some_and(|r| r.outcome == Approval::Approved)
            }
        }
    }

    /// Each condition of the stage with whether it holds at `now`.
    pub(crate) fn statuses<'a>(&self, stage: &'a Stage, now: Timestamp) -> Vec<(&'a Condition, bool)> {
        stage.conditions.iter().map(|condition| (condition, self.meets(condition, now))).collect()
    }
}

fn older(at: Timestamp, hours: i32, now: Timestamp) -> bool {
    now.micros().saturating_sub(at.micros()) >= i64::from(hours) * HOUR_US
}

/// Where a topic goes when it leaves a stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// To the stage of this ordinal.
    To(usize),
    /// Through all stages: it is archived.
    Archive,
}

impl Process {
    /// The only way on from a stage: the next one, or the archive. No stage is ever skipped.
    pub(crate) fn after(&self, ordinal: usize) -> Step {
        if ordinal + 1 < self.stages.len() { Step::To(ordinal + 1) } else { Step::Archive }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(1_790_000_000);

    fn facts(records: Vec<RecordFact>) -> StageFacts {
        StageFacts { supports: 2, entered: NOW.plus_secs(-7200), records, ballot_passed: false }
    }

    fn record(kind: &str, outcome: Approval, role: &str, hours_ago: i64) -> RecordFact {
        RecordFact { kind: kind.into(), outcome, role: role.into(), at: NOW.plus_secs(-3600 * hours_ago) }
    }

    #[test]
    fn supports_count_from_the_stated_number_on() {
        assert!(facts(vec![]).meets(&Condition::MinSupports(2), NOW));
        assert!(!facts(vec![]).meets(&Condition::MinSupports(3), NOW));
    }

    #[test]
    fn a_publication_must_hang_for_the_stated_hours_to_the_microsecond() {
        let hung =
            facts(vec![record("publication", Approval::None, "", 48), record("minutes", Approval::None, "", 99)]);
        assert!(hung.meets(&Condition::PublishedHours(48), NOW));
        assert!(!hung.meets(&Condition::PublishedHours(48), Timestamp::from_micros(NOW.micros() - 1)));
        assert!(!facts(vec![]).meets(&Condition::PublishedHours(0), NOW), "nothing was published");
    }

    #[test]
    fn time_at_the_stage_counts_from_its_entry() {
        assert!(facts(vec![]).meets(&Condition::StageHours(2), NOW));
        assert!(!facts(vec![]).meets(&Condition::StageHours(3), NOW));
    }

    #[test]
    fn only_an_approval_in_the_role_counts_and_a_later_rejection_takes_it_back() {
        let wanted = Condition::ApprovedByRole("branch-secretary".into());
        let by = |role: &str, outcome, ago| record("decision", outcome, role, ago);
        assert!(!facts(vec![by("worker", Approval::Approved, 1)]).meets(&wanted, NOW));
        assert!(!facts(vec![by("branch-secretary", Approval::Rejected, 1)]).meets(&wanted, NOW));
        assert!(facts(vec![by("branch-secretary", Approval::Approved, 1)]).meets(&wanted, NOW));
        let changed =
            vec![by("branch-secretary", Approval::Approved, 2), by("branch-secretary", Approval::Rejected, 1)];
        assert!(!facts(changed).meets(&wanted, NOW));
    }

    #[test]
    fn records_and_ballots_are_asked_for_by_kind_and_result() {
        let here = facts(vec![record("survey", Approval::None, "", 1)]);
        assert!(here.meets(&Condition::Record("survey".into()), NOW));
        assert!(!here.meets(&Condition::Record("draft".into()), NOW));
    }

    #[test]
    fn a_topic_goes_stage_by_stage_and_then_into_the_archive() {
        let stage = |id: &str| Stage { id: id.into(), conditions: vec![], advanced_by: vec![] };
        let process = Process { stages: vec![stage("a"), stage("b"), stage("c")], confidential: false };
        assert_eq!((process.after(0), process.after(1), process.after(2)), (Step::To(1), Step::To(2), Step::Archive));
    }
}
