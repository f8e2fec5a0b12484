//! Attempts to open associations: what counts as a failure of the peer, what ends an attempt, and how many are made.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a panic is how a test fails")]

mod support;

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};

use agent::settings::{Activation, Schedule};
use clock::WallTime;
use mhs::MtaName;
use runtime::{Connection, EventKind, Held, Incoming, Mta, Role, RuntimeConfig, World, WorldFuture};
use spool::MemorySpool;
use support::{events, pair, submit, until};

const OPERATIONS: &str = "S=operations;P=BETA;A= ;C=GB";

/// The place is ours and so is the lack of it: nothing that waits has seen a failed open by it.
#[tokio::test(flavor = "multi_thread")]
async fn without_a_place_the_peer_is_not_called_and_has_not_failed() {
    let (a, b) = pair(false);
    let mut config = a.config();
    (config.limits.max_associations, config.limits.reserved_associations) = (1, 0);
    let (mta_a, mta_b) = (Mta::start(config).await.unwrap(), b.start().await);
    let at_a = mta_a.handle();
    let call = std::net::TcpStream::connect(a.p1).unwrap();
    until(async || (at_a.resources().unbound.held.slots == 1).then_some(())).await;
    submit(&at_a, OPERATIONS, b"?").await;
    let is_told = |e: &runtime::Event| e.kind == EventKind::AssociationLimit && e.subject == "to-BETA";
    until(async || at_a.events(0).into_iter().find(is_told)).await;
    let shown =
        until(async || at_a.connectors().into_iter().find(|shown| shown.last_failure.is_some())).await;
    assert_eq!((shown.failing_since, shown.consecutive_failures, shown.failed_attempts), (None, 0, 0));
    assert_eq!((at_a.status().failing, at_a.info().counters.failed_opens), (0, 0));
    drop(call);
    until(async || (at_a.info().counters.transferred_out == 1).then_some(())).await;
    mta_a.stop().await;
    mta_b.stop().await;
}

/// The peer sees the address that is set, after a reload the new one; one that this machine has not is told.
#[tokio::test(flavor = "multi_thread")]
async fn a_connector_connects_from_its_local_address() {
    let (mut a, b) = pair(false);
    let (mta_a, mta_b) = (a.start().await, b.start().await);
    let (at_a, at_b) = (mta_a.handle(), mta_b.handle());
    for (sent, local) in ["127.0.0.2", "127.0.0.3"].into_iter().enumerate() {
        a.settings.connectors[0].local_address = Some(local.parse().unwrap());
        at_a.reload(a.settings.clone()).await.unwrap();
        submit(&at_a, OPERATIONS, b"from there").await;
        until(async || (at_a.info().counters.transferred_out == sent as u64 + 1).then_some(())).await;
        let callers: Vec<String> = at_b.associations().into_iter().map(|open| open.peer).collect();
        assert!(callers.iter().any(|peer| peer.starts_with(&format!("{local}:"))), "{local}: {callers:?}");
    }
    a.settings.connectors[0].local_address = Some("192.0.2.1".parse().unwrap());
    at_a.reload(a.settings.clone()).await.unwrap();
    submit(&at_a, OPERATIONS, b"from nowhere").await;
    let told = until(async || events(&at_a, EventKind::ConnectError).pop()).await;
    assert!(told.contains("local_address 192.0.2.1 can't be used"), "{told}");
    mta_a.stop().await;
    mta_b.stop().await;
}

/// It has nothing to send, so it tries nothing; nobody knows whether it would still fail.
#[tokio::test(flavor = "multi_thread")]
async fn a_connector_that_has_nothing_to_try_does_not_fail_for_ever() {
    let (a, _) = pair(false);
    let mta = a.start().await;
    let handle = mta.handle();
    handle.connect("to-BETA", "anna").await.unwrap();
    until(async || (handle.status().failing == 1).then_some(())).await;
    until(async || (handle.status().failing == 0).then_some(())).await;
    let shown = handle.connectors().remove(0);
    assert_eq!((shown.state.as_str(), shown.failing_since, shown.failed_attempts), ("ready", None, 0));
    assert!(shown.last_failure.is_some(), "what it was is still to be seen");
    mta.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_threshold_beyond_the_window_of_a_queue_is_reached() {
    const MESSAGES: u32 = 4_200;
    let (mut a, b) = pair(false);
    let connector = &mut a.settings.connectors[0];
    connector.association.threshold_messages = MESSAGES - 1;
    connector.association.max_associations = 3;
    let mta_a = a.start_in_memory().await;
    let at_a = mta_a.handle();
    for _ in 0..MESSAGES {
        submit(&at_a, OPERATIONS, b"one of many").await;
    }
    until(async || (at_a.status().queued == Some(u64::from(MESSAGES))).then_some(())).await;
    let mta_b = b.start_in_memory().await;
    let ours = || at_a.associations().into_iter().filter(|open| open.role == Role::Initiator).count();
    until(async || (ours() >= 2).then_some(())).await;
    mta_a.stop().await;
    mta_b.stop().await;
}

/// All that waits for a link that fails goes over another, of which little is told, and the first one that fails as well gives
/// nothing back to it.
#[tokio::test(flavor = "multi_thread")]
async fn many_that_are_rerouted_are_few_events() {
    const MESSAGES: u64 = 40;
    let [silent, other] = [(); 2].map(|()| std::net::TcpListener::bind("127.0.0.1:0").unwrap());
    let (mut a, _) = pair(false);
    a.settings.connectors[0].hosts = vec![silent.local_addr().unwrap().to_string()];
    a.settings.connectors[0].retry.open_interval_s = 3_600;
    let mut second = a.settings.connectors[0].clone();
    (second.name, second.remote_mta) = ("second".to_owned(), MtaName::new("BETA-2").unwrap());
    second.hosts = vec![other.local_addr().unwrap().to_string()];
    second.address_space[0].cost = 50;
    second.retry.open_interval_s = 1;
    a.settings.connectors.push(second);
    let mta = a.start_in_memory().await;
    let handle = mta.handle();
    for _ in 0..MESSAGES {
        submit(&handle, OPERATIONS, b"?").await;
    }
    until(async || (handle.status().queued == Some(MESSAGES)).then_some(())).await;
    drop(silent);
    until(async || (events(&handle, EventKind::Rerouted).len() == 6).then_some(())).await;
    drop(other);
    // The second fails again and again, while the first one waits for an hour.
    until(async || (handle.info().counters.failed_opens >= 4).then_some(())).await;
    let queues = handle.queues().await.unwrap();
    let queued: Vec<_> = queues.iter().map(|queue| (queue.connector.as_str(), queue.messages)).collect();
    assert_eq!(queued, [("second", Some(MESSAGES)), ("to-BETA", Some(0))]);
    let rerouted: Vec<_> =
        handle.events(0).into_iter().filter(|event| event.kind == EventKind::Rerouted).collect();
    assert_eq!(rerouted.iter().filter_map(|event| event.count).max(), Some(MESSAGES));
    // The first is told, and then each time that there are twice as many.
    assert_eq!(rerouted.len(), 6, "{rerouted:?}");
    mta.stop().await;
}

/// A network in which no attempt to connect ever ends, and a clock that can be set.
#[derive(Default)]
struct Swallowing {
    wall: AtomicI64,
    attempts: AtomicUsize,
}

impl World for Swallowing {
    fn wall(&self) -> WallTime {
        WallTime::from_unix(self.wall.load(Ordering::SeqCst))
    }

    fn secret(&self, number: u64) -> u64 {
        number
    }

    fn resolve<'a>(&'a self, host: &'a str, port: u16) -> WorldFuture<'a, Vec<SocketAddr>> {
        let address = SocketAddr::new(host.parse().unwrap(), port);
        Box::pin(async move { Ok(vec![address]) })
    }

    fn connect(&self, _address: SocketAddr, _from: Option<IpAddr>) -> WorldFuture<'_, Box<dyn Connection>> {
        self.attempts.fetch_add(1, Ordering::SeqCst);
        Box::pin(std::future::pending())
    }

    fn listen(&self, _address: SocketAddr) -> io::Result<Box<dyn Incoming>> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

#[tokio::test(start_paused = true)]
async fn an_attempt_ends_with_the_selected_time_and_is_no_failure() {
    // A Monday at noon, and an hour later.
    const NOON: i64 = 1_767_614_400;
    let mut schedule = Schedule::default();
    schedule.select("Mon 12:00-13:00").unwrap();
    let (mut a, _) = pair(false);
    a.settings.connectors[0].activation = Activation::SelectedTimes(schedule);
    let mut config = RuntimeConfig { p1: Vec::new(), ..a.config() };
    // Nothing else ends the attempt in the time of this test.
    config.limits.connect_timeout = std::time::Duration::from_secs(100_000);
    let world = Arc::new(Swallowing { wall: AtomicI64::new(NOON), ..Swallowing::default() });
    let mta = Mta::start_in(config, Arc::new(MemorySpool::new()), world.clone()).await.unwrap();
    let handle = mta.handle();
    submit(&handle, OPERATIONS, b"too late").await;
    while world.attempts.load(Ordering::SeqCst) == 0 {
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    }
    assert_eq!(handle.resources().total.slots, 1);
    world.wall.store(NOON + 3_600, Ordering::SeqCst);
    tokio::time::sleep(std::time::Duration::from_secs(120)).await;
    assert_eq!(handle.resources().total, Held::default());
    let shown = handle.connectors().remove(0);
    assert_eq!(
        (shown.state.as_str(), shown.failing_since, shown.consecutive_failures),
        ("scheduled", None, 0)
    );
    assert_eq!(handle.info().counters.failed_opens, 0);
    mta.stop().await;
}
