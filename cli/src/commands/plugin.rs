//! `linli plugin`: rule plugins from source to force. Never: decides whether a plugin is acceptable; the validation does.

/// Calls a method of the rules service whose request may be sent twice.
macro_rules! ask {
    ($connection:expr, $name:literal, $method:ident, $request:expr) => {{
        let request = $request;
        let asked = $connection.repeat($name, || {
            let (mut client, request) = ($connection.rules(), request.clone());
            Box::pin(async move { client.$method(request).await })
        });
        asked.await
    }};
}

mod bindings;
mod changes;
mod check;
mod empty;
mod form;
mod governance;
mod history;
mod js;
mod list;
mod one;
mod operation;
mod scaffold;
mod settings;
mod sign;
mod simulate;
mod test;
mod thrown;
mod upload;
mod version;
mod when;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use linli_kernel::Lang;

use super::output;
use crate::client::{ConnectArgs, Connection};
use crate::plugin_build;

pub use bindings::{activate, bindings_of};
pub use upload::{Signed, upload, upload_signed, validate_remote};

/// Works with rule plugins.
#[derive(Debug, clap::Args)]
#[command(after_help = "On your machine, without a server:\n  linli plugin new queue-by-age --lang table\n  \
                        linli plugin test plugins/queue-by-age\n  linli plugin build plugins/queue-by-age\n  \
                        linli plugin validate plugins/target/components/queue-by-age.yaml\n\n\
                        In a community (A=areas/xinhua):\n  \
                        linli plugin upload FILE --plugin $A/plugins/queue-by-age --title 排队规则\n  \
                        linli plugin simulate --binding $A/ruleBindings/queue --version VERSION --kind haircut --from 2026-04-01\n  \
                        linli plugin stage shadow --binding $A/ruleBindings/queue --version VERSION --kind haircut\n  \
                        linli plugin promote CHANGE canary --share 10%\n  linli plugin promote CHANGE active\n  \
                        linli plugin rollback $A/ruleBindings/queue --note WHY\n\n\
                        A version with one hook need not be told it; with several say --hook. Without --kind a new binding applies to\n\
                        every offering. Step by step: docs/plugins.")]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Write the beginnings of a rule
    New(scaffold::Args),
    /// Build rules of any form to what is uploaded
    Build(BuildArgs),
    /// Run a rule's cases, and tell which changed thresholds they would not notice
    Test(test::Args),
    /// Ask a rule one question, on this machine
    Run(one::RunArgs),
    /// Measure fresh evaluations of a rule, on this machine
    Bench(one::BenchArgs),
    /// Check a rule as an upload would be checked, on this machine
    Validate(check::Args),
    /// Make an author's key
    Keygen(sign::KeygenArgs),
    /// Sign a built rule for one plugin
    Sign(sign::SignArgs),
    /// Upload a rule as a version of a plugin, going on where an upload broke off, and have it validated
    Upload(UploadArgs),
    /// Show what a candidate would have changed in the decisions of the past
    Simulate(simulate::Args),
    /// Propose that a version is tried or obeyed: in shadow, as a canary, active
    Stage(changes::StageArgs),
    /// Move a proposed change on
    Promote(changes::PromoteArgs),
    /// Approve a change as the second person
    Approve(changes::ApproveArgs),
    /// Withdraw or reject a change that is not active
    Withdraw(changes::WithdrawArgs),
    /// Bring a binding back to what was active before
    Rollback(changes::RollbackArgs),
    /// Show who did what to which rule, and when
    History(history::HistoryArgs),
    /// Show the rules of a place and where each comes from
    Effective(governance::EffectiveArgs),
    /// Show what authors are told, such as that a version was quarantined
    Notices(governance::NoticesArgs),
    /// Let a quarantined version be asked again
    Release(governance::ReleaseArgs),
    /// Show or change what the charter asks of rules: signatures, a second person, quarantine
    Policy(governance::PolicyArgs),
    /// Put a version in force at a hook at once, or a file of bindings
    Activate(bindings::Args),
    /// List plugins with their versions and where they are in force
    List(list::Args),
}

/// Builds rules.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  linli plugin build plugins/haircut\n  linli plugin build --all\n\n\
    A directory with a Cargo.toml is a Rust rule, one with a package.json a JavaScript rule (its `npm run build` is called),\n\
    one with a rule.yaml a table: `rows: FILE.csv` in it is replaced by the rows.")]
struct BuildArgs {
    /// Directory of the rule.
    #[arg(required_unless_present = "all", conflicts_with = "all")]
    dir: Option<PathBuf>,
    /// All rules of all forms: the directories with a plugin.yaml or a vectors.yaml in --plugins.
    #[arg(long)]
    all: bool,
    /// Where plugins lie.
    #[arg(long, default_value = "plugins", value_name = "DIR")]
    plugins: PathBuf,
    /// Only the core module, in the target directory: for benchmarks.
    #[arg(long, hide = true, conflicts_with = "all")]
    core: bool,
    /// Where built rules go; left out: target/components beside the rule's directory.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

/// Uploads a rule.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  linli plugin upload plugins/target/components/haircut.wasm --plugin areas/xinhua/plugins/haircut --title 义剪规则\n  \
                        linli plugin upload haircut.wasm --plugin areas/xinhua/plugins/haircut --author-key areas/xinhua/authorKeys/wang --key author-key.pem\n\n\
                        An upload that broke off is gone on with by the same command, for a day."
)]
struct UploadArgs {
    /// The component or table.
    file: PathBuf,
    /// The plugin of which it is a version.
    #[arg(long, value_name = "areas/AREA/plugins/ID")]
    plugin: String,
    /// Creates the plugin under this title when it is not there.
    #[arg(long)]
    title: Option<String>,
    /// The trusted key with which the author's signature is checked.
    #[arg(long, value_name = "areas/AREA/authorKeys/ID", requires = "signing")]
    author_key: Option<String>,
    /// The author's private key: signs on the way.
    #[arg(long, value_name = "FILE", group = "signing", requires = "author_key")]
    key: Option<PathBuf>,
    /// A signature that `linli plugin sign` made before.
    #[arg(long, value_name = "FILE", group = "signing", requires = "author_key")]
    signature: Option<PathBuf>,
}

/// Runs the command.
///
/// # Errors
/// What went wrong on the way; problems of a component are printed, with exit code 1.
pub async fn run(args: Args, connect: &ConnectArgs) -> Result<ExitCode> {
    let connection = || connect.connect();
    match args.command {
        Command::New(args) => scaffold::run(&args, connect.lang.as_deref()),
        Command::Build(args) => build(args, connect.answers()).await,
        Command::Test(args) => {
            let lang = connect.answers();
            apart(move || test::run(&args, lang)).await
        }
        Command::Run(args) => {
            let lang = connect.answers();
            apart(move || one::run(&args, lang)).await
        }
        Command::Bench(args) => apart(move || one::bench(&args)).await,
        Command::Validate(args) => check::run(args, connect.answers()).await,
        Command::Keygen(args) => sign::keygen(&args),
        Command::Sign(args) => sign::sign(&args),
        Command::Upload(args) => upload_file(args, &connection()?).await,
        Command::Simulate(args) => simulate::run(args, &connection()?).await,
        Command::Stage(args) => changes::stage(args, &connection()?).await,
        Command::Promote(args) => changes::promote(args, &connection()?).await,
        Command::Approve(args) => changes::approve(args, &connection()?).await,
        Command::Withdraw(args) => changes::withdraw(args, &connection()?).await,
        Command::Rollback(args) => changes::rollback(args, &connection()?).await,
        Command::History(args) => history::history(args, &connection()?).await,
        Command::Effective(args) => governance::effective(args, &connection()?).await,
        Command::Notices(args) => governance::notices(args, &connection()?).await,
        Command::Release(args) => governance::release(args, &connection()?).await,
        Command::Policy(args) => governance::policy(args, &connection()?).await,
        Command::Activate(args) => bindings::run(args, &connection()?).await,
        Command::List(args) => list::run(args, &connection()?).await,
    }
}

/// What computes or builds, off the threads of the runtime.
async fn apart(work: impl FnOnce() -> Result<ExitCode> + Send + 'static) -> Result<ExitCode> {
    tokio::task::spawn_blocking(work).await.context("the work broke off")?
}

async fn build(args: BuildArgs, lang: Lang) -> Result<ExitCode> {
    if let (Some(dir), true) = (args.dir.clone(), args.core) {
        let core = tokio::task::spawn_blocking(move || plugin_build::build_core(&dir)).await.context("building")??;
        output::data(&core.display().to_string())?;
        return Ok(ExitCode::SUCCESS);
    }
    let built = tokio::task::spawn_blocking(move || match args.dir {
        Some(dir) => form::build(&dir, &form::out(args.out.as_deref(), &dir), lang).map(|one| vec![one]),
        None => {
            let out = args.out.unwrap_or_else(|| args.plugins.join("target/components"));
            form::build_all(&args.plugins, &out, lang)
        }
    });
    let mut table = output::table(&["rule", "file", "bytes", "sha256"]);
    let built = built.await.context("building")??;
    for one in &built {
        let digest = one.digest_sha256_hex.get(..16).unwrap_or_default();
        table.add_row([&one.name, &one.path.display().to_string(), &one.bytes_len.to_string(), digest]);
    }
    let toolchains: std::collections::BTreeSet<&str> = built.iter().map(|one| one.toolchain.as_str()).collect();
    toolchains.iter().for_each(|toolchain| output::say(format!("built with {toolchain}")));
    output::data(&table.to_string())?;
    Ok(ExitCode::SUCCESS)
}

async fn upload_file(args: UploadArgs, connection: &Connection) -> Result<ExitCode> {
    let bytes = form::packed(&args.file)?;
    let signature = match (&args.key, &args.signature) {
        (Some(key), _) => sign::signature(key, &args.plugin, &bytes)?,
        (None, Some(file)) => sign::read(file)?,
        (None, None) => Vec::new(),
    };
    let signed = Signed { author_key: args.author_key.unwrap_or_default(), signature };
    if upload::ensure_plugin(connection, &args.plugin, args.title.as_deref()).await? {
        output::say(format!("created {}", args.plugin));
    }
    let version = upload_signed(connection, &args.plugin, &bytes, &signed).await?;
    output::say(format!("{} is valid; it answers {}", version.name, version.hooks.join(", ")));
    if version.peak_fuel_percent >= 50 {
        output::say(format!("! its dearest call took {} % of its fuel: mind larger cases", version.peak_fuel_percent));
    }
    output::data(&version.name)?;
    Ok(ExitCode::SUCCESS)
}
