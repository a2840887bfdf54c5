//! One request at the edge: known method? who calls? within limits? then forward.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::future::BoxFuture;
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use http::{HeaderValue, Request, Response};
use linli_kernel::Lang;
use linli_kit::stack::series::{RequestSeries, grpc_status};
use linli_kit::stack::trace::Traced;
use linli_kit::{Caller, Error, ErrorCode, Result, Texts, deadline};
use tokio::time::Instant;
use tonic::body::Body;

use crate::{Parts, route};

/// Headers that only services of the suite may send.
const INTERNAL_HEADERS: [&str; 1] = ["x-linli-context"];

/// What a timer may be late or early by.
const TICK: Duration = Duration::from_millis(2);

/// Routes requests to services; clones share everything.
#[derive(Clone)]
pub struct Edge {
    parts: Parts,
    limiter: Arc<DefaultKeyedRateLimiter<String>>,
    series: Arc<RequestSeries>,
    texts: Texts,
}

impl std::fmt::Debug for Edge {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Edge")
    }
}

impl Edge {
    /// An edge over these backends.
    pub fn new(parts: Parts) -> Self {
        let rate = NonZeroU32::new(parts.requests_per_second).unwrap_or(NonZeroU32::MIN);
        let quota =
            Quota::per_second(rate).allow_burst(rate.saturating_mul(NonZeroU32::new(2).unwrap_or(NonZeroU32::MIN)));
        Self {
            limiter: Arc::new(RateLimiter::keyed(quota)),
            series: Arc::new(RequestSeries::new("gateway")),
            texts: Texts::shared_kit(),
            parts,
        }
    }

    /// Drops what the limiter remembers of subjects that have been quiet.
    pub fn forget_quiet_subjects(&self) {
        self.limiter.retain_recent();
        self.limiter.shrink_to_fit();
    }

    async fn handle(&self, mut request: Request<Body>, traced: &Traced) -> Result<Response<Body>> {
        route::method(request.uri().path())?;
        self.admit(&mut request, traced)?;
        let (service, request) = route::service(request).await?;
        let backend = self.parts.backends.get(service.as_str()).ok_or_else(|| Error::not_found(service))?;
        backend.send(request).await
    }

    /// Handles a request in time; errors are answers too, in the caller's language and with the id of the trace.
    async fn answer(&self, request: Request<Body>, traced: &Traced) -> Response<Body> {
        let accept = request.headers().get("accept-language").and_then(|v| v.to_str().ok());
        let lang = accept.map_or_else(Lang::default, Lang::negotiate);
        let asked =
            request.headers().get("grpc-timeout").and_then(|v| v.to_str().ok()).and_then(deadline::parse_timeout);
        // tonic's server stands outside and answers CANCELLED at the deadline; this answer comes a tick before it.
        let patience = deadline::bounded(asked).saturating_sub(TICK);
        let handled = tokio::time::timeout(patience, self.handle(request, traced)).await;
        let late = |_| Err(Error::new(ErrorCode::DeadlineExceeded, "DEADLINE_EXCEEDED"));
        let mut answer = handled.unwrap_or_else(late).unwrap_or_else(|error| {
            metrics::counter!("linli_gateway_refusals_total", "reason" => error.reason()).increment(1);
            error.into_status(&self.texts, lang, &linli_kit::stack::domain("gateway")).into_http()
        });
        if let Ok(id) = HeaderValue::from_str(&traced.trace_id) {
            answer.headers_mut().insert("x-request-id", id);
        }
        answer
    }

    /// Verifies the caller, strips what only services may send, sets trace and deadline.
    fn admit(&self, request: &mut Request<Body>, traced: &Traced) -> Result<()> {
        let headers = request.headers_mut();
        for name in INTERNAL_HEADERS {
            headers.remove(name);
        }
        let unauthenticated = || Error::new(ErrorCode::Unauthenticated, "UNAUTHENTICATED");
        let token = headers.get("authorization").and_then(|v| v.to_str().ok()).ok_or_else(unauthenticated)?;
        let token = token.strip_prefix("Bearer ").or(token.strip_prefix("bearer ")).ok_or_else(unauthenticated)?;
        let subject = match self.parts.verifier.caller(token, None)? {
            (Caller::Subject(subject), _) => subject,
            // A service's token has no business outside.
            (Caller::Service { .. }, _) => return Err(unauthenticated()),
        };
        if self.limiter.check_key(&subject).is_err() {
            return Err(Error::new(ErrorCode::ResourceExhausted, "OVERLOADED").retry_after(Duration::from_millis(500)));
        }
        if let Some(value) = traced.header() {
            headers.insert("traceparent", value);
        }
        let asked = headers.get("grpc-timeout").and_then(|v| v.to_str().ok()).and_then(deadline::parse_timeout);
        if let Ok(value) = HeaderValue::from_str(&deadline::format_timeout(deadline::bounded(asked))) {
            headers.insert("grpc-timeout", value);
        }
        Ok(())
    }
}

impl tower::Service<Request<Body>> for Edge {
    type Response = Response<Body>;
    type Error = std::convert::Infallible;
    type Future = BoxFuture<'static, Result<Response<Body>, Self::Error>>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let this = self.clone();
        let path = this.series.known(request.uri().path());
        let traced = Traced::begin("gateway", request.uri().path(), request.headers());
        let (begun, own) = (Instant::now(), traced.clone());
        traced.within(async move {
            let answer = this.answer(request, &own).await;
            let (code, took) = (grpc_status(answer.headers()), begun.elapsed());
            this.series.count(path, code, took);
            tracing::debug!(code, took_us = took.as_micros(), "answered");
            Ok(answer)
        })
    }
}

#[cfg(test)]
mod tests;
