//! `linli plugin`: rule plugins from source to force. Never: decides whether a plugin is acceptable; the validation does.

mod bindings;
mod check;
mod list;
mod scaffold;
mod settings;
mod upload;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};

use super::output;
use crate::client::{ConnectArgs, Connection};
use crate::plugin_build;

pub use bindings::{activate, bindings_of};
pub use upload::{upload, validate_remote};

/// Works with rule plugins.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "From source to force:\n  linli plugin new queue-by-age\n  linli plugin build plugins/queue-by-age\n  \
                        linli plugin validate plugins/target/components/queue-by-age.wasm\n  \
                        linli plugin upload plugins/target/components/queue-by-age.wasm --plugin areas/xinhua/plugins/queue-by-age --title 排队规则\n  \
                        linli plugin activate --binding areas/xinhua/ruleBindings/queue --version areas/xinhua/pluginVersions/pv-... --hook booking-priority"
)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Write the beginnings of a plugin
    New(scaffold::Args),
    /// Build plugins to components
    Build(BuildArgs),
    /// Check a component as an upload would be checked, on this machine
    Validate(check::Args),
    /// Upload a component as a version of a plugin, and have it validated
    Upload(UploadArgs),
    /// Put a version in force at a hook
    Activate(bindings::Args),
    /// List plugins with their versions and where they are in force
    List(list::Args),
}

/// Builds plugins.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  linli plugin build plugins/haircut\n  linli plugin build --all")]
struct BuildArgs {
    /// Directory of the plugin's crate.
    #[arg(required_unless_present = "all", conflicts_with = "all")]
    dir: Option<PathBuf>,
    /// All plugins: the directories with a plugin.yaml in --plugins.
    #[arg(long)]
    all: bool,
    /// Where plugins lie.
    #[arg(long, default_value = "plugins", value_name = "DIR")]
    plugins: PathBuf,
    /// Where components go.
    #[arg(long, default_value = "plugins/target/components", value_name = "DIR")]
    out: PathBuf,
}

/// Uploads a component.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  linli plugin upload plugins/target/components/haircut.wasm --plugin areas/xinhua/plugins/haircut --title 义剪规则"
)]
struct UploadArgs {
    /// The component.
    file: PathBuf,
    /// The plugin of which it is a version.
    #[arg(long, value_name = "areas/AREA/plugins/ID")]
    plugin: String,
    /// Creates the plugin under this title when it is not there.
    #[arg(long)]
    title: Option<String>,
}

/// Runs the command.
///
/// # Errors
/// What went wrong on the way; problems of a component are printed, with exit code 1.
pub async fn run(args: Args, connect: &ConnectArgs) -> Result<ExitCode> {
    match args.command {
        Command::New(args) => scaffold::run(&args),
        Command::Build(args) => build(args).await,
        Command::Validate(args) => check::run(args, connect.lang).await,
        Command::Upload(args) => upload_file(args, &connect.connect()?).await,
        Command::Activate(args) => bindings::run(args, &connect.connect()?).await,
        Command::List(args) => list::run(args, &connect.connect()?).await,
    }
}

async fn build(args: BuildArgs) -> Result<ExitCode> {
    let built = tokio::task::spawn_blocking(move || match args.dir {
        Some(dir) => plugin_build::build(&dir, &args.out).map(|one| vec![one]),
        None => plugin_build::build_all(&args.plugins, &args.out),
    });
    let mut table = output::table(&["plugin", "component", "bytes", "sha256"]);
    let built = built.await.context("building")??;
    for one in &built {
        let digest = one.digest_sha256_hex.get(..16).unwrap_or_default();
        table.add_row([&one.name, &one.path.display().to_string(), &one.bytes_len.to_string(), digest]);
    }
    if let Some(one) = built.first() {
        output::say(format!("built with {}", one.toolchain));
    }
    output::data(&table.to_string())?;
    Ok(ExitCode::SUCCESS)
}

async fn upload_file(args: UploadArgs, connection: &Connection) -> Result<ExitCode> {
    let bytes = component(&args.file)?;
    if upload::ensure_plugin(connection, &args.plugin, args.title.as_deref()).await? {
        output::say(format!("created {}", args.plugin));
    }
    let version = upload(connection, &args.plugin, &bytes).await?;
    output::say(format!("{} is valid; it answers {}", version.name, version.hooks.join(", ")));
    output::data(&version.name)?;
    Ok(ExitCode::SUCCESS)
}

/// Reads a component; what is larger than any is not read.
fn component(path: &std::path::Path) -> Result<Vec<u8>> {
    let told = || format!("{}: no component there; build one with `linli plugin build`", path.display());
    let size = std::fs::metadata(path).with_context(told)?.len();
    if size > 16 << 20 {
        bail!("{}: {size} bytes are no plugin", path.display());
    }
    std::fs::read(path).with_context(told)
}
