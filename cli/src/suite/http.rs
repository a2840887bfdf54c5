//! The plain port (health, readiness, metrics), and the front that spreads a shared port over a process's services.

use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use http::{Request, Response};
use linli_kit::serve::LocalServices;
use linli_kit::stack::{Answered, answered};
use linli_kit::store::Store;
use linli_kit::telemetry::Metrics;
use linli_kit::{Error, ErrorCode, Result, Texts};
use parking_lot::RwLock;
use sea_orm::ConnectionTrait as _;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tonic::body::Body;

/// Nobody may ever scrape an embedded suite: recorded times are folded without being asked.
const UPKEEP: Duration = Duration::from_secs(5);

/// What readiness is judged by; grows while the process comes up.
#[derive(Clone, Default)]
pub(super) struct Readiness(Arc<RwLock<Progress>>);

#[derive(Default)]
struct Progress {
    stores: Vec<Store>,
    /// Why the process is not up yet; `None` once it is.
    waits_for: Option<String>,
    up: bool,
}

impl Readiness {
    /// A store that has to answer from now on.
    pub(super) fn watch(&self, store: Store) {
        self.0.write().stores.push(store);
    }

    /// Says what the start waits for.
    pub(super) fn waits_for(&self, what: impl Into<String>) {
        self.0.write().waits_for = Some(what.into());
    }

    /// Everything is up.
    pub(super) fn up(&self) {
        self.0.write().up = true;
    }

    fn stores(&self) -> Result<Vec<Store>, String> {
        let progress = self.0.read();
        if progress.up {
            return Ok(progress.stores.clone());
        }
        Err(progress.waits_for.clone().unwrap_or_else(|| "starting".to_owned()))
    }
}

#[derive(Clone)]
struct Health {
    readiness: Readiness,
    cancel: CancellationToken,
    metrics: Option<Metrics>,
}

/// Serves `/healthz`, `/readyz` and `/metrics` until the token is cancelled.
pub(super) async fn serve(
    address: SocketAddr,
    readiness: Readiness,
    cancel: CancellationToken,
    metrics: Option<Metrics>,
) -> Result<JoinHandle<()>> {
    let listener = TcpListener::bind(address)
        .await
        .map_err(|e| Error::internal(format!("health and metrics cannot listen on {address}: {e}")))?;
    if let Some(metrics) = metrics.clone() {
        let stop = cancel.clone();
        tokio::spawn(stop.run_until_cancelled_owned(async move {
            loop {
                tokio::time::sleep(UPKEEP).await;
                metrics.upkeep();
            }
        }));
    }
    let health = Health { readiness, cancel: cancel.clone(), metrics };
    let router = axum::Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .route(
            "/metrics",
            get(|State(health): State<Health>| async move {
                health.metrics.map_or_else(String::new, |metrics| metrics.render())
            }),
        )
        .with_state(health);
    Ok(tokio::spawn(async move {
        let served = axum::serve(listener, router).with_graceful_shutdown(cancel.cancelled_owned()).await;
        if let Err(error) = served {
            tracing::error!(%error, "the health port broke");
        }
    }))
}

async fn ready(State(health): State<Health>) -> (StatusCode, String) {
    if health.cancel.is_cancelled() {
        return (StatusCode::SERVICE_UNAVAILABLE, "draining\n".to_owned());
    }
    let stores = match health.readiness.stores() {
        Ok(stores) => stores,
        Err(waits_for) => return (StatusCode::SERVICE_UNAVAILABLE, format!("{waits_for}\n")),
    };
    for store in &stores {
        if let Err(error) = store.reader().execute_unprepared("SELECT 1").await {
            tracing::warn!(service = store.service(), %error, "not ready");
            return (StatusCode::SERVICE_UNAVAILABLE, format!("{}: the database does not answer\n", store.service()));
        }
    }
    (StatusCode::OK, "ready\n".to_owned())
}

/// Several services on one port: by package, and feeds and operations only when there is one service.
#[derive(Clone)]
pub(super) struct Front {
    local: LocalServices,
    here: Vec<&'static str>,
}

impl Front {
    pub(super) fn new(local: LocalServices, here: &[&'static str]) -> Self {
        Self { local, here: here.to_vec() }
    }

    fn service(&self, path: &str) -> Option<&'static str> {
        let package = path.strip_prefix("/linli.").and_then(|rest| rest.split('.').next()).unwrap_or_default();
        let named = self.here.iter().find(|s| **s == package);
        named.or(if self.here.len() == 1 { self.here.first() } else { None }).copied()
    }
}

impl tower::Service<Request<Body>> for Front {
    type Response = Response<Body>;
    type Error = std::convert::Infallible;
    type Future = Answered;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let path = request.uri().path();
        match self.service(path).and_then(|service| self.local.get(service)) {
            Some(stack) => answered(stack.serve(request)),
            None => {
                let error = Error::new(ErrorCode::Unimplemented, "NO_SUCH_METHOD").with("method", path);
                let status = error.into_status(&Texts::shared_kit(), Default::default(), "linli");
                answered(Box::pin(async move { status.into_http() }))
            }
        }
    }
}
