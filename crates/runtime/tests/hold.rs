//! A queue is held until enough waits in it, however much of it is in memory.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a failed unwrap is a failed test")]

mod support;

use std::sync::Arc;

use agent::Operation;
use runtime::{Handle, Performed, Selection};
use spool::{MemorySpool, Spool};
use support::{free, pair, submit, until};

/// More than a process that finds them in the store takes into its window at once.
const BEFORE: usize = 600;
const ALL: usize = 700;

async fn held(handle: &Handle, messages: usize) {
    until(async || {
        let queue = handle.queues().await.unwrap().into_iter().find(|queue| queue.connector == "to-BETA")?;
        (queue.messages == Some(messages as u64) && queue.state == "held").then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_earlier_process_held_counts_whether_or_not_it_is_in_memory() {
    let (mut a, b) = pair(false);
    a.settings.connectors[0].hold.until_messages = ALL as u32;
    a.p1 = free();
    let peer = tokio::net::TcpListener::bind(b.p1).await.unwrap();
    let spool: Arc<dyn Spool> = Arc::new(MemorySpool::new());
    let mta = a.start_on(Arc::clone(&spool)).await;
    for _ in 0..BEFORE {
        submit(&mta.handle(), "S=x;P=BETA;A= ;C=GB", b"text").await;
    }
    held(&mta.handle(), BEFORE).await;
    mta.stop().await;

    let mta = a.start_on(Arc::clone(&spool)).await;
    let handle = mta.handle();
    for _ in BEFORE..ALL - 1 {
        submit(&handle, "S=x;P=BETA;A= ;C=GB", b"text").await;
    }
    held(&handle, ALL - 1).await;
    submit(&handle, "S=x;P=BETA;A= ;C=GB", b"text").await;
    until(async || tokio::time::timeout(std::time::Duration::from_secs(1), peer.accept()).await.ok())
        .await
        .unwrap();
    mta.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_operator_holds_is_not_taken_off_what_waits() {
    let (mut a, b) = pair(false);
    a.settings.connectors[0].hold.until_messages = 4;
    a.p1 = free();
    let peer = tokio::net::TcpListener::bind(b.p1).await.unwrap();
    let spool: Arc<dyn Spool> = Arc::new(MemorySpool::new());
    let mta = a.start_on(spool).await;
    let handle = mta.handle();
    for _ in 0..3 {
        submit(&handle, "S=x;P=BETA;A= ;C=GB", b"text").await;
    }
    held(&handle, 3).await;
    let all = handle.messages(&Selection::queue("to-BETA"), None, 10).await.unwrap();
    for message in all.items.iter().take(2) {
        let number = message.number.to_string();
        let done = handle.operate(&number, &Operation::Hold, Performed::Really, "anna").await.unwrap();
        assert!(done.iter().all(|outcome| outcome.refused.is_none()), "{done:?}");
    }
    held(&handle, 1).await;
    for _ in 1..4 {
        submit(&handle, "S=x;P=BETA;A= ;C=GB", b"text").await;
    }
    until(async || tokio::time::timeout(std::time::Duration::from_secs(1), peer.accept()).await.ok())
        .await
        .unwrap();
    mta.stop().await;
}
