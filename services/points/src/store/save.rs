//! Writes what changed in the books of a batch, with a statement per kind of row.

use linli_kernel::Id;
use linli_kit::Result;
use linli_kit::store::Tx;
use uuid::Uuid;

use super::dialect::{Column, texts, write};
use super::load::Books;
use super::rows::{card_code, hold_code, kind_code};
use crate::domain::{
    Account, AccountKey, Card, CardState, Change, Hold, Redemption, RedemptionId, RewardTerms, Transfer,
};

/// Changed rows of one kind in all areas: those that are new, those that were there.
struct Split<'a, K, V> {
    new: Vec<(&'a str, &'a K, &'a V)>,
    changed: Vec<(&'a str, &'a K, &'a V)>,
}

impl<'a, K, V> Split<'a, K, V> {
    fn of(rows: impl Iterator<Item = (&'a str, Vec<(&'a K, &'a V, Change)>)>) -> Self {
        let mut split = Self { new: Vec::new(), changed: Vec::new() };
        for (area, changes) in rows {
            for (key, row, change) in changes {
                match change {
                    Change::New => split.new.push((area, key, row)),
                    Change::Changed => split.changed.push((area, key, row)),
                }
            }
        }
        split
    }
}

/// Opens the accounts that are new, empty; false when another process opened one of them first.
///
/// A row that is not there cannot be locked. When this says false, the row is there and the other process is done: load
/// and decide again.
pub(crate) async fn open_accounts(tx: &Tx<'_>, books: &Books) -> Result<bool> {
    let split = Split::of(books.iter().map(|(area, book)| (area.as_str(), book.accounts.changes())));
    let opened =
        write(tx, texts(tx.engine()).insert_accounts, account_columns(&split.new, |_| Account::default())).await?;
    Ok(opened == split.new.len() as u64)
}

/// Writes all changes; the accounts are open.
///
/// # Errors
/// Those of the database.
pub(crate) async fn save(tx: &Tx<'_>, books: &Books) -> Result<()> {
    save_accounts(tx, &Split::of(books.iter().map(|(area, book)| (area.as_str(), book.accounts.changes())))).await?;
    save_transfers(tx, &Split::of(books.iter().map(|(area, book)| (area.as_str(), book.transfers.changes())))).await?;
    save_entries(tx, books).await?;
    save_holds(tx, &Split::of(books.iter().map(|(area, book)| (area.as_str(), book.holds.changes())))).await?;
    save_cards(tx, &Split::of(books.iter().map(|(area, book)| (area.as_str(), book.cards.changes())))).await?;
    save_rewards(tx, &Split::of(books.iter().map(|(area, book)| (area.as_str(), book.rewards.changes())))).await?;
    save_redemptions(tx, &Split::of(books.iter().map(|(area, book)| (area.as_str(), book.redemptions.changes()))))
        .await?;
    save_stamps(tx, books).await
}

fn text<T>(rows: &[T], pick: impl Fn(&T) -> String) -> Column {
    Column::Text(rows.iter().map(pick).collect())
}

fn int<T>(rows: &[T], pick: impl Fn(&T) -> i64) -> Column {
    Column::Int(rows.iter().map(pick).collect())
}

fn id<T>(rows: &[T], pick: impl Fn(&T) -> Uuid) -> Column {
    Column::Id(rows.iter().map(pick).collect())
}

fn optional<T>(rows: &[T], pick: impl Fn(&T) -> Option<Uuid>) -> Column {
    Column::OptId(rows.iter().map(pick).collect())
}

/// Columns of accounts, with the figures that `pick` gives.
fn account_columns(rows: &[(&str, &AccountKey, &Account)], pick: impl Fn(&Account) -> Account) -> Vec<Column> {
    vec![
        text(rows, |(area, _, _)| (*area).to_owned()),
        text(rows, |(_, key, _)| key.asset.clone()),
        text(rows, |(_, key, _)| key.holder.to_string()),
        int(rows, |(_, _, account)| pick(account).balance),
        int(rows, |(_, _, account)| pick(account).held),
        int(rows, |(_, _, account)| pick(account).version),
    ]
}

async fn save_accounts(tx: &Tx<'_>, split: &Split<'_, AccountKey, Account>) -> Result<()> {
    let sql = texts(tx.engine()).update_accounts;
    let rows: Vec<_> = split.new.iter().chain(&split.changed).copied().collect();
    write(tx, sql, account_columns(&rows, |account| *account)).await?;
    Ok(())
}

async fn save_transfers(tx: &Tx<'_>, split: &Split<'_, crate::domain::TransferId, Transfer>) -> Result<()> {
    let sql = texts(tx.engine());
    let rows = &split.new;
    let columns = vec![
        text(rows, |(area, _, _)| (*area).to_owned()),
        id(rows, |(_, key, _)| key.uuid()),
        text(rows, |(_, _, t)| t.asset.clone()),
        int(rows, |(_, _, t)| t.value),
        text(rows, |(_, _, t)| t.from.to_string()),
        text(rows, |(_, _, t)| t.to.to_string()),
        int(rows, |(_, _, t)| kind_code(t.kind)),
        text(rows, |(_, _, t)| t.cause.clone()),
        optional(rows, |(_, _, t)| t.reverses.map(Id::uuid)),
        int(rows, |(_, _, t)| t.created.micros()),
    ];
    write(tx, sql.insert_transfers, columns).await?;
    // One that was posted and reversed in the same batch is new and reversed.
    let reversed: Vec<_> =
        rows.iter().chain(&split.changed).filter_map(|(area, key, t)| Some((area, key, t.reversed_by?))).collect();
    let columns = vec![
        text(&reversed, |(area, _, _)| (**area).to_owned()),
        id(&reversed, |(_, key, _)| key.uuid()),
        id(&reversed, |(_, _, by)| by.uuid()),
    ];
    write(tx, sql.mark_reversed, columns).await?;
    Ok(())
}

async fn save_entries(tx: &Tx<'_>, books: &Books) -> Result<()> {
    let rows: Vec<_> = books.iter().flat_map(|(area, book)| book.entries().iter().map(move |e| (area, e))).collect();
    let columns = vec![
        text(&rows, |(area, _)| (*area).clone()),
        id(&rows, |(_, e)| e.id.transfer().uuid()),
        id(&rows, |(_, e)| e.id.uuid()),
        text(&rows, |(_, e)| e.account.to_string()),
        int(&rows, |(_, e)| e.seq),
        int(&rows, |(_, e)| e.value),
        int(&rows, |(_, e)| e.balance_after),
        int(&rows, |(_, e)| e.created.micros()),
    ];
    write(tx, texts(tx.engine()).insert_entries, columns).await?;
    Ok(())
}

async fn save_holds(tx: &Tx<'_>, split: &Split<'_, crate::domain::HoldId, Hold>) -> Result<()> {
    let sql = texts(tx.engine());
    let rows = &split.new;
    let columns = vec![
        text(rows, |(area, _, _)| (*area).to_owned()),
        id(rows, |(_, key, _)| key.uuid()),
        text(rows, |(_, _, h)| h.asset.clone()),
        int(rows, |(_, _, h)| h.value),
        text(rows, |(_, _, h)| h.from.to_string()),
        text(rows, |(_, _, h)| h.to.to_string()),
        int(rows, |(_, _, h)| h.expires.micros()),
        text(rows, |(_, _, h)| h.cause.clone()),
        int(rows, |(_, _, h)| hold_code(h.state).0),
        int(rows, |(_, _, h)| h.created.micros()),
        optional(rows, |(_, _, h)| hold_code(h.state).1),
    ];
    write(tx, sql.insert_holds, columns).await?;
    let rows = &split.changed;
    let columns = vec![
        text(rows, |(area, _, _)| (*area).to_owned()),
        id(rows, |(_, key, _)| key.uuid()),
        int(rows, |(_, _, h)| hold_code(h.state).0),
        optional(rows, |(_, _, h)| hold_code(h.state).1),
    ];
    write(tx, sql.update_holds, columns).await?;
    Ok(())
}

async fn save_cards(tx: &Tx<'_>, split: &Split<'_, crate::domain::CardId, Card>) -> Result<()> {
    let sql = texts(tx.engine());
    let full = |rows: &[(&str, &crate::domain::CardId, &Card)]| {
        Column::OptInt(rows.iter().map(|(_, _, c)| card_code(c.state).1).collect())
    };
    // Of somebody's cards one is open at most: those that no longer are first, then the one that takes their place.
    let (open, closed): (Vec<_>, Vec<_>) =
        split.changed.iter().copied().partition(|(_, _, card)| card.state == CardState::Open);
    for rows in [&closed, &open] {
        let columns = vec![
            text(rows, |(area, _, _)| (*area).to_owned()),
            id(rows, |(_, key, _)| key.uuid()),
            int(rows, |(_, _, c)| i64::from(c.stamps)),
            int(rows, |(_, _, c)| card_code(c.state).0),
            full(rows),
            int(rows, |(_, _, c)| c.version),
        ];
        write(tx, sql.update_cards, columns).await?;
    }
    let rows = &split.new;
    let columns = vec![
        text(rows, |(area, _, _)| (*area).to_owned()),
        id(rows, |(_, key, _)| key.uuid()),
        text(rows, |(_, _, c)| c.terms.card_type.clone()),
        text(rows, |(_, _, c)| c.holder.to_string()),
        text(rows, |(_, _, c)| c.terms.asset.clone()),
        int(rows, |(_, _, c)| i64::from(c.terms.needed)),
        text(rows, |(_, _, c)| c.terms.reward.clone()),
        int(rows, |(_, _, c)| i64::from(c.stamps)),
        int(rows, |(_, _, c)| card_code(c.state).0),
        full(rows),
        int(rows, |(_, _, c)| c.version),
        int(rows, |(_, _, c)| c.created.micros()),
    ];
    write(tx, sql.insert_cards, columns).await?;
    Ok(())
}

async fn save_rewards(tx: &Tx<'_>, split: &Split<'_, String, RewardTerms>) -> Result<()> {
    let rows = &split.changed;
    let columns = vec![
        text(rows, |(area, _, _)| (*area).to_owned()),
        text(rows, |(_, reward, _)| (*reward).clone()),
        int(rows, |(_, _, terms)| terms.redeemed),
    ];
    write(tx, texts(tx.engine()).update_rewards, columns).await?;
    Ok(())
}

async fn save_redemptions(tx: &Tx<'_>, split: &Split<'_, RedemptionId, Redemption>) -> Result<()> {
    let sql = texts(tx.engine());
    let rows = &split.new;
    let columns = vec![
        text(rows, |(area, _, _)| (*area).to_owned()),
        id(rows, |(_, key, _)| key.uuid()),
        text(rows, |(_, _, r)| r.reward.clone()),
        text(rows, |(_, _, r)| r.holder.to_string()),
        int(rows, |(_, _, r)| i64::from(r.quantity)),
        optional(rows, |(_, _, r)| r.card.map(Id::uuid)),
        optional(rows, |(_, _, r)| r.transfer.map(Id::uuid)),
        text(rows, |(_, _, r)| r.redeemed_by.clone()),
        int(rows, |(_, _, r)| r.created.micros()),
    ];
    write(tx, sql.insert_redemptions, columns).await?;
    let returned: Vec<_> =
        split.changed.iter().filter_map(|(area, key, r)| Some((area, key, r.reversed_by?))).collect();
    let columns = vec![
        text(&returned, |(area, _, _)| (**area).to_owned()),
        id(&returned, |(_, key, _)| key.uuid()),
        id(&returned, |(_, _, by)| by.uuid()),
    ];
    write(tx, sql.mark_returned, columns).await?;
    Ok(())
}

/// What reversals took off cards; what awards put on them is written with the awards.
async fn save_stamps(tx: &Tx<'_>, books: &Books) -> Result<()> {
    let rows: Vec<_> = books.iter().flat_map(|(area, book)| book.stamps().iter().map(move |s| (area, s))).collect();
    let columns = vec![
        text(&rows, |(area, _)| (*area).clone()),
        id(&rows, |(_, s)| s.card.uuid()),
        id(&rows, |(_, s)| s.cause.uuid()),
        int(&rows, |(_, s)| s.units),
    ];
    write(tx, texts(tx.engine()).insert_stamps, columns).await?;
    Ok(())
}
