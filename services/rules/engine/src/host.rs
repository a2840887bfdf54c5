//! One wasmtime engine with the limits of one kind of guest.
//! Never: shared by two kinds; what a script may use, no native guest gets.

use wasmtime::Engine;

use super::StartError;
use super::config::{EngineConfig, Limits};
use super::ticker::Ticker;

/// A wasmtime engine and its limits; cheap to clone.
#[derive(Clone)]
pub(super) struct Host {
    pub(super) engine: Engine,
    pub(super) limits: Limits,
    /// The longest that one call may take, in ticks of this length.
    pub(super) tick: std::time::Duration,
}

impl Host {
    /// The first engine, and the ticker of all.
    pub(super) fn first(config: &EngineConfig, limits: Limits) -> Result<(Self, Ticker), StartError> {
        let host = Self::start(config, limits)?;
        let ticker = Ticker::start(&host.engine, config.tick).map_err(|error| StartError(error.to_string()))?;
        Ok((host, ticker))
    }

    /// A further engine under the same ticker.
    pub(super) fn further(config: &EngineConfig, limits: Limits, ticker: &Ticker) -> Result<Self, StartError> {
        let host = Self::start(config, limits)?;
        ticker.add(&host.engine);
        Ok(host)
    }

    fn start(config: &EngineConfig, limits: Limits) -> Result<Self, StartError> {
        let engine = Engine::new(&limits.wasmtime(config.allocation));
        let engine = engine.map_err(|error| StartError(format!("{error:#}")))?;
        Ok(Self { engine, limits, tick: config.tick })
    }
}
