//! Scripts beside native plugins. Never: a figure for publication; those come from the benchmark.

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
