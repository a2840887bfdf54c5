//! The listening side: TLS, gRPC and gRPC-Web on one port, reflection, health.

use std::future::Future;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use linli_kit::{Error, Result};
use linli_proto::dev::clock_service_server::ClockServiceServer;
use tokio::net::TcpListener;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Identity, Server, ServerTlsConfig};

use crate::clock::Clock;
use crate::{Edge, Parts};

/// Certificate and key of the edge.
#[derive(Debug, Clone)]
pub struct TlsFiles {
    /// Certificate chain, PEM.
    pub certificate: PathBuf,
    /// Private key, PEM.
    pub key: PathBuf,
}

/// A gateway that listens.
#[derive(Debug)]
pub struct Listening {
    /// Where it listens.
    pub address: SocketAddr,
    listener: TcpListener,
    tls: Option<TlsFiles>,
}

impl Listening {
    /// Takes the port.
    ///
    /// # Errors
    /// When the address is in use, or is not loopback and there is no TLS.
    pub async fn bind(address: SocketAddr, tls: Option<TlsFiles>) -> Result<Self> {
        if tls.is_none() && !address.ip().is_loopback() {
            return Err(Error::internal(format!(
                "the gateway refuses to listen on {address} without TLS: set gateway.tls, or listen on 127.0.0.1"
            )));
        }
        let listener = TcpListener::bind(address)
            .await
            .map_err(|e| Error::internal(format!("the gateway cannot listen on {address}: {e}")))?;
        let address = listener.local_addr().map_err(Error::internal)?;
        Ok(Self { address, listener, tls })
    }
}

/// Serves until `stop` resolves, then lets open calls end.
///
/// # Errors
/// When TLS files cannot be read or the listener breaks.
pub async fn serve(listening: Listening, parts: Parts, stop: impl Future<Output = ()> + Send) -> Result<()> {
    let edge = Edge::new(parts.clone());
    let mut routes = tonic::service::Routes::builder();
    for v1alpha in [false, true] {
        let builder = tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(linli_proto::FILE_DESCRIPTOR_SET)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET);
        if v1alpha {
            routes.add_service(builder.build_v1alpha().map_err(Error::internal)?);
        } else {
            routes.add_service(builder.build_v1().map_err(Error::internal)?);
        }
    }
    let (reporter, health) = tonic_health::server::health_reporter();
    reporter.set_service_status("", tonic_health::ServingStatus::Serving).await;
    routes.add_service(health);
    if let Some(clock) = parts.manual_clock.clone().filter(|_| listening.address.ip().is_loopback()) {
        let clock = Clock { clock, verifier: parts.verifier.clone(), operators: parts.operators.clone() };
        routes.add_service(ClockServiceServer::new(clock));
    }
    // Everything that is not one service to the world goes through the edge.
    let mut router = routes.routes().prepare().into_axum_router();
    let forward = edge.clone();
    router = router.fallback_service(tower::service_fn(move |request: http::Request<_>| {
        let mut forward = forward.clone();
        async move { tower::Service::call(&mut forward, request.map(tonic::body::Body::new)).await }
    }));
    let mut server = Server::builder()
        .accept_http1(true)
        .max_concurrent_streams(256)
        .max_connection_age(Duration::from_secs(3600))
        .http2_max_header_list_size(32 * 1024)
        .http2_keepalive_interval(Some(Duration::from_secs(30)))
        .http2_keepalive_timeout(Some(Duration::from_secs(20)))
        .tcp_nodelay(true);
    if let Some(tls) = &listening.tls {
        let identity = Identity::from_pem(read(&tls.certificate)?, read(&tls.key)?);
        server = server.tls_config(ServerTlsConfig::new().identity(identity)).map_err(Error::internal)?;
    }
    let cleaning = tokio::spawn(async move {
        loop {
            tokio::time::sleep(Duration::from_secs(60)).await;
            edge.forget_quiet_subjects();
        }
    });
    let served = server
        .layer(cors())
        .layer(tonic_web::GrpcWebLayer::new())
        .add_routes(tonic::service::Routes::from(router))
        .serve_with_incoming_shutdown(TcpIncoming::from(listening.listener).with_nodelay(Some(true)), stop)
        .await;
    cleaning.abort();
    served.map_err(Error::internal)
}

/// Browsers may call from anywhere: the token, not the origin, says who calls, and no cookie is involved.
fn cors() -> tower_http::cors::CorsLayer {
    use http::HeaderName;
    let exposed = ["grpc-status", "grpc-message", "grpc-status-details-bin", "x-request-id"];
    tower_http::cors::CorsLayer::new()
        .allow_origin(tower_http::cors::Any)
        // Not `*`: that does not cover `authorization` (Fetch standard, CORS-preflight fetch).
        .allow_headers(tower_http::cors::AllowHeaders::mirror_request())
        .allow_methods([http::Method::POST])
        .expose_headers(exposed.map(HeaderName::from_static))
}

fn read(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).map_err(|e| Error::internal(format!("{}: {e}", path.display())))
}

/// Makes a self-signed certificate for `localhost` in `dir` unless one is there; for development only.
///
/// # Errors
/// When the files cannot be written.
pub fn dev_certificate(dir: &Path) -> Result<TlsFiles> {
    let files = TlsFiles { certificate: dir.join("dev-cert.pem"), key: dir.join("dev-key.pem") };
    if files.certificate.exists() && files.key.exists() {
        return Ok(files);
    }
    let names = ["localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()];
    let made = rcgen::generate_simple_self_signed(names).map_err(Error::internal)?;
    std::fs::create_dir_all(dir).map_err(Error::internal)?;
    std::fs::write(&files.certificate, made.cert.pem()).map_err(Error::internal)?;
    linli_kit::files::write_secret(&files.key, made.signing_key.serialize_pem().as_bytes())?;
    Ok(files)
}
