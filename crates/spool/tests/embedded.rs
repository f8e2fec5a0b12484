//! The embedded engine passes the conformance suite, with its usual settings and with tiny ones that make every
//! bound count.

#![expect(clippy::unwrap_used, reason = "a test reports by panicking")]

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use spool::conformance::{self, Ability, Harness};
use spool::{Batch, DiskCall, EmbeddedSpool, MAX_READ_OCTETS, Options, Spool, block_on, measure};
use tempfile::TempDir;

/// A store in a directory that goes with it.
struct Embedded {
    // Before the directory: it is closed first.
    spool: Option<EmbeddedSpool>,
    directory: TempDir,
    options: Options,
    full: Arc<AtomicBool>,
}

impl Embedded {
    fn new(options: &Options) -> Self {
        let (directory, options) = (tempfile::tempdir().unwrap(), options.clone());
        let mut harness = Embedded { spool: None, directory, options, full: Arc::default() };
        harness.reopen();
        harness
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("spool")
    }
}

impl Harness for Embedded {
    fn spool(&self) -> &dyn Spool {
        self.spool.as_ref().unwrap()
    }

    fn reopen(&mut self) -> Ability {
        if let Some(spool) = self.spool.take() {
            spool.close();
        }
        let full = Arc::clone(&self.full);
        let judge = Arc::new(move |call, _: &std::path::Path| match call {
            DiskCall::Create | DiskCall::Write | DiskCall::CommitIndex => {
                full.load(Ordering::Relaxed).then(|| io::ErrorKind::StorageFull.into())
            }
            DiskCall::Shorten
            | DiskCall::Sync
            | DiskCall::SyncDirectory
            | DiskCall::Open
            | DiskCall::Read
            | DiskCall::Remove => None,
        });
        self.spool = Some(EmbeddedSpool::open_judged(self.path(), self.options.clone(), judge).unwrap());
        Ability::Done
    }

    fn fill_disk(&mut self) -> Ability {
        self.full.store(true, Ordering::Relaxed);
        Ability::Done
    }

    fn give_space(&mut self) {
        self.full.store(false, Ordering::Relaxed);
    }
}

#[test]
fn conformance_with_default_options() {
    let options = Options { reserve_bytes: 0, ..Options::default() };
    conformance::all(&|| Box::new(Embedded::new(&options)));
}

#[test]
fn conformance_with_tiny_options() {
    let options = Options {
        inline_limit: 1000,
        segment_size: 5000,
        reserve_bytes: 0,
        queue_bytes: 2000,
        body_id_step: 2,
        ..Options::default()
    };
    conformance::all(&|| Box::new(Embedded::new(&options)));
}

#[test]
fn emptied_segments_are_gone() {
    let options = Options { inline_limit: 4000, segment_size: 20_000, ..Options::default() };
    let mut harness = Embedded::new(&options);
    for body_bytes in [100, 3000, 10_000] {
        measure(harness.spool(), 4, 2, body_bytes, 100).unwrap();
    }
    assert_eq!(harness.spool().stats().bodies, 0);
    let path = harness.path().join("segments");
    drop(harness.spool.take());
    assert_eq!(std::fs::read_dir(path).unwrap().count(), 0, "no body, no file");
}

#[test]
fn a_segment_that_is_empty_when_it_is_full_goes() {
    let options = Options { inline_limit: 4000, segment_size: 5000, ..Options::default() };
    let mut harness = Embedded::new(&options);
    for _ in 0..10 {
        // One message at a time: each finds the segment before it full, and without a body.
        measure(harness.spool(), 1, 1, 3000, 1).unwrap();
    }
    let path = harness.path().join("segments");
    drop(harness.spool.take());
    assert_eq!(std::fs::read_dir(path).unwrap().count(), 0, "no body, no file");
}

#[test]
fn many_batches_share_a_sync() {
    let harness = Embedded::new(&Options::default());
    let found = measure(harness.spool(), 16, 8, 500, 2000).unwrap();
    let stats = harness.spool().stats();
    assert_eq!(stats.batches_applied, 4000);
    assert!(stats.commits < stats.batches_applied, "{stats:?}");
    assert!(found.syncs >= stats.commits, "each step is forced to the disk: {found:?} {stats:?}");
    assert!(found.messages_per_second() > 0.0);
}

#[test]
fn a_body_larger_than_any_buffer_streams() {
    let mut harness = Embedded::new(&Options::default());
    let piece: Vec<u8> = (0..1_000_003_u32).map(|number| number.to_le_bytes()[0] ^ 0x5a).collect();
    let mut writer = harness.spool().begin_body().unwrap();
    for _ in 0..20 {
        writer.write(&piece).unwrap();
    }
    let body = writer.finish().unwrap();
    assert_eq!((body.len(), body.memory_octets()), (20_000_060, 0));
    let mut batch = Batch::default();
    let id = batch.link_body(body);
    harness.spool().commit(batch).wait().unwrap();
    harness.reopen();
    for number in 0..20 {
        let found =
            block_on(harness.spool().read_body(id, number * piece.len() as u64, piece.len())).unwrap();
        assert!(found == piece, "piece {number} came back wrong");
    }
    let at_once = block_on(harness.spool().read_body(id, 0, usize::MAX)).unwrap();
    assert_eq!(at_once.len(), MAX_READ_OCTETS, "no read takes all memory");
}
