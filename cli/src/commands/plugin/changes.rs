//! The life of a rule at a hook: `stage`, `promote`, `approve`, `withdraw`, `rollback`, `history`.
//! Never: decides who may do what, or when a date has come; the service does.

use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use chrono::{DateTime, Local, NaiveDate, NaiveDateTime, NaiveTime, TimeZone as _};
use linli_proto::rules::{
    ApproveRuleChangeRequest, CreateRuleChangeRequest, GetRuleBindingRequest, GetRuleChangeRequest,
    ListRuleChangesRequest, OnFault, PromoteRuleChangeRequest, RollBackRuleBindingRequest, RuleBinding, RuleChange,
    RuleChangeState, RuleStage, Setting, WithdrawRuleChangeRequest,
};
use prost_types::Timestamp;
use tonic::Code;
use uuid::Uuid;

use super::settings;
use crate::client::Connection;
use crate::commands::output::{self, Format};

/// How far a rule goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Stage {
    /// Asked about everything, obeyed in nothing.
    Shadow,
    /// Obeyed for a share of the residents, always the same ones.
    Canary,
    /// Obeyed for everybody.
    Active,
}

impl Stage {
    const fn wire(self) -> RuleStage {
        match self {
            Stage::Shadow => RuleStage::Shadow,
            Stage::Canary => RuleStage::Canary,
            Stage::Active => RuleStage::Active,
        }
    }
}

/// How far, for whom, when and why.
#[derive(Debug, clap::Args)]
struct Step {
    /// Share of the residents for whom it is obeyed, such as 10% or 25 permille; for canary.
    #[arg(long, value_parser = share, value_name = "PERCENT")]
    share: Option<i32>,
    /// When it takes effect, such as 2026-06-01T08:00+08:00, or 2026-06-01 (midnight here); left out: at once.
    #[arg(long, value_parser = at, value_name = "DATE")]
    at: Option<Timestamp>,
    /// Why; whoever approves it and whoever looks back reads it.
    #[arg(long, default_value = "")]
    note: String,
}

impl Step {
    /// The share in permille, which canary needs and nothing else takes.
    fn permille(&self, stage: Stage) -> Result<i32> {
        match (stage, self.share) {
            (Stage::Canary, Some(permille)) => Ok(permille),
            (Stage::Canary, None) => bail!("a canary needs --share, such as --share 10%"),
            (_, Some(_)) => bail!("--share goes with canary only"),
            (_, None) => Ok(0),
        }
    }
}

/// Proposes that a binding becomes something.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    linli plugin stage shadow --binding areas/xinhua/ruleBindings/haircut --version areas/xinhua/pluginVersions/pv-...\n  \
    linli plugin stage canary --share 10% --binding areas/xinhua/ruleBindings/haircut --version ... --setting per-month=2\n  \
    linli plugin stage active --at 2026-06-01T08:00+08:00 --binding areas/xinhua/ruleBindings/queue --version ... \\\n    \
    --hook booking-priority --note 'residents meeting of 12 May'\n\n\
    What is not said (hook, kinds, settings, what happens on a fault) stays as the binding has it.\n\
    Where the charter asks for a second person, the change waits for `linli plugin approve`.")]
pub(super) struct StageArgs {
    /// How far it goes.
    stage: Stage,
    /// The binding; may be a new one.
    #[arg(long, value_name = "areas/AREA/ruleBindings/ID")]
    binding: String,
    /// The version.
    #[arg(long, value_name = "areas/AREA/pluginVersions/ID")]
    version: String,
    /// The hook; needed for a new binding.
    #[arg(long)]
    hook: Option<String>,
    /// Settings, such as per-month=1; all of them, when any is given.
    #[arg(long = "setting", value_name = "KEY=VALUE", value_parser = settings::parse)]
    settings: Vec<Setting>,
    /// Kinds to which it applies.
    #[arg(long = "kind", value_name = "KIND")]
    kinds: Vec<String>,
    /// Passes the rule over when it gives no answer, instead of refusing the request.
    #[arg(long)]
    skip_on_fault: bool,
    #[command(flatten)]
    step: Step,
}

pub(super) async fn stage(args: StageArgs, connection: &Connection) -> Result<ExitCode> {
    let permille = args.step.permille(args.stage)?;
    let (area, _) = args
        .binding
        .split_once("/ruleBindings/")
        .with_context(|| format!("{:?} is no binding such as areas/xinhua/ruleBindings/haircut", args.binding))?;
    let change = RuleChange {
        rule_binding: Some(wanted(&args, connection).await?),
        stage: args.stage.wire().into(),
        canary_permille: permille,
        effective_time: args.step.at,
        ..RuleChange::default()
    };
    let request = CreateRuleChangeRequest {
        parent: area.to_owned(),
        rule_change: Some(change),
        note: args.step.note.clone(),
        request_id: Uuid::new_v4().to_string(),
    };
    told(&ask!(connection, "CreateRuleChange", create_rule_change, request)?)
}

/// The binding as it is, with what was said in its place.
async fn wanted(args: &StageArgs, connection: &Connection) -> Result<RuleBinding> {
    let request = GetRuleBindingRequest { name: args.binding.clone() };
    let known = match ask!(connection, "GetRuleBinding", get_rule_binding, request) {
        Ok(known) => known,
        Err(error) if error.code() == Code::NotFound => {
            if args.hook.is_none() {
                bail!("{} is new: say at which --hook, such as --hook booking-eligibility", args.binding);
            }
            RuleBinding { name: args.binding.clone(), ..RuleBinding::default() }
        }
        Err(error) => return Err(error.into()),
    };
    let or = |said: &[String], known: Vec<String>| if said.is_empty() { known } else { said.to_vec() };
    Ok(RuleBinding {
        hook: args.hook.clone().unwrap_or(known.hook),
        plugin_version: args.version.clone(),
        settings: if args.settings.is_empty() { known.settings } else { args.settings.clone() },
        kinds: or(&args.kinds, known.kinds),
        on_fault: if args.skip_on_fault { OnFault::Skip.into() } else { known.on_fault },
        disabled: known.disabled,
        name: args.binding.clone(),
        ..RuleBinding::default()
    })
}

/// Moves a change on.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  linli plugin promote areas/xinhua/ruleChanges/rc-... canary --share 10%\n  \
    linli plugin promote areas/xinhua/ruleChanges/rc-... canary --share 50%\n  \
    linli plugin promote areas/xinhua/ruleChanges/rc-... active --at 2026-06-01")]
pub(super) struct PromoteArgs {
    /// The change.
    #[arg(value_name = "areas/AREA/ruleChanges/ID")]
    change: String,
    /// The next stage.
    stage: Stage,
    #[command(flatten)]
    step: Step,
}

pub(super) async fn promote(args: PromoteArgs, connection: &Connection) -> Result<ExitCode> {
    let canary_permille = args.step.permille(args.stage)?;
    let request = PromoteRuleChangeRequest {
        name: args.change,
        stage: args.stage.wire().into(),
        canary_permille,
        effective_time: args.step.at,
        etag: String::new(),
        note: args.step.note,
        request_id: Uuid::new_v4().to_string(),
    };
    told(&ask!(connection, "PromoteRuleChange", promote_rule_change, request)?)
}

/// Approves a change, which is shown before.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  linli plugin approve areas/xinhua/ruleChanges/rc-...         # shows it, changes nothing\n  \
    linli plugin approve areas/xinhua/ruleChanges/rc-... --yes --note 'seen the simulation'"
)]
pub(super) struct ApproveArgs {
    /// The change.
    #[arg(value_name = "areas/AREA/ruleChanges/ID")]
    change: String,
    /// Approves it; what has changed since it was read is refused.
    #[arg(long)]
    yes: bool,
    /// Why.
    #[arg(long, default_value = "")]
    note: String,
}

pub(super) async fn approve(args: ApproveArgs, connection: &Connection) -> Result<ExitCode> {
    let request = GetRuleChangeRequest { name: args.change.clone() };
    let read = ask!(connection, "GetRuleChange", get_rule_change, request)?;
    if !args.yes {
        output::data(&text(&read))?;
        output::say("Nothing was approved. To approve exactly this, say it again with --yes.");
        return Ok(ExitCode::SUCCESS);
    }
    let request = ApproveRuleChangeRequest {
        name: args.change,
        etag: read.etag,
        note: args.note,
        request_id: Uuid::new_v4().to_string(),
    };
    told(&ask!(connection, "ApproveRuleChange", approve_rule_change, request)?)
}

/// Withdraws or rejects a change that is not active.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  linli plugin withdraw areas/xinhua/ruleChanges/rc-... --note 'too strict for tenants'"
)]
pub(super) struct WithdrawArgs {
    /// The change.
    #[arg(value_name = "areas/AREA/ruleChanges/ID")]
    change: String,
    /// Why.
    #[arg(long, default_value = "")]
    note: String,
}

pub(super) async fn withdraw(args: WithdrawArgs, connection: &Connection) -> Result<ExitCode> {
    let (name, note) = (args.change, args.note);
    let request = WithdrawRuleChangeRequest { name, note, request_id: Uuid::new_v4().to_string() };
    told(&ask!(connection, "WithdrawRuleChange", withdraw_rule_change, request)?)
}

/// Brings a binding back to what it was.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  linli plugin rollback areas/xinhua/ruleBindings/haircut --note 'refuses guests by mistake'"
)]
pub(super) struct RollbackArgs {
    /// The binding.
    #[arg(value_name = "areas/AREA/ruleBindings/ID")]
    binding: String,
    /// Why; needed, because nobody else is asked.
    #[arg(long)]
    note: String,
}

pub(super) async fn rollback(args: RollbackArgs, connection: &Connection) -> Result<ExitCode> {
    let (name, note) = (args.binding, args.note);
    let request = RollBackRuleBindingRequest { name, note, request_id: Uuid::new_v4().to_string() };
    told(&ask!(connection, "RollBackRuleBinding", roll_back_rule_binding, request)?)
}

/// Shows who did what to which binding, and when.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  linli plugin history areas/xinhua\n  linli plugin history areas/xinhua/ruleBindings/haircut\n  \
    linli plugin history areas/xinhua/ruleChanges/rc-...   # one change with its outcomes"
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
    output::data(&changes.iter().map(text).collect::<Vec<_>>().join("\n"))?;
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

/// Says what has become of a change; its name is the data.
fn told(change: &RuleChange) -> Result<ExitCode> {
    output::say(next(change));
    output::data(&change.name)?;
    Ok(ExitCode::SUCCESS)
}

/// Where a change stands, and the way on.
fn next(change: &RuleChange) -> String {
    let name = &change.name;
    let stage = stage_word(change.stage());
    let from = change.effective_time.map(|at| format!(" from {}", time(&at))).unwrap_or_default();
    match change.state() {
        RuleChangeState::PendingApproval => {
            format!("It waits for a second person: linli plugin approve {name}")
        }
        RuleChangeState::Scheduled => format!("It will be {stage}{from}."),
        RuleChangeState::Trial => format!("It is {stage}. See what it says: linli plugin history {name}"),
        RuleChangeState::Active => "It is in force. The way back: linli plugin rollback BINDING --note WHY".to_owned(),
        state => format!("It is {}.", state_word(state)),
    }
}

fn text(change: &RuleChange) -> String {
    let binding = change.rule_binding.clone().unwrap_or_default();
    let mut lines = vec![
        format!("{}  {}", change.name, state_word(change.state())),
        format!("  {} at {}", binding.name, binding.hook),
        format!("  version {}", binding.plugin_version),
    ];
    if !binding.settings.is_empty() {
        let all: Vec<String> = binding.settings.iter().map(settings::text).collect();
        lines.push(format!("  settings {}", all.join(" ")));
    }
    if !binding.kinds.is_empty() {
        lines.push(format!("  kinds {}", binding.kinds.join(" ")));
    }
    for step in &change.steps {
        let at = step.time.as_ref().map(time).unwrap_or_default();
        let share =
            if step.canary_permille > 0 { format!(" {}", percent(step.canary_permille)) } else { String::new() };
        let stage = match step.stage() {
            RuleStage::Unspecified => String::new(),
            stage => format!(" {}{share}", stage_word(stage)),
        };
        let note = if step.note.is_empty() { String::new() } else { format!(": {}", step.note) };
        lines.push(format!("  {at}  {}{stage} by {}{note}", step.action, step.actor));
    }
    for outcome in &change.outcomes {
        let why = if outcome.reason.is_empty() { String::new() } else { format!(" ({})", outcome.reason) };
        lines.push(format!("  {:>6} x {} -> {}{why}", outcome.count, outcome.was, outcome.would));
    }
    lines.join("\n")
}

fn state_word(state: RuleChangeState) -> String {
    state.as_str_name().trim_start_matches("RULE_CHANGE_STATE_").to_lowercase().replace('_', " ")
}

/// `shadow`, `canary`, `active`.
pub(super) fn stage_word(stage: RuleStage) -> String {
    stage.as_str_name().trim_start_matches("RULE_STAGE_").to_lowercase()
}

fn percent(permille: i32) -> String {
    if permille % 10 == 0 { format!("{}%", permille / 10) } else { format!("{}.{}%", permille / 10, permille % 10) }
}

/// An instant where the reader is.
pub(super) fn time(at: &Timestamp) -> String {
    let utc = DateTime::from_timestamp(at.seconds, 0).unwrap_or_default();
    utc.with_timezone(&Local).format("%Y-%m-%d %H:%M").to_string()
}

/// A share as it is said, in permille.
fn share(text: &str) -> Result<i32, String> {
    const WANTED: &str = "a share lies between 0 and 100 percent, such as 10% or 0.5%";
    let number = text.trim().trim_end_matches('%').trim();
    let (whole, tenth) = number.split_once('.').unwrap_or((number, "0"));
    let digits = tenth.len() == 1 && !whole.is_empty();
    let permille = whole.parse::<i32>().ok().zip(tenth.parse::<i32>().ok()).filter(|_| digits);
    let permille = permille.and_then(|(whole, tenth)| whole.checked_mul(10)?.checked_add(tenth));
    permille.filter(|share| (1..=999).contains(share)).ok_or_else(|| WANTED.to_owned())
}

/// An instant as it is said: with its zone, or where the caller is.
pub(super) fn at(text: &str) -> Result<Timestamp, String> {
    const WANTED: &str = "a time such as 2026-06-01T08:00+08:00, 2026-06-01T08:00 or 2026-06-01 is wanted";
    let zulu = text.strip_suffix('Z').map(|text| format!("{text}+00:00"));
    let text = zulu.as_deref().unwrap_or(text);
    let zoned = ["%Y-%m-%dT%H:%M%:z", "%Y-%m-%dT%H:%M:%S%:z"];
    if let Some(at) = zoned.iter().find_map(|form| DateTime::parse_from_str(text, form).ok()) {
        return Ok(Timestamp { seconds: at.timestamp(), nanos: 0 });
    }
    let day = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok().map(|day| day.and_time(NaiveTime::MIN));
    let forms = ["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"];
    let local = forms.iter().find_map(|form| NaiveDateTime::parse_from_str(text, form).ok()).or(day).ok_or(WANTED)?;
    let at = Local.from_local_datetime(&local).earliest().ok_or(WANTED)?;
    Ok(Timestamp { seconds: at.timestamp(), nanos: 0 })
}

#[cfg(test)]
mod tests {
    use linli_proto::rules::{OutcomeCount, RuleChangeStep};

    use super::*;

    #[test]
    fn a_share_is_said_in_percent_and_has_at_most_one_decimal() {
        assert_eq!((share("10%"), share("0.5"), share("99.9%")), (Ok(100), Ok(5), Ok(999)));
        for wrong in ["0%", "100%", "-1", "ten", "1.25", ""] {
            assert!(share(wrong).is_err(), "{wrong}");
        }
        assert_eq!((percent(100), percent(5)), ("10%".to_owned(), "0.5%".to_owned()));
    }

    #[test]
    fn a_date_has_its_zone_or_the_callers() {
        assert_eq!(at("2026-06-01T08:00+08:00").expect("a time").seconds, 29_671_200 * 60);
        assert_eq!(at("2026-06-01T00:00Z").expect("a time").seconds, 29_671_200 * 60);
        assert!(at("2026-06-01").is_ok() && at("tomorrow").is_err());
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
        let change = RuleChange {
            name: "areas/x/ruleChanges/rc-1".into(),
            state: RuleChangeState::Trial.into(),
            steps: vec![step],
            outcomes: vec![outcome],
            ..RuleChange::default()
        };
        let told = text(&change);
        assert!(told.contains("promote canary 10% by areas/x/people/per-1: carefully"), "{told}");
        assert!(told.contains("<5 x allow -> deny (quota)"), "{told}");
    }
}
