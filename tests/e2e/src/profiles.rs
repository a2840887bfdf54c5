//! The seven communities' profiles apply as they are, and a second time change nothing.

use std::path::{Path, PathBuf};

use linli::client::Connection;
use linli::commands::apply::{Options, apply_paths};
use linli_harness::{TestSuite, engines};

fn profiles() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../profiles")
}

#[tokio::test(flavor = "multi_thread")]
async fn every_profile_applies_and_a_second_time_changes_nothing() {
    for engine in engines() {
        let suite = TestSuite::start(engine).await.expect("the suite starts");
        let token = suite.suite().token("systems/operator").expect("a token");
        let connection = Connection::open(&format!("http://{}", suite.gateway()), None, &token).expect("a connection");
        for name in ["areas", "xinhua", "jinbujie", "xinhe", "guanba", "bayi", "nanhua", "fuqiang"] {
            let paths = [profiles().join(name)];
            let first = apply_paths(&connection, &paths, &Options::default()).await;
            let first = first.unwrap_or_else(|problem| panic!("{engine:?} {name}: {problem:#}"));
            assert!(first.created > 0, "{engine:?} {name}: {first}");
            let again = apply_paths(&connection, &paths, &Options::default()).await.expect("applies again");
            assert_eq!((again.created, again.updated), (0, 0), "{engine:?} {name}: {again}");
        }
        suite.stop().await;
    }
}
