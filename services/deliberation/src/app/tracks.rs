//! By which process a topic is decided: the one that was named, or the one that rules choose.

use linli_kernel::{AreaId, Name};
use linli_kit::check::Violations;
use linli_kit::store::Tx;
use linli_kit::{Ctx, Error, ErrorCode, FieldViolation, Result};
use linli_proto::common::Reason;
use linli_proto::deliberation as pb;
use linli_proto::rules::TrackFacts;
use uuid::Uuid;

use super::rules::Said;
use super::{App, convert};
use crate::ids::TEMPLATES;

/// Processes among which rules choose, at most.
const MAX_TRACKS: usize = 64;

/// The process of a new topic.
pub(super) struct Track {
    /// The template.
    pub(super) template: pb::ProcessTemplate,
    /// How rules chose it; `None` when it was named.
    pub(super) chosen: Option<Chosen>,
}

/// How rules chose a process.
pub(super) struct Chosen {
    /// Why.
    pub(super) reason: Reason,
    /// What was asked and said.
    pub(super) said: Said,
    /// Revision of the template that was chosen.
    revision: i64,
}

impl App {
    /// The process that a new topic names; without a name, the one that rules choose. Bad fields stand in `bad`, which is
    /// empty when rules are asked.
    pub(super) async fn track(
        &self,
        ctx: &Ctx,
        (area, id): (&AreaId, Uuid),
        asked: &pb::Topic,
        mut bad: Violations,
    ) -> Result<Track> {
        let named = asked.process_template.as_str();
        if named.is_empty() {
            bad.finish()?;
            let track = self.chosen(ctx, (area, id), asked).await?;
            needs_unit(asked, &track.template)?;
            return Ok(track);
        }
        let template = match Name::parse(named, TEMPLATES) {
            Ok(name) => self.resolve_template(area, &name).await?,
            Err(_) => None,
        };
        match &template {
            None => {
                bad.push(FieldViolation::new("topic.process_template", "REFERENCE_NOT_FOUND").arg("value", named));
            }
            Some(found) => bad.ensure(has_unit(asked, found), "topic.unit", "UNIT_NEEDED_FOR_BALLOT"),
        }
        bad.finish()?;
        Ok(Track { template: template.ok_or_else(|| Error::not_found(named))?, chosen: None })
    }

    /// The process that rules choose among those of the area and above it, each id once, nearest first.
    async fn chosen(&self, ctx: &Ctx, (area, id): (&AreaId, Uuid), asked: &pb::Topic) -> Result<Track> {
        let mut offered: Vec<linli_kit::catalogue::Entry<pb::ProcessTemplate>> = Vec::new();
        for above in self.access.snapshot().ancestors(area.as_str()) {
            for entry in self.templates.all(self.reader(), &above).await? {
                if !offered.iter().any(|nearer| nearer.id == entry.id) {
                    offered.push(entry);
                }
            }
        }
        offered.sort_by(|a, b| a.id.cmp(&b.id));
        let tracks: Vec<String> = offered.iter().map(|entry| entry.id.clone()).collect();
        if tracks.is_empty() || tracks.len() > MAX_TRACKS {
            return Err(undecided(area, &tracks));
        }
        let facts = TrackFacts {
            kind: asked.kind.clone(),
            source: asked.source.clone(),
            affected_households: asked.affected_households,
            cost_fen: asked.cost_fen,
            tags: asked.tags.clone(),
            tracks: tracks.clone(),
        };
        let Some((track, reason, said)) = self.ask_track(ctx, (area, id), facts).await? else {
            return Err(undecided(area, &tracks));
        };
        let entry = offered.into_iter().find(|entry| entry.id == track);
        let entry = entry.ok_or_else(|| Error::internal("rules chose a process that was not offered"))?;
        Ok(Track { template: entry.resource, chosen: Some(Chosen { reason, said, revision: entry.revision }) })
    }

    /// Makes sure, inside the transaction, that a template is still what rules chose.
    pub(super) async fn fence(&self, tx: &Tx<'_>, track: &Track) -> Result<()> {
        let Some(chosen) = &track.chosen else { return Ok(()) };
        let name = Name::parse(&track.template.name, TEMPLATES).map_err(Error::internal)?;
        let now = self.templates.find_for_update(tx, name.area().as_str(), name.id()).await?;
        if now.is_some_and(|entry| entry.revision == chosen.revision) {
            return Ok(());
        }
        Err(Error::new(ErrorCode::Aborted, "CONFLICT").retry_after(std::time::Duration::from_millis(100)))
    }
}

/// Whether a topic has the unit that its process needs.
fn has_unit(asked: &pb::Topic, template: &pb::ProcessTemplate) -> bool {
    !asked.unit.is_empty() || !convert::process(template, &mut Violations::new()).has_ballot()
}

fn needs_unit(asked: &pb::Topic, template: &pb::ProcessTemplate) -> Result<()> {
    let mut bad = Violations::new();
    bad.ensure(has_unit(asked, template), "topic.unit", "UNIT_NEEDED_FOR_BALLOT");
    bad.finish()
}

/// The error when nobody says by which process a topic is decided.
fn undecided(area: &AreaId, tracks: &[String]) -> Error {
    let listed = tracks.iter().take(MAX_TRACKS).map(String::as_str).collect::<Vec<_>>().join(", ");
    let violation = FieldViolation::new("topic.process_template", "PROCESS_UNDECIDED");
    Error::field(violation.arg("area", area.name()).arg("templates", if listed.is_empty() { "-" } else { &listed }))
}
