//! Rows and queries of points. Every finder takes areas.
//!
//! Never: a decision. What differs between the engines stands in `dialect`.

pub(crate) mod awards;
pub(crate) mod contributions;
pub(crate) mod dialect;
pub(crate) mod finders;
pub(crate) mod list;
pub(crate) mod load;
pub(crate) mod receipts;
pub(crate) mod rows;
pub(crate) mod save;
pub(crate) mod stock;
pub(crate) mod tables;
pub(crate) mod verify;
