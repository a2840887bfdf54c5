//! What can be asked of the books, as values; ids and instants come with them.

use linli_kernel::Timestamp;

use super::{CardId, Hold, HoldId, Holder, PersonId, Redemption, RedemptionId, Transfer, TransferId};

/// A transfer that is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// Id that it will have.
    pub id: TransferId,
    /// Asset id.
    pub asset: String,
    /// Units.
    pub value: i64,
    /// Who gives.
    pub from: Holder,
    /// Who gets.
    pub to: Holder,
    /// What causes it.
    pub cause: String,
    /// Whether the giver asks, not a keeper: then the asset must be transferable.
    pub by_holder: bool,
}

/// A hold that is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HoldOrder {
    /// Id that it will have.
    pub id: HoldId,
    /// Asset id.
    pub asset: String,
    /// Units.
    pub value: i64,
    /// Whose.
    pub from: Holder,
    /// Who gets them when captured.
    pub to: Holder,
    /// When it falls back by itself.
    pub expires: Timestamp,
    /// What causes it.
    pub cause: String,
}

/// A redemption that is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RedeemOrder {
    /// Id that it will have.
    pub id: RedemptionId,
    /// Id that its transfer will have.
    pub transfer: TransferId,
    /// Reward id.
    pub reward: String,
    /// Who gets it.
    pub holder: PersonId,
    /// Pieces.
    pub quantity: i32,
    /// The card that pays.
    pub card: Option<CardId>,
    /// Subject that asks.
    pub redeemed_by: String,
}

/// One thing asked of the books.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Move units.
    Transfer(Order),
    /// Undo a transfer by a counter-entry.
    Reverse {
        /// The transfer.
        transfer: TransferId,
        /// Id of the counter-entry.
        id: TransferId,
    },
    /// Set units aside.
    PlaceHold(HoldOrder),
    /// Turn a hold into a transfer.
    Capture {
        /// The hold.
        hold: HoldId,
        /// Units to take; `None`: all.
        value: Option<i64>,
        /// Id of the transfer.
        id: TransferId,
    },
    /// Give back what a hold has set aside.
    Void {
        /// The hold.
        hold: HoldId,
    },
    /// Give it back because its time has come; nothing happens when it is closed or not yet due.
    Expire {
        /// The hold.
        hold: HoldId,
    },
    /// Buy a reward.
    Redeem(RedeemOrder),
}

/// What came of a command: the resource as it is afterwards.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// A transfer, direct or reversal.
    Transfer(Transfer),
    /// A hold.
    Hold(Hold),
    /// A redemption.
    Redemption(Redemption),
}
