//! The server stack: the layers that every request passes, in one order, which is a list with a test.
//!
//! metrics > trace > catch-panic > caller > deadline > own task > concurrency > codec errors > the service's routes.
//! Metrics stand outermost so that denials are counted; the own task stands inside the deadline, so that the answer is
//! punctual while a change that has begun runs to its end. Never: a decision about one service.

mod layers;
pub mod series;
pub mod trace;

use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use http::{Request, Response};
use linli_kernel::{Lang, SharedClock};
use tokio_util::task::TaskTracker;
use tonic::body::Body;

use crate::error::Error;
use crate::identity::TokenVerifier;
use crate::texts::Texts;

/// One thing that serves a request; layers hold the next one.
pub trait Serve: Send + Sync + 'static {
    /// Serves the request; errors are answers too.
    fn serve(self: Arc<Self>, request: Request<Body>) -> BoxFuture<'static, Response<Body>>;
}

/// The next thing in the chain.
pub type Next = Arc<dyn Serve>;

/// Limits of one service's stack.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Calls of one class (reading, changing) that run at once.
    pub concurrent: usize,
    /// Calls of one class that may wait for a place; more are shed with OVERLOADED.
    pub waiting: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { concurrent: 512, waiting: 2048 }
    }
}

/// What the layers need.
#[derive(Clone)]
pub struct StackParts {
    /// Name of the service, for metrics and error domains.
    pub service: &'static str,
    /// Texts of errors.
    pub texts: Texts,
    /// Checks tokens.
    pub verifier: Arc<TokenVerifier>,
    /// The suite's clock.
    pub clock: SharedClock,
    /// Limits.
    pub limits: Limits,
    /// Tasks of changing calls; drain waits for them.
    pub tasks: TaskTracker,
}

impl StackParts {
    /// Renders an error of a layer as an answer.
    pub fn answer(&self, error: Error, lang: Lang) -> Response<Body> {
        error.into_status(&self.texts, lang, &domain(self.service)).into_http()
    }
}

/// Domain of a service's errors in ErrorInfo.
pub fn domain(service: &str) -> String {
    format!("{service}.linli")
}

/// The layers from the outside in. The order is data; tests observe what it is for.
const ORDER: [&str; 8] =
    ["metrics", "trace", "catch-panic", "caller", "deadline", "own-task", "concurrency", "codec-errors"];

/// Builds the stack around a service's routes.
pub fn build(parts: &StackParts, routes: tonic::service::Routes) -> Stack {
    let mut next: Next = Arc::new(layers::Inner::new(routes));
    for name in ORDER.iter().rev() {
        next = layers::wrap(name, parts, next);
    }
    Stack { outermost: next }
}

/// A whole stack; clones share it. Callers in the process and sockets use the same one.
#[derive(Clone)]
pub struct Stack {
    outermost: Next,
}

impl std::fmt::Debug for Stack {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Stack")
    }
}

impl Stack {
    /// Serves one request.
    pub fn serve(&self, request: Request<Body>) -> BoxFuture<'static, Response<Body>> {
        self.outermost.clone().serve(request)
    }
}

/// An answer as tower wants it, without a second box.
pub type Answered = futures::future::Map<
    BoxFuture<'static, Response<Body>>,
    fn(Response<Body>) -> Result<Response<Body>, std::convert::Infallible>,
>;

/// An answer as tower wants it.
pub fn answered(answer: BoxFuture<'static, Response<Body>>) -> Answered {
    answer.map(Ok)
}

impl tower::Service<Request<Body>> for Stack {
    type Response = Response<Body>;
    type Error = std::convert::Infallible;
    type Future = Answered;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        answered(self.serve(request))
    }
}

/// How long an answer may lie behind its deadline.
pub const GRACE: Duration = Duration::from_millis(250);

#[cfg(test)]
mod tests;
