//! `linli token`: a token of the development issuer.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Result, bail};

use super::demo::describe;
use crate::config::Config;
use crate::keys::Keys;

/// Arguments of `linli token`.
#[derive(Debug, Clone, clap::Args)]
#[command(
    after_help = "Examples:\n  linli token systems/operator\n  export LINLI_TOKEN=$(linli token areas/xinhua/people/per-...)"
)]
pub struct Args {
    /// Who: a person's name or a system such as `systems/street-office`.
    subject: String,
    /// Hours for which it is valid, 1 to 720.
    #[arg(long, default_value_t = 12)]
    hours: u64,
    /// Configuration file (YAML).
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Directory of the embedded suite; wins over the configuration.
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
}

/// Makes the token.
///
/// # Errors
/// When the subject is malformed, or this installation has an issuer of its own.
pub fn run(args: &Args) -> Result<String> {
    if !(1..=720).contains(&args.hours) {
        bail!("--hours: {} lies outside 1 to 720", args.hours);
    }
    let system = args.subject.strip_prefix("systems/").is_some_and(|rest| !rest.is_empty());
    if !system && linli_kernel::Name::parse(&args.subject, "people").is_err() {
        bail!(
            "{:?} is neither a person (areas/xinhua/people/per-...) nor a system (systems/street-office)",
            args.subject
        );
    }
    let mut config = Config::load(args.config.as_deref())?;
    if let Some(dir) = &args.data_dir {
        config.data_dir.clone_from(dir);
    }
    // A key that was made here and now would sign tokens that no suite accepts.
    let key = Keys::issuer_key(&config);
    if !key.exists() {
        bail!(
            "there is no issuer's key at {}: name the directory of the suite with --data-dir; an installation with an \
             issuer of its own makes its tokens there",
            key.display()
        );
    }
    let keys = Keys::open(&config).map_err(describe)?;
    let issuer = keys.issuer().map_err(describe)?;
    issuer.issue(&args.subject, Duration::from_secs(args.hours * 3600)).map_err(describe)
}
