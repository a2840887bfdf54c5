//! Loads the books of a batch: everything that its commands touch, locked in one order, with a statement per kind of row.

use std::collections::{BTreeMap, BTreeSet};

use linli_kernel::Id;
use linli_kit::Result;
use linli_kit::store::Tx;
use linli_proto::points::Asset;
use prost::Message as _;
use sea_orm::QueryResult;
use uuid::Uuid;

use super::dialect::{Column, read, texts};
use super::rows;
use crate::domain::{
    Account, AccountKey, AssetTerms, Book, CardId, CardTerms, Command, HoldId, Holder, PersonId, TransferId,
};

/// What the commands of a batch name.
#[derive(Debug, Default, Clone)]
pub(crate) struct Needs {
    holds: BTreeSet<(String, HoldId)>,
    transfers: BTreeSet<(String, TransferId)>,
    cards: BTreeSet<(String, CardId)>,
    rewards: BTreeSet<(String, String)>,
    accounts: BTreeSet<(String, AccountKey)>,
    live_cards: BTreeSet<(String, PersonId, String)>,
    areas: BTreeSet<String>,
}

/// The books of a batch, by area.
pub(crate) type Books = BTreeMap<String, Book>;

impl Needs {
    /// Adds what a command in an area touches.
    pub(crate) fn add(&mut self, area: &str, command: &Command) {
        self.areas.insert(area.to_owned());
        let at = || area.to_owned();
        match command {
            Command::Transfer(order) => {
                self.account(area, &order.asset, &order.from);
                self.account(area, &order.asset, &order.to);
            }
            Command::PlaceHold(order) => self.account(area, &order.asset, &order.from),
            Command::Reverse { transfer, .. } => {
                self.transfers.insert((at(), *transfer));
            }
            Command::Capture { hold, .. } | Command::Void { hold } | Command::Expire { hold } => {
                self.holds.insert((at(), *hold));
            }
            Command::Redeem(order) => {
                self.rewards.insert((at(), order.reward.clone()));
                self.cards.extend(order.card.map(|card| (at(), card)));
            }
        }
    }

    /// Adds an account.
    pub(crate) fn account(&mut self, area: &str, asset: &str, holder: &Holder) {
        self.areas.insert(area.to_owned());
        self.accounts.insert((area.to_owned(), AccountKey::new(asset, holder.clone())));
    }

    /// Adds the cards of a holder and type that are not redeemed; the holder's account of the asset is added as well.
    pub(crate) fn live_cards(&mut self, area: &str, holder: PersonId, terms: &CardTerms) {
        self.account(area, &terms.asset, &Holder::Person(holder));
        self.live_cards.insert((area.to_owned(), holder, terms.card_type.clone()));
    }

    /// What redemptions need beside the holder: the accounts of the price's asset are known once the reward is loaded, or
    /// the asset of the card that pays.
    fn accounts_of_redemptions<'a>(
        &mut self,
        books: &Books,
        cards: &BTreeMap<(String, CardId), String>,
        commands: impl IntoIterator<Item = (&'a str, &'a Command)>,
    ) {
        for (area, command) in commands {
            let (Command::Redeem(order), Some(book)) = (command, books.get(area)) else { continue };
            let Some(terms) = book.rewards.get(&order.reward) else { continue };
            let card = order.card.and_then(|id| cards.get(&(area.to_owned(), id)));
            let (asset, payee) = (card.unwrap_or(&terms.asset).clone(), terms.payee.clone());
            self.account(area, &asset, &Holder::Person(order.holder));
            self.account(area, &asset, &payee);
        }
    }
}

/// Loads the books for commands, each with its area. `chain` gives an area and those above it, nearest first.
///
/// Locks holds, transfers, rewards, accounts, then cards, each in the order of their keys, so that batches of several
/// processes do not deadlock. Whoever changes cards has their holder's account by then: nobody else has the cards.
pub(crate) async fn load<'a>(
    tx: &Tx<'_>,
    mut needs: Needs,
    commands: impl IntoIterator<Item = (&'a str, &'a Command)>,
    chain: impl Fn(&str) -> Vec<String>,
) -> Result<Books> {
    let sql = texts(tx.engine());
    let mut books: Books = needs.areas.iter().map(|area| (area.clone(), Book::new(area.clone(), []))).collect();
    for row in read(tx, sql.holds, ids(&needs.holds)).await? {
        let (area, hold) = (rows::get::<String>(&row, "area")?, rows::hold(&row)?);
        needs.account(&area, &hold.asset, &hold.from);
        needs.account(&area, &hold.asset, &hold.to);
        books.entry(area).or_default().holds.load(hold.id, hold);
    }
    for row in read(tx, sql.transfers, ids(&needs.transfers)).await? {
        let (area, transfer) = (rows::get::<String>(&row, "area")?, rows::transfer(&row)?);
        needs.account(&area, &transfer.asset, &transfer.from);
        needs.account(&area, &transfer.asset, &transfer.to);
        books.entry(area).or_default().transfers.load(transfer.id, transfer);
    }
    load_brought_about(tx, &mut needs, &mut books).await?;
    let (areas, rewards) = needs.rewards.iter().cloned().unzip();
    for row in read(tx, sql.rewards, vec![Column::Text(areas), Column::Text(rewards)]).await? {
        let (id, terms) = rows::reward(&row)?;
        books.entry(rows::get(&row, "area")?).or_default().rewards.load(id, terms);
    }
    let cards = card_assets(tx, &needs).await?;
    needs.accounts_of_redemptions(&books, &cards, commands);
    load_assets(tx, &needs, &mut books, chain).await?;
    load_accounts(tx, &needs, &mut books).await?;
    load_cards(tx, &needs, &mut books).await?;
    Ok(books)
}

fn ids<I: Id>(keys: &BTreeSet<(String, I)>) -> Vec<Column> {
    let (areas, ids): (Vec<String>, Vec<Uuid>) = keys.iter().map(|(area, id)| (area.clone(), id.uuid())).unzip();
    vec![Column::Text(areas), Column::Id(ids)]
}

/// What the loaded transfers brought with them: the redemptions that they paid, the cards that their awards stamped.
async fn load_brought_about(tx: &Tx<'_>, needs: &mut Needs, books: &mut Books) -> Result<()> {
    let sql = texts(tx.engine());
    for row in read(tx, sql.redemptions, ids(&needs.transfers)).await? {
        let (area, redemption) = (rows::get::<String>(&row, "area")?, rows::redemption(&row)?);
        needs.rewards.insert((area.clone(), redemption.reward.clone()));
        needs.cards.extend(redemption.card.map(|card| (area.clone(), card)));
        books.entry(area).or_default().redemptions.load(redemption.id, redemption);
    }
    for row in read(tx, sql.stamped, ids(&needs.transfers)).await? {
        let area: String = rows::get(&row, "area")?;
        let (transfer, card) = (rows::id::<TransferId>(&row, "transfer_id")?, rows::id::<CardId>(&row, "id")?);
        needs.cards.insert((area.clone(), card));
        needs.live_cards.insert((area.clone(), rows::person(&row, "holder")?, rows::get(&row, "card_type")?));
        books.entry(area).or_default().load_stamp(transfer, card, rows::get(&row, "units")?);
    }
    Ok(())
}

/// The asset of each card that is named.
async fn card_assets(tx: &Tx<'_>, needs: &Needs) -> Result<BTreeMap<(String, CardId), String>> {
    let found = read(tx, texts(tx.engine()).card_assets, ids(&needs.cards)).await?;
    let read = |row: &QueryResult| {
        let key = (rows::get::<String>(row, "area")?, rows::id::<CardId>(row, "id")?);
        Ok((key, rows::get::<String>(row, "asset")?))
    };
    found.iter().map(read).collect()
}

async fn load_accounts(tx: &Tx<'_>, needs: &Needs, books: &mut Books) -> Result<()> {
    let mut columns = [Vec::new(), Vec::new(), Vec::new()];
    for (area, key) in &needs.accounts {
        columns[0].push(area.clone());
        columns[1].push(key.asset.clone());
        columns[2].push(key.holder.to_string());
    }
    let sql = texts(tx.engine()).accounts;
    for row in read(tx, sql, columns.map(Column::Text).into()).await? {
        let (key, account) = rows::account(&row)?;
        books.entry(rows::get(&row, "area")?).or_default().accounts.load(key, account);
    }
    Ok(())
}

/// All accounts of some holders (short forms), as they are at this moment.
pub(crate) async fn holders_accounts(
    tx: &Tx<'_>,
    area: &str,
    holders: &[String],
) -> Result<Vec<(AccountKey, Account)>> {
    let found = read(tx, texts(tx.engine()).holders_accounts, of_holders(area, holders)).await?;
    found.iter().map(rows::account).collect()
}

/// Takes the locks of some holders (short forms, in order) until the transaction ends: whoever decides about them by their
/// accounts does so one after the other. Who has no account yet has no row that could be locked.
///
/// Before any row of the ledger is locked.
pub(crate) async fn lock_holders(tx: &Tx<'_>, area: &str, holders: &[String]) -> Result<()> {
    if let Some(sql) = texts(tx.engine()).lock_holders {
        read(tx, sql, of_holders(area, holders)).await?;
    }
    Ok(())
}

fn of_holders(area: &str, holders: &[String]) -> Vec<Column> {
    vec![Column::Text(vec![area.to_owned(); holders.len()]), Column::Text(holders.to_vec())]
}

/// The cards that are named, and those that are not redeemed of the holders and types that are named.
async fn load_cards(tx: &Tx<'_>, needs: &Needs, books: &mut Books) -> Result<()> {
    let sql = texts(tx.engine());
    let mut columns = [Vec::new(), Vec::new(), Vec::new()];
    for (area, holder, card_type) in &needs.live_cards {
        columns[0].push(area.clone());
        columns[1].push(holder.to_string());
        columns[2].push(card_type.clone());
    }
    let mut found = read(tx, sql.cards, ids(&needs.cards)).await?;
    found.extend(read(tx, sql.live_cards, columns.map(Column::Text).into()).await?);
    for row in found {
        let card = rows::card(&row)?;
        books.entry(rows::get(&row, "area")?).or_default().cards.load(card.id, card);
    }
    Ok(())
}

/// Each asset as the nearest area that defines it has it.
async fn load_assets(tx: &Tx<'_>, needs: &Needs, books: &mut Books, chain: impl Fn(&str) -> Vec<String>) -> Result<()> {
    let wanted: BTreeSet<(&str, &str)> =
        needs.accounts.iter().map(|(area, key)| (area.as_str(), key.asset.as_str())).collect();
    let chains: BTreeMap<&str, Vec<String>> = needs.areas.iter().map(|area| (area.as_str(), chain(area))).collect();
    let chain_of = |area: &str| chains.get(area).map(Vec::as_slice).unwrap_or_default();
    let keys: BTreeSet<(String, String)> = wanted
        .iter()
        .flat_map(|(area, asset)| chain_of(area).iter().map(|above| (above.clone(), (*asset).to_owned())))
        .collect();
    let (areas, ids) = keys.into_iter().unzip();
    let mut found: BTreeMap<(String, String), AssetTerms> = BTreeMap::new();
    for row in read(tx, texts(tx.engine()).assets, vec![Column::Text(areas), Column::Text(ids)]).await? {
        let spec: Vec<u8> = rows::get(&row, "spec")?;
        let asset = Asset::decode(spec.as_slice()).map_err(linli_kit::Error::internal)?;
        let terms = AssetTerms { transferable: asset.transferable, holder_cap: asset.holder_cap };
        found.insert((rows::get(&row, "area")?, rows::get(&row, "id")?), terms);
    }
    for (area, asset) in wanted {
        let nearest = chain_of(area).iter().find_map(|above| found.get(&(above.clone(), asset.to_owned())));
        if let (Some(terms), Some(book)) = (nearest, books.get_mut(area)) {
            book.define(asset, *terms);
        }
    }
    Ok(())
}
