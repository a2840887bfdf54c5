//! The series that every answer of a service or of the gateway is counted in.

use std::collections::HashMap;
use std::sync::OnceLock;
use std::time::Duration;

use http::HeaderMap;

/// Counts answers by method and code, and their time: `linli_requests_total`, `linli_request_seconds`.
#[derive(Debug)]
pub struct RequestSeries {
    service: &'static str,
    /// By path; looked up once per request instead of once per series.
    series: HashMap<&'static str, Series>,
}

/// What nearly every request touches. Begun with the method's first answer, so that idle methods cost nothing.
#[derive(Default)]
struct Series {
    begun: OnceLock<(metrics::Counter, metrics::Histogram)>,
}

impl std::fmt::Debug for Series {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Series")
    }
}

impl RequestSeries {
    /// The series of one service.
    pub fn new(service: &'static str) -> Self {
        let series = linli_proto::methods().keys().map(|path| (path.as_str(), Series::default())).collect();
        Self { service, series }
    }

    /// The path as it stands in labels and spans; `None` for one that is not in the contract.
    pub fn known(&self, path: &str) -> Option<&'static str> {
        self.series.get_key_value(path).map(|(path, _)| *path)
    }

    /// Counts one answer.
    pub fn count(&self, path: Option<&'static str>, code: &'static str, took: Duration) {
        let labels =
            |code: &'static str| [("service", self.service), ("method", path.unwrap_or("other")), ("code", code)];
        let series = |code: &'static str| {
            let labels = labels(code);
            (metrics::counter!("linli_requests_total", &labels), metrics::histogram!("linli_request_seconds", &labels))
        };
        let begun = path.and_then(|path| self.series.get(path)).filter(|_| code == "OK");
        match begun {
            Some(kept) => {
                let (counter, histogram) = kept.begun.get_or_init(|| series("OK"));
                counter.increment(1);
                histogram.record(took.as_secs_f64());
            }
            None => {
                let (counter, histogram) = series(code);
                counter.increment(1);
                histogram.record(took.as_secs_f64());
            }
        }
    }
}

/// The code of a trailers-only answer; anything else has begun to stream and counts as `OK`.
pub fn grpc_status(headers: &HeaderMap) -> &'static str {
    let Some(value) = headers.get("grpc-status") else { return "OK" };
    let code = value.to_str().ok().and_then(|v| v.parse().ok()).map_or(tonic::Code::Unknown, tonic::Code::from_i32);
    match code {
        tonic::Code::Ok => "OK",
        tonic::Code::Cancelled => "CANCELLED",
        tonic::Code::Unknown => "UNKNOWN",
        tonic::Code::InvalidArgument => "INVALID_ARGUMENT",
        tonic::Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        tonic::Code::NotFound => "NOT_FOUND",
        tonic::Code::AlreadyExists => "ALREADY_EXISTS",
        tonic::Code::PermissionDenied => "PERMISSION_DENIED",
        tonic::Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        tonic::Code::FailedPrecondition => "FAILED_PRECONDITION",
        tonic::Code::Aborted => "ABORTED",
        tonic::Code::OutOfRange => "OUT_OF_RANGE",
        tonic::Code::Unimplemented => "UNIMPLEMENTED",
        tonic::Code::Internal => "INTERNAL",
        tonic::Code::Unavailable => "UNAVAILABLE",
        tonic::Code::DataLoss => "DATA_LOSS",
        tonic::Code::Unauthenticated => "UNAUTHENTICATED",
    }
}
