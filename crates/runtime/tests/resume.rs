//! Transfers that are interrupted go on where they stopped: over broken connections, stops and restarts.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a failed unwrap is a failed test")]

mod support;

use std::collections::VecDeque;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use agent::Submission;
use agent::settings::{Activation, AgentSettings, Conformance};
use clock::{MonoTime, WallTime};
use mhs::MtaName;
use mhs::p1::bind::{MtaBindArgument, MtaBindResult, Password};
use osi::rtse::{Interrupted, OpenData, RefuseReason, ResumePoint, RtIndication, RtRequest};
use osi::stack::{SessionReference, Stack, StackAction, StackConfig};
use runtime::{EventKind, Handle, Mta, p1_application};
use spool::{Batch, Commit, MemorySpool, Spool, Unhealthy};
use testkit::{Break, Fault, Proxy, Recording, Side};

use support::store::{Twist, Twisted};
use support::{Node, address, content_of, events, octets, pair, submit, until, x410_pair};

const OPERATIONS: &str = "S=operations;P=BETA;A= ;C=GB";
const LARGE: usize = 4 << 20;
/// Octets between two checkpoints, and of the checkpoints that may stand unconfirmed, one more than agreed.
const CHECKPOINT: usize = 30 * 1024;
const WINDOW: usize = 6 * CHECKPOINT;
/// Octets of an open and of what is around the transfer.
const OVERHEAD: usize = 8 * 1024;

/// A pair whose link from A to B is a proxy.
fn proxied((mut a, b): (Node, Node)) -> (Node, Node, Proxy) {
    let proxy = Proxy::start(b.p1).unwrap();
    a.settings.connectors[0].hosts = vec![proxy.address().to_string()];
    (a, b, proxy)
}

fn cut(octets: usize, how: Break) -> Fault {
    Fault::Cut { side: Side::Initiator, octets: octets as u64, how }
}

fn sent(recordings: &[Recording]) -> usize {
    let segments = recordings.iter().flat_map(|recording| &recording.segments);
    segments.filter(|segment| segment.side == Side::Initiator).map(|segment| segment.octets.len()).sum()
}

/// Waits until more than `least` octets have passed from A to B.
async fn passed(proxy: &Proxy, least: usize) {
    until(async || (sent(&proxy.recordings()) > least).then_some(())).await;
}

/// Waits for the one message, compares it, and sees that there is no other.
async fn arrived_once(at_a: &Handle, at_b: &Handle, content: &[u8]) {
    let operations = address(OPERATIONS);
    let entry = until(async || at_b.mailbox(&operations, None, 10).await.unwrap().pop()).await;
    assert!(content_of(at_b, entry).await == content, "the content differs");
    until(async || at_a.queues().await.unwrap().iter().all(|queue| queue.messages == Some(0)).then_some(()))
        .await;
    assert_eq!(at_b.mailbox(&operations, None, 10).await.unwrap().len(), 1);
}

async fn stop(a: Mta, b: Mta) {
    for handle in [a.handle(), b.handle()] {
        assert_eq!(events(&handle, EventKind::InternalError), [""; 0]);
    }
    a.stop().await;
    b.stop().await;
}

async fn cut_often((a, b): (Node, Node), how: Break) {
    let (a, b, proxy) = proxied((a, b));
    let (mta_a, mta_b) = (a.start().await, b.start().await);
    let cuts = 4;
    for n in 0..cuts {
        proxy.plan(cut(700_000 + n * 12_345, how));
    }
    let content = octets(LARGE);
    submit(&mta_a.handle(), OPERATIONS, &content).await;
    arrived_once(&mta_a.handle(), &mta_b.handle(), &content).await;
    let recordings = proxy.recordings();
    assert_eq!(recordings.iter().filter(|recording| recording.broken).count(), cuts);
    // What was resumed was not begun anew; a hundredth is for the headers of all layers.
    let most = LARGE + LARGE / 100 + cuts * (WINDOW + OVERHEAD) + OVERHEAD;
    assert!(sent(&recordings) < most, "{} octets, at most {most}", sent(&recordings));
    let at_a = mta_a.handle();
    assert_eq!(events(&at_a, EventKind::TransferInterrupted).len(), cuts);
    assert_eq!(events(&at_a, EventKind::ResumptionRequested).len(), cuts);
    assert_eq!(events(&at_a, EventKind::AssociationRecovered).len(), cuts);
    assert_eq!(events(&at_a, EventKind::TransferFailed), [""; 0], "an interruption is no failure");
    assert_eq!(events(&mta_b.handle(), EventKind::TransferResumed).len(), cuts);
    stop(mta_a, mta_b).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_is_cut_often_is_resumed_each_time_monologue() {
    cut_often(pair(false), Break::Reset).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_is_cut_often_is_resumed_each_time_two_way_alternate() {
    cut_often(pair(true), Break::Close).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_is_cut_often_is_resumed_each_time_in_x410_mode() {
    cut_often(x410_pair(false), Break::Close).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_is_cut_often_is_resumed_each_time_in_x410_mode_two_way_alternate() {
    cut_often(x410_pair(true), Break::Reset).await;
}

/// Switched off on one side or the other, a transfer begins anew; the message arrives all the same.
async fn begins_anew(timeout_a: u32, timeout_b: u32) {
    let (mut a, mut b, proxy) = proxied(pair(false));
    a.settings.connectors[0].rts.recovery_timeout_s = timeout_a;
    b.settings.connectors[0].rts.recovery_timeout_s = timeout_b;
    let (mta_a, mta_b) = (a.start().await, b.start().await);
    proxy.plan(cut(LARGE / 2, Break::Reset));
    let content = octets(LARGE);
    submit(&mta_a.handle(), OPERATIONS, &content).await;
    arrived_once(&mta_a.handle(), &mta_b.handle(), &content).await;
    assert!(sent(&proxy.recordings()) > LARGE + LARGE / 2);
    assert_eq!(events(&mta_b.handle(), EventKind::TransferResumed), [""; 0]);
    let requested = usize::from(timeout_a > 0);
    assert_eq!(events(&mta_a.handle(), EventKind::ResumptionRequested).len(), requested);
    assert_eq!(events(&mta_a.handle(), EventKind::ResumptionRefused).len(), requested);
    assert_eq!(events(&mta_a.handle(), EventKind::TransferFailed).is_empty(), timeout_a > 0);
    stop(mta_a, mta_b).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sender_with_recovery_switched_off_begins_anew() {
    begins_anew(0, 60).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_with_recovery_switched_off_lets_the_sender_begin_anew() {
    begins_anew(60, 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_receiver_has_for_an_association_that_seems_alive_is_given_to_who_recovers_it() {
    let (mut a, b, far) = proxied(pair(false));
    // Two proxies in a row: when the near one breaks, the far one says nothing to B.
    let near = Proxy::start(far.address()).unwrap();
    a.settings.connectors[0].hosts = vec![near.address().to_string()];
    let (mta_a, mta_b) = (a.start().await, b.start().await);
    far.plan(cut(LARGE / 2, Break::Silence));
    let content = octets(LARGE);
    submit(&mta_a.handle(), OPERATIONS, &content).await;
    until(async || far.recordings().first().is_some_and(|first| first.broken).then_some(())).await;
    assert_eq!(mta_b.handle().associations().len(), 1);
    near.break_all(Break::Reset);
    arrived_once(&mta_a.handle(), &mta_b.handle(), &content).await;
    assert_eq!(events(&mta_b.handle(), EventKind::TransferResumed).len(), 1);
    assert_eq!(events(&mta_b.handle(), EventKind::AssociationRecovered).len(), 1);
    assert!(sent(&far.recordings()) < LARGE + LARGE / 100 + WINDOW + 2 * OVERHEAD + (1 << 18));
    stop(mta_a, mta_b).await;
}

/// A pair with a slow link, and a large message of which a part has passed.
async fn half_sent() -> (Node, Node, Proxy, Mta, Mta, Vec<u8>) {
    let (mut a, mut b, proxy) = proxied(pair(false));
    (a.stop_timeout, b.stop_timeout) = (Duration::from_secs(4), Duration::from_secs(4));
    let (mta_a, mta_b) = (a.start().await, b.start().await);
    proxy.plan(Fault::Delay(Duration::from_millis(60)));
    let content = octets(LARGE);
    submit(&mta_a.handle(), OPERATIONS, &content).await;
    passed(&proxy, LARGE / 4).await;
    assert!(sent(&proxy.recordings()) < LARGE / 2, "too fast to be stopped");
    (a, b, proxy, mta_a, mta_b, content)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sender_that_is_stopped_goes_on_after_its_restart() {
    let (a, _b, proxy, mta_a, mta_b, content) = half_sent().await;
    mta_a.stop().await;
    let before = sent(&proxy.recordings());
    let mta_a = a.start().await;
    arrived_once(&mta_a.handle(), &mta_b.handle(), &content).await;
    assert_eq!(events(&mta_b.handle(), EventKind::TransferResumed).len(), 1);
    let after = sent(&proxy.recordings()) - before;
    assert!(before + after < LARGE + LARGE / 100 + WINDOW + 2 * OVERHEAD, "{before} + {after}");
    stop(mta_a, mta_b).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_is_stopped_goes_on_after_its_restart() {
    let (_a, b, proxy, mta_a, mta_b, content) = half_sent().await;
    mta_b.stop().await;
    let before = sent(&proxy.recordings());
    let mta_b = b.start().await;
    arrived_once(&mta_a.handle(), &mta_b.handle(), &content).await;
    assert_eq!(events(&mta_b.handle(), EventKind::TransferResumed).len(), 1);
    let after = sent(&proxy.recordings()) - before;
    assert!(before + after < LARGE + LARGE / 100 + WINDOW + (1 << 18) + 8 * OVERHEAD, "{before} + {after}");
    stop(mta_a, mta_b).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reload_of_the_sending_connector_interrupts_and_resumes() {
    let (a, _b, proxy, mta_a, mta_b, content) = half_sent().await;
    let mut changed = a.settings.clone();
    changed.connectors[0].association.lifetime_s = 299;
    mta_a.handle().reload(changed).await.unwrap();
    arrived_once(&mta_a.handle(), &mta_b.handle(), &content).await;
    assert_eq!(events(&mta_b.handle(), EventKind::TransferResumed).len(), 1);
    assert!(sent(&proxy.recordings()) < LARGE + LARGE / 100 + WINDOW + 2 * OVERHEAD);
    stop(mta_a, mta_b).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_interrupted_goes_with_the_connector_that_is_removed() {
    let (mut a, b, proxy) = proxied(pair(false));
    // A does not come back.
    a.settings.connectors[0].retry.open_interval_s = 600;
    let (mta_a, mta_b) = (a.start().await, b.start().await);
    proxy.plan(cut(LARGE / 2, Break::Reset));
    (0..64).for_each(|_| proxy.plan(Fault::Refuse));
    submit(&mta_a.handle(), OPERATIONS, &octets(LARGE)).await;
    let at_b = mta_b.handle();
    until(async || (events(&at_b, EventKind::TransferInterrupted).len() == 1).then_some(())).await;
    let without = AgentSettings { connectors: Vec::new(), ..b.settings.clone() };
    at_b.reload(without).await.unwrap();
    assert_eq!(events(&at_b, EventKind::InterruptedTransferDropped).len(), 1);
    stop(mta_a, mta_b).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_another_apdu_than_before_begins_anew() {
    let (a, b, proxy) = proxied(pair(false));
    let (mta_a, mta_b) = (a.start().await, b.start().await);
    let at_a = mta_a.handle();
    proxy.plan(cut(LARGE / 2, Break::Reset));
    (0..3).for_each(|_| proxy.plan(Fault::Refuse));
    let content = octets(LARGE);
    submit(&at_a, OPERATIONS, &content).await;
    until(async || (events(&at_a, EventKind::TransferInterrupted).len() == 1).then_some(())).await;
    // In X.410 mode the same message is other octets on the wire.
    let mut changed = a.settings.clone();
    changed.connectors[0].conformance = Conformance::X410In1988;
    at_a.reload(changed).await.unwrap();
    arrived_once(&at_a, &mta_b.handle(), &content).await;
    let refused = events(&at_a, EventKind::ResumptionRefused);
    assert!(refused.len() == 1 && refused[0].contains("not what it was"), "{refused:?}");
    assert_eq!(events(&at_a, EventKind::ResumptionRequested), [""; 0]);
    assert!(sent(&proxy.recordings()) > LARGE + LARGE / 2);
    stop(mta_a, mta_b).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_resumed_in_time_begins_anew() {
    let (mut a, b, proxy) = proxied(pair(false));
    a.settings.connectors[0].rts.recovery_timeout_s = 1;
    let (mta_a, mta_b) = (a.start().await, b.start().await);
    proxy.plan(cut(LARGE / 2, Break::Reset));
    (0..2).for_each(|_| proxy.plan(Fault::Refuse));
    let content = octets(LARGE);
    submit(&mta_a.handle(), OPERATIONS, &content).await;
    arrived_once(&mta_a.handle(), &mta_b.handle(), &content).await;
    let refused = events(&mta_a.handle(), EventKind::ResumptionRefused);
    assert!(refused.len() == 1 && refused[0].contains("time to be resumed is over"), "{refused:?}");
    assert_eq!(events(&mta_a.handle(), EventKind::ResumptionRequested), [""; 0]);
    stop(mta_a, mta_b).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interruption_that_gets_no_further_is_a_failed_transfer_in_the_end() {
    let (mut a, b, proxy) = proxied(pair(false));
    a.settings.connectors[0].retry.transfer_interval_s = 0;
    let (mta_a, mta_b) = (a.start().await, b.start().await);
    let at_a = mta_a.handle();
    proxy.plan(cut(LARGE / 2, Break::Reset));
    // So much that the association is recovered and no checkpoint confirmed.
    (0..60).for_each(|_| proxy.plan(cut(CHECKPOINT / 2, Break::Reset)));
    submit(&at_a, OPERATIONS, &octets(LARGE)).await;
    // Not delivered, after a first failure and two repetitions: the report is in the originator's mailbox.
    let despatch = address("S=despatch;P=ALPHA;A= ;C=GB");
    until(async || at_a.mailbox(&despatch, None, 10).await.unwrap().pop()).await;
    // The first time that it is lost when it is resumed is no failure; then it is sent from the beginning.
    assert_eq!(events(&at_a, EventKind::TransferInterrupted).len(), 2);
    assert_eq!(events(&at_a, EventKind::ResumptionRefused).len(), 1);
    // Each is told once.
    let failed = events(&at_a, EventKind::TransferFailed);
    let told: Vec<bool> = failed.iter().map(|text| text.contains("will be tried again")).collect();
    assert_eq!(told, [true, true, false], "{failed:?}");
    assert!(mta_b.handle().mailbox(&address(OPERATIONS), None, 10).await.unwrap().is_empty());
    stop(mta_a, mta_b).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_responder_that_sends_goes_on_when_the_initiator_recovers_the_association() {
    let (a, mut b, proxy) = proxied(pair(true));
    // Only A can open associations.
    b.settings.connectors[0].activation = Activation::RemoteInitiated;
    let (mta_a, mta_b) = (a.start().await, b.start().await);
    let (at_a, at_b) = (mta_a.handle(), mta_b.handle());
    let cuts = 3;
    for n in 0..cuts {
        let octets = 700_000 + n * 12_345;
        proxy.plan(Fault::Cut { side: Side::Responder, octets, how: Break::Reset });
    }
    let content = octets(LARGE);
    let despatch = address("S=despatch;P=ALPHA;A= ;C=GB");
    let mut body = at_b.begin_body().unwrap();
    body.write(&content).unwrap();
    let submission = Submission::new(address(OPERATIONS), [despatch.clone()]);
    at_b.submit(submission, body.finish().unwrap()).await.unwrap();
    at_a.connect("to-BETA", "anna").await.unwrap();
    let entry = until(async || at_a.mailbox(&despatch, None, 10).await.unwrap().pop()).await;
    assert!(content_of(&at_a, entry).await == content, "the content differs");
    until(async || at_b.queues().await.unwrap().iter().all(|queue| queue.messages == Some(0)).then_some(()))
        .await;
    assert_eq!(at_a.mailbox(&despatch, None, 10).await.unwrap().len(), 1);
    let cuts = usize::try_from(cuts).unwrap();
    assert_eq!(events(&at_a, EventKind::TransferResumed).len(), cuts);
    assert_eq!(events(&at_a, EventKind::AssociationRecovered).len(), cuts);
    assert_eq!(events(&at_b, EventKind::AssociationRecovered).len(), cuts);
    assert_eq!(events(&at_b, EventKind::TransferFailed), [""; 0]);
    let segments = proxy.recordings().into_iter().flat_map(|recording| recording.segments);
    let answered = segments.filter(|segment| segment.side == Side::Responder);
    let octets: usize = answered.map(|segment| segment.octets.len()).sum();
    assert!(octets < LARGE + LARGE / 100 + cuts * (WINDOW + OVERHEAD) + OVERHEAD, "{octets} octets");
    stop(mta_a, mta_b).await;
}

/// Carries one connection from here to there, and takes no other. After so many octets it breaks.
async fn carry_one(here: SocketAddr, there: SocketAddr, octets: u64) {
    let listener = tokio::net::TcpListener::bind(here).await.unwrap();
    let (near, _) = listener.accept().await.unwrap();
    drop(listener);
    let far = tokio::net::TcpStream::connect(there).await.unwrap();
    let ((near_in, mut near_out), (mut far_in, mut far_out)) = (near.into_split(), far.into_split());
    let mut forth = tokio::io::AsyncReadExt::take(near_in, octets);
    tokio::select! {
        _ = tokio::io::copy(&mut forth, &mut far_out) => {}
        _ = tokio::io::copy(&mut far_in, &mut near_out) => {}
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_association_is_recovered_even_if_nobody_can_be_reached_at_first() {
    let (mut a, b) = pair(false);
    let line = support::free();
    a.settings.connectors[0].hosts = vec![line.to_string()];
    let carried = tokio::spawn(carry_one(line, b.p1, LARGE as u64 / 2));
    let (mta_a, mta_b) = (a.start().await, b.start().await);
    let at_a = mta_a.handle();
    let content = octets(LARGE);
    submit(&at_a, OPERATIONS, &content).await;
    carried.await.unwrap();
    until(async || events(&at_a, EventKind::ConnectionNotOpened).pop()).await;
    let carried = tokio::spawn(carry_one(line, b.p1, u64::MAX));
    arrived_once(&at_a, &mta_b.handle(), &content).await;
    assert_eq!(events(&at_a, EventKind::AssociationRecovered).len(), 1);
    assert_eq!(events(&mta_b.handle(), EventKind::TransferResumed).len(), 1);
    assert_eq!(events(&at_a, EventKind::TransferFailed), [""; 0]);
    stop(mta_a, mta_b).await;
    carried.await.unwrap();
}

/// A store whose disk is full, or slow, when told so.
#[derive(Default)]
struct Disk {
    full: AtomicBool,
    /// Batches of more than one operation wait while this is held.
    gate: Arc<Mutex<()>>,
    /// Batches that have come to the gate.
    waiting: AtomicUsize,
}

impl Twist for Disk {
    fn commit(&self, store: &Arc<MemorySpool>, batch: Batch) -> Commit {
        if batch.len() < 2 {
            return store.commit(batch);
        }
        self.waiting.fetch_add(1, Ordering::Relaxed);
        let (commit, completer) = Commit::pending();
        let (store, gate) = (Arc::clone(store), Arc::clone(&self.gate));
        std::thread::spawn(move || {
            let _open = gate.lock().unwrap();
            completer.complete(store.commit(batch).wait());
        });
        commit
    }

    fn unhealthy_reason(&self) -> Option<Unhealthy> {
        let full = Unhealthy::DiskReserve { available_bytes: 0, reserve_bytes: 1 };
        self.full.load(Ordering::Relaxed).then_some(full)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_gets_the_space_of_half_a_message_back() {
    let (a, b, proxy) = proxied(pair(false));
    let disk = Twisted::new(Disk::default());
    let spool: Arc<dyn Spool> = disk.clone();
    let mta_b = b.start_on(spool).await;
    let (mta_a, at_b) = (a.start().await, mta_b.handle());
    proxy.plan(cut(LARGE / 2, Break::Reset));
    (0..3).for_each(|_| proxy.plan(Fault::Refuse));
    let content = octets(LARGE);
    submit(&mta_a.handle(), OPERATIONS, &content).await;
    until(async || (events(&at_b, EventKind::TransferInterrupted).len() == 1).then_some(())).await;
    disk.twist.full.store(true, Ordering::Relaxed);
    until(async || (events(&at_b, EventKind::InterruptedTransferDropped).len() == 1).then_some(())).await;
    disk.twist.full.store(false, Ordering::Relaxed);
    arrived_once(&mta_a.handle(), &at_b, &content).await;
    assert_eq!(events(&at_b, EventKind::TransferResumed), [""; 0]);
    stop(mta_a, mta_b).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transfer_that_has_completed_is_answered_as_complete_and_not_stored_again() {
    let (a, b, proxy) = proxied(pair(false));
    let disk = Twisted::new(Disk::default());
    let spool: Arc<dyn Spool> = disk.clone();
    let (mta_a, mta_b) = (a.start().await, b.start_on(spool).await);
    let (at_a, at_b) = (mta_a.handle(), mta_b.handle());
    let content = octets(LARGE);
    // The connection breaks while B makes the message durable, so that A never hears of it.
    {
        let gate = Arc::clone(&disk.twist.gate);
        let held = gate.lock().unwrap();
        let handle = tokio::runtime::Handle::current();
        tokio::task::block_in_place(|| {
            handle.block_on(async {
                submit(&at_a, OPERATIONS, &content).await;
                until(async || (disk.twist.waiting.load(Ordering::Relaxed) > 0).then_some(())).await;
                proxy.break_all(Break::Reset);
                until(async || (events(&at_a, EventKind::TransferInterrupted).len() == 1).then_some(()))
                    .await;
            });
        });
        drop(held);
    }
    arrived_once(&at_a, &at_b, &content).await;
    let resumed = events(&at_b, EventKind::TransferResumed);
    assert!(resumed.len() == 1 && resumed[0].contains("had completed before"), "{resumed:?}");
    assert_eq!(events(&at_b, EventKind::ObjectReceived).len(), 1);
    assert_eq!(events(&at_b, EventKind::DuplicateSuppressed), [""; 0]);
    assert_eq!(events(&at_a, EventKind::TransferFailed), [""; 0]);
    assert!(sent(&proxy.recordings()) < LARGE + LARGE / 100 + WINDOW + 2 * OVERHEAD);
    stop(mta_a, mta_b).await;
}

/// What a peer called BETA, which breaks the first association after three checkpoints, says to what is resumed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Declines {
    /// Its session layer aborts: it knows no such SPDU.
    Abort,
    /// It can't take it now, as it says each time.
    Exception,
    /// It closes the connection without a word.
    Close,
}

/// That peer. It recovers no association. Gives how often it was asked to resume until it had taken a whole APDU.
fn decline(listener: &TcpListener, how: Declines) -> usize {
    let (mut asked, mut kept) = (0, None);
    loop {
        let (mut socket, _) = listener.accept().unwrap();
        let mut config = StackConfig::new(p1_application());
        config.rtse.application_protocols = vec![12];
        let mut stack = Stack::responder(config);
        let (mut buffer, mut actions) = (vec![0; 65_536], Vec::new());
        stack.start(MonoTime::START, &mut actions);
        'connection: loop {
            let mut pending: VecDeque<StackAction> = actions.drain(..).collect();
            while let Some(action) = pending.pop_front() {
                let request = match action {
                    StackAction::Transmit(octets) => {
                        // The other end may have gone; then nothing more comes of this connection.
                        let _ = socket.write_all(&octets);
                        continue;
                    }
                    StackAction::Close => break 'connection,
                    StackAction::Indication(indication) => match indication {
                        RtIndication::Open(open) => match open.data {
                            OpenData::Open(_) => {
                                let (name, password) =
                                    (MtaName::new("BETA").unwrap(), Password::new("of BETA"));
                                let user_data = MtaBindResult::simple(name, password).to_octets();
                                RtRequest::OpenAccept { user_data }
                            }
                            OpenData::Recover(_) => RtRequest::OpenReject {
                                user_data: Vec::new(),
                                refuse_reason: RefuseReason::CANNOT_RECOVER,
                                transient: false,
                            },
                        },
                        RtIndication::Checkpoint { serial } if serial == 4 && kept.is_none() => {
                            stack.transport_closed(MonoTime::START, true, &mut actions);
                            kept = actions.drain(..).find_map(|action| match action {
                                StackAction::Indication(RtIndication::Aborted(aborted)) => {
                                    aborted.interrupted
                                }
                                _ => None,
                            });
                            assert!(kept.is_some());
                            break 'connection;
                        }
                        RtIndication::Checkpoint { serial } => RtRequest::CheckpointSecured { serial },
                        RtIndication::Resume { .. } => {
                            asked += 1;
                            match how {
                                Declines::Abort => {
                                    // DT with an AB: connection released, protocol error.
                                    let ab = [3, 0, 0, 12, 2, 0xF0, 0x80, 25, 3, 17, 1, 5];
                                    socket.write_all(&ab).unwrap();
                                    // Until the other end has heard it.
                                    while socket.read(&mut buffer).is_ok_and(|count| count > 0) {}
                                    break 'connection;
                                }
                                Declines::Close => break 'connection,
                                Declines::Exception => {
                                    let Some(Interrupted::Receiving(state)) = kept.as_deref() else {
                                        panic!()
                                    };
                                    let accept = RtRequest::ResumeAccept(Box::new(state.clone()));
                                    stack.request(MonoTime::START, accept, &mut Vec::new()).unwrap();
                                    RtRequest::TransferRefuse { transient: true }
                                }
                            }
                        }
                        RtIndication::TransferEnd => {
                            stack.request(MonoTime::START, RtRequest::TransferAccept, &mut actions).unwrap();
                            for action in actions.drain(..) {
                                if let StackAction::Transmit(octets) = action {
                                    socket.write_all(&octets).unwrap();
                                }
                            }
                            return asked;
                        }
                        _ => continue,
                    },
                };
                let mut more = Vec::new();
                stack.request(MonoTime::START, request, &mut more).unwrap();
                pending.extend(more);
            }
            match socket.read(&mut buffer) {
                Ok(0) | Err(_) => break,
                Ok(count) => stack.receive(MonoTime::START, &buffer[..count], &mut actions),
            }
        }
    }
}

/// How many transfers had failed until the message was sent, and how often it was asked to resume.
async fn declined(how: Declines) -> (usize, usize) {
    let (a, b) = pair(false);
    let listener = TcpListener::bind(b.p1).unwrap();
    let peer = std::thread::spawn(move || decline(&listener, how));
    let mta_a = a.start().await;
    let at_a = mta_a.handle();
    submit(&at_a, OPERATIONS, &octets(LARGE)).await;
    until(async || (events(&at_a, EventKind::ObjectSent).len() == 1).then_some(())).await;
    let failed = events(&at_a, EventKind::TransferFailed).len();
    assert_eq!(events(&at_a, EventKind::InternalError), [""; 0]);
    mta_a.stop().await;
    (failed, peer.join().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_aborts_when_it_is_asked_to_resume_gets_the_transfer_from_the_beginning() {
    assert_eq!(declined(Declines::Abort).await, (0, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_can_never_resume_now_gets_the_transfer_from_the_beginning() {
    assert_eq!(declined(Declines::Exception).await, (0, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_closes_the_connection_when_it_is_asked_to_resume_gets_the_transfer_from_the_beginning() {
    // Asked twice, since a network that breaks looks the same.
    assert_eq!(declined(Declines::Close).await, (0, 2));
}

/// A peer called ALPHA that opens an association with B and asks again and again for what does not exist. Gives how
/// often it was refused.
fn ask_in_vain(b: SocketAddr, times: usize) -> usize {
    let bind = MtaBindArgument::simple(MtaName::new("ALPHA").unwrap(), Password::new("of ALPHA"));
    let reference =
        SessionReference { user_reference: "hostile".to_owned(), time: WallTime::from_unix(1_795_321_800) };
    let config = StackConfig::new(p1_application());
    let mut stack = Stack::initiator(config, OpenData::Open(bind.to_octets()), reference);
    let mut socket = TcpStream::connect(b).unwrap();
    let (mut refused, mut buffer, mut actions) = (0, [0; 65_536], Vec::new());
    stack.start(MonoTime::START, &mut actions);
    loop {
        let mut pending: VecDeque<StackAction> = actions.drain(..).collect();
        while let Some(action) = pending.pop_front() {
            let next = match action {
                StackAction::Transmit(octets) => {
                    socket.write_all(&octets).unwrap();
                    false
                }
                StackAction::Close => return refused,
                StackAction::Indication(RtIndication::OpenConfirm { .. }) => true,
                StackAction::Indication(RtIndication::TransferFailed { reason }) => {
                    assert_eq!(reason, Some(6), "unrecoverable procedural error");
                    refused += 1;
                    true
                }
                StackAction::Indication(_) => false,
            };
            if next {
                let activity = vec![2, 1, (refused % 100) as u8];
                let from = ResumePoint { activity, serial: 3, offset: 90_000, length: 500_000 };
                let request = match refused < times {
                    true => RtRequest::Resume { from, connection: None },
                    false => RtRequest::Close,
                };
                let mut more = Vec::new();
                stack.request(MonoTime::START, request, &mut more).unwrap();
                pending.extend(more);
            }
        }
        match socket.read(&mut buffer) {
            Ok(0) | Err(_) => return refused,
            Ok(count) => stack.receive(MonoTime::START, &buffer[..count], &mut actions),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_asks_again_and_again_for_what_is_not_there_gets_nothing_and_does_no_harm() {
    let (a, b) = pair(false);
    let mta_b = b.start().await;
    let address = b.p1;
    let refused = tokio::task::spawn_blocking(move || ask_in_vain(address, 200)).await.unwrap();
    assert_eq!(refused, 200);
    assert_eq!(events(&mta_b.handle(), EventKind::ResumptionRefused).len(), 200);
    let mta_a = a.start().await;
    submit(&mta_a.handle(), OPERATIONS, b"after all that").await;
    arrived_once(&mta_a.handle(), &mta_b.handle(), b"after all that").await;
    stop(mta_a, mta_b).await;
}
