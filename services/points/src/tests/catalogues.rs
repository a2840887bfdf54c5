//! What describes points is kept as long as something counts in it.

use futures::future::join;
use linli_proto::common::Text;
use linli_proto::points as pb;
use linli_proto::points::points_service_server::PointsService as _;

use super::rewards::{create, reward};
use super::suite::{OPERATOR, Suite, each};

async fn bind(suite: &Suite, id: &str, asset: &str) -> Result<(), tonic::Status> {
    let binding = pb::AwardBinding { asset: asset.to_owned(), cap: 5, ..pb::AwardBinding::default() };
    let request = pb::CreateAwardBindingRequest {
        parent: "areas/a".to_owned(),
        award_binding: Some(binding),
        award_binding_id: id.to_owned(),
        request_id: String::new(),
    };
    suite.api.create_award_binding(suite.ask("CreateAwardBinding", OPERATOR, request)).await.map(|_| ())
}

async fn delete_asset(suite: &Suite, id: &str) -> Result<(), String> {
    let request = pb::DeleteAssetRequest { name: format!("areas/a/assets/{id}"), ..pb::DeleteAssetRequest::default() };
    let answer = suite.api.delete_asset(suite.ask("DeleteAsset", OPERATOR, request)).await;
    answer.map(|_| ()).map_err(|status| {
        let text = format!("{status:?}");
        assert_eq!(linli_kit::Error::from_peer(status).reason(), "STILL_REFERENCED");
        text
    })
}

async fn card_type(suite: &Suite, id: &str, asset: &str, reward: &str) -> Result<(), tonic::Status> {
    let card_type = pb::CardType {
        display_name: Some(Text { zh_cn: "卡".to_owned(), en: String::new() }),
        asset: asset.to_owned(),
        stamps: 3,
        reward: format!("areas/a/rewards/{reward}"),
        ..pb::CardType::default()
    };
    let request = pb::CreateCardTypeRequest {
        parent: "areas/a".to_owned(),
        card_type: Some(card_type),
        card_type_id: id.to_owned(),
        request_id: String::new(),
    };
    suite.api.create_card_type(suite.ask("CreateCardType", OPERATOR, request)).await.map(|_| ())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_asset_is_kept_while_a_binding_or_a_card_type_counts_in_it() {
    each(async |suite: &Suite| {
        suite.asset("hearts", false, 0).await;
        suite.asset("flowers", false, 0).await;
        create(suite, "rice", reward(1, 3)).await;
        bind(suite, "hair", "hearts").await.expect("a binding");
        card_type(suite, "card", "flowers", "rice").await.expect("a card type");
        let kept = delete_asset(suite, "hearts").await.expect_err("a binding counts in it");
        assert!(kept.contains("areas/a/awardBindings/hair"), "{kept}");
        let kept = delete_asset(suite, "flowers").await.expect_err("a card type counts in it");
        assert!(kept.contains("areas/a/cardTypes/card"), "{kept}");
        let request =
            pb::DeleteRewardRequest { name: "areas/a/rewards/rice".to_owned(), ..pb::DeleteRewardRequest::default() };
        let kept = suite.api.delete_reward(suite.ask("DeleteReward", OPERATOR, request)).await.expect_err("is paid");
        assert!(format!("{kept:?}").contains("areas/a/cardTypes/card"), "{kept:?}");
        let request = pb::DeleteAwardBindingRequest {
            name: "areas/a/awardBindings/hair".to_owned(),
            ..pb::DeleteAwardBindingRequest::default()
        };
        suite.api.delete_award_binding(suite.ask("DeleteAwardBinding", OPERATOR, request)).await.expect("deletes");
        delete_asset(suite, "hearts").await.expect("nothing counts in it any more");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_comes_to_count_in_an_asset_that_is_being_deleted() {
    each(async |suite: &Suite| {
        for n in 0..20 {
            let asset = format!("asset-{n}");
            suite.asset(&asset, false, 0).await;
            let (bound, deleted) = join(bind(suite, &format!("bind-{n}"), &asset), delete_asset(suite, &asset)).await;
            assert_ne!(bound.is_ok(), deleted.is_ok(), "{n}: one of the two, never both: {bound:?}, {deleted:?}");
        }
    })
    .await;
}
