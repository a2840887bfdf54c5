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

use super::lists::{self, Asked};
use super::{App, Place, RUNS_PROCESS, by_post, conditions, convert, topic_changed};
use crate::domain::StageFacts;
use crate::ids::{self, PEOPLE, TEMPLATES, TOPICS, TopicId, UNITS};
use crate::store::entity::topic;
use crate::store::list::Columns;
use crate::store::topics;

/// Rows of one page at most, and one more.
const LIMIT: u64 = 1001;

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
        let row = topics::find(self.reader(), area.as_str(), id.uuid()).await?;
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
        let listed = self.list::<topic::Entity>(ctx, &asked, columns, &fields, LIMIT).await?;
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
        let template = self.check_topic(ctx, &area, &asked).await?;
        let row = self.new_topic(ctx, &area, &asked, &template, permit.subject())?;
        let (slug, row) = (area.as_str(), &row);
        let done = self.parts.store.write_once(ctx, slug, &request_id, hash, "topic.create", |tx| {
            Box::pin(async move {
                topics::insert(tx, row.clone()).await?;
                tx.emit(topic_changed(ctx, row));
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

    /// Checks what was sent and finds the template that it means, for the topic's area.
    async fn check_topic(&self, ctx: &Ctx, area: &AreaId, asked: &pb::Topic) -> Result<pb::ProcessTemplate> {
        let mut bad = Violations::new();
        bad.code("topic.kind", &asked.kind);
        if !asked.source.is_empty() {
            bad.code("topic.source", &asked.source);
        }
        bad.text("topic.title", &asked.title, 100);
        bad.max_chars("topic.body", &asked.body, 4000);
        if let Some(unit) = bad.optional_name_in("topic.unit", &asked.unit, UNITS, area)
            && !self.unit_exists(ctx, &unit).await?
        {
            bad.push(FieldViolation::new("topic.unit", "REFERENCE_NOT_FOUND").arg("value", &asked.unit));
        }
        let named = &asked.process_template;
        let template = match Name::parse(named, TEMPLATES) {
            Ok(name) => self.resolve_template(area, &name).await?,
            Err(_) => None,
        };
        match &template {
            None if named.is_empty() => bad.bad("topic.process_template", "FIELD_REQUIRED"),
            None => {
                bad.push(FieldViolation::new("topic.process_template", "REFERENCE_NOT_FOUND").arg("value", named));
            }
            Some(found) => {
                let process = convert::process(found, &mut Violations::new());
                bad.ensure(!asked.unit.is_empty() || !process.has_ballot(), "topic.unit", "UNIT_NEEDED_FOR_BALLOT");
            }
        }
        bad.finish()?;
        template.ok_or_else(|| Error::not_found(named))
    }

    fn new_topic(
        &self,
        ctx: &Ctx,
        area: &AreaId,
        asked: &pb::Topic,
        template: &pb::ProcessTemplate,
        raised_by: &str,
    ) -> Result<topic::Model> {
        let stage = template.stages.first().ok_or_else(|| Error::internal("a stored template has no stages"))?;
        let (id, now) = (new_v7::<TopicId>(ctx.now()).uuid(), ctx.now().micros());
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
            file_bytes: i64::try_from(asked.title.len() + asked.body.len()).unwrap_or(i64::MAX / 2),
            stage_us: now,
            revision: 1,
            create_us: now,
            update_us: now,
        })
    }

    /// Supports a topic, once per person.
    pub(crate) async fn support_topic(&self, ctx: &Ctx, mut request: pb::SupportTopicRequest) -> Result<pb::Topic> {
        let (area, id) = check::recorded::<TopicId>("name", &request.name, TOPICS)?;
        let request_id = std::mem::take(&mut request.request_id);
        let hash = self.hash(ctx, &request);
        let row = topics::find(self.reader(), area.as_str(), id.uuid()).await?;
        let unit = row.as_ref().map_or("", |row| row.unit.as_str());
        let supporter = self.acting_person(ctx, &area, unit, ("supporter", &request.supporter)).await?;
        let row = row.ok_or_else(|| Error::not_found(&request.name))?;
        if supporter.facts.is_none() && self.facts(ctx, &area, &supporter.name).await?.is_none() {
            return Err(Error::new(ErrorCode::FailedPrecondition, "NOT_A_RESIDENT").with("area", area.name()));
        }
        let index = self.parts.keyring.blind_index("support.supporter", area.as_str(), &supporter.name);
        let (slug, id, index, name) = (area.as_str(), row.id, &index, &request.name);
        let done = self.parts.store.write_once(ctx, slug, &request_id, hash, "topic.support", |tx| {
            Box::pin(async move {
                if topics::support(tx, slug, id, index, ctx.now().micros()).await? {
                    let row = topics::find(tx.conn(), slug, id).await?.ok_or_else(|| Error::not_found(name))?;
                    check_open(&row)?;
                }
                Ok((ids::topic(slug, id), id))
            })
        });
        done.await?;
        self.topic_again(ctx, &area, id).await
    }

    /// Who a call is about: the caller, or another person for whom a post lets the caller act.
    ///
    /// # Errors
    /// PERMISSION_DENIED; a violation of the field when it names no person of the area.
    pub(super) async fn acting_person(
        &self,
        ctx: &Ctx,
        area: &AreaId,
        unit: &str,
        (field, named): (&'static str, &str),
    ) -> Result<Acting> {
        let subject = ctx.caller.subject().unwrap_or_default();
        let name = if named.is_empty() { subject } else { named };
        let person = Name::parse(name, PEOPLE);
        if name == subject || person.is_err() {
            self.access.authorise(ctx, &Target::area(area).at_unit(unit).about(name))?;
            let in_area = person.is_ok_and(|person| person.area() == area);
            let mut bad = Violations::new();
            match (named.is_empty(), in_area) {
                (_, true) => {}
                // A system or somebody from elsewhere has no voice of their own here.
                (true, false) => bad.bad(field, "FIELD_REQUIRED"),
                (false, false) => bad.bad(field, "PERSON_OF_AREA"),
            }
            bad.finish()?;
            return Ok(Acting { name: name.to_owned(), facts: None });
        }
        // A post counts where the person lives, or where the topic is.
        let facts = match person.is_ok_and(|person| person.area() == area) {
            true => self.facts(ctx, area, name).await?,
            false => None,
        };
        let home = facts.as_ref().and_then(|facts| facts.unit.rsplit('/').next()).unwrap_or_default();
        let permits = [unit, home].map(|at| self.access.authorise(ctx, &Target::area(area).at_unit(at).about(name)));
        if !permits.iter().flatten().any(by_post) {
            let [at_topic, _] = permits;
            at_topic?;
            return Err(Error::new(ErrorCode::PermissionDenied, "ON_BEHALF_NEEDS_POST"));
        }
        if facts.is_none() {
            return Err(Error::field(FieldViolation::new(field, "PERSON_OF_AREA")));
        }
        Ok(Acting { name: name.to_owned(), facts })
    }
}

/// The person a call is about.
pub(super) struct Acting {
    /// Full name.
    pub(super) name: String,
    /// What org knows, when it was asked already.
    pub(super) facts: Option<linli_proto::org::ResidentFacts>,
}
