//! What dies of a defect and takes nothing with it: associations, with what they had in hand, and the tasks that an MTA
//! consists of.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a panic is how a test fails, and what is tested")]

mod support;

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::SystemTime;

use agent::record::{OUTBOUND, QUARANTINE};
use clock::WallTime;
use runtime::{Connection, EventKind, Incoming, Mta, World, WorldFuture};
use spool::{MemorySpool, Spool};
use support::store::{Twist, Twisted};
use support::{address, content_of, events, octets, pair, submit, until};

const OPERATIONS: &str = "S=operations;P=BETA;A= ;C=GB";

/// A store in which so many reads of contents of one length, and so many beginnings of contents, are defects.
#[derive(Default)]
struct Defective {
    length: u64,
    reads: AtomicUsize,
    begins: AtomicUsize,
}

fn is_left(count: &AtomicUsize) -> bool {
    count.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok()
}

impl Twist for Defective {
    fn begin_body(&self) {
        assert!(!is_left(&self.begins), "the defect of this test");
    }

    fn read_body(&self, length: u64) {
        if length == self.length {
            assert!(!is_left(&self.reads), "the defect of this test");
        }
    }
}

/// A network whose listening socket is a defect for the first so many looks, and on which nobody ever calls.
struct Doors {
    left: Arc<AtomicUsize>,
    looks: Arc<AtomicUsize>,
}

impl World for Doors {
    fn wall(&self) -> WallTime {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
        WallTime::from_unix(since.as_secs() as i64)
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
        let (left, looks) = (Arc::clone(&self.left), Arc::clone(&self.looks));
        Ok(Box::new(Door { address, left, looks }))
    }
}

struct Door {
    address: SocketAddr,
    left: Arc<AtomicUsize>,
    looks: Arc<AtomicUsize>,
}

impl Incoming for Door {
    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.address)
    }

    fn poll_accept(&self, _: &mut Context<'_>) -> Poll<io::Result<(Box<dyn Connection>, SocketAddr)>> {
        assert!(!is_left(&self.left), "the defect of this test");
        self.looks.fetch_add(1, Ordering::SeqCst);
        Poll::Pending
    }
}

async fn behind_a_door(defects: usize) -> (Mta, Arc<AtomicUsize>) {
    let (a, _) = pair(false);
    let looks = Arc::new(AtomicUsize::new(0));
    let doors = Doors { left: Arc::new(AtomicUsize::new(defects)), looks: Arc::clone(&looks) };
    let mta = Mta::start_in(a.config(), Arc::new(MemorySpool::new()), Arc::new(doors)).await.unwrap();
    (mta, looks)
}

#[tokio::test(start_paused = true)]
async fn a_listener_that_dies_listens_again() {
    let (mta, looks) = behind_a_door(3).await;
    until(async || (looks.load(Ordering::SeqCst) > 0).then_some(())).await;
    let told = events(&mta.handle(), EventKind::InternalError);
    assert!(told.iter().all(|text| text.contains("the task listener died")), "{told:?}");
    mta.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_listener_that_always_dies_ends_the_service() {
    let (mta, looks) = behind_a_door(usize::MAX).await;
    let why = mta.surrendered().await;
    assert!(why.contains("listener has died 5 times"), "{why}");
    assert_eq!(looks.load(Ordering::SeqCst), 0);
    mta.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_apdu_that_brings_out_a_defect_ends_its_association_only() {
    let (a, b) = pair(false);
    let mta_a = a.start().await;
    let store = Twisted::new(Defective { begins: AtomicUsize::new(1), ..Defective::default() });
    let mta_b = b.start_on(store).await;
    submit(&mta_a.handle(), OPERATIONS, &octets(100)).await;
    let (at_b, operations) = (mta_b.handle(), address(OPERATIONS));
    until(async || at_b.mailbox(&operations, None, 10).await.unwrap().into_iter().next()).await;
    let told = events(&at_b, EventKind::InternalError);
    assert!(told.iter().any(|text| text.contains("can't be taken: a panic: the defect")), "{told:?}");
    assert_eq!(told.len(), 1);
    mta_a.stop().await;
    mta_b.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_association_had_in_hand_when_it_panicked_is_tried_again() {
    let (a, b) = pair(false);
    let store = Twisted::new(Defective { length: 4321, reads: AtomicUsize::new(1), ..Defective::default() });
    let mta_a = a.start_on(store).await;
    let mta_b = b.start().await;
    submit(&mta_a.handle(), OPERATIONS, &octets(4321)).await;
    let at_b = mta_b.handle();
    let operations = address(OPERATIONS);
    let entry = until(async || at_b.mailbox(&operations, None, 10).await.unwrap().into_iter().next()).await;
    assert_eq!(content_of(&at_b, entry).await, octets(4321));
    let told = events(&mta_a.handle(), EventKind::InternalError);
    assert!(told.iter().any(|text| text.contains("the defect of this test")), "{told:?}");
    mta_a.stop().await;
    mta_b.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_ends_three_associations_by_a_panic_is_quarantined_and_others_flow() {
    let (a, b) = pair(false);
    let store =
        Twisted::new(Defective { length: 4321, reads: AtomicUsize::new(1_000), ..Defective::default() });
    let mta_a = a.start_on(store.clone()).await;
    let mta_b = b.start().await;
    let (at_a, at_b) = (mta_a.handle(), mta_b.handle());
    submit(&at_a, OPERATIONS, &octets(4321)).await;
    for _ in 0..5 {
        submit(&at_a, OPERATIONS, &octets(100)).await;
    }
    let (operations, despatch) = (address(OPERATIONS), address("S=despatch;P=ALPHA;A= ;C=GB"));
    until(async || (at_b.mailbox(&operations, None, 10).await.unwrap().len() == 5).then_some(())).await;
    // Five delivery reports, and one of non-delivery.
    until(async || (at_a.mailbox(&despatch, None, 10).await.unwrap().len() == 6).then_some(())).await;
    let aside = store.store.scan(QUARANTINE, b"", None, 10).await.unwrap();
    assert_eq!(aside.len(), 1);
    assert_eq!(aside[0].0[0], OUTBOUND.0);
    assert_eq!(store.twist.reads.load(Ordering::SeqCst), 1_000 - 3);
    assert_eq!(at_a.queues().await.unwrap()[0].messages, Some(0));
    assert_eq!(events(&at_a, EventKind::Quarantined).len(), 1);
    mta_a.stop().await;
    mta_b.stop().await;
}
