//! The rules of structure: templates, trees, gaps, terms. Pure: no storage, no clock, no protobuf.

pub mod gaps;
pub mod tag_filter;
pub mod template;
pub mod term;
pub mod tree;
