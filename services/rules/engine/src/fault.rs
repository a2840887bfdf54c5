//! What can go wrong with one evaluation, and with loading a plugin.
//! Never: a text for residents; the asking service decides what happens when no answer comes.

use wasmtime::Trap;

use super::inspect::Finding;
use super::types::Refusal;

/// Why an evaluation gave no answer. Whatever it used, a fault is billed the whole fuel budget: readings are lost
/// after a trap.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The instruction budget was used up.
    #[error("the fuel budget of {budget} is used up")]
    OutOfFuel {
        /// The budget that was given.
        budget: u64,
    },
    /// The processor time of the call was used up.
    #[error("the deadline has passed")]
    Deadline,
    /// The guest wanted more memory or table entries than it may have.
    #[error("the memory limit was reached")]
    Memory,
    /// The guest trapped.
    #[error("the plugin trapped: {0}")]
    Trap(String),
    /// The guest answered with something that the contract does not allow.
    #[error("the plugin's answer is not allowed: {0}")]
    BadResult(BadResult),
    /// The guest declined to decide.
    #[error("the plugin declined: {0:?}")]
    Refused(Refusal),
    /// The plugin has no such hook.
    #[error("the plugin does not export {0}")]
    NoHook(&'static str),
    /// The host itself broke down over the call. Says nothing about the plugin, but somebody has to look.
    #[error("the host failed while it asked the plugin")]
    Host,
    /// The host has no room for another instance. Says nothing about the plugin: ask again.
    #[error("there is no room for another plugin instance")]
    Busy,
}

impl Fault {
    /// What kind it is; stable, for metrics and receipts.
    pub const fn code(&self) -> &'static str {
        match self {
            Fault::OutOfFuel { .. } => "out-of-fuel",
            Fault::Deadline => "deadline",
            Fault::Memory => "memory",
            Fault::Trap(_) => "trap",
            Fault::BadResult(_) => "bad-result",
            Fault::Refused(_) => "refused",
            Fault::NoHook(_) => "no-hook",
            Fault::Host => "host",
            Fault::Busy => "busy",
        }
    }

    /// Whether it speaks against the plugin: not where the host broke down or had no room, nor where the plugin said by the
    /// contract that it cannot answer, for want of a fact or of settings.
    pub const fn is_the_plugins(&self) -> bool {
        !matches!(self, Fault::Host | Fault::Busy | Fault::Refused(_))
    }

    pub(super) fn from_call(error: &wasmtime::Error, budget: u64, memory_denied: bool) -> Self {
        if memory_denied {
            return Fault::Memory;
        }
        match error.downcast_ref::<Trap>() {
            Some(Trap::OutOfFuel) => Fault::OutOfFuel { budget },
            Some(Trap::Interrupt) => Fault::Deadline,
            Some(trap) => Fault::Trap(trap.to_string()),
            // Not a trap: the canonical ABI refused what the guest returned (bad UTF-8, pointers, length, size).
            None => Fault::BadResult(BadResult::Malformed(error.root_cause().to_string())),
        }
    }
}

/// What the host found wrong with an answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadResult {
    /// It is not a value of the declared type, or larger than an answer may be.
    #[error("malformed: {0}")]
    Malformed(String),
    /// A reason code that the manifest does not declare.
    #[error("unknown reason code {0:?}")]
    UnknownReason(String),
    /// More reasons, or more or longer arguments, than a receipt takes.
    #[error("reasons are too many or too long")]
    ReasonTooLong,
    /// Another number of entries than was asked for.
    #[error("{got} entries instead of {wanted}")]
    WrongLength {
        /// What was asked for.
        wanted: usize,
        /// What came.
        got: usize,
    },
    /// A number outside its range.
    #[error("{what} is out of range: {value}")]
    OutOfRange {
        /// Which number.
        what: &'static str,
        /// Its value.
        value: i64,
    },
    /// An asset, track or recipient that the request does not name.
    #[error("{what} {value:?} is not one of the request's")]
    NotOffered {
        /// Which name.
        what: &'static str,
        /// Its value.
        value: String,
    },
    /// The same asset twice.
    #[error("{0:?} is awarded twice")]
    Repeated(String),
}

/// Why a plugin could not be loaded.
#[derive(Debug, Clone, thiserror::Error)]
pub enum LoadError {
    /// The bytes exceed what a plugin may be; every finding is listed.
    #[error("the plugin is not acceptable: {0:?}")]
    Unacceptable(Vec<Finding>),
    /// The document is no table that could be asked; every problem is listed.
    #[error("the table is not acceptable: {0:?}")]
    Table(Vec<super::table::TableProblem>),
    /// The compiler refused the bytes.
    #[error("the plugin does not compile: {0}")]
    Compile(String),
    /// `describe` gave no manifest.
    #[error("the plugin does not describe itself: {0}")]
    Describe(Fault),
    /// The manifest is not acceptable; every problem is listed.
    #[error("the manifest is not acceptable: {0:?}")]
    Manifest(Vec<super::manifest::ManifestProblem>),
}
