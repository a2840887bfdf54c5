//! The books of one area for the length of a batch: loaded rows, the decision of each command, what has to be written.

mod reversal;
mod thanks;

use std::collections::BTreeMap;

use linli_kernel::Timestamp;

use super::card::{Card, CardState};
use super::{
    Account, AccountKey, AssetTerms, CardId, CardStamp, Command, Entry, Hold, HoldId, HoldOrder, HoldState, Holder,
    Order, Outcome, Redemption, RedemptionId, Refusal, RewardTerms, Rows, Transfer, TransferId, TransferKind,
};

/// Something that others will hear of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// A transfer was posted.
    Transfer(TransferId),
    /// A hold came to this state.
    Hold(HoldId, HoldState),
    /// A card came to this state, at this version.
    Card(CardId, CardState, i64),
    /// A reward was redeemed.
    Redemption(RedemptionId),
}

/// The books. Rows are loaded before the first command; a refused command leaves no trace.
#[derive(Debug, Clone, Default)]
pub struct Book {
    /// Slug of the area, for names in causes.
    area: String,
    assets: BTreeMap<String, AssetTerms>,
    pub(crate) accounts: Rows<AccountKey, Account>,
    pub(crate) transfers: Rows<TransferId, Transfer>,
    pub(crate) holds: Rows<HoldId, Hold>,
    pub(crate) cards: Rows<CardId, Card>,
    pub(crate) rewards: Rows<String, RewardTerms>,
    pub(crate) redemptions: Rows<RedemptionId, Redemption>,
    /// What the awards of loaded transfers put on cards.
    stamped: BTreeMap<TransferId, Vec<(CardId, i64)>>,
    entries: Vec<Entry>,
    stamps: Vec<CardStamp>,
    notices: Vec<Notice>,
}

/// A place to which a refused command returns the books.
struct Mark {
    rows: [usize; 6],
    logs: [usize; 3],
}

/// A movement of units, before it is checked.
struct Movement<'a> {
    id: TransferId,
    asset: &'a str,
    value: i64,
    from: &'a Holder,
    to: &'a Holder,
    kind: TransferKind,
    cause: String,
    reverses: Option<TransferId>,
}

impl Book {
    /// Empty books of an area, with the assets that it or an area above defines.
    pub fn new(area: impl Into<String>, assets: impl IntoIterator<Item = (String, AssetTerms)>) -> Self {
        Self { area: area.into(), assets: assets.into_iter().collect(), ..Self::default() }
    }

    /// Adds an asset that the area or one above it defines.
    pub fn define(&mut self, asset: &str, terms: AssetTerms) {
        self.assets.insert(asset.to_owned(), terms);
    }

    /// Entries posted so far, in order.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Units that reversals took off cards so far, in order; what awards put on them is recorded with the awards.
    pub fn stamps(&self) -> &[CardStamp] {
        &self.stamps
    }

    /// Tells what the award of a transfer put on a card.
    pub fn load_stamp(&mut self, transfer: TransferId, card: CardId, units: i64) {
        self.stamped.entry(transfer).or_default().push((card, units));
    }

    /// What others will hear of, in order.
    pub fn notices(&self) -> &[Notice] {
        &self.notices
    }

    /// The account as it is now; one that never moved is empty.
    pub fn account(&self, key: &AccountKey) -> Account {
        self.accounts.get(key).copied().unwrap_or_default()
    }

    /// Decides commands that belong together: all of them, or none.
    ///
    /// # Errors
    /// The place of the first refused command and the refusal; the books are as before.
    pub fn decide_all<'a>(
        &mut self,
        commands: impl IntoIterator<Item = &'a Command>,
        now: Timestamp,
    ) -> Result<Vec<Outcome>, (usize, Refusal)> {
        let mark = self.mark();
        let mut outcomes = Vec::new();
        for (index, command) in commands.into_iter().enumerate() {
            match self.decide(command, now) {
                Ok(outcome) => outcomes.push(outcome),
                Err(refusal) => {
                    self.roll_back(&mark);
                    return Err((index, refusal));
                }
            }
        }
        Ok(outcomes)
    }

    fn decide(&mut self, command: &Command, now: Timestamp) -> Result<Outcome, Refusal> {
        match command {
            Command::Transfer(order) => self.direct(order, now).map(Outcome::Transfer),
            Command::Reverse { transfer, id } => self.reverse(*transfer, *id, now).map(Outcome::Transfer),
            Command::PlaceHold(order) => self.place(order, now).map(Outcome::Hold),
            Command::Capture { hold, value, id } => self.capture(*hold, *value, *id, now).map(Outcome::Hold),
            Command::Void { hold } => self.void(*hold, now).map(Outcome::Hold),
            Command::Expire { hold } => self.expire(*hold, now).map(Outcome::Hold),
            Command::Redeem(order) => self.redeem(order, now).map(Outcome::Redemption),
        }
    }

    fn mark(&self) -> Mark {
        Mark {
            rows: [
                self.accounts.mark(),
                self.transfers.mark(),
                self.holds.mark(),
                self.cards.mark(),
                self.rewards.mark(),
                self.redemptions.mark(),
            ],
            logs: [self.entries.len(), self.stamps.len(), self.notices.len()],
        }
    }

    fn roll_back(&mut self, mark: &Mark) {
        let [accounts, transfers, holds, cards, rewards, redemptions] = mark.rows;
        self.accounts.roll_back(accounts);
        self.transfers.roll_back(transfers);
        self.holds.roll_back(holds);
        self.cards.roll_back(cards);
        self.rewards.roll_back(rewards);
        self.redemptions.roll_back(redemptions);
        let [entries, stamps, notices] = mark.logs;
        self.entries.truncate(entries);
        self.stamps.truncate(stamps);
        self.notices.truncate(notices);
    }

    fn terms(&self, asset: &str) -> Result<AssetTerms, Refusal> {
        self.assets.get(asset).copied().ok_or_else(|| Refusal::UnknownAsset(asset.to_owned()))
    }

    fn direct(&mut self, order: &Order, now: Timestamp) -> Result<Transfer, Refusal> {
        if order.by_holder && !self.terms(&order.asset)?.transferable {
            return Err(Refusal::NotTransferable(order.asset.clone()));
        }
        let movement = Movement {
            id: order.id,
            asset: &order.asset,
            value: order.value,
            from: &order.from,
            to: &order.to,
            kind: TransferKind::Direct,
            cause: order.cause.clone(),
            reverses: None,
        };
        self.post(movement, now)
    }

    /// Checks floor, cap and range of a movement and writes both sides.
    fn post(&mut self, movement: Movement<'_>, now: Timestamp) -> Result<Transfer, Refusal> {
        let terms = self.terms(movement.asset)?;
        let (asset, value) = (movement.asset, movement.value);
        if value <= 0 || movement.from == movement.to {
            return Err(Refusal::NoMovement);
        }
        let overflow = || Refusal::Overflow(asset.to_owned());
        let gives = AccountKey::new(asset, movement.from.clone());
        let gets = AccountKey::new(asset, movement.to.clone());
        let (mut giver, mut getter) = (self.account(&gives), self.account(&gets));
        if !movement.from.may_owe() && giver.available() < value {
            let available = giver.available();
            return Err(Refusal::InsufficientBalance { asset: asset.to_owned(), available, wanted: value });
        }
        giver.balance = giver.balance.checked_sub(value).ok_or_else(overflow)?;
        getter.balance = getter.balance.checked_add(value).ok_or_else(overflow)?;
        if movement.to.is_capped() && terms.holder_cap > 0 && getter.balance > terms.holder_cap {
            let (cap, wanted) = (terms.holder_cap, getter.balance);
            return Err(Refusal::HolderCapReached { asset: asset.to_owned(), cap, wanted });
        }
        giver.version += 1;
        getter.version += 1;
        let [first, second] = movement.id.entries();
        for (id, account, row, value) in [(first, gives, giver, -value), (second, gets, getter, value)] {
            let (seq, balance_after) = (row.version, row.balance);
            self.accounts.set(account.clone(), row);
            self.entries.push(Entry { id, account, seq, value, balance_after, created: now });
        }
        let transfer = Transfer {
            id: movement.id,
            asset: asset.to_owned(),
            value,
            from: movement.from.clone(),
            to: movement.to.clone(),
            kind: movement.kind,
            cause: movement.cause,
            reverses: movement.reverses,
            reversed_by: None,
            created: now,
        };
        self.transfers.set(transfer.id, transfer.clone());
        self.notices.push(Notice::Transfer(transfer.id));
        Ok(transfer)
    }

    fn place(&mut self, order: &HoldOrder, now: Timestamp) -> Result<Hold, Refusal> {
        self.terms(&order.asset)?;
        if order.value <= 0 || order.from == order.to {
            return Err(Refusal::NoMovement);
        }
        let key = AccountKey::new(order.asset.clone(), order.from.clone());
        let mut account = self.account(&key);
        if !order.from.may_owe() && account.available() < order.value {
            let (available, wanted) = (account.available(), order.value);
            return Err(Refusal::InsufficientBalance { asset: order.asset.clone(), available, wanted });
        }
        account.held = account.held.checked_add(order.value).ok_or_else(|| Refusal::Overflow(order.asset.clone()))?;
        account.version += 1;
        self.accounts.set(key, account);
        let hold = Hold {
            id: order.id,
            asset: order.asset.clone(),
            value: order.value,
            from: order.from.clone(),
            to: order.to.clone(),
            expires: order.expires,
            cause: order.cause.clone(),
            state: HoldState::Placed,
            created: now,
        };
        self.set_hold(hold.clone());
        Ok(hold)
    }

    fn set_hold(&mut self, hold: Hold) {
        self.notices.push(Notice::Hold(hold.id, hold.state));
        self.holds.set(hold.id, hold);
    }

    /// A hold that is placed and whose time has not come.
    fn open_hold(&self, id: HoldId, now: Timestamp) -> Result<Hold, Refusal> {
        let hold = self.holds.get(&id).ok_or(Refusal::NoSuchHold(id))?;
        match hold.state {
            HoldState::Placed if now < hold.expires => Ok(hold.clone()),
            // The timer has not come by yet; its time is over all the same.
            HoldState::Placed => Err(Refusal::HoldNotOpen { hold: id, state: HoldState::Expired }),
            state => Err(Refusal::HoldNotOpen { hold: id, state }),
        }
    }

    /// Gives the held units back to the account, in full.
    fn release(&mut self, hold: &Hold) {
        let key = AccountKey::new(hold.asset.clone(), hold.from.clone());
        let mut account = self.account(&key);
        account.held -= hold.value;
        account.version += 1;
        self.accounts.set(key, account);
    }

    fn capture(&mut self, id: HoldId, value: Option<i64>, by: TransferId, now: Timestamp) -> Result<Hold, Refusal> {
        let hold = self.open_hold(id, now)?;
        let value = value.unwrap_or(hold.value);
        if value <= 0 || value > hold.value {
            return Err(Refusal::CaptureTooLarge { held: hold.value });
        }
        let mark = self.mark();
        self.release(&hold);
        let movement = Movement {
            id: by,
            asset: &hold.asset,
            value,
            from: &hold.from,
            to: &hold.to,
            kind: TransferKind::Capture,
            cause: format!("areas/{}/holds/{id}", self.area),
            reverses: None,
        };
        if let Err(refusal) = self.post(movement, now) {
            self.roll_back(&mark);
            return Err(refusal);
        }
        let hold = Hold { state: HoldState::Captured(by), ..hold };
        self.set_hold(hold.clone());
        Ok(hold)
    }

    fn void(&mut self, id: HoldId, now: Timestamp) -> Result<Hold, Refusal> {
        let hold = self.open_hold(id, now)?;
        self.release(&hold);
        let hold = Hold { state: HoldState::Voided, ..hold };
        self.set_hold(hold.clone());
        Ok(hold)
    }

    fn expire(&mut self, id: HoldId, now: Timestamp) -> Result<Hold, Refusal> {
        let hold = self.holds.get(&id).cloned().ok_or(Refusal::NoSuchHold(id))?;
        if hold.state != HoldState::Placed || now < hold.expires {
            return Ok(hold);
        }
        self.release(&hold);
        let hold = Hold { state: HoldState::Expired, ..hold };
        self.set_hold(hold.clone());
        Ok(hold)
    }
}
