//! Holds: units set aside until something is certain.

use std::sync::Arc;

use linli_kernel::{AreaId, Timestamp};
use linli_kit::check::{self, Violations};
use linli_kit::{Ctx, Error, FieldViolation, Result, ids};
use linli_proto::points as pb;

use super::ledger::Answer;
use super::pages::page_of;
use super::transfers::{amount, check_cause, holder, new_transfer, people};
use super::{App, convert, id_at_end, unexpected};
use crate::domain::{Command, Hold, HoldId, HoldOrder, Outcome};
use crate::store::{finders, list, rows};

/// How long a hold lasts when nothing is said.
const USUAL_SECS: i64 = 24 * 3600;
/// How long a hold lasts at most.
const LONGEST_SECS: i64 = 100 * 24 * 3600;

impl App {
    pub(crate) async fn create_hold(&self, ctx: Arc<Ctx>, mut request: pb::CreateHoldRequest) -> Result<pb::Hold> {
        let area = check::area("parent", &request.parent)?;
        self.authorise_about(&ctx, &area, &[]).await?;
        let request_id = std::mem::take(&mut request.request_id);
        let hash = self.hash(&ctx, &request);
        let mut bad = Violations::new();
        let order = hold_order(&ctx, &mut bad, request.hold.as_ref(), &area);
        bad.finish()?;
        let order = order.ok_or_else(|| Error::internal("a checked hold"))?;
        let name = convert::hold_name(area.as_str(), order.id);
        let step = self.step(&ctx, &area, (&request_id, hash), "hold", name, Command::PlaceHold(order))?;
        let answer = self.one(&ctx, &area, step).await?;
        self.hold_of(&area, answer).await
    }

    pub(crate) async fn capture_hold(&self, ctx: Arc<Ctx>, mut request: pb::CaptureHoldRequest) -> Result<pb::Hold> {
        let (area, hold) = check::recorded::<HoldId>("name", &request.name, "holds")?;
        self.authorise_about(&ctx, &area, &[]).await?;
        let request_id = std::mem::take(&mut request.request_id);
        let hash = self.hash(&ctx, &request);
        let mut bad = Violations::new();
        bad.range("value", request.value, 0, i64::MAX);
        bad.finish()?;
        let value = (request.value > 0).then_some(request.value);
        let command = Command::Capture { hold, value, id: new_transfer(&ctx) };
        let step = self.step(&ctx, &area, (&request_id, hash), "", request.name.clone(), command)?;
        let answer = self.one(&ctx, &area, step).await?;
        self.hold_of(&area, answer).await
    }

    pub(crate) async fn void_hold(&self, ctx: Arc<Ctx>, mut request: pb::VoidHoldRequest) -> Result<pb::Hold> {
        let (area, hold) = check::recorded::<HoldId>("name", &request.name, "holds")?;
        self.authorise_about(&ctx, &area, &[]).await?;
        let request_id = std::mem::take(&mut request.request_id);
        let hash = self.hash(&ctx, &request);
        let step = self.step(&ctx, &area, (&request_id, hash), "", request.name.clone(), Command::Void { hold })?;
        let answer = self.one(&ctx, &area, step).await?;
        self.hold_of(&area, answer).await
    }

    async fn hold_of(&self, area: &AreaId, answer: Answer) -> Result<pb::Hold> {
        match answer {
            Answer::Done(outcome) => match *outcome {
                Outcome::Hold(hold) => Ok(convert::hold(area.as_str(), &hold)),
                other => Err(unexpected(&other)),
            },
            Answer::Repeat(name) => {
                let found = finders::hold(&self.parts.store, area.as_str(), id_at_end(&name)?).await?;
                found.map(|h| convert::hold(area.as_str(), &h)).ok_or_else(|| Error::not_found(name))
            }
        }
    }

    pub(crate) async fn get_hold(&self, ctx: Arc<Ctx>, request: pb::GetHoldRequest) -> Result<pb::Hold> {
        let (area, id) = check::recorded::<HoldId>("name", &request.name, "holds")?;
        let found = finders::hold(&self.parts.store, area.as_str(), id).await?;
        let about = |hold: &Hold| people([&hold.from.name(area.as_str())]);
        self.may_see(&ctx, &area, &request.name, found.as_ref().map(about)).await?;
        found.map(|h| convert::hold(area.as_str(), &h)).ok_or_else(|| Error::not_found(&request.name))
    }

    pub(crate) async fn list_holds(
        &self,
        ctx: Arc<Ctx>,
        request: pb::ListHoldsRequest,
    ) -> Result<pb::ListHoldsResponse> {
        let (found, next_page_token) = self.recorded(&ctx, &list::HOLDS, page_of!(request), rows::hold).await?;
        let holds = found.iter().map(|one| convert::hold(&one.area, &one.row)).collect();
        Ok(pb::ListHoldsResponse { holds, next_page_token })
    }
}

fn hold_order(ctx: &Ctx, bad: &mut Violations, hold: Option<&pb::Hold>, area: &AreaId) -> Option<HoldOrder> {
    let Some(hold) = hold else {
        bad.bad("hold", "FIELD_REQUIRED");
        return None;
    };
    let amount = amount(bad, "hold", hold.amount.as_ref());
    let from = holder(bad, "hold.from", &hold.from, area);
    let to = holder(bad, "hold.to", &hold.to, area);
    if from.is_some() && from == to {
        bad.bad("hold.to", "NO_MOVEMENT");
    }
    check_cause(bad, "hold.cause", &hold.cause);
    let now = ctx.now();
    let expires = hold.expire_time.as_ref().map_or(now.plus_secs(USUAL_SECS), check::instant);
    if expires <= now || expires > now.plus_secs(LONGEST_SECS) {
        bad.push(expiry_violation(now));
    }
    let (asset, value) = amount?;
    let (from, to, cause) = (from?, to?, hold.cause.clone());
    Some(HoldOrder { id: ids::new_v7(now), asset, value, from, to, expires, cause })
}

fn expiry_violation(now: Timestamp) -> FieldViolation {
    let (min, max) = (now.to_chrono(), now.plus_secs(LONGEST_SECS).to_chrono());
    super::out_of_range("hold.expire_time", min.to_rfc3339(), max.to_rfc3339())
}
