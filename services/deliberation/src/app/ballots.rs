//! Opening, reading and listing ballots.

use linli_access::Target;
use linli_kernel::{AreaId, Id as _, Timestamp};
use linli_kit::check::{self, Violations};
use linli_kit::filter::{FilterField, Kind};
use linli_kit::ids::new_random;
use linli_kit::store::Tx;
use linli_kit::{Ctx, Error, ErrorCode, FieldViolation, Result};
use linli_proto::deliberation as pb;
use prost::Message as _;
use sea_orm::ColumnTrait as _;

use super::archives::{self, plain};
use super::lists::{self, Asked};
use super::receipts::in_language;
use super::topics::check_open;
use super::{App, ballot_changed, conditions, convert, process_of};
use crate::domain::Rule;
use crate::ids::{self, BALLOTS, BallotId, TOPICS, TopicId};
use crate::store::entity::{ballot, topic};
use crate::store::list::Columns;
use crate::store::{ballots, receipts, topics};

/// Rows of one page at most, and one more.
const LIMIT: u64 = 1001;
const HOUR_US: i64 = 3_600_000_000;
/// Days that a ballot is open at most: what is not decided by then is asked anew.
pub(super) const MAX_OPEN_DAYS: i64 = 90;

/// A ballot as the contract shows it.
pub(super) fn message(ctx: &Ctx, row: &ballot::Model) -> Result<pb::Ballot> {
    let result = row.result.as_deref().map(pb::BallotResult::decode).transpose().map_err(Error::internal)?;
    Ok(pb::Ballot {
        name: ids::ballot(&row.area, row.id),
        topic: ids::topic(&row.area, row.topic),
        stage: row.stage.clone(),
        question: Some(linli_proto::common::Text { zh_cn: row.question_zh.clone(), en: row.question_en.clone() }),
        close_time: Some(check::timestamp_us(row.close_us)),
        rule: Some(convert::stored_rule(&row.rule)?.0),
        electors: row.electors,
        state: row.state,
        result,
        open_time: Some(check::timestamp_us(row.open_us)),
        rule_reasons: in_language(convert::reasons(&row.rule_reasons)?, ctx.lang),
    })
}

/// The rule of the ballot at a topic's present stage.
fn present_rule(row: &topic::Model) -> Result<Option<Rule>> {
    let (_, process) = process_of(row)?;
    let ordinal = usize::try_from(row.ordinal).unwrap_or(usize::MAX);
    Ok(process.stage(ordinal).and_then(|stage| stage.ballot()))
}

impl App {
    /// Reads a ballot by name and checks the method's permission where its topic is.
    pub(super) async fn ballot_for(&self, ctx: &Ctx, name: &str) -> Result<(AreaId, ballot::Model)> {
        let (area, row) = self.known_ballot(ctx, name).await?;
        self.authorise(ctx, &area, row.as_ref().map(|row| row.unit.as_str()))?;
        Ok((area, row.ok_or_else(|| Error::not_found(name))?))
    }

    /// A ballot, when there is one about a topic of which the caller may know.
    pub(super) async fn known_ballot(&self, ctx: &Ctx, name: &str) -> Result<(AreaId, Option<ballot::Model>)> {
        let (area, id) = check::recorded::<BallotId>("name", name, BALLOTS)?;
        let row = ballots::find(self.reader(), area.as_str(), id.uuid()).await?;
        let row = match row {
            Some(row) if self.known_topic(ctx, &area, row.topic).await?.is_some() => Some(row),
            Some(_) | None => None,
        };
        Ok((area, row))
    }

    /// Returns one ballot.
    pub(crate) async fn get_ballot(&self, ctx: &Ctx, request: pb::GetBallotRequest) -> Result<pb::Ballot> {
        message(ctx, &self.ballot_for(ctx, &request.name).await?.1)
    }

    /// Lists ballots.
    pub(crate) async fn list_ballots(
        &self,
        ctx: &Ctx,
        request: pb::ListBallotsRequest,
    ) -> Result<pb::ListBallotsResponse> {
        use ballot::Column;
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
            FilterField::new("state", Kind::proto_enum("linli.deliberation.v1.BallotState"), Column::State.into_expr()),
        ];
        let listed = self.list::<ballot::Entity>(ctx, &asked, columns, &fields, LIMIT, None).await?;
        let (ballots, next_page_token) =
            listed.fill(LIMIT, |row| (row.area.clone(), row.id), |row| message(ctx, row))?;
        Ok(pb::ListBallotsResponse { ballots, next_page_token })
    }

    /// Opens a ballot: freezes rule and electorate.
    pub(crate) async fn create_ballot(&self, ctx: &Ctx, mut request: pb::CreateBallotRequest) -> Result<pb::Ballot> {
        let area = check::area("parent", &request.parent)?;
        let asked = request.ballot.clone().unwrap_or_default();
        let named = check::recorded::<TopicId>("ballot.topic", &asked.topic, TOPICS);
        let topic = match &named {
            Ok((at, id)) if *at == area => self.known_topic(ctx, &area, id.uuid()).await?,
            Ok(_) | Err(_) => None,
        };
        self.access.authorise(ctx, &Target::area(&area).at_unit(topic.as_ref().map_or("", |topic| &topic.unit)))?;
        let request_id = std::mem::take(&mut request.request_id);
        let hash = self.hash(ctx, &request);
        let close = check_ballot(&asked, &area)?;
        let topic = topic.ok_or_else(|| {
            Error::field(FieldViolation::new("ballot.topic", "REFERENCE_NOT_FOUND").arg("value", &asked.topic))
        })?;
        // What the topic's state allows is decided inside the transaction; here it only says whom to ask for.
        let rule = present_rule(&topic)?;
        let electors = match rule {
            Some(rule) => self.electors(ctx, &area, &topic.unit, &rule).await?,
            None => Vec::new(),
        };
        let (rule, why, said) = match rule {
            // Nobody to vote: the transaction refuses, whatever rules would say.
            Some(rule) if !electors.is_empty() => {
                let (rule, why, said) = self.ask_thresholds(ctx, &area, (&topic, rule), electors.len()).await?;
                (Some(rule), why, said)
            }
            rule => (rule, Vec::new(), None),
        };
        let row = new_ballot(ctx, &topic, &asked, (rule, electors.len()), close)?;
        let row = ballot::Model { rule_reasons: convert::stored_reasons(&why), ..row };
        let receipt =
            rule.zip(said).map(|(rule, said)| self.thresholds_receipt(ctx, (&topic, row.id), &rule, &why, &said));
        let (slug, row, electors, receipt) = (area.as_str(), &row, &electors, &receipt);
        let done = self.parts.store.write_once(ctx, slug, &request_id, hash, "ballot.create", |tx| {
            Box::pin(async move {
                open(ctx, tx, row, electors).await?;
                if let Some(receipt) = receipt {
                    receipts::insert(tx, receipt.clone()).await?;
                }
                Ok((ids::ballot(slug, row.id), row.id))
            })
        });
        let id = self.done_or_repeat::<BallotId>(done.await?, BALLOTS)?;
        let row = ballots::find(self.reader(), area.as_str(), id).await?;
        message(ctx, &row.ok_or_else(|| Error::internal("a ballot that was written is gone"))?)
    }
}

/// Checks what was sent; when the ballot is to close.
fn check_ballot(asked: &pb::Ballot, area: &AreaId) -> Result<Timestamp> {
    let mut bad = Violations::new();
    let close = asked.close_time.as_ref().and_then(instant);
    bad.name_in("ballot.topic", &asked.topic, TOPICS, area);
    bad.both("ballot.question", asked.question.as_ref(), 500);
    for (field, text) in asked.question.iter().flat_map(|q| [("zh_cn", &q.zh_cn), ("en", &q.en)]) {
        plain(&mut bad, &format!("ballot.question.{field}"), text);
    }
    match (&asked.close_time, close) {
        (None, _) => bad.bad("ballot.close_time", "FIELD_REQUIRED"),
        (Some(_), None) => bad.bad("ballot.close_time", "NO_INSTANT"),
        (Some(_), Some(_)) => {}
    }
    bad.finish()?;
    close.ok_or_else(|| Error::internal("a checked ballot has no closing time"))
}

/// The instant of a timestamp, when the contract allows it: years 1 to 9999, nanoseconds within the second.
fn instant(at: &prost_types::Timestamp) -> Option<Timestamp> {
    let allowed = (-62_135_596_800..=253_402_300_799).contains(&at.seconds) && (0..1_000_000_000).contains(&at.nanos);
    allowed.then(|| check::instant(at))
}

fn new_ballot(
    ctx: &Ctx,
    topic: &topic::Model,
    asked: &pb::Ballot,
    (rule, electors): (Option<Rule>, usize),
    close: Timestamp,
) -> Result<ballot::Model> {
    let question = asked.question.clone().unwrap_or_default();
    Ok(ballot::Model {
        area: topic.area.clone(),
        id: new_random::<BallotId>().uuid(),
        topic: topic.id,
        unit: topic.unit.clone(),
        stage: topic.stage.clone(),
        question_zh: question.zh_cn,
        question_en: question.en,
        rule: rule.map(|rule| convert::rule_message(rule).encode_to_vec()).unwrap_or_default(),
        rule_reasons: Vec::new(),
        electors: i32::try_from(electors).map_err(Error::internal)?,
        state: pb::BallotState::Open.into(),
        result: None,
        open_us: ctx.now().micros(),
        close_us: close.micros(),
    })
}

/// Opens a prepared ballot when its topic still stands where it was prepared for.
async fn open(ctx: &Ctx, tx: &Tx<'_>, row: &ballot::Model, electors: &[String]) -> Result<()> {
    let name = || ids::topic(&row.area, row.topic);
    let mut topic =
        topics::touch(tx, &row.area, row.topic, row.open_us).await?.ok_or_else(|| Error::not_found(name()))?;
    check_open(&topic)?;
    let refuse = |reason: &'static str| Error::new(ErrorCode::FailedPrecondition, reason).with("resource", name());
    let Some(lawful) = present_rule(&topic)? else {
        return Err(Error::new(ErrorCode::FailedPrecondition, "STAGE_HAS_NO_BALLOT").with("stage", &topic.stage));
    };
    if topic.stage != row.stage {
        // The topic moved on while its electorate was gathered.
        return Err(Error::new(ErrorCode::Aborted, "CONFLICT").retry_after(std::time::Duration::from_millis(100)));
    }
    let (_, rule) = convert::stored_rule(&row.rule)?;
    if !rule.at_least(&lawful) {
        return Err(Error::internal("a ballot would be easier to pass than its process allows"));
    }
    let least = ctx.now().micros() + i64::from(rule.open_hours) * HOUR_US;
    if row.close_us < least || row.close_us <= ctx.now().micros() {
        let violation = FieldViolation::new("ballot.close_time", "BALLOT_TOO_SHORT").arg("hours", rule.open_hours);
        return Err(Error::field(violation));
    }
    if row.close_us > ctx.now().micros() + MAX_OPEN_DAYS * 24 * HOUR_US {
        let violation = FieldViolation::new("ballot.close_time", "BALLOT_TOO_LONG").arg("days", MAX_OPEN_DAYS);
        return Err(Error::field(violation));
    }
    if electors.is_empty() {
        return Err(refuse("ELECTORATE_EMPTY"));
    }
    for other in ballots::of_topics(tx.conn(), &row.area, &[row.topic]).await? {
        if other.stage == row.stage && other.state == i32::from(pb::BallotState::Open) {
            return Err(super::votes::still_open(&other));
        }
        if other.stage == row.stage && conditions::passed(other.result.as_deref()) {
            return Err(refuse("BALLOT_PASSED_ALREADY"));
        }
    }
    topic.file_bytes +=
        archives::ballot_bytes(&row.question_zh, &row.question_en, &convert::reasons(&row.rule_reasons)?);
    archives::check_room(&topic)?;
    topics::move_to(tx, &topic, false).await?;
    ballots::insert(tx, row.clone(), electors).await?;
    tx.emit(ballot_changed(ctx, row, None));
    Ok(())
}
