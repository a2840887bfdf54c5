//! What every RPC does, the same on SQLite and on PostgreSQL; the contract's own descriptors say which RPCs there are.
//!
//! Owns scenarios over the whole contract, permissions, retries and bad input. Never: a service's inner parts.

#[cfg(test)]
mod bad_input;
#[cfg(test)]
mod caller;
#[cfg(test)]
mod catalogue;
#[cfg(test)]
mod every_rpc;
#[cfg(test)]
mod permissions;
#[cfg(test)]
mod plugins;
#[cfg(test)]
mod scenarios;
#[cfg(test)]
mod web;
#[cfg(test)]
mod wire;
#[cfg(test)]
mod world;
