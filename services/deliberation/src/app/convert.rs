//! Between messages of the contract and the domain.

use linli_kernel::Timestamp;
use linli_kit::check::Violations;
use linli_kit::{Error, FieldViolation, Result};
use linli_proto::common::Reason;
use linli_proto::deliberation as pb;
use linli_proto::rules;
use prost::Message;

use crate::domain::{
    ADULT_AGE, Approval, Basis, Choice, Condition, MAX_PARTS, Outcome, Process, Rule, Share, Stage, Tally, Thresholds,
    meetings,
};

/// Stages of a process at most.
const MAX_STAGES: usize = 20;
/// Conditions of a stage at most.
const MAX_CONDITIONS: usize = 20;
/// Roles that may advance a stage at most.
const MAX_ROLES: usize = 50;
/// Hours of a condition at most: ten years.
const MAX_HOURS: i64 = 87_600;
/// Characters of a recurrence at most.
const MAX_RRULE: usize = 500;
/// Hours that a rule may keep a ballot open: as long as one may be open at all.
const MAX_OPEN_HOURS: i64 = super::ballots::MAX_OPEN_DAYS * 24;
/// Characters of a name that people read.
const MAX_DISPLAY: usize = 200;

/// Reads the process out of a template; bad fields are added to `bad`.
///
/// Absent fields and unknown enum values are not: the catalogue finds those by what the contract says about fields.
pub(super) fn process(template: &pb::ProcessTemplate, bad: &mut Violations) -> Process {
    text("display_name", template.display_name.as_ref(), bad);
    bad.max_chars("source", &template.source, 1000);
    bad.max_items("stages", template.stages.len(), MAX_STAGES);
    let stages = template.stages.iter().enumerate();
    let stages: Vec<Stage> = stages.map(|(i, s)| stage(s, &format!("stages[{i}]"), bad)).collect();
    for (i, stage) in stages.iter().enumerate() {
        if !stage.id.is_empty() && stages[..i].iter().any(|earlier| earlier.id == stage.id) {
            bad.push(FieldViolation::new(format!("stages[{i}].id"), "FIELD_DUPLICATE").arg("value", &stage.id));
        }
    }
    let confidential = template.visibility == i32::from(pb::Visibility::Confidential);
    if confidential {
        for (i, _) in stages.iter().enumerate().filter(|(_, stage)| stage.advanced_by.is_empty()) {
            bad.bad(format!("stages[{i}].advanced_by"), "CONFIDENTIAL_NEEDS_ROLES");
        }
        bad.ensure(stages.iter().all(|stage| stage.ballot().is_none()), "visibility", "CONFIDENTIAL_HAS_NO_BALLOT");
    }
    Process { stages, confidential }
}

/// Checks the recurrence of a template's meetings.
pub(super) fn meetings(template: &pb::ProcessTemplate, now: Timestamp, bad: &mut Violations) {
    let rrule = template.meeting_rrule.as_str();
    bad.max_chars("meeting_rrule", rrule, MAX_RRULE);
    if let Err(problem) = if rrule.is_empty() { Ok(()) } else { meetings::check(rrule, now) } {
        bad.push(FieldViolation::new("meeting_rrule", "MEETINGS_UNCLEAR").arg("problem", problem));
    }
}

/// A text that is there must say something.
fn text(at: &str, text: Option<&linli_proto::common::Text>, bad: &mut Violations) {
    if text.is_some() {
        bad.both(at, text, MAX_DISPLAY);
    }
}

/// A code that is there must be one.
fn code(at: &str, code: &str, bad: &mut Violations) {
    if !code.is_empty() {
        bad.code(at, code);
    }
}

fn stage(stage: &pb::Stage, at: &str, bad: &mut Violations) -> Stage {
    code(&format!("{at}.id"), &stage.id, bad);
    text(&format!("{at}.display_name"), stage.display_name.as_ref(), bad);
    bad.max_items(format_args!("{at}.conditions"), stage.conditions.len(), MAX_CONDITIONS);
    bad.max_items(format_args!("{at}.advanced_by"), stage.advanced_by.len(), MAX_ROLES);
    for (i, role) in stage.advanced_by.iter().enumerate() {
        bad.code(format_args!("{at}.advanced_by[{i}]"), role);
    }
    let found = stage.conditions.iter().enumerate();
    let found = found.filter_map(|(i, c)| condition(c, &format!("{at}.conditions[{i}]"), bad));
    let conditions: Vec<Condition> = found.collect();
    if conditions.iter().filter(|c| matches!(c, Condition::BallotPassed(_))).count() > 1 {
        bad.bad(format!("{at}.conditions"), "ONE_BALLOT_PER_STAGE");
    }
    Stage { id: stage.id.clone(), conditions, advanced_by: stage.advanced_by.clone() }
}

fn condition(condition: &pb::Condition, at: &str, bad: &mut Violations) -> Option<Condition> {
    use pb::condition::Condition as Kind;
    Some(match &condition.condition {
        None => {
            bad.bad(at, "FIELD_REQUIRED");
            return None;
        }
        Some(Kind::MinSupports(least)) => {
            bad.range(format_args!("{at}.min_supports"), i64::from(*least), 1, 1_000_000);
            Condition::MinSupports(*least)
        }
        Some(Kind::RecordKind(kind)) => {
            bad.code(format_args!("{at}.record_kind"), kind);
            Condition::Record(kind.clone())
        }
        Some(Kind::PublishedHours(hours)) => {
            bad.range(format_args!("{at}.published_hours"), i64::from(*hours), 0, MAX_HOURS);
            Condition::PublishedHours(*hours)
        }
        Some(Kind::StageHours(hours)) => {
            bad.range(format_args!("{at}.stage_hours"), i64::from(*hours), 0, MAX_HOURS);
            Condition::StageHours(*hours)
        }
        Some(Kind::ApprovedByRole(role)) => {
            bad.code(format_args!("{at}.approved_by_role"), role);
            Condition::ApprovedByRole(role.clone())
        }
        Some(Kind::BallotPassed(found)) => Condition::BallotPassed(rule(found, &format!("{at}.ballot_passed"), bad)?),
    })
}

/// Reads a rule; `None` when it states no basis.
fn rule(rule: &pb::BallotRule, at: &str, bad: &mut Violations) -> Option<Rule> {
    let quorum = share(rule.quorum.as_ref(), &format!("{at}.quorum"), bad);
    let pass = share(rule.pass.as_ref(), &format!("{at}.pass"), bad);
    bad.range(format_args!("{at}.open_hours"), rule.open_hours.into(), 0, MAX_OPEN_HOURS);
    bad.range(format_args!("{at}.min_age"), rule.min_age.into(), 0, 120);
    let basis = match pb::ElectorateBasis::try_from(rule.basis) {
        Ok(pb::ElectorateBasis::Person) => Basis::Person,
        Ok(pb::ElectorateBasis::Household) => Basis::Household,
        Ok(pb::ElectorateBasis::Unspecified) | Err(_) => return None,
    };
    let whole = |n: i32| u32::try_from(n).unwrap_or(0);
    Some(Rule {
        basis,
        quorum,
        pass,
        open_hours: whole(rule.open_hours),
        min_age: if rule.min_age == 0 { ADULT_AGE } else { whole(rule.min_age) },
    })
}

/// Reads a share; none is needed where none is stated.
fn share(share: Option<&pb::Share>, at: &str, bad: &mut Violations) -> Share {
    let Some(&pb::Share { numerator, denominator, exclusive }) = share else { return Share::NONE };
    bad.range(format_args!("{at}.denominator"), denominator.into(), 1, MAX_PARTS.into());
    // A share of everybody cannot be exceeded.
    let most = i64::from(denominator) - i64::from(exclusive);
    bad.range(format_args!("{at}.numerator"), numerator.into(), 0, most.max(0));
    let part = |n: i32| u32::try_from(n).ok();
    part(numerator).zip(part(denominator)).and_then(|(n, of)| Share::new(n, of, exclusive)).unwrap_or(Share::NONE)
}

/// A share as a message; absent when nothing is needed.
fn share_message(share: Share) -> Option<pb::Share> {
    let (numerator, denominator, exclusive) = share.parts();
    let whole = |n: u32| i32::try_from(n).unwrap_or(i32::MAX);
    let message = pb::Share { numerator: whole(numerator), denominator: whole(denominator), exclusive };
    (share != Share::NONE).then_some(message)
}

/// The template and process that were frozen in a topic.
pub(super) fn stored_process(bytes: &[u8]) -> Result<(pb::ProcessTemplate, Process)> {
    let template = pb::ProcessTemplate::decode(bytes).map_err(Error::internal)?;
    let process = process(&template, &mut Violations::new());
    Ok((template, process))
}

/// The rule that was frozen in a ballot.
pub(super) fn stored_rule(bytes: &[u8]) -> Result<(pb::BallotRule, Rule)> {
    let message = pb::BallotRule::decode(bytes).map_err(Error::internal)?;
    let rule = rule(&message, "rule", &mut Violations::new());
    rule.map(|rule| (message, rule)).ok_or_else(|| Error::internal("a stored ballot rule has no basis"))
}

/// A rule as a message.
pub(super) fn rule_message(rule: Rule) -> pb::BallotRule {
    let whole = |n: u32| i32::try_from(n).unwrap_or(i32::MAX);
    pb::BallotRule {
        basis: match rule.basis {
            Basis::Person => pb::ElectorateBasis::Person,
            Basis::Household => pb::ElectorateBasis::Household,
        }
        .into(),
        quorum: share_message(rule.quorum),
        pass: share_message(rule.pass),
        open_hours: whole(rule.open_hours),
        min_age: whole(rule.min_age),
    }
}

/// What a rule asks for, as rules see it.
pub(super) fn thresholds_message(rule: &Rule) -> rules::Thresholds {
    let ratio = |share: Share| {
        share_message(share).map(|pb::Share { numerator, denominator, exclusive }| rules::Ratio {
            numerator,
            denominator,
            exclusive,
        })
    };
    let open_hours = i32::try_from(rule.open_hours).unwrap_or(i32::MAX);
    rules::Thresholds { quorum: ratio(rule.quorum), pass: ratio(rule.pass), open_hours }
}

/// Reads thresholds that rules answered; `None` when no ballot could have them.
pub(super) fn thresholds(answer: &rules::Thresholds) -> Option<Thresholds> {
    let share = |ratio: Option<&rules::Ratio>| {
        let Some(ratio) = ratio else { return Some(Share::NONE) };
        let part = |n: i32| u32::try_from(n).ok();
        Share::new(part(ratio.numerator)?, part(ratio.denominator)?, ratio.exclusive)
    };
    let open_hours = u32::try_from(answer.open_hours).ok().filter(|hours| i64::from(*hours) <= MAX_OPEN_HOURS)?;
    Some(Thresholds { quorum: share(answer.quorum.as_ref())?, pass: share(answer.pass.as_ref())?, open_hours })
}

/// Stored tags.
pub(super) fn tags(stored: &str) -> Vec<String> {
    stored.split(',').filter(|tag| !tag.is_empty()).map(str::to_owned).collect()
}

/// Reasons as they are stored: one after the other, each with its length.
pub(super) fn stored_reasons(reasons: &[Reason]) -> Vec<u8> {
    reasons.iter().flat_map(Message::encode_length_delimited_to_vec).collect()
}

/// Reads stored reasons.
pub(super) fn reasons(mut stored: &[u8]) -> Result<Vec<Reason>> {
    let mut reasons = Vec::new();
    while !stored.is_empty() {
        reasons.push(Reason::decode_length_delimited(&mut stored).map_err(Error::internal)?);
    }
    Ok(reasons)
}

/// An outcome as a message.
pub(super) fn result_message(outcome: Outcome) -> pb::BallotResult {
    let whole = |n: u32| i32::try_from(n).unwrap_or(i32::MAX);
    let Tally { yes, no, abstain } = outcome.tally;
    pb::BallotResult {
        participants: whole(outcome.tally.participants()),
        yes: whole(yes),
        no: whole(no),
        abstain: whole(abstain),
        quorum_needed: whole(outcome.quorum_needed),
        yes_needed: whole(outcome.yes_needed),
        quorum_met: outcome.quorum_met,
        passed: outcome.passed,
    }
}

/// What a stored record decided.
pub(super) fn approval(outcome: i32) -> Approval {
    match pb::Outcome::try_from(outcome) {
        Ok(pb::Outcome::Approved) => Approval::Approved,
        Ok(pb::Outcome::Rejected) => Approval::Rejected,
        Ok(pb::Outcome::Unspecified) | Err(_) => Approval::None,
    }
}

/// A choice by its number; `None` when it is none.
pub(super) fn choice(number: i32) -> Option<Choice> {
    match pb::Choice::try_from(number) {
        Ok(pb::Choice::Yes) => Some(Choice::Yes),
        Ok(pb::Choice::No) => Some(Choice::No),
        Ok(pb::Choice::Abstain) => Some(Choice::Abstain),
        Ok(pb::Choice::Unspecified) | Err(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use linli_proto::common::Text;

    use super::*;

    fn named(en: &str) -> Option<Text> {
        Some(Text { zh_cn: String::new(), en: en.into() })
    }

    fn violations(template: &pb::ProcessTemplate) -> Vec<String> {
        let mut bad = Violations::new();
        process(template, &mut bad);
        bad.into_vec().into_iter().map(|v| format!("{} {}", v.field, v.reason)).collect()
    }

    #[test]
    fn all_bad_fields_of_a_template_are_named_at_once() {
        use pb::condition::Condition as Kind;
        let ballot = pb::BallotRule {
            quorum: Some(pb::Share { numerator: 2, denominator: 0, exclusive: false }),
            pass: Some(pb::Share { numerator: 2, denominator: 2, exclusive: true }),
            ..Default::default()
        };
        let condition = |c| pb::Condition { condition: Some(c) };
        let stage = |id: &str| pb::Stage {
            id: id.into(),
            display_name: named("A stage"),
            conditions: vec![condition(Kind::MinSupports(0)), pb::Condition::default()],
            advanced_by: vec!["Not A Code".into()],
        };
        let mut template = pb::ProcessTemplate {
            display_name: named(" "),
            stages: vec![stage("a"), stage("a")],
            ..Default::default()
        };
        template.stages[1].conditions = vec![condition(Kind::BallotPassed(ballot))];
        let found = violations(&template);
        for wanted in [
            "display_name FIELD_REQUIRED",
            "stages[0].conditions[0].min_supports FIELD_OUT_OF_RANGE",
            "stages[0].conditions[1] FIELD_REQUIRED",
            "stages[0].advanced_by[0] NAME_INVALID",
            "stages[1].conditions[0].ballot_passed.quorum.denominator FIELD_OUT_OF_RANGE",
            "stages[1].conditions[0].ballot_passed.pass.numerator FIELD_OUT_OF_RANGE",
            "stages[1].id FIELD_DUPLICATE",
        ] {
            assert!(found.iter().any(|f| f == wanted), "{wanted} is missing in {found:#?}");
        }
    }

    #[test]
    fn a_rule_survives_its_way_through_a_message() {
        let message = pb::BallotRule {
            basis: pb::ElectorateBasis::Household.into(),
            quorum: Some(pb::Share { numerator: 2, denominator: 3, exclusive: false }),
            pass: Some(pb::Share { numerator: 1, denominator: 2, exclusive: true }),
            open_hours: 72,
            min_age: 0,
        };
        let (_, rule) = stored_rule(&message.encode_to_vec()).expect("a rule");
        assert_eq!(rule.min_age, 18, "no age means full civil capacity");
        assert_eq!(rule_message(rule), pb::BallotRule { min_age: 18, ..message });
    }
}
