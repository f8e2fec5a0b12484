//! What must not stop a connector: a task that panics, a reload that nobody waits for.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a panic is how a test fails")]

mod support;

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::SystemTime;

use clock::WallTime;
use runtime::{Connection, EventKind, Incoming, Mta, World, WorldFuture};
use spool::MemorySpool;
use support::{events, pair, submit, until};

const OPERATIONS: &str = "S=operations;P=BETA;A= ;C=GB";

/// A network in which the first attempt to connect is a defect of the program, and every other is refused.
#[derive(Default)]
struct Defective {
    attempts: AtomicUsize,
}

impl World for Defective {
    fn wall(&self) -> WallTime {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
        WallTime::from_unix(since.as_secs() as i64)
    }

    fn secret(&self, number: u64) -> u64 {
        number
    }

    fn resolve<'a>(&'a self, host: &'a str, port: u16) -> WorldFuture<'a, Vec<SocketAddr>> {
        let address = SocketAddr::new(host.parse().unwrap(), port);
        Box::pin(async move { Ok(vec![address]) })
    }

    fn connect(&self, _address: SocketAddr, _from: Option<IpAddr>) -> WorldFuture<'_, Box<dyn Connection>> {
        assert!(self.attempts.fetch_add(1, Ordering::SeqCst) > 0, "the defect of this test");
        Box::pin(async { Err(io::ErrorKind::ConnectionRefused.into()) })
    }

    fn listen(&self, _address: SocketAddr) -> io::Result<Box<dyn Incoming>> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_attempt_that_panics_does_not_keep_its_place() {
    let (a, _) = pair(false);
    let config = runtime::RuntimeConfig { p1: Vec::new(), ..a.config() };
    let mta =
        Mta::start_in(config, Arc::new(MemorySpool::new()), Arc::new(Defective::default())).await.unwrap();
    let handle = mta.handle();
    submit(&handle, OPERATIONS, b"still waiting").await;
    // The second attempt is made, an open interval later, and fails as attempts do.
    until(async || (handle.info().counters.failed_opens >= 1).then_some(())).await;
    assert_eq!(events(&handle, EventKind::InternalError).len(), 1);
    assert_eq!(handle.queues().await.unwrap()[0].messages, Some(1));
    mta.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reload_that_nobody_waits_for_is_made_all_the_same() {
    let (mut a, _) = pair(false);
    let mta = a.start().await;
    let handle = mta.handle();
    a.settings.connectors[0].association.lifetime_s += 1;
    // Whoever asked goes away at once.
    tokio::select! {
        biased;
        // It may be through by the first look, in a thread of its own.
        _ = handle.reload(a.settings.clone()) => {}
        () = std::future::ready(()) => {}
    }
    let told = until(async || events(&handle, EventKind::ConfigurationReloaded).pop()).await;
    assert!(told.contains("changed: to-BETA"), "{told}");
    mta.stop().await;
}
