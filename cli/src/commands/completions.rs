//! `linli completions`: what a shell needs to complete commands.

use std::process::ExitCode;

use anyhow::Result;

use super::output;

/// Prints completions for a shell.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  linli completions bash > /etc/bash_completion.d/linli\n  \
                        linli completions zsh > ~/.zfunc/_linli")]
pub struct Args {
    /// The shell.
    pub shell: clap_complete::Shell,
}

/// Prints the completions of `command`, the whole command line.
///
/// # Errors
/// When stdout is broken.
pub fn run(args: Args, command: &mut clap::Command) -> Result<ExitCode> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, command, "linli", &mut script);
    output::data(&String::from_utf8_lossy(&script))?;
    Ok(ExitCode::SUCCESS)
}
