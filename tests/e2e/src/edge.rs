//! The edge and the first slice: an org RPC through gateway, access, kit and both engines.

use linli_harness::seed::{self, request_id, text};
use linli_harness::{TestSuite, engines, refusal};
use linli_proto::org as pb;

#[tokio::test(flavor = "multi_thread")]
async fn a_community_is_made_read_and_summarised_through_the_gateway() {
    for engine in engines() {
        let suite = TestSuite::start(engine).await.expect("the suite starts");
        let community = seed::community(&suite.operator(), "xinhua").await;
        let secretary = suite.actor(&community.secretary);
        let summary = secretary
            .org()
            .summarize_area(pb::SummarizeAreaRequest { name: "areas/xinhua".into() })
            .await
            .expect("the secretary reads")
            .into_inner();
        assert_eq!((summary.households, summary.people), (10, 20), "{engine:?}");
        let unit = pb::GetUnitRequest { name: community.name("units/micro-1") };
        let unit = secretary.org().get_unit(unit).await.expect("a unit").into_inner();
        assert_eq!(unit.parent, community.name("units/grid-1"));
        suite.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_token_or_a_role_nothing_is_told() {
    for engine in engines() {
        let suite = TestSuite::start(engine).await.expect("the suite starts");
        let community = seed::community(&suite.operator(), "xinhua").await;
        let stranger = suite.actor("areas/guanba/people/per-00000000000000000000000001");
        let asked = stranger.org().get_unit(pb::GetUnitRequest { name: community.name("units/micro-1") }).await;
        let refused = refusal(&asked.expect_err("another area's resident"));
        assert_eq!((refused.code, refused.reason.as_str()), (tonic::Code::PermissionDenied, "PERMISSION_DENIED"));
        let channel = linli_harness::channel(suite.gateway()).expect("a channel");
        let nobody = linli_harness::Actor::new(channel, "not-a-token");
        let asked = nobody.org().get_unit(pb::GetUnitRequest { name: community.name("units/micro-1") }).await;
        assert_eq!(refusal(&asked.expect_err("no token")).reason, "UNAUTHENTICATED");
        suite.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeat_with_the_same_request_id_acts_once_and_another_body_is_refused() {
    for engine in engines() {
        let suite = TestSuite::start(engine).await.expect("the suite starts");
        seed::community(&suite.operator(), "xinhua").await;
        let operator = suite.operator();
        let create = |id: &str, request_id: &str| pb::CreateUnitRequest {
            parent: "areas/xinhua".into(),
            unit_id: id.into(),
            unit: Some(pb::Unit { kind: "grid".into(), display_name: text("三", "three"), ..Default::default() }),
            request_id: request_id.into(),
        };
        let id = request_id();
        let first = operator.org().create_unit(create("grid-3", &id)).await.expect("created").into_inner();
        let again = operator.org().create_unit(create("grid-3", &id)).await.expect("the same answer").into_inner();
        assert_eq!(first, again, "{engine:?}");
        let other = operator.org().create_unit(create("grid-4", &id)).await.expect_err("another body");
        assert_eq!(refusal(&other).reason, "REQUEST_ID_REUSED");
        suite.stop().await;
    }
}
