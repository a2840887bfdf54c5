//! The haircut rule under linli's engine and under Extism, in turn, in one process: a fresh instance for every question, metered, the
//! same facts. The ratio that it prints is Extism's time by linli's. Never: a plugin that is used twice, which is what linli never does.

use std::hint::black_box;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use extism::{CompiledPlugin, Manifest, Plugin, PluginBuilder, Wasm};
use linli_rules_engine::types::{Context, EligibilityRequest, Member, Slot, Usage};
use linli_rules_engine::{Engine, EngineConfig, Question};

const ROUNDS: usize = 7;
const CALLS: usize = 2_000;
const AIM: f64 = 3.0;

fn main() -> Result<()> {
    let guest = std::env::args().nth(1).context("the guest's core module, as xtask names it")?;
    let haircut = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../plugins/target/components/haircut.wasm");
    let haircut = std::fs::read(haircut).context("build the plugins first: cargo xtask plugins")?;

    let engine = Engine::new(EngineConfig::server())?;
    let plugin = engine.load(&haircut)?;
    let context = Context { now: 29_600_000, utc_offset_min: 480, seed: 1, settings: Vec::new() };
    let request = EligibilityRequest {
        who: Member { handle: 1, age_years: Some(81), ..Member::default() },
        used: Some(Usage::default()),
        slot: Slot { offering: "haircut".into(), kind: "haircut".into(), capacity: 12, ..Slot::default() },
        party: 1,
        ..EligibilityRequest::default()
    };
    let facts = serde_json::to_vec(&request)?;
    let question = Question::Eligibility(request);
    let linli = || -> Result<()> {
        black_box(engine.evaluate(&plugin, &context, &question)?);
        Ok(())
    };

    let guest = std::fs::read(&guest).context("the guest is built")?;
    let manifest = Manifest::new([Wasm::data(guest)]);
    let compiled = CompiledPlugin::new(PluginBuilder::new(manifest).with_wasi(false).with_fuel_limit(5_000_000))?;
    let extism = || -> Result<()> {
        let mut fresh = Plugin::new_from_compiled(&compiled)?;
        let answer: String = fresh.call("decide", facts.as_slice())?;
        ensure!(answer == "\"allow\"", "{answer}");
        Ok(())
    };

    time(linli)?;
    time(extism)?;
    let mut pairs = Vec::with_capacity(ROUNDS);
    for _ in 0..ROUNDS {
        pairs.push((time(linli)?, time(extism)?));
    }
    let of = |pick: fn(&(f64, f64)) -> f64| median(pairs.iter().map(pick).collect());
    let ratio = of(|(linli, extism)| extism / linli);
    println!("| a fresh, metered evaluation of the haircut rule | us |\n|---|---|");
    println!("| linli, typed facts | {:.2} |", of(|pair| pair.0) / 1_000.0);
    println!("| Extism, JSON facts | {:.2} |", of(|pair| pair.1) / 1_000.0);
    println!("\nExtism takes {ratio:.1} times as long (aim: {AIM})");
    Ok(())
}

/// Median nanoseconds of one call.
fn time(call: impl Fn() -> Result<()>) -> Result<f64> {
    let mut taken = Vec::with_capacity(CALLS);
    for _ in 0..CALLS {
        let begun = Instant::now();
        call()?;
        taken.push(begun.elapsed().as_nanos() as f64);
    }
    Ok(median(taken))
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}
