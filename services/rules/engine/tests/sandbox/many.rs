//! Scripts beside native plugins, and thousands of plugins in little memory.
//! Never: a figure for publication; those come from the benchmark.

use linli_rules_engine::types::{AwardRequest, Context};
use linli_rules_engine::validate::run;
use linli_rules_engine::{Engine, EngineConfig, Kind, kind_of};

use crate::hostile::resident_bytes;
use crate::support::{built, guest, patient};

#[tokio::test]
async fn a_script_is_validated_and_evaluated_under_limits_of_its_own() {
    let script = built("hearts");
    assert_eq!((kind_of(&script), kind_of(&built("haircut"))), (Kind::Script, Kind::Native));
    let worker = std::path::Path::new(env!("CARGO_BIN_EXE_linli-engine-worker"));
    let report = run(worker, &script, &patient(), &[]).await.expect("the child starts");
    assert!(report.is_acceptable(), "{:?}", report.problems);
    assert_eq!(report.kind, Some(Kind::Script));
    let dir = tempfile::tempdir().unwrap();
    let kept = Some(linli_rules_engine::Kept::new(dir.path(), [1; 32], 64 << 20));
    let engine = Engine::new(EngineConfig { kept, ..EngineConfig::embedded() }).unwrap();
    engine.keep(&report.compiled.expect("it is acceptable")).expect("it is kept");
    let before = resident_bytes();
    let plugin = engine.load(&script).expect("it loads");
    let taken = resident_bytes().saturating_sub(before);
    assert!(taken < 32 << 20, "pool and code of the first script take {taken} bytes");
    assert_eq!(plugin.kind(), Kind::Script);
    assert_eq!(plugin.hooks().collect::<Vec<_>>(), report.hooks);
    let native = engine.load(&guest("harmless")).expect("it loads");
    engine.award(&native, &Context::default(), &AwardRequest::default()).expect("natives answer beside it");
}

/// A measurement with a bound: `cargo test -p linli-rules-engine -- --ignored --nocapture four_thousand`.
#[test]
#[ignore = "takes minutes"]
fn four_thousand_plugins_take_less_than_three_hundred_megabytes() {
    let dir = tempfile::tempdir().unwrap();
    let kept = Some(linli_rules_engine::Kept::new(dir.path(), [1; 32], 4 << 30));
    let engine = Engine::new(EngineConfig { kept, ..EngineConfig::server() }).unwrap();
    let haircut = built("haircut");
    let ask = |n: u32| {
        // A custom section of its own makes each another plugin.
        let plugin = engine.load(&[haircut.as_slice(), &[0, 5, 0], &n.to_le_bytes()].concat()).expect("it loads");
        let fault = engine.award(&plugin, &Context::default(), &AwardRequest::default()).unwrap_err();
        assert_eq!(fault.code(), "no-hook");
    };
    for round in 0..2 {
        let started = std::time::Instant::now();
        (0..4_000).for_each(ask);
        let resident = resident_bytes() >> 20;
        eprintln!("round {round}: {:?} for each, {resident} MiB resident", started.elapsed() / 4_000);
        assert!(resident < 300, "{resident} MiB");
    }
}
