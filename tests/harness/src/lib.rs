//! A whole suite for one test: real stores, real sockets, a manual clock, callers with tokens.
//!
//! Owns how tests start, seed and stop a suite. Never: an expectation.

mod actor;
mod database;
mod process;
pub mod rules;
pub mod seed;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use linli::config::{Config, Tls};
use linli::suite::{Role, Suite};
use linli_kernel::{ManualClock, Timestamp};
use tonic::transport::{Channel, Endpoint};

pub use actor::{Actor, Refusal, Wire, refusal};
pub use database::config as database;
pub use database::{Engine, empty_database, engines};
pub use process::{Processes, Spread};

/// Monday 2026-11-02 08:00 in Shanghai, when every test's suite begins.
pub const START: Timestamp = Timestamp::from_secs(1_793_577_600);

/// A suite that runs for one test.
pub struct TestSuite {
    suite: Option<Suite>,
    /// Its manual clock.
    pub clock: Arc<ManualClock>,
    /// Its configuration, to start it again.
    pub config: Config,
    engine: Engine,
    channel: Channel,
    _dir: Arc<tempfile::TempDir>,
}

impl TestSuite {
    /// Starts every role in this process.
    ///
    /// # Errors
    /// When the suite does not come up.
    pub async fn start(engine: Engine) -> Result<Self> {
        let dir = Arc::new(tempfile::tempdir()?);
        let mut config = Config::embedded(dir.path())?;
        config.tls = Tls::Off;
        config.requests_per_second = 1_000_000;
        config.drain = Duration::from_secs(10);
        config.store.engine = database::config(engine, dir.path()).await?;
        config.migrate_at_start = true;
        config.plugin_validator = Some(plugin_validator());
        Self::start_with(engine, config, dir, Arc::new(ManualClock::new(START))).await
    }

    async fn start_with(
        engine: Engine,
        config: Config,
        dir: Arc<tempfile::TempDir>,
        clock: Arc<ManualClock>,
    ) -> Result<Self> {
        let suite = Suite::start_with_clock(&config, &Role::all(), clock.clone()).await.map_err(described)?;
        let channel = channel(suite.gateway.context("a gateway")?)?;
        Ok(Self { suite: Some(suite), clock, config, engine, channel, _dir: dir })
    }

    /// Stops the suite and starts it again on the same databases, with the clock where it stood.
    ///
    /// # Errors
    /// When the suite does not come up again.
    pub async fn restart(mut self) -> Result<Self> {
        if let Some(suite) = self.suite.take() {
            suite.stop().await;
        }
        Self::start_with(self.engine, self.config.clone(), self._dir.clone(), self.clock.clone()).await
    }

    /// Which database it runs on.
    pub fn engine(&self) -> Engine {
        self.engine
    }

    /// The running suite.
    ///
    /// # Panics
    /// After it was stopped.
    pub fn suite(&self) -> &Suite {
        self.suite.as_ref().expect("the suite runs until it is stopped")
    }

    /// Where the gateway listens, without TLS.
    ///
    /// # Panics
    /// After it was stopped.
    pub fn gateway(&self) -> SocketAddr {
        self.suite().gateway.expect("every test's suite has a gateway")
    }

    /// A caller with a token of this subject, through the gateway.
    ///
    /// # Panics
    /// When the development issuer is broken.
    pub fn actor(&self, subject: &str) -> Actor {
        let token = self.suite().token(subject).expect("the development issuer issues");
        Actor::new(self.channel.clone(), &token)
    }

    /// The operator of the installation.
    pub fn operator(&self) -> Actor {
        self.actor("systems/operator")
    }

    /// Moves the clock forward by so many seconds.
    pub fn advance_secs(&self, secs: i64) {
        use linli_kernel::Clock as _;
        self.clock.advance_to(self.clock.now().plus_secs(secs));
    }

    /// Drains and stops the suite.
    pub async fn stop(mut self) {
        if let Some(suite) = self.suite.take() {
            suite.stop().await;
        }
    }
}

/// The binary that validates uploaded plugins: the running one is a test and knows nothing of the hidden argument.
///
/// # Panics
/// When the running test has no path.
pub fn plugin_validator() -> std::path::PathBuf {
    let test = std::env::current_exe().expect("the running test has a path");
    let target = test.parent().and_then(std::path::Path::parent).expect("tests lie in target/debug/deps");
    target.join("linli-validate-worker")
}

/// A channel without TLS.
///
/// # Errors
/// When the address is no URL.
pub fn channel(address: SocketAddr) -> Result<Channel> {
    Ok(Endpoint::from_shared(format!("http://{address}"))?.connect_lazy())
}

fn described(error: linli_kit::Error) -> anyhow::Error {
    anyhow::anyhow!("{error}: {:?}", error.cause())
}

/// Waits until `look` gives something; effects through the feed follow within moments.
///
/// # Panics
/// After half a minute.
pub async fn until<T, F, Fut>(what: &str, mut look: F) -> T
where
    F: FnMut() -> Fut,
    Fut: std::future::Future<Output = Option<T>>,
{
    let found = tokio::time::timeout(Duration::from_secs(30), async {
        loop {
            if let Some(found) = look().await {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    found.await.unwrap_or_else(|_| panic!("{what} did not happen within half a minute"))
}
