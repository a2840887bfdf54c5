//! The layers themselves: one small type per concern.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use http::{HeaderMap, Request, Response};
use linli_kernel::Lang;
use tokio::sync::Semaphore;
use tokio::time::Instant;
use tonic::body::Body;
use tower::Service as _;

use super::series::{RequestSeries, grpc_status};
use super::trace::Traced;
use super::{Next, Serve, StackParts};
use crate::call::{Caller, Ctx};
use crate::deadline;
use crate::error::{Error, ErrorCode, FieldViolation};

/// Header in which a service passes its signed context on.
pub(crate) const CONTEXT_HEADER: &str = "x-linli-context";

pub(super) fn wrap(name: &str, parts: &StackParts, next: Next) -> Next {
    let parts = parts.clone();
    match name {
        "metrics" => Arc::new(Metrics { series: RequestSeries::new(parts.service), next }),
        "trace" => Arc::new(Trace { service: parts.service, next }),
        "catch-panic" => Arc::new(CatchPanic { parts, next }),
        "caller" => Arc::new(WhoCalls { parts, next }),
        "deadline" => Arc::new(Deadline { parts, next }),
        "own-task" => Arc::new(OwnTask { parts, next }),
        "concurrency" => Arc::new(Concurrency::new(parts, next)),
        "codec-errors" => Arc::new(CodecErrors { parts, next }),
        other => unreachable!("layer {other} stands in ORDER but has no type"),
    }
}

/// The service's own routes.
pub(super) struct Inner {
    routes: tonic::service::Routes,
}

impl Inner {
    pub(super) fn new(routes: tonic::service::Routes) -> Self {
        Self { routes: routes.prepare() }
    }
}

impl Serve for Inner {
    fn serve(self: Arc<Self>, request: Request<Body>) -> BoxFuture<'static, Response<Body>> {
        let mut routes = self.routes.clone();
        Box::pin(async move {
            match routes.call(request).await {
                Ok(answer) => answer,
                Err(never) => match never {},
            }
        })
    }
}

/// Counts every answer by method and code, and its time.
struct Metrics {
    series: RequestSeries,
    next: Next,
}

impl Serve for Metrics {
    fn serve(self: Arc<Self>, request: Request<Body>) -> BoxFuture<'static, Response<Body>> {
        let path = self.series.known(request.uri().path());
        let begun = Instant::now();
        Box::pin(async move {
            let answer = self.next.clone().serve(request).await;
            self.series.count(path, grpc_status(answer.headers()), begun.elapsed());
            answer
        })
    }
}

/// Every request stands in the trace of the client (`traceparent`) or a new one, and every log line below says where.
struct Trace {
    service: &'static str,
    next: Next,
}

impl Serve for Trace {
    fn serve(self: Arc<Self>, mut request: Request<Body>) -> BoxFuture<'static, Response<Body>> {
        let traced = Traced::begin(self.service, request.uri().path(), request.headers());
        request.extensions_mut().insert(traced.clone());
        traced.within(self.next.clone().serve(request))
    }
}

/// A panic answers INTERNAL and leaves the service standing.
struct CatchPanic {
    parts: StackParts,
    next: Next,
}

impl Serve for CatchPanic {
    fn serve(self: Arc<Self>, request: Request<Body>) -> BoxFuture<'static, Response<Body>> {
        let lang = lang_of(request.headers());
        Box::pin(async move {
            match std::panic::AssertUnwindSafe(self.next.clone().serve(request)).catch_unwind().await {
                Ok(answer) => answer,
                Err(_) => panicked(&self.parts, lang),
            }
        })
    }
}

/// Counts a panic and answers for it.
fn panicked(parts: &StackParts, lang: Lang) -> Response<Body> {
    tracing::error!(service = parts.service, "a handler panicked");
    metrics::counter!("linli_panics_total", "service" => parts.service).increment(1);
    parts.answer(Error::new(ErrorCode::Internal, "INTERNAL"), lang)
}

pub(crate) fn lang_of(headers: &HeaderMap) -> Lang {
    headers.get("accept-language").and_then(|v| v.to_str().ok()).map_or_else(Lang::default, Lang::negotiate)
}

/// Verifies the token and builds the [`Ctx`]. Methods outside the contract (health) pass without one.
struct WhoCalls {
    parts: StackParts,
    next: Next,
}

impl Serve for WhoCalls {
    fn serve(self: Arc<Self>, mut request: Request<Body>) -> BoxFuture<'static, Response<Body>> {
        let Some(method) = linli_proto::methods().get(request.uri().path()) else {
            return self.next.clone().serve(request);
        };
        let lang = lang_of(request.headers());
        let found = {
            let headers = request.headers();
            let text = |name: &str| headers.get(name).and_then(|v| v.to_str().ok());
            let token = text("authorization").and_then(|v| v.strip_prefix("Bearer ").or(v.strip_prefix("bearer ")));
            match token {
                None => Err(Error::new(ErrorCode::Unauthenticated, "UNAUTHENTICATED")),
                Some(token) => self.parts.verifier.caller(token, text(CONTEXT_HEADER)),
            }
        };
        let (caller, passed) = match found {
            Ok(found) => found,
            Err(error) => {
                let answer = self.parts.answer(error, lang);
                return Box::pin(async move { answer });
            }
        };
        let traced = request.extensions().get::<Traced>();
        let (trace_id, span_id) =
            traced.map_or_else(|| (crate::call::new_trace_id(), 0), |traced| (traced.trace_id.clone(), traced.span_id));
        let asked =
            request.headers().get("grpc-timeout").and_then(|v| v.to_str().ok()).and_then(deadline::parse_timeout);
        let cause = match (&caller, passed) {
            (Caller::Service { .. }, Some(passed)) => passed.cause.into(),
            _ => Arc::default(),
        };
        request.extensions_mut().insert(Arc::new(Ctx {
            caller,
            lang,
            deadline: Instant::now() + deadline::bounded(asked),
            trace_id,
            span_id,
            cause,
            method,
            clock: self.parts.clock.clone(),
        }));
        self.next.clone().serve(request)
    }
}

/// Answers DEADLINE_EXCEEDED when the time is over, whatever the work still does.
struct Deadline {
    parts: StackParts,
    next: Next,
}

impl Serve for Deadline {
    fn serve(self: Arc<Self>, mut request: Request<Body>) -> BoxFuture<'static, Response<Body>> {
        let Some(ctx) = request.extensions().get::<Arc<Ctx>>().cloned() else {
            return self.next.clone().serve(request);
        };
        // tonic would answer a passed timeout with CANCELLED; ours is the only clock.
        request.headers_mut().remove("grpc-timeout");
        Box::pin(async move {
            let work = deadline::scope(ctx.deadline, self.next.clone().serve(request));
            match tokio::time::timeout_at(ctx.deadline, work).await {
                Ok(answer) => answer,
                Err(_) => self.parts.answer(deadline::exceeded(), ctx.lang),
            }
        })
    }
}

/// Runs changing calls in a task of their own: a client that leaves cannot cut a change in half.
struct OwnTask {
    parts: StackParts,
    next: Next,
}

impl Serve for OwnTask {
    fn serve(self: Arc<Self>, request: Request<Body>) -> BoxFuture<'static, Response<Body>> {
        let ctx = request.extensions().get::<Arc<Ctx>>().cloned();
        let Some(ctx) = ctx.filter(|ctx| ctx.method.mutating) else {
            return self.next.clone().serve(request);
        };
        Box::pin(async move {
            let work = deadline::scope(ctx.deadline, self.next.clone().serve(request));
            match self.parts.tasks.spawn(super::trace::carried(work)).await {
                Ok(answer) => answer,
                // The task's own panic: it does not reach the layer that catches those of reading calls.
                Err(fault) if fault.is_panic() => panicked(&self.parts, ctx.lang),
                Err(_) => self.parts.answer(Error::new(ErrorCode::Unavailable, "SHUTTING_DOWN"), ctx.lang),
            }
        })
    }
}

/// Bounds what runs and what waits, for reading and changing calls apart.
struct Concurrency {
    parts: StackParts,
    classes: [(Semaphore, AtomicUsize); 2],
    next: Next,
}

impl Concurrency {
    fn new(parts: StackParts, next: Next) -> Self {
        let class = || (Semaphore::new(parts.limits.concurrent), AtomicUsize::new(0));
        Self { classes: [class(), class()], next, parts }
    }
}

/// Counts one waiter while it lives.
struct Waiting<'a>(&'a AtomicUsize);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Serve for Concurrency {
    fn serve(self: Arc<Self>, request: Request<Body>) -> BoxFuture<'static, Response<Body>> {
        Box::pin(async move {
            let ctx = request.extensions().get::<Arc<Ctx>>();
            let mutating = ctx.is_some_and(|ctx| ctx.method.mutating);
            let lang = ctx.map_or_else(Lang::default, |ctx| ctx.lang);
            let (places, waiting) = &self.classes[usize::from(mutating)];
            let permit = match places.try_acquire() {
                Ok(permit) => Ok(permit),
                Err(_) if waiting.fetch_add(1, Ordering::Relaxed) >= self.parts.limits.waiting => {
                    waiting.fetch_sub(1, Ordering::Relaxed);
                    Err(())
                }
                Err(_) => {
                    let _waiting = Waiting(waiting);
                    places.acquire().await.map_err(|_| ())
                }
            };
            match permit {
                Ok(_permit) => self.next.clone().serve(request).await,
                Err(()) => {
                    metrics::counter!("linli_shed_total", "service" => self.parts.service).increment(1);
                    let error =
                        Error::new(ErrorCode::ResourceExhausted, "OVERLOADED").retry_after(Duration::from_millis(500));
                    self.parts.answer(error, lang)
                }
            }
        })
    }
}

/// Gives tonic's own refusals (undecodable or oversized messages, unknown methods) our typed form.
struct CodecErrors {
    parts: StackParts,
    next: Next,
}

impl Serve for CodecErrors {
    fn serve(self: Arc<Self>, request: Request<Body>) -> BoxFuture<'static, Response<Body>> {
        let ctx = request.extensions().get::<Arc<Ctx>>().cloned();
        // Only what is not in the contract needs its path kept.
        let path = if ctx.is_some() { String::new() } else { request.uri().path().to_owned() };
        Box::pin(async move {
            let answer = self.next.clone().serve(request).await;
            if !answer.headers().contains_key("grpc-status") || answer.headers().contains_key("grpc-status-details-bin")
            {
                return answer;
            }
            let status = tonic::Status::from_header_map(answer.headers());
            let path = ctx.as_ref().map_or(path.as_str(), |ctx| ctx.method.path.as_str());
            match status.and_then(|status| typed(&status, path)) {
                Some(error) => self.parts.answer(error, ctx.as_ref().map_or_else(Lang::default, |ctx| ctx.lang)),
                None => answer,
            }
        })
    }
}

/// The field at which decoding ended, from prost's `Text.en: Unit.display_name: CreateUnitRequest.unit: what was wrong`,
/// innermost first; `None` when the bytes end before any field.
fn malformed_field(message: &str) -> Option<String> {
    let (_, places) = message.split_once("Protobuf message: ")?;
    let name = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    let fields = places.split(": ").map_while(|place| {
        place.split_once('.').filter(|(message, field)| name(message) && name(field)).map(|(_, field)| field)
    });
    let mut path: Vec<&str> = fields.collect();
    path.reverse();
    (!path.is_empty()).then(|| path.join("."))
}

fn typed(status: &tonic::Status, path: &str) -> Option<Error> {
    let message = status.message();
    match status.code() {
        tonic::Code::OutOfRange | tonic::Code::ResourceExhausted if message.contains("message length too large") => {
            Some(
                Error::new(ErrorCode::ResourceExhausted, "MESSAGE_TOO_LARGE")
                    .with("limit_bytes", crate::serve::MAX_MESSAGE_BYTES),
            )
        }
        tonic::Code::Internal
            if message.contains("decode") || message.contains("utf8") || message.contains("UTF-8") =>
        {
            let field = malformed_field(message).map(|field| FieldViolation::new(field, "MALFORMED_MESSAGE"));
            Some(Error::new(ErrorCode::InvalidArgument, "MALFORMED_MESSAGE").with_fields(field.into_iter().collect()))
        }
        tonic::Code::Unimplemented => Some(Error::new(ErrorCode::Unimplemented, "NO_SUCH_METHOD").with("method", path)),
        _ => None,
    }
}
