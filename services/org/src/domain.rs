//! The rules of structure: templates, trees, gaps. Pure: no storage, no clock, no protobuf.

pub mod gaps;
pub mod template;
pub mod tree;
