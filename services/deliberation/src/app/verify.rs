//! The invariants of deliberation, recounted from the rows.

use std::collections::HashMap;

use linli_access::Within;
use linli_kit::{Ctx, Error, ErrorCode, Result, check};
use linli_proto::common::{InvariantCheck, VerifyInvariantsRequest, VerifyInvariantsResponse};
use linli_proto::deliberation as pb;
use prost::Message as _;
use uuid::Uuid;

use super::{App, archives, convert, process_of};
use crate::domain::Tally;
use crate::ids::{self, ARCHIVES, ArchiveId};
use crate::store::entity::{topic, topic_stage};
use crate::store::verify::{self, BallotCount};

/// Violations named per invariant at most.
const MAX_NAMED: usize = 100;

/// One invariant while it is counted.
struct Count {
    invariant: &'static str,
    title: &'static str,
    checked: i64,
    violations: Vec<String>,
}

impl Count {
    fn new(invariant: &'static str, title: &'static str) -> Self {
        Self { invariant, title, checked: 0, violations: Vec::new() }
    }

    fn broken(&mut self, what: String) {
        if self.violations.len() < MAX_NAMED {
            self.violations.push(what);
        }
    }
}

impl App {
    /// Recounts the invariants in the areas that the caller may audit.
    pub(crate) async fn verify(&self, ctx: &Ctx, request: VerifyInvariantsRequest) -> Result<VerifyInvariantsResponse> {
        let parent = check::list_parent(&request.parent)?;
        let scope = self.access.scope(ctx, parent.as_ref())?;
        let whole = scope.areas.into_iter().filter(|(_, within)| *within == Within::All);
        let areas: Vec<String> = whole.map(|(area, _)| area).collect();
        if areas.is_empty() {
            return Err(Error::new(ErrorCode::PermissionDenied, "PERMISSION_DENIED")
                .with("permission", &ctx.method.permission)
                .with("resource", &request.parent));
        }
        let mut electors = Count::new("deliberation.one-ballot-per-elector", "INVARIANT_ONE_BALLOT_PER_ELECTOR");
        let mut tally = Count::new("deliberation.tally", "INVARIANT_TALLY");
        let mut rules = Count::new("deliberation.ballot-rules", "INVARIANT_BALLOT_RULES");
        let mut stages = Count::new("deliberation.stages", "INVARIANT_STAGES");
        let mut filed = Count::new("deliberation.archives", "INVARIANT_ARCHIVES");
        for area in &areas {
            self.verify_ballots(area, (&mut electors, &mut tally, &mut rules)).await?;
            self.verify_stages(area, &mut stages).await?;
            self.verify_archives(area, &mut filed).await?;
        }
        let shown = [electors, tally, rules, stages, filed].map(|count| InvariantCheck {
            invariant: count.invariant.to_owned(),
            title: self.parts.kit.texts.render(ctx.lang, count.title, &[]),
            checked: count.checked,
            violations: count.violations,
        });
        Ok(VerifyInvariantsResponse { checks: shown.into() })
    }

    async fn verify_ballots(
        &self,
        area: &str,
        (electors, tally, rules): (&mut Count, &mut Count, &mut Count),
    ) -> Result<()> {
        let mut after = Uuid::nil();
        loop {
            let rows = verify::ballots(self.reader(), area, after).await?;
            for row in &rows {
                let name = ids::ballot(area, row.id);
                electors.checked += 1;
                one_vote_each(row).into_iter().for_each(|what| electors.broken(format!("{name}: {what}")));
                rules.checked += 1;
                loosened(row)?.into_iter().for_each(|what| rules.broken(format!("{name}: {what}")));
                if row.state == i32::from(pb::BallotState::Closed) {
                    tally.checked += 1;
                    recount(row)?.into_iter().for_each(|what| tally.broken(format!("{name}: {what}")));
                }
            }
            match rows.last() {
                Some(last) if !verify::is_last(rows.len()) => after = last.id,
                Some(_) | None => return Ok(()),
            }
        }
    }

    async fn verify_stages(&self, area: &str, count: &mut Count) -> Result<()> {
        let mut after = Uuid::nil();
        loop {
            let rows = verify::topics(self.reader(), area, after).await?;
            let ids: Vec<Uuid> = rows.iter().map(|row| row.id).collect();
            let mut paths: HashMap<Uuid, Vec<topic_stage::Model>> = HashMap::new();
            for entry in verify::entries(self.reader(), area, &ids).await? {
                paths.entry(entry.topic).or_default().push(entry);
            }
            for row in &rows {
                count.checked += 1;
                if let Some(what) = gap(row, paths.get(&row.id).map(Vec::as_slice).unwrap_or_default())? {
                    count.broken(format!("{}: {what}", ids::topic(area, row.id)));
                }
            }
            match rows.last() {
                Some(last) if !verify::is_last(rows.len()) => after = last.id,
                Some(_) | None => return Ok(()),
            }
        }
    }

    async fn verify_archives(&self, area: &str, count: &mut Count) -> Result<()> {
        for topic in verify::unfiled(self.reader(), area, pb::TopicState::Archived.into()).await? {
            count.broken(format!("{}: its state and its archive disagree", ids::topic(area, topic)));
        }
        let mut after = Uuid::nil();
        loop {
            let rows = verify::archives(self.reader(), area, after).await?;
            for row in &rows {
                count.checked += 1;
                let name = ids::recorded::<ArchiveId>(area, ARCHIVES, row.id);
                match self.open_document(row) {
                    Ok(document) if archives::digest(&document) == row.digest => {}
                    Ok(_) => count.broken(format!("{name}: the digest is another document's")),
                    Err(_) => count.broken(format!("{name}: the document does not open")),
                }
            }
            match rows.last() {
                Some(last) if !verify::is_last(rows.len()) => after = last.id,
                Some(_) | None => return Ok(()),
            }
        }
    }
}

/// What is wrong between the roll of a ballot and its votes.
fn one_vote_each(row: &BallotCount) -> Vec<String> {
    let mut wrong = Vec::new();
    if row.roll != i64::from(row.electors) {
        wrong.push(format!("{} electors stated, {} on the roll", row.electors, row.roll));
    }
    let (votes, elsewhere) = match pb::BallotState::try_from(row.state) {
        Ok(pb::BallotState::Open) => (row.pending, row.published),
        Ok(pb::BallotState::Void) => (row.voted, row.pending + row.published),
        Ok(pb::BallotState::Closed | pb::BallotState::Unspecified) | Err(_) => (row.published, row.pending),
    };
    if votes != row.voted {
        wrong.push(format!("{} electors voted, there are {votes} votes", row.voted));
    }
    if elsewhere != 0 {
        wrong.push(format!("{elsewhere} votes lie where none should"));
    }
    wrong
}

/// What is wrong between the frozen rule of a ballot and the rule of its stage.
fn loosened(row: &BallotCount) -> Result<Option<String>> {
    let Some(process) = row.process.as_deref() else { return Ok(Some("its topic is gone".to_owned())) };
    let (_, process) = convert::stored_process(process)?;
    let (_, rule) = convert::stored_rule(&row.rule)?;
    let lawful = process.stages.iter().find(|stage| stage.id == row.stage).and_then(|stage| stage.ballot());
    Ok(match lawful {
        Some(lawful) if rule.at_least(&lawful) => None,
        Some(_) => Some("it is easier to pass than its stage allows".to_owned()),
        None => Some(format!("its stage {} has no ballot", row.stage)),
    })
}

/// What is wrong between a published result and the recount of the published votes under the frozen rule.
fn recount(row: &BallotCount) -> Result<Option<String>> {
    let Some(bytes) = row.result.as_deref() else { return Ok(Some("closed without a result".to_owned())) };
    let published = pb::BallotResult::decode(bytes).map_err(Error::internal)?;
    let whole = |n: i64| u32::try_from(n).unwrap_or(u32::MAX);
    let tally = Tally { yes: whole(row.yes), no: whole(row.no), abstain: whole(row.abstain) };
    let (_, rule) = convert::stored_rule(&row.rule)?;
    let counted = convert::result_message(rule.outcome(u32::try_from(row.electors).unwrap_or(0), tally));
    let brief = |r: &pb::BallotResult| format!("{}/{}/{} passed={}", r.yes, r.no, r.abstain, r.passed);
    Ok((counted != published).then(|| format!("published {}, counted {}", brief(&published), brief(&counted))))
}

/// What is wrong with a topic's way through its stages.
fn gap(row: &topic::Model, path: &[topic_stage::Model]) -> Result<Option<String>> {
    let (_, process) = process_of(row)?;
    let wanted = usize::try_from(row.ordinal).unwrap_or(0) + 1;
    if path.len() != wanted {
        return Ok(Some(format!("at stage {wanted}, entered {}", path.len())));
    }
    for (i, entry) in path.iter().enumerate() {
        let stage = process.stage(i).map_or("", |stage| stage.id.as_str());
        if usize::try_from(entry.ordinal) != Ok(i) || entry.stage != stage {
            return Ok(Some(format!("stage {} is {}, the process says {stage}", i + 1, entry.stage)));
        }
        if i > 0 && entry.entered_us < path[i - 1].entered_us {
            return Ok(Some(format!("entered {} before the stage before it", entry.stage)));
        }
    }
    let last = path.last().filter(|last| last.stage == row.stage && last.entered_us == row.stage_us);
    if last.is_none() {
        return Ok(Some(format!("its stage {} is not the last one entered", row.stage)));
    }
    let finished = row.state == i32::from(pb::TopicState::Archived);
    Ok((finished && wanted != process.stages.len()).then(|| "archived before its last stage".to_owned()))
}
