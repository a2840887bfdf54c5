//! A small TCP proxy that can swallow what the server answers.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// Forwards bytes both ways until it is told to swallow answers.
pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    swallow: Arc<AtomicBool>,
    swallowed: Arc<AtomicUsize>,
}

impl Proxy {
    /// Listens on a free port in front of `target`.
    pub(crate) async fn before(target: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let swallow = Arc::new(AtomicBool::new(false));
        let swallowed = Arc::new(AtomicUsize::new(0));
        let (flag, count) = (swallow.clone(), swallowed.clone());
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (flag, count) = (flag.clone(), count.clone());
                tokio::spawn(async move {
                    if let Ok(server) = TcpStream::connect(target).await {
                        forward(client, server, &flag, &count).await;
                    }
                });
            }
        });
        Self { address, swallow, swallowed }
    }

    /// From now on the server's answers are read and thrown away.
    pub(crate) fn swallow_answers(&self) {
        self.swallow.store(true, Ordering::SeqCst);
    }

    /// Bytes of answers thrown away.
    pub(crate) fn swallowed(&self) -> usize {
        self.swallowed.load(Ordering::SeqCst)
    }
}

async fn forward(client: TcpStream, server: TcpStream, swallow: &AtomicBool, swallowed: &AtomicUsize) {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let up = tokio::spawn(async move {
        let _ = tokio::io::copy(&mut from_client, &mut to_server).await;
    });
    let mut buffer = vec![0; 16 * 1024];
    while let Ok(n) = from_server.read(&mut buffer).await {
        if swallow.load(Ordering::SeqCst) {
            swallowed.fetch_add(n, Ordering::SeqCst);
        }
        let gone = n == 0 || (!swallow.load(Ordering::SeqCst) && to_client.write_all(&buffer[..n]).await.is_err());
        if gone {
            break;
        }
    }
    up.abort();
}
