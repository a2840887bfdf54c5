//! Rules without a compiler, through the public API: real documents, every short form, every kind of mistake, hostile
//! documents.
//! Never: a component; those are tried in `sandbox`.

#[path = "tables/answers.rs"]
mod answers;
#[path = "tables/hostile.rs"]
mod hostile;
#[path = "tables/mistakes.rs"]
mod mistakes;
#[path = "tables/oracle.rs"]
mod oracle;
#[path = "tables/support.rs"]
mod support;
