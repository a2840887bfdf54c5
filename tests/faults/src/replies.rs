//! A reply that is cut after COMMIT: the client does not know, the same request_id tells.

use std::time::Duration;

use linli_harness::seed::{self, request_id, text};
use linli_harness::{Actor, TestSuite, channel, engines, until};
use linli_proto::org as pb;

use crate::proxy::Proxy;

#[tokio::test(flavor = "multi_thread")]
async fn a_reply_cut_after_commit_is_resolved_by_the_same_request_id() {
    for engine in engines() {
        let suite = TestSuite::start(engine).await.expect("the suite starts");
        seed::community(&suite.operator(), "xinhua").await;
        let proxy = Proxy::before(suite.gateway()).await;
        let token = suite.suite().token("systems/operator").expect("a token");
        let cut_off = Actor::new(channel(proxy.address).expect("an address"), &token);
        cut_off.org().list_areas(pb::ListAreasRequest::default()).await.expect("the proxy forwards");
        let request = pb::CreateUnitRequest {
            parent: "areas/xinhua".into(),
            unit_id: "grid-9".into(),
            unit: Some(pb::Unit { kind: "grid".into(), display_name: text("九", "nine"), ..Default::default() }),
            request_id: request_id(),
        };
        proxy.swallow_answers();
        let mut client = cut_off.org();
        let sent = client.create_unit(request.clone());
        let unknown = tokio::time::timeout(Duration::from_millis(700), sent).await;
        assert!(unknown.is_err(), "{engine:?}: the reply must not arrive");
        let operator = suite.operator();
        let name = pb::GetUnitRequest { name: "areas/xinhua/units/grid-9".into() };
        let made =
            until("the commit", || async { operator.org().get_unit(name.clone()).await.ok() }).await.into_inner();
        let again = operator.org().create_unit(request).await.expect("the same request_id answers").into_inner();
        assert_eq!(again, made, "{engine:?}: one effect, the same resource");
        suite.stop().await;
    }
}
