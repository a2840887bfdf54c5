//! The repository's own tasks: `cargo xtask TASK`.
//!
//! Owns how tools are found, how tests get their database, and what CI runs. Never: anything that is shipped.

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

mod ci;
mod cluster;
mod demo;
mod fuzz;
mod generate;
mod handoff;
mod manifests;
mod parts;
mod repo;
mod story;
mod test;
mod tools;

use repo::Repo;

/// Tasks of the repository.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", about)]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Starts everything, applies the seven profiles, plays a day in each community and says what happened
    Demo {
        /// Arguments of `linli demo`, such as `--keep`
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<String>,
    },
    /// Runs every test on SQLite and on a throw-away PostgreSQL
    Test {
        /// Arguments of `cargo nextest run`, such as a filter
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<String>,
    },
    /// Runs everything that CI runs, and says how long each part took
    Ci,
    /// Formats, lints and manifests: the part of `ci` that runs no test
    Lint,
    /// Builds the rule plugins to `plugins/target/components`
    Plugins,
    /// Invents the people of the profiles (`profiles/*/generated`)
    Generate,
    /// Runs the load tests; numbers are for the machine they ran on
    Bench {
        /// Arguments of `linli-load`
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<String>,
    },
    /// Fuzzes uploads and the boundary to the guests; builds once, in a target directory of its own
    Fuzz {
        /// How long each target runs
        #[arg(long, default_value_t = 45)]
        seconds: u32,
    },
    /// Looks for every tool and says how to get those that are missing
    Doctor {
        /// Installs what is missing, where that needs no more than a package's name
        #[arg(long)]
        install: bool,
    },
    /// Writes docs/permissions.md: which role may do what
    Matrix,
}

fn main() -> ExitCode {
    match run(Cli::parse().task) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\nxtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(task: Task) -> Result<()> {
    let repo = Repo::find()?;
    match task {
        Task::Demo { args } => demo::demo(&repo, &args),
        Task::Test { args } => test::test(&repo, &args),
        Task::Ci => ci::ci(&repo),
        Task::Lint => ci::lint(&repo),
        Task::Plugins => demo::plugins(&repo),
        Task::Generate => generate::run(repo.root()),
        Task::Bench { args } => demo::bench(&repo, &args),
        Task::Fuzz { seconds } => fuzz::fuzz(&repo, seconds),
        Task::Doctor { install } => tools::doctor(&repo, install),
        Task::Matrix => demo::matrix(&repo),
    }
}
