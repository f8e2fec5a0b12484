//! Stores as earlier versions have left them: each is opened by this version, all of it is read, and what was waiting is
//! relayed. The samples are in `tests/stores`, one directory for each format, and are never changed again.
//!
//! A new format gets its sample from the version that introduces it, in an empty directory:
//! ```text
//! STORE_SAMPLE=crates/runtime/tests/stores/2 cargo test -p runtime --test stored_formats -- --ignored
//! ```

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test reports by panicking")]

mod support;

use std::fs;
use std::path::{Path, PathBuf};

use agent::record::{HELD, OUTBOUND, OutboundRecord, Record};
use clock::WallTime;
use mhs::OrAddress;
use runtime::{Mta, Performed, RuntimeConfig, Selection};
use spool::{Batch, EmbeddedSpool, LastStop, OpenError, Options, Spool, block_on};
use support::{Node, address, content_of, octets, pair, submit, until};

const AT_B: &str = "S=operations;P=BETA;A= ;C=GB";
const AT_A: &str = "S=archive;P=ALPHA;A= ;C=GB";
/// Larger than what shares a segment in the sample.
const LARGE: usize = 10_000;
const SHARED: usize = 4_096;

fn sample(format: u32) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/stores").join(format.to_string())
}

/// A copy of a sample to work on.
fn restore(format: u32, to: &Path) {
    copy(&sample(format), to, false);
    // Version control keeps no empty directories.
    for keyspace in fs::read_dir(to.join("index/keyspaces")).unwrap() {
        fs::create_dir_all(keyspace.unwrap().path().join("tables")).unwrap();
    }
}

fn copy(from: &Path, to: &Path, shorten: bool) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        if entry.file_type().unwrap().is_dir() {
            copy(&from, &to, shorten);
            continue;
        }
        let mut octets = fs::read(&from).unwrap();
        if shorten && from.extension().is_some_and(|extension| extension == "jnl") {
            // The zeros at the end are space set aside for what is still to come.
            let used = octets.iter().rposition(|octet| *octet != 0).map_or(0, |last| last + 1);
            octets.truncate(used);
        }
        fs::write(to, octets).unwrap();
    }
}

/// A node on a copy of a sample, and its peer.
fn restored(format: u32) -> (Node, Node) {
    let (a, b) = pair(false);
    restore(format, a.dir.path());
    (a, b)
}

async fn entries(mta: &Mta, mailbox: &str) -> Vec<Vec<u8>> {
    let handle = mta.handle();
    let mailbox: OrAddress = address(mailbox);
    let mut contents = Vec::new();
    for entry in handle.mailbox(&mailbox, None, 100).await.unwrap() {
        if let agent::record::MailboxItem::Message { .. } = entry.record.kind {
            contents.push(content_of(&handle, entry).await);
        }
    }
    contents.sort();
    contents
}

#[test]
#[ignore = "makes a sample of the format of this version"]
fn make() {
    let Ok(directory) = std::env::var("STORE_SAMPLE") else { return };
    let directory = Path::new("../..").join(directory);
    let (a, _) = pair(false);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let spool = Options { inline_limit: SHARED, ..Options::default() };
        let mta = Mta::start(RuntimeConfig { spool, ..a.config() }).await.unwrap();
        let handle = mta.handle();
        handle.freeze("to-BETA", "anna").await.unwrap();
        submit(&handle, AT_A, b"delivered here").await;
        submit(&handle, AT_B, b"waiting").await;
        submit(&handle, AT_B, &octets(LARGE)).await;
        let held = submit(&handle, AT_B, b"held").await;
        let find = async || {
            let copies = handle.message(&held).await.unwrap();
            copies.iter().any(|copy| copy.queue == "to-BETA").then_some(())
        };
        until(find).await;
        handle.operate(&held, &agent::Operation::Hold, Performed::Really, "anna").await.unwrap();
        until(async || (entries(&mta, AT_A).await.len() == 1).then_some(())).await;
        mta.stop().await;
    });
    drop(runtime);
    // The sample has to outlive what its messages have been given.
    let spool = EmbeddedSpool::open(a.dir.path(), Options::default()).unwrap();
    for space in [OUTBOUND, HELD] {
        for (key, value) in block_on(spool.scan(space, b"", None, 100)).unwrap() {
            let record = OutboundRecord::decode(&value).unwrap();
            let record = OutboundRecord { expires: WallTime::from_unix(i64::from(u32::MAX)), ..record };
            let mut batch = Batch::default();
            batch.put(space, key, record.encode());
            spool.commit(batch).wait().unwrap();
        }
    }
    spool.close();
    copy(a.dir.path(), &directory, true);
}

#[tokio::test(flavor = "multi_thread")]
async fn format_1_is_read_and_relayed() {
    is_read_and_relayed(1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn format_2_is_read_and_relayed() {
    is_read_and_relayed(2).await;
}

async fn is_read_and_relayed(format: u32) {
    let (a, b) = restored(format);
    let spool = EmbeddedSpool::open(a.dir.path(), Options::default()).unwrap();
    assert_eq!(spool.last_stop(), LastStop::InOrder);
    assert_eq!((spool.stats().bodies, spool.stats().bodies_damaged), (4, 0));
    spool.close();

    let (mta_a, mta_b) = (a.start().await, b.start().await);
    let at_a = mta_a.handle();
    let queue = until(async || at_a.queues().await.unwrap().pop().filter(|queue| !queue.counting)).await;
    assert_eq!((queue.messages, queue.held, &*queue.state), (Some(2), Some(1), "frozen"));
    assert_eq!(entries(&mta_a, AT_A).await, [b"delivered here".to_vec()]);
    let listed = at_a.messages(&Selection::default(), None, 100).await.unwrap().items;
    assert_eq!(listed.len(), 3, "{listed:?}");
    for message in &listed {
        assert!(!at_a.track(&message.mts_id).await.unwrap().items.is_empty(), "{message:?}");
    }

    at_a.thaw("to-BETA", "anna").await.unwrap();
    let held = listed.iter().find(|message| message.state == runtime::CopyState::Held).unwrap();
    at_a.operate(&held.mts_id, &agent::Operation::Release, Performed::Really, "anna").await.unwrap();
    let arrived = until(async || Some(entries(&mta_b, AT_B).await).filter(|all| all.len() == 3)).await;
    let mut wanted = vec![b"held".to_vec(), b"waiting".to_vec(), octets(LARGE)];
    wanted.sort();
    assert_eq!(arrived, wanted);
    mta_a.stop().await;
    mta_b.stop().await;
}

#[test]
fn a_newer_format_is_refused_and_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    restore(2, directory.path());
    fs::write(directory.path().join("FORMAT"), "chappe-spool 3\n").unwrap();
    let refused = EmbeddedSpool::open(directory.path(), Options::default()).map(|_| ()).unwrap_err();
    assert!(matches!(refused, OpenError::NewerFormat { found: 3, supported: 2, .. }), "{refused}");
    let text = refused.to_string();
    assert!(text.contains("has format 3; this program knows formats up to 2"), "{text}");
    fs::write(directory.path().join("FORMAT"), "chappe-spool 2\n").unwrap();
    assert_eq!(
        EmbeddedSpool::open(directory.path(), Options::default()).unwrap().last_stop(),
        LastStop::InOrder
    );
}

#[test]
fn the_samples_are_small() {
    fn size(path: &Path) -> u64 {
        let entries = fs::read_dir(path).unwrap().map(|entry| entry.unwrap());
        entries
            .map(
                |entry| {
                    if entry.path().is_dir() { size(&entry.path()) } else { entry.metadata().unwrap().len() }
                },
            )
            .sum()
    }
    for format in [1, 2] {
        assert!(size(&sample(format)) < 100_000, "{format}");
    }
}
