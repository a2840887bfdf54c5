//! The clock of deadlines: a thread that advances the engine's epoch, for as long as the engine lives.
//! Never: stops while an engine exists; a deadline without a ticker never comes.

use std::io;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use wasmtime::Engine;

/// Starts the ticker of an engine and waits until it runs; it ends by itself once the engine is gone.
pub(super) fn start(engine: &Engine, tick: Duration) -> io::Result<()> {
    let weak = engine.weak();
    let (runs, running) = mpsc::sync_channel(1);
    let tick_until_gone = move || {
        // Whoever waits for this may take away what a starting thread still needs.
        let _waiting = runs.send(());
        while let Some(engine) = weak.upgrade() {
            engine.increment_epoch();
            drop(engine);
            thread::sleep(tick);
        }
    };
    thread::Builder::new().name("rules-ticker".to_owned()).stack_size(256 << 10).spawn(tick_until_gone)?;
    running.recv().map_err(io::Error::other)
}
