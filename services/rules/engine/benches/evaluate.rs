//! What one evaluation costs, as ratios to a bare wasmtime instance of the same component with the same settings.
//!
//! `cargo xtask bench plugins` runs it; by itself: `cargo bench -p linli-rules-engine` after `cargo xtask plugins`. Runs of
//! floor and engine alternate; a ratio is the median of the pairs' ratios of medians. Never: a floor that skips a limit which the
//! engine keeps.
#![allow(clippy::print_stdout, clippy::expect_used, reason = "a program's answer; a benchmark may end early")]

use std::hint::black_box;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use linli_rules_engine::types::{Context, EligibilityRequest, Member, Refusal, Slot, Usage, Verdict};
use linli_rules_engine::{Engine, EngineConfig, Kept, Plugin, Question};
use wasmtime::component::{Component, ComponentExportIndex, InstancePre, Linker};
use wasmtime::{Config, InstanceAllocationStrategy, OperatorCost, PoolingAllocationConfig, ResourceLimiter, Store};

const FRESH: f64 = 1.5;
const THOUSAND: f64 = 3.0;
const NEIGHBOUR: f64 = 1.5;
const ROUNDS: usize = 7;
const CALLS: usize = 3_000;
const DISTINCT: usize = 1_000;

fn component(name: &str) -> Vec<u8> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../plugins/target/components");
    std::fs::read(path.join(format!("{name}.wasm"))).expect("build the plugins first: cargo xtask plugins")
}

/// The same component with another digest: an empty custom section more.
fn variant(bytes: &[u8], number: usize) -> Vec<u8> {
    let name = format!("variant-{number}");
    let mut all = bytes.to_vec();
    all.push(0);
    all.push(u8::try_from(name.len() + 1).expect("a short name"));
    all.push(u8::try_from(name.len()).expect("a short name"));
    all.extend_from_slice(name.as_bytes());
    all
}

fn context() -> Context {
    Context { now: 29_600_000, utc_offset_min: 480, seed: 1, settings: Vec::new() }
}

fn request() -> EligibilityRequest {
    EligibilityRequest {
        who: Member { handle: 1, age_years: Some(81), tags: vec!["living-alone".into()], ..Member::default() },
        used: Some(Usage::default()),
        slot: Slot { offering: "haircut".into(), kind: "haircut".into(), capacity: 12, ..Slot::default() },
        party: 1,
        ..EligibilityRequest::default()
    }
}

/// The allocator of the binary: where things lie decides what a thousand plugins cost.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Memory and tables as the engine limits them.
struct Limits;

impl ResourceLimiter for Limits {
    fn memory_growing(&mut self, _: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        Ok(desired <= 2 << 20)
    }

    fn table_growing(&mut self, _: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        Ok(desired <= 1_024)
    }
}

/// A bare instance: the settings of the engine and nothing around it.
struct Bare {
    engine: wasmtime::Engine,
    pre: InstancePre<Limits>,
    decide: ComponentExportIndex,
    request: EligibilityRequest,
    context: Context,
}

impl Bare {
    fn new(bytes: &[u8]) -> Self {
        let engine = wasmtime::Engine::new(&settings()).expect("an engine");
        let component = Component::new(&engine, bytes).expect("a component");
        let pre = Linker::new(&engine).instantiate_pre(&component).expect("no imports");
        let interface = component.get_export_index(None, "linli:rules/booking-eligibility@1.0.0").expect("the hook");
        let decide = component.get_export_index(Some(&interface), "decide").expect("its function");
        let request = EligibilityRequest { used: Some(Usage::default()), ..EligibilityRequest::default() };
        Self { engine, pre, decide, request, context: Context { settings: Vec::new(), ..context() } }
    }

    fn call(&self) {
        let mut store = Store::new(&self.engine, Limits);
        store.limiter(|limits| limits);
        store.set_fuel(500_000).expect("fuel is on");
        store.set_epoch_deadline(1_000_000);
        let instance = self.pre.instantiate(&mut store).expect("an instance");
        let function = instance
            .get_typed_func::<(&Context, &EligibilityRequest), (Result<Verdict, Refusal>,)>(&mut store, &self.decide)
            .expect("the hook's type");
        let (answer,) = function.call(&mut store, (&self.context, &self.request)).expect("an answer");
        black_box(answer).expect("a verdict");
    }
}

fn settings() -> Config {
    let mut cost = OperatorCost::new();
    (cost.MemoryGrow, cost.TableGrow) = (255, 255);
    (cost.MemoryCopy, cost.MemoryFill, cost.MemoryInit) = (64, 64, 64);
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(256)
        .total_core_instances(256)
        .total_memories(256)
        .total_tables(256)
        .max_memory_size(2 << 20)
        .table_elements(1_024)
        .max_unused_warm_slots(0)
        .linear_memory_keep_resident(128 << 10)
        .table_keep_resident(8 << 10);
    let mut config = Config::new();
    config
        .consume_fuel(true)
        .operator_cost(cost)
        .epoch_interruption(true)
        .concurrency_support(false)
        .cranelift_nan_canonicalization(true)
        .max_wasm_stack(256 << 10)
        .memory_init_cow(false)
        .wasm_backtrace_max_frames(None)
        .allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    config
}

/// Median nanoseconds of one call.
fn time(calls: usize, mut call: impl FnMut(usize)) -> f64 {
    let mut taken: Vec<u64> = (0..calls)
        .map(|at| {
            let begun = Instant::now();
            call(at);
            u64::try_from(begun.elapsed().as_nanos()).unwrap_or(u64::MAX)
        })
        .collect();
    taken.sort_unstable();
    #[expect(clippy::cast_precision_loss, reason = "nanoseconds of one call")]
    let median = taken[taken.len() / 2] as f64;
    median
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

/// Floor and measured in turn: median nanoseconds of both, and the median of the pairs' ratios.
fn compare(mut floor: impl FnMut() -> f64, mut measured: impl FnMut() -> f64) -> (f64, f64, f64) {
    let pairs: Vec<(f64, f64)> = (0..ROUNDS).map(|_| (floor(), measured())).collect();
    let of = |pick: fn(&(f64, f64)) -> f64| median(pairs.iter().map(pick).collect());
    (of(|pair| pair.0), of(|pair| pair.1), of(|pair| pair.1 / pair.0))
}

struct Table {
    missed: Vec<String>,
}

impl Table {
    fn row(&mut self, what: &str, (floor, measured, ratio): (f64, f64, f64), target: Option<f64>) {
        let told = target.map_or_else(|| "-".to_owned(), |target| format!("{target}"));
        println!("| {what} | {:.2} | {:.2} | {ratio:.2} | {told} |", floor / 1_000.0, measured / 1_000.0);
        if let Some(target) = target.filter(|target| ratio > *target) {
            self.missed.push(format!("{what}: {ratio:.2}, at most {target}"));
        }
    }
}

fn ask(engine: &Engine, plugin: &Plugin, context: &Context, question: &Question) {
    black_box(engine.evaluate(plugin, context, question).expect("an answer"));
}

fn main() -> ExitCode {
    let bytes = component("haircut");
    let kept = std::env::temp_dir().join(format!("linli-evaluate-{}", std::process::id()));
    // As the service keeps them: compiled by a first engine, read by the second, as after a start.
    let start = || {
        let kept = Some(Kept::new(&kept, [1; 32], 4 << 30));
        Engine::new(EngineConfig { kept, ..EngineConfig::server() }).expect("an engine")
    };
    let engine = start();
    let plugin = engine.load(&bytes).expect("the haircut rule loads");
    let (context, question) = (context(), Question::Eligibility(request()));
    let bare = Bare::new(&bytes);
    let mut table = Table { missed: Vec::new() };
    let one = || time(CALLS, |_| ask(&engine, &plugin, &context, &question));
    time(CALLS, |_| bare.call());
    one();

    println!("| what | floor us | linli us | ratio | at most |\n|---|---|---|---|---|");
    let fresh = compare(|| time(CALLS, |_| bare.call()), one);
    table.row("fresh evaluation of the haircut rule, facts and checks, against a bare instance", fresh, Some(FRESH));

    let load = |engine: &Engine| -> Vec<_> {
        (0..DISTINCT).map(|number| engine.load(&variant(&bytes, number)).expect("a variant loads")).collect()
    };
    drop(load(&start()));
    let many = load(&engine);
    let mut state = 1_u64;
    let mut random = move || {
        // A linear congruential generator: the order has to be random, not secret.
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).unwrap_or(0) % DISTINCT
    };
    let distinct = compare(one, || time(CALLS, |_| ask(&engine, &many[random()], &context, &question)));
    table.row("1,000 distinct plugins in random order, against one", distinct, Some(THOUSAND));
    drop(many);
    let _gone = std::fs::remove_dir_all(&kept);

    let hostile = engine.load(&attacker()).expect("a rule that loops loads");
    let stop = AtomicBool::new(false);
    let attacks = AtomicU64::new(0);
    let cores = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
    let attacked = compare(one, || {
        stop.store(false, Ordering::Relaxed);
        std::thread::scope(|scope| {
            // One core stays free: how many evaluate at once is bounded by the cores.
            for _ in 0..cores.saturating_sub(1).max(1) {
                scope.spawn(|| {
                    while !stop.load(Ordering::Relaxed) {
                        let _fault = black_box(engine.evaluate(&hostile, &context, &award()));
                        attacks.fetch_add(1, Ordering::Relaxed);
                    }
                });
            }
            std::thread::sleep(Duration::from_millis(20));
            let taken = one();
            stop.store(true, Ordering::Relaxed);
            taken
        })
    });
    assert!(attacks.load(Ordering::Relaxed) > 0, "nobody attacked");
    table.row("beside a rule that loops until its budget is gone, against alone", attacked, Some(NEIGHBOUR));

    for missed in &table.missed {
        println!("missed: {missed}");
    }
    if table.missed.is_empty() || std::env::args().any(|arg| arg == "--advisory") {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn award() -> Question {
    Question::Award(linli_rules_engine::types::AwardRequest::default())
}

/// A rule whose award hook never ends.
fn attacker() -> Vec<u8> {
    let skeleton = include_str!("../tests/hostile/guests/skeleton.wat");
    let module = skeleton.replace(";; BODY", include_str!("../tests/hostile/guests/loop.wat"));
    let mut module = wat::parse_str(module).expect("valid text");
    let mut resolve = wit_parser::Resolve::default();
    let wit = include_str!("../../../../plugins/wit/rules.wit");
    let package = resolve.push_str("rules.wit", wit).expect("the contract");
    let world = resolve.select_world(&[package], Some("award-rule")).expect("its world");
    wit_component::embed_component_metadata(&mut module, &resolve, world, wit_component::StringEncoding::UTF8)
        .expect("metadata");
    wit_component::ComponentEncoder::default().module(&module).and_then(|mut e| e.encode()).expect("a component")
}
