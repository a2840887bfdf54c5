//! What is recorded at the stages: surveys, drafts, minutes, decisions, publications, answers.

use linli_kernel::Id as _;
use linli_kit::check::{self, Violations};
use linli_kit::filter::{FilterField, Kind};
use linli_kit::ids::new_v7;
use linli_kit::store::Tx;
use linli_kit::{Ctx, Error, FieldViolation, Result};
use linli_proto::deliberation as pb;
use sea_orm::{ColumnTrait as _, Condition};
use uuid::Uuid;

use super::archives::{self, plain};
use super::lists::{self, Asked};
use super::topics::check_open;
use super::{App, Place};
use crate::ids::{self, RECORDS, StageRecordId};
use crate::store::entity::{stage_record, topic};
use crate::store::list::Columns;
use crate::store::topics;

/// Rows of one page at most, and one more.
const LIMIT: u64 = 1001;
/// Kind of the records that are for everybody, of a confidential topic too.
const PUBLICATION: &str = "publication";

/// Where a record's text is sealed.
fn text<'a>(area: &'a str, id: &'a Uuid) -> Place<'a> {
    Place::new("stage_record", "text_enc", area, id)
}

/// A record that is about to be written; topic and stage are set from the topic's row.
pub(super) struct NewRecord {
    row: stage_record::Model,
    bytes: i64,
}

impl App {
    /// Returns one record.
    pub(crate) async fn get_record(&self, ctx: &Ctx, request: pb::GetStageRecordRequest) -> Result<pb::StageRecord> {
        let (area, id) = check::recorded::<StageRecordId>("name", &request.name, RECORDS)?;
        let row = topics::find_record(self.reader(), area.as_str(), id.uuid()).await?;
        let row = match row {
            Some(row) if row.kind == PUBLICATION || self.known_topic(ctx, &area, row.topic).await?.is_some() => {
                Some(row)
            }
            Some(_) | None => None,
        };
        self.authorise(ctx, &area, row.as_ref().map(|row| row.unit.as_str()))?;
        self.record_message(&row.ok_or_else(|| Error::not_found(&request.name))?)
    }

    /// A record as the contract shows it.
    pub(super) fn record_message(&self, row: &stage_record::Model) -> Result<pb::StageRecord> {
        let (area, id) = (row.area.as_str(), &row.id);
        Ok(pb::StageRecord {
            name: ids::recorded::<StageRecordId>(area, RECORDS, *id),
            topic: ids::topic(area, row.topic),
            stage: row.stage.clone(),
            kind: row.kind.clone(),
            text: self.open(text(area, id), &row.text_enc)?,
            outcome: row.outcome,
            attendance: row.attendance,
            role: row.role.clone(),
            recorded_by: row.recorded_by.clone(),
            create_time: Some(check::timestamp_us(row.create_us)),
        })
    }

    /// Lists records.
    pub(crate) async fn list_records(
        &self,
        ctx: &Ctx,
        request: pb::ListStageRecordsRequest,
    ) -> Result<pb::ListStageRecordsResponse> {
        use stage_record::Column;
        let asked = Asked {
            parent: &request.parent,
            filter: &request.filter,
            order_by: &request.order_by,
            page_size: request.page_size,
            page_token: &request.page_token,
        };
        let columns = Columns { area: Column::Area, id: Column::Id, unit: Column::Unit, topic: Some(Column::Topic) };
        let fields = [
            lists::topic_field(Column::Topic),
            FilterField::new("stage", Kind::Text, Column::Stage.into_expr()),
            FilterField::new("kind", Kind::Text, Column::Kind.into_expr()),
        ];
        let told = Some(Condition::all().add(Column::Kind.eq(PUBLICATION)));
        let listed = self.list::<stage_record::Entity>(ctx, &asked, columns, &fields, LIMIT, told).await?;
        let key = |row: &stage_record::Model| (row.area.clone(), row.id);
        let (stage_records, next_page_token) = listed.fill(LIMIT, key, |row| self.record_message(row))?;
        Ok(pb::ListStageRecordsResponse { stage_records, next_page_token })
    }

    /// Adds a record to the present stage of a topic.
    pub(crate) async fn record_stage(&self, ctx: &Ctx, mut request: pb::RecordStageRequest) -> Result<pb::StageRecord> {
        let (area, topic, permit, target) = self.topic_for(ctx, "name", &request.name).await?;
        let request_id = std::mem::take(&mut request.request_id);
        let hash = self.hash(ctx, &request);
        let mut record = request.record.take().unwrap_or_default();
        check_record(&record, &self.held_roles(ctx, &permit, &target))?;
        if record.role.is_empty() {
            record.role = self.only_post(ctx, &target);
        }
        let new = self.new_record(ctx, &topic, &record, permit.subject());
        let (slug, new, topic, request) = (area.as_str(), &new, topic.id, &request);
        let done = self.parts.store.write_once(ctx, slug, &request_id, hash, "topic.record", |tx| {
            Box::pin(async move {
                let row = topics::touch(tx, slug, topic, ctx.now().micros()).await?;
                let mut row = row.ok_or_else(|| Error::not_found(ids::topic(slug, topic)))?;
                // The touch has raised the revision by one.
                check::check_etag(&request.etag, row.revision - 1, &request.name)?;
                check_open(&row)?;
                write_record(tx, &mut row, new).await?;
                archives::check_room(&row)?;
                topics::move_to(tx, &row, false).await?;
                Ok((ids::recorded::<StageRecordId>(slug, RECORDS, new.row.id), new.row.id))
            })
        });
        let id = self.done_or_repeat::<StageRecordId>(done.await?, RECORDS)?;
        let row = topics::find_record(self.reader(), area.as_str(), id).await?;
        self.record_message(&row.ok_or_else(|| Error::internal("a record that was written is gone"))?)
    }

    /// Prepares a record; id and sealed text are made once, however often the transaction runs.
    pub(super) fn new_record(&self, ctx: &Ctx, topic: &topic::Model, record: &pb::StageRecord, by: &str) -> NewRecord {
        let id = new_v7::<StageRecordId>(ctx.now()).uuid();
        let row = stage_record::Model {
            area: topic.area.clone(),
            id,
            topic: topic.id,
            unit: topic.unit.clone(),
            stage: String::new(),
            kind: record.kind.clone(),
            text_enc: self.seal(text(&topic.area, &id), &record.text),
            outcome: record.outcome,
            attendance: record.attendance,
            role: record.role.clone(),
            recorded_by: by.to_owned(),
            create_us: ctx.now().micros(),
        };
        let bytes = archives::record_bytes(record, by);
        NewRecord { row, bytes }
    }
}

/// Writes a record to the stage at which the held topic is, and counts it in the topic's file.
pub(super) async fn write_record(tx: &Tx<'_>, topic: &mut topic::Model, new: &NewRecord) -> Result<()> {
    topic.file_bytes += new.bytes;
    topics::insert_record(tx, stage_record::Model { stage: topic.stage.clone(), ..new.row.clone() }).await
}

fn check_record(record: &pb::StageRecord, held: &[String]) -> Result<()> {
    let mut bad = Violations::new();
    bad.code("record.kind", &record.kind);
    bad.text("record.text", &record.text, 10_000);
    plain(&mut bad, "record.text", &record.text);
    bad.range("record.attendance", record.attendance.into(), 0, 1_000_000);
    bad.ensure(pb::Outcome::try_from(record.outcome).is_ok(), "record.outcome", "FIELD_ENUM");
    if !record.role.is_empty() && !held.contains(&record.role) {
        bad.push(FieldViolation::new("record.role", "ROLE_NOT_HELD").arg("role", &record.role));
    }
    bad.finish()
}
