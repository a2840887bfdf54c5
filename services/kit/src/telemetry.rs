//! Logs, spans and metrics of a process. Never: personal data; statements and messages are not recorded.

pub(crate) mod export;
pub(crate) mod lines;

use metrics_exporter_prometheus::Matcher;
use tracing_subscriber::fmt::format::JsonFields;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer as _};

use crate::{Error, Result};

/// How logs are written (always to standard error).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line, for collectors.
    Json,
}

/// Starts logging for the process; a second call changes nothing.
pub fn init_logs(format: LogFormat, filter: &str) {
    let filter = EnvFilter::try_new(filter).unwrap_or_else(|_| EnvFilter::new("info"));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let started = match format {
        LogFormat::Text => builder.event_format(lines::text()).try_init(),
        LogFormat::Json => builder.fmt_fields(JsonFields::new()).event_format(lines::json()).try_init(),
    };
    if started.is_err() {
        tracing::debug!("logging was started before");
    }
}

/// Starts logging and, when there is an endpoint, the export of spans over OTLP, until the guard is dropped. Call it within
/// the runtime. A second call in a process changes nothing.
///
/// # Errors
/// When the endpoint is no URL of a collector.
pub fn start(format: LogFormat, filter: &str, otlp_endpoint: Option<&str>) -> Result<Exporting> {
    let Some(endpoint) = otlp_endpoint else {
        init_logs(format, filter);
        return Ok(Exporting(None));
    };
    let filter = EnvFilter::try_new(filter).unwrap_or_else(|_| EnvFilter::new("info"));
    let (spans, provider) = export::layer(endpoint)?;
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let lines = match format {
        LogFormat::Text => lines.with_target(false).boxed(),
        LogFormat::Json => lines.json().boxed(),
    };
    tracing_subscriber::registry().with(lines.with_filter(filter)).with(spans).try_init().map_err(Error::internal)?;
    export::started();
    Ok(Exporting(Some(provider)))
}

/// Sends what is left to the collector when it is dropped.
#[derive(Debug)]
pub struct Exporting(Option<opentelemetry_sdk::trace::SdkTracerProvider>);

impl Drop for Exporting {
    fn drop(&mut self) {
        if let Some(Err(problem)) = self.0.as_ref().map(|provider| provider.shutdown()) {
            tracing::warn!(%problem, "the last spans were not exported");
        }
    }
}

/// Buckets of times, in seconds.
const SECONDS: [f64; 17] = [
    0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
];
/// Buckets of shares.
const RATIOS: [f64; 14] = [0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 0.9, 0.95, 1.0];
/// Buckets of how many were together.
const SIZES: [f64; 10] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0];

/// The process's metrics in Prometheus' text form.
#[derive(Clone)]
pub struct Metrics(metrics_exporter_prometheus::PrometheusHandle);

impl Metrics {
    /// Installs the recorder; `None` when the process has one already.
    pub fn install() -> Option<Self> {
        let ends_in = |suffix: &str| Matcher::Suffix(suffix.to_owned());
        metrics_exporter_prometheus::PrometheusBuilder::new()
            .set_buckets(&SECONDS)
            .ok()?
            .set_buckets_for_metric(ends_in("_ratio"), &RATIOS)
            .ok()?
            .set_buckets_for_metric(ends_in("_batch"), &SIZES)
            .ok()?
            .install_recorder()
            .ok()
            .map(Self)
    }

    /// Folds what was recorded into the buckets. Must run now and then: until it does, every recorded time is kept.
    pub fn upkeep(&self) {
        self.0.run_upkeep();
    }

    /// Renders all metrics.
    pub fn render(&self) -> String {
        self.0.run_upkeep();
        self.0.render()
    }
}

impl std::fmt::Debug for Metrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Metrics")
    }
}
