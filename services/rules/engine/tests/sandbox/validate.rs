//! Every hostile plugin is refused, for its own reason, by a real child process.

use std::fmt::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use linli_rules_engine::types::{AwardRequest, Context, Setting};
use linli_rules_engine::validate::{ProblemCode, Report, ValidateLimits, run, run_hook, run_vectors};
use linli_rules_engine::{Caps, Expected, Hook, Kind, Outcome, Question, Vector};

use crate::support::{built, guest, guest_of, harmless_with, hostile, number, patient, root};

const WORKER: &str = env!("CARGO_BIN_EXE_linli-engine-worker");

async fn validate_with(bytes: &[u8], settings: &[Setting]) -> Report {
    run(Path::new(WORKER), bytes, &patient(), settings).await.expect("the child starts")
}

async fn codes(bytes: &[u8]) -> Vec<ProblemCode> {
    validate_with(bytes, &[]).await.problems.iter().map(|problem| problem.code).collect()
}

#[tokio::test]
async fn the_plugins_of_this_repository_are_acceptable() {
    let expected = [
        ("haircut", vec![Hook::Eligibility, Hook::Priority]),
        ("meals", vec![Hook::Eligibility, Hook::Price]),
        ("repairs", vec![Hook::Eligibility, Hook::Price, Hook::Priority]),
        ("thanks", vec![Hook::Award]),
    ];
    for (name, mut hooks) in expected {
        let mut report = validate_with(&built(name), &[]).await;
        report.hooks.sort();
        hooks.sort();
        assert!(report.is_acceptable(), "{name}: {:#?}", report.problems);
        assert_eq!(report.hooks, hooks, "{name}");
        assert!(report.cases as usize >= 32 * hooks.len(), "{name}: {} cases", report.cases);
        let percent = report.peak_fuel_percent();
        assert!(report.peak_fuel > 0 && percent < 50, "{name} uses {percent} % of its fuel");
        let manifest = report.manifest.expect("a manifest");
        assert!(!manifest.title.zh_cn.is_empty() && !manifest.title.en.is_empty());
    }
}

#[tokio::test]
async fn a_harmless_guest_made_from_text_is_acceptable() {
    assert_eq!(codes(&guest("harmless")).await, []);
}

#[tokio::test]
async fn garbage_is_no_component() {
    assert_eq!(codes(b"").await, [ProblemCode::NotAComponent]);
    assert_eq!(codes(b"\0asm").await, [ProblemCode::NotAComponent]);
    assert_eq!(codes(&[0xff; 4_096]).await, [ProblemCode::NotAComponent]);
}

#[tokio::test]
async fn a_core_module_is_no_component() {
    assert_eq!(codes(&hostile("core-module")).await, [ProblemCode::NotAComponent]);
}

#[tokio::test]
async fn a_file_that_breaks_off_anywhere_is_refused_without_a_crash() {
    let whole = guest("harmless");
    for len in (8..whole.len()).step_by(211) {
        let codes = codes(&whole[..len]).await;
        assert!(!codes.is_empty() && !codes.contains(&ProblemCode::Crashed), "{len}: {codes:?}");
    }
}

#[tokio::test]
async fn flipped_bytes_never_crash_the_validation() {
    let whole = guest("harmless");
    for at in (8..whole.len()).step_by(97) {
        let mut broken = whole.clone();
        broken[at] ^= 0x55;
        let codes = codes(&broken).await;
        assert!(!codes.contains(&ProblemCode::Crashed), "{at}: {codes:?}");
    }
}

#[tokio::test]
async fn every_forbidden_import_is_named() {
    let report = validate_with(&hostile("importer"), &[]).await;
    let imports: Vec<_> = report
        .problems
        .iter()
        .filter(|problem| problem.code == ProblemCode::ForbiddenImport)
        .map(|problem| problem.where_.as_str())
        .collect();
    assert_eq!(imports, ["wasi:clocks/wall-clock@0.2.0", "wasi:random/random@0.2.0", "phone-home"]);
}

#[tokio::test]
async fn a_function_hidden_among_the_types_is_refused() {
    let codes = codes(&hostile("function-among-types")).await;
    assert!(codes.contains(&ProblemCode::ForbiddenImport), "{codes:?}");
}

#[tokio::test]
async fn a_component_without_manifest_and_hooks_is_refused_for_both() {
    assert_eq!(codes(&hostile("empty")).await, [ProblemCode::NoMeta, ProblemCode::NoHook]);
}

#[tokio::test]
async fn code_in_a_nested_component_is_refused_before_it_is_compiled() {
    let codes = codes(&hostile("nested-code")).await;
    assert_eq!(codes.iter().filter(|code| **code == ProblemCode::ForbiddenFeature).count(), 2, "{codes:?}");
}

#[tokio::test]
async fn all_problems_are_listed_at_once_in_both_languages() {
    let report = validate_with(&hostile("many-things-wrong"), &[]).await;
    let codes: Vec<_> = report.problems.iter().map(|problem| problem.code).collect();
    for code in [
        ProblemCode::ForbiddenImport,
        ProblemCode::UnknownExport,
        ProblemCode::TooMuchMemory,
        ProblemCode::TooManyParts,
        ProblemCode::ForbiddenFeature,
        ProblemCode::NoHook,
    ] {
        assert!(codes.contains(&code), "{code:?} is missing in {codes:?}");
    }
    for problem in &report.problems {
        let zh = problem.message_zh.replace("WebAssembly", "");
        assert!(zh.chars().any(|c| ('\u{4e00}'..='\u{9fff}').contains(&c)), "{problem:?}");
        assert!(!zh.chars().any(|c| c.is_ascii_alphabetic()), "{problem:?}");
        assert!(problem.message_en.is_ascii(), "{problem:?}");
    }
}

#[tokio::test]
async fn too_many_functions_are_refused_before_they_are_compiled() {
    let functions = "(func)".repeat(2_001);
    let bytes = wat::parse_str(format!("(component (core module {functions}))")).unwrap();
    assert!(codes(&bytes).await.contains(&ProblemCode::TooManyFunctions));
}

#[tokio::test]
async fn a_function_that_takes_minutes_to_compile_is_refused_at_once() {
    let mut body = String::new();
    for n in 0..20_000 {
        write!(body, "(local.set 0 (i32.add (local.get 0) (i32.const {n})))").unwrap();
    }
    let bytes =
        guest_of(&format!("(func $bomb (param i32) {body}) {}", include_str!("../hostile/guests/harmless.wat")));
    let started = Instant::now();
    let report = validate_with(&bytes, &[]).await;
    assert_eq!(report.problems[0].code, ProblemCode::FunctionTooLarge, "{report:?}");
    assert!(started.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn what_takes_too_long_to_compile_within_the_caps_is_stopped_by_its_processor_time() {
    let mut body = String::new();
    for n in 0..1_500 {
        let [test, to, a, b] = [n, n * 7, n * 13, n * 29].map(|n| n % 250);
        write!(body, "(if (local.get {test}) (then (local.set {to} (i32.mul (local.get {a}) (local.get {b})))))")
            .unwrap();
    }
    let function = format!("(func (local {}) {body})", "i32 ".repeat(250));
    let bytes = guest_of(&format!("{} {}", function.repeat(11), include_str!("../hostile/guests/harmless.wat")));
    let limits = ValidateLimits { wall: Duration::from_secs(120), cpu_seconds: 1, ..ValidateLimits::default() };
    let report = run(Path::new(WORKER), &bytes, &limits, &[]).await.unwrap();
    assert_eq!(report.problems[0].code, ProblemCode::TimedOut, "{report:?}");
    assert_eq!(report.problems[0].where_, "compile");
}

#[tokio::test]
async fn too_many_locals_are_refused() {
    let locals = "i64 ".repeat(257);
    let bytes = wat::parse_str(format!("(component (core module (func (local {locals}))))")).unwrap();
    assert!(codes(&bytes).await.contains(&ProblemCode::FunctionTooLarge));
}

#[tokio::test]
async fn a_file_that_is_too_large_does_not_even_reach_the_child() {
    let bytes = vec![0; Caps::native().bytes + 1];
    let report = run(Path::new("/nonexistent"), &bytes, &ValidateLimits::default(), &[]).await.unwrap();
    assert_eq!(report.problems[0].code, ProblemCode::TooLarge);
}

#[tokio::test]
async fn what_never_ends_is_stopped() {
    assert_eq!(codes(&guest("loop")).await, [ProblemCode::Loops]);
    assert_eq!(codes(&guest("bulk-loop")).await, [ProblemCode::Loops]);
}

#[tokio::test]
async fn what_never_ends_while_describing_itself_is_stopped() {
    let forever = |text: &str| {
        text.replace(
            "describe\") (result i32) (i32.const 0)",
            "describe\") (result i32) (loop $x (br $x)) (unreachable)",
        )
    };
    assert_eq!(codes(&harmless_with(forever, str::to_owned)).await, [ProblemCode::Loops]);
}

#[tokio::test]
async fn what_eats_memory_is_stopped() {
    assert_eq!(codes(&guest("memory-eater")).await, [ProblemCode::TooMuchMemory]);
}

#[tokio::test]
async fn what_traps_is_refused() {
    assert_eq!(codes(&guest("trap")).await, [ProblemCode::Traps]);
    assert_eq!(codes(&guest("recursion")).await, [ProblemCode::Traps]);
}

#[tokio::test]
async fn answers_that_break_the_contract_are_refused() {
    for name in ["wild-pointer", "huge-answer", "no-such-variant", "undeclared-award"] {
        assert_eq!(codes(&guest(name)).await, [ProblemCode::BadResult], "{name}");
    }
}

#[tokio::test]
async fn no_instance_is_used_twice() {
    assert_eq!(codes(&guest("counter")).await, []);
}

#[tokio::test]
async fn a_manifest_without_texts_is_refused() {
    let nameless = |text: &str| text.replacen("\\50\\00\\00\\00\\01", "\\50\\00\\00\\00\\00", 1);
    assert_eq!(codes(&harmless_with(nameless, str::to_owned)).await, [ProblemCode::BadManifest]);
}

#[tokio::test]
async fn a_hook_of_another_shape_does_not_compile_against_the_contract() {
    let other = |wit: &str| wit.replace("minutes: u32,", "minutes: s32,");
    assert_eq!(codes(&harmless_with(str::to_owned, other)).await, [ProblemCode::DoesNotCompile]);
}

#[tokio::test]
async fn sample_settings_are_checked_by_the_host_and_by_the_plugin() {
    let bad = |settings: Vec<Setting>| async move {
        let report = validate_with(&built("haircut"), &settings).await;
        report.problems.iter().map(|p| (p.code, p.where_.clone())).collect::<Vec<_>>()
    };
    assert_eq!(bad(vec![number("elder-age", 80)]).await, []);
    let both = bad(vec![number("elder-age", 121), number("typo", 1)]).await;
    assert_eq!(both, ["elder-age", "typo"].map(|key| (ProblemCode::BadSettings, key.to_owned())));
    let odd =
        Setting { key: "subsidy-tiers".to_owned(), value: linli_rules_engine::types::SettingValue::Numbers(vec![60]) };
    let report = validate_with(&built("meals"), &[odd]).await;
    assert_eq!(report.problems[0].message_en, "Subsidy tiers come in pairs and are not negative");
}

#[tokio::test]
async fn a_child_that_takes_too_long_is_killed() {
    let limits = ValidateLimits { wall: Duration::from_millis(1), ..ValidateLimits::default() };
    let report = run(Path::new(WORKER), &built("haircut"), &limits, &[]).await.unwrap();
    assert_eq!(report.problems[0].code, ProblemCode::TimedOut);
}

#[tokio::test]
async fn a_child_that_dies_is_a_problem_and_not_a_failure() {
    let report = run(Path::new("/bin/false"), &built("haircut"), &ValidateLimits::default(), &[]).await.unwrap();
    assert_eq!(report.problems[0].code, ProblemCode::Crashed);
    let tight = ValidateLimits { compile_bytes: 1 << 20, ..ValidateLimits::default() };
    let report = run(Path::new(WORKER), &built("haircut"), &tight, &[]).await.unwrap();
    assert_eq!(report.problems[0].code, ProblemCode::Crashed);
}

#[tokio::test]
async fn a_child_that_cannot_start_says_nothing_about_the_plugin() {
    assert!(run(Path::new("/nonexistent"), &guest("harmless"), &ValidateLimits::default(), &[]).await.is_err());
}

#[tokio::test]
async fn a_hook_is_tried_with_the_settings_that_it_is_to_have() {
    let guest = guest("loops-when-set");
    assert_eq!(codes(&guest).await, []);
    let set = Setting { key: "t".into(), value: linli_rules_engine::types::SettingValue::Flag(true) };
    let tried = run_hook(Path::new(WORKER), &guest, &patient(), &[set], Hook::Award).await.expect("the child starts");
    let found: Vec<_> = tried.problems.iter().map(|problem| (problem.code, problem.where_.as_str())).collect();
    assert_eq!(found, [(ProblemCode::Loops, "points-award")]);
    let tried = run_hook(Path::new(WORKER), &guest, &patient(), &[], Hook::Award).await.expect("the child starts");
    assert!(tried.is_acceptable() && tried.cases == 32, "{tried:?}");
}

#[tokio::test]
async fn an_authors_case_that_comes_out_otherwise_is_told_by_its_name() {
    let vector = |name: &str, expect| Vector {
        name: name.to_owned(),
        context: Context::default(),
        question: Question::Award(AwardRequest::default()),
        expect: Expected::Outcome(expect),
    };
    let vectors =
        [vector("nothing is granted", Outcome::Award(vec![])), vector("a score instead", Outcome::Priority(vec![]))];
    let report = run_vectors(Path::new(WORKER), &guest("harmless"), &patient(), &[], &vectors).await.unwrap();
    assert_eq!(report.vectors, 1);
    let found: Vec<_> = report.problems.iter().map(|problem| (problem.code, problem.where_.as_str())).collect();
    assert_eq!(found, [(ProblemCode::VectorFailed, r#"a score instead: {"points-award":[]}"#)]);
}

#[tokio::test]
async fn only_the_hook_that_is_bound_is_tried() {
    let settings = [number("per-month", 2)];
    let tried = run_hook(Path::new(WORKER), &built("haircut"), &patient(), &settings, Hook::Priority).await.unwrap();
    assert!(tried.is_acceptable(), "{:?}", tried.problems);
    assert_eq!(tried.cases, 32, "one hook of two");
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_confined_child_opens_nothing_starts_nothing_and_signals_nobody() {
    let output = tokio::process::Command::new(WORKER).arg("probe").output().await.expect("the worker starts");
    let said = String::from_utf8(output.stdout).expect("text");
    assert!(!said.contains("unfiltered"), "the kernel of this machine has no filter of system calls: {said}");
    let attempts: Vec<&str> = said.lines().collect();
    // 1 is EPERM: the filter's own answer, not that of a limit.
    assert_eq!(attempts, ["open 1", "socket 1", "kill 1", "thread 1", "fork 1", "exec 1"]);
}

#[tokio::test]
async fn a_table_is_validated_like_any_other_plugin() {
    let document = std::fs::read(root().join("tests/tables/haircut.yaml")).expect("the document");
    let report = validate_with(&document, &[]).await;
    assert!(report.is_acceptable(), "{:?}", report.problems);
    assert_eq!((report.kind, report.cases >= 32), (Some(Kind::Table), true));
    assert!(report.compiled.is_none() && report.manifest.is_some() && report.peak_fuel > 0);
    let broken = String::from_utf8(document).expect("text").replace("then: ", "than: ");
    let report = validate_with(broken.as_bytes(), &[]).await;
    assert_eq!(report.problems[0].code, ProblemCode::BadTable, "{report:?}");
}
