//! Calls to the other services of the suite, with the caller's own token and a signed context.

use std::collections::HashMap;
use std::sync::{Arc, RwLock};
use std::task::{Context, Poll};

use futures::future::BoxFuture;
use http::{HeaderValue, Request, Response};
use tonic::body::Body;
use tonic::transport::Channel;

use crate::call::Ctx;
use crate::deadline;
use crate::error::{Error, ErrorCode, Result};
use crate::identity::{PassedContext, ServiceIdentity};
use crate::stack::Stack;
use crate::texts::Texts;

/// Stacks that run in this process, by service; filled while the process starts.
#[derive(Clone, Default)]
pub struct LocalServices(Arc<RwLock<HashMap<&'static str, Stack>>>);

impl LocalServices {
    /// Makes a stack callable.
    pub fn insert(&self, service: &'static str, stack: Stack) {
        if let Ok(mut services) = self.0.write() {
            services.insert(service, stack);
        }
    }

    /// The stack of a service.
    pub fn get(&self, service: &str) -> Option<Stack> {
        self.0.read().ok().and_then(|services| services.get(service).cloned())
    }
}

impl std::fmt::Debug for LocalServices {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("LocalServices")
    }
}

/// Where a service is.
#[derive(Debug, Clone)]
pub enum Backend {
    /// In this process.
    Local(LocalServices, &'static str),
    /// Behind a socket; one channel or several, used in turn (one HTTP/2 connection is one mutex).
    Remote(Arc<[Channel]>, Arc<std::sync::atomic::AtomicUsize>),
}

impl Backend {
    /// A backend behind `count` channels to one endpoint, connected when first used.
    pub fn remote(endpoint: &tonic::transport::Endpoint, count: usize) -> Self {
        let channels: Vec<Channel> = (0..count.max(1)).map(|_| endpoint.connect_lazy()).collect();
        Self::Remote(channels.into(), Arc::default())
    }

    /// Sends a request as it is.
    pub async fn send(&self, request: Request<Body>) -> Result<Response<Body>> {
        match self {
            Self::Local(services, service) => match services.get(service) {
                Some(stack) => Ok(stack.serve(request).await),
                None => Err(unavailable(service)),
            },
            Self::Remote(channels, turn) => {
                let index = turn.fetch_add(1, std::sync::atomic::Ordering::Relaxed) % channels.len();
                let mut channel = channels[index].clone();
                std::future::poll_fn(|cx| tower::Service::poll_ready(&mut channel, cx))
                    .await
                    .map_err(|e| unavailable("peer").caused_by(e))?;
                tower::Service::call(&mut channel, request).await.map_err(|e| unavailable("peer").caused_by(e))
            }
        }
    }
}

fn unavailable(service: &str) -> Error {
    Error::new(ErrorCode::Unavailable, "PEER_UNAVAILABLE")
        .with("service", service)
        .retry_after(std::time::Duration::from_secs(1))
}

/// The other services, as one service sees them.
#[derive(Clone)]
pub struct Peers {
    identity: Arc<ServiceIdentity>,
    backends: Arc<HashMap<&'static str, Backend>>,
}

impl Peers {
    /// Peers reached under this identity.
    pub fn new(identity: Arc<ServiceIdentity>, backends: HashMap<&'static str, Backend>) -> Self {
        Self { identity, backends: Arc::new(backends) }
    }

    /// A transport to `service` for one call's context; give it to a generated client:
    /// `OrgServiceClient::new(peers.to("org", &ctx))`.
    pub fn to(&self, service: &'static str, ctx: &Ctx) -> PeerService {
        PeerService {
            backend: self.backends.get(service).cloned(),
            service,
            identity: self.identity.clone(),
            actor: ctx.caller.subject().map(str::to_owned),
            cause: ctx.cause.clone(),
            trace_id: ctx.trace_id.clone(),
            span_id: ctx.span_id,
            lang: ctx.lang,
            deadline: ctx.deadline,
        }
    }
}

impl std::fmt::Debug for Peers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Peers").field("identity", &self.identity.service()).finish_non_exhaustive()
    }
}

/// The transport of one call's requests to one peer.
#[derive(Clone)]
pub struct PeerService {
    backend: Option<Backend>,
    service: &'static str,
    identity: Arc<ServiceIdentity>,
    actor: Option<String>,
    cause: Arc<str>,
    trace_id: Arc<str>,
    span_id: u64,
    lang: linli_kernel::Lang,
    deadline: tokio::time::Instant,
}

impl std::fmt::Debug for PeerService {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PeerService").field("service", &self.service).finish_non_exhaustive()
    }
}

impl PeerService {
    fn prepare(&self, request: &mut Request<Body>) -> Result<()> {
        let left = self.deadline.saturating_duration_since(tokio::time::Instant::now());
        if left.is_zero() {
            return Err(deadline::exceeded());
        }
        let passed = PassedContext { actor: self.actor.clone(), cause: self.cause.to_string() };
        let headers = request.headers_mut();
        let mut set = |name: &'static str, value: String| {
            if let Ok(value) = HeaderValue::from_str(&value) {
                headers.insert(name, value);
            }
        };
        set("authorization", format!("Bearer {}", self.identity.token()?));
        set("x-linli-context", self.identity.context(passed)?);
        set("grpc-timeout", deadline::format_timeout(left));
        set("accept-language", self.lang.tag().to_owned());
        if let Some(value) = crate::stack::trace::header(&self.trace_id, self.span_id) {
            headers.insert("traceparent", value);
        }
        Ok(())
    }
}

impl tower::Service<Request<Body>> for PeerService {
    type Response = Response<Body>;
    type Error = std::convert::Infallible;
    type Future = BoxFuture<'static, Result<Response<Body>, Self::Error>>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        let this = self.clone();
        Box::pin(async move {
            let sent = match (this.prepare(&mut request), &this.backend) {
                (Err(error), _) => Err(error),
                (Ok(()), None) => Err(unavailable(this.service)),
                (Ok(()), Some(backend)) => backend.send(request).await,
            };
            Ok(sent.unwrap_or_else(|error| {
                tracing::warn!(service = this.service, error = %error, cause = ?error.cause(), "a peer did not answer");
                error.into_status(&Texts::shared_kit(), this.lang, &crate::stack::domain(this.service)).into_http()
            }))
        })
    }
}
