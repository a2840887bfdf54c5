//! What a decision by rules rests on: the accounts that its questions carried, compared again when it is posted.
//!
//! Never: a lock outside the posting transaction, or a comparison of accounts that no rule has seen.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use linli_kernel::AreaId;
use linli_kit::store::{Store, Tx};
use linli_kit::{Error, ErrorCode, Result};
use linli_proto::common::Amount;

use crate::domain::{Account, AccountKey, Holder, PersonId};
use crate::store::finders;
use crate::store::load::{Needs, holders_accounts, lock_holders};

/// When somebody whose decisions were overtaken may ask again.
const RETRY: Duration = Duration::from_millis(200);

/// Accounts of some people as rules saw them; of nobody where no rule asks for balances.
#[derive(Debug, Clone, Default)]
pub(crate) struct Fence {
    /// Short forms, in their order.
    holders: Vec<String>,
    /// All accounts that they had: one that is new has moved as well.
    seen: BTreeMap<AccountKey, Account>,
}

/// The cause of a decision that was overtaken.
#[derive(Debug)]
struct Moved;

impl fmt::Display for Moved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the balances that rules saw have moved")
    }
}

impl std::error::Error for Moved {}

impl Fence {
    /// Reads the accounts of some people.
    pub(crate) async fn read(store: &Store, area: &AreaId, people: impl Iterator<Item = PersonId>) -> Result<Self> {
        let holders: BTreeSet<String> = people.map(|id| id.to_string()).collect();
        let holders: Vec<String> = holders.into_iter().collect();
        let seen = finders::accounts_of(store, area.as_str(), &holders).await?.into_iter().collect();
        Ok(Self { holders, seen })
    }

    /// What somebody can spend, by asset.
    pub(crate) fn balances(&self, of: PersonId) -> Vec<Amount> {
        let own = self.seen.iter().filter(|(key, _)| key.holder == Holder::Person(of));
        own.map(|(key, account)| Amount { asset: key.asset.clone(), value: account.available() }).collect()
    }

    /// Waits for other decisions about the same people, and adds their accounts to those that the posting locks.
    pub(crate) async fn lock(&self, tx: &Tx<'_>, area: &str, needs: &mut Needs) -> Result<()> {
        lock_holders(tx, area, &self.holders).await?;
        self.seen.keys().for_each(|key| needs.account(area, &key.asset, &key.holder));
        Ok(())
    }

    /// Compares the accounts, which are locked, with what rules saw.
    ///
    /// # Errors
    /// CONFLICT when one of them has moved or is new; [`is_moved`] knows it.
    pub(crate) async fn check(&self, tx: &Tx<'_>, area: &str) -> Result<()> {
        let present = holders_accounts(tx, area, &self.holders).await?;
        let same = |(key, account): &(AccountKey, Account)| {
            self.seen.get(key).is_some_and(|seen| seen.version == account.version)
        };
        if present.len() == self.seen.len() && present.iter().all(same) {
            return Ok(());
        }
        Err(overtaken().caused_by(Moved))
    }
}

/// Whether a posting was refused because its decision was overtaken: decide again.
pub(crate) fn is_moved(error: &Error) -> bool {
    error.cause().is_some_and(|cause| cause.is::<Moved>())
}

/// The refusal of somebody whose decisions were overtaken.
pub(crate) fn overtaken() -> Error {
    Error::new(ErrorCode::Aborted, "CONFLICT").retry_after(RETRY)
}
