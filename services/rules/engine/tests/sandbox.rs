//! The sandbox from outside: hostile plugins against the real validation child, and real plugins against the engine.
//! Never: a simulated guest.

#[path = "sandbox/corpus.rs"]
mod corpus;
#[path = "sandbox/engine.rs"]
mod engine;
#[path = "sandbox/frozen.rs"]
mod frozen;
#[path = "sandbox/hostile.rs"]
mod hostile;
#[path = "sandbox/kept.rs"]
mod kept;
#[cfg(target_os = "linux")]
#[path = "sandbox/many.rs"]
mod many;
#[path = "sandbox/support.rs"]
mod support;
#[path = "sandbox/validate.rs"]
mod validate;
