//! Spans over OTLP to a collector nearby (gRPC without TLS; the collector speaks to the world).
//!
//! Exports the suite's own spans only, without events: log lines stay in the log, other crates' spans stay inside.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use opentelemetry::trace::{
    SpanContext, SpanId, TraceContextExt as _, TraceFlags, TraceId, TraceState, TracerProvider as _,
};
use opentelemetry::{Context, KeyValue};
use opentelemetry_otlp::WithExportConfig as _;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing::{Level, Span};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::registry::LookupSpan;

use crate::{Error, Result};

static RUNS: AtomicBool = AtomicBool::new(false);

/// Whether spans are exported.
pub(crate) fn runs() -> bool {
    RUNS.load(Ordering::Relaxed)
}

pub(super) fn started() {
    RUNS.store(true, Ordering::Relaxed);
}

/// The layer that exports to an endpoint such as `http://127.0.0.1:4317`, and what has to be shut down in the end.
pub(super) fn layer<S>(endpoint: &str) -> Result<(impl Layer<S> + Send + Sync + use<S>, SdkTracerProvider)>
where
    S: tracing::Subscriber + for<'a> LookupSpan<'a> + Send + Sync,
{
    let exporter = opentelemetry_otlp::SpanExporter::builder()
        .with_tonic()
        .with_endpoint(endpoint)
        .build()
        .map_err(|problem| Error::internal(format!("telemetry.otlp_endpoint: {endpoint}: {problem}")))?;
    Ok(layer_over(SdkTracerProvider::builder().with_batch_exporter(exporter)))
}

fn layer_over<S>(
    provider: opentelemetry_sdk::trace::TracerProviderBuilder,
) -> (impl Layer<S> + Send + Sync + use<S>, SdkTracerProvider)
where
    S: tracing::Subscriber + for<'a> LookupSpan<'a> + Send + Sync,
{
    let resource = Resource::builder_empty().with_attribute(KeyValue::new("service.name", "linli")).build();
    let provider = provider.with_resource(resource).build();
    let layer = tracing_opentelemetry::layer()
        .with_tracer(provider.tracer("linli"))
        .with_location(false)
        .with_threads(false)
        .with_tracked_inactivity(false)
        .with_filter(filter_fn(|what| {
            what.is_span() && *what.level() <= Level::INFO && what.target().starts_with("linli")
        }));
    (layer, provider)
}

/// Puts a span under its remote parent; its trace and id as the exporter knows them, `None` when it does not take the span.
pub(crate) fn adopt(span: &Span, parent: Option<(&str, u64)>) -> Option<(Arc<str>, u64)> {
    if let Some((trace, parent)) = parent {
        let trace = TraceId::from_hex(trace).ok()?;
        let parent = SpanId::from(parent);
        let remote = SpanContext::new(trace, parent, TraceFlags::SAMPLED, true, TraceState::default());
        span.set_parent(Context::new().with_remote_span_context(remote)).ok()?;
    }
    let context = span.context();
    let known = context.span().span_context().clone();
    known.is_valid().then(|| {
        let id = u64::from_be_bytes(known.span_id().to_bytes());
        (known.trace_id().to_string().into(), id)
    })
}

#[cfg(test)]
mod tests {
    use opentelemetry_sdk::error::OTelSdkResult;
    use opentelemetry_sdk::trace::{SpanData, SpanExporter};
    use parking_lot::Mutex;
    use tracing_subscriber::layer::SubscriberExt as _;

    use super::*;
    use crate::stack::trace::Traced;

    #[derive(Debug, Clone, Default)]
    struct Collector(Arc<Mutex<Vec<SpanData>>>);

    impl SpanExporter for Collector {
        async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
            self.0.lock().extend(batch);
            Ok(())
        }
    }

    #[test]
    fn an_exported_span_stands_under_the_clients_and_has_the_id_that_is_passed_on() {
        let collector = Collector::default();
        let (layer, provider) = layer_over(SdkTracerProvider::builder().with_simple_exporter(collector.clone()));
        let _here = tracing::subscriber::set_default(tracing_subscriber::registry().with(layer));
        started();
        let path = "/linli.org.v1.OrgService/GetUnit";
        let mut headers = http::HeaderMap::new();
        let sent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        headers.insert("traceparent", http::HeaderValue::from_static(sent));
        let below = Traced::begin("org", path, &headers);
        let alone = Traced::begin("org", path, &http::HeaderMap::new());
        let ids = [(below.trace_id.to_string(), below.span_id), (alone.trace_id.to_string(), alone.span_id)];
        let in_span = alone.span.entered();
        tracing::info!("a line that stays here");
        drop((below.span, in_span));
        provider.force_flush().expect("exports");
        let spans = collector.0.lock();
        let seen: Vec<_> = spans
            .iter()
            .map(|span| {
                let context = &span.span_context;
                (context.trace_id().to_string(), u64::from_be_bytes(context.span_id().to_bytes()))
            })
            .collect();
        assert!(ids.iter().all(|id| seen.contains(id)) && seen.len() == 2, "{seen:?}");
        let below = spans.iter().find(|span| span.span_context.trace_id().to_string() == ids[0].0).expect("a span");
        assert_eq!(below.parent_span_id, SpanId::from(0xb7ad_6b71_6920_3331));
        assert_eq!(below.name, path);
        assert!(spans.iter().all(|span| span.events.is_empty()), "log lines are not exported");
    }
}
