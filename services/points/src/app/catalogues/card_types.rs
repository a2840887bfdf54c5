//! Card types: what fills a card, and what a full one buys.

use std::sync::Arc;

use linli_access::Target;
use linli_kernel::{AreaId, Name};
use linli_kit::check;
use linli_kit::store::Tx;
use linli_kit::{Ctx, FieldViolation, Result};
use linli_proto::points as pb;

use super::{App, Change, Resource, asset_not_found};
use crate::app::pages::page_of;
use crate::store::finders;

/// Characters of a display name at most.
const NAME: usize = 100;
/// Units that fill a card at most.
const STAMPS: i64 = 1000;

/// What the request refers to, and whether it is there.
pub(crate) struct References {
    area: AreaId,
    asset: String,
    has_asset: bool,
    reward: String,
    has_reward: bool,
}

impl Resource for pb::CardType {
    type References = References;

    async fn references(app: &App, tx: &Tx<'_>, area: &AreaId, asked: &Self) -> Result<References> {
        let has_asset = app.has_asset(tx, area, &asked.asset).await?;
        let reward = Name::parse(&asked.reward, "rewards").ok().filter(|name| name.area() == area);
        let has_reward = match reward {
            Some(name) => app.rewards.find_for_update(tx, area.as_str(), name.id()).await?.is_some(),
            None => false,
        };
        let (asset, reward) = (asked.asset.clone(), asked.reward.clone());
        Ok(References { area: area.clone(), asset, has_asset, reward, has_reward })
    }

    fn validate(&self, references: &References) -> Vec<FieldViolation> {
        let mut bad = check::Violations::new();
        bad.both("display_name", self.display_name.as_ref(), NAME);
        bad.range("stamps", i64::from(self.stamps), 1, STAMPS);
        if self.asset == references.asset && !references.has_asset {
            bad.push(asset_not_found("asset", &self.asset));
        }
        let named = bad.name_in("reward", &self.reward, "rewards", &references.area);
        if named.is_some() && self.reward == references.reward && !references.has_reward {
            bad.push(FieldViolation::new("reward", "REFERENCE_NOT_FOUND").arg("value", &self.reward));
        }
        bad.into_vec()
    }

    async fn used_by(_: &App, tx: &Tx<'_>, name: &Name) -> Result<Option<String>> {
        let used = finders::has_cards(tx, name.area().as_str(), name.id()).await?;
        Ok(used.then(|| format!("{}/cards", name.area().name())))
    }
}

impl App {
    pub(crate) async fn get_card_type(&self, ctx: Arc<Ctx>, request: pb::GetCardTypeRequest) -> Result<pb::CardType> {
        self.catalogue_get(&ctx, &self.card_types, "cardTypes", &request.name).await
    }

    pub(crate) async fn list_card_types(
        &self,
        ctx: Arc<Ctx>,
        request: pb::ListCardTypesRequest,
    ) -> Result<pb::ListCardTypesResponse> {
        let (found, next_page_token) = self.catalogue_list(&ctx, &self.card_types, page_of!(request)).await?;
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
        let place = (&area, request.card_type_id.as_str());
        let what = (&card_type, request_id.as_str(), hash);
        self.catalogue_create(&ctx, &self.card_types, place, what).await
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
        let change = Change {
            message: &card_type,
            mask: request.update_mask.as_ref(),
            allow_missing: request.allow_missing,
            validate_only: request.validate_only,
            request_id: &request_id,
            hash,
        };
        self.catalogue_update(&ctx, &self.card_types, name.area(), change).await
    }

    pub(crate) async fn delete_card_type(&self, ctx: Arc<Ctx>, mut request: pb::DeleteCardTypeRequest) -> Result<()> {
        let name = check::name("name", &request.name, "cardTypes")?;
        self.access.authorise(&ctx, &Target::area(name.area()))?;
        let (request_id, hash) = self.claim_of(&ctx, &mut request, |r| &mut r.request_id);
        self.catalogue_delete(&ctx, &self.card_types, &name, (&request.etag, &request_id, hash)).await
    }
}
