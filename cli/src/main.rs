//! The `linli` binary: reads the command line, runs one command, says what went wrong.

use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand};
use linli::client::ConnectArgs;
use linli::commands::{apply, completions, decision, demo, import, output, plugin, resources, serve, token, verify};

/// linli 邻里 runs the everyday life of an urban community.
#[derive(Parser)]
#[command(name = "linli", version, about, max_term_width = 120)]
struct Cli {
    #[command(flatten)]
    connect: ConnectArgs,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the suite, or the roles that this process plays
    Serve(serve::ServeArgs),
    /// Bring all databases up to this release
    Migrate(serve::MigrateArgs),
    /// Play a day in seven communities on an embedded suite
    Demo(demo::Args),
    /// Make a token of the development issuer
    Token(token::Args),
    /// Apply catalogue resources from YAML files
    Apply(apply::Args),
    /// Import people, households and appointments from CSV files
    Import(import::Args),
    /// Show one resource
    Get(resources::GetArgs),
    /// List resources
    List(resources::ListArgs),
    /// Write, test, upload, try and put in force the community's rules
    Plugin(plugin::Args),
    /// Read out a decision: what was asked, what was known, which rule said what
    Decision(decision::Args),
    /// Recount the invariants of a live suite
    Verify(verify::Args),
    /// Print every setting with its default
    Config,
    /// Print shell completions
    Completions(completions::Args),
}

fn main() -> ExitCode {
    // The validating child: no runtime, no configuration, nothing but the component on standard input.
    if std::env::args_os().nth(1).is_some_and(|arg| arg == linli_rules_engine::validate::ARGUMENT) {
        return linli_rules_engine::validate::child_main();
    }
    // One TLS provider for the whole process, before anything else can choose another.
    if rustls::crypto::ring::default_provider().install_default().is_err() {
        eprintln!("linli: a TLS provider was installed before");
    }
    #[cfg(feature = "failpoints")]
    std::mem::forget(fail::FailScenario::setup());
    let cli = Cli::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(problem) => {
            eprintln!("linli: the runtime does not start: {problem}");
            return ExitCode::FAILURE;
        }
    };
    match runtime.block_on(Box::pin(run(cli))) {
        Ok(code) => code,
        Err(problem) => {
            eprintln!("linli: {problem:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    let connect = || cli.connect.connect();
    match cli.command {
        Command::Serve(args) => serve::serve(args).await?,
        Command::Migrate(args) => serve::migrate(args).await?,
        Command::Demo(args) => demo::run(args).await?,
        Command::Token(args) => output::line(&token::run(&args)?),
        Command::Apply(args) => return apply::run(args, &connect()?).await,
        Command::Import(args) => return import::run(args, &connect()?).await,
        Command::Get(args) => return resources::get(args, &connect()?).await,
        Command::List(args) => return resources::list(args, &connect()?).await,
        Command::Plugin(args) => return plugin::run(args, &cli.connect).await,
        Command::Decision(args) => return decision::run(args, &connect()?).await,
        Command::Verify(args) => return verify::run(args, &connect()?).await,
        Command::Config => output::line(linli::config::DEFAULTS.trim_end()),
        Command::Completions(args) => return completions::run(args, &mut Cli::command()),
    }
    Ok(ExitCode::SUCCESS)
}
