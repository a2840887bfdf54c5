//! What a browser does: gRPC-Web over TLS and HTTP/1.1, and the preflight before it.

use std::sync::Arc;

use linli::config::{Config, Tls};
use linli::suite::{Role, Suite};
use linli_harness::Engine;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use crate::wire::Rpc;

const ORIGIN: &str = "https://board.example";

/// An answer over HTTP/1.1.
struct Answer {
    status: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Answer {
    fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(n, _)| n == name).map_or("", |(_, value)| value)
    }

    fn read(bytes: &[u8]) -> Self {
        let end = bytes.windows(4).position(|w| w == b"\r\n\r\n").expect("a head");
        let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
        let mut lines = head.lines();
        let status = lines.next().expect("a status line").to_owned();
        let headers: Vec<(String, String)> = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
            .collect();
        let rest = &bytes[end + 4..];
        let chunked = headers.iter().any(|(name, value)| name == "transfer-encoding" && value == "chunked");
        Self { status, headers, body: if chunked { unchunked(rest) } else { rest.to_vec() } }
    }

    /// The frames of gRPC-Web: flags and content.
    fn frames(&self) -> Vec<(u8, Vec<u8>)> {
        let (mut frames, mut rest) = (Vec::new(), self.body.as_slice());
        while let [flags, a, b, c, d, more @ ..] = rest {
            let (frame, behind) = more.split_at(u32::from_be_bytes([*a, *b, *c, *d]) as usize);
            frames.push((*flags, frame.to_vec()));
            rest = behind;
        }
        assert!(rest.is_empty(), "the body is frames and nothing else");
        frames
    }
}

fn unchunked(mut rest: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    loop {
        let line = rest.windows(2).position(|w| w == b"\r\n").expect("a chunk's size");
        let size = usize::from_str_radix(std::str::from_utf8(&rest[..line]).expect("ASCII"), 16).expect("a size");
        if size == 0 {
            return body;
        }
        body.extend_from_slice(&rest[line + 2..line + 2 + size]);
        rest = &rest[line + 4 + size..];
    }
}

/// A suite behind TLS, with the certificate that it made for this machine.
struct Site {
    suite: Suite,
    tls: TlsConnector,
    _dir: tempfile::TempDir,
}

impl Site {
    async fn start() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let mut config = Config::embedded(dir.path()).expect("the defaults");
        config.tls = Tls::Development;
        config.store.engine = linli_harness::database(Engine::Sqlite, dir.path()).await.expect("a database");
        let suite = Suite::start(&config, &Role::all()).await.expect("the suite starts");
        let mut roots = RootCertStore::empty();
        let certificate = suite.certificate.as_ref().expect("a certificate");
        roots.add(CertificateDer::from_pem_file(certificate).expect("PEM")).expect("a certificate");
        let tls = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_root_certificates(roots)
            .with_no_client_auth();
        Self { suite, tls: TlsConnector::from(Arc::new(tls)), _dir: dir }
    }

    async fn ask(&self, head: &str, body: &[u8]) -> Answer {
        let address = self.suite.gateway.expect("a gateway");
        let plain = tokio::net::TcpStream::connect(address).await.expect("the gateway listens");
        let name = ServerName::try_from("localhost").expect("a name");
        let mut stream = self.tls.connect(name, plain).await.expect("TLS");
        let length = body.len();
        let request = format!(
            "{head}host: localhost\r\norigin: {ORIGIN}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n"
        );
        stream.write_all(&[request.as_bytes(), body].concat()).await.expect("sends");
        let mut answer = Vec::new();
        // A server that closes without a close_notify is an error to rustls; what came is whole all the same.
        let _ = stream.read_to_end(&mut answer).await;
        Answer::read(&answer)
    }

    async fn call(&self, rpc: &Rpc, message: &[u8], token: Option<&str>) -> Answer {
        let auth = token.map_or_else(String::new, |token| format!("authorization: Bearer {token}\r\n"));
        let head = format!(
            "POST {} HTTP/1.1\r\ncontent-type: application/grpc-web+proto\r\nx-grpc-web: 1\r\n{auth}",
            rpc.info.path
        );
        let length = u32::try_from(message.len()).expect("a small message");
        self.ask(&head, &[&[0], &length.to_be_bytes()[..], message].concat()).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_asks_first_then_calls_over_tls_and_reads_message_and_trailers() {
    let site = Site::start().await;
    let rpc = Rpc::of("org.ListAreas");
    let preflight = site
        .ask(
            &format!(
                "OPTIONS {} HTTP/1.1\r\naccess-control-request-method: POST\r\n\
                 access-control-request-headers: authorization,content-type,x-grpc-web\r\n",
                rpc.info.path
            ),
            b"",
        )
        .await;
    assert!(preflight.status.contains(" 200 "), "{}", preflight.status);
    assert_eq!(preflight.header("access-control-allow-origin"), "*");
    assert!(preflight.header("access-control-allow-methods").contains("POST"));
    let allowed = preflight.header("access-control-allow-headers");
    for header in ["authorization", "content-type", "x-grpc-web"] {
        assert!(allowed.contains(header), "{header} in {allowed:?}: a star does not cover authorization");
    }

    let token = site.suite.token("systems/operator").expect("a token");
    let answer = site.call(rpc, &rpc.encode(&json!({"page_size": 5})), Some(&token)).await;
    assert!(answer.status.contains(" 200 "), "{}", answer.status);
    assert_eq!(answer.header("content-type"), "application/grpc-web+proto");
    assert_eq!(answer.header("access-control-allow-origin"), "*");
    assert!(answer.header("access-control-expose-headers").contains("grpc-status"));
    let frames = answer.frames();
    let [(0, message), (0x80, trailers)] = frames.as_slice() else { panic!("a message, then trailers: {frames:?}") };
    assert_eq!(rpc.decode(message)["areas"], json!([]));
    let trailers = String::from_utf8_lossy(trailers).replace(": ", ":");
    assert!(trailers.lines().any(|line| line == "grpc-status:0"), "{trailers:?}");

    let refused = site.call(rpc, &[], None).await;
    assert!(refused.status.contains(" 200 "), "a refusal is an answer of gRPC: {}", refused.status);
    assert_eq!(refused.header("content-type"), "application/grpc-web+proto");
    assert_eq!(refused.header("grpc-status"), "16");
    site.suite.stop().await;
}
