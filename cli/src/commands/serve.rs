//! `linli serve` and `linli migrate`: run the suite, or the roles that this process plays.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use linli_kernel::{ManualClock, SharedClock, SystemClock, Timestamp};
use linli_kit::telemetry::{self, LogFormat};

use super::demo::describe;
use crate::config::Config;
use crate::suite::{self, Role, Suite};

/// Arguments of `linli serve`.
#[derive(Debug, Clone, clap::Args)]
#[command(
    after_help = "Examples:\n  linli serve                            # everything in one process, on SQLite\n  \
                        linli serve booking --config linli.yaml # one service\n  \
                        LINLI__STORE__URL=postgres://... linli serve org points"
)]
pub struct ServeArgs {
    /// Roles to play: org, rules, points, booking, deliberation, gateway. None: all.
    #[arg(value_name = "SERVICE")]
    roles: Vec<String>,
    /// Configuration file (YAML); see `linli config` for every setting with its default.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Stand the suite's clock at this Unix second; it moves only by ClockService. Embedded suites on loopback only.
    #[arg(long, value_name = "UNIX_SECONDS")]
    manual_clock: Option<i64>,
}

/// Arguments of `linli migrate`.
#[derive(Debug, Clone, clap::Args)]
pub struct MigrateArgs {
    /// Configuration file (YAML).
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

/// The configuration, with logs started; spans are exported while the guard lives.
fn load(file: Option<&std::path::Path>) -> Result<(Config, telemetry::Exporting)> {
    let config = Config::load(file)?;
    let format = if config.log_json { LogFormat::Json } else { LogFormat::Text };
    let exporting = telemetry::start(format, &config.log_filter, config.otlp_endpoint.as_deref()).map_err(describe)?;
    Ok((config, exporting))
}

/// Serves until it is told to stop, then drains.
///
/// # Errors
/// When the configuration is wrong or something does not come up.
pub async fn serve(args: ServeArgs) -> Result<()> {
    let (config, _exporting) = load(args.config.as_deref())?;
    let mut roles = Vec::new();
    for name in &args.roles {
        match Role::parse(name) {
            Some(role) => roles.push(role),
            None => bail!("there is no role {name:?}; there are org, rules, points, booking, deliberation and gateway"),
        }
    }
    if roles.is_empty() {
        roles = Role::all();
    }
    let clock: SharedClock = match args.manual_clock {
        None => Arc::new(SystemClock),
        // Fault tests play a day on PostgreSQL too; a release has no such feature.
        Some(_)
            if !cfg!(feature = "failpoints")
                && (!config.migrate_at_start || !config.gateway_listen.ip().is_loopback()) =>
        {
            bail!("--manual-clock: only an embedded suite on loopback has one; leave store.url empty")
        }
        Some(secs) => Arc::new(ManualClock::new(Timestamp::from_secs(secs))),
    };
    let suite = Suite::start_with_clock(&config, &roles, clock).await.map_err(describe)?;
    if let Some(address) = suite.gateway {
        tracing::info!(%address, tls = suite.certificate.is_some(), "the gateway listens");
    }
    if let Some(address) = suite.services {
        tracing::info!(%address, "the services listen");
    }
    told_to_stop().await?;
    tracing::info!("draining");
    suite.stop().await;
    Ok(())
}

/// Resolves at Ctrl-C or SIGTERM.
async fn told_to_stop() -> Result<()> {
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    tokio::select! {
        pressed = tokio::signal::ctrl_c() => pressed.context("waiting for Ctrl-C"),
        _ = terminate.recv() => Ok(()),
    }
}

/// Brings all schemas up to this release.
///
/// # Errors
/// When a database does not answer or a schema does not fit.
pub async fn migrate(args: MigrateArgs) -> Result<()> {
    let (config, _exporting) = load(args.config.as_deref())?;
    suite::migrate(&config).await.map_err(describe)?;
    tracing::info!("all schemas are up to this release");
    Ok(())
}
