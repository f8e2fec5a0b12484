//! What simulations have found, each as a case of its own.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use agent::Submission;
use mhs::p1::Priority;
use runtime::Handle;
use sim::check::{content, is_drained};
use sim::digest::Digest;
use sim::manner::Deed;
use sim::network::{HostWorld, Network, Sabotage};
use sim::peer::Peer;
use sim::random::Random;
use sim::site::{Crash, Site, address, user};
use spool::{Batch, Fault, Space, Spool};
use tokio::time::sleep;

fn network() -> (Network, Random) {
    let random = Random::new(1);
    (Network::new(random.split(), Arc::new(Digest::new(false)), Sabotage::default()), random)
}

async fn submit(handle: &Handle, from: &str, to: &str, length: usize) {
    submit_as(1, handle, from, to, length).await;
}

async fn submit_as(number: u64, handle: &Handle, from: &str, to: &str, length: usize) {
    let submission = Submission::new(address(&user("writer", from)), [address(&user("reader", to))]);
    submit_this(number, handle, submission, length).await;
}

async fn submit_with(number: u64, handle: &Handle, to: &str, priority: Priority) {
    let mut submission = Submission::new(address(&user("writer", "ALPHA")), [address(&user("reader", to))]);
    submission.priority = priority;
    submit_this(number, handle, submission, 1_000).await;
}

async fn submit_this(number: u64, handle: &Handle, submission: Submission, length: usize) {
    let mut body = handle.begin_body().unwrap();
    body.write(&content(number, length)).unwrap();
    handle.submit(submission, body.finish().unwrap()).await.unwrap();
}

/// The route is decided, the connector is removed, and only then is the decision durable: the message is reported as soon
/// as housekeeping looks, and nobody calls it a defect.
#[tokio::test(start_paused = true)]
async fn a_message_that_is_queued_as_its_connector_vanishes_is_routed_anew() {
    let (network, random) = network();
    let mut a = Site::new(&network, &random, "ALPHA", 1);
    let b = Site::new(&network, &random, "BETA", 2);
    a.connect_to(&b);
    a.start().await.unwrap();
    let handle = a.handle().unwrap();
    let mut without = a.settings.clone();
    without.connectors.clear();

    a.disk().stall(Duration::from_secs(3));
    submit(&handle, "ALPHA", "BETA", 100).await;
    // The decision is made by now, and takes three seconds to become durable.
    sleep(Duration::from_millis(100)).await;
    handle.reload(without).await.unwrap();
    a.disk().stall(Duration::ZERO);
    sleep(Duration::from_secs(12)).await;

    assert!(is_drained(a.disk().spool()), "the message waits for a connector that is gone");
    let reports = handle.mailbox(&address(&user("writer", "ALPHA")), None, 10).await.unwrap();
    assert_eq!(reports.len(), 1);
    assert_eq!(a.defects(), [""; 0]);
    drop(handle);
    a.stop().await;
}

/// The receiver's disk fails while octets between two checkpoints are on their way: the transfer is refused, the checkpoint
/// that comes behind is not confirmed, and nobody calls that a defect. After a restart the message arrives.
#[tokio::test(start_paused = true)]
async fn a_checkpoint_behind_a_refusal_is_passed_over() {
    let (network, random) = network();
    let mut a = Site::new(&network, &random, "ALPHA", 1);
    let mut b = Site::new(&network, &random, "BETA", 2);
    for checkpoint in [1, 4] {
        a.settings.connectors.clear();
        b.settings.connectors.clear();
        a.connect_to(&b).rts.checkpoint_size_kb = checkpoint;
        b.connect_to(&a).rts.checkpoint_size_kb = checkpoint;
        a.start().await.unwrap();
        b.start().await.unwrap();
        network.change(a.host, b.host, |path| path.rate = Some(10_000));
        submit(&a.handle().unwrap(), "ALPHA", "BETA", 100_000).await;
        sleep(Duration::from_secs(4)).await;
        b.disk().fail(Fault::Lost);
        let mut other = Batch::default();
        other.put(Space(100), b"x", b"");
        assert!(b.disk().commit(other).await.is_err(), "the disk has failed");
        sleep(Duration::from_secs(10)).await;
        assert_eq!(b.crash(Crash::Kill), [""; 0]);
        b.start().await.unwrap();
        network.heal();
        sleep(Duration::from_secs(100)).await;
        assert!(is_drained(a.disk().spool()), "the message has not gone");
        let reader = address(&user("reader", "BETA"));
        let arrived = b.handle().unwrap().mailbox(&reader, None, 10).await.unwrap();
        assert_eq!(arrived.len(), if checkpoint == 1 { 1 } else { 2 });
        for site in [&mut a, &mut b] {
            let (_, defects) = site.stop().await;
            assert_eq!(defects, [""; 0]);
        }
    }
}

/// A site, and a peer that resets the one connection at messages of these numbers; what has to be held meanwhile comes first.
async fn poisoned(numbers: RangeInclusive<u64>) -> ((Network, Site, HostWorld), Site, Arc<Peer>) {
    let (network, random) = network();
    let mut a = Site::new(&network, &random, "ALPHA", 1);
    let b = Site::new(&network, &random, "BETA", 2);
    let connector = a.connect_to(&b);
    connector.retry.max_transfer_retries = 2;
    connector.retry.open_interval_s = 60;
    connector.rts.recovery_timeout_s = 0;
    connector.association.max_associations = 1;
    let host = HostWorld::new(&network, b.host, random.split());
    let peer = Peer::new("BETA", Arc::default());
    *peer.poison.lock().unwrap() = Some((numbers.collect(), Deed::Reset));
    tokio::spawn(Arc::clone(&peer).serve(host.accept_on(b.p1()).unwrap()));
    a.start().await.unwrap();
    ((network, b, host), a, peer)
}

/// A peer resets the connection at two messages, each time they come. Those behind them go with the next association, not
/// after the last attempts with these two.
#[tokio::test(start_paused = true)]
async fn what_breaks_an_association_goes_behind_what_has_not_failed() {
    let (_held, mut a, peer) = poisoned(1..=2).await;
    let handle = a.handle().unwrap();
    for number in 1..=7 {
        submit_as(number, &handle, "ALPHA", "BETA", 1_000).await;
    }
    // The first association breaks at the first message and the second, opened at once, at the second; the third follows
    // after the open interval.
    sleep(Duration::from_secs(100)).await;
    let mut arrived: Vec<u64> = peer.heard().arrivals.iter().map(|(number, _)| *number).collect();
    arrived.sort_unstable();
    assert_eq!(arrived, [3, 4, 5, 6, 7]);
    // In the end those two alone are given up.
    sleep(Duration::from_secs(600)).await;
    assert!(is_drained(a.disk().spool()), "they are still tried");
    let reports = handle.mailbox(&address(&user("writer", "ALPHA")), None, 10).await.unwrap();
    assert_eq!(reports.len(), 2);
    drop(handle);
    a.stop().await;
}

/// A peer resets the connection at each of six messages, which fills more time than what has failed stays behind. None of them
/// goes a second time before the others have gone, however urgent it is.
#[tokio::test(start_paused = true)]
async fn many_that_break_associations_stay_behind_what_has_not_failed() {
    let (_held, mut a, peer) = poisoned(1..=6).await;
    let handle = a.handle().unwrap();
    for number in 1..=6 {
        submit_with(number, &handle, "BETA", if number <= 3 { Priority::Urgent } else { Priority::Normal })
            .await;
    }
    sleep(Duration::from_millis(500)).await;
    for number in 7..=9 {
        submit_with(number, &handle, "BETA", Priority::NonUrgent).await;
    }
    // One attempt at each of the six: the second association follows the first at once, each other one after the interval.
    sleep(Duration::from_secs(5 * 70)).await;
    let mut arrived: Vec<u64> = peer.heard().arrivals.iter().map(|(number, _)| *number).collect();
    arrived.sort_unstable();
    assert_eq!(arrived, [7, 8, 9]);
    // What comes when only those are left does not wait for their last attempts either.
    submit_with(10, &handle, "BETA", Priority::NonUrgent).await;
    sleep(Duration::from_secs(70)).await;
    assert!(peer.heard().arrivals.iter().any(|(number, _)| *number == 10), "it waits behind what has failed");
    sleep(Duration::from_secs(1_500)).await;
    assert!(is_drained(a.disk().spool()), "they are still tried");
    let reports = handle.mailbox(&address(&user("writer", "ALPHA")), None, 20).await.unwrap();
    assert_eq!(reports.len(), 6);
    drop(handle);
    a.stop().await;
}
