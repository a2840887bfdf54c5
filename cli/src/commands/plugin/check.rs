//! `linli plugin validate`: the check of an upload, on this machine, in a child process that can be killed.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use linli_kernel::Lang;
use linli_proto::rules::Setting;
use linli_rules_engine::manifest::{SettingDecl, Text, kind_text};
use linli_rules_engine::types::SettingValue;
use linli_rules_engine::validate::{self, Report, ValidateLimits};
use linli_rules_engine::{Fact, Hook, LoadError};

use super::{form, settings, test};
use crate::commands::output;

/// Checks a component or a table.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  linli plugin validate plugins/target/components/haircut.wasm\n  \
                        linli plugin validate haircut.wasm --setting per-month=2 --setting elders-first=false\n  \
                        linli plugin validate rule.yaml")]
pub(super) struct Args {
    /// The component or table.
    file: PathBuf,
    /// Settings with which it is tried, such as per-month=1 or kinds=[haircut].
    #[arg(long = "setting", value_name = "KEY=VALUE", value_parser = settings::parse)]
    settings: Vec<Setting>,
}

pub(super) async fn run(args: Args, lang: Lang) -> Result<ExitCode> {
    let bytes = form::packed(&args.file)?;
    let own = std::env::current_exe().context("find this very binary, which does the check in a child")?;
    let given: Vec<_> = args.settings.iter().filter_map(settings::native).collect();
    let report = validate::run(&own, &bytes, &ValidateLimits::default(), &given).await;
    let report = report.context("start the child that checks")?;
    output::data(&text(&report, lang))?;
    if report.is_acceptable() {
        let warnings = tokio::task::spawn_blocking(move || forgotten(&bytes)).await.context("look at its facts")??;
        warnings.iter().for_each(output::say);
    }
    Ok(if report.is_acceptable() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// A rule that forgot to declare a fact declines each time, which is acceptable and of no use to anybody.
fn forgotten(bytes: &[u8]) -> Result<Vec<String>> {
    let rule = test::load(bytes, Lang::En)?;
    let warning = |(hook, fact): (Hook, Fact)| {
        let (hook, fact) = (hook.code(), fact.code());
        format!(
            "! {hook} declines each time with missing-fact {fact}: the rule does not declare `{fact}` among its facts"
        )
    };
    Ok(linli_authoring::forgotten(&rule).into_iter().map(warning).collect())
}

/// What speaks against bytes that do not load, in the words of a report.
pub(super) fn problems(error: &LoadError, lang: Lang) -> String {
    let LoadError::Table(problems) = error else { return error.to_string() };
    let lines = problems.iter().map(|problem| {
        let message = match lang {
            Lang::ZhCn => &problem.message_zh,
            Lang::En => &problem.message_en,
        };
        let place = format!("{}:{} {}", problem.line, problem.column, problem.where_);
        format!("✗ BAD_TABLE ({}): {message}", place.trim_end())
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn text(report: &Report, lang: Lang) -> String {
    let both = |text: &Text| match lang {
        Lang::ZhCn => text.zh_cn.clone(),
        Lang::En => text.en.clone(),
    };
    let mut lines = Vec::new();
    if let Some(manifest) = &report.manifest {
        lines.push(format!("{} - {}", both(&manifest.title), both(&manifest.summary)));
        if !manifest.facts.is_empty() {
            lines.push(format!("facts: {}", manifest.facts.join(", ")));
        }
        let setting = |decl: &SettingDecl| {
            let (default, bounds) = (value_text(&decl.default), kind_text(&decl.kind));
            format!("  {} = {default}  {bounds}  {}", decl.key, both(&decl.label))
        };
        lines.extend(manifest.settings.iter().map(setting));
    }
    if !report.hooks.is_empty() {
        lines.push(format!("hooks: {}", report.hooks.iter().map(|h| h.code()).collect::<Vec<_>>().join(", ")));
    }
    if report.cases > 0 {
        let percent = report.peak_fuel_percent();
        let warning = match percent {
            80.. => "; that is close to the limit",
            50.. => "; mind larger cases",
            _ => "",
        };
        lines.push(format!("tried {} calls; the dearest took {percent} % of its fuel{warning}", report.cases));
    }
    for problem in &report.problems {
        let message = match lang {
            Lang::ZhCn => &problem.message_zh,
            Lang::En => &problem.message_en,
        };
        let code =
            serde_json::to_value(problem.code).ok().and_then(|c| c.as_str().map(str::to_owned)).unwrap_or_default();
        let place = if problem.where_.is_empty() { String::new() } else { format!(" ({})", problem.where_) };
        lines.push(format!("✗ {code}{place}: {message}"));
    }
    lines.push(match report.problems.len() {
        0 => "✓ it may be uploaded".to_owned(),
        1 => "1 problem: it would be rejected".to_owned(),
        n => format!("{n} problems: it would be rejected"),
    });
    lines.join("\n")
}

/// A value as `--setting` takes it.
fn value_text(value: &SettingValue) -> String {
    match value {
        SettingValue::Flag(flag) => flag.to_string(),
        SettingValue::Number(number) => number.to_string(),
        SettingValue::Choice(code) => code.clone(),
        SettingValue::Numbers(list) => format!("{list:?}"),
        SettingValue::Codes(list) => format!("[{}]", list.join(",")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clean_report_says_so() {
        let report = Report { cases: 4, peak_fuel: 60, peak_fuel_budget: 100, ..Report::default() };
        let told = text(&report, Lang::En);
        assert!(
            told.contains("60 % of its fuel; mind larger cases") && told.ends_with("✓ it may be uploaded"),
            "{told}"
        );
    }
}
