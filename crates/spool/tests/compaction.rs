//! Space of mostly dead segments comes back, and a crash in the middle harms nothing.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test reports by panicking")]

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use spool::{Batch, BodyId, DiskCall, EmbeddedSpool, Options, Space, Spool, block_on};
use tempfile::TempDir;

/// In memory where there is such a file system: what a sync costs is not the matter here.
fn directory() -> TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

fn options() -> Options {
    Options { inline_limit: 4000, segment_size: 100_000, reserve_bytes: 0, ..Options::default() }
}

fn octets(number: usize) -> Vec<u8> {
    (0..1000 + number % 700).map(|at| u8::try_from((at * 7 + number) % 256).unwrap()).collect()
}

fn store(spool: &EmbeddedSpool, number: usize) -> BodyId {
    let mut writer = spool.begin_body().unwrap();
    writer.write(&octets(number)).unwrap();
    let mut batch = Batch::default();
    let id = batch.link_body(writer.finish().unwrap());
    batch.retain(id, 2);
    spool.commit(batch).wait().unwrap();
    id
}

fn release(spool: &EmbeddedSpool, id: BodyId, times: usize) {
    let mut batch = Batch::default();
    (0..times).for_each(|_| {
        batch.release(id);
    });
    spool.commit(batch).wait().unwrap();
}

fn check(spool: &EmbeddedSpool, kept: &[(usize, BodyId)]) {
    for &(number, id) in kept {
        let body = block_on(spool.read_body(id, 0, usize::MAX));
        assert!(body.as_ref().is_ok_and(|body| *body == octets(number)), "{number}: {body:?}");
    }
    let stats = spool.stats();
    assert_eq!((stats.bodies, stats.bodies_damaged, stats.last_error), (kept.len() as u64, 0, None));
}

/// Files which hold bodies take this much.
fn used(directory: &Path) -> u64 {
    let entries = std::fs::read_dir(directory.join("segments")).unwrap();
    entries.map(|entry| entry.unwrap().metadata().map_or(0, |metadata| metadata.len())).sum()
}

/// Waits until nothing is left to be compacted.
fn settle(spool: &EmbeddedSpool) {
    for _ in 0..2000 {
        let stats = spool.stats();
        if stats.dead_octets <= 3 * stats.live_octets + 200_000 && stats.segments <= 4 {
            return;
        }
        thread::sleep(Duration::from_millis(5));
    }
    panic!("space does not come back: {:?}", spool.stats());
}

/// Stores bodies and releases all but one in `one_in`.
fn thin_out(spool: &EmbeddedSpool, one_in: usize) -> Vec<(usize, BodyId)> {
    let all: Vec<(usize, BodyId)> = (0..600).map(|number| (number, store(spool, number))).collect();
    let (kept, gone): (Vec<_>, Vec<_>) = all.into_iter().partition(|(number, _)| number % one_in == 3);
    for (_, id) in gone {
        release(spool, id, 3);
    }
    kept
}

#[test]
fn space_comes_back_and_bodies_stay() {
    let directory = directory();
    let spool = EmbeddedSpool::open(directory.path(), options()).unwrap();
    let kept = thin_out(&spool, 25);
    settle(&spool);
    check(&spool, &kept);
    let stats = spool.stats();
    assert!(stats.bodies_moved > 10, "{stats:?}");
    let octets: u64 = kept.iter().map(|(number, _)| octets(*number).len() as u64).sum();
    assert_eq!(stats.live_octets, octets + 52 * kept.len() as u64);
    spool.close();
    assert!(used(directory.path()) < 300_000, "{} octets", used(directory.path()));
    let spool = EmbeddedSpool::open(directory.path(), options()).unwrap();
    check(&spool, &kept);
    assert_eq!(spool.stats().live_octets, octets + 52 * kept.len() as u64);
    // References moved along.
    for &(_, id) in &kept {
        release(&spool, id, 2);
    }
    check(&spool, &kept);
    for &(_, id) in &kept {
        release(&spool, id, 1);
    }
    check(&spool, &[]);
}

#[test]
fn readers_do_not_notice() {
    let directory = directory();
    let spool = EmbeddedSpool::open(directory.path(), options()).unwrap();
    let (number, id) = (3, store(&spool, 3));
    let expected = octets(number);
    let reading = AtomicU64::new(1);
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let mut offset = 0;
                while reading.load(Ordering::Relaxed) == 1 {
                    let piece = block_on(spool.read_body(id, offset as u64, 100)).unwrap();
                    assert_eq!(piece, expected[offset..(offset + 100).min(expected.len())]);
                    offset = (offset + piece.len()) % expected.len();
                }
            });
        }
        for _ in 0..3 {
            let kept = thin_out(&spool, 600);
            settle(&spool);
            kept.into_iter().for_each(|(_, id)| release(&spool, id, 3));
        }
        reading.store(0, Ordering::Relaxed);
    });
    assert!(spool.stats().bodies_moved > 0);
}

/// The disk fails for good at one call after another, as if the process ended there.
#[test]
fn whatever_fails_nothing_is_lost() {
    for number in 0.. {
        let directory = directory();
        let calls = Arc::new(AtomicU64::new(u64::MAX));
        let judged = Arc::clone(&calls);
        let judge = move |call: DiskCall, _: &Path| match call {
            DiskCall::Open | DiskCall::Read => None,
            DiskCall::Create
            | DiskCall::Write
            | DiskCall::Shorten
            | DiskCall::Sync
            | DiskCall::SyncDirectory
            | DiskCall::CommitIndex
            | DiskCall::Remove => {
                let left = judged.load(Ordering::Relaxed);
                match left.checked_sub(1) {
                    Some(left) => {
                        judged.store(left, Ordering::Relaxed);
                        None
                    }
                    None => Some(io::Error::from_raw_os_error(5)),
                }
            }
        };
        let spool = EmbeddedSpool::open_judged(directory.path(), options(), Arc::new(judge)).unwrap();
        let all: Vec<(usize, BodyId)> = (0..180).map(|number| (number, store(&spool, number))).collect();
        let (kept, gone): (Vec<_>, Vec<_>) = all.into_iter().partition(|(number, _)| number % 30 == 3);
        let mut batch = Batch::default();
        for (_, id) in gone {
            batch.release(id).release(id).release(id);
        }
        // From here on: the release itself, then the compaction.
        calls.store(1 + number, Ordering::Relaxed);
        let released = spool.commit(batch).wait().is_ok();
        let done = |spool: &EmbeddedSpool| spool.stats().segments <= 2 || spool.unhealthy_reason().is_some();
        for _ in 0..2000 {
            if !released || done(&spool) {
                break;
            }
            thread::sleep(Duration::from_millis(5));
        }
        let through = calls.load(Ordering::Relaxed) > 0;
        spool.close();
        let spool = EmbeddedSpool::open(directory.path(), options()).unwrap();
        for &(number, id) in &kept {
            assert_eq!(block_on(spool.read_body(id, 0, usize::MAX)).unwrap(), octets(number));
        }
        assert_eq!(spool.stats().bodies_damaged, 0);
        if released {
            check(&spool, &kept);
        }
        if through {
            assert!(number >= 3, "the compaction made too few calls to judge anything");
            return;
        }
    }
}

#[test]
fn steps_without_bodies_hold_no_segment() {
    let directory = directory();
    let spool = EmbeddedSpool::open(directory.path(), options()).unwrap();
    let mut writer = spool.begin_body().unwrap();
    writer.write(b"one body at the beginning").unwrap();
    let mut batch = Batch::default();
    let id = batch.link_body(writer.finish().unwrap());
    spool.commit(batch).wait().unwrap();
    for number in 0..100_000_u32 {
        if spool.stats().bodies_moved > 0 {
            break;
        }
        let mut batch = Batch::default();
        batch.put(Space(1), b"key", number.to_be_bytes());
        spool.commit(batch).wait().unwrap();
    }
    assert_eq!(spool.stats().bodies_moved, 1, "the segment that it lived in was nearly all steps");
    assert_eq!(block_on(spool.read_body(id, 0, 100)).unwrap(), b"one body at the beginning");
}
