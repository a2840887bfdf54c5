//! `linli apply`: catalogue resources from files, one update each. Never: recorded objects, such as people or bookings.

mod diff;
mod document;
mod execute;
mod plan;
mod report;
mod strict;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Result, bail};

use super::output::{self, Format};
use crate::client::Connection;

pub use document::{Document, Problem, parse};
pub use report::{Change, Outcome, Report};
pub(crate) use strict::message_of;

/// Brings the catalogue to what files say: creates what is missing, changes what differs.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  linli apply -f profiles/areas -f profiles/xinhua --dry-run\n  \
                        linli apply -f profiles/xinhua\n  linli apply -f profiles/xinhua --prune --yes\n\n\
                        Files hold documents of YAML: a resource in proto JSON form with `type: linli/Offering`.\n\
                        In a directory seed.yaml, expected.yaml, rules/ and generated/ are passed over.")]
pub struct Args {
    /// Files or directories.
    #[arg(short, long = "file", required = true, num_args = 1.., value_name = "DIR|FILE")]
    pub file: Vec<PathBuf>,
    /// Let the services check everything and show what would change; write nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// Also delete resources of the same types and areas that no file describes; needs --yes or --dry-run.
    #[arg(long)]
    pub prune: bool,
    /// Confirms --prune.
    #[arg(long, requires = "prune")]
    pub yes: bool,
    /// Form of the report.
    #[arg(short, long, value_enum, default_value_t)]
    pub output: Format,
}

/// How files are applied.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Options {
    /// Checks and compares, writes nothing.
    pub dry_run: bool,
    /// Deletes what no file describes, of the types and areas that the files are about.
    pub prune: bool,
}

/// Applies files and directories; the report counts what was done.
///
/// # Errors
/// Everything that went wrong, in one message. Resources that do not depend on a bad one are applied all the same, but
/// nothing is when a file cannot be read.
pub async fn apply_paths(connection: &Connection, paths: &[PathBuf], options: &Options) -> Result<Report> {
    let report = collect(connection, paths, options).await;
    if report.problems.is_empty() {
        return Ok(report);
    }
    let problems: Vec<String> = report.problems.iter().map(Problem::to_string).collect();
    bail!("{report}\n{}", problems.join("\n"))
}

/// As [`apply_paths`], with the problems inside the report.
pub async fn collect(connection: &Connection, paths: &[PathBuf], options: &Options) -> Report {
    let (documents, problems) = document::read(paths);
    if !problems.is_empty() {
        return Report { dry_run: options.dry_run, problems, ..Report::default() };
    }
    execute::execute(connection, documents, options).await
}

/// Runs the command.
///
/// # Errors
/// When stdout is broken; problems with resources are printed, with exit code 1.
pub async fn run(args: Args, connection: &Connection) -> Result<ExitCode> {
    if args.prune && !args.yes && !args.dry_run {
        bail!("--prune deletes resources: see which with --prune --dry-run, then confirm with --prune --yes");
    }
    let options = Options { dry_run: args.dry_run, prune: args.prune };
    let report = collect(connection, &args.file, &options).await;
    match args.output {
        Format::Table => output::data(&report.to_text(args.dry_run))?,
        format => output::structured(format, &report)?,
    }
    for problem in &report.problems {
        output::say(problem.to_string());
    }
    Ok(if report.problems.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
