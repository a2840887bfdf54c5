use linli_kernel::{AreaId, Id, Slug, Timestamp};

use super::*;

const NOW: Timestamp = Timestamp::from_secs(1_790_000_000);

fn person(n: u128) -> PersonId {
    PersonId::from_uuid(uuid::Uuid::from_u128(n))
}

fn trf(n: u128) -> TransferId {
    TransferId::from_uuid(uuid::Uuid::from_u128(n * 2))
}

fn hld(n: u128) -> HoldId {
    HoldId::from_uuid(uuid::Uuid::from_u128(n))
}

fn merchant() -> Holder {
    Holder::Purpose(Slug::new("merchant-hotel").expect("a slug"))
}

fn book(cap: i64, transferable: bool) -> Book {
    Book::new("a", [("points".to_owned(), AssetTerms { transferable, holder_cap: cap })])
}

fn order(id: u128, from: Holder, to: Holder, value: i64) -> Command {
    let (id, asset, cause) = (trf(id), "points".to_owned(), String::new());
    Command::Transfer(Order { id, asset, value, from, to, cause, by_holder: false })
}

fn run(book: &mut Book, command: Command) -> Result<Outcome, Refusal> {
    book.decide_all([&command], NOW).map(|mut all| all.remove(0)).map_err(|(_, refusal)| refusal)
}

fn balance(book: &Book, holder: Holder) -> Account {
    book.account(&AccountKey::new("points", holder))
}

fn granted(book: &mut Book, to: u128, value: i64) {
    run(book, order(1000 + to, Holder::issuance(), Holder::Person(person(to)), value)).expect("issuance owes");
}

fn hold(book: &mut Book, id: u128, value: i64) -> Result<Outcome, Refusal> {
    let hold = HoldOrder {
        id: hld(id),
        asset: "points".to_owned(),
        value,
        from: Holder::Person(person(1)),
        to: merchant(),
        expires: NOW.plus_secs(60),
        cause: String::new(),
    };
    run(book, Command::PlaceHold(hold))
}

#[test]
fn issuance_may_owe_and_nobody_else() {
    let mut book = book(0, true);
    granted(&mut book, 1, 10);
    assert_eq!(balance(&book, Holder::issuance()).balance, -10);
    let refused = run(&mut book, order(2, Holder::Person(person(1)), merchant(), 11));
    let expected = Refusal::InsufficientBalance { asset: "points".to_owned(), available: 10, wanted: 11 };
    assert_eq!(refused, Err(expected));
    assert!(matches!(
        run(&mut book, order(3, merchant(), Holder::issuance(), 1)),
        Err(Refusal::InsufficientBalance { .. })
    ));
}

#[test]
fn a_cap_holds_for_people_and_not_for_purposes() {
    let mut book = book(12, true);
    granted(&mut book, 1, 12);
    let refused = run(&mut book, order(2, Holder::issuance(), Holder::Person(person(1)), 1));
    assert_eq!(refused, Err(Refusal::HolderCapReached { asset: "points".to_owned(), cap: 12, wanted: 13 }));
    run(&mut book, order(3, Holder::issuance(), merchant(), 1000)).expect("a purpose has no cap");
}

#[test]
fn a_sum_beyond_64_bits_is_refused() {
    let mut book = book(0, true);
    run(&mut book, order(1, Holder::issuance(), merchant(), i64::MAX)).expect("the most there is");
    let refused = run(&mut book, order(2, Holder::issuance(), merchant(), 2));
    assert_eq!(refused, Err(Refusal::Overflow("points".to_owned())));
    assert_eq!(balance(&book, merchant()).balance, i64::MAX);
}

#[test]
fn a_resident_passes_on_only_what_is_transferable() {
    let mut book = book(0, false);
    granted(&mut book, 1, 10);
    let Command::Transfer(mut own) = order(2, Holder::Person(person(1)), Holder::Person(person(2)), 1) else {
        unreachable!("an order")
    };
    own.by_holder = true;
    assert_eq!(run(&mut book, Command::Transfer(own.clone())), Err(Refusal::NotTransferable("points".to_owned())));
    own.by_holder = false;
    run(&mut book, Command::Transfer(own)).expect("a keeper may");
}

#[test]
fn transfers_that_belong_together_happen_together_or_not_at_all() {
    let mut book = book(0, true);
    granted(&mut book, 1, 10);
    let before = (book.entries().len(), book.notices().len());
    let from = || Holder::Person(person(1));
    let orders = [order(2, from(), merchant(), 6), order(3, from(), merchant(), 6)];
    let refused = book.decide_all(&orders, NOW).expect_err("the second is too much");
    assert_eq!(refused.0, 1);
    assert_eq!(balance(&book, from()), Account { balance: 10, held: 0, version: 1 });
    assert_eq!((book.entries().len(), book.notices().len()), before);
    assert_eq!(book.transfers.changes().len(), 1);
}

#[test]
fn a_reversal_is_a_counter_entry_and_happens_once() {
    let mut book = book(0, true);
    granted(&mut book, 1, 10);
    run(&mut book, order(2, Holder::Person(person(1)), merchant(), 4)).expect("enough");
    let reverse = |id| Command::Reverse { transfer: trf(2), id: trf(id) };
    run(&mut book, reverse(3)).expect("reverses");
    assert_eq!(balance(&book, Holder::Person(person(1))).balance, 10);
    assert_eq!(run(&mut book, reverse(4)), Err(Refusal::AlreadyReversed { transfer: trf(2), by: trf(3) }));
    assert_eq!(book.entries().len(), 6);
    assert_eq!(
        run(&mut book, Command::Reverse { transfer: trf(77), id: trf(5) }),
        Err(Refusal::NoSuchTransfer(trf(77)))
    );
}

#[test]
fn held_units_cannot_be_spent_and_what_is_not_captured_returns() {
    let mut book = book(0, true);
    granted(&mut book, 1, 10);
    hold(&mut book, 1, 8).expect("enough");
    assert!(matches!(
        run(&mut book, order(2, Holder::Person(person(1)), merchant(), 3)),
        Err(Refusal::InsufficientBalance { available: 2, wanted: 3, .. })
    ));
    let too_much = Command::Capture { hold: hld(1), value: Some(9), id: trf(3) };
    assert_eq!(run(&mut book, too_much), Err(Refusal::CaptureTooLarge { held: 8 }));
    run(&mut book, Command::Capture { hold: hld(1), value: Some(5), id: trf(3) }).expect("a part");
    assert_eq!(balance(&book, Holder::Person(person(1))), Account { balance: 5, held: 0, version: 4 });
    assert_eq!(balance(&book, merchant()).balance, 5);
    let again = run(&mut book, Command::Void { hold: hld(1) });
    assert_eq!(again, Err(Refusal::HoldNotOpen { hold: hld(1), state: HoldState::Captured(trf(3)) }));
}

#[test]
fn a_hold_whose_time_is_over_returns_exactly_and_cannot_be_captured() {
    let mut book = book(0, true);
    granted(&mut book, 1, 10);
    hold(&mut book, 1, 8).expect("enough");
    let expire = Command::Expire { hold: hld(1) };
    let early = book.decide_all([&expire], NOW).expect("nothing happens before its time");
    assert!(matches!(&early[0], Outcome::Hold(hold) if hold.state == HoldState::Placed));
    let later = NOW.plus_secs(60);
    let capture = Command::Capture { hold: hld(1), value: None, id: trf(3) };
    let (_, refused) = book.decide_all([&capture], later).expect_err("too late");
    assert_eq!(refused, Refusal::HoldNotOpen { hold: hld(1), state: HoldState::Expired });
    for _ in 0..2 {
        book.decide_all([&expire], later).expect("twice changes nothing more");
        assert_eq!(balance(&book, Holder::Person(person(1))).available(), 10);
    }
}

#[test]
fn a_refused_capture_leaves_the_hold_as_it_was() {
    let mut book = book(5, true);
    granted(&mut book, 1, 5);
    granted(&mut book, 2, 5);
    let hold = HoldOrder {
        id: hld(1),
        asset: "points".to_owned(),
        value: 5,
        from: Holder::Person(person(1)),
        to: Holder::Person(person(2)),
        expires: NOW.plus_secs(60),
        cause: String::new(),
    };
    run(&mut book, Command::PlaceHold(hold)).expect("places");
    let capture = Command::Capture { hold: hld(1), value: None, id: trf(3) };
    assert!(matches!(run(&mut book, capture), Err(Refusal::HolderCapReached { .. })));
    assert_eq!(balance(&book, Holder::Person(person(1))), Account { balance: 5, held: 5, version: 2 });
}

#[test]
fn an_award_is_clamped_by_the_cap_and_never_negative() {
    let mut book = book(12, false);
    granted(&mut book, 1, 10);
    let posted = book.award(trf(2), "points", 5, person(1), "x", NOW).expect("clamped").expect("two are left");
    assert_eq!(posted.value, 2);
    assert_eq!(book.award(trf(3), "points", 5, person(1), "x", NOW), Ok(None));
    assert_eq!(book.award(trf(4), "points", -5, person(2), "x", NOW), Ok(None));
}

fn hearts() -> CardTerms {
    CardTerms { card_type: "hearts".to_owned(), asset: "points".to_owned(), needed: 12, reward: "oil".to_owned() }
}

fn crd(n: u128) -> CardId {
    CardId::from_uuid(uuid::Uuid::from_u128(n))
}

#[test]
fn a_full_card_is_followed_by_one_that_begins_with_the_remainder() {
    let mut ids = (1..).map(crd);
    let first = stamp(None, person(1), &hearts(), 10, NOW, || ids.next().expect("ids"));
    assert_eq!((first.len(), first[0].card.stamps, first[0].began), (1, 10, true));
    let more = stamp(Some(first[0].card.clone()), person(1), &hearts(), 27, NOW, || ids.next().expect("ids"));
    let figures: Vec<_> = more.iter().map(|s| (s.card.stamps, s.units, s.card.state)).collect();
    let full = CardState::Full(NOW);
    assert_eq!(figures, [(12, 2, full), (12, 12, full), (12, 12, full), (1, 1, CardState::Open)]);
}

fn redeem(id: u128, card: Option<CardId>) -> Command {
    Command::Redeem(RedeemOrder {
        id: RedemptionId::from_uuid(uuid::Uuid::from_u128(id)),
        transfer: trf(500 + id),
        reward: "oil".to_owned(),
        holder: person(1),
        quantity: 1,
        card,
        redeemed_by: "x".to_owned(),
    })
}

fn shop(supplied: i64, card_only: bool) -> Book {
    let mut book = book(0, false);
    let terms = RewardTerms {
        asset: "points".to_owned(),
        price: 12,
        supplied,
        redeemed: 0,
        payee: Holder::redeemed(),
        archived: false,
        card_only,
    };
    book.rewards.load("oil".to_owned(), terms);
    book
}

#[test]
fn the_last_piece_is_redeemed_once() {
    let mut book = shop(1, false);
    granted(&mut book, 1, 24);
    run(&mut book, redeem(1, None)).expect("one is left");
    let refused = run(&mut book, redeem(2, None));
    assert_eq!(refused, Err(Refusal::OutOfStock { reward: "oil".to_owned(), left: 0, wanted: 1 }));
    assert_eq!(balance(&book, Holder::Person(person(1))).balance, 12);
    assert_eq!(balance(&book, Holder::redeemed()).balance, 12);
}

#[test]
fn only_a_full_card_of_the_holder_buys_a_card_reward_and_only_once() {
    let mut book = shop(5, true);
    granted(&mut book, 1, 12);
    let mut ids = (1..).map(crd);
    book.stamp(person(1), &hearts(), 11, NOW, || ids.next().expect("ids"));
    assert_eq!(run(&mut book, redeem(1, None)), Err(Refusal::CardOnly("oil".to_owned())));
    let not_full = run(&mut book, redeem(2, Some(crd(1))));
    assert_eq!(not_full, Err(Refusal::CardNotFull { card: crd(1), stamps: 11, needed: 12 }));
    book.stamp(person(1), &hearts(), 1, NOW, || ids.next().expect("ids"));
    run(&mut book, redeem(3, Some(crd(1)))).expect("it is full");
    assert_eq!(run(&mut book, redeem(4, Some(crd(1)))), Err(Refusal::CardRedeemed(crd(1))));
    assert_eq!(balance(&book, Holder::redeemed()).balance, 12);
    book.stamp(person(2), &hearts(), 12, NOW, || ids.next().expect("ids"));
    let stranger = book.cards.iter().find(|(_, c)| c.holder == person(2)).map(|(id, _)| *id).expect("a card");
    assert_eq!(run(&mut book, redeem(5, Some(stranger))), Err(Refusal::CardNotYours(stranger)));
}

#[test]
fn units_come_off_the_newest_cards_and_a_full_one_opens_in_place_of_what_followed_it() {
    let mut ids = (1..).map(crd);
    let all = stamp(None, person(1), &hearts(), 27, NOW, || ids.next().expect("ids"));
    let cards: Vec<Card> = all.into_iter().map(|stamp| stamp.card).collect();
    let off = |units| {
        let changed = unstamp(cards.clone(), units)?;
        Some(changed.into_iter().map(|s| (s.card.id, s.card.stamps, s.units, s.card.state)).collect::<Vec<_>>())
    };
    let (open, gone) = (CardState::Open, CardState::Withdrawn);
    assert_eq!(off(2), Some(vec![(crd(3), 1, -2, open)]));
    assert_eq!(off(3), Some(vec![(crd(3), 0, -3, open)]), "an empty card stays, while nothing else opens");
    assert_eq!(off(4), Some(vec![(crd(3), 0, -3, gone), (crd(2), 11, -1, open)]));
    assert_eq!(off(27), Some(vec![(crd(3), 0, -3, gone), (crd(2), 0, -12, gone), (crd(1), 0, -12, open)]));
    assert_eq!(off(28), None);
}

#[test]
fn holders_and_accounts_have_one_text_form_each() {
    let area = AreaId::new("a").expect("a slug");
    let name = format!("areas/a/people/{}", person(7));
    let holder = Holder::parse_name(&name, &area).expect("a person");
    assert_eq!((holder.name("a"), Holder::parse(&holder.to_string())), (name, Some(holder.clone())));
    let key = AccountKey::new("points", holder);
    assert_eq!(AccountKey::parse(&key.to_string()), Some(key));
    assert_eq!(Holder::parse_name(&format!("areas/b/people/{}", person(7)), &area), Err(HolderError::OtherArea));
    for bad in ["per-x", "a.b", "", "areas/a/people/x", "areas/a/units/x", "A"] {
        assert_eq!(Holder::parse_name(bad, &area), Err(HolderError::Malformed), "{bad:?}");
    }
}

#[test]
fn an_entrys_id_tells_its_transfer() {
    let id = TransferId::from_uuid(uuid::Uuid::from_u128(7)).even();
    assert_eq!(id.entries().map(EntryId::transfer), [id, id]);
    assert_ne!(id.entries()[0], id.entries()[1]);
}
