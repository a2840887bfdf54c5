//! Awards: one cause, one award; cards fill and are redeemed.

use std::collections::BTreeSet;

use linli_kernel::Clock as _;
use linli_kit::feed::Handler as _;
use linli_kit::{Error, Result};
use linli_proto::booking::{BookingChanged, BookingState, Server};
use linli_proto::common::Text;
use linli_proto::events::Event;
use linli_proto::points as pb;
use linli_proto::points::points_service_server::PointsService as _;
use prost::Message as _;
use sea_orm::ConnectionTrait as _;

use super::rewards::{create, redeem, reward};
use super::suite::{OPERATOR, Suite, World, each, person};
use crate::app::Awards;

pub(crate) fn event(suite: &Suite, n: u128, servers: &[u32]) -> Event {
    let server = |n: &u32| Server { person: person(*n), minutes: 0, role: "barber".to_owned() };
    let booking = BookingChanged {
        booking: format!("areas/a/bookings/bkg-{n}"),
        kind: "haircut".to_owned(),
        state: BookingState::Completed.into(),
        servers: servers.iter().map(server).collect(),
        slot_min: 30,
        ..BookingChanged::default()
    };
    let value = booking.encode_to_vec();
    Event {
        id: uuid::Uuid::from_u128(n).to_string(),
        r#type: "linli.booking.v1.BookingChanged".to_owned(),
        area: "areas/a".to_owned(),
        time: Some(linli_kit::check::timestamp(suite.clock.now())),
        data: Some(prost_types::Any { type_url: String::new(), value }),
        ..Event::default()
    }
}

/// What the consumer does with an event: questions first, then one transaction.
pub(crate) async fn deliver(suite: &Suite, event: &Event) -> Result<()> {
    let awards = Awards { app: suite.app.clone() };
    let prepared = awards.prepare(event).await?;
    let (awards, prepared) = (&awards, &prepared);
    suite.store.write("test.apply", |tx| Box::pin(awards.apply(tx, event, prepared))).await
}

pub(crate) async fn bind(suite: &Suite, id: &str, kinds: &[&str], cap: i64) {
    let binding = pb::AwardBinding {
        kinds: kinds.iter().map(|kind| (*kind).to_owned()).collect(),
        asset: "hearts".to_owned(),
        cap,
        ..pb::AwardBinding::default()
    };
    let request = pb::CreateAwardBindingRequest {
        parent: "areas/a".to_owned(),
        award_binding: Some(binding),
        award_binding_id: id.to_owned(),
        request_id: String::new(),
    };
    suite.api.create_award_binding(suite.ask("CreateAwardBinding", OPERATOR, request)).await.expect("a binding");
}

pub(crate) async fn awards(suite: &Suite, subject: &str) -> Vec<pb::Award> {
    let request = pb::ListAwardsRequest { parent: "areas/a".to_owned(), ..pb::ListAwardsRequest::default() };
    suite.api.list_awards(suite.ask("ListAwards", subject, request)).await.expect("a page").into_inner().awards
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_is_thanked_once_however_often_it_is_heard_of() {
    each(async |suite: &Suite| {
        suite.asset("hearts", false, 0).await;
        bind(suite, "hair", &["haircut"], 5).await;
        bind(suite, "meals", &["meal"], 5).await;
        suite.world.lock().grant = 9;
        let first = event(suite, 1, &[1, 2, 1]);
        deliver(suite, &first).await.expect("posts");
        let asked = |world: &World| (world.asked_org, world.asked_rules);
        assert_eq!(asked(&suite.world.lock()), (1, 1));
        assert_eq!(suite.balance("hearts", &person(1)).await, Some((5, 5)), "clamped by the binding");
        assert_eq!(suite.balance("hearts", &person(2)).await, Some((5, 5)));
        // The whole feed again, under a newer plugin that would grant otherwise; and one that was prepared before.
        let consumer = Awards { app: suite.app.clone() };
        let early = event(suite, 2, &[3]);
        let prepared = consumer.prepare(&early).await.expect("asks");
        deliver(suite, &early).await.expect("posts");
        {
            let mut world = suite.world.lock();
            (world.digest, world.grant) = ("d2".to_owned(), 2);
        }
        let (consumer, prepared, late) = (&consumer, &prepared, &early);
        suite.store.write("test.apply", |tx| Box::pin(consumer.apply(tx, late, prepared))).await.expect("nothing");
        for event in [&first, &early] {
            deliver(suite, event).await.expect("nothing");
        }
        assert_eq!(suite.balance("hearts", "issuance").await, Some((-15, -15)));
        let all = awards(suite, OPERATOR).await;
        assert_eq!(all.len(), 3);
        assert!(all.iter().all(|award| award.digest == "d1" && award.reasons.len() == 1), "{all:?}");
        assert_eq!(awards(suite, &person(3)).await.len(), 1);
        assert_eq!(all[0].award_binding, "areas/a/awardBindings/hair");
        suite.verify().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_rule_is_the_events_fault_and_holds_up_its_recipient_only() {
    each(async |suite: &Suite| {
        suite.asset("hearts", false, 0).await;
        bind(suite, "all", &[], 5).await;
        suite.world.lock().fault = true;
        let event = event(suite, 1, &[2]);
        let error = deliver(suite, &event).await.expect_err("no answer");
        assert_eq!(error.code(), linli_kit::ErrorCode::FailedPrecondition, "so that the event is parked: {error}");
        let consumer = Awards { app: suite.app.clone() };
        assert_eq!(consumer.blocking_keys(&event), BTreeSet::from([person(2)]));
        suite.world.lock().fault = false;
        deliver(suite, &event).await.expect("the rule was mended");
        assert_eq!(suite.balance("hearts", &person(2)).await, Some((1, 1)));
        suite.verify().await;
    })
    .await;
}

pub(crate) async fn heart_card(suite: &Suite) {
    suite.asset("hearts", false, 0).await;
    let price = Some(linli_proto::common::Amount { asset: "hearts".to_owned(), value: 12 });
    create(suite, "gift", pb::Reward { price, card_only: true, ..reward(12, 5) }).await;
    let card_type = pb::CardType {
        display_name: Some(Text { zh_cn: "爱心续航卡".to_owned(), en: String::new() }),
        asset: "hearts".to_owned(),
        stamps: 12,
        reward: "areas/a/rewards/gift".to_owned(),
        ..pb::CardType::default()
    };
    let request = pb::CreateCardTypeRequest {
        parent: "areas/a".to_owned(),
        card_type: Some(card_type),
        card_type_id: "heart".to_owned(),
        request_id: String::new(),
    };
    suite.api.create_card_type(suite.ask("CreateCardType", OPERATOR, request)).await.expect("a card type");
    bind(suite, "hair", &["haircut"], 10).await;
}

pub(crate) async fn cards(suite: &Suite) -> Vec<pb::Card> {
    let request = pb::ListCardsRequest { parent: "areas/a".to_owned(), ..pb::ListCardsRequest::default() };
    suite.api.list_cards(suite.ask("ListCards", &person(1), request)).await.expect("a page").into_inner().cards
}

#[tokio::test(flavor = "multi_thread")]
async fn a_card_of_twelve_hearts_fills_is_followed_by_another_and_buys_its_reward() {
    each(async |suite: &Suite| {
        heart_card(suite).await;
        suite.world.lock().grant = 7;
        for n in 1..=2 {
            deliver(suite, &event(suite, n, &[1])).await.expect("posts");
        }
        let all = cards(suite).await;
        let figures: Vec<_> = all.iter().map(|card| (card.stamps, card.state())).collect();
        assert_eq!(figures, [(12, pb::CardState::Full), (2, pb::CardState::Open)]);
        let wanted = |card: &str| pb::Redemption {
            reward: "areas/a/rewards/gift".to_owned(),
            card: card.to_owned(),
            ..pb::Redemption::default()
        };
        let buy = |subject: String, card: &str| {
            let wanted = wanted(card);
            async move { redeem(suite, &subject, wanted, String::new()).await }
        };
        assert_eq!(buy(person(1), "").await.expect_err("no card"), "CARD_REQUIRED");
        assert_eq!(buy(person(1), &all[1].name).await.expect_err("two hearts"), "CARD_NOT_FULL");
        assert_eq!(buy(person(2), &all[0].name).await.expect_err("another's"), "CARD_NOT_YOURS");
        let both = futures::future::join_all((0..5).map(|_| buy(person(1), &all[0].name))).await;
        assert_eq!(both.iter().filter(|one| one.is_ok()).count(), 1, "{both:?}");
        assert_eq!(suite.balance("hearts", "redeemed").await, Some((12, 12)));
        assert_eq!(suite.balance("hearts", &person(1)).await, Some((2, 2)));
        assert_eq!(cards(suite).await[0].state(), pb::CardState::Redeemed);
        suite.verify().await;
    })
    .await;
}

#[tokio::test]
async fn an_event_holds_up_the_later_ones_of_everybody_who_served() {
    each(async |suite: &Suite| {
        let consumer = Awards { app: suite.app.clone() };
        let both = consumer.blocking_keys(&event(suite, 1, &[3, 2]));
        assert_eq!(both, BTreeSet::from([person(2), person(3)]));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn thanks_for_somebody_unknown_wait_in_sight_until_org_knows_them() {
    each(async |suite: &Suite| {
        suite.asset("hearts", false, 0).await;
        bind(suite, "hair", &[], 5).await;
        suite.world.lock().unknown.insert(person(2));
        let event = event(suite, 1, &[1, 2]);
        let error = deliver(suite, &event).await.expect_err("nobody is forgotten");
        assert_eq!(error.code(), linli_kit::ErrorCode::FailedPrecondition, "so that the event is parked: {error}");
        assert_eq!(error.reason(), "RECIPIENT_UNKNOWN");
        assert!(awards(suite, OPERATOR).await.is_empty(), "not half of it either");
        suite.world.lock().unknown.clear();
        deliver(suite, &event).await.expect("the person was mended");
        let mut thanked: Vec<String> = awards(suite, OPERATOR).await.into_iter().map(|one| one.recipient).collect();
        thanked.sort();
        assert_eq!(thanked, [person(1), person(2)]);
        suite.verify().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_award_stops_at_the_assets_cap() {
    each(async |suite: &Suite| {
        suite.asset("hearts", false, 8).await;
        bind(suite, "hair", &[], 10).await;
        suite.world.lock().grant = 5;
        for n in 1..=3 {
            deliver(suite, &event(suite, n, &[1])).await.expect("posts");
        }
        let values: Vec<i64> =
            awards(suite, OPERATOR).await.iter().filter_map(|award| award.amount.as_ref().map(|a| a.value)).collect();
        assert_eq!(values, [5, 3]);
        suite.verify().await;
    })
    .await;
}

#[tokio::test]
async fn other_events_and_people_of_other_areas_are_passed_over() {
    each(async |suite: &Suite| {
        suite.asset("hearts", false, 0).await;
        bind(suite, "hair", &[], 10).await;
        let mut foreign = event(suite, 1, &[1]);
        let mut booking = BookingChanged::decode(foreign.data.clone().unwrap_or_default().value.as_slice())
            .map_err(Error::internal)
            .expect("decodes");
        booking.servers[0].person = "areas/b/people/per-00000000000000000000000001".to_owned();
        foreign.data = Some(prost_types::Any { type_url: String::new(), value: booking.encode_to_vec() });
        deliver(suite, &foreign).await.expect("nothing");
        let mut other = event(suite, 2, &[1]);
        other.r#type = "linli.booking.v1.SlotCancelled".to_owned();
        deliver(suite, &other).await.expect("nothing");
        assert!(awards(suite, OPERATOR).await.is_empty());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_recount_notices_what_was_tampered_with() {
    each(async |suite: &Suite| {
        heart_card(suite).await;
        suite.world.lock().grant = 7;
        for n in 1..=2 {
            deliver(suite, &event(suite, n, &[1])).await.expect("posts");
        }
        suite.verify().await;
        let tampered = [
            ("points.zero-sum", "UPDATE entry SET value = value + 1 WHERE value > 0"),
            ("points.balances-recomputed", "UPDATE account SET balance = balance + 1 WHERE holder = 'issuance'"),
            ("points.holds", "UPDATE account SET held = held + 1 WHERE holder <> 'issuance'"),
            ("points.stock", "UPDATE reward_stock SET redeemed = redeemed + 1"),
            ("points.cards", "UPDATE card_stamp SET units = units + 1"),
            ("points.award-once", "UPDATE award SET value = value + 1"),
            ("points.award-has-receipt", "UPDATE award_receipt SET award_id = NULL"),
            ("points.receipts-open", "UPDATE award_receipt SET spec_enc = reasons FROM award"),
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
