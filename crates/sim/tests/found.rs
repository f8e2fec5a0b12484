//! What simulations have found, each as a case of its own.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::sync::Arc;
use std::time::Duration;

use agent::Submission;
use runtime::Handle;
use sim::check::{content, is_drained};
use sim::digest::Digest;
use sim::network::{Network, Sabotage};
use sim::random::Random;
use sim::site::{Crash, Site, address, user};
use spool::{Batch, Fault, Space, Spool};
use tokio::time::sleep;

fn network() -> (Network, Random) {
    let random = Random::new(1);
    (Network::new(random.split(), Arc::new(Digest::new(false)), Sabotage::default()), random)
}

async fn submit(handle: &Handle, from: &str, to: &str, length: usize) {
    let submission = Submission::new(address(&user("writer", from)), [address(&user("reader", to))]);
    let mut body = handle.begin_body().unwrap();
    body.write(&content(1, length)).unwrap();
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
