//! What the books hold.

use std::fmt;

use linli_kernel::Timestamp;

use super::{CardId, EntryId, HoldId, Holder, PersonId, RedemptionId, TransferId};

/// Which account: an asset and who holds it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccountKey {
    /// Asset id.
    pub asset: String,
    /// Holder.
    pub holder: Holder,
}

impl AccountKey {
    /// Builds a key.
    pub fn new(asset: impl Into<String>, holder: Holder) -> Self {
        Self { asset: asset.into(), holder }
    }

    /// Reads `{asset}.{holder}`.
    pub fn parse(text: &str) -> Option<Self> {
        let (asset, holder) = text.split_once('.')?;
        (!asset.is_empty()).then_some(())?;
        Some(Self { asset: asset.to_owned(), holder: Holder::parse(holder)? })
    }
}

impl fmt::Display for AccountKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.asset, self.holder)
    }
}

/// What one holder has of one asset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Account {
    /// Units by all entries.
    pub balance: i64,
    /// Units set aside by holds.
    pub held: i64,
    /// Counts changes; an entry carries the version that it led to.
    pub version: i64,
}

impl Account {
    /// What can be spent.
    pub fn available(&self) -> i64 {
        self.balance.saturating_sub(self.held)
    }
}

/// What the ledger must know about an asset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct AssetTerms {
    /// Whether residents may pass it to one another.
    pub transferable: bool,
    /// Most units one person may have; 0: no cap.
    pub holder_cap: i64,
}

/// What a transfer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TransferKind {
    /// Asked for by a caller.
    Direct,
    /// A captured hold.
    Capture,
    /// A reward was bought.
    Redemption,
    /// An award for service.
    Award,
    /// A counter-entry.
    Reversal,
}

/// A movement of units of one asset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transfer {
    /// Its id.
    pub id: TransferId,
    /// Asset id.
    pub asset: String,
    /// Units, above zero.
    pub value: i64,
    /// Who gives.
    pub from: Holder,
    /// Who gets.
    pub to: Holder,
    /// What it is.
    pub kind: TransferKind,
    /// What caused it.
    pub cause: String,
    /// The transfer that this one reverses.
    pub reverses: Option<TransferId>,
    /// The transfer by which this one was reversed.
    pub reversed_by: Option<TransferId>,
    /// When.
    pub created: Timestamp,
}

/// One side of a transfer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its id, which also says of which transfer it is a side.
    pub id: EntryId,
    /// The account.
    pub account: AccountKey,
    /// Version of the account after it: the order of its entries.
    pub seq: i64,
    /// Units, below zero on the giving side.
    pub value: i64,
    /// Balance of the account after it.
    pub balance_after: i64,
    /// When.
    pub created: Timestamp,
}

/// Where a hold stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HoldState {
    /// The units are set aside.
    Placed,
    /// It became this transfer.
    Captured(TransferId),
    /// It was given back.
    Voided,
    /// It fell back by itself.
    Expired,
}

impl HoldState {
    /// The state's name in errors.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Placed => "PLACED",
            Self::Captured(_) => "CAPTURED",
            Self::Voided => "VOIDED",
            Self::Expired => "EXPIRED",
        }
    }
}

/// Units set aside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hold {
    /// Its id.
    pub id: HoldId,
    /// Asset id.
    pub asset: String,
    /// Units set aside, above zero.
    pub value: i64,
    /// Whose.
    pub from: Holder,
    /// Who gets them when captured.
    pub to: Holder,
    /// When it falls back by itself.
    pub expires: Timestamp,
    /// What caused it.
    pub cause: String,
    /// Where it stands.
    pub state: HoldState,
    /// When it was placed.
    pub created: Timestamp,
}

/// What a reward costs and how much of it there is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RewardTerms {
    /// Asset of the price.
    pub asset: String,
    /// Units for one piece.
    pub price: i64,
    /// Pieces ever supplied.
    pub supplied: i64,
    /// Pieces redeemed, never more than supplied.
    pub redeemed: i64,
    /// Who gets the price.
    pub payee: Holder,
    /// Whether it is kept for the record only.
    pub archived: bool,
    /// Whether only a full card buys it.
    pub card_only: bool,
}

impl RewardTerms {
    /// Pieces left.
    pub fn stock(&self) -> i64 {
        self.supplied - self.redeemed
    }
}

/// A reward that somebody got.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redemption {
    /// Its id.
    pub id: RedemptionId,
    /// Id of the reward.
    pub reward: String,
    /// Who got it.
    pub holder: PersonId,
    /// Pieces.
    pub quantity: i32,
    /// The card that paid.
    pub card: Option<CardId>,
    /// The transfer that paid; `None` for a reward that costs nothing.
    pub transfer: Option<TransferId>,
    /// Subject that asked for it.
    pub redeemed_by: String,
    /// The transfer by which it was undone.
    pub reversed_by: Option<TransferId>,
    /// When.
    pub created: Timestamp,
}
