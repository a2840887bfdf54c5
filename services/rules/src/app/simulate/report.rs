//! What a simulation found, with small groups hidden. Never: a subject as the asking service knows it.

use std::collections::{HashMap, HashSet};

use linli_proto::rules as pb;
use linli_proto::rules::evaluate_response::Answer;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::app::tally::shown;
use crate::domain::said::{Said, hidden, order};

/// Cases that a report lists.
const LISTED: usize = 1_000;
/// Groups about fewer people are hidden: one who books often is no crowd.
const LEAST: usize = 5;
/// Different outcomes that are told apart; the cases beyond count as changed in another way.
const GROUPS: usize = 1_000;

/// Outcome before, with the candidate, and the reason.
type Group = (String, String, String);

/// What was found so far.
pub(super) struct Report {
    /// Makes pseudonyms of this report; forgotten with it.
    key: Uuid,
    cases: usize,
    unchanged: Count,
    not_replayable: Count,
    changed: HashMap<Group, Count>,
    /// Of each group the newest, as many as could be listed.
    listed: HashMap<Group, Vec<(usize, String, i64)>>,
}

/// Decisions, and about how many different subjects: as many as it takes to be told.
#[derive(Debug, Default, Clone)]
struct Count {
    decisions: u64,
    subjects: HashSet<String>,
}

impl Count {
    fn add(&mut self, subject: &str) {
        self.decisions += 1;
        if self.subjects.len() < LEAST && !self.subjects.contains(subject) {
            self.subjects.insert(subject.to_owned());
        }
    }

    /// How many decisions, where they are about enough people to be told; 0 otherwise.
    fn told(&self) -> u64 {
        if self.subjects.len() < LEAST { 0 } else { self.decisions }
    }
}

impl Report {
    pub(super) fn new(key: Uuid) -> Self {
        let (changed, listed) = (HashMap::new(), HashMap::new());
        Self { key, cases: 0, unchanged: Count::default(), not_replayable: Count::default(), changed, listed }
    }

    /// A number below `bound` that nobody knows outside this report.
    pub(super) fn lot(&self, bound: usize) -> usize {
        let (drawn, _) = self.key.as_u64_pair();
        usize::try_from(drawn).unwrap_or_default().checked_rem(bound).unwrap_or_default()
    }

    pub(super) fn not_replayable(&mut self, subject: &str) {
        self.not_replayable.add(subject);
    }

    /// Adds one decision.
    pub(super) fn add(&mut self, subject: &str, local_us: i64, was: Said, would: Said) {
        self.cases += 1;
        if was == would {
            self.unchanged.add(subject);
            return;
        }
        let reason = if would.reason.is_empty() { was.reason } else { would.reason };
        let mut group = (was.what, would.what, reason);
        if self.changed.len() >= GROUPS && !self.changed.contains_key(&group) {
            group = ("other".to_owned(), "other".to_owned(), String::new());
        }
        self.changed.entry(group.clone()).or_default().add(subject);
        let case = self.pseudonym(subject);
        let listed = self.listed.entry(group).or_default();
        if listed.len() < LISTED {
            listed.push((self.cases, case, local_us));
        }
    }

    fn pseudonym(&self, subject: &str) -> String {
        let mut hasher = Sha256::new();
        // The key is of one length, and secret: nobody can try subjects.
        hasher.update(self.key.as_bytes());
        hasher.update(subject);
        format!("case-{}", hex::encode(&hasher.finalize()[..8]))
    }

    /// The report as it is given out.
    pub(super) fn message(&self, truncated: bool) -> pb::SimulationReport {
        let mut cases: Vec<(usize, pb::SimulatedCase)> = Vec::new();
        for (group, listed) in &self.listed {
            if self.changed.get(group).is_none_or(|count| count.told() == 0) {
                continue;
            }
            let (was, would, reason) = group;
            cases.extend(listed.iter().map(|(at, case, local_us)| {
                let day = day(*local_us);
                let (was, would, reason) = (was.clone(), would.clone(), reason.clone());
                (*at, pb::SimulatedCase { case: case.clone(), was, would, reason, day })
            }));
        }
        cases.sort_by_key(|(at, _)| *at);
        // The sum of all would give a hidden group away to whoever subtracts those that are shown.
        let told = self.changed.values().chain([&self.unchanged]).map(Count::told).sum::<u64>();
        let number = |count: u64| i32::try_from(count).unwrap_or(i32::MAX);
        pb::SimulationReport {
            cases: number(told),
            unchanged: hidden(self.unchanged.told()),
            not_replayable: number(self.not_replayable.told()),
            changed: shown(self.changed.iter().map(|(group, count)| (group.clone(), count.told())).collect()),
            cases_changed: cases.into_iter().take(LISTED).map(|(_, case)| case).collect(),
            truncated,
        }
    }
}

/// The day of a local instant.
fn day(local_us: i64) -> String {
    let at = chrono::DateTime::from_timestamp_micros(local_us).unwrap_or_default();
    at.format("%Y-%m-%d").to_string()
}

/// What the rules said together, in short.
pub(super) fn said(answer: &pb::EvaluateResponse) -> Said {
    let amount = |amount: &Option<linli_proto::common::Amount>| {
        amount.as_ref().map(|amount| format!("{} {}", amount.value, amount.asset)).unwrap_or_default()
    };
    let first =
        |reasons: &[linli_proto::common::Reason]| reasons.first().map(|reason| reason.code.clone()).unwrap_or_default();
    match &answer.answer {
        Some(Answer::Eligibility(found)) => {
            let what = match found.verdict() {
                pb::Verdict::Deny => "deny",
                pb::Verdict::NeedsApproval => "needs-approval",
                pb::Verdict::Allow | pb::Verdict::Unspecified => "allow",
            };
            Said { what: what.to_owned(), reason: first(&found.reasons) }
        }
        Some(Answer::Price(found)) => {
            let value = found.price.as_ref().map_or(0, |price| price.value);
            Said { what: format!("price {value}"), reason: first(&found.reasons) }
        }
        Some(Answer::Priority(found)) => Said { what: order(&found.scores), reason: String::new() },
        Some(Answer::Award(found)) => {
            let grants: Vec<String> = found.grants.iter().map(|grant| amount(&grant.amount)).collect();
            let what = if grants.is_empty() { "nothing".to_owned() } else { format!("granted {}", grants.join(", ")) };
            let reason = found.grants.first().and_then(|grant| grant.reason.clone());
            Said { what, reason: reason.map(|reason| reason.code).unwrap_or_default() }
        }
        Some(Answer::Track(found)) => {
            let reason = found.reason.as_ref().map(|reason| reason.code.clone()).unwrap_or_default();
            Said { what: found.track.clone(), reason }
        }
        Some(Answer::Thresholds(found)) => {
            let share = |ratio: &Option<pb::Ratio>| match ratio {
                Some(ratio) => {
                    let more = if ratio.exclusive { ">" } else { "" };
                    format!("{more}{}/{}", ratio.numerator, ratio.denominator)
                }
                None => "any".to_owned(),
            };
            let held = found.thresholds.unwrap_or_default();
            let (quorum, pass) = (share(&held.quorum), share(&held.pass));
            Said { what: format!("quorum {quorum}, pass {pass}, {} h", held.open_hours), reason: first(&found.reasons) }
        }
        None => Said::nothing(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(what: &str) -> Said {
        Said { what: what.to_owned(), reason: "quota".to_owned() }
    }

    fn report(denied: usize, approved: usize) -> Report {
        let mut report = Report::new(Uuid::from_u128(1));
        (0..denied).for_each(|n| report.add(&format!("r-{n}"), 0, said("allow"), said("deny")));
        (0..approved).for_each(|n| report.add(&format!("r-{n}"), 0, said("allow"), said("needs-approval")));
        report
    }

    #[test]
    fn groups_of_fewer_than_five_are_counted_as_that_and_their_cases_are_not_listed() {
        let found = report(5, 4).message(false);
        let counts: Vec<_> = found.changed.iter().map(|group| (group.would.as_str(), group.count.as_str())).collect();
        assert_eq!(counts, [("deny", "5"), ("needs-approval", "<5")]);
        assert_eq!((found.cases_changed.len(), found.unchanged.as_str()), (5, "<5"));
        assert!(found.cases_changed.iter().all(|case| case.would == "deny" && case.day == "1970-01-01"));
    }

    #[test]
    fn no_hidden_number_can_be_worked_out_from_those_that_are_told() {
        for hidden in 1..5 {
            let found = report(7, hidden).message(false);
            assert_eq!((found.cases, found.unchanged.as_str()), (7, "<5"), "{hidden} are hidden");
        }
    }

    #[test]
    fn many_decisions_about_few_people_are_hidden_like_few_decisions() {
        let mut report = report(5, 0);
        for n in 0..20 {
            report.add(&format!("r-{}", n % 4), 0, said("allow"), said("needs-approval"));
            report.not_replayable("r-0");
        }
        let found = report.message(false);
        let counts: Vec<_> = found.changed.iter().map(|group| (group.would.as_str(), group.count.as_str())).collect();
        assert_eq!(counts, [("deny", "5"), ("needs-approval", "<5")]);
        assert_eq!((found.cases, found.not_replayable, found.cases_changed.len()), (5, 0, 5));
    }

    #[test]
    fn a_lot_is_below_its_bound_and_another_in_the_next_report() {
        let lots: Vec<usize> = (0..64).map(|n| Report::new(Uuid::from_u128(n << 64)).lot(10)).collect();
        assert!(lots.iter().all(|lot| *lot < 10) && lots.iter().any(|lot| *lot != lots[0]), "{lots:?}");
        assert_eq!(Report::new(Uuid::from_u128(7 << 64)).lot(0), 0);
    }

    #[test]
    fn a_pseudonym_is_the_same_within_a_report_and_another_in_the_next() {
        let (a, b) = (Report::new(Uuid::from_u128(1)), Report::new(Uuid::from_u128(2)));
        assert_eq!(a.pseudonym("r-1"), a.pseudonym("r-1"));
        assert_ne!(a.pseudonym("r-1"), a.pseudonym("r-2"));
        assert_ne!(a.pseudonym("r-1"), b.pseudonym("r-1"));
        assert!(!a.pseudonym("r-1").contains("r-1"));
    }
}
