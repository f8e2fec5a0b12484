//! Message tracking is kept to its size, whichever process wrote it.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a failed unwrap is a failed test")]

mod support;

use std::sync::Arc;

use agent::record::{META, Record, TRACK, TrackKey, track_digest};
use agent::{TrackEvent, TrackRecord};
use clock::WallTime;
use spool::{Batch, MemorySpool, Spool};
use support::{Node, free, submit, until};

const HOUR: i64 = 3_600;

/// Entries of an earlier process, one for each identifier.
async fn leave(spool: &dyn Spool, name: &str, count: u64, time: WallTime) {
    let mut batch = Batch::default();
    for sequence in 0..count {
        let mts_identifier = identifier(name, sequence);
        let key = TrackKey { hour: TrackKey::hour_of(time), digest: track_digest(&mts_identifier), sequence };
        let record = TrackRecord {
            event: TrackEvent::MessageSubmitted,
            time,
            mts_identifier,
            subject: None,
            connector: None,
            originator: None,
            recipients: Vec::new(),
            recipient_count: 0,
            size: None,
            rank: None,
            text: None,
            ipm_subject: None,
        };
        batch.put(TRACK, key.encode(), record.encode());
    }
    // The numbers that it had reserved.
    batch.put(META, "sequence", 10_000_u64.to_be_bytes());
    spool.commit(batch).await.unwrap();
}

fn identifier(name: &str, sequence: u64) -> String {
    format!("C=GB;A= ;P=ALPHA;L={name}-{sequence}")
}

async fn count(spool: &dyn Spool) -> usize {
    spool.scan(TRACK, &[], None, usize::MAX).await.unwrap().len()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_oldest_of_too_many_entries_go_whoever_wrote_them() {
    let mut node = Node::new("ALPHA", free());
    node.settings.mta.tracking_entries = 1_000;
    let spool: Arc<dyn Spool> = Arc::new(MemorySpool::new());
    let now = WallTime::from_unix(
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs() as i64,
    );
    // More than one scan counts, more than one commit removes.
    leave(&*spool, "old", 2_200, now.plus_seconds(-3 * HOUR)).await;
    leave(&*spool, "young", 900, now.plus_seconds(-2 * HOUR)).await;
    let mta = node.start_on(Arc::clone(&spool)).await;
    let handle = mta.handle();
    until(async || (count(&*spool).await == 1_000).then_some(())).await;
    let known = async |name: &str, sequence: u64| {
        !handle.track(&identifier(name, sequence)).await.unwrap().items.is_empty()
    };
    for sequence in 0..900 {
        assert!(known("young", sequence).await, "{sequence}");
    }
    // What comes now is counted on top.
    let submitted = submit(&handle, "S=x;P=ALPHA;A= ;C=GB", b"text").await;
    until(async || {
        let newest = handle.track(&submitted).await.unwrap().items;
        (newest.len() >= 4 && count(&*spool).await == 1_000).then_some(())
    })
    .await;
    mta.stop().await;
}
