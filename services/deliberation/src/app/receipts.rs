//! Receipts of what rules said about topics: written with the decision, read by whoever may know of the topic, replayed by
//! rules in simulations.
//!
//! Never: titles, texts, names of people.

use linli_access::Target;
use linli_kernel::{Id as _, Lang};
use linli_kit::check::{self, Violations};
use linli_kit::crypto::Aad;
use linli_kit::ids::new_v7;
use linli_kit::page::{KeyPart, PageRequest};
use linli_kit::{Ctx, Error, Result};
use linli_proto::common::Reason;
use linli_proto::deliberation as pb;
use linli_proto::rules::evaluate_request::Hook;
use linli_proto::rules::{
    DecisionCase, EvaluateRequest, Ratio, ReadDecisionsRequest, ReadDecisionsResponse, Thresholds,
};
use prost::Message as _;
use sea_orm::ColumnTrait as _;
use serde_json::{Value, json};
use uuid::Uuid;

use super::lists::{self, Asked};
use super::rules::{Said, THRESHOLDS, TRACK};
use super::{App, Place, convert};
use crate::domain::Rule;
use crate::ids::{self, RECEIPTS, TopicReceiptId};
use crate::store::entity::{topic, topic_receipt};
use crate::store::list::Columns;
use crate::store::receipts::{self, Window};

/// Rows of one page at most, and one more.
const LIMIT: u64 = 1001;
/// Cases of one page when rules ask for no number, and at most.
const CASES: (i32, i32) = (100, 500);

/// The place of what a receipt tells.
fn spec<'a>(area: &'a str, id: &'a Uuid) -> Aad<'a> {
    Place::new("topic_receipt", "spec_enc", area, id).aad()
}

/// The place of the question.
fn question<'a>(area: &'a str, id: &'a Uuid) -> Aad<'a> {
    Place::new("topic_receipt", "request_enc", area, id).aad()
}

/// The reasons with their message in the caller's language.
pub(super) fn in_language(mut reasons: Vec<Reason>, lang: Lang) -> Vec<Reason> {
    for reason in &mut reasons {
        let Some(text) = &reason.text else { continue };
        let (first, second) = match lang {
            Lang::ZhCn => (&text.zh_cn, &text.en),
            Lang::En => (&text.en, &text.zh_cn),
        };
        reason.message = if first.is_empty() { second.clone() } else { first.clone() };
    }
    reasons
}

/// The thresholds of a rule in short, such as `quorum 2/3, pass >1/2, 72 h`.
fn in_short(rule: &Rule) -> String {
    let thresholds = convert::thresholds_message(rule);
    let part = |share: Option<Ratio>| match share {
        None => "-".to_owned(),
        Some(Ratio { numerator, denominator, exclusive }) => {
            format!("{}{numerator}/{denominator}", if exclusive { ">" } else { "" })
        }
    };
    format!("quorum {}, pass {}, {} h", part(thresholds.quorum), part(thresholds.pass), thresholds.open_hours)
}

fn ratio(share: Option<&Ratio>) -> Value {
    share.map_or(
        Value::Null,
        |s| json!({"numerator": s.numerator, "denominator": s.denominator, "exclusive": s.exclusive}),
    )
}

fn lawful(thresholds: Option<&Thresholds>) -> Value {
    thresholds.map_or(
        Value::Null,
        |t| json!({"quorum": ratio(t.quorum.as_ref()), "pass": ratio(t.pass.as_ref()), "open_hours": t.open_hours}),
    )
}

/// The facts that rules saw.
fn facts_json(said: &Said) -> Value {
    let facts = match &said.ask.hook {
        Some(Hook::Track(f)) => json!({
            "kind": f.kind, "source": f.source, "affected_households": f.affected_households, "cost_fen": f.cost_fen,
            "tags": f.tags, "tracks": f.tracks,
        }),
        Some(Hook::Thresholds(f)) => json!({
            "kind": f.kind, "track": f.track, "eligible": f.eligible, "affected_households": f.affected_households,
            "cost_fen": f.cost_fen, "tags": f.tags, "lawful": lawful(f.lawful.as_ref()),
        }),
        Some(Hook::Eligibility(_) | Hook::Price(_) | Hook::Priority(_) | Hook::Award(_)) | None => Value::Null,
    };
    json!({
        "now": said.ask.now.as_ref().map(|t| t.seconds), "utc_offset_min": said.ask.utc_offset_min,
        "seed": said.ask.seed, "revision": said.answer.revision, "facts": facts,
    })
}

impl App {
    /// The receipt of the choice of a process.
    pub(super) fn track_receipt(
        &self,
        ctx: &Ctx,
        topic: &topic::Model,
        why: &Reason,
        said: &Said,
    ) -> topic_receipt::Model {
        let track = topic.template.rsplit('/').next().unwrap_or_default();
        self.receipt(ctx, (topic, None), (TRACK, track), vec![why.clone()], said)
    }

    /// The receipt of a ballot's thresholds.
    pub(super) fn thresholds_receipt(
        &self,
        ctx: &Ctx,
        (topic, ballot): (&topic::Model, Uuid),
        rule: &Rule,
        why: &[Reason],
        said: &Said,
    ) -> topic_receipt::Model {
        self.receipt(ctx, (topic, Some(ballot)), (THRESHOLDS, &in_short(rule)), why.to_vec(), said)
    }

    fn receipt(
        &self,
        ctx: &Ctx,
        (topic, ballot): (&topic::Model, Option<Uuid>),
        (hook, verdict): (&str, &str),
        reasons: Vec<Reason>,
        said: &Said,
    ) -> topic_receipt::Model {
        let (area, id) = (topic.area.as_str(), new_v7::<TopicReceiptId>(ctx.now()).uuid());
        let rules = said.answer.parts.clone();
        let told = pb::TopicReceipt { reasons, rules, facts_json: facts_json(said).to_string(), ..Default::default() };
        topic_receipt::Model {
            area: area.to_owned(),
            id,
            topic: topic.id,
            ballot,
            unit: topic.unit.clone(),
            hook: hook.to_owned(),
            kind: topic.kind.clone(),
            verdict: verdict.to_owned(),
            spec_enc: self.parts.keyring.seal(spec(area, &id), &told.encode_to_vec()),
            request_enc: self.parts.keyring.seal(question(area, &id), &said.ask.encode_to_vec()),
            create_us: ctx.now().micros(),
        }
    }

    fn receipt_message(&self, ctx: &Ctx, row: &topic_receipt::Model) -> Result<pb::TopicReceipt> {
        let told = self.parts.keyring.open(spec(&row.area, &row.id), &row.spec_enc)?;
        let told = pb::TopicReceipt::decode(told.as_slice()).map_err(Error::internal)?;
        Ok(pb::TopicReceipt {
            name: ids::recorded::<TopicReceiptId>(&row.area, RECEIPTS, row.id),
            topic: ids::topic(&row.area, row.topic),
            ballot: row.ballot.map(|ballot| ids::ballot(&row.area, ballot)).unwrap_or_default(),
            hook: row.hook.clone(),
            verdict: row.verdict.clone(),
            reasons: in_language(told.reasons, ctx.lang),
            rules: told.rules,
            facts_json: told.facts_json,
            create_time: Some(check::timestamp_us(row.create_us)),
        })
    }

    /// Returns one receipt.
    pub(crate) async fn get_receipt(&self, ctx: &Ctx, request: pb::GetTopicReceiptRequest) -> Result<pb::TopicReceipt> {
        let (area, id) = check::recorded::<TopicReceiptId>("name", &request.name, RECEIPTS)?;
        let row = receipts::find(self.reader(), area.as_str(), id.uuid()).await?;
        let row = match row {
            Some(row) if self.known_topic(ctx, &area, row.topic).await?.is_some() => Some(row),
            Some(_) | None => None,
        };
        self.authorise(ctx, &area, row.as_ref().map(|row| row.unit.as_str()))?;
        self.receipt_message(ctx, &row.ok_or_else(|| Error::not_found(&request.name))?)
    }

    /// Lists receipts.
    pub(crate) async fn list_receipts(
        &self,
        ctx: &Ctx,
        request: pb::ListTopicReceiptsRequest,
    ) -> Result<pb::ListTopicReceiptsResponse> {
        use topic_receipt::Column;
        let asked = Asked {
            parent: &request.parent,
            filter: &request.filter,
            order_by: &request.order_by,
            page_size: request.page_size,
            page_token: &request.page_token,
        };
        let columns = Columns { area: Column::Area, id: Column::Id, unit: Column::Unit, topic: Some(Column::Topic) };
        let hook = linli_kit::filter::FilterField::new("hook", linli_kit::filter::Kind::Text, Column::Hook.into_expr());
        let fields = [lists::topic_field(Column::Topic), lists::ballot_field(Column::Ballot), hook];
        let listed = self.list::<topic_receipt::Entity>(ctx, &asked, columns, &fields, LIMIT, None).await?;
        let key = |row: &topic_receipt::Model| (row.area.clone(), row.id);
        let (topic_receipts, next_page_token) = listed.fill(LIMIT, key, |row| self.receipt_message(ctx, row))?;
        Ok(pb::ListTopicReceiptsResponse { topic_receipts, next_page_token })
    }

    /// Reads decisions as rules saw them, newest first: for rules alone.
    pub(crate) async fn read_decisions(
        &self,
        ctx: &Ctx,
        request: ReadDecisionsRequest,
    ) -> Result<ReadDecisionsResponse> {
        let area = check::area("parent", &request.parent)?;
        self.access.authorise(ctx, &Target::area(&area))?;
        let mut bad = Violations::new();
        bad.ensure([TRACK, THRESHOLDS].contains(&request.hook.as_str()), "hook", "HOOK_NOT_ASKED");
        bad.ensure(request.start_time.is_some(), "start_time", "FIELD_REQUIRED");
        bad.ensure(request.end_time.is_some(), "end_time", "FIELD_REQUIRED");
        bad.finish()?;
        let at = |time: Option<&prost_types::Timestamp>| time.map_or(0, |time| check::instant(time).micros());
        let (from_us, until_us) = (at(request.start_time.as_ref()), at(request.end_time.as_ref()));
        let (kinds, span) = (request.kinds.join(","), format!("{from_us}-{until_us}"));
        let query = [request.parent.as_str(), &request.hook, &kinds, &span];
        let size = if request.page_size == 0 { CASES.0 } else { request.page_size.min(CASES.1) };
        let page = PageRequest::parse(&self.parts.keyring, &ctx.method.path, &query, size, &request.page_token)?;
        let window = Window { area: area.as_str(), hook: &request.hook, kinds: &request.kinds, from_us, until_us };
        let rows = receipts::newest(self.reader(), &window, &page).await?;
        let (rows, next_page_token) = page.cut(rows, |row| vec![KeyPart::Int(row.create_us), KeyPart::Id(row.id)]);
        let cases = rows.iter().map(|row| self.case(row)).collect::<Result<Vec<DecisionCase>>>()?;
        Ok(ReadDecisionsResponse { cases, next_page_token })
    }

    fn case(&self, row: &topic_receipt::Model) -> Result<DecisionCase> {
        let asked = self.parts.keyring.open(question(&row.area, &row.id), &row.request_enc)?;
        Ok(DecisionCase {
            subject: self.parts.keyring.pseudonym(&row.area, &ids::topic(&row.area, row.topic)),
            time: Some(check::timestamp_us(row.create_us)),
            request: Some(EvaluateRequest::decode(asked.as_slice()).map_err(Error::internal)?),
            verdict: row.verdict.clone(),
        })
    }
}
