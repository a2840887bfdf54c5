//! Every RPC, with the same expectations on both engines; every change retried.

use std::collections::BTreeSet;

use linli_harness::{Engine, engines};

use crate::wire::rpcs;
use crate::world::World;
use crate::{plugins, scenarios};

/// RPCs whose request has no request id, because they change nothing that could be done twice.
const WITHOUT_REQUEST_ID: [&str; 3] = [
    "/google.longrunning.Operations/CancelOperation",
    "/google.longrunning.Operations/DeleteOperation",
    "/linli.dev.v1.ClockService/AdvanceClock",
];

async fn played(engine: Engine, retries: bool) -> (World, std::collections::BTreeMap<String, usize>) {
    plugins::validator_is_built();
    let world = World::start(engine, retries).await;
    Box::pin(scenarios::play(&world)).await;
    let census = world.census().await;
    (world, census)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_rpc_does_what_the_contract_says_alike_on_both_engines() {
    let mut counted = Vec::new();
    for engine in engines() {
        let (world, census) = played(engine, false).await;
        let called = world.notes.answered();
        let all: BTreeSet<String> = rpcs().iter().map(|rpc| rpc.info.path.clone()).collect();
        let missing: Vec<_> = all.difference(&called).collect();
        assert!(missing.is_empty(), "no scenario covers {missing:#?}");
        counted.push((engine, census));
        world.suite.stop().await;
    }
    for (engine, census) in &counted[1..] {
        assert_eq!(census, &counted[0].1, "{engine:?} and {:?} hold the same afterwards", counted[0].0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retry_of_any_change_names_the_same_resource_and_has_no_second_effect() {
    let (plain, once) = played(Engine::Sqlite, false).await;
    plain.suite.stop().await;
    for engine in engines() {
        let (world, census) = played(engine, true).await;
        let retried = world.notes.retried();
        let changes = rpcs().iter().filter(|rpc| rpc.info.mutating && !rpc.info.internal_only);
        let changes = changes.filter(|rpc| !WITHOUT_REQUEST_ID.contains(&rpc.info.path.as_str()));
        let missing: Vec<_> = changes.map(|rpc| &rpc.info.path).filter(|path| !retried.contains(*path)).collect();
        assert!(missing.is_empty(), "no scenario retries {missing:#?}");
        assert_eq!(census, once, "{engine:?}: with retries there is as much as without");
        world.suite.stop().await;
    }
}
