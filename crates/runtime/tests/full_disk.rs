//! Two MTAs whose disks fill up while mail flows: nothing is lost, nothing needs a restart.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a failed unwrap is a failed test")]

mod support;

use std::sync::Arc;

use agent::Submission;
use runtime::{EventKind, SubmitFailure};
use spool::MemorySpool;

use support::{address, content_of, events, octets, pair, submit, until};

#[tokio::test(flavor = "multi_thread")]
async fn mail_flows_again_when_there_is_space_again() {
    let (a, b) = pair(false);
    let (disk_a, disk_b) = (MemorySpool::new(), MemorySpool::new());
    let mta_a = a.start_on(Arc::new(disk_a.clone())).await;
    let mta_b = b.start_on(Arc::new(disk_b.clone())).await;
    let (at_a, at_b) = (mta_a.handle(), mta_b.handle());
    let operations = address("S=operations;P=BETA;A= ;C=GB");

    // The receiver's disk is full: it refuses for now. Then the sender's: whatever it was about to write waits.
    disk_b.set_full(true);
    let content = octets(50_000);
    submit(&at_a, "S=operations;P=BETA;A= ;C=GB", &content).await;
    disk_a.set_full(true);
    let body = at_a.begin_body().unwrap().finish().unwrap();
    let submission = Submission::new(address("S=despatch;P=ALPHA;A= ;C=GB"), [operations.clone()]);
    let refused = at_a.submit(submission, body).await;
    assert!(matches!(refused, Err(SubmitFailure::Unhealthy(_))), "{refused:?}");
    assert!(at_b.info().unhealthy.is_some());
    disk_a.set_full(false);
    until(async || (!events(&at_b, EventKind::StoreUnhealthy).is_empty()).then_some(())).await;
    disk_b.set_full(false);
    let entry = until(async || at_b.mailbox(&operations, None, 100).await.unwrap().into_iter().next()).await;
    assert_eq!(content_of(&at_b, entry).await, content);

    // Both full at any moment of a transfer and of its settling.
    for full in [&disk_a, &disk_b].into_iter().cycle().take(6) {
        submit(&at_a, "S=operations;P=BETA;A= ;C=GB", &content).await;
        full.set_full(true);
        tokio::task::yield_now().await;
        full.set_full(false);
    }
    until(async || (at_b.mailbox(&operations, None, 100).await.unwrap().len() == 7).then_some(())).await;
    until(async || at_a.queues().await.unwrap().iter().all(|queue| queue.messages == Some(0)).then_some(()))
        .await;
    mta_a.stop().await;
    mta_b.stop().await;
}
