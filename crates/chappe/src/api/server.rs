//! Connections of the API: accepted one by one, bounded in number, in the size of a request's head and in the time
//! it may take.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, oneshot, watch};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use super::gate::Gate;
use super::guard::Peer;

/// Connections at one time. More wait to be accepted.
const MAX_CONNECTIONS: usize = 128;
/// Longest request head: room for a submission to several hundred recipients.
const MAX_HEAD_OCTETS: usize = 256 << 10;
/// Most header fields of a request.
const MAX_HEADERS: usize = 64;
/// How long a request's head may take, and how long a connection may be idle.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a TLS handshake may take.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// Pause after the system refused a connection, as it does when descriptors run out.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// Serves `router`, over TLS with the certificate that `gate` has at the time if `is_secure`, until `stop` resolves; then the
/// listener is let go of, which `let_go` tells, and requests under way may still end.
pub(super) async fn serve(
    listener: Arc<TcpListener>,
    router: Router,
    gate: &Gate,
    is_secure: bool,
    mut stop: oneshot::Receiver<()>,
    let_go: oneshot::Sender<()>,
) {
    let slots = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let (closing, closed) = watch::channel(false);
    let mut connections = JoinSet::new();
    loop {
        let accepted = async {
            // The semaphore is never closed.
            let slot = Arc::clone(&slots).acquire_owned().await.ok();
            (slot, listener.accept().await)
        };
        let (slot, accepted) = tokio::select! {
            accepted = accepted => accepted,
            _ = &mut stop => break,
        };
        while connections.try_join_next().is_some() {}
        let (stream, peer) = match accepted {
            Ok((stream, peer)) => (stream, Peer(peer.ip())),
            Err(error) => {
                tracing::warn!("API: cannot accept a connection: {error}");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let (router, closed) = (router.clone(), closed.clone());
        let tls = gate.tls().filter(|_| is_secure).map(TlsAcceptor::from);
        if is_secure && tls.is_none() {
            // Never in the clear, whatever has become of the certificate.
            continue;
        }
        connections.spawn(async move {
            let _slot = slot;
            match tls {
                None => converse(stream, peer, router, closed).await,
                // Who does not come to an end with it, or speaks something else, is not worth a word.
                Some(tls) => {
                    if let Ok(Ok(stream)) = tokio::time::timeout(HANDSHAKE_TIMEOUT, tls.accept(stream)).await
                    {
                        converse(stream, peer, router, closed).await;
                    }
                }
            }
        });
    }
    drop(listener);
    // Who does not wait for it has gone.
    let _ = let_go.send(());
    closing.send_replace(true);
    while connections.join_next().await.is_some() {}
}

/// Answers the requests of one connection.
async fn converse<S>(stream: S, peer: Peer, router: Router, mut closed: watch::Receiver<bool>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let router = TowerToHyperService::new(router);
    let service = service_fn(move |mut request: hyper::Request<Incoming>| {
        request.extensions_mut().insert(peer);
        router.call(request)
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(MAX_HEAD_OCTETS)
        .max_headers(MAX_HEADERS)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    let closing = async move {
        // An error would say that the server itself is gone.
        drop(closed.wait_for(|closed| *closed).await);
    };
    // How a client's connection ended is its own affair.
    tokio::select! {
        _ = &mut connection => {}
        () = closing => {
            connection.as_mut().graceful_shutdown();
            let _ = connection.await;
        }
    }
}
