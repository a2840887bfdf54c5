//! What the books say: an account's units, the invariants of booking and points.

use std::fmt::Display;

use linli_harness::Actor;
use linli_proto::common::VerifyInvariantsRequest;
use linli_proto::points::GetAccountRequest;

/// Balance and held units of somebody of `xinhua` in an asset; nothing when there is no account.
pub(crate) async fn units(operator: &Actor, asset: &str, who: &str) -> (i64, i64) {
    let holder = who.rsplit('/').next().expect("an id");
    let request = GetAccountRequest { name: format!("areas/xinhua/accounts/{asset}.{holder}") };
    match operator.points().get_account(request).await {
        Ok(account) => (account.get_ref().balance, account.get_ref().held),
        Err(status) if status.code() == tonic::Code::NotFound => (0, 0),
        Err(status) => panic!("{status:?}"),
    }
}

/// The books of both services hold.
pub(crate) async fn verify(operator: &Actor, cell: &impl Display) {
    let request = || VerifyInvariantsRequest { parent: "areas/xinhua".into() };
    let booking = operator.booking().verify_invariants(request()).await.expect("booking verifies").into_inner();
    let points = operator.points().verify_invariants(request()).await.expect("points verifies").into_inner();
    for check in booking.checks.into_iter().chain(points.checks) {
        assert!(check.violations.is_empty(), "{cell}: {}: {:?}", check.invariant, check.violations);
    }
}
