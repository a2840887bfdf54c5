//! The clock of deadlines: one thread that advances the epoch of every wasmtime engine of an [`Engine`](crate::Engine),
//! for as long as one of them lives.
//! Never: stops while an engine exists; a deadline without a ticker never comes.

use std::io;
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread;
use std::time::Duration;

use wasmtime::{Engine, EngineWeak};

/// The engines that are ticked.
#[derive(Clone)]
pub(super) struct Ticker {
    engines: Arc<Mutex<Vec<EngineWeak>>>,
}

impl Ticker {
    /// Starts the thread with its first engine and waits until it runs; it ends by itself once all engines are gone.
    pub(super) fn start(engine: &Engine, tick: Duration) -> io::Result<Self> {
        let engines = Arc::new(Mutex::new(vec![engine.weak()]));
        let (runs, running) = mpsc::sync_channel(1);
        let ticked = Arc::clone(&engines);
        let tick_until_gone = move || {
            // Whoever waits for this may take away what a starting thread still needs.
            let _waiting = runs.send(());
            while advance(&ticked) {
                thread::sleep(tick);
            }
        };
        thread::Builder::new().name("rules-ticker".to_owned()).stack_size(256 << 10).spawn(tick_until_gone)?;
        running.recv().map_err(io::Error::other)?;
        Ok(Self { engines })
    }

    /// Ticks another engine too; the first is to be alive.
    pub(super) fn add(&self, engine: &Engine) {
        self.engines.lock().unwrap_or_else(PoisonError::into_inner).push(engine.weak());
    }
}

/// Advances every engine that still lives; whether there is one.
fn advance(engines: &Mutex<Vec<EngineWeak>>) -> bool {
    let mut engines = engines.lock().unwrap_or_else(PoisonError::into_inner);
    engines.retain(|weak| weak.upgrade().inspect(Engine::increment_epoch).is_some());
    !engines.is_empty()
}
