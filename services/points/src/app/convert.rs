//! Domain values in the form of the contract.

use linli_kit::Result;
use linli_kit::check::timestamp;
use linli_proto::common::{Amount, Reason};
use linli_proto::points as pb;
use prost::Message as _;

use crate::domain::{
    Account, AccountKey, Card, CardId, CardState, Entry, Hold, HoldId, HoldState, PersonId, Redemption, RedemptionId,
    Transfer, TransferId, TransferKind,
};
use crate::store::awards::AwardRow;

pub(crate) fn transfer_name(area: &str, id: TransferId) -> String {
    format!("areas/{area}/transfers/{id}")
}

pub(crate) fn hold_name(area: &str, id: HoldId) -> String {
    format!("areas/{area}/holds/{id}")
}

pub(crate) fn card_name(area: &str, id: CardId) -> String {
    format!("areas/{area}/cards/{id}")
}

pub(crate) fn redemption_name(area: &str, id: RedemptionId) -> String {
    format!("areas/{area}/redemptions/{id}")
}

pub(crate) fn person_name(area: &str, id: PersonId) -> String {
    format!("areas/{area}/people/{id}")
}

fn amount(asset: &str, value: i64) -> Option<Amount> {
    Some(Amount { asset: asset.to_owned(), value })
}

pub(crate) fn kind(kind: TransferKind) -> pb::TransferKind {
    match kind {
        TransferKind::Direct => pb::TransferKind::Direct,
        TransferKind::Capture => pb::TransferKind::Capture,
        TransferKind::Redemption => pb::TransferKind::Redemption,
        TransferKind::Award => pb::TransferKind::Award,
        TransferKind::Reversal => pb::TransferKind::Reversal,
    }
}

/// The state, and the version that a hold has in it: it changes once.
pub(crate) fn hold_state(state: HoldState) -> (pb::HoldState, i64) {
    match state {
        HoldState::Placed => (pb::HoldState::Placed, 1),
        HoldState::Captured(_) => (pb::HoldState::Captured, 2),
        HoldState::Voided => (pb::HoldState::Voided, 2),
        HoldState::Expired => (pb::HoldState::Expired, 2),
    }
}

pub(crate) fn card_state(state: CardState) -> pb::CardState {
    match state {
        CardState::Open => pb::CardState::Open,
        CardState::Full(_) => pb::CardState::Full,
        CardState::Redeemed(_) => pb::CardState::Redeemed,
        CardState::Withdrawn => pb::CardState::Withdrawn,
    }
}

pub(crate) fn account(area: &str, key: &AccountKey, account: Account) -> pb::Account {
    pb::Account {
        name: format!("areas/{area}/accounts/{key}"),
        asset: key.asset.clone(),
        holder: key.holder.name(area),
        balance: account.balance,
        held: account.held,
        available: account.available(),
    }
}

pub(crate) fn transfer(area: &str, transfer: &Transfer) -> pb::Transfer {
    let name = |id: Option<TransferId>| id.map(|id| transfer_name(area, id)).unwrap_or_default();
    pb::Transfer {
        name: transfer_name(area, transfer.id),
        amount: amount(&transfer.asset, transfer.value),
        from: transfer.from.name(area),
        to: transfer.to.name(area),
        kind: kind(transfer.kind).into(),
        cause: transfer.cause.clone(),
        reverses: name(transfer.reverses),
        reversed_by: name(transfer.reversed_by),
        create_time: Some(timestamp(transfer.created)),
    }
}

pub(crate) fn transfer_posted(area: &str, transfer: &Transfer) -> pb::TransferPosted {
    pb::TransferPosted {
        transfer: transfer_name(area, transfer.id),
        amount: amount(&transfer.asset, transfer.value),
        from: transfer.from.name(area),
        to: transfer.to.name(area),
        kind: kind(transfer.kind).into(),
        cause: transfer.cause.clone(),
    }
}

pub(crate) fn entry(area: &str, entry: &Entry) -> pb::Entry {
    pb::Entry {
        name: format!("areas/{area}/entries/{}", entry.id),
        transfer: transfer_name(area, entry.id.transfer()),
        account: format!("areas/{area}/accounts/{}", entry.account),
        value: entry.value,
        balance_after: entry.balance_after,
        create_time: Some(timestamp(entry.created)),
    }
}

pub(crate) fn hold(area: &str, hold: &Hold) -> pb::Hold {
    let transfer = match hold.state {
        HoldState::Captured(id) => transfer_name(area, id),
        HoldState::Placed | HoldState::Voided | HoldState::Expired => String::new(),
    };
    pb::Hold {
        name: hold_name(area, hold.id),
        amount: amount(&hold.asset, hold.value),
        from: hold.from.name(area),
        to: hold.to.name(area),
        expire_time: Some(timestamp(hold.expires)),
        cause: hold.cause.clone(),
        state: hold_state(hold.state).0.into(),
        transfer,
        create_time: Some(timestamp(hold.created)),
    }
}

pub(crate) fn card(area: &str, card: &Card) -> pb::Card {
    let full = match card.state {
        CardState::Open | CardState::Withdrawn => None,
        CardState::Full(since) | CardState::Redeemed(since) => Some(timestamp(since)),
    };
    pb::Card {
        name: card_name(area, card.id),
        card_type: format!("areas/{area}/cardTypes/{}", card.terms.card_type),
        holder: person_name(area, card.holder),
        stamps: card.stamps,
        state: card_state(card.state).into(),
        full_time: full,
        create_time: Some(timestamp(card.created)),
    }
}

pub(crate) fn redemption(area: &str, redemption: &Redemption) -> pb::Redemption {
    pb::Redemption {
        name: redemption_name(area, redemption.id),
        reward: format!("areas/{area}/rewards/{}", redemption.reward),
        holder: person_name(area, redemption.holder),
        quantity: redemption.quantity,
        card: redemption.card.map(|id| card_name(area, id)).unwrap_or_default(),
        transfer: redemption.transfer.map(|id| transfer_name(area, id)).unwrap_or_default(),
        redeemed_by: redemption.redeemed_by.clone(),
        reversed_by: redemption.reversed_by.map(|id| transfer_name(area, id)).unwrap_or_default(),
        create_time: Some(timestamp(redemption.created)),
    }
}

/// An award; its reasons in both languages, the message in the caller's.
pub(crate) fn award(row: &AwardRow, lang: linli_kernel::Lang) -> Result<pb::Award> {
    // The reasons are stored as an award with nothing else in it.
    let mut reasons = pb::Award::decode(row.reasons.as_slice()).map_err(linli_kit::Error::internal)?.reasons;
    for reason in &mut reasons {
        localise(reason, lang);
    }
    let area = &row.area;
    Ok(pb::Award {
        name: format!("areas/{area}/awards/{}", row.id),
        award_binding: row.binding.clone(),
        event: row.event.clone(),
        source: row.source.clone(),
        recipient: format!("areas/{area}/people/{}", row.recipient),
        amount: amount(&row.asset, row.value),
        transfer: row.transfer.map(|id| transfer_name(area, id)).unwrap_or_default(),
        reasons,
        digest: row.digest.clone(),
        create_time: Some(timestamp(row.created)),
    })
}

pub(crate) fn localise(reason: &mut Reason, lang: linli_kernel::Lang) {
    if let Some(text) = &reason.text {
        let text = linli_kernel::Text::new(text.zh_cn.clone(), text.en.clone());
        text.get(lang).clone_into(&mut reason.message);
    }
}

/// Reasons as bytes of a row.
pub(crate) fn encode_reasons(reasons: Vec<Reason>) -> Vec<u8> {
    pb::Award { reasons, ..pb::Award::default() }.encode_to_vec()
}
