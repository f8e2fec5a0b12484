//! What the embedded engine makes of a disk that is full, broken or read-only, at any call.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test reports by panicking")]

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use spool::{
    Batch, BodyId, CommitError, Damage, DiskCall, DiskJudge, EmbeddedSpool, Options, Space, Spool,
    SpoolError, Unhealthy, block_on,
};
use tempfile::TempDir;

const A: Space = Space(1);
const ENOSPC: i32 = 28;
const EDQUOT: i32 = 122;
const EIO: i32 = 5;
const EROFS: i32 = 30;

/// In memory where there is such a file system: what a sync costs is not the matter here.
fn directory() -> TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

fn options() -> Options {
    Options { inline_limit: 1000, segment_size: 5000, reserve_bytes: 0, ..Options::default() }
}

/// What a store should hold: a body for each key.
type Model = BTreeMap<u8, BodyId>;

fn octets(key: u8) -> Vec<u8> {
    let len = [0, 300, 900, 2000, 70_000][usize::from(key % 5)];
    (0..len).map(|at| u8::try_from(at % 251).unwrap() ^ key).collect()
}

/// What became of a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Became {
    Applied,
    Refused,
    Unknown,
}

fn store(spool: &EmbeddedSpool, model: &mut Model, key: u8) -> Became {
    let write = || {
        let mut writer = spool.begin_body()?;
        for piece in octets(key).chunks(7000) {
            writer.write(piece)?;
        }
        writer.finish()
    };
    let Ok(body) = write() else { return Became::Refused };
    let mut batch = Batch::default();
    let id = batch.link_body(body);
    batch.put(A, [key], id.0.to_be_bytes());
    let became = became(spool, batch);
    if became == Became::Applied {
        model.insert(key, id);
    }
    became
}

fn remove(spool: &EmbeddedSpool, model: &mut Model, key: u8) -> Became {
    let Some(id) = model.get(&key) else { return Became::Refused };
    let mut batch = Batch::default();
    batch.delete(A, [key]).release(*id);
    let became = became(spool, batch);
    if became == Became::Applied {
        model.remove(&key);
    }
    became
}

fn became(spool: &EmbeddedSpool, batch: Batch) -> Became {
    match spool.commit(batch).wait() {
        Ok(()) => Became::Applied,
        Err(CommitError::NoSpace { .. } | CommitError::Stopped { .. }) => Became::Refused,
        Err(CommitError::Io { .. }) => Became::Unknown,
        Err(other) => panic!("{other}"),
    }
}

/// Twenty steps that make, fill, empty and unlink segments of both kinds.
fn work(spool: &EmbeddedSpool, model: &mut Model) -> Vec<(u8, Became)> {
    let mut became = Vec::new();
    for key in 0..15 {
        became.push((key, store(spool, model, key)));
        if key % 2 == 1 {
            became.push((key / 2, remove(spool, model, key / 2)));
        }
    }
    became
}

fn check(spool: &EmbeddedSpool, model: &Model, context: &str) {
    let found = block_on(spool.scan(A, b"", None, usize::MAX)).unwrap();
    let found: Model = found
        .iter()
        .map(|(key, id)| (key[0], BodyId(u64::from_be_bytes(id[..].try_into().unwrap()))))
        .collect();
    assert_eq!(found, *model, "{context}");
    for (&key, &id) in model {
        let body = block_on(spool.read_body(id, 0, usize::MAX));
        assert!(body.as_ref().is_ok_and(|body| *body == octets(key)), "{context}: {key}: {body:?}");
    }
    let stats = spool.stats();
    assert_eq!((stats.bodies, stats.bodies_damaged), (model.len() as u64, 0), "{context}");
}

/// Refuses the call of that number among those which `which` counts, with this error.
fn judge(number: u64, errno: i32, which: fn(DiskCall) -> bool) -> (DiskJudge, Arc<AtomicU64>) {
    let seen = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&seen);
    let judge = move |call: DiskCall, _: &Path| {
        let hit = which(call) && counted.fetch_add(1, Ordering::Relaxed) == number;
        hit.then(|| io::Error::from_raw_os_error(errno))
    };
    (Arc::new(judge), seen)
}

/// Calls which want space.
fn wants_space(call: DiskCall) -> bool {
    match call {
        DiskCall::Create | DiskCall::Write | DiskCall::CommitIndex => true,
        DiskCall::Shorten
        | DiskCall::Sync
        | DiskCall::SyncDirectory
        | DiskCall::Open
        | DiskCall::Read
        | DiskCall::Remove => false,
    }
}

/// Calls which change the disk.
fn changes(call: DiskCall) -> bool {
    match call {
        DiskCall::Create
        | DiskCall::Write
        | DiskCall::CommitIndex
        | DiskCall::Shorten
        | DiskCall::Sync
        | DiskCall::SyncDirectory => true,
        DiskCall::Open | DiskCall::Read | DiskCall::Remove => false,
    }
}

/// Runs `case` for all numbers below the first for which it says that there are no more calls. Several at once,
/// since a store that ran out of space takes its time to look for some.
fn for_each_call(case: impl Fn(u64) -> bool + Sync) {
    let next = AtomicU64::new(0);
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| while case(next.fetch_add(1, Ordering::Relaxed)) {});
        }
    });
    assert!(next.into_inner() > 30, "too few calls to judge anything");
}

fn wait_for_space(spool: &EmbeddedSpool) {
    for _ in 0..1000 {
        match spool.unhealthy_reason() {
            None => return,
            Some(Unhealthy::NoSpace { .. }) => thread::sleep(Duration::from_millis(10)),
            Some(other) => panic!("{other}"),
        }
    }
    panic!("the store does not find the space that is there");
}

#[test]
fn no_space_at_any_call_refuses_and_passes() {
    for_each_call(|number| {
        let context = format!("call {number}");
        let directory = directory();
        let errno = if number.is_multiple_of(2) { ENOSPC } else { EDQUOT };
        // The first commit sets body names aside when the store is made.
        let (judge, seen) = judge(number + 1, errno, wants_space);
        let spool = EmbeddedSpool::open_judged(directory.path(), options(), judge).unwrap();
        let mut model = Model::new();
        let became = work(&spool, &mut model);
        let unknown = became.iter().find(|(_, became)| *became == Became::Unknown);
        assert_eq!(unknown, None, "{context}: without space it is known what happened");
        check(&spool, &model, &context);
        wait_for_space(&spool);
        for key in 100..105 {
            // The call may be one of these.
            if store(&spool, &mut model, key) != Became::Applied {
                wait_for_space(&spool);
                assert_eq!(store(&spool, &mut model, key), Became::Applied, "{context}");
            }
        }
        check(&spool, &model, &context);
        let files = spool.stats().segments;
        spool.close();
        let spool = EmbeddedSpool::open(directory.path(), options()).unwrap();
        check(&spool, &model, &context);
        let now = spool.stats().segments;
        // One more, if what lives in a sparse one is on its way out of it at this moment.
        assert!(now <= files + 1, "{context}: {files} files, then {now}");
        seen.load(Ordering::Relaxed) > number + 1
    });
}

#[test]
fn any_other_failed_write_stops_writing_and_loses_nothing() {
    for errno in [EIO, EROFS] {
        for_each_call(|number| {
            let context = format!("errno {errno}, call {number}");
            let directory = directory();
            let (judge, seen) = judge(number + 1, errno, changes);
            let spool = EmbeddedSpool::open_judged(directory.path(), options(), judge).unwrap();
            let mut model = Model::new();
            let became = work(&spool, &mut model);
            let open = became.iter().find(|(_, became)| *became == Became::Unknown);
            if open.is_some() {
                let reason = spool.unhealthy_reason();
                assert!(matches!(reason, Some(Unhealthy::Stopped { .. })), "{context}: {reason:?}");
                assert!(matches!(store(&spool, &mut model, 100), Became::Refused), "{context}");
            }
            check(&spool, &model, &context);
            spool.close();
            let spool = EmbeddedSpool::open(directory.path(), options()).unwrap();
            if let Some((key, _)) = open {
                // Nobody was told: it may be there or not.
                match block_on(spool.get(A, &[*key])).unwrap() {
                    Some(id) => drop(model.insert(*key, BodyId(u64::from_be_bytes(id.try_into().unwrap())))),
                    None => drop(model.remove(key)),
                }
            }
            check(&spool, &model, &context);
            assert_eq!(store(&spool, &mut model, 101), Became::Applied, "{context}");
            seen.load(Ordering::Relaxed) > number + 1
        });
    }
}

#[test]
fn a_bad_block_damages_one_body() {
    let directory = directory();
    let judge = |call: DiskCall, path: &Path| {
        let bad = call == DiskCall::Read && path.ends_with("segments/0000000000000001.seg");
        bad.then(|| io::Error::from_raw_os_error(EIO))
    };
    let spool = EmbeddedSpool::open_judged(directory.path(), options(), Arc::new(judge)).unwrap();
    let mut model = Model::new();
    // The second has a segment of its own.
    for key in [1, 3, 8] {
        assert_eq!(store(&spool, &mut model, key), Became::Applied);
    }
    let found = block_on(spool.read_body(model[&3], 0, 10));
    let damaged = matches!(found, Err(SpoolError::Damaged { damage: Damage::Unreadable, .. }));
    assert!(damaged, "{found:?}");
    assert!(spool.unhealthy_reason().is_none(), "others are stored and read all the same");
    for key in [1, 8] {
        assert_eq!(block_on(spool.read_body(model[&key], 0, usize::MAX)).unwrap(), octets(key));
    }
    assert_eq!(remove(&spool, &mut model, 3), Became::Applied, "it can be given up");
}

/// A small file system in memory; unmounted when dropped.
struct Mount(TempDir);

impl Mount {
    /// `None` without the right to mount.
    fn new(octets: u64) -> Option<Mount> {
        let directory = directory();
        let size = format!("size={octets}");
        let mounted =
            Command::new("mount").args(["-t", "tmpfs", "-o", &size, "none"]).arg(directory.path()).output();
        mounted.is_ok_and(|output| output.status.success()).then_some(Mount(directory))
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        Command::new("umount").arg("--lazy").arg(self.0.path()).status().ok();
    }
}

/// The same on a real file system that is full, where the index meets the lack of space inside itself.
#[test]
fn a_real_disk_fills_up_and_gets_space_again() {
    let Some(mount) = Mount::new(6 << 20) else {
        eprintln!("skipped: no right to mount a file system");
        return;
    };
    let options = Options { index_memtable_bytes: 256 << 10, ..options() };
    let root = mount.0.path().join("spool");
    let mut spool = EmbeddedSpool::open(&root, options.clone()).unwrap();
    let mut records: BTreeMap<u32, bool> = BTreeMap::new();
    let put = |spool: &EmbeddedSpool, number: u32| {
        let mut batch = Batch::default();
        batch.put(A, number.to_be_bytes(), vec![7; 3000]);
        spool.commit(batch).wait()
    };
    let other = mount.0.path().join("other");
    for round in 0..4_u32 {
        // Somebody else takes most of what is left.
        let free = 1_500_000 / (round + 1);
        let available = available(mount.0.path());
        let taken = vec![1; usize::try_from(available.saturating_sub(u64::from(free))).unwrap()];
        fs::write(&other, taken).unwrap();
        let mut refused = None;
        for number in round * 10_000..round * 10_000 + 2000 {
            match put(&spool, number) {
                Ok(()) => {
                    records.insert(number, true);
                }
                Err(CommitError::NoSpace { cause }) => {
                    records.insert(number, false);
                    refused = Some(cause);
                    break;
                }
                Err(other) => panic!("round {round}: {other}"),
            }
        }
        let refused = refused.expect("the disk fills up");
        assert!(matches!(*refused, SpoolError::NoSpace { .. }), "{refused}");
        check_records(&spool, &records);
        fs::remove_file(&other).unwrap();
        wait_for_space(&spool);
        for number in round * 10_000 + 5000..round * 10_000 + 5010 {
            put(&spool, number).unwrap();
            records.insert(number, true);
        }
        check_records(&spool, &records);
        if round % 2 == 1 {
            spool.close();
            spool = EmbeddedSpool::open(&root, options.clone()).unwrap();
            check_records(&spool, &records);
        }
        let mut batch = Batch::default();
        for number in records.keys() {
            batch.delete(A, number.to_be_bytes());
        }
        spool.commit(batch).wait().unwrap();
        records.clear();
    }
}

fn available(path: &Path) -> u64 {
    let space = rustix::fs::statvfs(path).unwrap();
    space.f_bavail * space.f_frsize
}

fn check_records(spool: &EmbeddedSpool, records: &BTreeMap<u32, bool>) {
    let found = block_on(spool.scan(A, b"", None, usize::MAX)).unwrap();
    let found: Vec<u32> =
        found.iter().map(|(key, _)| u32::from_be_bytes(key[..].try_into().unwrap())).collect();
    let expected: Vec<u32> =
        records.iter().filter(|(_, stored)| **stored).map(|(number, _)| *number).collect();
    assert_eq!(found, expected);
}
