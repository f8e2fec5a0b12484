//! Opens that fail in every way a peer has: they use up nothing, and harm nobody else.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a panic is how a test fails")]

mod support;

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use runtime::{EventKind, Mta};
use support::{address, events, free, pair, submit, until};

const OPERATIONS: &str = "S=operations;P=BETA;A= ;C=GB";
/// Failed opens; many times more than there is room for associations.
const FAILURES: usize = 120;
const ROOM: usize = 3;

/// What a peer does with a connection, one after the other.
fn misbehave(number: usize, mut socket: TcpStream) {
    let mut buffer = [0; 4096];
    // What a class 0 peer confirms a connection with: CC, our reference 1.
    let confirm = |request: &[u8]| {
        let source: [u8; 2] = request.get(8..10).unwrap_or(&[0, 0]).try_into().unwrap();
        [&[3, 0, 0, 11, 6, 0xD0][..], &source, &[0, 1, 0]].concat()
    };
    match number % 6 {
        // Gone at once.
        0 => {}
        // Garbage instead of a TPKT, and a TPKT of an illegal length.
        1 => drop(socket.write_all(b"220 mail.example ESMTP\r\n")),
        2 => drop(socket.write_all(&[3, 0, 0, 3])),
        // A refused transport connection (DR).
        3 => {
            let _ = socket.read(&mut buffer);
            drop(socket.write_all(&[3, 0, 0, 11, 6, 0x80, 0, 1, 0, 0, 0]));
        }
        // A transport connection, then nonsense where a session should be.
        4 => {
            let count = socket.read(&mut buffer).unwrap_or(0);
            drop(socket.write_all(&confirm(&buffer[..count])));
            drop(socket.write_all(&[3, 0, 0, 9, 2, 0xF0, 0x80, 0xFF, 0xFF]));
        }
        // The same, then gone in the middle of a packet.
        _ => {
            let count = socket.read(&mut buffer).unwrap_or(0);
            drop(socket.write_all(&confirm(&buffer[..count])));
            drop(socket.write_all(&[3, 0, 0, 100, 2]));
        }
    }
    // Until the other end has heard it.
    let _ = socket.set_read_timeout(Some(Duration::from_millis(200)));
    while !number.is_multiple_of(6) && socket.read(&mut buffer).is_ok_and(|count| count > 0) {}
}

#[tokio::test(flavor = "multi_thread")]
async fn opens_that_fail_in_any_way_use_up_nothing() {
    let (mut a, b) = pair(false);
    a.settings.connectors[0].retry.open_interval_s = 86_400;
    a.settings.connectors[0].retry.max_open_retries = 10_000;
    let mut config = a.config();
    config.limits.max_associations = ROOM;
    let listener = TcpListener::bind(b.p1).unwrap();
    let over = Arc::new(AtomicBool::new(false));
    let peer = thread::spawn({
        let over = Arc::clone(&over);
        move || {
            for number in 0.. {
                let (socket, _) = listener.accept().unwrap();
                if over.load(Ordering::Relaxed) {
                    return;
                }
                misbehave(number, socket);
            }
        }
    });
    let mta_a = Mta::start(config).await.unwrap();
    let at_a = mta_a.handle();
    submit(&at_a, OPERATIONS, b"patience").await;
    for failed in 1..=FAILURES {
        until(async || (at_a.info().counters.failed_opens >= failed as u64).then_some(())).await;
        at_a.connect("to-BETA", "anna").await.unwrap();
    }
    over.store(true, Ordering::Relaxed);
    drop(TcpStream::connect(b.p1));
    peer.join().unwrap();
    // One that has run out of room says so, and never opens again.
    assert_eq!(events(&at_a, EventKind::AssociationLimit), [""; 0]);
    assert_eq!(events(&at_a, EventKind::InternalError), [""; 0]);
    let mta_b = b.start().await;
    let operations = address(OPERATIONS);
    until(async || {
        at_a.connect("to-BETA", "anna").await.unwrap();
        tokio::time::sleep(Duration::from_millis(50)).await;
        mta_b.handle().mailbox(&operations, None, 10).await.unwrap().pop()
    })
    .await;
    // Its own, and the one for the report.
    assert!(at_a.associations().len() <= 2, "{:?}", at_a.associations());
    mta_a.stop().await;
    mta_b.stop().await;
}

/// Two connectors: one to a peer that takes connections and says nothing, one to a peer that is well.
#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_says_nothing_holds_up_no_other() {
    let (mut a, b) = pair(false);
    let silent = TcpListener::bind(free()).unwrap();
    let mut other = a.settings.connectors[0].clone();
    other.name = "to-GAMMA".to_owned();
    other.remote_mta = mhs::MtaName::new("GAMMA").unwrap();
    other.hosts = vec![silent.local_addr().unwrap().to_string()];
    other.address_space[0].space = mhs::AddressPattern::parse("P=GAMMA;A= ;C=GB").unwrap();
    a.settings.connectors.push(other);
    let (mta_a, mta_b) = (a.start().await, b.start().await);
    let at_a = mta_a.handle();
    for n in 0..20 {
        submit(&at_a, "S=x;P=GAMMA;A= ;C=GB", b"to nobody").await;
        submit(&at_a, OPERATIONS, format!("{n}").as_bytes()).await;
    }
    let operations = address(OPERATIONS);
    let all = async || mta_b.handle().mailbox(&operations, None, 100).await.unwrap().len() == 20;
    until(async || all().await.then_some(())).await;
    let queues = at_a.queues().await.unwrap();
    let waiting =
        |name: &str| queues.iter().find(|queue| queue.connector == name).and_then(|queue| queue.messages);
    assert_eq!(waiting("to-GAMMA"), Some(20));
    mta_a.stop().await;
    mta_b.stop().await;
}
