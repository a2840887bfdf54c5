//! Keys, and what is done with them: sealing fields (AES-256-GCM) and keyed hashes (HMAC-SHA256).
//!
//! A [`Keyring`] holds one current key and the older ones that still open old rows. Every use has its own derived key, so
//! that no hash of one purpose says anything about another. Never: tokens and signatures (`identity` has those).

mod keyring;
mod seal;

pub use keyring::{KeyConfig, Keyring, Purpose};
pub use seal::Aad;
