//! What is measured. Each scenario seeds a suite by public RPCs, runs, and checks the books afterwards.

pub(crate) mod access;
mod attack;
pub(crate) mod bookings;
pub(crate) mod plugins;
pub(crate) mod rules;
pub(crate) mod transfers;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Result, anyhow, ensure};
use linli_harness::{Actor, seed};
use linli_proto::common::{VerifyInvariantsRequest, VerifyInvariantsResponse};
use linli_proto::org as pb;
use tonic::Request;
use tonic::metadata::{Ascii, MetadataValue};

use crate::drive::connect;
use crate::play::Player;

/// The area of every load.
pub(crate) const AREA: &str = "load";
/// The installation's operator.
pub(crate) const OPERATOR: &str = "systems/operator";

/// Subjects whose tokens are sent in turn.
pub(crate) type Tokens = Arc<Vec<MetadataValue<Ascii>>>;

/// Values of `authorization` for these tokens.
pub(crate) fn bearer(tokens: &[String]) -> Result<Tokens> {
    Ok(Arc::new(tokens.iter().map(|t| format!("Bearer {t}").parse()).collect::<Result<_, _>>()?))
}

/// A request with a token.
pub(crate) fn request<M>(message: M, token: &MetadataValue<Ascii>) -> Request<M> {
    let mut request = Request::new(message);
    request.metadata_mut().insert("authorization", token.clone());
    request
}

/// Numbers of operations, one for all workers.
#[derive(Debug, Clone, Default)]
pub(crate) struct Counter(Arc<AtomicU64>);

impl Counter {
    /// The next number.
    pub(crate) fn next(&self) -> u64 {
        self.0.fetch_add(1, Ordering::Relaxed)
    }
}

/// The operator, past or through the gateway: seeding is not measured.
pub(crate) async fn operator(player: &Player) -> Result<Actor> {
    let token = player.tokens([OPERATOR])?.remove(0);
    let channel = connect(player.addresses.gateway, 1).await?.remove(0);
    Ok(Actor::new(channel, &token))
}

/// Makes the area with so many people more, two in a household; returns the community and their names.
pub(crate) async fn people(operator: &Actor, count: usize) -> Result<(seed::Community, Vec<String>)> {
    let parent = format!("areas/{AREA}");
    let community = seed::community(operator, AREA).await;
    let person = |year: i32| pb::Person { full_name: "王建国".into(), birth_year: year, ..Default::default() };
    let mut names = Vec::with_capacity(count);
    let drafts: Vec<pb::HouseholdDraft> = (0..count.div_ceil(2))
        .map(|n| pb::HouseholdDraft {
            household: Some(pb::Household {
                unit: format!("{parent}/units/micro-3"),
                import_key: format!("load-{n}"),
                ..Default::default()
            }),
            people: vec![person(1945), person(1985)],
            request_id: seed::request_id(),
        })
        .collect();
    for part in drafts.chunks(200) {
        let request = pb::BatchCreateHouseholdsRequest { parent: parent.clone(), requests: part.to_vec() };
        let made = operator.org().batch_create_households(request).await?.into_inner();
        names.extend(made.households.into_iter().flat_map(|h| h.people).map(|p| p.name));
    }
    ensure!(names.len() >= count, "{} of {count} people were made", names.len());
    names.truncate(count);
    Ok((community, names))
}

/// Every invariant must hold; returns how many rows or groups were looked at.
pub(crate) fn hold(service: &str, answer: &VerifyInvariantsResponse) -> Result<i64> {
    ensure!(!answer.checks.is_empty(), "{service} checked nothing");
    for check in &answer.checks {
        if !check.violations.is_empty() {
            return Err(anyhow!("{service}: {} is broken: {:?}", check.invariant, check.violations));
        }
    }
    Ok(answer.checks.iter().map(|c| c.checked).sum())
}

/// The request of every VerifyInvariants.
pub(crate) fn verify() -> VerifyInvariantsRequest {
    VerifyInvariantsRequest { parent: format!("areas/{AREA}") }
}
