//! Rows as domain values and back.

use linli_kernel::{Id, Timestamp};
use linli_kit::{Error, Result};
use sea_orm::{QueryResult, TryGetable};
use uuid::Uuid;

use crate::domain::{
    Account, AccountKey, Card, CardState, CardTerms, Entry, Hold, HoldState, Holder, PersonId, Redemption, RewardTerms,
    Transfer, TransferId, TransferKind,
};

/// One column of a row.
pub(crate) fn get<T: TryGetable>(row: &QueryResult, column: &str) -> Result<T> {
    Ok(row.try_get::<T>("", column)?)
}

/// An id.
pub(crate) fn id<I: Id>(row: &QueryResult, column: &str) -> Result<I> {
    get::<Uuid>(row, column).map(I::from_uuid)
}

fn optional_id<I: Id>(row: &QueryResult, column: &str) -> Result<Option<I>> {
    Ok(get::<Option<Uuid>>(row, column)?.map(I::from_uuid))
}

fn instant(row: &QueryResult, column: &str) -> Result<Timestamp> {
    get(row, column).map(Timestamp::from_micros)
}

fn small(row: &QueryResult, column: &str) -> Result<i32> {
    i32::try_from(get::<i64>(row, column)?).map_err(Error::internal)
}

fn holder(row: &QueryResult, column: &str) -> Result<Holder> {
    let text: String = get(row, column)?;
    Holder::parse(&text).ok_or_else(|| Error::internal(format!("column {column} names no holder")))
}

/// A column that names a person.
pub(crate) fn person(row: &QueryResult, column: &str) -> Result<PersonId> {
    match holder(row, column)? {
        Holder::Person(id) => Ok(id),
        Holder::Purpose(_) => Err(Error::internal(format!("column {column} names no person"))),
    }
}

/// An account with its key.
pub(crate) fn account(row: &QueryResult) -> Result<(AccountKey, Account)> {
    let key = AccountKey::new(get::<String>(row, "asset")?, holder(row, "holder")?);
    let account = Account { balance: get(row, "balance")?, held: get(row, "held")?, version: get(row, "version")? };
    Ok((key, account))
}

/// The number of a kind, as the contract counts.
pub(crate) fn kind_code(kind: TransferKind) -> i64 {
    match kind {
        TransferKind::Direct => 1,
        TransferKind::Capture => 2,
        TransferKind::Redemption => 3,
        TransferKind::Award => 4,
        TransferKind::Reversal => 5,
    }
}

fn kind(code: i64) -> Result<TransferKind> {
    match code {
        1 => Ok(TransferKind::Direct),
        2 => Ok(TransferKind::Capture),
        3 => Ok(TransferKind::Redemption),
        4 => Ok(TransferKind::Award),
        5 => Ok(TransferKind::Reversal),
        _ => Err(Error::internal(format!("{code} is no kind of transfer"))),
    }
}

/// A transfer.
pub(crate) fn transfer(row: &QueryResult) -> Result<Transfer> {
    Ok(Transfer {
        id: id(row, "id")?,
        asset: get(row, "asset")?,
        value: get(row, "value")?,
        from: holder(row, "from_holder")?,
        to: holder(row, "to_holder")?,
        kind: kind(get(row, "kind")?)?,
        cause: get(row, "cause")?,
        reverses: optional_id(row, "reverses")?,
        reversed_by: optional_id(row, "reversed_by")?,
        created: instant(row, "created_us")?,
    })
}

/// An entry.
pub(crate) fn entry(row: &QueryResult) -> Result<Entry> {
    let account: String = get(row, "account")?;
    Ok(Entry {
        id: id(row, "id")?,
        account: AccountKey::parse(&account).ok_or_else(|| Error::internal("an entry names no account"))?,
        seq: get(row, "seq")?,
        value: get(row, "value")?,
        balance_after: get(row, "balance_after")?,
        created: instant(row, "created_us")?,
    })
}

/// The number of a hold's state, as the contract counts, and its transfer.
pub(crate) fn hold_code(state: HoldState) -> (i64, Option<Uuid>) {
    match state {
        HoldState::Placed => (1, None),
        HoldState::Captured(transfer) => (2, Some(transfer.uuid())),
        HoldState::Voided => (3, None),
        HoldState::Expired => (4, None),
    }
}

fn hold_state(code: i64, transfer: Option<TransferId>) -> Result<HoldState> {
    match (code, transfer) {
        (1, None) => Ok(HoldState::Placed),
        (2, Some(transfer)) => Ok(HoldState::Captured(transfer)),
        (3, None) => Ok(HoldState::Voided),
        (4, None) => Ok(HoldState::Expired),
        _ => Err(Error::internal(format!("{code} is no state of a hold"))),
    }
}

/// A hold.
pub(crate) fn hold(row: &QueryResult) -> Result<Hold> {
    Ok(Hold {
        id: id(row, "id")?,
        asset: get(row, "asset")?,
        value: get(row, "value")?,
        from: holder(row, "from_holder")?,
        to: holder(row, "to_holder")?,
        expires: instant(row, "expires_us")?,
        cause: get(row, "cause")?,
        state: hold_state(get(row, "state")?, optional_id(row, "transfer_id")?)?,
        created: instant(row, "created_us")?,
    })
}

/// The number of a card's state, as the contract counts, and since when it has been full.
pub(crate) fn card_code(state: CardState) -> (i64, Option<i64>) {
    match state {
        CardState::Open => (1, None),
        CardState::Full(since) => (2, Some(since.micros())),
        CardState::Redeemed(since) => (3, Some(since.micros())),
        CardState::Withdrawn => (4, None),
    }
}

fn card_state(code: i64, full: Option<i64>) -> Result<CardState> {
    match (code, full.map(Timestamp::from_micros)) {
        (1, None) => Ok(CardState::Open),
        (2, Some(since)) => Ok(CardState::Full(since)),
        (3, Some(since)) => Ok(CardState::Redeemed(since)),
        (4, None) => Ok(CardState::Withdrawn),
        _ => Err(Error::internal(format!("{code} is no state of a card"))),
    }
}

/// A card.
pub(crate) fn card(row: &QueryResult) -> Result<Card> {
    Ok(Card {
        id: id(row, "id")?,
        holder: person(row, "holder")?,
        terms: CardTerms {
            card_type: get(row, "card_type")?,
            asset: get(row, "asset")?,
            needed: small(row, "needed")?,
            reward: get(row, "reward")?,
        },
        stamps: small(row, "stamps")?,
        state: card_state(get(row, "state")?, get(row, "full_us")?)?,
        version: get(row, "version")?,
        created: instant(row, "created_us")?,
    })
}

/// The terms of a reward with its id.
pub(crate) fn reward(row: &QueryResult) -> Result<(String, RewardTerms)> {
    let terms = RewardTerms {
        asset: get(row, "asset")?,
        price: get(row, "price")?,
        supplied: get(row, "supplied")?,
        redeemed: get(row, "redeemed")?,
        payee: holder(row, "payee")?,
        archived: get::<i64>(row, "archived")? != 0,
        card_only: get::<i64>(row, "card_only")? != 0,
    };
    Ok((get(row, "reward")?, terms))
}

/// A redemption.
pub(crate) fn redemption(row: &QueryResult) -> Result<Redemption> {
    Ok(Redemption {
        id: id(row, "id")?,
        reward: get(row, "reward")?,
        holder: person(row, "holder")?,
        quantity: small(row, "quantity")?,
        card: optional_id(row, "card_id")?,
        transfer: optional_id(row, "transfer_id")?,
        redeemed_by: get(row, "redeemed_by")?,
        reversed_by: optional_id(row, "reversed_by")?,
        created: instant(row, "created_us")?,
    })
}
