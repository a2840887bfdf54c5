//! The other side: processes that the driver starts of itself, so that their processor time stands alone.

use std::io::{BufRead as _, BufReader, Read as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::Arc;

use anyhow::{Context as _, Result, anyhow};
use linli::config::{Config, Tls};
use linli::keys::Keys;
use linli::suite::{Role, Suite};
use linli_kit::store::EngineConfig;
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use tonic::transport::server::TcpIncoming;

use crate::cpu;
use crate::echo::Echo;

/// What a process plays.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct PlayArgs {
    /// Play the bare tonic server instead of the suite.
    #[arg(long)]
    echo: bool,
    /// Directory of databases and keys.
    #[arg(long, default_value = ".")]
    dir: PathBuf,
    /// PostgreSQL instead of SQLite.
    #[arg(long)]
    url: Option<String>,
    /// The core to stay on; none: all of them.
    #[arg(long)]
    core: Option<usize>,
}

/// Where a process listens.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Addresses {
    /// The services' own port, past the gateway.
    pub(crate) services: SocketAddr,
    /// The gateway, without TLS.
    pub(crate) gateway: SocketAddr,
}

/// The configuration that both sides derive from a directory.
pub(crate) fn config(dir: &Path, url: Option<&str>) -> Result<Config> {
    let mut config = Config::embedded(dir).map_err(|e| anyhow!("{e}"))?;
    config.tls = Tls::Off;
    config.requests_per_second = 1_000_000;
    let free = SocketAddr::from(([127, 0, 0, 1], 0));
    config.listen = Some(free);
    // With the recorder of metrics, as in earnest.
    config.http_listen = Some(free);
    config.migrate_at_start = true;
    // The binary beside this program answers as the validator; without it only the rules' scenario fails.
    config.plugin_validator = std::env::current_exe().ok().map(|me| me.with_file_name("linli-validate-worker"));
    if let Some(url) = url {
        config.store.engine = EngineConfig::Postgres { url: url.to_owned().into(), max_connections: 16 };
    }
    Ok(config)
}

/// Plays until standard input ends, which it does when the driver ends, however it ends.
pub(crate) fn play(args: &PlayArgs) -> Result<()> {
    if let Some(core) = args.core {
        cpu::stay_on(core)?;
    }
    let threads = if args.core.is_some() { 1 } else { cpu::cores() };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(threads).enable_all().build()?;
    runtime.block_on(async {
        if args.echo {
            return play_echo().await;
        }
        let config = config(&args.dir, args.url.as_deref())?;
        // As in earnest: what a request costs includes its span.
        linli_kit::telemetry::init_logs(linli_kit::telemetry::LogFormat::Text, "info");
        let suite = Suite::start(&config, &Role::all()).await.map_err(|e| anyhow!("{e}: {:?}", e.cause()))?;
        let services = suite.services.context("a port of the services")?;
        announce(Addresses { services, gateway: suite.gateway.context("a gateway")? })?;
        end_of_input().await;
        suite.stop().await;
        Ok(())
    })
}

async fn play_echo() -> Result<()> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let address = listener.local_addr()?;
    announce(Addresses { services: address, gateway: address })?;
    let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
    let server = tonic::transport::Server::builder().add_service(Echo);
    Ok(server.serve_with_incoming_shutdown(incoming, end_of_input()).await?)
}

fn announce(addresses: Addresses) -> Result<()> {
    crate::report::say(&serde_json::to_string(&addresses)?);
    Ok(())
}

async fn end_of_input() {
    let (sender, ended) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        // Broken or ended: over in both cases.
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        let _ = sender.send(());
    });
    let _ = ended.await;
}

/// A process that was started; ends when dropped.
#[derive(Debug)]
pub(crate) struct Player {
    child: Child,
    input: Option<ChildStdin>,
    /// Where it listens.
    pub(crate) addresses: Addresses,
    keys: Option<Arc<Keys>>,
    _dir: Option<tempfile::TempDir>,
}

impl Player {
    /// Starts the bare server.
    pub(crate) fn echo(core: Option<usize>) -> Result<Self> {
        let mut command = this_program()?;
        command.arg("--echo");
        Self::start(command, core, None, None)
    }

    /// Starts a suite: on SQLite in a directory of its own, or on a PostgreSQL.
    pub(crate) fn suite(url: Option<&str>, core: Option<usize>) -> Result<Self> {
        let dir = tempfile::Builder::new().prefix("linli-load-").tempdir()?;
        let config = config(dir.path(), url)?;
        let keys = Keys::open(&config).map_err(|e| anyhow!("{e}"))?;
        let mut command = this_program()?;
        command.arg("--dir").arg(dir.path());
        if let Some(url) = url {
            command.args(["--url", url]);
        }
        Self::start(command, core, Some(Arc::new(keys)), Some(dir))
    }

    fn start(
        mut command: Command,
        core: Option<usize>,
        keys: Option<Arc<Keys>>,
        dir: Option<tempfile::TempDir>,
    ) -> Result<Self> {
        if let Some(core) = core {
            command.args(["--core", &core.to_string()]);
        }
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let input = child.stdin.take();
        let mut line = String::new();
        BufReader::new(child.stdout.take().context("a pipe")?).read_line(&mut line)?;
        let addresses = serde_json::from_str(&line).context("the process ended before it listened");
        let addresses = addresses.inspect_err(|_| drop(child.wait()))?;
        Ok(Self { child, input, addresses, keys, _dir: dir })
    }

    /// Its process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    fn keys(&self) -> Result<&Keys> {
        self.keys.as_deref().context("the bare server knows no tokens")
    }

    /// Tokens of people or systems.
    pub(crate) fn tokens<'a>(&self, subjects: impl IntoIterator<Item = &'a str>) -> Result<Vec<String>> {
        let issuer = self.keys()?.issuer().map_err(|e| anyhow!("{e}"))?;
        let life = std::time::Duration::from_secs(12 * 3600);
        subjects.into_iter().map(|s| issuer.issue(s, life).map_err(|e| anyhow!("{e}"))).collect()
    }

    /// A service's own token.
    pub(crate) fn service_token(&self, service: &'static str) -> Result<String> {
        let identity = self.keys()?.identity(service).map_err(|e| anyhow!("{e}"))?;
        Ok(identity.token().map_err(|e| anyhow!("{e}"))?.to_string())
    }
}

fn this_program() -> Result<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("play");
    Ok(command)
}

impl Drop for Player {
    fn drop(&mut self) {
        // Its databases go with it: it need not drain, and cannot while our own connections stand.
        drop(self.input.take());
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
