//! What thanks are worth and what they buy: awards, stamps on cards, redemptions of rewards.

use linli_kernel::Timestamp;

use super::{Book, Movement, Notice};
use crate::domain::card::stamp;
use crate::domain::{
    AccountKey, Card, CardId, CardState, CardTerms, Holder, PersonId, RedeemOrder, Redemption, Refusal, Stamp,
    Transfer, TransferId, TransferKind,
};

impl Book {
    pub(super) fn redeem(&mut self, order: &RedeemOrder, now: Timestamp) -> Result<Redemption, Refusal> {
        let mut terms =
            self.rewards.get(&order.reward).cloned().ok_or_else(|| Refusal::NoSuchReward(order.reward.clone()))?;
        if terms.archived {
            return Err(Refusal::RewardArchived(order.reward.clone()));
        }
        let wanted = i64::from(order.quantity);
        let card = order.card.map(|id| self.paying_card(id, order)).transpose()?;
        if card.is_none() && terms.card_only {
            return Err(Refusal::CardOnly(order.reward.clone()));
        }
        if terms.stock() < wanted {
            return Err(Refusal::OutOfStock { reward: order.reward.clone(), left: terms.stock(), wanted });
        }
        let (asset, value) = match &card {
            Some(card) => (card.terms.asset.clone(), i64::from(card.stamps)),
            None => {
                let value = terms.price.checked_mul(wanted);
                (terms.asset.clone(), value.ok_or_else(|| Refusal::Overflow(terms.asset.clone()))?)
            }
        };
        let paid = (value > 0).then(|| self.pay(order, &asset, value, &terms.payee, now)).transpose()?;
        terms.redeemed += wanted;
        self.rewards.set(order.reward.clone(), terms);
        if let Some(card) = card {
            self.close_card(card);
        }
        let redemption = Redemption {
            id: order.id,
            reward: order.reward.clone(),
            holder: order.holder,
            quantity: order.quantity,
            card: order.card,
            transfer: paid.map(|transfer| transfer.id),
            redeemed_by: order.redeemed_by.clone(),
            reversed_by: None,
            created: now,
        };
        self.redemptions.set(redemption.id, redemption.clone());
        self.notices.push(Notice::Redemption(redemption.id));
        Ok(redemption)
    }

    fn pay(
        &mut self,
        order: &RedeemOrder,
        asset: &str,
        value: i64,
        to: &Holder,
        now: Timestamp,
    ) -> Result<Transfer, Refusal> {
        let movement = Movement {
            id: order.transfer,
            asset,
            value,
            from: &Holder::Person(order.holder),
            to,
            kind: TransferKind::Redemption,
            cause: format!("areas/{}/redemptions/{}", self.area, order.id),
            reverses: None,
        };
        self.post(movement, now)
    }

    /// The card of an order, when it is the holder's, full, and pays this reward.
    fn paying_card(&self, id: CardId, order: &RedeemOrder) -> Result<Card, Refusal> {
        let card = self.cards.get(&id).ok_or(Refusal::NoSuchCard(id))?;
        if card.holder != order.holder {
            return Err(Refusal::CardNotYours(id));
        }
        match card.state {
            CardState::Full(_) if card.terms.reward == order.reward => Ok(card.clone()),
            CardState::Full(_) => Err(Refusal::CardOfAnotherReward { card: id, pays: card.terms.reward.clone() }),
            CardState::Open => Err(Refusal::CardNotFull { card: id, stamps: card.stamps, needed: card.terms.needed }),
            CardState::Redeemed(_) => Err(Refusal::CardRedeemed(id)),
            CardState::Withdrawn => {
                Err(Refusal::CardNotFull { card: id, stamps: card.stamps, needed: card.terms.needed })
            }
        }
    }

    fn close_card(&mut self, mut card: Card) {
        if let CardState::Full(since) = card.state {
            card.state = CardState::Redeemed(since);
            card.version += 1;
        }
        self.notices.push(Notice::Card(card.id, card.state, card.version));
        self.cards.set(card.id, card);
    }

    /// Posts an award as far as the asset's cap for one holder lets it; `None` when nothing is left to post.
    ///
    /// # Errors
    /// The asset is unknown, or the sum is beyond 64 bits.
    pub fn award(
        &mut self,
        id: TransferId,
        asset: &str,
        value: i64,
        to: PersonId,
        cause: &str,
        now: Timestamp,
    ) -> Result<Option<Transfer>, Refusal> {
        let terms = self.terms(asset)?;
        let to = Holder::Person(to);
        let has = self.account(&AccountKey::new(asset, to.clone())).balance;
        let room = if terms.holder_cap > 0 { terms.holder_cap.saturating_sub(has).max(0) } else { i64::MAX };
        let value = value.min(room);
        if value <= 0 {
            return Ok(None);
        }
        let movement = Movement {
            id,
            asset,
            value,
            from: &Holder::issuance(),
            to: &to,
            kind: TransferKind::Award,
            cause: cause.to_owned(),
            reverses: None,
        };
        self.post(movement, now).map(Some)
    }

    /// Stamps the holder's open card of a type with awarded units.
    pub fn stamp(
        &mut self,
        holder: PersonId,
        terms: &CardTerms,
        units: i64,
        now: Timestamp,
        next_id: impl FnMut() -> CardId,
    ) -> Vec<Stamp> {
        let is_open = |card: &Card| {
            card.holder == holder && card.terms.card_type == terms.card_type && card.state == CardState::Open
        };
        let open = self.cards.iter().map(|(_, card)| card).find(|card| is_open(card)).cloned();
        let stamps = stamp(open, holder, terms, units, now, next_id);
        for change in &stamps {
            if change.began {
                self.notices.push(Notice::Card(change.card.id, CardState::Open, 1));
            }
            if change.card.state != CardState::Open {
                self.notices.push(Notice::Card(change.card.id, change.card.state, change.card.version));
            }
            self.cards.set(change.card.id, change.card.clone());
        }
        stamps
    }
}
