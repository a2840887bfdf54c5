//! Where a request stands in its trace: read from `traceparent`, told by its span, passed on to what it calls.

use std::future::Future;
use std::sync::Arc;

use futures::future::BoxFuture;
use http::{HeaderMap, HeaderValue};
use tracing::{Instrument as _, Span};

use crate::call::new_trace_id;
use crate::telemetry::export;

tokio::task_local! {
    /// The request that the present task serves, while no spans are exported.
    static HERE: Here;
}

/// Where a log line stands: what a span would say, without the cost of one for requests that log nothing.
#[derive(Debug, Clone)]
pub(crate) struct Here {
    pub(crate) service: &'static str,
    pub(crate) method: &'static str,
    pub(crate) trace_id: Arc<str>,
    pub(crate) span_id: u64,
    /// 0 without one.
    pub(crate) parent_id: u64,
}

/// The request during which this is called; `None` outside of one, and while spans are exported.
pub(crate) fn here() -> Option<Here> {
    HERE.try_with(Clone::clone).ok()
}

/// The work, in the trace in which this is called: for a task of its own.
pub(crate) fn carried<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> BoxFuture<'static, T> {
    match here() {
        Some(here) => Box::pin(HERE.scope(here, work)),
        None => Box::pin(work.in_current_span()),
    }
}

/// A request in its trace.
#[derive(Debug, Clone)]
pub struct Traced {
    /// The span, while spans are exported.
    pub(crate) span: Span,
    service: &'static str,
    method: &'static str,
    parent_id: u64,
    /// The trace, 32 hex digits: the client's, or a new one.
    pub trace_id: Arc<str>,
    /// The span's id within the trace: the parent of what the request causes.
    pub span_id: u64,
}

impl Traced {
    /// Begins the span of a request to `path`.
    pub fn begin(service: &'static str, path: &str, headers: &HeaderMap) -> Self {
        // What is not in the contract is somebody's free text.
        let method = linli_proto::methods().get_key_value(path).map_or("other", |(path, _)| path.as_str());
        let parent = headers.get("traceparent").and_then(|value| value.to_str().ok()).and_then(parse);
        if export::runs() {
            return Self::exported(service, method, parent);
        }
        let span_id = new_span_id();
        let (trace_id, parent_id) = parent.map_or_else(|| (new_trace_id(), 0), |(trace, span)| (trace, span));
        Self { span: Span::none(), service, method, parent_id, trace_id, span_id }
    }

    /// The work, every log line of which says where it stands.
    pub fn within<T: 'static>(&self, work: impl Future<Output = T> + Send + 'static) -> BoxFuture<'static, T> {
        if !self.span.is_disabled() {
            return Box::pin(work.instrument(self.span.clone()));
        }
        let Self { service, method, parent_id, ref trace_id, span_id, .. } = *self;
        Box::pin(HERE.scope(Here { service, method, trace_id: trace_id.clone(), span_id, parent_id }, work))
    }

    /// The same when spans are exported: the exporter's ids are the ids.
    fn exported(service: &'static str, method: &'static str, parent: Option<(Arc<str>, u64)>) -> Self {
        let empty = tracing::field::Empty;
        let span = tracing::info_span!(
            "rpc",
            service,
            method,
            trace_id = empty,
            span_id = empty,
            parent_id = empty,
            otel.name = method,
            otel.kind = "server"
        );
        let known = export::adopt(&span, parent.as_ref().map(|(trace, span)| (&**trace, *span)));
        let (trace_id, span_id) = known.unwrap_or_else(|| {
            let trace = parent.as_ref().map_or_else(new_trace_id, |(trace, _)| trace.clone());
            (trace, new_span_id())
        });
        span.record("trace_id", &*trace_id);
        span.record("span_id", tracing::field::display(hex(span_id)));
        let parent_id = parent.map_or(0, |(_, span)| span);
        span.record("parent_id", tracing::field::display(hex(parent_id)));
        Self { span, service, method, parent_id, trace_id, span_id }
    }

    /// The header for what this request causes.
    pub fn header(&self) -> Option<HeaderValue> {
        header(&self.trace_id, self.span_id)
    }
}

/// The `traceparent` of a call that the span `span_id` makes; a new span's when that is 0.
pub(crate) fn header(trace_id: &str, span_id: u64) -> Option<HeaderValue> {
    let span_id = if span_id == 0 { new_span_id() } else { span_id };
    HeaderValue::from_str(&format!("00-{trace_id}-{span_id:016x}-01")).ok()
}

fn hex(span_id: u64) -> impl std::fmt::Display {
    struct Hex(u64);
    impl std::fmt::Display for Hex {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            if self.0 == 0 { Ok(()) } else { write!(f, "{:016x}", self.0) }
        }
    }
    Hex(span_id)
}

fn new_span_id() -> u64 {
    rand::random::<u64>() | 1
}

/// Trace and parent span of a `traceparent` value (W3C Trace Context); `None` when it is malformed.
fn parse(value: &str) -> Option<(Arc<str>, u64)> {
    let mut parts = value.split('-');
    let (_version, trace, span) = (parts.next()?, parts.next()?, parts.next()?);
    let hex = |text: &str, len: usize| text.len() == len && text.bytes().all(|b| b.is_ascii_hexdigit());
    if !hex(trace, 32) || !hex(span, 16) || trace.bytes().all(|b| b == b'0') {
        return None;
    }
    Some((trace.to_ascii_lowercase().into(), u64::from_str_radix(span, 16).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parent_is_read_and_nonsense_begins_a_new_trace() {
        let good = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        let (trace, span) = parse(good).expect("a parent");
        assert_eq!((&*trace, span), ("0af7651916cd43dd8448eb211c80319c", 0xb7ad_6b71_6920_3331));
        let zeros = "00-00000000000000000000000000000000-b7ad6b7169203331-01";
        for bad in ["", "00", "00-0af7-b7ad-01", zeros, "00-0af7651916cd43dd8448eb211c80319c-x7ad6b7169203331-01"] {
            assert!(parse(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn what_a_request_causes_names_it_as_the_parent() {
        let mut headers = HeaderMap::new();
        let sent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        headers.insert("traceparent", HeaderValue::from_static(sent));
        let traced = Traced::begin("test", "/nowhere", &headers);
        let passed = traced.header().expect("a header");
        let (trace, parent) = parse(passed.to_str().expect("ASCII")).expect("a parent");
        assert_eq!((&*trace, parent), ("0af7651916cd43dd8448eb211c80319c", traced.span_id));
        assert_ne!(passed.to_str().expect("ASCII"), sent);
    }
}
