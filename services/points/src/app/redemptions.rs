//! Redemptions: somebody gets a reward for units or a full card.

use std::sync::Arc;

use linli_kernel::AreaId;
use linli_kit::check::{self, Violations};
use linli_kit::{Ctx, Error, FieldViolation, Result, ids};
use linli_proto::points as pb;

use super::ledger::Answer;
use super::pages::page_of;
use super::transfers::new_transfer;
use super::{App, convert, id_at_end, unexpected};
use crate::domain::{CardId, Command, Outcome, PersonId, RedeemOrder, Redemption, RedemptionId};
use crate::store::{finders, list, rows};

/// Pieces of one redemption at most.
const PIECES: i64 = 100;

impl App {
    pub(crate) async fn create_redemption(
        &self,
        ctx: Arc<Ctx>,
        mut request: pb::CreateRedemptionRequest,
    ) -> Result<pb::Redemption> {
        let area = check::area("parent", &request.parent)?;
        let subject = ctx.caller.subject().unwrap_or_default();
        let asked = request.redemption.as_ref().map(|r| r.holder.as_str()).unwrap_or_default();
        let holder = if asked.is_empty() { subject } else { asked }.to_owned();
        let permit = self.authorise_about(&ctx, &area, std::slice::from_ref(&holder)).await?;
        let request_id = std::mem::take(&mut request.request_id);
        let hash = self.hash(&ctx, &request);
        let mut bad = Violations::new();
        let order = redeem_order(&ctx, &mut bad, request.redemption.as_ref(), &area, &holder, permit.subject());
        bad.finish()?;
        let order = order.ok_or_else(|| Error::internal("a checked redemption"))?;
        let name = convert::redemption_name(area.as_str(), order.id);
        let step = self.step(&ctx, &area, (&request_id, hash), "redemption", name, Command::Redeem(order))?;
        match self.one(&ctx, &area, step).await? {
            Answer::Done(outcome) => match *outcome {
                Outcome::Redemption(redemption) => Ok(convert::redemption(area.as_str(), &redemption)),
                other => Err(unexpected(&other)),
            },
            Answer::Repeat(name) => {
                let found = finders::redemption(&self.parts.store, area.as_str(), id_at_end(&name)?).await?;
                found.map(|r| convert::redemption(area.as_str(), &r)).ok_or_else(|| Error::not_found(name))
            }
        }
    }

    pub(crate) async fn get_redemption(
        &self,
        ctx: Arc<Ctx>,
        request: pb::GetRedemptionRequest,
    ) -> Result<pb::Redemption> {
        let (area, id) = check::recorded::<RedemptionId>("name", &request.name, "redemptions")?;
        let found = finders::redemption(&self.parts.store, area.as_str(), id).await?;
        let about = |r: &Redemption| vec![convert::person_name(area.as_str(), r.holder)];
        self.may_see(&ctx, &area, &request.name, found.as_ref().map(about)).await?;
        found.map(|r| convert::redemption(area.as_str(), &r)).ok_or_else(|| Error::not_found(&request.name))
    }

    pub(crate) async fn list_redemptions(
        &self,
        ctx: Arc<Ctx>,
        request: pb::ListRedemptionsRequest,
    ) -> Result<pb::ListRedemptionsResponse> {
        let (found, next_page_token) =
            self.recorded(&ctx, &list::REDEMPTIONS, page_of!(request), rows::redemption).await?;
        let redemptions = found.iter().map(|one| convert::redemption(&one.area, &one.row)).collect();
        Ok(pb::ListRedemptionsResponse { redemptions, next_page_token })
    }
}

fn redeem_order(
    ctx: &Ctx,
    bad: &mut Violations,
    redemption: Option<&pb::Redemption>,
    area: &AreaId,
    holder: &str,
    subject: &str,
) -> Option<RedeemOrder> {
    let Some(redemption) = redemption else {
        bad.bad("redemption", "FIELD_REQUIRED");
        return None;
    };
    let reward = bad.name_in("redemption.reward", &redemption.reward, "rewards", area);
    let holder =
        bad.name_in("redemption.holder", holder, "people", area).and_then(|name| name.typed::<PersonId>().ok());
    if holder.is_none() && !redemption.holder.is_empty() {
        bad.push(
            FieldViolation::new("redemption.holder", "FIELD_FORMAT").arg("expected", "areas/{area}/people/{person}"),
        );
    }
    bad.range("redemption.quantity", i64::from(redemption.quantity), 0, PIECES);
    let card = bad.optional_name_in("redemption.card", &redemption.card, "cards", area);
    let card = card.map(|name| name.typed::<CardId>());
    if let Some(Err(problem)) = &card {
        bad.push(FieldViolation::new("redemption.card", "NAME_INVALID").arg("detail", problem));
    }
    if card.is_some() && redemption.quantity > 1 {
        bad.push(super::out_of_range("redemption.quantity", 0, 1));
    }
    Some(RedeemOrder {
        id: ids::new_v7(ctx.now()),
        transfer: new_transfer(ctx),
        reward: reward?.id().to_owned(),
        holder: holder?,
        quantity: redemption.quantity.max(1),
        card: card.and_then(std::result::Result::ok),
        redeemed_by: subject.to_owned(),
    })
}
