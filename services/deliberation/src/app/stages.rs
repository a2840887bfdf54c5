//! Moving topics on: to the next stage, into the archive, or to an early end with an answer.

use linli_kernel::Id as _;
use linli_kit::check::{self, Violations};
use linli_kit::ids::new_v7;
use linli_kit::store::Tx;
use linli_kit::{Ctx, Error, ErrorCode, Result};
use linli_proto::deliberation as pb;
use sea_orm::ConnectionTrait;

use super::archives::plain;
use super::records::write_record;
use super::topics::check_open;
use super::{App, ballot_changed, conditions, process_of, tell};
use crate::domain::Step;
use crate::ids::{self, ArchiveId};
use crate::store::entity::{ballot, topic};
use crate::store::{ballots, dialect, topics};

impl App {
    /// Moves a topic to its next stage, or from the last one into the archive.
    pub(crate) async fn advance_topic(&self, ctx: &Ctx, mut request: pb::AdvanceTopicRequest) -> Result<pb::Topic> {
        let (area, topic, permit, target) = self.topic_for(ctx, "name", &request.name).await?;
        let request_id = std::mem::take(&mut request.request_id);
        let hash = self.hash(ctx, &request);
        let (roles, archive) = (self.held_roles(ctx, &permit, &target), new_v7::<ArchiveId>(ctx.now()).uuid());
        let (slug, id, roles, request) = (area.as_str(), topic.id, &roles, &request);
        let done = self.parts.store.write_once(ctx, slug, &request_id, hash, "topic.advance", |tx| {
            Box::pin(async move {
                let row = topics::touch(tx, slug, id, ctx.now().micros()).await?;
                let mut row = row.ok_or_else(|| Error::not_found(&request.name))?;
                // The touch has raised the revision by one.
                check::check_etag(&request.etag, row.revision - 1, &request.name)?;
                check_open(&row)?;
                match self.checked_step(ctx, tx.conn(), &row, roles).await? {
                    Step::To(ordinal) => enter(ctx, tx, &mut row, ordinal).await?,
                    Step::Archive => {
                        row.state = pb::TopicState::Archived.into();
                        topics::move_to(tx, &row, false).await?;
                        self.file(ctx, tx, &row, archive).await?;
                    }
                }
                tell(ctx, tx, &row);
                Ok((ids::topic(slug, id), id))
            })
        });
        done.await?;
        self.topic_again(ctx, &area, id).await
    }

    /// Where an open topic goes next, when the caller may move it and every condition of its stage holds.
    async fn checked_step<C: ConnectionTrait>(
        &self,
        ctx: &Ctx,
        conn: &C,
        row: &topic::Model,
        roles: &[String],
    ) -> Result<Step> {
        let (_, process) = process_of(row)?;
        let ordinal = usize::try_from(row.ordinal).unwrap_or(usize::MAX);
        let stage = process.stage(ordinal).ok_or_else(|| Error::internal("a topic is at no stage of its process"))?;
        if !stage.advances(roles) {
            return Err(Error::new(ErrorCode::PermissionDenied, "STAGE_ROLE_REQUIRED")
                .with("stage", &stage.id)
                .with("roles", stage.advanced_by.join(", ")));
        }
        let facts = conditions::facts(conn, std::slice::from_ref(row)).await?;
        let facts = facts.get(&row.id).ok_or_else(|| Error::internal("a topic has no facts"))?;
        let unmet = conditions::unmet(stage, facts, ctx.now());
        if !unmet.is_empty() {
            return Err(Error::new(ErrorCode::FailedPrecondition, "CONDITIONS_NOT_MET")
                .with("stage", &stage.id)
                .with("count", unmet.len())
                .with_fields(unmet));
        }
        Ok(process.after(ordinal))
    }

    /// Closes a topic before its end; the answer becomes a record of its stage, an open ballot is void.
    pub(crate) async fn close_topic(&self, ctx: &Ctx, mut request: pb::CloseTopicRequest) -> Result<pb::Topic> {
        let (area, topic, permit, target) = self.topic_for(ctx, "name", &request.name).await?;
        let request_id = std::mem::take(&mut request.request_id);
        let hash = self.hash(ctx, &request);
        let mut bad = Violations::new();
        bad.text("answer", &request.answer, 2000);
        plain(&mut bad, "answer", &request.answer);
        bad.finish()?;
        let answer = pb::StageRecord {
            kind: "answer".to_owned(),
            text: request.answer.clone(),
            role: self.only_post(ctx, &target),
            ..Default::default()
        };
        let answer = self.new_record(ctx, &topic, &answer, permit.subject());
        let (slug, id, answer) = (area.as_str(), topic.id, &answer);
        let done = self.parts.store.write_once(ctx, slug, &request_id, hash, "topic.close", |tx| {
            Box::pin(async move {
                let row = topics::touch(tx, slug, id, ctx.now().micros()).await?;
                let mut row = row.ok_or_else(|| Error::not_found(ids::topic(slug, id)))?;
                check_open(&row)?;
                void_ballots(ctx, tx, &row).await?;
                // A closed topic has no archive for which its file could be too large: it can always be answered.
                write_record(tx, &mut row, answer).await?;
                row.state = pb::TopicState::Closed.into();
                topics::move_to(tx, &row, false).await?;
                tell(ctx, tx, &row);
                Ok((ids::topic(slug, id), id))
            })
        });
        done.await?;
        self.topic_again(ctx, &area, id).await
    }
}

async fn enter(ctx: &Ctx, tx: &Tx<'_>, row: &mut topic::Model, ordinal: usize) -> Result<()> {
    let (_, process) = process_of(row)?;
    let stage = process.stage(ordinal).ok_or_else(|| Error::internal("a process ends before its next stage"))?;
    row.ordinal = i32::try_from(ordinal).map_err(Error::internal)?;
    row.stage.clone_from(&stage.id);
    row.stage_us = ctx.now().micros();
    topics::move_to(tx, row, true).await
}

/// Ends the ballots about a topic that are open: there is nothing left to vote about. Their votes go away unread.
async fn void_ballots(ctx: &Ctx, tx: &Tx<'_>, row: &topic::Model) -> Result<()> {
    let open = i32::from(pb::BallotState::Open);
    for found in ballots::of_topics(tx.conn(), &row.area, &[row.id]).await? {
        let held = dialect::ballot_for_close(tx, &found.area, found.id).await?;
        let state: Option<i32> = held.map(|held| held.try_get("", "state")).transpose()?;
        if state == Some(open) {
            let state = i32::from(pb::BallotState::Void);
            ballots::end(tx, &found.area, found.id, Vec::new(), (state, None)).await?;
            tx.emit(ballot_changed(ctx, &ballot::Model { state, ..found }, None));
        }
    }
    Ok(())
}
