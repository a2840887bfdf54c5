//! Statements that exist for one engine only.

pub(super) mod postgres;
