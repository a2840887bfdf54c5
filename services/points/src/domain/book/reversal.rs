//! Undoing a transfer: the counter-entry, and with it what the transfer had brought about.

use std::collections::BTreeMap;

use linli_kernel::Timestamp;

use super::{Book, Movement, Notice};
use crate::domain::card::unstamp;
use crate::domain::{
    Card, CardId, CardStamp, CardState, Holder, Redemption, Refusal, Transfer, TransferId, TransferKind,
};

impl Book {
    pub(super) fn reverse(
        &mut self,
        transfer: TransferId,
        id: TransferId,
        now: Timestamp,
    ) -> Result<Transfer, Refusal> {
        let original = self.transfers.get(&transfer).cloned().ok_or(Refusal::NoSuchTransfer(transfer))?;
        if let Some(by) = original.reversed_by {
            return Err(Refusal::AlreadyReversed { transfer, by });
        }
        match original.kind {
            TransferKind::Direct => {}
            TransferKind::Redemption => self.return_pieces(transfer, id),
            TransferKind::Award => self.take_stamps_back(&original, id)?,
            // What the hold was for is another service's, which would not hear of it.
            TransferKind::Capture => return Err(Refusal::TransferOfHold(transfer)),
            TransferKind::Reversal => return Err(Refusal::TransferIsReversal(transfer)),
        }
        let counter = self.post(
            Movement {
                id,
                asset: &original.asset,
                value: original.value,
                from: &original.to,
                to: &original.from,
                kind: TransferKind::Reversal,
                cause: format!("areas/{}/transfers/{transfer}", self.area),
                reverses: Some(transfer),
            },
            now,
        )?;
        self.transfers.set(transfer, Transfer { reversed_by: Some(id), ..original });
        Ok(counter)
    }

    /// The redemption that the transfer paid is undone: its pieces are in stock again, its card is full again.
    fn return_pieces(&mut self, transfer: TransferId, by: TransferId) {
        let paid = self.redemptions.iter().map(|(_, redemption)| redemption);
        let Some(redemption) = paid.into_iter().find(|one| one.transfer == Some(transfer)).cloned() else { return };
        if let Some(mut terms) = self.rewards.get(&redemption.reward).cloned() {
            terms.redeemed -= i64::from(redemption.quantity);
            self.rewards.set(redemption.reward.clone(), terms);
        }
        let card = redemption.card.and_then(|card| self.cards.get(&card)).cloned();
        if let Some(Card { state: CardState::Redeemed(since), version, .. }) = card {
            let reopened = card.map(|card| Card { state: CardState::Full(since), version: version + 1, ..card });
            reopened.into_iter().for_each(|card| self.set_card(card));
        }
        self.redemptions.set(redemption.id, Redemption { reversed_by: Some(by), ..redemption });
    }

    /// What the award put on cards comes off the recipient's cards of those types, the newest first.
    fn take_stamps_back(&mut self, award: &Transfer, by: TransferId) -> Result<(), Refusal> {
        let Holder::Person(holder) = award.to else { return Ok(()) };
        let stamped = self.stamped.get(&award.id).cloned().unwrap_or_default();
        let mut units: BTreeMap<String, (CardId, i64)> = BTreeMap::new();
        for (id, on_card) in stamped {
            let Some(card) = self.cards.get(&id) else { continue };
            if matches!(card.state, CardState::Redeemed(_)) {
                return Err(Refusal::AwardRedeemed { transfer: award.id, card: id });
            }
            units.entry(card.terms.card_type.clone()).or_insert((id, 0)).1 += on_card;
        }
        for (card_type, (card, units)) in units {
            let cards = self.cards.iter().map(|(_, card)| card);
            let own = cards.filter(|card| card.holder == holder && card.terms.card_type == card_type).cloned();
            let Some(changed) = unstamp(own.collect(), units) else {
                // Units of later awards have filled a card in their stead, and it was redeemed.
                return Err(Refusal::AwardRedeemed { transfer: award.id, card });
            };
            for stamp in changed {
                if stamp.units != 0 {
                    self.stamps.push(CardStamp { card: stamp.card.id, cause: by, units: i64::from(stamp.units) });
                }
                self.set_card(stamp.card);
            }
        }
        Ok(())
    }

    fn set_card(&mut self, card: Card) {
        self.notices.push(Notice::Card(card.id, card.state, card.version));
        self.cards.set(card.id, card);
    }
}
