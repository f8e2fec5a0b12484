//! What associations hold is given back, what fails is told once, and what stands still is ended.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a panic is how a test fails")]

mod support;

use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread;
use std::time::Duration;

use runtime::{Condition, EventKind, Held, Mta, QueueAlarm};
use support::{Node, events, free, pair, submit, until};

const OPERATIONS: &str = "S=operations;P=BETA;A= ;C=GB";

/// Waits until nothing at all is held.
async fn nothing_is_held(mta: &Mta) {
    let handle = mta.handle();
    until(async || (handle.resources().total == Held::default()).then_some(())).await;
    let resources = handle.resources();
    assert!(resources.connectors.iter().all(|holder| holder.held == Held::default()), "{resources:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_connector_holds_nothing_and_an_open_association_one_of_each() {
    let (mut a, mut b) = pair(false);
    for node in [&mut a, &mut b] {
        node.settings.connectors[0].association.lifetime_s = 1;
    }
    let (mta_a, mta_b) = (a.start().await, b.start().await);
    let at_a = mta_a.handle();
    submit(&at_a, OPERATIONS, &[0; 300_000]).await;
    until(async || (at_a.info().counters.transferred_out == 1).then_some(())).await;
    nothing_is_held(&mta_a).await;
    nothing_is_held(&mta_b).await;
    for mta in [&mta_a, &mta_b] {
        // The message and its report went over one association in each direction.
        let peak = mta.handle().resources().peak;
        assert!(peak.slots >= 1 && peak.tasks >= 1 && peak.sockets >= 1 && peak.timers >= 1, "{peak:?}");
        assert!(peak.octets > 0, "{peak:?}");
    }
    mta_a.stop().await;
    mta_b.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_is_told_attempt_by_attempt_and_its_end_once() {
    let (a, b) = pair(false);
    let mta_a = a.start().await;
    let at_a = mta_a.handle();
    submit(&at_a, OPERATIONS, b"later").await;
    until(async || (at_a.info().counters.failed_opens >= 3).then_some(())).await;
    let shown = at_a.connectors().remove(0);
    assert!(shown.failing_since.is_some() && shown.failed_attempts >= 3, "{shown:?}");
    let status = at_a.status();
    assert_eq!((status.condition, status.failing, status.queued), (Condition::Degraded, 1, Some(1)));
    assert!(status.reasons[0].contains("to-BETA"), "{:?}", status.reasons);
    for (kind, id) in [(EventKind::ConnectError, 4284), (EventKind::ConnectionNotOpened, 4287)] {
        let told: Vec<_> = at_a.events(0).into_iter().filter(|event| event.kind == kind).collect();
        assert_eq!(told[0].exchange_id, Some(id));
        // The first and the second are told; the third only counts.
        assert_eq!(told.len(), 2, "{told:?}");
        assert!(told[1].count.is_some_and(|count| count >= 3), "{told:?}");
    }
    let mta_b = b.start().await;
    until(async || events(&at_a, EventKind::LinkRecovered).pop()).await;
    until(async || (at_a.status().condition == Condition::Ready).then_some(())).await;
    assert_eq!(at_a.connectors().remove(0).failing_since, None);
    assert_eq!(events(&at_a, EventKind::LinkRecovered).len(), 1);
    mta_a.stop().await;
    mta_b.stop().await;
    assert_eq!(at_a.status().condition, Condition::Stopping);
}

/// A peer that accepts connections and does not get on with them, each of which is handed to `serve`.
fn peer(serve: impl Fn(std::net::TcpStream) + Clone + Send + 'static) -> std::net::SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for socket in listener.incoming().map_while(Result::ok) {
            let serve = serve.clone();
            thread::spawn(move || serve(socket));
        }
    });
    address
}

#[tokio::test(flavor = "multi_thread")]
async fn no_kind_of_failed_open_holds_anything() {
    let silent = peer(|mut socket| {
        let _ = socket.read_to_end(&mut Vec::new());
    });
    let garbage = peer(|mut socket| {
        let _ = socket.write_all(b"220 mail.example.net ESMTP\r\n");
        let _ = socket.read_to_end(&mut Vec::new());
    });
    let hangs_up = peer(drop);
    let refuses = free();
    for peer in [silent, garbage, hangs_up, refuses] {
        let (mut a, _) = pair(false);
        a.settings.connectors[0].hosts = vec![peer.to_string()];
        let mut config = a.config();
        config.limits.bind_timeout = Duration::from_millis(300);
        let mta = Mta::start(config).await.unwrap();
        let handle = mta.handle();
        let most = 20;
        for n in 1..=most {
            handle.connect("to-BETA", "anna").await.unwrap();
            until(async || (handle.info().counters.failed_opens >= n).then_some(())).await;
        }
        nothing_is_held(&mta).await;
        mta.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn callers_that_do_not_bind_take_nothing_that_is_reserved() {
    let (a, b) = pair(false);
    let mut config = a.config();
    // One connector with two places reserved: two are left for whoever calls.
    config.limits.max_associations = 4;
    let (mta_a, mta_b) = (Mta::start(config).await.unwrap(), b.start().await);
    let calls: Vec<_> = (0..10).map(|_| std::net::TcpStream::connect(a.p1).unwrap()).collect();
    let at_a = mta_a.handle();
    until(async || events(&at_a, EventKind::AssociationLimit).pop()).await;
    until(async || (at_a.resources().unbound.held.slots == 2).then_some(())).await;
    submit(&at_a, OPERATIONS, b"?").await;
    until(async || (at_a.info().counters.transferred_out == 1).then_some(())).await;
    drop(calls);
    until(async || (at_a.resources().unbound.held == Held::default()).then_some(())).await;
    mta_a.stop().await;
    mta_b.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_budget_that_runs_low_is_told_before_it_is_used_up() {
    let (_, b): (Node, Node) = pair(false);
    let mut config = b.config();
    config.limits.max_associations = 10;
    config.limits.reserved_associations = 0;
    let mta = Mta::start(config).await.unwrap();
    let handle = mta.handle();
    let calls: Vec<_> = (0..8).map(|_| std::net::TcpStream::connect(b.p1).unwrap()).collect();
    until(async || events(&handle, EventKind::ResourcesLow).pop()).await;
    assert_eq!(events(&handle, EventKind::AssociationLimit), [""; 0], "nothing was refused");
    assert_eq!(handle.status().condition, Condition::Degraded);
    drop(calls);
    until(async || events(&handle, EventKind::ResourcesRecovered).pop()).await;
    mta.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_queue_is_told_once_and_once_more_when_it_is_short_again() {
    let (a, b) = pair(false);
    let mut config = a.config();
    config.limits.outbound_queue_alarm = QueueAlarm { on: 3, off: 1 };
    let mta_a = Mta::start(config).await.unwrap();
    let at_a = mta_a.handle();
    at_a.freeze("to-BETA", "anna").await.unwrap();
    for _ in 0..5 {
        submit(&at_a, OPERATIONS, b"long").await;
    }
    let long = until(async || events(&at_a, EventKind::OutboundQueueLong).pop()).await;
    assert!(
        long.contains("5 messages wait") || long.contains("messages wait; the alarm is set at 3"),
        "{long}"
    );
    let mta_b = b.start().await;
    at_a.thaw("to-BETA", "anna").await.unwrap();
    until(async || events(&at_a, EventKind::OutboundQueueShort).pop()).await;
    assert_eq!(events(&at_a, EventKind::OutboundQueueLong).len(), 1);
    assert_eq!(events(&at_a, EventKind::WorkQueueLong), [""; 0], "it has no alarm");
    mta_a.stop().await;
    mta_b.stop().await;
}
