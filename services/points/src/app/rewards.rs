//! Rewards: the text in the catalogue, the stock beside it, both changed in one transaction.

use std::sync::Arc;

use linli_access::Target;
use linli_kernel::{AreaId, Name};
use linli_kit::catalogue::Entry;
use linli_kit::store::Tx;
use linli_kit::{Ctx, Error, FieldViolation, Result, check};
use linli_proto::points as pb;
use parking_lot::Mutex;

use super::App;
use super::catalogues::{Change, Resource, asset_not_found, finish};
use super::pages::page_of;
use crate::domain::{Holder, RewardTerms};
use crate::store::stock;

/// Characters of a display name at most.
const NAME: usize = 100;
/// Units for one piece at most.
const PRICE: i64 = 1_000_000_000;
/// Pieces ever supplied at most.
const SUPPLIED: i64 = 1_000_000_000;

/// The asset that the request names, and whether it is there.
pub(crate) struct References {
    asset: String,
    has_asset: bool,
}

impl Resource for pb::Reward {
    type References = References;

    async fn references(app: &App, tx: &Tx<'_>, area: &AreaId, asked: &Self) -> Result<References> {
        let asset = asked.price.as_ref().map(|price| price.asset.clone()).unwrap_or_default();
        Ok(References { has_asset: app.has_asset(tx, area, &asset).await?, asset })
    }

    fn validate(&self, references: &References) -> Vec<FieldViolation> {
        let mut bad = check::Violations::new();
        bad.both("display_name", self.display_name.as_ref(), NAME);
        bad.range("supplied", self.supplied, 0, SUPPLIED);
        if let Some(price) = &self.price {
            bad.range("price.value", price.value, 0, PRICE);
            if price.asset == references.asset && !references.has_asset {
                bad.push(asset_not_found("price.asset", &price.asset));
            }
        }
        let is_purpose = |text: &str| matches!(Holder::parse(text), Some(Holder::Purpose(_)));
        if !self.payee.is_empty() && !is_purpose(&self.payee) {
            bad.push(
                FieldViolation::new("payee", "FIELD_FORMAT").arg("expected", "a purpose code such as merchant-hotel"),
            );
        }
        if pb::RewardState::try_from(self.state).is_err() {
            bad.bad("state", "FIELD_ENUM");
        }
        bad.into_vec()
    }

    /// A card type that it pays, or a redemption; its stock is forgotten when there is neither.
    async fn used_by(app: &App, tx: &Tx<'_>, name: &Name) -> Result<Option<String>> {
        let card_types = app.card_types.all(tx.conn(), name.area().as_str()).await?;
        if let Some(entry) = card_types.iter().find(|entry| entry.resource.reward == name.to_string()) {
            return Ok(Some(entry.resource.name.clone()));
        }
        let forgotten = stock::forget(tx, name.area().as_str(), name.id()).await?;
        Ok((!forgotten).then(|| format!("{}/redemptions", name.area().name())))
    }
}

/// What a redemption must know of a reward.
fn terms(reward: &pb::Reward) -> RewardTerms {
    let price = reward.price.clone().unwrap_or_default();
    let payee = Holder::parse(&reward.payee).filter(|_| !reward.payee.is_empty());
    RewardTerms {
        asset: price.asset,
        price: price.value,
        supplied: reward.supplied,
        redeemed: 0,
        payee: payee.unwrap_or_else(Holder::redeemed),
        archived: reward.state() == pb::RewardState::Archived,
        card_only: reward.card_only,
    }
}

/// An unset state means active; it is stored as that, so that filters find it.
fn stated(mut reward: pb::Reward, creating: bool, mask: Option<&prost_types::FieldMask>) -> pb::Reward {
    let masked = mask.is_some_and(|mask| mask.paths.iter().any(|path| path == "state" || path == "*"));
    if reward.state == 0 && (creating || masked) {
        reward.set_state(pb::RewardState::Active);
    }
    reward
}

impl App {
    /// Writes the stock of a reward beside its text; the reward with the pieces that are left.
    async fn set_stock(&self, tx: &Tx<'_>, ctx: &Ctx, entry: Entry<pb::Reward>) -> Result<pb::Reward> {
        let (area, id) = (entry.area.as_str(), entry.id.as_str());
        let mut reward = entry.resource;
        if reward.state == 0 {
            reward = self.rewards.put(tx, ctx.now(), &stated(reward, true, None)).await?.entry.resource;
        }
        let supplied = stock::set(tx, area, id, &terms(&reward)).await?;
        let redeemed = stock::redeemed(tx, area, id).await?;
        if !supplied {
            let bad = FieldViolation::new("reward.supplied", "SUPPLIED_BELOW_REDEEMED").arg("redeemed", redeemed);
            return Err(Error::field(bad));
        }
        reward.stock = reward.supplied - redeemed;
        Ok(reward)
    }

    /// Fills in the pieces that are left.
    async fn with_stock(&self, entries: Vec<Entry<pb::Reward>>) -> Result<Vec<pb::Reward>> {
        let keys: Vec<_> = entries.iter().map(|entry| (entry.area.clone(), entry.id.clone())).collect();
        let redeemed = stock::redeemed_of(self.parts.store.reader(), self.parts.store.engine(), &keys).await?;
        let fill = |(entry, redeemed): (Entry<pb::Reward>, i64)| {
            let stock = entry.resource.supplied - redeemed;
            pb::Reward { stock, ..entry.resource }
        };
        Ok(entries.into_iter().zip(redeemed).map(fill).collect())
    }

    async fn reward_now(&self, area: &str, id: &str) -> Result<pb::Reward> {
        let found = self.rewards.find(area, id).await?.ok_or_else(|| Error::not_found(self.rewards.name(area, id)))?;
        let mut rewards = self.with_stock(vec![found]).await?;
        rewards.pop().ok_or_else(|| Error::not_found(self.rewards.name(area, id)))
    }

    pub(crate) async fn get_reward(&self, ctx: Arc<Ctx>, request: pb::GetRewardRequest) -> Result<pb::Reward> {
        let name = check::name("name", &request.name, "rewards")?;
        self.access.authorise(&ctx, &Target::area(name.area()))?;
        self.reward_now(name.area().as_str(), name.id()).await
    }

    pub(crate) async fn list_rewards(
        &self,
        ctx: Arc<Ctx>,
        request: pb::ListRewardsRequest,
    ) -> Result<pb::ListRewardsResponse> {
        let (found, next_page_token) = self.catalogue_list(&ctx, &self.rewards, page_of!(request)).await?;
        Ok(pb::ListRewardsResponse { rewards: self.with_stock(found).await?, next_page_token })
    }

    pub(crate) async fn create_reward(
        &self,
        ctx: Arc<Ctx>,
        mut request: pb::CreateRewardRequest,
    ) -> Result<pb::Reward> {
        let area = check::area("parent", &request.parent)?;
        self.access.authorise(&ctx, &Target::area(&area))?;
        let (request_id, hash) = self.claim_of(&ctx, &mut request, |r| &mut r.request_id);
        let reward = stated(request.reward.clone().unwrap_or_default(), true, None);
        let (reward, id, ctx, area) = (&reward, request.reward_id.as_str(), &*ctx, &area);
        let slug = area.as_str();
        let once = self.parts.store.write_once(ctx, slug, &request_id, hash, "points.reward.create", |tx| {
            Box::pin(async move {
                let written = self.create_in(tx, ctx, &self.rewards, (area, id), reward).await?;
                Ok((self.rewards.name(slug, id), self.set_stock(tx, ctx, written.entry).await?))
            })
        });
        match once.await? {
            linli_kit::idempotency::Once::Done(reward) => Ok(reward),
            linli_kit::idempotency::Once::Repeat(_) => self.reward_now(slug, id).await,
        }
    }

    pub(crate) async fn update_reward(
        &self,
        ctx: Arc<Ctx>,
        mut request: pb::UpdateRewardRequest,
    ) -> Result<pb::Reward> {
        let reward = request.reward.clone().unwrap_or_default();
        let name = check::name("reward.name", &reward.name, "rewards")?;
        self.access.authorise(&ctx, &Target::area(name.area()))?;
        let (request_id, hash) = self.claim_of(&ctx, &mut request, |r| &mut r.request_id);
        let reward = stated(reward, false, request.update_mask.as_ref());
        let change = Change {
            message: &reward,
            mask: request.update_mask.as_ref(),
            allow_missing: request.allow_missing,
            validate_only: request.validate_only,
            request_id: &request_id,
            hash,
        };
        let preview = Mutex::new(None);
        let (seen, change, ctx, area, slug) = (&preview, &change, &*ctx, name.area(), name.area().as_str());
        let once = self.parts.store.write_once(ctx, slug, &request_id, hash, "points.reward.update", |tx| {
            Box::pin(async move {
                let written = self.update_in(tx, ctx, &self.rewards, area, change).await?;
                let name = self.rewards.name(slug, &written.entry.id);
                let reward = self.set_stock(tx, ctx, written.entry).await?;
                finish(change.validate_only, seen, &reward)?;
                Ok((name, reward))
            })
        });
        let once = once.await;
        match (preview.into_inner(), once) {
            (Some(preview), _) => Ok(preview),
            (None, Ok(linli_kit::idempotency::Once::Done(reward))) => Ok(reward),
            (None, Ok(linli_kit::idempotency::Once::Repeat(_))) => self.reward_now(slug, name.id()).await,
            (None, Err(error)) => Err(error),
        }
    }

    pub(crate) async fn delete_reward(&self, ctx: Arc<Ctx>, mut request: pb::DeleteRewardRequest) -> Result<()> {
        let name = check::name("name", &request.name, "rewards")?;
        self.access.authorise(&ctx, &Target::area(name.area()))?;
        let (request_id, hash) = self.claim_of(&ctx, &mut request, |r| &mut r.request_id);
        self.catalogue_delete(&ctx, &self.rewards, &name, (&request.etag, &request_id, hash)).await
    }
}
