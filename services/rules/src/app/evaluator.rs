//! The engine behind a gate: as many evaluations at once as there are cores, areas in turn, off the asynchronous threads.

use std::sync::Arc;
use std::time::Duration;

use linli_kit::{Error, Result};
use tokio::sync::Semaphore;

use super::evaluate::busy;
use super::turns::Turns;
use crate::artefacts::Artefacts;
use crate::engine::{Digest, Engine, EngineConfig, Fault, LoadError, Plugin};

/// A plugin that is ready, or why it is not.
pub(super) type Loaded = Result<Arc<Plugin>, Unusable>;

/// Why a version is not asked: that rule's fault, not everybody's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Unusable {
    /// Stable code.
    pub(super) code: &'static str,
    pub(super) text: String,
}

impl Unusable {
    /// It is damaged, or missing.
    pub(super) fn damaged(text: &str) -> Self {
        Self { code: "unusable", text: text.to_owned() }
    }

    /// The host could not load it now.
    pub(super) fn not_loaded() -> Self {
        Self { code: "not-loaded", text: "it could not be loaded".to_owned() }
    }

    /// It gave too many faults.
    pub(super) fn quarantined() -> Self {
        Self { code: "quarantined", text: "its version is in quarantine".to_owned() }
    }
}

/// How long it is remembered that a plugin does not load, so that not every request tries again.
const REMEMBERED: Duration = Duration::from_secs(10);
/// Loads that are under way or remembered.
const LOADS: u64 = 1_024;

/// The engine, and who may use it now.
pub(super) struct Evaluator {
    engine: Engine,
    artefacts: Artefacts,
    places: Turns,
    /// Each digest is loaded by one of those who ask for it; the others wait for that one only.
    loads: moka::future::Cache<Digest, Loaded>,
    /// Loading compiles: half the cores at most, so that a restart leaves some to those who ask.
    compiling: Semaphore,
}

impl Evaluator {
    pub(super) fn start(artefacts: Artefacts, config: EngineConfig) -> Result<Self> {
        let cores = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
        let engine = Engine::new(config).map_err(Error::internal)?;
        let loads = moka::future::Cache::builder().max_capacity(LOADS).time_to_live(REMEMBERED).build();
        Ok(Self {
            engine,
            artefacts,
            places: Turns::new(cores.max(2), (cores - 1).max(1)),
            loads,
            compiling: Semaphore::new((cores / 2).max(1)),
        })
    }

    /// Runs work of an area here, when it is the area's turn: work that is over before another thread had begun it.
    pub(super) async fn run_here<T>(&self, area: &str, work: impl FnOnce(&Engine) -> T) -> T {
        let _turn = self.places.take(area).await;
        work(&self.engine)
    }

    /// The engine, for work that asks no plugin.
    pub(super) fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Runs work of an area on a thread that may block, when it is the area's turn. Once begun it ends, even when nobody
    /// waits any more: it is to be short.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        area: &str,
        work: impl FnOnce(&Engine) -> T + Send + 'static,
    ) -> Result<T> {
        let turn = self.places.take(area).await;
        let engine = self.engine.clone();
        let running = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            work(&engine)
        });
        running.await.map_err(Error::internal)
    }

    /// The plugin of a digest, compiled when it is not in memory.
    ///
    /// # Errors
    /// Those of the artefacts' store: everything else is the plugin's.
    pub(super) async fn plugin(&self, digest: &Digest) -> Result<Loaded> {
        if let Some(plugin) = self.engine.get(digest) {
            return Ok(Ok(plugin));
        }
        let loaded = self.loads.try_get_with(*digest, self.load(digest)).await;
        if let Ok(Ok(_)) = &loaded {
            // The engine has it now, by its own bounds.
            self.loads.invalidate(digest).await;
        }
        loaded.map_err(|error: Arc<Error>| error.for_another())
    }

    async fn load(&self, digest: &Digest) -> Result<Loaded> {
        let Some(bytes) = self.artefacts.get(&digest.to_string()).await? else {
            return Ok(Err(Unusable::damaged("the artefact is missing")));
        };
        if Digest::of(&bytes) != *digest {
            return Ok(Err(Unusable::damaged("the artefact is damaged")));
        }
        let _one = self.compiling.acquire().await.map_err(Error::internal)?;
        let engine = self.engine.clone();
        let loaded = tokio::task::spawn_blocking(move || engine.load(&bytes)).await;
        Ok(match loaded {
            Ok(Ok(plugin)) => Ok(plugin),
            // It said nothing, for there was no room for it to speak.
            Ok(Err(LoadError::Describe(Fault::Busy))) => return Err(busy()),
            Ok(Err(error)) => {
                tracing::error!(%digest, %error, "a valid plugin does not load");
                Err(Unusable::damaged("it does not load"))
            }
            Err(fault) => {
                tracing::error!(%digest, panicked = fault.is_panic(), "the compiler broke over a plugin");
                Err(Unusable::damaged("it does not load"))
            }
        })
    }
}
