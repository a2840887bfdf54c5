//! Every attack of the corpus ends in its own typed way, here and in the validation child; the process survives, a
//! neighbour answers right after, and memory comes back.

use std::path::Path;

use linli_rules_engine::validate::{ProblemCode, run};
use linli_rules_engine::{Engine, EngineConfig};

use crate::corpus::{attacks, end_of, neighbour};
use crate::support::patient;

const WORKER: &str = env!("CARGO_BIN_EXE_linli-engine-worker");

#[test]
fn every_attack_ends_in_its_own_way_and_a_neighbour_answers_right_after() {
    let attacks = attacks();
    assert!(attacks.len() >= 60, "{} attacks", attacks.len());
    let engine = Engine::new(EngineConfig::embedded()).expect("the engine starts");
    let neighbour = neighbour();
    let mut wrong = Vec::new();
    for attack in &attacks {
        let end = end_of(&engine, &attack.bytes);
        if end != attack.end {
            wrong.push(format!("{}: {end} instead of {}", attack.name, attack.end));
        }
        assert_eq!(end_of(&engine, &neighbour), "answers", "after {}", attack.name);
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[tokio::test]
async fn the_child_lets_pass_only_what_harms_nobody_and_never_breaks_down() {
    let mut wrong = Vec::new();
    for attack in attacks() {
        let report = run(Path::new(WORKER), &attack.bytes, &patient(), &[]).await.expect("the child starts");
        // A plugin that declines is the author's right; what answers well is a plugin.
        let passes = ["answers", "refused"].contains(&attack.end.as_str());
        let broke = report.problems.iter().any(|problem| problem.code == ProblemCode::Crashed);
        if broke || (!passes && report.is_acceptable()) || (attack.end == "answers" && !report.is_acceptable()) {
            wrong.push(format!("{}: {:?}", attack.name, report.problems));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[cfg(target_os = "linux")]
#[test]
fn memory_comes_back_after_hundreds_of_attacks() {
    let engine = Engine::new(EngineConfig::embedded()).expect("the engine starts");
    let attacks = attacks();
    let round = || {
        for attack in &attacks {
            end_of(&engine, &attack.bytes);
        }
    };
    // The first round fills what is kept on purpose: plugins, pages of the pool, arenas of the allocator.
    round();
    let before = resident_bytes();
    for _ in 0..4 {
        round();
    }
    let grown = resident_bytes().saturating_sub(before);
    assert!(grown < 16 << 20, "{grown} bytes stayed after {} attacks", attacks.len() * 4);
}

#[cfg(target_os = "linux")]
pub(crate) fn resident_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux tells");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a line of it");
    line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") * 1024
}
