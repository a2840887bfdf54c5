//! Why a command changes nothing.

use super::{CardId, HoldId, HoldState, TransferId};

/// A refusal, with what the caller needs to know to do better.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// Neither the area nor an area above has the asset.
    UnknownAsset(String),
    /// The account has less than is wanted.
    InsufficientBalance {
        /// Asset id.
        asset: String,
        /// Units that can be spent.
        available: i64,
        /// Units wanted.
        wanted: i64,
    },
    /// The receiver would have more than one holder may have.
    HolderCapReached {
        /// Asset id.
        asset: String,
        /// Most units one holder may have.
        cap: i64,
        /// Units that the receiver would have.
        wanted: i64,
    },
    /// Residents may not pass the asset on.
    NotTransferable(String),
    /// The sum is beyond 64 bits.
    Overflow(String),
    /// Giver and receiver are the same, or the units are not above zero.
    NoMovement,
    /// There is no such transfer.
    NoSuchTransfer(TransferId),
    /// The transfer was reversed before.
    AlreadyReversed {
        /// The transfer.
        transfer: TransferId,
        /// By which it was reversed.
        by: TransferId,
    },
    /// The transfer is what a hold became; what it paid is not points'.
    TransferOfHold(TransferId),
    /// The transfer is itself a counter-entry.
    TransferIsReversal(TransferId),
    /// A card that the award has filled was redeemed.
    AwardRedeemed {
        /// The award's transfer.
        transfer: TransferId,
        /// The card.
        card: CardId,
    },
    /// There is no such hold.
    NoSuchHold(HoldId),
    /// The hold is captured, voided or expired.
    HoldNotOpen {
        /// The hold.
        hold: HoldId,
        /// Where it stands.
        state: HoldState,
    },
    /// More is captured than was held.
    CaptureTooLarge {
        /// Units held.
        held: i64,
    },
    /// There is no such reward.
    NoSuchReward(String),
    /// The reward is archived.
    RewardArchived(String),
    /// Fewer pieces are left than are wanted.
    OutOfStock {
        /// Reward id.
        reward: String,
        /// Pieces left.
        left: i64,
        /// Pieces wanted.
        wanted: i64,
    },
    /// Only a full card buys the reward.
    CardOnly(String),
    /// There is no such card.
    NoSuchCard(CardId),
    /// The card is somebody else's.
    CardNotYours(CardId),
    /// The card is not full, or was redeemed.
    CardNotFull {
        /// The card.
        card: CardId,
        /// Units on it.
        stamps: i32,
        /// Units that fill it.
        needed: i32,
    },
    /// The card was redeemed before.
    CardRedeemed(CardId),
    /// The card's type pays another reward.
    CardOfAnotherReward {
        /// The card.
        card: CardId,
        /// The reward that it pays.
        pays: String,
    },
}
