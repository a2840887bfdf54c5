//! What is in force and what authors are told: `effective`, `notices`, `release`, `policy`. Never: puts anything in force.

use std::collections::HashMap;
use std::process::ExitCode;

use anyhow::Result;
use linli_kernel::Lang;
use linli_proto::rules::{
    EffectiveRule, GetEffectiveRulesRequest, GetRulesPolicyRequest, ListPluginNoticesRequest, ListRuleChangesRequest,
    OnFault, PluginVersion, PluginVersionState, ReleasePluginVersionRequest, RuleBinding, RulesPolicy,
    UpdateRulesPolicyRequest,
};
use uuid::Uuid;

use super::{history, settings, version, when};
use crate::client::Connection;
use crate::commands::output;

/// Shows the rules of a place and where each comes from.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  linli plugin effective areas/xinhua\n  \
    linli plugin effective areas/xinhua --hook booking-eligibility --kind haircut")]
pub(super) struct EffectiveArgs {
    /// The area.
    #[arg(env = "LINLI_AREA", required = false, value_name = "areas/AREA")]
    area: String,
    /// One hook only.
    #[arg(long, default_value = "")]
    hook: String,
    /// Kind of the offering or topic, or id of the award binding; left out: rules of all kinds.
    #[arg(long, default_value = "")]
    kind: String,
}

pub(super) async fn effective(args: EffectiveArgs, connection: &Connection) -> Result<ExitCode> {
    let area = args.area.clone();
    let any_kind = args.kind.is_empty();
    let request = GetEffectiveRulesRequest { parent: args.area, hook: args.hook, kind: args.kind, any_kind };
    let found = ask!(connection, "GetEffectiveRules", get_effective_rules, request)?;
    if found.rules.is_empty() {
        output::say(format!(
            "No rules are in force in {area}: whatever is asked is answered by the services themselves."
        ));
        return Ok(ExitCode::SUCCESS);
    }
    let known = version::known(found.rules.iter().flat_map(versions_of), connection).await;
    let mut table = output::table(&["hook", "rule", "state", "from", "binding", "settings", "kinds", "on fault"]);
    for rule in &found.rules {
        let binding = rule.rule_binding.clone().unwrap_or_default();
        let from = if rule.source == area { "here".to_owned() } else { rule.source.clone() };
        let on_fault = match rule.on_fault() {
            OnFault::Skip => "skipped",
            OnFault::Deny | OnFault::Unspecified => "refused",
        };
        let given = binding.settings.iter().map(settings::text).collect::<Vec<_>>().join("\n");
        let kinds = if binding.kinds.is_empty() { "all".to_owned() } else { binding.kinds.join(" ") };
        let state = state_text(&binding, &known);
        table.add_row([&binding.hook, &rule.title, &state, &from, &binding.name, &given, &kinds, on_fault]);
    }
    output::data(&table.to_string())?;
    if !found.facts.is_empty() {
        output::say(format!("They are told: {}.", found.facts.join(", ")));
    }
    for line in scheduled(&area, connection).await {
        output::say(line);
    }
    Ok(ExitCode::SUCCESS)
}

fn versions_of(rule: &EffectiveRule) -> Vec<&str> {
    let Some(binding) = &rule.rule_binding else { return Vec::new() };
    let tried = binding.candidate.as_ref().map(|candidate| candidate.plugin_version.as_str());
    [Some(binding.plugin_version.as_str()), tried].into_iter().flatten().collect()
}

/// Whether a binding is obeyed, and what is tried beside it or alone.
fn state_text(binding: &RuleBinding, known: &HashMap<String, PluginVersion>) -> String {
    let quarantined = |version: &str| {
        let state = known.get(version).map(PluginVersion::state);
        if state == Some(PluginVersionState::Quarantined) { ", quarantined" } else { "" }
    };
    let own = match (binding.disabled, &binding.candidate) {
        (false, _) => format!("in force{}", quarantined(&binding.plugin_version)),
        (true, Some(_)) => "only tried".to_owned(),
        (true, None) => "off".to_owned(),
    };
    let Some(candidate) = &binding.candidate else { return own };
    let share = match candidate.canary_permille {
        0 => String::new(),
        permille => format!(" {} of the residents", history::percent(permille)),
    };
    let stage = history::stage_word(candidate.stage());
    format!("{own}\n{stage}{share}: {}{}", candidate.plugin_version, quarantined(&candidate.plugin_version))
}

/// What waits for its date or for a second person; nothing where the caller may not know.
async fn scheduled(area: &str, connection: &Connection) -> Vec<String> {
    let mut lines = Vec::new();
    for (state, word) in [("SCHEDULED", "comes"), ("PENDING_APPROVAL", "waits for a second person, then comes")] {
        let filter = format!("state = RULE_CHANGE_STATE_{state}");
        let request = ListRuleChangesRequest { parent: area.to_owned(), filter, page_size: 20, ..Default::default() };
        let Ok(page) = ask!(connection, "ListRuleChanges", list_rule_changes, request) else { return lines };
        lines.extend(page.rule_changes.iter().map(|change| {
            let from = change
                .effective_time
                .as_ref()
                .map_or_else(|| " at once".to_owned(), |at| format!(" {}", when::time(at)));
            let binding = change.rule_binding.as_ref().map(|binding| binding.name.as_str()).unwrap_or_default();
            format!("{} of {binding} {word}{from}: {}", history::stage_word(change.stage()), change.name)
        }));
    }
    lines
}

/// Shows what authors are told.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  linli plugin notices areas/xinhua\n  \
    linli plugin notices areas/xinhua --version areas/xinhua/pluginVersions/pv-...")]
pub(super) struct NoticesArgs {
    /// The area.
    #[arg(env = "LINLI_AREA", required = false, value_name = "areas/AREA")]
    area: String,
    /// About one version only.
    #[arg(long, value_name = "areas/AREA/pluginVersions/ID")]
    version: Option<String>,
}

pub(super) async fn notices(args: NoticesArgs, connection: &Connection) -> Result<ExitCode> {
    let filter = args.version.map(|version| format!("plugin_version = \"{version}\"")).unwrap_or_default();
    let request = ListPluginNoticesRequest { parent: args.area.clone(), filter, page_size: 100, ..Default::default() };
    let page = ask!(connection, "ListPluginNotices", list_plugin_notices, request)?;
    if page.plugin_notices.is_empty() {
        output::say(format!("No notices in {} for you. Good.", args.area));
        return Ok(ExitCode::SUCCESS);
    }
    let mut table = output::table(&["when", "version", "author", "what"]);
    for notice in &page.plugin_notices {
        let reason = notice.reason.clone().unwrap_or_default();
        let what = if reason.message.is_empty() { reason.code } else { reason.message };
        let when = notice.create_time.as_ref().map(when::time).unwrap_or_default();
        table.add_row([&when, &notice.plugin_version, &notice.author, &what]);
    }
    output::data(&table.to_string())?;
    if !page.next_page_token.is_empty() {
        output::say("... older ones are not shown; `linli list pluginNotices --all` lists them");
    }
    Ok(ExitCode::SUCCESS)
}

/// Lets a quarantined version be asked again.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  linli plugin release areas/xinhua/pluginVersions/pv-... --note 'the queue was too long; now bounded'"
)]
pub(super) struct ReleaseArgs {
    /// The version.
    #[arg(value_name = "areas/AREA/pluginVersions/ID")]
    version: String,
    /// What was found; the author reads it.
    #[arg(long)]
    note: String,
}

pub(super) async fn release(args: ReleaseArgs, connection: &Connection) -> Result<ExitCode> {
    let (name, note) = (args.version, args.note);
    let request = ReleasePluginVersionRequest { name, note, request_id: Uuid::new_v4().to_string() };
    let released = ask!(connection, "ReleasePluginVersion", release_plugin_version, request)?;
    output::say("It is asked again. Whether it fails again is told in `linli plugin notices`.");
    output::data(&released.name)?;
    Ok(ExitCode::SUCCESS)
}

/// Shows or changes what an area's charter asks of its rules.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  linli plugin policy areas/xinhua\n  \
    linli plugin policy areas/xinhua --second-person on --signature on --source 'charter of 2026, article 12'\n  \
    linli plugin policy areas/xinhua --quarantine-faults 5 --quarantine-minutes 30\n\n\
    Everybody who reads rules may look; only an operator may change it, so that who changes rules does not say who must agree.\n\
    Keys that are trusted: `linli plugin keygen`, then `linli apply`; `linli list authorKeys --parent areas/xinhua`.")]
pub(super) struct PolicyArgs {
    /// The area.
    #[arg(env = "LINLI_AREA", required = false, value_name = "areas/AREA")]
    area: String,
    /// Whether a second person must approve what is to be obeyed.
    #[arg(long, value_parser = switch, value_name = "on|off")]
    second_person: Option<bool>,
    /// Whether versions must be signed with a trusted key.
    #[arg(long, value_parser = switch, value_name = "on|off")]
    signature: Option<bool>,
    /// Faults within the window that quarantine a version.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i32).range(1..=1_000))]
    quarantine_faults: Option<i32>,
    /// The window.
    #[arg(long, value_name = "MINUTES", value_parser = clap::value_parser!(i32).range(1..=1_440))]
    quarantine_minutes: Option<i32>,
    /// Charter, law or decision on which it rests, with its date.
    #[arg(long)]
    source: Option<String>,
}

pub(super) async fn policy(args: PolicyArgs, connection: &Connection) -> Result<ExitCode> {
    let name = format!("{}/rulesPolicy", args.area);
    let request = GetRulesPolicyRequest { name: name.clone() };
    let known = ask!(connection, "GetRulesPolicy", get_rules_policy, request)?;
    let mut paths = Vec::new();
    let mut policy = RulesPolicy { name, ..RulesPolicy::default() };
    macro_rules! given {
        ($($said:expr => $field:ident),* $(,)?) => {$(
            if let Some(value) = $said {
                policy.$field = value;
                paths.push(stringify!($field).to_owned());
            }
        )*};
    }
    given!(args.second_person => second_person_required, args.signature => signature_required,
        args.quarantine_faults => quarantine_faults, args.quarantine_minutes => quarantine_window_min, args.source => source);
    if paths.is_empty() {
        output::data(&policy_text(&known, connection.lang()))?;
        return Ok(ExitCode::SUCCESS);
    }
    let request = UpdateRulesPolicyRequest {
        rules_policy: Some(policy),
        update_mask: Some(prost_types::FieldMask { paths }),
        request_id: Uuid::new_v4().to_string(),
        ..UpdateRulesPolicyRequest::default()
    };
    let changed = ask!(connection, "UpdateRulesPolicy", update_rules_policy, request);
    let changed = changed.map_err(|error| {
        error.said_with(&[
            ("second_person_required", "--second-person"),
            ("signature_required", "--signature"),
            ("quarantine_faults", "--quarantine-faults"),
            ("quarantine_window_min", "--quarantine-minutes"),
            ("source", "--source"),
        ])
    })?;
    output::data(&policy_text(&changed, connection.lang()))?;
    Ok(ExitCode::SUCCESS)
}

fn policy_text(policy: &RulesPolicy, lang: Lang) -> String {
    let or = |number: i32| if number == 0 { 10 } else { number };
    let (faults, minutes) = (or(policy.quarantine_faults), or(policy.quarantine_window_min));
    let (signature, second) = (policy.signature_required, policy.second_person_required);
    let said = match lang {
        Lang::ZhCn => [
            format!("规则须由受信任的密钥签名：{}", if signature { "是" } else { "否" }),
            format!("生效须经第二人同意：{}", if second { "是" } else { "否" }),
            format!("{minutes} 分钟内出错 {faults} 次即停用"),
            format!("依据：{}", policy.source),
        ],
        Lang::En => [
            format!("rules must be signed with a trusted key: {}", if signature { "yes" } else { "no" }),
            format!("a second person must approve what is obeyed: {}", if second { "yes" } else { "no" }),
            format!("{faults} faults within {minutes} minutes quarantine a version"),
            format!("rests on: {}", policy.source),
        ],
    };
    let source = usize::from(policy.source.is_empty());
    format!("{} ({})\n{}", policy.name, policy.etag, said[..said.len() - source].join("\n"))
}

fn switch(text: &str) -> Result<bool, String> {
    match text {
        "on" => Ok(true),
        "off" => Ok(false),
        _ => Err("on or off is wanted".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use linli_proto::rules::{RuleCandidate, RuleStage};

    use super::*;

    #[test]
    fn a_policy_is_told_with_its_defaults_and_in_both_languages() {
        let policy = RulesPolicy { second_person_required: true, ..RulesPolicy::default() };
        let told = policy_text(&policy, Lang::En);
        assert!(told.contains("approve what is obeyed: yes") && told.contains("10 faults within 10 minutes"), "{told}");
        assert!(!told.contains("rests on"), "{told}");
        assert!(policy_text(&policy, Lang::ZhCn).contains("第二人同意：是"));
    }

    #[test]
    fn what_is_only_tried_or_quarantined_is_not_shown_as_in_force() {
        let candidate = RuleCandidate {
            plugin_version: "new".into(),
            stage: RuleStage::Canary.into(),
            canary_permille: 105,
            ..RuleCandidate::default()
        };
        let bad = PluginVersion { state: PluginVersionState::Quarantined.into(), ..PluginVersion::default() };
        let known = HashMap::from([("old".to_owned(), bad)]);
        let binding =
            RuleBinding { plugin_version: "old".into(), candidate: Some(candidate), ..RuleBinding::default() };
        assert_eq!(state_text(&binding, &known), "in force, quarantined\ncanary 10.5% of the residents: new");
        let tried = RuleBinding { disabled: true, ..binding };
        assert!(state_text(&tried, &known).starts_with("only tried\ncanary"));
        assert_eq!(state_text(&RuleBinding { candidate: None, ..tried }, &known), "off");
    }
}
