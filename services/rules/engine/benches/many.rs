//! Four thousand plugins, one after another, twice: what stays resident, and what a load takes, cold and from kept code.
//!
//! A process of its own, because it measures itself. `cargo xtask bench plugins` runs it.
#![allow(clippy::print_stdout, clippy::expect_used, reason = "a program's answer; a benchmark may end early")]

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use linli_rules_engine::types::{Context, EligibilityRequest, Usage};
use linli_rules_engine::{Engine, EngineConfig, Kept};

const PLUGINS: u32 = 4_000;
const MOST_MIB: u64 = 300;

/// The allocator of the binary.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn resident_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("a Linux");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a resident size");
    line.trim().trim_end_matches(" kB").trim().parse::<u64>().expect("a number") >> 10
}

fn main() -> ExitCode {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../plugins/target/components/haircut.wasm");
    let haircut = std::fs::read(path).expect("build the plugins first: cargo xtask plugins");
    let dir = tempfile::Builder::new().prefix("linli-many-").tempdir().expect("a directory");
    let kept = Some(Kept::new(dir.path(), [1; 32], 4 << 30));
    let engine = Engine::new(EngineConfig { kept, ..EngineConfig::server() }).expect("an engine");
    let ask = |n: u32| {
        // A custom section of its own makes each another plugin.
        let plugin = engine.load(&[haircut.as_slice(), &[0, 5, 0], &n.to_le_bytes()].concat()).expect("it loads");
        let req = EligibilityRequest { used: Some(Usage::default()), ..EligibilityRequest::default() };
        engine.eligibility(&plugin, &Context::default(), &req).expect("it answers");
    };
    println!("| {PLUGINS} plugins, one after another | ms a load | MiB resident (at most {MOST_MIB}) |\n|---|---|---|");
    let mut most = 0;
    for round in ["compiled", "from kept code"] {
        let begun = Instant::now();
        for n in 0..PLUGINS {
            ask(n);
            if n % 100 == 0 {
                most = most.max(resident_mib());
            }
        }
        let each = begun.elapsed().as_secs_f64() * 1_000.0 / f64::from(PLUGINS);
        let resident = resident_mib();
        most = most.max(resident);
        println!("| {round} | {each:.2} | {resident} |");
    }
    drop(dir);
    if most < MOST_MIB || std::env::args().any(|arg| arg == "--advisory") {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
