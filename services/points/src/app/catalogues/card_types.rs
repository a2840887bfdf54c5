//! Card types: what fills a card, and what a full one buys.

use std::sync::Arc;

use linli_access::Target;
use linli_kernel::{AreaId, Name};
use linli_kit::check;
use linli_kit::{Ctx, FieldViolation, Result};
use linli_proto::points as pb;

use super::{App, Change, ListRequest, asset_not_found};
use crate::app::still_referenced;
use crate::store::finders;

/// Characters of a display name at most.
const NAME: usize = 100;
/// Units that fill a card at most.
const STAMPS: i64 = 1000;

/// What the request refers to, and whether it is there.
struct References {
    area: AreaId,
    asset: String,
    has_asset: bool,
    reward: String,
    has_reward: bool,
}

impl References {
    fn validate(&self, card_type: &pb::CardType) -> Vec<FieldViolation> {
        let mut bad = check::Violations::new();
        bad.both("display_name", card_type.display_name.as_ref(), NAME);
        bad.range("stamps", i64::from(card_type.stamps), 1, STAMPS);
        if card_type.asset == self.asset && !self.has_asset {
            bad.push(asset_not_found("asset", &card_type.asset));
        }
        let named = bad.name_in("reward", &card_type.reward, "rewards", &self.area);
        if named.is_some() && card_type.reward == self.reward && !self.has_reward {
            bad.push(FieldViolation::new("reward", "REFERENCE_NOT_FOUND").arg("value", &card_type.reward));
        }
        bad.into_vec()
    }
}

impl App {
    async fn card_type_references(&self, area: &AreaId, card_type: &pb::CardType) -> Result<References> {
        let reward = Name::parse(&card_type.reward, "rewards").ok().filter(|name| name.area() == area);
        let has_reward = match reward {
            Some(name) => self.rewards.find(area.as_str(), name.id()).await?.is_some(),
            None => false,
        };
        Ok(References {
            area: area.clone(),
            asset: card_type.asset.clone(),
            has_asset: self.has_asset(area, &card_type.asset).await?,
            reward: card_type.reward.clone(),
            has_reward,
        })
    }

    pub(crate) async fn get_card_type(&self, ctx: Arc<Ctx>, request: pb::GetCardTypeRequest) -> Result<pb::CardType> {
        self.catalogue_get(&ctx, &self.card_types, "cardTypes", &request.name).await
    }

    pub(crate) async fn list_card_types(
        &self,
        ctx: Arc<Ctx>,
        request: pb::ListCardTypesRequest,
    ) -> Result<pb::ListCardTypesResponse> {
        let page = ListRequest {
            parent: &request.parent,
            page_size: request.page_size,
            page_token: &request.page_token,
            filter: &request.filter,
            order_by: &request.order_by,
        };
        let (found, next_page_token) = self.catalogue_list(&ctx, &self.card_types, page).await?;
        let card_types = found.into_iter().map(|entry| entry.resource).collect();
        Ok(pb::ListCardTypesResponse { card_types, next_page_token })
    }

    pub(crate) async fn create_card_type(
        &self,
        ctx: Arc<Ctx>,
        mut request: pb::CreateCardTypeRequest,
    ) -> Result<pb::CardType> {
        let area = check::area("parent", &request.parent)?;
        self.access.authorise(&ctx, &Target::area(&area))?;
        let (request_id, hash) = self.claim_of(&ctx, &mut request, |r| &mut r.request_id);
        let card_type = request.card_type.clone().unwrap_or_default();
        let references = self.card_type_references(&area, &card_type).await?;
        let place = (&area, request.card_type_id.as_str());
        let what = (&card_type, request_id.as_str(), hash);
        self.catalogue_create(&ctx, &self.card_types, place, what, &|c| references.validate(c)).await
    }

    pub(crate) async fn update_card_type(
        &self,
        ctx: Arc<Ctx>,
        mut request: pb::UpdateCardTypeRequest,
    ) -> Result<pb::CardType> {
        let card_type = request.card_type.clone().unwrap_or_default();
        let name = check::name("card_type.name", &card_type.name, "cardTypes")?;
        self.access.authorise(&ctx, &Target::area(name.area()))?;
        let (request_id, hash) = self.claim_of(&ctx, &mut request, |r| &mut r.request_id);
        let references = self.card_type_references(name.area(), &card_type).await?;
        let change = Change {
            message: &card_type,
            mask: request.update_mask.as_ref(),
            allow_missing: request.allow_missing,
            validate_only: request.validate_only,
            request_id: &request_id,
            hash,
        };
        self.catalogue_update(&ctx, &self.card_types, name.area(), change, &|c| references.validate(c)).await
    }

    pub(crate) async fn delete_card_type(&self, ctx: Arc<Ctx>, mut request: pb::DeleteCardTypeRequest) -> Result<()> {
        let name = check::name("name", &request.name, "cardTypes")?;
        self.access.authorise(&ctx, &Target::area(name.area()))?;
        let (request_id, hash) = self.claim_of(&ctx, &mut request, |r| &mut r.request_id);
        if finders::has_cards(&self.parts.store, name.area().as_str(), name.id()).await? {
            return Err(still_referenced(&name, format!("{}/cards", name.area().name())));
        }
        self.catalogue_delete(&ctx, &self.card_types, &name, (&request.etag, &request_id, hash)).await
    }
}
