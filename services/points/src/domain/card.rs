//! Cards that fill with units (爱心续航卡): an award stamps the open card, a full one is kept until redeemed.

use linli_kernel::Timestamp;

use super::{CardId, PersonId, TransferId};

/// Where a card stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CardState {
    /// It fills.
    Open,
    /// It is full since then.
    Full(Timestamp),
    /// It was full since then and is redeemed.
    Redeemed(Timestamp),
    /// It came to nothing: what was on it fits on the card before it.
    Withdrawn,
}

/// The terms of a card type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CardTerms {
    /// Id of the type.
    pub card_type: String,
    /// Asset whose units fill it.
    pub asset: String,
    /// Units that fill one card, at least 1.
    pub needed: i32,
    /// Id of the reward for a full card.
    pub reward: String,
}

/// One resident's card. It keeps the terms under which it began.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Card {
    /// Its id.
    pub id: CardId,
    /// Whose.
    pub holder: PersonId,
    /// The terms.
    pub terms: CardTerms,
    /// Units on it, at most as many as fill it.
    pub stamps: i32,
    /// Where it stands.
    pub state: CardState,
    /// Counts changes.
    pub version: i64,
    /// When it began.
    pub created: Timestamp,
}

impl Card {
    /// A new empty card.
    pub fn begin(id: CardId, holder: PersonId, terms: CardTerms, now: Timestamp) -> Self {
        Self { id, holder, terms, stamps: 0, state: CardState::Open, version: 1, created: now }
    }
}

/// Units on one card that a transfer brought, or below zero took away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CardStamp {
    /// The card.
    pub card: CardId,
    /// The transfer.
    pub cause: TransferId,
    /// Units.
    pub units: i64,
}

/// Units that came onto one card, or below zero off it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stamp {
    /// The card as it is afterwards.
    pub card: Card,
    /// Units added, below zero taken off.
    pub units: i32,
    /// Whether the card began just now.
    pub began: bool,
}

/// Puts units on the open card; every card that becomes full is followed by a new one, which begins with the remainder.
///
/// `open` is the holder's open card of these terms' type; `next_id` gives ids of new cards.
pub fn stamp(
    open: Option<Card>,
    holder: PersonId,
    terms: &CardTerms,
    units: i64,
    now: Timestamp,
    mut next_id: impl FnMut() -> CardId,
) -> Vec<Stamp> {
    let mut stamps = Vec::new();
    let mut left = units;
    let mut began = open.is_none();
    let mut card = open.unwrap_or_else(|| Card::begin(next_id(), holder, terms.clone(), now));
    loop {
        let room = i64::from(card.terms.needed.max(1) - card.stamps).max(0);
        let taken = left.min(room);
        left -= taken;
        let added = i32::try_from(taken).unwrap_or(i32::MAX);
        card.stamps += added;
        if !began {
            card.version += 1;
        }
        // A card needs one unit at least; were it none, cards would follow one another for ever.
        let full = card.stamps >= card.terms.needed.max(1);
        if full {
            card.state = CardState::Full(now);
            card.version += 1;
        }
        stamps.push(Stamp { card, units: added, began });
        if !full {
            return stamps;
        }
        began = true;
        card = Card::begin(next_id(), holder, terms.clone(), now);
    }
}

/// Takes units off somebody's cards of one type, the newest first; redeemed cards keep theirs. `None` when the others have
/// fewer.
///
/// A full card that loses units is open again. Whatever was begun behind it is empty by then and is withdrawn: nobody fills
/// two cards at once.
pub fn unstamp(mut cards: Vec<Card>, units: i64) -> Option<Vec<Stamp>> {
    cards.retain(|card| matches!(card.state, CardState::Open | CardState::Full(_)));
    cards.sort_by_key(|card| match card.state {
        CardState::Full(since) | CardState::Redeemed(since) => (0, since, card.id),
        CardState::Open | CardState::Withdrawn => (1, card.created, card.id),
    });
    let mut left = units;
    let mut changed: Vec<Stamp> = Vec::new();
    while left > 0 {
        let mut card = cards.pop()?;
        let taken = i32::try_from(left).unwrap_or(i32::MAX).min(card.stamps);
        left -= i64::from(taken);
        if card.state != CardState::Open {
            card.state = CardState::Open;
            changed.iter_mut().for_each(|emptied| emptied.card.state = CardState::Withdrawn);
        }
        card.stamps -= taken;
        card.version += 1;
        changed.push(Stamp { card, units: -taken, began: false });
    }
    Some(changed)
}
