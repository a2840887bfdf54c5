//! The only edge of the suite: TLS, tokens, limits, and routing by the name of the service.
//!
//! Forwards bytes without decoding them, so that a new RPC needs no change here. Implements only what is one service to
//! the world: reflection, health, the feeds and operations of all services under one name, and the manual clock of an
//! embedded suite. Never: a service's crate.

mod clock;
mod edge;
mod listen;
mod route;

use std::collections::HashMap;
use std::sync::Arc;

use linli_kernel::SharedClock;
use linli_kit::identity::TokenVerifier;
use linli_kit::serve::Backend;

pub use edge::Edge;
pub use listen::{Listening, TlsFiles, dev_certificate, serve};

/// What the gateway needs.
#[derive(Clone)]
pub struct Parts {
    /// Where each service is.
    pub backends: HashMap<&'static str, Backend>,
    /// Checks tokens.
    pub verifier: Arc<TokenVerifier>,
    /// The manual clock of an embedded suite on loopback; `None` elsewhere.
    pub manual_clock: Option<SharedClock>,
    /// Subjects that may move the clock.
    pub operators: Vec<String>,
    /// Requests of one subject a second, on average; bursts are twice as large.
    pub requests_per_second: u32,
}

impl std::fmt::Debug for Parts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Parts").field("backends", &self.backends.keys()).finish_non_exhaustive()
    }
}
