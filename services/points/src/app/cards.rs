//! Cards: reading them. They are written by awards and redemptions.

use std::sync::Arc;

use linli_kit::check;
use linli_kit::{Ctx, Error, Result};
use linli_proto::points as pb;

use super::pages::page_of;
use super::{App, convert};
use crate::domain::{AwardId, Card, CardId};
use crate::store::awards::{self, AwardRow};
use crate::store::{finders, list, rows};

impl App {
    pub(crate) async fn get_card(&self, ctx: Arc<Ctx>, request: pb::GetCardRequest) -> Result<pb::Card> {
        let (area, id) = check::recorded::<CardId>("name", &request.name, "cards")?;
        let found = finders::card(&self.parts.store, area.as_str(), id).await?;
        let about = |card: &Card| vec![convert::person_name(area.as_str(), card.holder)];
        self.may_see(&ctx, &area, &request.name, found.as_ref().map(about)).await?;
        found.map(|card| convert::card(area.as_str(), &card)).ok_or_else(|| Error::not_found(&request.name))
    }

    pub(crate) async fn list_cards(
        &self,
        ctx: Arc<Ctx>,
        request: pb::ListCardsRequest,
    ) -> Result<pb::ListCardsResponse> {
        let (found, next_page_token) = self.recorded(&ctx, &list::CARDS, page_of!(request), rows::card).await?;
        let cards = found.iter().map(|one| convert::card(&one.area, &one.row)).collect();
        Ok(pb::ListCardsResponse { cards, next_page_token })
    }

    pub(crate) async fn get_award(&self, ctx: Arc<Ctx>, request: pb::GetAwardRequest) -> Result<pb::Award> {
        let (area, id) = check::recorded::<AwardId>("name", &request.name, "awards")?;
        let found = finders::award(&self.parts.store, area.as_str(), id).await?;
        let about = |award: &AwardRow| vec![format!("areas/{area}/people/{}", award.recipient)];
        self.may_see(&ctx, &area, &request.name, found.as_ref().map(about)).await?;
        let award = found.ok_or_else(|| Error::not_found(&request.name))?;
        convert::award(&award, ctx.lang)
    }

    pub(crate) async fn list_awards(
        &self,
        ctx: Arc<Ctx>,
        request: pb::ListAwardsRequest,
    ) -> Result<pb::ListAwardsResponse> {
        let (found, next_page_token) = self.recorded(&ctx, &list::AWARDS, page_of!(request), awards::read).await?;
        let awards = found.iter().map(|one| convert::award(&one.row, ctx.lang)).collect::<Result<_>>()?;
        Ok(pb::ListAwardsResponse { awards, next_page_token })
    }
}
