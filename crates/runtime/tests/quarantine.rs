//! Records that nobody can understand go to the quarantine and hold nothing up.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a failed unwrap is a failed test")]

mod support;

use std::sync::Arc;

use agent::record::{OUTBOUND, OutboundKey, QUARANTINE, Rank, WORK, WorkKey};
use spool::{Batch, MemorySpool, Spool};

use support::{address, octets, pair, submit, until};

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_understands_is_put_aside() {
    let (a, b) = pair(false);
    let store = MemorySpool::new();
    let work = WorkKey { rank: Rank::Urgent, sequence: 1 }.encode();
    let queued = OutboundKey { connector: "to-BETA".into(), rank: Rank::Urgent, sequence: 2 }.encode();
    let mut batch = Batch::default();
    batch.put(WORK, work.clone(), b"\x01nonsense").put(OUTBOUND, queued.clone(), b"\xFFfrom the future");
    store.commit(batch).await.unwrap();
    let mta_a = a.start_on(Arc::new(store.clone())).await;
    let mta_b = b.start().await;
    let operations = address("S=operations;P=BETA;A= ;C=GB");
    submit(&mta_a.handle(), "S=operations;P=BETA;A= ;C=GB", &octets(1000)).await;
    let at_b = mta_b.handle();
    until(async || at_b.mailbox(&operations, None, 10).await.unwrap().into_iter().next()).await;
    let aside = until(async || {
        let aside = store.scan(QUARANTINE, b"", None, 10).await.unwrap();
        (aside.len() == 2).then_some(aside)
    })
    .await;
    assert_eq!(aside[0], ([&[WORK.0], &work[..]].concat(), b"\x01nonsense".to_vec()));
    assert_eq!(aside[1], ([&[OUTBOUND.0], &queued[..]].concat(), b"\xFFfrom the future".to_vec()));
    assert!(store.get(WORK, &work).await.unwrap().is_none());
    assert!(store.get(OUTBOUND, &queued).await.unwrap().is_none());
    // They are not counted; the message that went is, until its removal is durable.
    until(async || {
        let queues = mta_a.handle().queues().await.unwrap();
        queues.iter().all(|queue| queue.messages == Some(0)).then_some(())
    })
    .await;
    mta_a.stop().await;
    mta_b.stop().await;
}
