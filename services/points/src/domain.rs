//! The ledger as pure values: accounts, transfers, holds, cards, rewards, and the decision of every command.
//!
//! Owns what may happen to units and why not. Never: time, randomness, storage, names of other services.

mod book;
mod card;
mod command;
mod holder;
mod ids;
mod model;
mod refusal;
mod rows;

pub use book::{Book, Notice};
pub use card::{Card, CardStamp, CardState, CardTerms, Stamp, stamp, unstamp};
pub use command::{Command, HoldOrder, Order, Outcome, RedeemOrder};
pub use holder::{Holder, HolderError};
pub use ids::{AwardId, AwardReceiptId, CardId, ContributionId, EntryId, HoldId, PersonId, RedemptionId, TransferId};
pub use model::{
    Account, AccountKey, AssetTerms, Entry, Hold, HoldState, Redemption, RewardTerms, Transfer, TransferKind,
};
pub use refusal::Refusal;
pub use rows::{Change, Rows};

#[cfg(test)]
mod machine;
#[cfg(test)]
mod tests;
