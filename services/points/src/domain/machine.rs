//! A state machine of the ledger: random commands, and after each of them the books balance.

use std::collections::BTreeMap;

use linli_kernel::{Id, Slug, Timestamp};
use proptest::prelude::*;

use super::*;

const ASSETS: [&str; 2] = ["points", "hearts"];
const CAP: i64 = 60;

#[derive(Debug, Clone)]
enum Step {
    Transfer { asset: usize, from: usize, to: usize, value: i64 },
    Batch(Vec<(usize, usize, i64)>),
    Hold { asset: usize, from: usize, to: usize, value: i64, secs: i64 },
    Capture { hold: usize, value: Option<i64> },
    Void { hold: usize },
    Expire { hold: usize },
    Reverse { transfer: usize },
    Award { asset: usize, to: usize, value: i64 },
    Pass { secs: i64 },
}

fn step() -> impl Strategy<Value = Step> {
    let (asset, holder, value) = (0..2usize, 0..5usize, 1..40i64);
    prop_oneof![
        4 => (asset.clone(), holder.clone(), holder.clone(), value.clone())
            .prop_map(|(asset, from, to, value)| Step::Transfer { asset, from, to, value }),
        1 => prop::collection::vec((holder.clone(), holder.clone(), value.clone()), 1..6).prop_map(Step::Batch),
        3 => (asset.clone(), holder.clone(), holder.clone(), value.clone(), 1..50i64)
            .prop_map(|(asset, from, to, value, secs)| Step::Hold { asset, from, to, value, secs }),
        2 => (0..20usize, prop::option::of(value.clone())).prop_map(|(hold, value)| Step::Capture { hold, value }),
        1 => (0..20usize).prop_map(|hold| Step::Void { hold }),
        1 => (0..20usize).prop_map(|hold| Step::Expire { hold }),
        2 => (0..40usize).prop_map(|transfer| Step::Reverse { transfer }),
        2 => (asset, 2..5usize, value).prop_map(|(asset, to, value)| Step::Award { asset, to, value }),
        1 => (1..30i64).prop_map(|secs| Step::Pass { secs }),
    ]
}

fn holder(n: usize) -> Holder {
    match n {
        0 => Holder::issuance(),
        1 => Holder::Purpose(Slug::new("merchant").expect("a slug")),
        n => Holder::Person(PersonId::from_uuid(uuid::Uuid::from_u128(n as u128))),
    }
}

struct Model {
    book: Book,
    now: Timestamp,
    next: u128,
    holds: Vec<HoldId>,
    transfers: Vec<TransferId>,
}

impl Model {
    fn id(&mut self) -> uuid::Uuid {
        self.next += 2;
        uuid::Uuid::from_u128(self.next)
    }

    fn order(&mut self, asset: usize, from: usize, to: usize, value: i64) -> Command {
        Command::Transfer(Order {
            id: TransferId::from_uuid(self.id()),
            asset: ASSETS[asset].to_owned(),
            value,
            from: holder(from),
            to: holder(to),
            cause: String::new(),
            by_holder: false,
        })
    }

    fn commands(&mut self, step: &Step) -> Vec<Command> {
        let pick = |all: &[HoldId], n: usize| all.get(n % all.len().max(1)).copied();
        match step {
            Step::Transfer { asset, from, to, value } => vec![self.order(*asset, *from, *to, *value)],
            Step::Batch(all) => all.iter().map(|(from, to, value)| self.order(0, *from, *to, *value)).collect(),
            Step::Hold { asset, from, to, value, secs } => vec![Command::PlaceHold(HoldOrder {
                id: HoldId::from_uuid(self.id()),
                asset: ASSETS[*asset].to_owned(),
                value: *value,
                from: holder(*from),
                to: holder(*to),
                expires: self.now.plus_secs(*secs),
                cause: String::new(),
            })],
            Step::Capture { hold, value } => {
                let id = TransferId::from_uuid(self.id());
                pick(&self.holds, *hold).map(|hold| Command::Capture { hold, value: *value, id }).into_iter().collect()
            }
            Step::Void { hold } => pick(&self.holds, *hold).map(|hold| Command::Void { hold }).into_iter().collect(),
            Step::Expire { hold } => {
                pick(&self.holds, *hold).map(|hold| Command::Expire { hold }).into_iter().collect()
            }
            Step::Reverse { transfer } => {
                let id = TransferId::from_uuid(self.id());
                let found = self.transfers.get(transfer % self.transfers.len().max(1)).copied();
                found.map(|transfer| Command::Reverse { transfer, id }).into_iter().collect()
            }
            Step::Award { .. } | Step::Pass { .. } => Vec::new(),
        }
    }

    fn apply(&mut self, step: &Step) {
        match step {
            Step::Pass { secs } => self.now = self.now.plus_secs(*secs),
            Step::Award { asset, to, value } => {
                let id = TransferId::from_uuid(self.id());
                let Holder::Person(person) = holder(*to) else { return };
                let posted = self.book.award(id, ASSETS[*asset], *value, person, "", self.now).expect("small figures");
                let Some(transfer) = posted.filter(|_| *asset == 1) else { return };
                let ids = (0..10).map(|_| CardId::from_uuid(self.id())).collect::<Vec<_>>();
                let mut ids = ids.into_iter();
                let next_id = || ids.next().expect("few cards at once");
                for stamp in self.book.stamp(person, &hearts(), transfer.value, self.now, next_id) {
                    self.book.load_stamp(transfer.id, stamp.card.id, i64::from(stamp.units));
                }
            }
            _ => {
                let commands = self.commands(step);
                let before = self.book.clone();
                if self.book.decide_all(&commands, self.now).is_err() {
                    assert_eq!(before.entries(), self.book.entries(), "a refusal posts nothing");
                    assert!(before.accounts.iter().eq(self.book.accounts.iter()), "a refusal changes no account");
                }
            }
        }
        self.holds = self.book.holds.iter().map(|(id, _)| *id).collect();
        self.transfers = self.book.transfers.iter().map(|(id, _)| *id).collect();
    }

    /// Everything that must hold after every step.
    fn check(&self) {
        let mut sums: BTreeMap<&str, i64> = BTreeMap::new();
        let mut balances: BTreeMap<&AccountKey, i64> = BTreeMap::new();
        for entry in self.book.entries() {
            *sums.entry(entry.account.asset.as_str()).or_default() += entry.value;
            let balance = balances.entry(&entry.account).or_default();
            *balance += entry.value;
            assert_eq!(*balance, entry.balance_after, "the chain of balances");
        }
        assert!(sums.values().all(|sum| *sum == 0), "entries sum to zero per asset: {sums:?}");
        let mut held: BTreeMap<AccountKey, i64> = BTreeMap::new();
        for (_, hold) in self.book.holds.iter().filter(|(_, hold)| hold.state == HoldState::Placed) {
            *held.entry(AccountKey::new(hold.asset.clone(), hold.from.clone())).or_default() += hold.value;
        }
        for (key, account) in self.book.accounts.iter() {
            assert_eq!(account.balance, balances.get(key).copied().unwrap_or(0), "{key}: balance = entries");
            assert_eq!(account.held, held.get(key).copied().unwrap_or(0), "{key}: held = placed holds");
            assert!(key.holder.may_owe() || account.available() >= 0, "{key}: never below the floor");
            assert!(!key.holder.is_capped() || account.balance <= CAP, "{key}: never above the cap");
        }
        self.check_cards();
        let reversals = self.book.transfers.iter().filter(|(_, t)| t.kind == TransferKind::Reversal).count();
        let reversed = self.book.transfers.iter().filter(|(_, t)| t.reversed_by.is_some()).count();
        assert_eq!(reversals, reversed, "each transfer is reversed at most once");
    }
}

/// Twelve hearts fill a card.
fn hearts() -> CardTerms {
    CardTerms { card_type: "hearts".to_owned(), asset: ASSETS[1].to_owned(), needed: 12, reward: "oil".to_owned() }
}

impl Model {
    /// Cards hold what the awards that stand have put on them, packed: one is open at most.
    fn check_cards(&self) {
        let mut on_cards: BTreeMap<PersonId, i64> = BTreeMap::new();
        let mut open: BTreeMap<PersonId, usize> = BTreeMap::new();
        for (_, card) in self.book.cards.iter() {
            *on_cards.entry(card.holder).or_default() += i64::from(card.stamps);
            match card.state {
                CardState::Open => {
                    *open.entry(card.holder).or_default() += 1;
                    assert!(card.stamps < card.terms.needed, "{card:?}");
                }
                CardState::Full(_) => assert_eq!(card.stamps, card.terms.needed, "{card:?}"),
                CardState::Withdrawn => assert_eq!(card.stamps, 0, "{card:?}"),
                CardState::Redeemed(_) => panic!("nobody redeems here: {card:?}"),
            }
        }
        assert!(open.values().all(|open| *open == 1), "{open:?}");
        let mut awarded: BTreeMap<PersonId, i64> = on_cards.keys().map(|holder| (*holder, 0)).collect();
        let stands = |t: &&Transfer| t.kind == TransferKind::Award && t.asset == ASSETS[1] && t.reversed_by.is_none();
        for transfer in self.book.transfers.iter().map(|(_, t)| t).filter(stands) {
            if let Holder::Person(person) = transfer.to {
                *awarded.entry(person).or_default() += transfer.value;
            }
        }
        assert_eq!(on_cards, awarded, "what is on cards is what was awarded and not reversed");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_books_balance_after_every_step(steps in prop::collection::vec(step(), 1..60)) {
        let terms = AssetTerms { transferable: true, holder_cap: CAP };
        let mut model = Model {
            book: Book::new("a", ASSETS.map(|asset| (asset.to_owned(), terms))),
            now: Timestamp::from_secs(1_790_000_000),
            next: 0,
            holds: Vec::new(),
            transfers: Vec::new(),
        };
        for step in &steps {
            model.apply(step);
            model.check();
        }
    }
}
