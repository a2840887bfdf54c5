//! The suite as real processes: the built binary, sockets between them, SIGKILL.
//!
//! Needs `target/<profile>/linli`, which `cargo xtask test` builds before the tests.

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use linli::config::Config;
use linli::keys::Keys;
use linli_kit::store::EngineConfig;
use secrecy::ExposeSecret as _;

use crate::{Actor, Engine, START, channel, database};

/// How the roles are spread over processes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spread {
    /// All roles in one process.
    One,
    /// Each role in a process of its own, with sockets between them.
    Each,
}

/// A suite of processes; killed when dropped.
pub struct Processes {
    children: Vec<(String, Child)>,
    plan: Arc<Plan>,
    gateway: SocketAddr,
    keys: Keys,
}

struct Plan {
    dir: tempfile::TempDir,
    engine: Option<String>,
    spread: Spread,
    ports: Vec<(&'static str, u16)>,
}

const ROLES: [&str; 6] = ["org", "rules", "points", "booking", "deliberation", "gateway"];

impl Processes {
    /// Starts the processes and waits until the gateway answers.
    ///
    /// # Errors
    /// When the binary is missing or a process does not come up.
    pub async fn start(engine: Engine, spread: Spread, fail_points: &str) -> Result<Self> {
        let dir = tempfile::tempdir()?;
        let url = match database::config(engine, dir.path()).await? {
            EngineConfig::Postgres { url, .. } => Some(url.expose_secret().to_owned()),
            EngineConfig::Sqlite { .. } => None,
        };
        let ports = ROLES.iter().map(|role| Ok((*role, free_port()?))).collect::<Result<Vec<_>>>()?;
        let plan = Plan { dir, engine: url, spread, ports };
        Self::launch(Arc::new(plan), fail_points, START.secs()).await
    }

    /// Kills everything with SIGKILL and starts it again on the same databases, with the clock at or behind `clock_secs`.
    ///
    /// # Errors
    /// When a process does not come up again.
    pub async fn kill_and_restart(mut self, fail_points: &str, clock_secs: i64) -> Result<Self> {
        self.kill();
        Self::launch(self.plan.clone(), fail_points, clock_secs).await
    }

    async fn launch(plan: Arc<Plan>, fail_points: &str, clock_secs: i64) -> Result<Self> {
        let mut config = Config::embedded(plan.dir.path())?;
        config.data_dir = plan.dir.path().to_owned();
        let keys = Keys::open(&config).map_err(|e| anyhow::anyhow!("{e}: {:?}", e.cause()))?;
        let gateway = SocketAddr::from(([127, 0, 0, 1], plan.port("gateway")));
        let mut suite = Self { children: Vec::new(), plan: plan.clone(), gateway, keys };
        let groups: Vec<Vec<&str>> = match plan.spread {
            Spread::One => vec![ROLES.to_vec()],
            Spread::Each => ROLES.iter().map(|role| vec![*role]).collect(),
        };
        for roles in groups {
            let child = plan.command(&roles, fail_points, clock_secs)?.spawn().context("starting linli")?;
            suite.children.push((roles.join("+"), child));
        }
        suite.ready().await?;
        Ok(suite)
    }

    async fn ready(&mut self) -> Result<()> {
        let operator = self.actor("systems/operator");
        for _ in 0..600 {
            for (role, child) in &mut self.children {
                if let Some(status) = child.try_wait()? {
                    bail!("{role} ended with {status} while starting");
                }
            }
            let areas = operator.org().list_areas(linli_proto::org::ListAreasRequest::default()).await;
            let offers = linli_proto::booking::ListOfferingsRequest { parent: "areas/-".into(), ..Default::default() };
            if areas.is_ok() && operator.booking().list_offerings(offers).await.is_ok() {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        bail!("the suite did not answer within a minute")
    }

    /// A caller with a token of this subject.
    ///
    /// # Panics
    /// When the development issuer is broken.
    pub fn actor(&self, subject: &str) -> Actor {
        let issuer = self.keys.issuer().expect("development keys");
        let token = issuer.issue(subject, Duration::from_secs(3600)).expect("the issuer issues");
        Actor::new(channel(self.gateway).expect("an address"), &token)
    }

    /// Where the gateway listens, without TLS.
    pub fn gateway(&self) -> SocketAddr {
        self.gateway
    }

    /// The operator of the installation.
    pub fn operator(&self) -> Actor {
        self.actor("systems/operator")
    }

    /// Sends SIGKILL to every process and waits until they are gone.
    pub fn kill(&mut self) {
        for (_, child) in &mut self.children {
            let _ = child.kill();
            let _ = child.wait();
        }
        self.children.clear();
    }
}

impl Drop for Processes {
    fn drop(&mut self) {
        self.kill();
    }
}

impl Plan {
    fn port(&self, role: &str) -> u16 {
        self.ports.iter().find(|(r, _)| *r == role).map_or(0, |(_, port)| *port)
    }

    fn command(&self, roles: &[&str], fail_points: &str, clock_secs: i64) -> Result<Command> {
        let mut command = Command::new(binary()?);
        command.arg("serve").args(roles).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::inherit());
        command.arg("--manual-clock").arg(clock_secs.to_string());
        command
            .env("LINLI__DATA_DIR", self.dir.path())
            .env("LINLI__GATEWAY__LISTEN", format!("127.0.0.1:{}", self.port("gateway")))
            .env("LINLI__GATEWAY__TLS__CERTIFICATE", "")
            .env("LINLI__SERVER__HTTP_LISTEN", "")
            .env("LINLI__LOG__FILTER", "warn");
        if let Some(url) = &self.engine {
            command.env("LINLI__STORE__URL", url).env("LINLI__STORE__MAX_CONNECTIONS", "4");
        }
        if !fail_points.is_empty() {
            command.env("FAILPOINTS", fail_points);
        }
        if self.spread == Spread::Each {
            for role in ROLES.iter().filter(|r| **r != "gateway") {
                let url = format!("http://127.0.0.1:{}", self.port(role));
                command.env(format!("LINLI__PEERS__{}", role.to_uppercase()), url);
            }
            if roles[0] != "gateway" {
                command.env("LINLI__SERVER__LISTEN", format!("127.0.0.1:{}", self.port(roles[0])));
            }
        }
        Ok(command)
    }
}

fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

/// The built binary, beside the directory of the test's own.
fn binary() -> Result<PathBuf> {
    let exe = std::env::current_exe()?;
    let dir = exe.parent().and_then(Path::parent).context("a target directory")?;
    let path = dir.join("linli");
    if !path.exists() {
        bail!("{}: the binary is missing; build it with `cargo build --workspace --bin linli`", path.display());
    }
    Ok(path)
}
