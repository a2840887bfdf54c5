//! Claims about the repository itself: where arrows may point, what the contract promises, what the cluster is told.
//!
//! Owns tests only; each group has its own file, each test's name is the claim. Never: anything that another crate uses.

#[cfg(test)]
mod arrows;
#[cfg(test)]
mod contract;
#[cfg(test)]
mod deploy;
#[cfg(test)]
mod leftovers;
#[cfg(test)]
mod metrics;
#[cfg(test)]
mod permissions;
#[cfg(test)]
mod reasons;
#[cfg(test)]
mod repo;
#[cfg(test)]
mod rules;
#[cfg(test)]
mod scripts;
