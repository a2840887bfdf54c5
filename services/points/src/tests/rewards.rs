//! Rewards: stock, prices, what guards them.

use futures::future::join_all;
use linli_proto::common::{Amount, Text};
use linli_proto::points as pb;
use linli_proto::points::points_service_server::PointsService as _;
use tonic::Response;

use super::suite::{KEEPER, OPERATOR, Suite, each, person, request_id};

pub(crate) fn reward(price: i64, supplied: i64) -> pb::Reward {
    pb::Reward {
        display_name: Some(Text { zh_cn: "大米".to_owned(), en: "rice".to_owned() }),
        price: Some(Amount { asset: "points".to_owned(), value: price }),
        supplied,
        ..pb::Reward::default()
    }
}

pub(crate) async fn create(suite: &Suite, id: &str, reward: pb::Reward) -> pb::Reward {
    let request = pb::CreateRewardRequest {
        parent: "areas/a".to_owned(),
        reward: Some(reward),
        reward_id: id.to_owned(),
        request_id: String::new(),
    };
    suite.api.create_reward(suite.ask("CreateReward", OPERATOR, request)).await.expect("a reward").into_inner()
}

pub(crate) async fn redeem(
    suite: &Suite,
    subject: &str,
    redemption: pb::Redemption,
    request_id: String,
) -> Result<pb::Redemption, String> {
    let request =
        pb::CreateRedemptionRequest { parent: "areas/a".to_owned(), redemption: Some(redemption), request_id };
    let answer = suite.api.create_redemption(suite.ask("CreateRedemption", subject, request)).await;
    answer.map(Response::into_inner).map_err(|status| linli_kit::Error::from_peer(status).reason())
}

fn of(reward: &str, holder: &str) -> pb::Redemption {
    pb::Redemption {
        reward: format!("areas/a/rewards/{reward}"),
        holder: holder.to_owned(),
        ..pb::Redemption::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_who_want_the_last_piece_one_gets_it_and_pays() {
    each(async |suite: &Suite| {
        assert_eq!(create(suite, "rice", reward(5, 1)).await.stock, 1);
        for n in 1..=20 {
            suite.grant(&person(n), 5).await;
        }
        let people: Vec<String> = (1..=20).map(person).collect();
        let all = join_all(people.iter().map(|holder| redeem(suite, holder, of("rice", ""), String::new()))).await;
        let (done, refused): (Vec<_>, Vec<_>) = all.into_iter().partition(Result::is_ok);
        assert_eq!(done.len(), 1);
        assert!(refused.iter().all(|one| one.as_ref().is_err_and(|reason| reason == "OUT_OF_STOCK")), "{refused:?}");
        assert_eq!(suite.balance("points", "redeemed").await, Some((5, 5)));
        let request = pb::GetRewardRequest { name: "areas/a/rewards/rice".to_owned() };
        let now = suite.api.get_reward(suite.ask("GetReward", &person(3), request)).await.expect("the reward");
        assert_eq!((now.get_ref().stock, now.get_ref().state()), (0, pb::RewardState::Active));
        suite.verify().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redemption_is_repeated_by_its_request_id_and_paid_to_the_payee() {
    each(async |suite: &Suite| {
        create(suite, "oil", pb::Reward { payee: "merchant-shop".to_owned(), ..reward(3, 10) }).await;
        suite.grant(&person(1), 10).await;
        let wanted = pb::Redemption { quantity: 2, ..of("oil", &person(1)) };
        let first = redeem(suite, KEEPER, wanted.clone(), request_id(7)).await.expect("enough");
        let again = redeem(suite, KEEPER, wanted.clone(), request_id(7)).await.expect("again");
        assert_eq!(first, again);
        assert_eq!((first.holder, first.redeemed_by.as_str()), (person(1), KEEPER));
        assert_eq!(suite.balance("points", "merchant-shop").await, Some((6, 6)));
        assert_eq!(
            redeem(suite, KEEPER, wanted, request_id(8)).await.expect_err("four are left"),
            "INSUFFICIENT_BALANCE"
        );
        suite.verify().await;
    })
    .await;
}

async fn supply(suite: &Suite, supplied: i64, validate_only: bool) -> Result<pb::Reward, tonic::Status> {
    let request = pb::UpdateRewardRequest {
        reward: Some(pb::Reward { name: "areas/a/rewards/rice".to_owned(), supplied, ..pb::Reward::default() }),
        update_mask: Some(prost_types::FieldMask { paths: vec!["supplied".to_owned()] }),
        validate_only,
        ..pb::UpdateRewardRequest::default()
    };
    suite.api.update_reward(suite.ask("UpdateReward", KEEPER, request)).await.map(Response::into_inner)
}

#[tokio::test(flavor = "multi_thread")]
async fn supply_may_rise_and_never_falls_below_what_was_redeemed() {
    each(async |suite: &Suite| {
        create(suite, "rice", reward(1, 3)).await;
        suite.grant(&person(1), 10).await;
        for _ in 0..2 {
            redeem(suite, &person(1), of("rice", ""), String::new()).await.expect("in stock");
        }
        assert_eq!(supply(suite, 9, true).await.expect("a preview").stock, 7);
        assert_eq!(supply(suite, 5, false).await.expect("more").stock, 3);
        let fewer = supply(suite, 1, false).await.expect_err("two are gone");
        assert!(format!("{fewer:?}").contains("SUPPLIED_BELOW_REDEEMED"));
        assert_eq!(supply(suite, 2, false).await.expect("exactly").stock, 0);
        let request =
            pb::DeleteRewardRequest { name: "areas/a/rewards/rice".to_owned(), ..pb::DeleteRewardRequest::default() };
        let kept = suite.api.delete_reward(suite.ask("DeleteReward", OPERATOR, request)).await.expect_err("redeemed");
        assert_eq!(linli_kit::Error::from_peer(kept).reason(), "STILL_REFERENCED");
        let request =
            pb::DeleteAssetRequest { name: "areas/a/assets/points".to_owned(), ..pb::DeleteAssetRequest::default() };
        let kept = suite.api.delete_asset(suite.ask("DeleteAsset", OPERATOR, request)).await.expect_err("counted");
        assert_eq!(linli_kit::Error::from_peer(kept).reason(), "STILL_REFERENCED");
        suite.verify().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_card_type_needs_an_asset_and_a_reward_of_its_area() {
    each(async |suite: &Suite| {
        let card_type = pb::CardType {
            display_name: Some(Text { zh_cn: "爱心续航卡".to_owned(), en: String::new() }),
            asset: "gold".to_owned(),
            stamps: 0,
            reward: "areas/a/rewards/none".to_owned(),
            ..pb::CardType::default()
        };
        let request = pb::CreateCardTypeRequest {
            parent: "areas/a".to_owned(),
            card_type: Some(card_type),
            card_type_id: "heart".to_owned(),
            request_id: String::new(),
        };
        let refused =
            suite.api.create_card_type(suite.ask("CreateCardType", OPERATOR, request)).await.expect_err("bad");
        let text = format!("{refused:?}");
        for field in ["card_type.asset", "card_type.stamps", "card_type.reward"] {
            assert!(text.contains(field), "{field}: {text}");
        }
    })
    .await;
}
