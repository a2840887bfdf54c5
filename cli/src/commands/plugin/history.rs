//! `linli plugin history`: who did what to which rule, and what came of it. Never: changes anything.

use std::collections::HashMap;
use std::process::ExitCode;

use anyhow::Result;
use linli_proto::rules::{
    GetRuleChangeRequest, ListRuleChangesRequest, OnFault, PluginVersion, RuleChange, RuleChangeState, RuleChangeStep,
    RuleStage,
};

use super::when::time;
use super::{settings, version};
use crate::client::Connection;
use crate::commands::output::{self, Format};

/// Shows who did what to which binding, and when.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  linli plugin history areas/xinhua\n  linli plugin history areas/xinhua/ruleBindings/haircut\n  \
    linli plugin history areas/xinhua/ruleChanges/rc-...   # one change\n\n\
    A rule in shadow also shows what it would have said beside what was obeyed. A canary is obeyed: what it said stands in\n\
    the decisions, see `linli decision explain`."
)]
pub(super) struct HistoryArgs {
    /// An area, a binding or a change.
    #[arg(value_name = "areas/AREA[/...]")]
    of: String,
    /// Form of the output.
    #[arg(short, long, value_enum, default_value_t)]
    output: Format,
}

pub(super) async fn history(args: HistoryArgs, connection: &Connection) -> Result<ExitCode> {
    let changes = changes(&args.of, connection).await?;
    if args.output != Format::Table {
        let kind = crate::commands::resources::types::find("RuleChange")?;
        let json = |change: &RuleChange| {
            let mut dynamic = prost_reflect::DynamicMessage::new(kind.message.clone());
            dynamic.transcode_from(change)?;
            crate::commands::resources::read::to_json(&dynamic)
        };
        output::structured(args.output, &changes.iter().map(json).collect::<Result<Vec<_>>>()?)?;
        return Ok(ExitCode::SUCCESS);
    }
    if changes.is_empty() {
        output::say(format!("No rule of {} was ever changed. Try one with `linli plugin stage shadow`.", args.of));
        return Ok(ExitCode::SUCCESS);
    }
    output::data(&texts(&changes, connection).await)?;
    Ok(ExitCode::SUCCESS)
}

async fn changes(of: &str, connection: &Connection) -> Result<Vec<RuleChange>> {
    if of.contains("/ruleChanges/") {
        let request = GetRuleChangeRequest { name: of.to_owned() };
        return Ok(vec![ask!(connection, "GetRuleChange", get_rule_change, request)?]);
    }
    let (parent, filter) = match of.split_once("/ruleBindings/") {
        Some((area, _)) => (area, format!("rule_binding = \"{of}\"")),
        None => (of, String::new()),
    };
    let (mut found, mut page_token) = (Vec::new(), String::new());
    loop {
        let request = ListRuleChangesRequest {
            parent: parent.to_owned(),
            page_size: 1000,
            page_token,
            filter: filter.clone(),
            order_by: String::new(),
        };
        let page = ask!(connection, "ListRuleChanges", list_rule_changes, request)?;
        found.extend(page.rule_changes);
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return Ok(found);
        }
    }
}

/// Changes in words, with the titles of their versions.
pub(super) async fn texts(changes: &[RuleChange], connection: &Connection) -> String {
    let names = changes.iter().filter_map(|change| change.rule_binding.as_ref());
    let known = version::known(names.map(|binding| binding.plugin_version.as_str()), connection).await;
    changes.iter().map(|change| text(change, &known)).collect::<Vec<_>>().join("\n")
}

fn text(change: &RuleChange, known: &HashMap<String, PluginVersion>) -> String {
    let binding = change.rule_binding.clone().unwrap_or_default();
    let title = version::title(known.get(&binding.plugin_version));
    let title = if title.is_empty() { title } else { format!("  {title}") };
    let mut lines = vec![
        format!("{}  {}", change.name, state_word(change.state())),
        format!("  {} at {}", binding.name, binding.hook),
        format!("  version {}{title}", binding.plugin_version),
    ];
    let given: Vec<String> = binding.settings.iter().map(settings::text).collect();
    let given = if given.is_empty() { "the rule's defaults".to_owned() } else { given.join(" ") };
    lines.push(format!("  settings {given}"));
    let kinds = if binding.kinds.is_empty() { "all".to_owned() } else { binding.kinds.join(" ") };
    lines.push(format!("  kinds {kinds}"));
    if binding.on_fault() == OnFault::Skip {
        lines.push("  passed over when it gives no answer".to_owned());
    }
    if binding.disabled {
        lines.push("  switched off".to_owned());
    }
    if let Some(at) = &change.effective_time {
        lines.push(format!("  takes effect {}", time(at)));
    }
    lines.extend(change.steps.iter().map(step));
    if !change.outcomes.is_empty() {
        lines.push("  what it said in shadow, beside what was obeyed:".to_owned());
    }
    for outcome in &change.outcomes {
        let why = if outcome.reason.is_empty() { String::new() } else { format!(" ({})", outcome.reason) };
        lines.push(format!("  {:>6} x {} -> {}{why}", outcome.count, outcome.was, outcome.would));
    }
    lines.join("\n")
}

fn step(step: &RuleChangeStep) -> String {
    let at = step.time.as_ref().map(time).unwrap_or_default();
    let share = if step.canary_permille > 0 { format!(" {}", percent(step.canary_permille)) } else { String::new() };
    let stage = match step.stage() {
        RuleStage::Unspecified => String::new(),
        stage => format!(" {}{share}", stage_word(stage)),
    };
    let note = if step.note.is_empty() { String::new() } else { format!(": {}", step.note) };
    format!("  {at}  {}{stage} by {}{note}", step.action, step.actor)
}

/// `pending approval`, `trial`, `active`.
pub(super) fn state_word(state: RuleChangeState) -> String {
    state.as_str_name().trim_start_matches("RULE_CHANGE_STATE_").to_lowercase().replace('_', " ")
}

/// `shadow`, `canary`, `active`.
pub(super) fn stage_word(stage: RuleStage) -> String {
    stage.as_str_name().trim_start_matches("RULE_STAGE_").to_lowercase()
}

/// A share as `--share` takes it.
pub(super) fn percent(permille: i32) -> String {
    if permille % 10 == 0 { format!("{}%", permille / 10) } else { format!("{}.{}%", permille / 10, permille % 10) }
}

#[cfg(test)]
mod tests {
    use linli_proto::rules::{OutcomeCount, PluginManifest, RuleBinding};
    use prost_types::Timestamp;

    use super::*;

    fn change() -> RuleChange {
        let binding = RuleBinding { plugin_version: "areas/x/pluginVersions/pv-1".into(), ..RuleBinding::default() };
        RuleChange {
            name: "areas/x/ruleChanges/rc-1".into(),
            rule_binding: Some(binding),
            state: RuleChangeState::Trial.into(),
            ..RuleChange::default()
        }
    }

    #[test]
    fn a_change_reads_as_who_did_what_and_what_came_of_it() {
        let step = RuleChangeStep {
            action: "promote".into(),
            actor: "areas/x/people/per-1".into(),
            time: Some(Timestamp::default()),
            stage: RuleStage::Canary.into(),
            canary_permille: 100,
            note: "carefully".into(),
        };
        let outcome =
            OutcomeCount { was: "allow".into(), would: "deny".into(), reason: "quota".into(), count: "<5".into() };
        let change = RuleChange { steps: vec![step], outcomes: vec![outcome], ..change() };
        let told = text(&change, &HashMap::new());
        assert!(told.contains("promote canary 10% by areas/x/people/per-1: carefully"), "{told}");
        assert!(told.contains("in shadow") && told.contains("<5 x allow -> deny (quota)"), "{told}");
        assert!(!text(&RuleChange { outcomes: vec![], ..change }, &HashMap::new()).contains("in shadow"));
    }

    #[test]
    fn whoever_approves_reads_the_title_the_settings_and_the_date() {
        let manifest = PluginManifest { title: "Door".into(), ..PluginManifest::default() };
        let version = PluginVersion { manifest: Some(manifest), ..PluginVersion::default() };
        let known = HashMap::from([("areas/x/pluginVersions/pv-1".to_owned(), version)]);
        let at = Timestamp { seconds: 29_671_200 * 60, nanos: 0 };
        let told = text(&RuleChange { effective_time: Some(at), ..change() }, &known);
        for wanted in ["pv-1  Door", "settings the rule's defaults", "kinds all", "takes effect 2026-"] {
            assert!(told.contains(wanted), "{wanted} is missing in\n{told}");
        }
    }
}
