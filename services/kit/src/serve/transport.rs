//! A stack on a socket: HTTP/2 with bounds on everything a peer can do, and a graceful drain.

use std::future::Future;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio_util::task::TaskTracker;
use tonic::body::Body;

use crate::error::{Error, Result};

/// Bounds of a listening service.
#[derive(Debug, Clone, Copy)]
pub struct ServerOptions {
    /// Streams of one connection at once.
    pub max_concurrent_streams: u32,
    /// Age at which a connection is asked to leave, so that load spreads over new replicas.
    pub max_connection_age: Duration,
    /// Bytes of a request's headers.
    pub max_header_bytes: u32,
}

impl Default for ServerOptions {
    fn default() -> Self {
        Self { max_concurrent_streams: 256, max_connection_age: Duration::from_secs(1800), max_header_bytes: 16 * 1024 }
    }
}

/// Serves a stack until `stop` resolves, then drains: open calls and the tasks of changes end first.
///
/// # Errors
/// When the listener breaks.
pub async fn serve_stack<S>(
    listener: TcpListener,
    service: S,
    options: ServerOptions,
    tasks: TaskTracker,
    stop: impl Future<Output = ()> + Send,
) -> Result<()>
where
    S: tower::Service<http::Request<Body>, Response = http::Response<Body>, Error = std::convert::Infallible>
        + Clone
        + Send
        + Sync
        + 'static,
    S::Future: Send,
{
    let incoming = tonic::transport::server::TcpIncoming::from(listener).with_nodelay(Some(true));
    tonic::transport::Server::builder()
        .max_concurrent_streams(options.max_concurrent_streams)
        .max_connection_age(options.max_connection_age)
        .http2_max_header_list_size(options.max_header_bytes)
        .http2_keepalive_interval(Some(Duration::from_secs(30)))
        .http2_keepalive_timeout(Some(Duration::from_secs(20)))
        .layer(tower::layer::layer_fn(move |_: tonic::service::Routes| service.clone()))
        .add_routes(tonic::service::Routes::default())
        .serve_with_incoming_shutdown(incoming, stop)
        .await
        .map_err(Error::internal)?;
    tasks.close();
    tasks.wait().await;
    Ok(())
}
