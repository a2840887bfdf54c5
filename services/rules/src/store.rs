//! Rules' rows and the queries on them. Never: a decision.

pub(crate) mod tables;
