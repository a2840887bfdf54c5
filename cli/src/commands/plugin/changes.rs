//! The life of a rule at a hook: `stage`, `promote`, `approve`, `withdraw`, `rollback`.
//! Never: decides who may do what, or when a date has come; the service does.

use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use linli_proto::rules::{
    ApproveRuleChangeRequest, CreateRuleChangeRequest, GetRuleBindingRequest, GetRuleChangeRequest, OnFault,
    PromoteRuleChangeRequest, RollBackRuleBindingRequest, RuleBinding, RuleChange, RuleChangeState, RuleStage, Setting,
    WithdrawRuleChangeRequest,
};
use prost_types::Timestamp;
use tonic::Code;
use uuid::Uuid;

use super::history::{percent, stage_word, state_word, texts};
use super::when::{at, time};
use super::{settings, version};
use crate::client::{CallError, Connection};
use crate::commands::output;

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
    /// Share of the residents for whom it is obeyed, such as 10% or 2.5%; for canary.
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
    linli plugin stage shadow --binding areas/xinhua/ruleBindings/haircut --version areas/xinhua/pluginVersions/pv-... --kind haircut\n  \
    linli plugin stage canary --share 10% --binding areas/xinhua/ruleBindings/haircut --version ... --setting per-month=2\n  \
    linli plugin stage active --at 2026-06-01T08:00+08:00 --binding areas/xinhua/ruleBindings/queue --version ... \\\n    \
    --hook booking-priority --note 'residents meeting of 12 May'\n\n\
    What is not said (hook, kinds, settings, what happens on a fault) stays as the binding has it. A new binding without\n\
    --kind applies to every offering.\n\
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
    /// The hook; left out: that of the binding, or the only one that the version has.
    #[arg(long)]
    hook: Option<String>,
    /// Settings, such as per-month=1; all of them, when any is given.
    #[arg(long = "setting", value_name = "KEY=VALUE", value_parser = settings::parse)]
    settings: Vec<Setting>,
    /// Kinds of offerings (for points-award ids of award bindings) to which it applies, instead of those of the binding.
    #[arg(long = "kind", value_name = "KIND", conflicts_with = "all_kinds")]
    kinds: Vec<String>,
    /// Applies to every kind, also where the binding was for some.
    #[arg(long)]
    all_kinds: bool,
    /// Passes the rule over when it gives no answer, instead of refusing the request.
    #[arg(long, conflicts_with = "refuse_on_fault")]
    skip_on_fault: bool,
    /// Refuses the request when the rule gives no answer.
    #[arg(long)]
    refuse_on_fault: bool,
    /// Switches a binding on that is off.
    #[arg(long)]
    enable: bool,
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
    let staged = ask!(connection, "CreateRuleChange", create_rule_change, request);
    told(&staged.map_err(named)?)
}

/// The binding as it is, with what was said in its place.
async fn wanted(args: &StageArgs, connection: &Connection) -> Result<RuleBinding> {
    let request = GetRuleBindingRequest { name: args.binding.clone() };
    let known = match ask!(connection, "GetRuleBinding", get_rule_binding, request) {
        Ok(known) => known,
        Err(error) if error.code() == Code::NotFound => RuleBinding::default(),
        Err(error) => return Err(error.into()),
    };
    let names = (args.binding.as_str(), args.version.as_str());
    let hook = version::hook(args.hook.as_deref(), &known.hook, names, connection).await?;
    Ok(merged(args, RuleBinding { hook, ..known }))
}

fn merged(args: &StageArgs, known: RuleBinding) -> RuleBinding {
    let kept = |known: Vec<String>| if args.kinds.is_empty() { known } else { args.kinds.clone() };
    RuleBinding {
        name: args.binding.clone(),
        hook: known.hook,
        plugin_version: args.version.clone(),
        settings: if args.settings.is_empty() { known.settings } else { args.settings.clone() },
        kinds: if args.all_kinds { Vec::new() } else { kept(known.kinds) },
        on_fault: match (args.skip_on_fault, args.refuse_on_fault) {
            (true, _) => OnFault::Skip.into(),
            (_, true) => OnFault::Deny.into(),
            (false, false) => known.on_fault,
        },
        disabled: known.disabled && !args.enable,
        ..RuleBinding::default()
    }
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
        name: args.change.clone(),
        stage: args.stage.wire().into(),
        canary_permille,
        effective_time: args.step.at,
        etag: String::new(),
        note: args.step.note,
        request_id: Uuid::new_v4().to_string(),
    };
    match ask!(connection, "PromoteRuleChange", promote_rule_change, request) {
        Ok(change) => told(&change),
        Err(error) if error.metadata("state").as_deref() == Some("PENDING_APPROVAL") => {
            bail!("{error}\n  hint: it waits for a second person: linli plugin approve {}", args.change)
        }
        Err(error) => Err(named(error)),
    }
}

/// An error that names fields of a change by the arguments that they were said with.
fn named(error: CallError) -> anyhow::Error {
    error.said_with(&[
        ("effective_time", "--at"),
        ("canary_permille", "--share"),
        ("note", "--note"),
        ("rule_binding.kinds", "--kind"),
        ("rule_binding.settings", "--setting"),
        ("rule_binding.hook", "--hook"),
        ("rule_binding.plugin_version", "--version"),
    ])
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
        output::data(&texts(std::slice::from_ref(&read), connection).await)?;
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
    let binding = change.rule_binding.clone().unwrap_or_default();
    match change.state() {
        RuleChangeState::PendingApproval => {
            format!("It waits for a second person: linli plugin approve {name}")
        }
        RuleChangeState::Scheduled => format!("It will be {stage}{from}."),
        RuleChangeState::Trial if change.stage() == RuleStage::Canary => format!(
            "It is obeyed for {} of the residents. What it said stands in the decisions: linli decision explain NAME",
            percent(change.canary_permille)
        ),
        RuleChangeState::Trial => {
            format!("It is {stage}: asked, not obeyed. What it would say: linli plugin history {name}")
        }
        RuleChangeState::Active if binding.disabled => format!(
            "The binding is off, so nothing asks it. To switch it on:\n  linli plugin stage active --enable --binding {} --version {}",
            binding.name, binding.plugin_version
        ),
        RuleChangeState::Active => {
            format!("It is in force. The way back: linli plugin rollback {} --note WHY", binding.name)
        }
        state => format!("It is {}.", state_word(state)),
    }
}

/// A share as it is said, in permille.
fn share(text: &str) -> Result<i32, String> {
    const WANTED: &str =
        "a share is more than 0 and less than 100 percent, such as 10% or 0.5%; for everybody say active";
    let number = text.trim().trim_end_matches('%').trim();
    let (whole, tenth) = number.split_once('.').unwrap_or((number, "0"));
    let digits = tenth.len() == 1 && !whole.is_empty();
    let permille = whole.parse::<i32>().ok().zip(tenth.parse::<i32>().ok()).filter(|_| digits);
    let permille = permille.and_then(|(whole, tenth)| whole.checked_mul(10)?.checked_add(tenth));
    permille.filter(|share| (1..=999).contains(share)).ok_or_else(|| WANTED.to_owned())
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        stage: StageArgs,
    }

    fn staged(more: &[&str], known: RuleBinding) -> RuleBinding {
        let words = ["stage", "active", "--binding", "areas/x/ruleBindings/b", "--version", "areas/x/pluginVersions/v"];
        merged(&Line::try_parse_from([&words[..], more].concat()).expect("arguments").stage, known)
    }

    fn known() -> RuleBinding {
        let on_fault = OnFault::Skip.into();
        RuleBinding { kinds: vec!["haircut".into()], on_fault, disabled: true, ..RuleBinding::default() }
    }

    #[test]
    fn what_is_not_said_stays_and_everything_can_be_turned_back() {
        let same = staged(&[], known());
        assert_eq!((same.kinds.len(), same.on_fault(), same.disabled), (1, OnFault::Skip, true));
        let turned = staged(&["--all-kinds", "--refuse-on-fault", "--enable"], known());
        assert_eq!((turned.kinds.len(), turned.on_fault(), turned.disabled), (0, OnFault::Deny, false));
        assert_eq!(staged(&["--kind", "meal"], known()).kinds, ["meal"]);
    }

    #[test]
    fn a_change_of_a_binding_that_is_off_is_not_said_to_be_in_force() {
        let change = |disabled| RuleChange {
            rule_binding: Some(RuleBinding {
                name: "areas/x/ruleBindings/b".into(),
                disabled,
                ..RuleBinding::default()
            }),
            state: RuleChangeState::Active.into(),
            ..RuleChange::default()
        };
        assert!(next(&change(true)).contains("is off") && next(&change(true)).contains("--enable"));
        assert!(next(&change(false)).contains("linli plugin rollback areas/x/ruleBindings/b"));
    }

    #[test]
    fn a_share_is_said_in_percent_and_has_at_most_one_decimal() {
        assert_eq!((share("10%"), share("0.5"), share("99.9%")), (Ok(100), Ok(5), Ok(999)));
        for wrong in ["0%", "100%", "-1", "ten", "1.25", ""] {
            assert!(share(wrong).expect_err(wrong).contains("more than 0"), "{wrong}");
        }
        assert_eq!((percent(100), percent(5)), ("10%".to_owned(), "0.5%".to_owned()));
    }
}
