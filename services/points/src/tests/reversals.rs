//! Reversals: with the units returns what they had brought about.

use linli_proto::common::Amount;
use linli_proto::points as pb;
use linli_proto::points::points_service_server::PointsService as _;
use sea_orm::ConnectionTrait as _;
use tonic::Response;

use super::awards::{awards, cards, deliver, event, heart_card};
use super::rewards::{create, redeem, reward};
use super::suite::{KEEPER, OPERATOR, Suite, each, person, request_id};

async fn reverse(suite: &Suite, transfer: &str) -> Result<pb::Transfer, (String, String)> {
    let request = pb::ReverseTransferRequest { name: transfer.to_owned(), request_id: String::new() };
    let answer = suite.api.reverse_transfer(suite.ask("ReverseTransfer", KEEPER, request)).await;
    answer.map(Response::into_inner).map_err(|status| {
        let text = format!("{status:?}");
        (linli_kit::Error::from_peer(status).reason(), text)
    })
}

async fn stock(suite: &Suite, reward: &str) -> i64 {
    let request = pb::GetRewardRequest { name: format!("areas/a/rewards/{reward}") };
    suite.api.get_reward(suite.ask("GetReward", OPERATOR, request)).await.expect("the reward").into_inner().stock
}

fn figures(cards: &[pb::Card]) -> Vec<(i32, pb::CardState)> {
    cards.iter().map(|card| (card.stamps, card.state())).collect()
}

fn gift(card: &pb::Card) -> pb::Redemption {
    pb::Redemption { reward: "areas/a/rewards/gift".to_owned(), card: card.name.clone(), ..pb::Redemption::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_hold_became_and_what_is_a_reversal_already_are_not_reversed() {
    each(async |suite: &Suite| {
        let granted = suite.grant(&person(1), 10).await;
        let hold = pb::Hold {
            amount: Some(Amount { asset: "points".to_owned(), value: 4 }),
            from: person(1),
            to: "redeemed".to_owned(),
            cause: "areas/a/bookings/bkg-1".to_owned(),
            ..pb::Hold::default()
        };
        let request = pb::CreateHoldRequest { parent: "areas/a".to_owned(), hold: Some(hold), ..Default::default() };
        let hold = suite.api.create_hold(suite.ask("CreateHold", "services/booking", request)).await.expect("a hold");
        let request = pb::CaptureHoldRequest { name: hold.into_inner().name, ..Default::default() };
        let paid = suite.api.capture_hold(suite.ask("CaptureHold", "services/booking", request)).await.expect("paid");
        let (reason, text) = reverse(suite, &paid.get_ref().transfer).await.expect_err("booking would not hear of it");
        assert_eq!(reason, "TRANSFER_OF_HOLD");
        assert!(text.contains("transfer of its own"), "the remedy: {text}");
        let gift = suite.transfer(KEEPER, &person(1), &person(2), 1).await.expect("enough");
        let counter = reverse(suite, &gift.name).await.expect("reverses");
        assert_eq!(reverse(suite, &counter.name).await.expect_err("a counter-entry").0, "TRANSFER_IS_REVERSAL");
        assert_eq!(suite.balance("points", &person(1)).await, Some((6, 6)));
        assert_eq!(reverse(suite, &granted.name).await.expect_err("four are spent").0, "INSUFFICIENT_BALANCE");
        suite.verify().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reversed_redemption_returns_its_pieces_once() {
    each(async |suite: &Suite| {
        create(suite, "rice", reward(3, 5)).await;
        suite.grant(&person(1), 10).await;
        let wanted =
            pb::Redemption { reward: "areas/a/rewards/rice".to_owned(), quantity: 2, ..pb::Redemption::default() };
        let bought = redeem(suite, &person(1), wanted.clone(), request_id(1)).await.expect("enough");
        assert_eq!((stock(suite, "rice").await, suite.balance("points", &person(1)).await), (3, Some((4, 4))));
        let counter = reverse(suite, &bought.transfer).await.expect("reverses");
        assert_eq!((stock(suite, "rice").await, suite.balance("points", &person(1)).await), (5, Some((10, 10))));
        assert_eq!(reverse(suite, &bought.transfer).await.expect_err("once").0, "ALREADY_REVERSED");
        let again = redeem(suite, &person(1), wanted, request_id(1)).await.expect("the same request");
        assert_eq!((again.name, again.reversed_by), (bought.name, counter.name), "a repeat shows it as it is");
        let request = pb::DeleteRewardRequest { name: "areas/a/rewards/rice".to_owned(), ..Default::default() };
        let kept = suite.api.delete_reward(suite.ask("DeleteReward", OPERATOR, request)).await.expect_err("was bought");
        assert_eq!(linli_kit::Error::from_peer(kept).reason(), "STILL_REFERENCED", "its redemption is on record");
        suite.verify().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reversed_award_comes_off_the_newest_card_and_opens_a_full_one_again() {
    each(async |suite: &Suite| {
        heart_card(suite).await;
        suite.world.lock().grant = 7;
        for n in 1..=2 {
            deliver(suite, &event(suite, n, &[1])).await.expect("posts");
        }
        assert_eq!(figures(&cards(suite).await), [(12, pb::CardState::Full), (2, pb::CardState::Open)]);
        let thanks = awards(suite, OPERATOR).await;
        reverse(suite, &thanks[0].transfer).await.expect("reverses");
        let all = cards(suite).await;
        assert_eq!(figures(&all), [(7, pb::CardState::Open), (0, pb::CardState::Withdrawn)]);
        assert_eq!(suite.balance("hearts", &person(1)).await, Some((7, 7)));
        suite.verify().await;
        let early = redeem(suite, &person(1), gift(&all[0]), String::new()).await;
        assert_eq!(early.expect_err("seven hearts"), "CARD_NOT_FULL");
        let void = redeem(suite, &person(1), gift(&all[1]), String::new()).await;
        assert_eq!(void.expect_err("withdrawn"), "CARD_NOT_FULL");
        // The same card fills again, and is followed by another.
        deliver(suite, &event(suite, 3, &[1])).await.expect("posts");
        let all = cards(suite).await;
        assert_eq!(all.iter().find(|card| card.state() == pb::CardState::Full).expect("full").stamps, 12);
        assert_eq!(all.iter().find(|card| card.state() == pb::CardState::Open).expect("the next").stamps, 2);
        redeem(suite, &person(1), gift(&all[0]), String::new()).await.expect("it is full");
        suite.verify().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_award_on_a_redeemed_card_is_reversed_only_behind_the_redemption() {
    each(async |suite: &Suite| {
        heart_card(suite).await;
        suite.world.lock().grant = 6;
        for n in 1..=2 {
            deliver(suite, &event(suite, n, &[1])).await.expect("posts");
        }
        let first = cards(suite).await[0].clone();
        let bought = redeem(suite, &person(1), gift(&first), String::new()).await.expect("full");
        let award = awards(suite, OPERATOR).await[1].transfer.clone();
        // Hearts that were given by hand would cover it; the card would not.
        let mut more = Suite::order("issuance", &person(1), 6, String::new());
        if let Some(amount) = more.transfer.as_mut().and_then(|transfer| transfer.amount.as_mut()) {
            amount.asset = "hearts".to_owned();
        }
        suite.send(KEEPER, more).await.expect("issuance owes");
        let (reason, text) = reverse(suite, &award).await.expect_err("its card was redeemed");
        assert_eq!(reason, "AWARD_REDEEMED");
        assert!(text.contains(&first.name) && text.contains("redemption first"), "{text}");
        suite.verify().await;
        reverse(suite, &bought.transfer).await.expect("the redemption first");
        assert_eq!((cards(suite).await[0].state(), stock(suite, "gift").await), (pb::CardState::Full, 5));
        suite.verify().await;
        let again = redeem(suite, &person(1), gift(&first), String::new()).await.expect("full again, buys again");
        reverse(suite, &again.transfer).await.expect("and once more");
        reverse(suite, &award).await.expect("now it is free");
        let open = cards(suite).await.into_iter().find(|card| card.state() == pb::CardState::Open).expect("open");
        assert_eq!((open.name, open.stamps), (first.name, 6));
        suite.verify().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recount_notices_a_reversal_that_left_the_rest_standing() {
    each(async |suite: &Suite| {
        heart_card(suite).await;
        suite.world.lock().grant = 12;
        deliver(suite, &event(suite, 1, &[1])).await.expect("posts");
        deliver(suite, &event(suite, 2, &[1])).await.expect("posts");
        let all = cards(suite).await;
        let bought = redeem(suite, &person(1), gift(&all[0]), String::new()).await.expect("full");
        reverse(suite, &bought.transfer).await.expect("reverses");
        reverse(suite, &awards(suite, OPERATOR).await[1].transfer).await.expect("reverses");
        suite.verify().await;
        let tampered = [
            ("points.stock", "UPDATE redemption SET reversed_by = NULL"),
            ("points.cards", "DELETE FROM card_stamp WHERE units < 0"),
            ("points.cards", "UPDATE card SET stamps = 1 WHERE state = 4"),
        ];
        for (invariant, sql) in tampered {
            let write = suite.store.write("test.tamper", |tx| {
                Box::pin(async move { Ok(tx.conn().execute_unprepared(sql).await?.rows_affected()) })
            });
            assert!(write.await.expect("tampers") > 0, "{sql}");
            let broken = suite.broken().await;
            assert!(broken.iter().any(|id| id == invariant), "{invariant}: {broken:?}");
        }
    })
    .await;
}
