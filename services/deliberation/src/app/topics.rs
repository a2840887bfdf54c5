//! Raising, reading, listing and supporting topics.

use std::collections::HashMap;

use linli_access::Target;
use linli_kernel::{AreaId, Id as _, Name};
use linli_kit::check::{self, Violations};
use linli_kit::filter::{FilterField, Kind};
use linli_kit::ids::new_v7;
use linli_kit::{Ctx, Error, ErrorCode, FieldViolation, Result};
use linli_proto::deliberation as pb;
use prost::Message as _;
use sea_orm::ColumnTrait as _;
use uuid::Uuid;

use super::archives::{self, plain};
use super::lists::{self, Asked};
use super::receipts::in_language;
use super::tracks::Track;
use super::{App, Place, RUNS_PROCESS, by_post, conditions, convert, privacy, tell};
use crate::domain::StageFacts;
use crate::ids::{self, PEOPLE, TOPICS, TopicId, UNITS};
use crate::store::entity::topic;
use crate::store::list::Columns;
use crate::store::{receipts, topics};

/// Rows of one page at most, and one more.
const LIMIT: u64 = 1001;

/// Households that a topic may touch.
const MAX_HOUSEHOLDS: i64 = 1_000_000;
/// What a topic may cost: ten billion yuan.
const MAX_COST_FEN: i64 = 1_000_000_000_000;
/// Tags of a topic at most.
const MAX_TAGS: usize = 16;

/// Where a topic's title is sealed.
pub(super) fn title<'a>(area: &'a str, id: &'a Uuid) -> Place<'a> {
    Place::new("topic", "title_enc", area, id)
}

/// Where a topic's text is sealed.
pub(super) fn body<'a>(area: &'a str, id: &'a Uuid) -> Place<'a> {
    Place::new("topic", "body_enc", area, id)
}

/// Where it is sealed who raised a topic.
fn raiser<'a>(area: &'a str, id: &'a Uuid) -> Place<'a> {
    Place::new("topic", "raised_by_enc", area, id)
}

/// The error for a topic that takes no more changes.
pub(super) fn closed(name: impl std::fmt::Display) -> Error {
    Error::new(ErrorCode::FailedPrecondition, "TOPIC_CLOSED").with("resource", name)
}

/// Refuses a topic that is at its end.
pub(super) fn check_open(row: &topic::Model) -> Result<()> {
    if row.state == i32::from(pb::TopicState::Open) { Ok(()) } else { Err(closed(ids::topic(&row.area, row.id))) }
}

impl App {
    /// Reads a topic by name and checks the method's permission where it is.
    pub(super) async fn topic_for(
        &self,
        ctx: &Ctx,
        field: &str,
        name: &str,
    ) -> Result<(AreaId, topic::Model, linli_access::Permit, Target)> {
        let (area, id) = check::recorded::<TopicId>(field, name, TOPICS)?;
        let row = self.known_topic(ctx, &area, id.uuid()).await?;
        let (permit, target) = self.authorise(ctx, &area, row.as_ref().map(|row| row.unit.as_str()))?;
        let row = row.ok_or_else(|| Error::not_found(name))?;
        Ok((area, row, permit, target))
    }

    /// Returns one topic.
    pub(crate) async fn get_topic(&self, ctx: &Ctx, request: pb::GetTopicRequest) -> Result<pb::Topic> {
        let (_, row, _, _) = self.topic_for(ctx, "name", &request.name).await?;
        self.show_topic(ctx, row).await
    }

    /// Reads a topic again after a change and shows it.
    pub(super) async fn topic_again(&self, ctx: &Ctx, area: &AreaId, id: Uuid) -> Result<pb::Topic> {
        let row = topics::find(self.reader(), area.as_str(), id).await?;
        self.show_topic(ctx, row.ok_or_else(|| Error::not_found(ids::topic(area.as_str(), id)))?).await
    }

    async fn show_topic(&self, ctx: &Ctx, row: topic::Model) -> Result<pb::Topic> {
        let facts = conditions::facts(self.reader(), std::slice::from_ref(&row)).await?;
        self.topic_message(ctx, &row, facts.get(&row.id))
    }

    fn topic_message(&self, ctx: &Ctx, row: &topic::Model, facts: Option<&StageFacts>) -> Result<pb::Topic> {
        let (area, id) = (row.area.as_str(), &row.id);
        Ok(pb::Topic {
            name: ids::topic(area, *id),
            process_template: row.template.clone(),
            unit: ids::unit(area, &row.unit),
            kind: row.kind.clone(),
            source: row.source.clone(),
            title: self.open(title(area, id), &row.title_enc)?,
            body: self.open(body(area, id), &row.body_enc)?,
            stage: row.stage.clone(),
            state: row.state,
            supports: row.supports,
            stage_time: Some(check::timestamp_us(row.stage_us)),
            raised_by: self.shown_raiser(ctx, row)?,
            conditions: self.condition_statuses(ctx, row, facts)?,
            assisted_supports: row.assisted_supports,
            affected_households: row.affected_households,
            cost_fen: row.cost_fen,
            tags: convert::tags(&row.tags),
            track_reason: in_language(convert::reasons(&row.track_reason)?, ctx.lang).into_iter().next(),
            etag: check::etag(row.revision),
            create_time: Some(check::timestamp_us(row.create_us)),
            update_time: Some(check::timestamp_us(row.update_us)),
        })
    }

    /// Who raised a topic, for those who run the process and for the raiser; empty for everybody else.
    fn shown_raiser(&self, ctx: &Ctx, row: &topic::Model) -> Result<String> {
        let raised_by = self.open(raiser(&row.area, &row.id), &row.raised_by_enc)?;
        if ctx.caller.subject() == Some(raised_by.as_str()) {
            return Ok(raised_by);
        }
        let area = AreaId::new(row.area.as_str()).map_err(Error::internal)?;
        let target = Target::area(&area).at_unit(row.unit.as_str());
        Ok(self.access.authorise_as(ctx, RUNS_PROCESS, &target).map_or_else(|_| String::new(), |_| raised_by))
    }

    /// Lists topics.
    pub(crate) async fn list_topics(
        &self,
        ctx: &Ctx,
        request: pb::ListTopicsRequest,
    ) -> Result<pb::ListTopicsResponse> {
        use topic::Column;
        let asked = Asked {
            parent: &request.parent,
            filter: &request.filter,
            order_by: &request.order_by,
            page_size: request.page_size,
            page_token: &request.page_token,
        };
        let columns = Columns { area: Column::Area, id: Column::Id, unit: Column::Unit, topic: None };
        let fields = [
            FilterField::new("stage", Kind::Text, Column::Stage.into_expr()),
            FilterField::new("state", Kind::proto_enum("linli.deliberation.v1.TopicState"), Column::State.into_expr()),
            lists::template_field(Column::Template),
            FilterField::new("kind", Kind::Text, Column::Kind.into_expr()),
            lists::unit_field(),
        ];
        let listed = self.list::<topic::Entity>(ctx, &asked, columns, &fields, LIMIT, None).await?;
        let mut facts = HashMap::new();
        for group in listed.rows.chunk_by(|a, b| a.area == b.area) {
            facts.extend(conditions::facts(self.reader(), group).await?);
        }
        let key = |row: &topic::Model| (row.area.clone(), row.id);
        let (topics, next_page_token) =
            listed.fill(LIMIT, key, |row| self.topic_message(ctx, row, facts.get(&row.id)))?;
        Ok(pb::ListTopicsResponse { topics, next_page_token })
    }

    /// Raises a topic.
    pub(crate) async fn create_topic(&self, ctx: &Ctx, mut request: pb::CreateTopicRequest) -> Result<pb::Topic> {
        let area = check::area("parent", &request.parent)?;
        let asked = request.topic.clone().unwrap_or_default();
        let at = Name::parse(&asked.unit, UNITS).ok().filter(|unit| unit.area() == &area);
        let (permit, _) = self.authorise(ctx, &area, at.as_ref().map(Name::id))?;
        let request_id = std::mem::take(&mut request.request_id);
        let hash = self.hash(ctx, &request);
        let id = new_v7::<TopicId>(ctx.now()).uuid();
        let bad = self.check_topic(ctx, &area, &asked).await?;
        let track = self.track(ctx, (&area, id), &asked, bad).await?;
        let row = self.new_topic(ctx, (&area, id), &asked, &track, permit.subject())?;
        let chosen = track.chosen.as_ref();
        let receipt = chosen.map(|chosen| self.track_receipt(ctx, &row, &chosen.reason, &chosen.said));
        let (slug, row, track, receipt) = (area.as_str(), &row, &track, &receipt);
        let done = self.parts.store.write_once(ctx, slug, &request_id, hash, "topic.create", |tx| {
            Box::pin(async move {
                self.fence(tx, track).await?;
                topics::insert(tx, row.clone()).await?;
                if let Some(receipt) = receipt {
                    receipts::insert(tx, receipt.clone()).await?;
                }
                tell(ctx, tx, row);
                Ok((ids::topic(slug, row.id), row.id))
            })
        });
        let id = self.done_or_repeat::<TopicId>(done.await?, TOPICS)?;
        self.topic_again(ctx, &area, id).await
    }

    /// The id that was written now, or before under the same request id.
    pub(super) fn done_or_repeat<I: linli_kernel::Id>(
        &self,
        done: linli_kit::idempotency::Once<Uuid>,
        collection: &str,
    ) -> Result<Uuid> {
        match done {
            linli_kit::idempotency::Once::Done(id) => Ok(id),
            linli_kit::idempotency::Once::Repeat(name) => Ok(check::recorded::<I>("name", &name, collection)?.1.uuid()),
        }
    }

    /// What is wrong with what was sent, apart from its process.
    async fn check_topic(&self, ctx: &Ctx, area: &AreaId, asked: &pb::Topic) -> Result<Violations> {
        let mut bad = Violations::new();
        bad.code("topic.kind", &asked.kind);
        if !asked.source.is_empty() {
            bad.code("topic.source", &asked.source);
        }
        bad.text("topic.title", &asked.title, 100);
        bad.max_chars("topic.body", &asked.body, 4000);
        plain(&mut bad, "topic.title", &asked.title);
        plain(&mut bad, "topic.body", &asked.body);
        if let Some(unit) = bad.optional_name_in("topic.unit", &asked.unit, UNITS, area)
            && !self.unit_exists(ctx, &unit).await?
        {
            bad.push(FieldViolation::new("topic.unit", "REFERENCE_NOT_FOUND").arg("value", &asked.unit));
        }
        if let Some(households) = asked.affected_households {
            bad.range("topic.affected_households", households.into(), 0, MAX_HOUSEHOLDS);
        }
        if let Some(cost) = asked.cost_fen {
            bad.range("topic.cost_fen", cost, 0, MAX_COST_FEN);
        }
        bad.max_items("topic.tags", asked.tags.len(), MAX_TAGS);
        for (i, tag) in asked.tags.iter().enumerate() {
            bad.code(format_args!("topic.tags[{i}]"), tag);
        }
        Ok(bad)
    }

    fn new_topic(
        &self,
        ctx: &Ctx,
        (area, id): (&AreaId, Uuid),
        asked: &pb::Topic,
        track: &Track,
        raised_by: &str,
    ) -> Result<topic::Model> {
        let template = &track.template;
        let stage = template.stages.first().ok_or_else(|| Error::internal("a stored template has no stages"))?;
        let process = convert::process(template, &mut Violations::new());
        let now = ctx.now().micros();
        let reasons: Vec<_> = track.chosen.iter().map(|chosen| chosen.reason.clone()).collect();
        let (slug, unit) = (area.as_str(), asked.unit.rsplit('/').next().unwrap_or_default());
        Ok(topic::Model {
            area: slug.to_owned(),
            id,
            template: template.name.clone(),
            process: template.encode_to_vec(),
            unit: unit.to_owned(),
            kind: asked.kind.clone(),
            source: asked.source.clone(),
            title_enc: self.seal(title(slug, &id), &asked.title),
            body_enc: self.seal(body(slug, &id), &asked.body),
            raised_by_enc: self.seal(raiser(slug, &id), raised_by),
            raised_by_idx: self.raiser_index(slug, raised_by),
            ordinal: 0,
            stage: stage.id.clone(),
            state: pb::TopicState::Open.into(),
            supports: 0,
            assisted_supports: 0,
            readers: privacy::readers(&process),
            file_bytes: archives::opening_bytes(asked, template, &reasons)?,
            affected_households: asked.affected_households,
            cost_fen: asked.cost_fen,
            tags: asked.tags.join(","),
            track_reason: convert::stored_reasons(&reasons),
            stage_us: now,
            revision: 1,
            create_us: now,
            update_us: now,
        })
    }

    /// Supports a topic as the caller, once per person.
    pub(crate) async fn support_topic(&self, ctx: &Ctx, mut request: pb::SupportTopicRequest) -> Result<pb::Topic> {
        let (area, id) = check::recorded::<TopicId>("name", &request.name, TOPICS)?;
        let request_id = std::mem::take(&mut request.request_id);
        let hash = self.hash(ctx, &request);
        let row = self.known_topic(ctx, &area, id.uuid()).await?;
        let supporter = self.own_voice(ctx, &area, row.as_ref().map_or("", |row| row.unit.as_str()))?;
        let row = row.ok_or_else(|| Error::not_found(&request.name))?;
        if self.facts(ctx, &area, &supporter.name).await?.is_none() {
            return Err(not_a_resident(&area));
        }
        self.support(ctx, &area, row.id, (&request_id, hash), &supporter).await
    }

    /// Supports a topic for somebody who asked the caller to.
    pub(crate) async fn assist_support(&self, ctx: &Ctx, mut request: pb::AssistSupportRequest) -> Result<pb::Topic> {
        let (area, id) = check::recorded::<TopicId>("name", &request.name, TOPICS)?;
        let request_id = std::mem::take(&mut request.request_id);
        let hash = self.hash(ctx, &request);
        let row = self.known_topic(ctx, &area, id.uuid()).await?;
        let unit = row.as_ref().map_or("", |row| row.unit.as_str());
        let supporter = self.assisted(ctx, &area, unit, ("supporter", &request.supporter)).await?;
        let row = row.ok_or_else(|| Error::not_found(&request.name))?;
        self.support(ctx, &area, row.id, (&request_id, hash), &supporter).await
    }

    async fn support(
        &self,
        ctx: &Ctx,
        area: &AreaId,
        id: Uuid,
        (request_id, hash): (&str, [u8; 32]),
        supporter: &Acting,
    ) -> Result<pb::Topic> {
        let index = self.parts.keyring.blind_index("support.supporter", area.as_str(), &supporter.name);
        let (slug, index, by) = (area.as_str(), &index, supporter.assisted_by.as_str());
        let done = self.parts.store.write_once(ctx, slug, request_id, hash, "topic.support", |tx| {
            Box::pin(async move {
                if topics::support(tx, (slug, id), index, by, ctx.now().micros()).await? {
                    let row = topics::find(tx.conn(), slug, id).await?;
                    check_open(&row.ok_or_else(|| Error::not_found(ids::topic(slug, id)))?)?;
                }
                Ok((ids::topic(slug, id), id))
            })
        });
        done.await?;
        self.topic_again(ctx, area, id).await
    }

    /// The caller, about whom the call is.
    ///
    /// # Errors
    /// PERMISSION_DENIED; NOT_A_RESIDENT for a system or somebody from elsewhere, who has no voice here.
    pub(super) fn own_voice(&self, ctx: &Ctx, area: &AreaId, unit: &str) -> Result<Acting> {
        let subject = ctx.caller.subject().unwrap_or_default();
        self.access.authorise(ctx, &Target::area(area).at_unit(unit).about(subject))?;
        if !Name::parse(subject, PEOPLE).is_ok_and(|person| person.area() == area) {
            return Err(not_a_resident(area));
        }
        Ok(Acting { name: subject.to_owned(), facts: None, assisted_by: String::new() })
    }

    /// The person for whom the caller acts, by a post at `unit` or where the person lives.
    ///
    /// # Errors
    /// PERMISSION_DENIED; a violation of the field when it names no other person of the area.
    pub(super) async fn assisted(
        &self,
        ctx: &Ctx,
        area: &AreaId,
        unit: &str,
        (field, named): (&'static str, &str),
    ) -> Result<Acting> {
        let in_area = Name::parse(named, PEOPLE).is_ok_and(|person| person.area() == area);
        let facts = if in_area { self.facts(ctx, area, named).await? } else { None };
        let home = facts.as_ref().and_then(|facts| facts.unit.rsplit('/').next()).unwrap_or_default();
        let [here, at_home] = [unit, home].map(|at| self.access.authorise(ctx, &Target::area(area).at_unit(at)));
        let assisted_by =
            [&here, &at_home].into_iter().flatten().find(|permit| by_post(permit)).map(|p| p.subject().to_owned());
        let Some(assisted_by) = assisted_by else {
            here?;
            return Err(Error::new(ErrorCode::PermissionDenied, "ON_BEHALF_NEEDS_POST"));
        };
        let mut bad = Violations::new();
        match facts {
            None if named.is_empty() => bad.bad(field, "FIELD_REQUIRED"),
            None => bad.bad(field, "PERSON_OF_AREA"),
            Some(_) if ctx.caller.subject() == Some(named) => bad.bad(field, "ASSISTS_ONESELF"),
            Some(_) => {}
        }
        bad.finish()?;
        Ok(Acting { name: named.to_owned(), facts, assisted_by })
    }
}

fn not_a_resident(area: &AreaId) -> Error {
    Error::new(ErrorCode::FailedPrecondition, "NOT_A_RESIDENT").with("area", area.name())
}

/// The person a call is about.
pub(super) struct Acting {
    /// Full name.
    pub(super) name: String,
    /// What org knows, when it was asked already.
    pub(super) facts: Option<linli_proto::org::ResidentFacts>,
    /// Subject that acts for the person; empty when the person acts.
    pub(super) assisted_by: String,
}
