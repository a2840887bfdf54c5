//! What a call knows about itself: who calls, in which language, until when, why.
//!
//! The stack builds a [`Ctx`] once per request; everything behind it takes it by reference.

use std::sync::Arc;
use std::time::Duration;

use linli_kernel::{Lang, SharedClock, Timestamp};
use linli_proto::MethodInfo;
use tokio::time::Instant;

/// Who calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Caller {
    /// A subject with a verified token: a person's name or a system such as `systems/street-office`.
    Subject(String),
    /// A service of the suite with its own token.
    Service {
        /// Which service, such as `booking`.
        service: String,
        /// The subject on whose request it acts; `None` when it acts on its own (a timer, the feed).
        actor: Option<String>,
    },
}

impl Caller {
    /// The subject behind the call: the caller itself, or the actor for whom a service calls.
    pub fn subject(&self) -> Option<&str> {
        match self {
            Self::Subject(subject) => Some(subject),
            Self::Service { actor, .. } => actor.as_deref(),
        }
    }

    /// The text under which effects are recorded: the subject, or `services/{service}`.
    pub fn recorded_as(&self) -> String {
        match self {
            Self::Subject(subject) => subject.clone(),
            Self::Service { service, actor: None } => format!("services/{service}"),
            Self::Service { service, actor: Some(actor) } => format!("services/{service}:{actor}"),
        }
    }
}

/// One call.
#[derive(Clone)]
pub struct Ctx {
    /// Who calls.
    pub caller: Caller,
    /// The language that the caller reads.
    pub lang: Lang,
    /// When the answer is due.
    pub deadline: Instant,
    /// Trace id of the request, 32 hex digits; the same in every service that takes part.
    pub trace_id: Arc<str>,
    /// Id of the request's span within the trace, the parent of calls that it makes; 0: it has none.
    pub span_id: u64,
    /// What caused the call, such as the id of an event; empty when a caller did.
    pub cause: Arc<str>,
    /// What the method declares about itself.
    pub method: &'static MethodInfo,
    /// The suite's clock.
    pub clock: SharedClock,
}

impl Ctx {
    /// The present instant by the suite's clock.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Time left until the deadline.
    pub fn remaining(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }

    /// A context for work that a service does on its own: a timer, a consumer, a durable call.
    pub fn background(service: &str, method: &'static MethodInfo, clock: SharedClock, budget: Duration) -> Self {
        Self {
            caller: Caller::Service { service: service.to_owned(), actor: None },
            lang: Lang::default(),
            deadline: Instant::now() + budget,
            trace_id: crate::call::new_trace_id(),
            span_id: 0,
            cause: "".into(),
            method,
            clock,
        }
    }
}

impl std::fmt::Debug for Ctx {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ctx").field("caller", &self.caller).field("method", &self.method.path).finish_non_exhaustive()
    }
}

/// A fresh trace id: 32 hex digits.
pub fn new_trace_id() -> Arc<str> {
    let mut digits = [0; 32];
    // The lengths fit: sixteen bytes are thirty-two digits.
    let _ = hex::encode_to_slice(rand::random::<u128>().to_be_bytes(), &mut digits);
    String::from_utf8_lossy(&digits).into()
}
