//! Receipts of awards: what rules were asked and said. People read them in words, rules as they were asked.

use std::sync::Arc;

use linli_access::Target;
use linli_kernel::Id as _;
use linli_kit::check::{self, Violations, instant, timestamp};
use linli_kit::crypto::Aad;
use linli_kit::page::PageRequest;
use linli_kit::{Ctx, Error, FieldViolation, Result};
use linli_proto::common::Reason;
use linli_proto::points as pb;
use linli_proto::rules::evaluate_request::Hook;
use linli_proto::rules::{
    DecisionCase, EvaluateRequest, EvaluateResponse, ReadDecisionsRequest, ReadDecisionsResponse,
};
use prost::Message as _;
use serde_json::{Value, json};

use super::pages::page_of;
use super::thanks::HOOK;
use super::{App, convert};
use crate::domain::AwardReceiptId;
use crate::store::list;
use crate::store::receipts::{self, ReceiptRow};

/// Decisions of a page when none is asked for, and at most.
const PAGE: (i32, i32) = (100, 500);

/// What a receipt keeps, sealed.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Kept {
    /// What residents read of it.
    #[prost(message, optional, tag = "1")]
    pub(crate) told: Option<pb::AwardReceipt>,
    /// The question as rules saw it, so that it can be asked again.
    #[prost(message, optional, tag = "2")]
    pub(crate) asked: Option<EvaluateRequest>,
}

impl App {
    /// A receipt with what it keeps sealed in it.
    pub(crate) fn seal_award_receipt(
        &self,
        row: ReceiptRow,
        reasons: Vec<Reason>,
        ask: EvaluateRequest,
        answer: EvaluateResponse,
    ) -> ReceiptRow {
        let facts_json = facts_json(&ask, &answer.revision).to_string();
        let told = pb::AwardReceipt { reasons, rules: answer.parts, facts_json, ..pb::AwardReceipt::default() };
        let kept = Kept { told: Some(told), asked: Some(ask) };
        let spec_enc = self.parts.keyring.seal(place(&row.area, row.id.uuid().as_bytes()), &kept.encode_to_vec());
        ReceiptRow { spec_enc, ..row }
    }

    /// What a receipt keeps.
    ///
    /// # Errors
    /// INTERNAL when it was sealed otherwise or is no longer what was sealed.
    pub(crate) fn open_award_receipt(&self, row: &ReceiptRow) -> Result<Kept> {
        let kept = self.parts.keyring.open(place(&row.area, row.id.uuid().as_bytes()), &row.spec_enc)?;
        Kept::decode(kept.as_slice()).map_err(Error::internal)
    }

    fn view_award_receipt(&self, ctx: &Ctx, row: &ReceiptRow) -> Result<pb::AwardReceipt> {
        let mut told = self.open_award_receipt(row)?.told.unwrap_or_default();
        for reason in &mut told.reasons {
            convert::localise(reason, ctx.lang);
        }
        let area = &row.area;
        Ok(pb::AwardReceipt {
            name: format!("areas/{area}/awardReceipts/{}", row.id),
            award_binding: row.binding.clone(),
            event: row.event.clone(),
            source: row.source.clone(),
            recipient: format!("areas/{area}/people/{}", row.recipient),
            award: row.award.map(|id| format!("areas/{area}/awards/{id}")).unwrap_or_default(),
            verdict: row.verdict.clone(),
            create_time: Some(timestamp(row.created)),
            ..told
        })
    }

    pub(crate) async fn get_award_receipt(
        &self,
        ctx: Arc<Ctx>,
        request: pb::GetAwardReceiptRequest,
    ) -> Result<pb::AwardReceipt> {
        let (area, id) = check::recorded::<AwardReceiptId>("name", &request.name, "awardReceipts")?;
        let found = receipts::find(&self.parts.store, area.as_str(), id).await?;
        let about = |row: &ReceiptRow| vec![format!("areas/{area}/people/{}", row.recipient)];
        self.may_see(&ctx, &area, &request.name, found.as_ref().map(about)).await?;
        let row = found.ok_or_else(|| Error::not_found(&request.name))?;
        self.view_award_receipt(&ctx, &row)
    }

    pub(crate) async fn list_award_receipts(
        &self,
        ctx: Arc<Ctx>,
        request: pb::ListAwardReceiptsRequest,
    ) -> Result<pb::ListAwardReceiptsResponse> {
        let (found, next_page_token) =
            self.recorded(&ctx, &list::AWARD_RECEIPTS, page_of!(request), receipts::read).await?;
        let award_receipts = found.iter().map(|one| self.view_award_receipt(&ctx, &one.row)).collect::<Result<_>>()?;
        Ok(pb::ListAwardReceiptsResponse { award_receipts, next_page_token })
    }

    /// What rules were asked and said, for their simulations; for rules alone.
    pub(crate) async fn read_decisions(
        &self,
        ctx: Arc<Ctx>,
        request: ReadDecisionsRequest,
    ) -> Result<ReadDecisionsResponse> {
        let area = check::area("parent", &request.parent)?;
        self.access.authorise(&ctx, &Target::area(&area))?;
        let mut bad = Violations::new();
        if request.hook != HOOK {
            bad.push(FieldViolation::new("hook", "FIELD_FORMAT").arg("expected", HOOK));
        }
        for (i, kind) in request.kinds.iter().enumerate() {
            bad.code(format_args!("kinds[{i}]"), kind);
        }
        bad.ensure(request.start_time.is_some(), "start_time", "FIELD_REQUIRED");
        bad.ensure(request.end_time.is_some(), "end_time", "FIELD_REQUIRED");
        bad.finish()?;
        let at = |time: Option<&prost_types::Timestamp>| time.map(instant).unwrap_or_default();
        let window = (at(request.start_time.as_ref()), at(request.end_time.as_ref()));
        let (from, until) = (window.0.micros().to_string(), window.1.micros().to_string());
        let mut query = vec![request.parent.as_str(), request.hook.as_str(), &from, &until];
        query.extend(request.kinds.iter().map(String::as_str));
        let size = if request.page_size == 0 { PAGE.0 } else { request.page_size.min(PAGE.1) };
        let page = PageRequest::parse(&self.parts.keyring, &ctx.method.path, &query, size, &request.page_token)?;
        let (rows, next_page_token) =
            receipts::decided(&self.parts.store, area.as_str(), &request.kinds, window, &page).await?;
        let cases = rows.iter().map(|row| {
            let person = format!("areas/{area}/people/{}", row.recipient);
            Ok(DecisionCase {
                subject: self.parts.keyring.pseudonym(area.as_str(), &person),
                time: Some(timestamp(row.created)),
                request: self.open_award_receipt(row)?.asked,
                verdict: row.verdict.clone(),
            })
        });
        Ok(ReadDecisionsResponse { cases: cases.collect::<Result<_>>()?, next_page_token })
    }
}

fn place<'a>(area: &'a str, id: &'a [u8]) -> Aad<'a> {
    Aad { table: "award_receipt", column: "spec_enc", area, id }
}

/// The facts that the rules saw. The recipient is a handle there.
fn facts_json(ask: &EvaluateRequest, revision: &str) -> Value {
    let Some(Hook::Award(facts)) = &ask.hook else { return Value::Null };
    let who = facts.actor.clone().unwrap_or_default();
    let amount = |a: &linli_proto::common::Amount| json!({"asset": a.asset, "value": a.value});
    json!({
        "now": ask.now.as_ref().map(|t| t.seconds), "utc_offset_min": ask.utc_offset_min, "seed": ask.seed,
        "revision": revision,
        "facts": {
            "actor": {
                "handle": who.handle, "age_years": who.age_years, "standing": who.standing,
                "joined": who.joined.as_ref().map(|t| t.seconds), "roles": who.roles, "tags": who.tags,
            },
            "balances": facts.balances.iter().map(amount).collect::<Vec<_>>(), "kind": facts.kind,
            "minutes": facts.minutes, "role": facts.role, "tags": facts.tags, "quantity": facts.quantity,
            "score": facts.score, "cap": facts.cap.as_ref().map(amount),
        },
    })
}
