//! A topic's whole file, closed for good.

use linli_kernel::Id as _;
use linli_kit::check::{self, Violations};
use linli_kit::store::Tx;
use linli_kit::{Ctx, Error, ErrorCode, Result};
use linli_proto::common::Reason;
use linli_proto::deliberation as pb;
use prost::Message;
use prost_reflect::DynamicMessage;
use sea_orm::ConnectionTrait;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::lists::{self, Asked};
use super::{App, Place, ballots as shown, convert, process_of, topics as raised};
use crate::ids::{self, ARCHIVES, ArchiveId};
use crate::store::entity::{archive, topic};
use crate::store::list::Columns;
use crate::store::{ballots, topics};

/// Rows of one page at most, and one more.
const LIMIT: u64 = 1001;
/// Bytes of a topic's file at most, as it will stand in its archive: well below the 4 MiB that a client takes in one message.
const MAX_FILE_BYTES: i64 = 2 * 1024 * 1024;
/// What the archive says about a topic beside title, body and process, with the times of twenty stages.
const TOPIC_BYTES: usize = 8 * 1024;
/// What it says about a record beside its own texts: names of fields, of record and topic, numbers, the time.
const RECORD_BYTES: usize = 512;
/// What it says about a ballot beside its question, with the rule and the result to come.
const BALLOT_BYTES: usize = 2 * 1024;

/// What it says about a reason beside its texts.
const REASON_BYTES: usize = 128;

/// Where a document is sealed.
fn document<'a>(area: &'a str, id: &'a Uuid) -> Place<'a> {
    Place::new("archive", "document_enc", area, id)
}

/// Refuses control characters other than line breaks and tabs: no text needs them, and a document grows sixfold by them.
pub(super) fn plain(bad: &mut Violations, field: &str, text: &str) {
    let odd = |c: char| c.is_control() && !matches!(c, '\n' | '\r' | '\t');
    bad.ensure(!text.chars().any(odd), field, "CONTROL_CHARACTERS");
}

/// Bytes of a text as it stands in a document: quoted and escaped.
fn quoted(text: &str) -> usize {
    Value::from(text).to_string().len()
}

fn bytes(len: usize) -> i64 {
    i64::try_from(len).unwrap_or(i64::MAX / 4)
}

/// Bytes of reasons in an archive.
fn reason_bytes(reasons: &[Reason]) -> usize {
    let one = |reason: &Reason| {
        let text = reason.text.iter().flat_map(|text| [text.zh_cn.as_str(), &text.en]);
        let texts = text.chain([reason.code.as_str(), &reason.message]).chain(reason.args.iter().map(String::as_str));
        texts.map(quoted).sum::<usize>() + REASON_BYTES
    };
    reasons.iter().map(one).sum()
}

/// Bytes of a new topic in its archive.
pub(super) fn opening_bytes(topic: &pb::Topic, template: &pb::ProcessTemplate, why: &[Reason]) -> Result<i64> {
    let process = as_json("ProcessTemplate", template)?.to_string().len();
    Ok(bytes(quoted(&topic.title) + quoted(&topic.body) + process + reason_bytes(why) + TOPIC_BYTES))
}

/// Bytes of a record in its topic's archive.
pub(super) fn record_bytes(record: &pb::StageRecord, by: &str) -> i64 {
    let texts = [record.text.as_str(), &record.kind, &record.role, by];
    bytes(texts.into_iter().map(quoted).sum::<usize>() + RECORD_BYTES)
}

/// Bytes of a ballot in its topic's archive.
pub(super) fn ballot_bytes(question_zh: &str, question_en: &str, why: &[Reason]) -> i64 {
    bytes(quoted(question_zh) + quoted(question_en) + reason_bytes(why) + BALLOT_BYTES)
}

/// Refuses what would make a topic's file too large for one message.
pub(super) fn check_room(row: &topic::Model) -> Result<()> {
    if row.file_bytes <= MAX_FILE_BYTES {
        return Ok(());
    }
    let name = ids::topic(&row.area, row.id);
    Err(Error::new(ErrorCode::ResourceExhausted, "TOPIC_FILE_FULL").with("resource", name))
}

/// SHA-256 of a document, hex.
pub(super) fn digest(document: &str) -> String {
    hex::encode(Sha256::digest(document.as_bytes()))
}

impl App {
    /// Returns one archive.
    pub(crate) async fn get_archive(&self, ctx: &Ctx, request: pb::GetArchiveRequest) -> Result<pb::Archive> {
        let (area, id) = check::recorded::<ArchiveId>("name", &request.name, ARCHIVES)?;
        let row = topics::find_archive(self.reader(), area.as_str(), id.uuid()).await?;
        let row = match row {
            Some(row) if self.known_topic(ctx, &area, row.topic).await?.is_some() => Some(row),
            Some(_) | None => None,
        };
        self.authorise(ctx, &area, row.as_ref().map(|row| row.unit.as_str()))?;
        let row = row.ok_or_else(|| Error::not_found(&request.name))?;
        Ok(pb::Archive { document_json: self.open_document(&row)?, ..archive_message(&row) })
    }

    /// Lists archives, without their documents.
    pub(crate) async fn list_archives(
        &self,
        ctx: &Ctx,
        request: pb::ListArchivesRequest,
    ) -> Result<pb::ListArchivesResponse> {
        use archive::Column;
        let asked = Asked {
            parent: &request.parent,
            filter: &request.filter,
            order_by: &request.order_by,
            page_size: request.page_size,
            page_token: &request.page_token,
        };
        let columns = Columns { area: Column::Area, id: Column::Id, unit: Column::Unit, topic: Some(Column::Topic) };
        let fields = [lists::topic_field(Column::Topic)];
        let listed = self.list::<archive::Entity>(ctx, &asked, columns, &fields, LIMIT, None).await?;
        let key = |row: &archive::Model| (row.area.clone(), row.id);
        let (archives, next_page_token) = listed.fill(LIMIT, key, |row| Ok(archive_message(row)))?;
        Ok(pb::ListArchivesResponse { archives, next_page_token })
    }

    /// The document of an archive.
    pub(super) fn open_document(&self, row: &archive::Model) -> Result<String> {
        self.open(document(&row.area, &row.id), &row.document_enc)
    }

    /// Writes the archive of a topic that went through all stages.
    pub(super) async fn file(&self, ctx: &Ctx, tx: &Tx<'_>, row: &topic::Model, id: Uuid) -> Result<()> {
        let text = self.document(ctx, tx.conn(), row).await?.to_string();
        let row = archive::Model {
            area: row.area.clone(),
            id,
            topic: row.id,
            unit: row.unit.clone(),
            digest: digest(&text),
            document_enc: self.seal(document(&row.area, &id), &text),
            create_us: ctx.now().micros(),
        };
        topics::insert_archive(tx, row).await
    }

    /// The whole file: the process, the topic with its times, records, ballots with results. Not who raised it.
    async fn document<C: ConnectionTrait>(&self, ctx: &Ctx, conn: &C, row: &topic::Model) -> Result<Value> {
        let area = row.area.as_str();
        let history = topics::history(conn, area, row.id).await?;
        let leaves = history.iter().skip(1).map(|next| next.entered_us).chain([ctx.now().micros()]);
        let stages: Vec<Value> = history
            .iter()
            .zip(leaves)
            .map(
                |(at, left_us)| json!({"stage": at.stage, "entered": rfc3339(at.entered_us), "left": rfc3339(left_us)}),
            )
            .collect();
        let records = topics::records(conn, area, row.id, None).await?;
        let records = records.iter().map(|record| as_json("StageRecord", &self.record_message(record)?));
        let ballots = ballots::of_topics(conn, area, &[row.id]).await?;
        let ballots = ballots.iter().map(|ballot| as_json("Ballot", &shown::message(ctx, ballot)?));
        let chosen = convert::reasons(&row.track_reason)?;
        Ok(json!({
            "version": 1,
            "topic": {
                "name": ids::topic(area, row.id),
                "unit": ids::unit(area, &row.unit),
                "kind": row.kind,
                "source": row.source,
                "title": self.open(raised::title(area, &row.id), &row.title_enc)?,
                "body": self.open(raised::body(area, &row.id), &row.body_enc)?,
                "supports": row.supports,
                "affectedHouseholds": row.affected_households,
                "costFen": row.cost_fen,
                "tags": convert::tags(&row.tags),
                "trackReason": chosen.iter().map(|reason| in_common("Reason", reason)).collect::<Result<Vec<Value>>>()?.first(),
                "created": rfc3339(row.create_us),
                "archived": rfc3339(ctx.now().micros()),
            },
            "processTemplate": as_json("ProcessTemplate", &process_of(row)?.0)?,
            "stages": stages,
            "stageRecords": records.collect::<Result<Vec<Value>>>()?,
            "ballots": ballots.collect::<Result<Vec<Value>>>()?,
        }))
    }
}

/// An archive as lists show it.
fn archive_message(row: &archive::Model) -> pb::Archive {
    pb::Archive {
        name: ids::recorded::<ArchiveId>(&row.area, ARCHIVES, row.id),
        topic: ids::topic(&row.area, row.topic),
        digest: row.digest.clone(),
        document_json: String::new(),
        create_time: Some(check::timestamp_us(row.create_us)),
    }
}

fn rfc3339(us: i64) -> String {
    let at = linli_kernel::Timestamp::from_micros(us).to_chrono();
    at.to_rfc3339_opts(chrono::SecondsFormat::Micros, true)
}

/// A message of the contract in its JSON form.
fn as_json(kind: &str, message: &impl Message) -> Result<Value> {
    json_of(&format!("linli.deliberation.v1.{kind}"), message)
}

/// The same of a message that all services share.
fn in_common(kind: &str, message: &impl Message) -> Result<Value> {
    json_of(&format!("linli.common.v1.{kind}"), message)
}

fn json_of(name: &str, message: &impl Message) -> Result<Value> {
    let descriptor = linli_proto::pool().get_message_by_name(name);
    let descriptor = descriptor.ok_or_else(|| Error::internal(format!("the contract has no {name}")))?;
    let dynamic = DynamicMessage::decode(descriptor, message.encode_to_vec().as_slice()).map_err(Error::internal)?;
    serde_json::to_value(&dynamic).map_err(Error::internal)
}
