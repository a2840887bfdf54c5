//! The evaluator: runs a community's rule plugins as pure functions within hard limits.
//! Never: keeps an instance between two calls, gives a guest an import, or knows who asks.
//!
//! Calls are synchronous and short (microseconds); loading compiles and takes milliseconds to seconds. The service
//! runs both off its asynchronous threads, each under a cap of its own.

mod ask;
pub mod combine;
mod component;
mod config;
pub mod deliberation;
mod digest;
mod evaluate;
mod facts;
mod fault;
mod guest;
mod hook;
mod host;
pub mod inspect;
mod kept;
mod kind;
pub mod manifest;
mod plugin;
pub mod question;
pub mod table;
mod ticker;
pub mod types;
pub mod validate;

use std::io;
use std::sync::{Arc, OnceLock};

use moka::policy::EvictionPolicy;
use moka::sync::Cache;

pub use config::{Allocation, EngineConfig, Limits};
pub use digest::Digest;
pub use evaluate::Evaluated;
pub use facts::{Fact, FactSet};
pub use fault::{BadResult, Fault, LoadError};
pub use hook::{Hook, PACKAGE_VERSION};
pub use inspect::{Caps, Finding, Inspection, kind_of, walk};
pub use kept::Kept;
pub use kind::Kind;
pub use plugin::Plugin;
pub use question::{Expected, Outcome, Question, Vector};

use component::Compiled;
use host::Host;
use manifest::SettingProblem;
use ticker::Ticker;
use types::Setting;

/// The evaluator; cheap to clone.
#[derive(Clone)]
pub struct Engine {
    config: Arc<EngineConfig>,
    native: Host,
    /// Reserved with the first script.
    script: Arc<OnceLock<Host>>,
    ticker: Ticker,
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

/// What a plugin was compiled to, for [`Engine::keep`]. Nothing makes one but a validation that compiled it.
#[derive(Clone, PartialEq, Eq)]
pub struct CompiledCode {
    kind: Kind,
    digest: Digest,
    bytes: Vec<u8>,
}

impl std::fmt::Debug for CompiledCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "CompiledCode({}, {} bytes)", self.digest, self.bytes.len())
    }
}

impl Engine {
    /// Reserves the pool and starts the ticker.
    pub fn new(config: EngineConfig) -> Result<Self, StartError> {
        let (native, ticker) = Host::first(&config, config.native)?;
        let weigh = |_: &Digest, plugin: &Arc<Plugin>| u32::try_from(plugin.bytes()).unwrap_or(u32::MAX);
        let plugins = Cache::builder().max_capacity(config.cached_bytes).weigher(weigh);
        let plugins = plugins.eviction_policy(EvictionPolicy::lru()).build();
        Ok(Self { config: Arc::new(config), native, script: Arc::default(), ticker, plugins })
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
        let digest = Digest::of(bytes);
        let load = || Ok(Arc::new(self.load_anew(digest, bytes)?));
        self.plugins.try_get_with(digest, load).map_err(|error: Arc<LoadError>| (*error).clone())
    }

    fn load_anew(&self, digest: Digest, bytes: &[u8]) -> Result<Plugin, LoadError> {
        let kind = kind_of(bytes);
        if kind == Kind::Table {
            return Plugin::of_table(bytes);
        }
        if let Some(kept) = &self.config.kept
            && let Some(compiled) = Compiled::kept(kept, self.host(kind)?, kind, digest)
        {
            return compiled.describe();
        }
        let compiled = self.compile(kind, bytes)?;
        if let Some(kept) = &self.config.kept {
            let code = compiled.serialize().map_err(|error| io::Error::other(error.to_string()));
            let host = self.host(kind)?;
            if let Err(error) = code.and_then(|code| kept.write(&host.engine, kind, &digest, &code)) {
                tracing::warn!(%digest, %error, "a compiled plugin is not kept");
            }
        }
        compiled.describe()
    }

    /// Inspects and compiles; runs nothing of the guest.
    pub(crate) fn compile(&self, kind: Kind, bytes: &[u8]) -> Result<Compiled, LoadError> {
        Compiled::compile(self.host(kind)?.clone(), kind, bytes)
    }

    /// Keeps what a validation has compiled, so that nobody compiles it again.
    ///
    /// # Errors
    /// When it cannot be written; without a place to keep it, nothing happens.
    pub fn keep(&self, code: &CompiledCode) -> io::Result<()> {
        let Some(kept) = &self.config.kept else { return Ok(()) };
        let host = self.host(code.kind).map_err(io::Error::other)?;
        kept.write(&host.engine, code.kind, &code.digest, &code.bytes)
    }

    /// Asks the plugin whether it accepts settings; an empty list means yes.
    pub fn check_settings(&self, plugin: &Plugin, settings: &[Setting]) -> Result<Vec<SettingProblem>, Fault> {
        plugin.check_settings(settings)
    }

    fn host(&self, kind: Kind) -> Result<&Host, LoadError> {
        if kind != Kind::Script {
            return Ok(&self.native);
        }
        if let Some(host) = self.script.get() {
            return Ok(host);
        }
        // Two may start one at the same time; one is kept, and the other is gone at once.
        let host = Host::further(&self.config, self.config.script, &self.ticker);
        let host = host.map_err(|error| LoadError::Compile(error.to_string()))?;
        Ok(self.script.get_or_init(|| host))
    }
}
