//! `linli plugin simulate`: what a candidate would have changed in the decisions of the past. Never: says whose.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use linli_proto::rules::{
    GetRuleBindingRequest, RuleBinding, Setting, SimulateRuleMetadata, SimulateRuleRequest, SimulationReport,
};
use prost::Message as _;
use prost_types::Timestamp;
use serde_json::json;
use tonic::Code;
use uuid::Uuid;

use super::{operation, settings, version, when};
use crate::client::{CallError, Connection};
use crate::commands::output::{self, Format};

/// Replays what was decided with and without a candidate.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    linli plugin simulate --binding areas/xinhua/ruleBindings/haircut --version areas/xinhua/pluginVersions/pv-... --from 2026-04-01\n  \
    linli plugin simulate --binding areas/xinhua/ruleBindings/haircut --version ... --from 2026-04-01 --to 2026-05-01 --setting per-month=2\n\n\
    Counts below 5 are shown as <5; pseudonyms mean nothing outside the report. Nothing is changed.")]
pub(super) struct Args {
    /// The binding for which the candidate stands in; a name that is not there yet: the candidate is added.
    #[arg(long, value_name = "areas/AREA/ruleBindings/ID")]
    binding: String,
    /// The candidate.
    #[arg(long, value_name = "areas/AREA/pluginVersions/ID")]
    version: String,
    /// The hook; left out: that of the binding, or the only one that the version has.
    #[arg(long)]
    hook: Option<String>,
    /// Settings; left out: those of the binding.
    #[arg(long = "setting", value_name = "KEY=VALUE", value_parser = settings::parse)]
    settings: Vec<Setting>,
    /// Kinds to which it applies.
    #[arg(long = "kind", value_name = "KIND")]
    kinds: Vec<String>,
    /// Decisions from then on, such as 2026-04-01.
    #[arg(long, value_parser = when::at, value_name = "DATE")]
    from: Timestamp,
    /// Decisions before then; left out: until now.
    #[arg(long, value_parser = when::at, value_name = "DATE")]
    to: Option<Timestamp>,
    /// Newest decisions that are replayed at most.
    #[arg(long, default_value_t = 10_000, value_name = "N", value_parser = clap::value_parser!(i32).range(1..=100_000))]
    most: i32,
    /// Form of the output.
    #[arg(short, long, value_enum, default_value_t)]
    output: Format,
}

pub(super) async fn run(args: Args, connection: &Connection) -> Result<ExitCode> {
    let request = SimulateRuleRequest {
        parent: area(&args.binding)?.to_owned(),
        rule_binding: Some(candidate(&args, connection).await?),
        start_time: Some(args.from),
        end_time: args.to,
        max_cases: args.most,
        request_id: Uuid::new_v4().to_string(),
    };
    let begun = ask!(connection, "SimulateRule", simulate_rule, request).map_err(named)?;
    let bar = output::progress(usize::try_from(args.most)?, "decisions replayed");
    let ended = operation::wait(connection, begun, operation::ONE_HOUR, Duration::from_secs(1), |running| {
        let metadata =
            running.metadata.as_ref().and_then(|any| SimulateRuleMetadata::decode(any.value.as_slice()).ok());
        bar.set_position(metadata.map_or(0, |m| u64::try_from(m.cases).unwrap_or(0)));
    });
    let ended = ended.await?;
    bar.finish_and_clear();
    let report = match ended.result {
        Some(operation::Outcome::Response(any)) => SimulationReport::decode(any.value.as_slice())?,
        Some(operation::Outcome::Error(error)) => bail!("the simulation failed: {}", error.message),
        None => bail!("{} has ended without a report", ended.name),
    };
    match args.output {
        Format::Table => output::data(&text(&report))?,
        format => output::structured(format, &value(&report))?,
    }
    Ok(ExitCode::SUCCESS)
}

fn area(binding: &str) -> Result<&str> {
    let found = binding.split_once("/ruleBindings/").map(|(area, _)| area);
    found.with_context(|| format!("{binding:?} is no binding such as areas/xinhua/ruleBindings/haircut"))
}

async fn candidate(args: &Args, connection: &Connection) -> Result<RuleBinding> {
    let request = GetRuleBindingRequest { name: args.binding.clone() };
    let known = match ask!(connection, "GetRuleBinding", get_rule_binding, request) {
        Ok(known) => known,
        Err(error) if error.code() == Code::NotFound => RuleBinding::default(),
        Err(error) => return Err(error.into()),
    };
    let names = (args.binding.as_str(), args.version.as_str());
    Ok(RuleBinding {
        name: args.binding.clone(),
        hook: version::hook(args.hook.as_deref(), &known.hook, names, connection).await?,
        plugin_version: args.version.clone(),
        settings: if args.settings.is_empty() { known.settings } else { args.settings.clone() },
        kinds: if args.kinds.is_empty() { known.kinds } else { args.kinds.clone() },
        on_fault: known.on_fault,
        ..RuleBinding::default()
    })
}

/// An error that names fields by the arguments that they were said with.
fn named(error: CallError) -> anyhow::Error {
    // An empty window is told of its end, which nobody need have said.
    error.said_with(&[
        ("start_time", "--from"),
        ("end_time", "--to; where it is left out it is now, and --from must lie in the past"),
        ("max_cases", "--most"),
        ("settings", "--setting"),
        ("kinds", "--kind"),
        ("hook", "--hook"),
        ("plugin_version", "--version"),
    ])
}

/// What stands where a number is about fewer than five people, none included.
const FEW: &str = "<5";

/// How much was replayed and came out the same, with nothing that a hidden number would contradict.
fn head(report: &SimulationReport) -> String {
    let few = report.unchanged == FEW || report.changed.iter().any(|change| change.count == FEW);
    match (report.cases, report.changed.is_empty()) {
        (0, true) => {
            "There were no decisions at this hook in the window, or too few to tell of (fewer than 5 people). \
                      Try an earlier --from, or another --kind."
                .to_owned()
        }
        (0, false) => format!("Only groups of fewer than 5 people were replayed; they are shown as {FEW}."),
        (cases, _) if few => format!(
            "{cases} decisions replayed, {} come out the same; groups of fewer than 5 people are shown as {FEW} and are \
             not among the {cases}",
            report.unchanged
        ),
        (cases, _) => format!("{cases} decisions replayed, {} come out the same", report.unchanged),
    }
}

fn text(report: &SimulationReport) -> String {
    let mut told = head(report);
    if report.not_replayable > 0 {
        told.push_str(&format!(
            "\n{} could not be replayed: the facts that the candidate needs were not asked for then",
            report.not_replayable
        ));
    }
    if report.truncated {
        told.push_str("\nThe window held more decisions: replay them with --most, or in smaller windows.");
    }
    if report.changed.is_empty() {
        if report.cases > 0 {
            told.push_str("\nThe candidate changes none of them.");
        }
        return told;
    }
    let mut counts = output::table(&["count", "was", "would be", "reason"]);
    for change in &report.changed {
        counts.add_row([&change.count, &change.was, &change.would, &change.reason]);
    }
    told.push_str(&format!("\n\n{counts}"));
    if !report.cases_changed.is_empty() {
        let mut cases = output::table(&["day", "case", "was", "would be", "reason"]);
        for case in &report.cases_changed {
            cases.add_row([&case.day, &case.case, &case.was, &case.would, &case.reason]);
        }
        told.push_str(&format!("\n\n{cases}"));
    }
    told
}

fn value(report: &SimulationReport) -> serde_json::Value {
    let changed =
        report.changed.iter().map(|c| json!({"was": c.was, "would": c.would, "reason": c.reason, "count": c.count}));
    let cases = report
        .cases_changed
        .iter()
        .map(|c| json!({"case": c.case, "was": c.was, "would": c.would, "reason": c.reason, "day": c.day}));
    let (changed, cases): (Vec<_>, Vec<_>) = (changed.collect(), cases.collect());
    json!({
        "cases": report.cases, "unchanged": report.unchanged, "notReplayable": report.not_replayable,
        "truncated": report.truncated, "changed": changed, "casesChanged": cases,
    })
}

#[cfg(test)]
mod tests {
    use linli_proto::rules::OutcomeCount;

    use super::*;

    fn report(cases: i32, unchanged: &str, changed: &[&str]) -> SimulationReport {
        let count = |count: &&str| OutcomeCount {
            was: "allow".into(),
            would: "deny".into(),
            reason: "quota".into(),
            count: (*count).into(),
        };
        let changed = changed.iter().map(count).collect();
        SimulationReport { cases, unchanged: unchanged.into(), changed, ..Default::default() }
    }

    #[test]
    fn a_report_says_how_much_changes_and_no_hidden_number_contradicts_it() {
        let told = text(&report(18, "18", &["<5"]));
        assert!(told.starts_with("18 decisions replayed, 18 come out the same; groups of fewer than 5"), "{told}");
        let told = text(&report(40, "33", &["7"]));
        assert!(told.starts_with("40 decisions replayed, 33 come out the same\n") && !told.contains('<'), "{told}");
        assert!(text(&report(0, "<5", &["<5"])).starts_with("Only groups of fewer than 5 people"));
        assert!(text(&report(12, "12", &[])).contains("changes none of them"));
    }

    #[test]
    fn of_an_empty_window_nothing_is_counted() {
        let told = text(&report(0, "<5", &[]));
        assert!(told.starts_with("There were no decisions") && told.contains("--from"), "{told}");
        assert!(!told.contains("replayed"), "{told}");
    }
}
