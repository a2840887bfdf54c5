//! Refusals of the ledger as errors that a client can act on.

use linli_kit::{Error, ErrorCode, FieldViolation};

use super::convert;
use crate::domain::Refusal;

/// The error of a refusal; `path` is the field of the request that the command came from.
pub(crate) fn refuse(area: &str, path: &str, refusal: &Refusal) -> Error {
    let state = |reason| Error::new(ErrorCode::FailedPrecondition, reason);
    let asset_name = |asset: &str| format!("areas/{area}/assets/{asset}");
    let reward_name = |reward: &str| format!("areas/{area}/rewards/{reward}");
    match refusal {
        Refusal::UnknownAsset(asset) => {
            let field = if path.is_empty() { "asset".to_owned() } else { format!("{path}.amount.asset") };
            Error::field(FieldViolation::new(field, "ASSET_NOT_FOUND").arg("asset", asset))
        }
        Refusal::InsufficientBalance { asset, available, wanted } => state("INSUFFICIENT_BALANCE")
            .with("asset", asset)
            .with("available", available)
            .with("wanted", wanted)
            .with("field", path),
        Refusal::HolderCapReached { asset, cap, wanted } => {
            state("HOLDER_CAP_REACHED").with("asset", asset).with("cap", cap).with("wanted", wanted).with("field", path)
        }
        Refusal::NotTransferable(asset) => state("NOT_TRANSFERABLE").with("asset", asset_name(asset)),
        Refusal::Overflow(asset) => state("AMOUNT_TOO_LARGE").with("asset", asset),
        Refusal::NoMovement => Error::field(FieldViolation::new(format!("{path}.to"), "NO_MOVEMENT")),
        Refusal::NoSuchTransfer(id) => Error::not_found(convert::transfer_name(area, *id)),
        Refusal::AlreadyReversed { transfer, by } => state("ALREADY_REVERSED")
            .with("transfer", convert::transfer_name(area, *transfer))
            .with("by", convert::transfer_name(area, *by)),
        Refusal::TransferOfHold(id) => state("TRANSFER_OF_HOLD").with("transfer", convert::transfer_name(area, *id)),
        Refusal::TransferIsReversal(id) => {
            state("TRANSFER_IS_REVERSAL").with("transfer", convert::transfer_name(area, *id))
        }
        Refusal::AwardRedeemed { transfer, card } => state("AWARD_REDEEMED")
            .with("transfer", convert::transfer_name(area, *transfer))
            .with("card", convert::card_name(area, *card)),
        Refusal::NoSuchHold(id) => Error::not_found(convert::hold_name(area, *id)),
        Refusal::HoldNotOpen { hold, state: at } => {
            state("HOLD_NOT_OPEN").with("hold", convert::hold_name(area, *hold)).with("state", at.as_str())
        }
        Refusal::CaptureTooLarge { held } => Error::field(super::out_of_range("value", 1, held)),
        Refusal::NoSuchReward(reward) => Error::field(
            FieldViolation::new("redemption.reward", "REFERENCE_NOT_FOUND").arg("value", reward_name(reward)),
        ),
        Refusal::RewardArchived(reward) => state("REWARD_ARCHIVED").with("reward", reward_name(reward)),
        Refusal::OutOfStock { reward, left, wanted } => {
            state("OUT_OF_STOCK").with("reward", reward_name(reward)).with("left", left).with("wanted", wanted)
        }
        Refusal::CardOnly(reward) => state("CARD_REQUIRED").with("reward", reward_name(reward)),
        Refusal::NoSuchCard(card) => Error::field(
            FieldViolation::new("redemption.card", "REFERENCE_NOT_FOUND").arg("value", convert::card_name(area, *card)),
        ),
        Refusal::CardNotYours(card) => state("CARD_NOT_YOURS").with("card", convert::card_name(area, *card)),
        Refusal::CardNotFull { card, stamps, needed } => state("CARD_NOT_FULL")
            .with("card", convert::card_name(area, *card))
            .with("stamps", stamps)
            .with("needed", needed),
        Refusal::CardRedeemed(card) => state("CARD_REDEEMED").with("card", convert::card_name(area, *card)),
        Refusal::CardOfAnotherReward { card, pays } => state("CARD_OF_ANOTHER_REWARD")
            .with("card", convert::card_name(area, *card))
            .with("pays", reward_name(pays)),
    }
}
