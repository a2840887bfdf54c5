//! The evaluator: runs a community's rule plugins as pure functions within hard limits.
//! Never: keeps an instance between two calls, gives a guest an import, or knows who asks.
//!
//! Calls are synchronous and short (microseconds); loading compiles and takes milliseconds to seconds. The service
//! runs both off its asynchronous threads, each under a cap of its own.

pub mod combine;
mod config;
pub mod deliberation;
mod evaluate;
mod facts;
mod fault;
mod guest;
mod hook;
pub mod inspect;
pub mod manifest;
mod plugin;
pub mod question;
mod ticker;
pub mod types;
pub mod validate;

use std::sync::Arc;

use moka::sync::Cache;

pub use config::{Allocation, EngineConfig};
pub use evaluate::Evaluated;
pub use facts::{Fact, FactSet};
pub use fault::{BadResult, Fault, LoadError};
pub use hook::{Hook, PACKAGE_VERSION};
pub use inspect::{Caps, Finding, Inspection, walk};
pub use plugin::{Digest, Plugin};
pub use question::{Expected, Outcome, Question, Vector};

use guest::Allowance;
use manifest::SettingProblem;
use types::Setting;

/// The evaluator; cheap to clone.
#[derive(Clone)]
pub struct Engine {
    engine: wasmtime::Engine,
    config: Arc<EngineConfig>,
    plugins: Cache<Digest, Arc<Plugin>>,
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").field("config", &self.config).finish_non_exhaustive()
    }
}

/// Why an engine could not be started.
#[derive(Debug, thiserror::Error)]
#[error("the plugin engine does not start: {0}")]
pub struct StartError(String);

impl Engine {
    /// Reserves the pool and starts the ticker.
    pub fn new(config: EngineConfig) -> Result<Self, StartError> {
        let engine = wasmtime::Engine::new(&config.wasmtime()).map_err(|error| StartError(format!("{error:#}")))?;
        ticker::start(&engine, config.tick).map_err(|error| StartError(error.to_string()))?;
        let plugins = Cache::new(config.cached_plugins);
        Ok(Self { engine, config: Arc::new(config), plugins })
    }

    /// The limits of this engine.
    pub fn config(&self) -> &EngineConfig {
        &self.config
    }

    /// A plugin that is loaded already: spares fetching its bytes.
    pub fn get(&self, digest: &Digest) -> Option<Arc<Plugin>> {
        self.plugins.get(digest)
    }

    /// Loads a plugin, or takes the loaded one; concurrent loads of the same bytes compile once.
    pub fn load(&self, bytes: &[u8]) -> Result<Arc<Plugin>, LoadError> {
        let load = || Ok(Arc::new(Plugin::compile(&self.engine, bytes)?.describe(&self.engine, &self.config)?));
        self.plugins.try_get_with(Digest::of(bytes), load).map_err(|error: Arc<LoadError>| (*error).clone())
    }

    /// Asks the plugin whether it accepts settings; an empty list means yes.
    pub fn check_settings(&self, plugin: &Plugin, settings: &[Setting]) -> Result<Vec<SettingProblem>, Fault> {
        let allowance = Allowance { fuel: self.config.fuel_meta, result_bytes: self.config.result_bytes };
        let store =
            guest::store(&self.engine, &self.config, allowance).map_err(|error| Fault::Trap(error.to_string()))?;
        plugin.call_check_settings(store, settings, allowance)
    }

    pub(crate) fn wasmtime(&self) -> &wasmtime::Engine {
        &self.engine
    }
}
