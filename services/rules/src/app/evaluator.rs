//! The engine behind a gate: as many evaluations at once as there are cores, off the asynchronous threads.

use std::sync::Arc;

use linli_kit::store::Store;
use linli_kit::{Error, Result};
use tokio::sync::Semaphore;

use crate::engine::{Allocation, Digest, Engine, EngineConfig, Plugin};
use crate::store;

/// A plugin that is ready, or why it is not.
pub(super) type Loaded = Result<Arc<Plugin>, String>;

/// The engine, and who may use it now.
pub(super) struct Evaluator {
    engine: Engine,
    store: Store,
    places: Arc<Semaphore>,
    /// Loading compiles: one at a time, so that a restart leaves cores to those who ask.
    loading: Semaphore,
}

impl Evaluator {
    pub(super) fn start(store: Store) -> Result<Self> {
        let cores = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
        // One instance for each evaluation, and one for what is being loaded.
        let instances = u32::try_from(cores + 2).unwrap_or(u32::MAX).max(16);
        let config = EngineConfig { allocation: Allocation::Pool { instances }, ..EngineConfig::embedded() };
        let engine = Engine::new(config).map_err(Error::internal)?;
        Ok(Self { engine, store, places: Arc::new(Semaphore::new(cores)), loading: Semaphore::new(1) })
    }

    /// The engine, for work that asks no plugin.
    pub(super) fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Runs work on the engine on a thread that may block. Once begun it ends, even when nobody waits any more.
    pub(super) async fn run<T: Send + 'static>(&self, work: impl FnOnce(&Engine) -> T + Send + 'static) -> Result<T> {
        let place = self.places.clone().acquire_owned().await.map_err(Error::internal)?;
        let engine = self.engine.clone();
        let running = tokio::task::spawn_blocking(move || {
            let _place = place;
            work(&engine)
        });
        running.await.map_err(Error::internal)
    }

    /// The plugin of a digest, compiled from an area's artefact when it is not in memory.
    pub(super) async fn plugin(&self, area: &str, digest: &Digest) -> Result<Loaded> {
        if let Some(plugin) = self.engine.get(digest) {
            return Ok(Ok(plugin));
        }
        let _turn = self.loading.acquire().await.map_err(Error::internal)?;
        if let Some(plugin) = self.engine.get(digest) {
            return Ok(Ok(plugin));
        }
        let Some(bytes) = store::artifact_of(self.store.reader(), area, &digest.to_string()).await? else {
            return Ok(Err("the artefact is missing".to_owned()));
        };
        let engine = self.engine.clone();
        let loaded = tokio::task::spawn_blocking(move || engine.load(&bytes)).await.map_err(Error::internal)?;
        Ok(loaded.map_err(|error| {
            tracing::error!(%digest, %error, "a valid plugin does not load");
            "it does not load".to_owned()
        }))
    }
}
