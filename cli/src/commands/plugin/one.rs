//! `linli plugin run` and `linli plugin bench`: one question, and how long it takes. Never: a server.

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use linli_authoring::{Case, Rule, ask};
use linli_kernel::Lang;
use linli_proto::rules::Setting;
use linli_rules_engine::Hook;
use linli_rules_engine::manifest::{Misfit, WrongSetting, kind_text};
use linli_rules_engine::types::Context;

use super::{empty, form, settings, test};
use crate::commands::output;

/// Asks a rule one question.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  linli plugin run haircut.wasm --hook booking-eligibility --facts facts.yaml\n  \
    linli plugin run rule.yaml --hook booking-price --facts facts.yaml --setting base-fen=900\n\n\
    facts.yaml holds the facts of the hook's request, such as\n  who: {age-years: 75, tags: [living-alone]}\n  used: {this-month: 1}\n\
    or a whole case as in vectors.yaml. What is left out is not known.")]
pub(super) struct RunArgs {
    /// The component or table.
    file: PathBuf,
    /// The hook; left out: the only one that the rule has, or the case's own.
    #[arg(long, value_parser = hook)]
    hook: Option<Hook>,
    /// The facts; left out: none are known.
    #[arg(long, value_name = "FILE")]
    facts: Option<PathBuf>,
    /// Settings, such as per-month=1; the rest are the rule's defaults.
    #[arg(long = "setting", value_name = "KEY=VALUE", value_parser = settings::parse)]
    settings: Vec<Setting>,
}

fn hook(text: &str) -> Result<Hook, String> {
    let known = || format!("there are {}", Hook::ALL.map(Hook::code).join(", "));
    Hook::from_code(text).ok_or_else(known)
}

pub(super) fn run(args: &RunArgs, lang: Lang) -> Result<ExitCode> {
    let rule = test::load(&form::packed(&args.file)?, lang)?;
    let (file, text) = match &args.facts {
        Some(path) => {
            (path.display().to_string(), fs::read_to_string(path).with_context(|| path.display().to_string())?)
        }
        None => ("(no facts)".to_owned(), String::new()),
    };
    let only = rule.plugin().hooks().next().filter(|_| rule.plugin().hooks().count() == 1);
    let case = linli_authoring::parse_one(&file, &text, args.hook.or(only)).map_err(|wrong| test::mistakes(&wrong))?;
    let mut context = rule.context(&file, &case).map_err(|wrong| test::mistakes(&wrong))?;
    let given: Vec<_> = args.settings.iter().filter_map(settings::native).collect();
    let pairs = given.iter().map(|setting| (setting.key.as_str(), Some(&setting.value)));
    let misfits = rule.plugin().manifest().misfits(pairs);
    ensure!(misfits.is_empty(), "{}", misfits.iter().map(|one| misfit(&rule, one)).collect::<Vec<_>>().join("\n"));
    for setting in given {
        context
            .settings
            .iter_mut()
            .filter(|known| known.key == setting.key)
            .for_each(|known| known.value = setting.value.clone());
    }
    let ran = ask(&rule, &context, &case);
    output::data(&ran.told())?;
    if let Ok(came) = &ran.came {
        for why in came.reasons() {
            output::say(rule.plugin().manifest().render(why, lang.tag()));
        }
    }
    if let Some(told) = test::trap_of_script(&rule, &ran) {
        output::say(told);
    }
    output::say(test::fuel(&ran).trim());
    Ok(if ran.came.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What is wrong with a setting, and what would be right.
fn misfit(rule: &Rule, misfit: &Misfit<'_>) -> String {
    let what = match misfit.what {
        WrongSetting::Kind(kind) => format!("{} is wanted", kind_text(kind)),
        WrongSetting::Repeated => "it is given twice".to_owned(),
        WrongSetting::Unknown => {
            let known = rule.plugin().manifest().settings.iter();
            let known: Vec<String> = known.map(|decl| format!("{} {}", decl.key, kind_text(&decl.kind))).collect();
            let known = if known.is_empty() { "none at all".to_owned() } else { known.join(", ") };
            format!("the rule has no such setting; it has {known}")
        }
    };
    format!("--setting {}: {what}", misfit.key)
}

/// Measures fresh evaluations of a rule.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  linli plugin bench plugins/target/components/haircut.wasm --cases plugins/haircut/vectors.yaml\n  \
    linli plugin bench rule.yaml\n\nEach evaluation is a fresh instance, as on the server. Compare ratios, not machines."
)]
pub(super) struct BenchArgs {
    /// The component or table.
    file: PathBuf,
    /// Cases whose questions are asked; left out: vectors.yaml beside the file, or one question without facts for each hook.
    #[arg(long, value_name = "FILE")]
    cases: Option<PathBuf>,
    /// Evaluations of each question.
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    rounds: u32,
}

pub(super) fn bench(args: &BenchArgs) -> Result<ExitCode> {
    let bytes = form::packed(&args.file)?;
    let rule = test::load(&bytes, Lang::En)?;
    let cases = bench_cases(args, &rule)?;
    ensure!(!cases.is_empty(), "there is no question to ask");
    let floor = empty::rule(&rule)?;
    let (floor_case, floor_context) = (empty::case()?, Context::default());
    let mut table = output::table(&["question", "hook", "min us", "median us", "x empty", "fuel", "of budget"]);
    // The empty rule is measured in the same breath, so that a busy machine slows both.
    for (case, context) in &cases {
        let (own, least) =
            measure(args.rounds, || drop(ask(&rule, context, case)), || drop(ask(&floor, &floor_context, &floor_case)));
        let ran = ask(&rule, context, case);
        let micros = |time: Duration| format!("{:.1}", time.as_secs_f64() * 1e6);
        let ratio = own.min.as_secs_f64() / least.min.as_secs_f64().max(1e-9);
        let fuel = if ran.fuel_budget == 0 { ran.told() } else { ran.fuel_used.to_string() };
        table.add_row([
            &case.name,
            case.question.hook().code(),
            &micros(own.min),
            &micros(own.median),
            &format!("{ratio:.1}"),
            &fuel,
            &format!("{} %", ran.fuel_percent()),
        ]);
    }
    output::say(format!("{} bytes; {} fresh evaluations of each question", bytes.len(), args.rounds));
    output::data(&table.to_string())?;
    Ok(ExitCode::SUCCESS)
}

fn bench_cases(args: &BenchArgs, rule: &Rule) -> Result<Vec<(Case, Context)>> {
    let Some(path) = args.cases.clone().or_else(|| test::cases_beside(&args.file)) else {
        let of = |hook: Hook| {
            linli_authoring::parse_one(
                "(no facts)",
                &format!("name: no facts\nhook: {}\nfacts: {{}}", hook.code()),
                None,
            )
        };
        let cases =
            rule.plugin().hooks().map(of).collect::<Result<Vec<_>, _>>().map_err(|wrong| test::mistakes(&wrong))?;
        return test::with_contexts(rule, "(no facts)", cases);
    };
    let file = path.display().to_string();
    let text = fs::read_to_string(&path).with_context(|| file.clone())?;
    let cases = linli_authoring::parse(&file, &text).map_err(|wrong| test::mistakes(&wrong))?;
    test::with_contexts(rule, &file, cases)
}

struct Times {
    min: Duration,
    median: Duration,
}

/// Times two things by turns.
fn measure(rounds: u32, mut one: impl FnMut(), mut other: impl FnMut()) -> (Times, Times) {
    let (mut ones, mut others) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        let begun = Instant::now();
        one();
        ones.push(begun.elapsed());
        let begun = Instant::now();
        other();
        others.push(begun.elapsed());
    }
    let times = |mut all: Vec<Duration>| {
        all.sort();
        Times { min: all[0], median: all[all.len() / 2] }
    };
    (times(ones), times(others))
}
