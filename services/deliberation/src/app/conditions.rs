//! What is known about topics at their stages, and their conditions in words.

use std::collections::HashMap;

use linli_kernel::Timestamp;
use linli_kit::{Ctx, FieldViolation, Result};
use linli_proto::deliberation as pb;
use prost::Message as _;
use sea_orm::ConnectionTrait;
use uuid::Uuid;

use super::{App, convert};
use crate::domain::{Condition, RecordFact, Stage, StageFacts};
use crate::store::entity::topic;
use crate::store::topics::RecordHead;
use crate::store::{ballots, topics};

/// Gathers what is known about some topics of one area.
pub(super) async fn facts<C: ConnectionTrait>(conn: &C, rows: &[topic::Model]) -> Result<HashMap<Uuid, StageFacts>> {
    let Some(area) = rows.first().map(|row| row.area.clone()) else { return Ok(HashMap::new()) };
    let ids: Vec<Uuid> = rows.iter().map(|row| row.id).collect();
    let mut records: HashMap<Uuid, Vec<RecordHead>> = HashMap::new();
    for head in topics::heads(conn, &area, &ids).await? {
        records.entry(head.topic).or_default().push(head);
    }
    let ballots = ballots::of_topics(conn, &area, &ids).await?;
    let found = rows.iter().map(|row| {
        let heads = records.remove(&row.id).unwrap_or_default();
        let passed = ballots.iter().any(|b| b.topic == row.id && b.stage == row.stage && passed(b.result.as_deref()));
        let facts = StageFacts {
            supports: row.supports,
            entered: Timestamp::from_micros(row.stage_us),
            records: heads.into_iter().filter(|head| head.stage == row.stage).map(fact).collect(),
            ballot_passed: passed,
        };
        (row.id, facts)
    });
    Ok(found.collect())
}

/// Whether a stored result says that its ballot passed.
pub(super) fn passed(result: Option<&[u8]>) -> bool {
    result.and_then(|bytes| pb::BallotResult::decode(bytes).ok()).is_some_and(|result| result.passed)
}

fn fact(head: RecordHead) -> RecordFact {
    RecordFact {
        kind: head.kind,
        outcome: convert::approval(head.outcome),
        role: head.role,
        at: Timestamp::from_micros(head.create_us),
    }
}

/// Reason and arguments under which a condition is put into words.
pub(super) fn words(condition: &Condition) -> (&'static str, Vec<(&'static str, String)>) {
    match condition {
        Condition::MinSupports(least) => ("CONDITION_MIN_SUPPORTS", vec![("least", least.to_string())]),
        Condition::Record(kind) => ("CONDITION_RECORD_KIND", vec![("kind", kind.clone())]),
        Condition::PublishedHours(hours) => ("CONDITION_PUBLISHED_HOURS", vec![("hours", hours.to_string())]),
        Condition::BallotPassed(_) => ("CONDITION_BALLOT_PASSED", Vec::new()),
        Condition::StageHours(hours) => ("CONDITION_STAGE_HOURS", vec![("hours", hours.to_string())]),
        Condition::ApprovedByRole(role) => ("CONDITION_APPROVED_BY_ROLE", vec![("role", role.clone())]),
    }
}

/// The conditions of a stage that do not hold now, each as an entry of CONDITIONS_NOT_MET.
pub(super) fn unmet(stage: &Stage, facts: &StageFacts, now: Timestamp) -> Vec<FieldViolation> {
    let statuses = facts.statuses(stage, now).into_iter().enumerate();
    let open = statuses.filter(|(_, (_, met))| !met);
    open.map(|(i, (condition, _))| {
        let (reason, args) = words(condition);
        let mut violation = FieldViolation::new(format!("conditions[{i}]"), reason);
        violation.args = args;
        violation
    })
    .collect()
}

impl App {
    /// The conditions of a topic's present stage as the contract shows them; none when the topic is at its end.
    pub(super) fn condition_statuses(
        &self,
        ctx: &Ctx,
        row: &topic::Model,
        facts: Option<&StageFacts>,
    ) -> Result<Vec<pb::ConditionStatus>> {
        let Some(facts) = facts.filter(|_| row.state == i32::from(pb::TopicState::Open)) else { return Ok(Vec::new()) };
        let (template, process) = super::process_of(row)?;
        let ordinal = usize::try_from(row.ordinal).unwrap_or(usize::MAX);
        let (Some(stage), Some(message)) = (process.stage(ordinal), template.stages.get(ordinal)) else {
            return Ok(Vec::new());
        };
        let statuses = facts.statuses(stage, ctx.now()).into_iter().zip(&message.conditions);
        let shown = statuses.map(|((condition, met), message)| {
            let (reason, args) = words(condition);
            let message_text = self.parts.kit.texts.render(ctx.lang, reason, &args);
            pb::ConditionStatus { condition: Some(message.clone()), met, message: message_text }
        });
        Ok(shown.collect())
    }
}
