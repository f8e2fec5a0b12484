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
use sim::site::{Site, address, user};
use tokio::time::sleep;

fn network() -> (Network, Random) {
    let random = Random::new(1);
    (Network::new(random.split(), Arc::new(Digest::new(false)), Sabotage::default()), random)
}

async fn submit(handle: &Handle, from: &str, to: &str) {
    let submission = Submission::new(address(&user("writer", from)), [address(&user("reader", to))]);
    let mut body = handle.begin_body().unwrap();
    body.write(&content(1, 100)).unwrap();
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
    submit(&handle, "ALPHA", "BETA").await;
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
