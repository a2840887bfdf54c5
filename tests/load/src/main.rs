//! `linli-load`: load on a suite in a process of its own, stated as a ratio to floors measured in the same run.
//!
//! Owns scenarios, floors, the closed loop, and the check of the books afterwards. Never: a target that only a
//! benchmark would want; durability stays on.

mod bench;
mod cluster;
mod cpu;
mod drive;
mod echo;
mod floor;
mod memory;
mod play;
mod report;
mod scenario;

use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;

#[derive(Debug, Parser)]
#[command(name = "linli-load", about = "Load on a suite, and floors to compare with")]
struct Cli {
    #[command(subcommand)]
    task: Option<Task>,
    #[command(flatten)]
    bench: bench::BenchArgs,
}

#[derive(Debug, clap::Subcommand)]
enum Task {
    /// Plays the server side; the driver starts it
    #[command(hide = true)]
    Play(play::PlayArgs),
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    match run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("linli-load: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: Cli) -> Result<()> {
    match cli.task {
        Some(Task::Play(args)) => play::play(&args),
        None => bench::bench(&cli.bench),
    }
}
