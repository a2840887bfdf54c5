//! A reply that is cut after COMMIT: the client does not know, the same request_id tells. On every path that writes: one
//! transaction of its own, a booking's batch, the ledger's batch.

use std::future::Future;
use std::net::SocketAddr;

use linli_harness::seed::{self, Community, request_id, text};
use linli_harness::{Actor, Engine, Processes, Spread, TestSuite, channel, engines, until};
use linli_proto::common::Amount;
use linli_proto::{booking, org, points};

use crate::books::units;
use crate::proxy::Proxy;

const PARENT: &str = "areas/xinhua";

/// Lets `call` be made through a proxy that swallows its answer, until `done` says that the effect is there.
async fn unanswered<T: Send + 'static, F: Future<Output = T> + Send + 'static>(
    (gateway, caller): (SocketAddr, &Actor),
    call: impl FnOnce(Actor) -> F,
    done: impl AsyncFn() -> bool,
) {
    let proxy = Proxy::before(gateway).await;
    let cut_off = caller.over(channel(proxy.address).expect("an address"));
    cut_off.org().list_areas(org::ListAreasRequest::default()).await.expect("the proxy forwards");
    proxy.swallow_answers();
    let sent = tokio::spawn(call(cut_off));
    until("the commit", || async { done().await.then_some(()) }).await;
    until("the answer", || async { (proxy.swallowed() > 0).then_some(()) }).await;
    assert!(!sent.is_finished(), "the reply must not arrive");
    sent.abort();
}

async fn unit(suite: &TestSuite, operator: &Actor) {
    let request = org::CreateUnitRequest {
        parent: PARENT.into(),
        unit_id: "grid-9".into(),
        unit: Some(org::Unit { kind: "grid".into(), display_name: text("九", "nine"), ..Default::default() }),
        request_id: request_id(),
    };
    let name = org::GetUnitRequest { name: format!("{PARENT}/units/grid-9") };
    let made = async || operator.org().get_unit(name.clone()).await.ok().map(tonic::Response::into_inner);
    let sent = request.clone();
    let call = |caller: Actor| async move { caller.org().create_unit(sent).await };
    unanswered((suite.gateway(), operator), call, async || made().await.is_some()).await;
    let again = operator.org().create_unit(request).await.expect("the same request_id answers").into_inner();
    assert_eq!(Some(again), made().await, "{:?}: one effect, the same resource", suite.engine());
}

async fn a_booking(suite: &TestSuite, operator: &Actor, community: &Community) {
    let slot = seed::offering(operator, "xinhua", "haircut", 3, 0).await;
    let resident = suite.actor(community.adult(0));
    let request = booking::CreateBookingRequest {
        parent: PARENT.into(),
        booking: Some(booking::Booking { slot: slot.name, ..Default::default() }),
        request_id: request_id(),
    };
    let list = booking::ListBookingsRequest { parent: PARENT.into(), ..Default::default() };
    let all = async || {
        let listed = resident.booking().list_bookings(list.clone()).await.expect("the resident's own");
        listed.into_inner().bookings
    };
    let sent = request.clone();
    let call = |caller: Actor| async move { caller.booking().create_booking(sent).await };
    unanswered((suite.gateway(), &resident), call, async || !all().await.is_empty()).await;
    let again = resident.booking().create_booking(request).await.expect("the same request_id answers").into_inner();
    assert_eq!(all().await, [again], "{:?}: one effect, the same resource", suite.engine());
}

/// What somebody has after a transfer of 5 whose answer was lost and that was asked for again; and whether both answers name
/// one transfer.
async fn a_transfer(gateway: SocketAddr, operator: &Actor, community: &Community) -> (i64, bool) {
    let to = community.adult(0);
    seed::points(operator, "xinhua", to, 1).await;
    let amount = Some(Amount { asset: "points".into(), value: 5 });
    let transfer = points::Transfer { amount, from: "issuance".into(), to: to.to_owned(), ..Default::default() };
    let request =
        points::CreateTransferRequest { parent: PARENT.into(), transfer: Some(transfer), request_id: request_id() };
    let sent = request.clone();
    let call = |caller: Actor| async move { caller.points().create_transfer(sent).await };
    unanswered((gateway, operator), call, async || units(operator, "points", to).await.0 == 6).await;
    let again = operator.points().create_transfer(request).await.expect("the same request_id answers").into_inner();
    let filter = format!("to = \"{to}\"");
    let list = points::ListTransfersRequest { parent: PARENT.into(), filter, ..Default::default() };
    let all = operator.points().list_transfers(list).await.expect("lists").into_inner().transfers;
    let first = all.iter().find(|one| one.amount == again.amount).expect("the transfer");
    (units(operator, "points", to).await.0 - 1, first.name == again.name)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reply_cut_after_commit_is_resolved_by_the_same_request_id() {
    for engine in engines() {
        let suite = TestSuite::start(engine).await.expect("the suite starts");
        let operator = suite.operator();
        let community = seed::community(&operator, "xinhua").await;
        unit(&suite, &operator).await;
        a_booking(&suite, &operator, &community).await;
        let posted = a_transfer(suite.gateway(), &operator, &community).await;
        assert_eq!(posted, (5, true), "{engine:?}: one effect, the same resource");
        suite.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_suite_that_forgets_request_ids_posts_twice_and_this_test_sees_it() {
    let suite = Processes::start(Engine::Sqlite, Spread::One, "idempotency::forget=return").await.expect("starts");
    let operator = suite.operator();
    let community = seed::community(&operator, "xinhua").await;
    let posted = a_transfer(suite.gateway(), &operator, &community).await;
    assert_eq!(posted, (10, false), "broken on purpose, and not unseen");
}
