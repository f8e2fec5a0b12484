//! Listeners that a reload adds, moves and removes while mail flows.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a panic is how a test fails")]

mod support;

use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use clock::WallTime;
use runtime::{Connection, EventKind, Incoming, Mta, ReloadError, World, WorldFuture};
use spool::MemorySpool;
use support::{events, free, pair, submit, until};

const OPERATIONS: &str = "S=operations;P=BETA;A= ;C=GB";

/// Whether somebody is there who takes part in the conversation: who is only let in by the system hears nothing.
fn is_listening(address: SocketAddr) -> bool {
    TcpStream::connect(address).is_ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listener_moves_while_mail_flows_and_associations_live_on() {
    let (mut a, b) = pair(false);
    let (mta_a, mta_b) = (a.start().await, b.start().await);
    let (at_a, at_b) = (mta_a.handle(), mta_b.handle());
    submit(&at_a, OPERATIONS, b"before").await;
    until(async || (at_a.info().counters.transferred_out == 1).then_some(())).await;
    let association = at_b.associations().remove(0);

    let moved = free();
    let both = at_b.reload_listening(b.settings.clone(), vec![b.p1, moved]).await.unwrap();
    assert_eq!((both.listens, both.listens_no_more), (vec![moved], vec![]));
    assert!(is_listening(b.p1) && is_listening(moved));
    let summary = at_b.reload_listening(b.settings.clone(), vec![moved]).await.unwrap();
    assert_eq!((&summary.listens, &summary.listens_no_more), (&vec![], &vec![b.p1]));
    assert!(summary.to_string().contains(&format!("no more at {}", b.p1)), "{summary}");
    assert_eq!(at_b.p1_addresses().await, [moved]);
    assert!(!is_listening(b.p1) && is_listening(moved));

    // What came in at the old address is as it was, and mail flows over it.
    submit(&at_a, OPERATIONS, b"after").await;
    until(async || (at_a.info().counters.transferred_out == 2).then_some(())).await;
    assert_eq!(at_a.info().counters.failed_opens, 0);
    let same = |shown: &runtime::AssociationStatus| shown.id == association.id;
    assert!(at_b.associations().iter().any(same), "{:?}", at_b.associations());

    // New ones come in at the new address.
    a.settings.connectors[0].hosts = vec![moved.to_string()];
    at_a.reload(a.settings.clone()).await.unwrap();
    submit(&at_a, OPERATIONS, b"at the new address").await;
    until(async || (at_a.info().counters.transferred_out == 3).then_some(())).await;
    assert_eq!(at_a.info().counters.failed_opens, 0);
    // A reload that says nothing of addresses leaves them.
    at_b.reload(b.settings.clone()).await.unwrap();
    assert_eq!(at_b.p1_addresses().await, [moved]);
    for handle in [&at_a, &at_b] {
        assert_eq!(events(handle, EventKind::InternalError), [""; 0]);
    }
    mta_a.stop().await;
    mta_b.stop().await;
    assert!(!is_listening(moved));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_that_cant_be_had_leaves_listeners_and_settings_as_they_were() {
    let (mut a, _) = pair(false);
    let mta = a.start().await;
    let handle = mta.handle();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let (other, held) = (free(), taken.local_addr().unwrap());
    a.settings.connectors[0].association.lifetime_s += 1;
    let refused = handle.reload_listening(a.settings.clone(), vec![other, held]).await.unwrap_err();
    assert!(matches!(refused, ReloadError::Listen(_)), "{refused:?}");
    assert!(refused.to_string().starts_with(&format!("can't listen for P1 on {held}: ")), "{refused}");
    assert_eq!(handle.p1_addresses().await, [a.p1]);
    assert!(is_listening(a.p1) && !is_listening(other));
    let lifetime = |settings: &agent::AgentSettings| settings.connectors[0].association.lifetime_s;
    assert_eq!(handle.settings(lifetime) + 1, lifetime(&a.settings));
    drop(taken);
    handle.reload_listening(a.settings.clone(), vec![other, held]).await.unwrap();
    assert_eq!(handle.settings(lifetime), lifetime(&a.settings));
    assert!(!is_listening(a.p1) && is_listening(other) && is_listening(held));
    mta.stop().await;
}

/// The address is another, the port the same: one can't be listened on beside the other.
#[tokio::test(flavor = "multi_thread")]
async fn the_old_listener_steps_aside_for_the_new_and_comes_back_if_that_is_in_vain() {
    let (a, _) = pair(false);
    let mta = a.start().await;
    let handle = mta.handle();
    let any = SocketAddr::new("0.0.0.0".parse().unwrap(), a.p1.port());
    let beside = SocketAddr::new("127.0.0.3".parse().unwrap(), a.p1.port());
    let taken = TcpListener::bind(beside).unwrap();
    let refused = handle.reload_listening(a.settings.clone(), vec![any]).await;
    assert!(matches!(refused, Err(ReloadError::Listen(_))), "{refused:?}");
    assert!(is_listening(a.p1));
    drop(taken);
    let summary = handle.reload_listening(a.settings.clone(), vec![any]).await.unwrap();
    assert_eq!((summary.listens, summary.listens_no_more), (vec![any], vec![a.p1]));
    assert!(is_listening(a.p1) && is_listening(beside));
    handle.reload_listening(a.settings.clone(), vec![a.p1]).await.unwrap();
    assert!(is_listening(a.p1) && !is_listening(beside));
    assert_eq!(events(&handle, EventKind::ListenerLost), [""; 0]);
    mta.stop().await;
}

/// Whoever has connected before the listener goes is let in, though nobody has accepted him yet.
#[tokio::test]
async fn who_waits_at_a_listener_that_goes_is_let_in() {
    let (a, _) = pair(false);
    let mta = a.start().await;
    let handle = mta.handle();
    let waiting: Vec<TcpStream> = (0..20).map(|_| TcpStream::connect(a.p1).unwrap()).collect();
    handle.reload_listening(a.settings.clone(), Vec::new()).await.unwrap();
    assert!(!is_listening(a.p1));
    until(async || (handle.resources().unbound.held.slots == 20).then_some(())).await;
    drop(waiting);
    until(async || (handle.resources().unbound.held.slots == 0).then_some(())).await;
    mta.stop().await;
}

/// A network in which nobody calls, and in which so many attempts to listen fail after the first.
#[derive(Default)]
struct Crowded {
    attempts: AtomicUsize,
    fail: AtomicUsize,
}

struct Silence(SocketAddr);

impl Incoming for Silence {
    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.0)
    }

    fn poll_accept(&self, _: &mut Context<'_>) -> Poll<io::Result<(Box<dyn Connection>, SocketAddr)>> {
        Poll::Pending
    }
}

impl World for Crowded {
    fn wall(&self) -> WallTime {
        WallTime::from_unix(1_790_000_000)
    }

    fn secret(&self, number: u64) -> u64 {
        number
    }

    fn resolve<'a>(&'a self, _: &'a str, _: u16) -> WorldFuture<'a, Vec<SocketAddr>> {
        Box::pin(async { Err(io::ErrorKind::NotFound.into()) })
    }

    fn connect(&self, _: SocketAddr, _: Option<IpAddr>) -> WorldFuture<'_, Box<dyn Connection>> {
        Box::pin(async { Err(io::ErrorKind::ConnectionRefused.into()) })
    }

    fn listen(&self, address: SocketAddr) -> io::Result<Box<dyn Incoming>> {
        self.attempts.fetch_add(1, Ordering::SeqCst);
        match self.fail.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)) {
            Ok(_) => Err(io::ErrorKind::AddrInUse.into()),
            Err(_) => Ok(Box::new(Silence(address))),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_port_that_is_lost_on_the_way_is_had_again_as_soon_as_it_can_be() {
    let (a, _) = pair(false);
    let world = Arc::new(Crowded::default());
    let mta = Mta::start_in(a.config(), Arc::new(MemorySpool::new()), world.clone()).await.unwrap();
    let handle = mta.handle();
    // The attempt to listen elsewhere, the attempt to come back, and four more of these.
    world.fail.store(6, Ordering::SeqCst);
    let any = SocketAddr::new("0.0.0.0".parse().unwrap(), a.p1.port());
    let refused = handle.reload_listening(a.settings.clone(), vec![any]).await;
    assert!(matches!(refused, Err(ReloadError::Listen(_))), "{refused:?}");
    assert_eq!(handle.p1_addresses().await, []);
    assert_eq!(events(&handle, EventKind::ListenerLost).len(), 1);
    let began = tokio::time::Instant::now();
    until(async || (handle.p1_addresses().await == [a.p1]).then_some(())).await;
    let took = began.elapsed().as_secs();
    assert_eq!(
        (world.attempts.load(Ordering::SeqCst), took),
        (8, 25),
        "no more often than every five seconds"
    );
    mta.stop().await;
}
