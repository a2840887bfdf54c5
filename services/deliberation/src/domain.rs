//! How neighbours decide, as pure values: processes with their conditions, a topic's way through them, a ballot's outcome.
//!
//! Time comes in as an argument. Never: rows, messages, randomness.

mod ballot;
pub(crate) mod meetings;
mod process;
mod topic;

pub(crate) use ballot::{ADULT_AGE, Basis, Choice, MAX_PARTS, Outcome, Rule, Share, Tally, Thresholds};
pub(crate) use process::{Condition, Process, Stage};
pub(crate) use topic::{Approval, RecordFact, StageFacts, Step};
