//! What the embedded engine does with a directory that isn't as it left it.

#![expect(clippy::unwrap_used, reason = "a test reports by panicking")]

use std::fs::{self, OpenOptions};
use std::path::{Path, PathBuf};

use spool::{
    Batch, BodyId, CommitError, Damage, EmbeddedSpool, OpenError, Options, Space, Spool, SpoolError,
    Unhealthy, block_on,
};
use tempfile::TempDir;

const A: Space = Space(1);
/// Octets of a record beside the body.
const HEADER: usize = 28;
const TRAILER: usize = 24;
/// Octets with which a segment of small bodies begins.
const BEGINNING: usize = HEADER + TRAILER;

fn options() -> Options {
    Options { inline_limit: 1000, reserve_bytes: 0, ..Options::default() }
}

fn open(directory: &TempDir) -> Result<EmbeddedSpool, OpenError> {
    EmbeddedSpool::open(directory.path(), options())
}

fn store(spool: &EmbeddedSpool, octets: &[u8]) -> BodyId {
    let mut writer = spool.begin_body().unwrap();
    writer.write(octets).unwrap();
    let mut batch = Batch::default();
    let id = batch.link_body(writer.finish().unwrap());
    spool.commit(batch).wait().unwrap();
    id
}

fn put(spool: &EmbeddedSpool, key: &[u8]) -> Result<(), CommitError> {
    let mut batch = Batch::default();
    batch.put(A, key, b"v");
    spool.commit(batch).wait()
}

fn read(spool: &EmbeddedSpool, id: BodyId) -> Result<Vec<u8>, SpoolError> {
    block_on(spool.read_body(id, 0, usize::MAX))
}

fn segments(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory.join("segments")).unwrap();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

#[test]
fn a_second_opener_is_refused_by_name() {
    let directory = tempfile::tempdir().unwrap();
    let spool = open(&directory).unwrap();
    match open(&directory).map(|_| ()) {
        Err(error @ OpenError::InUse { .. }) => {
            let text = error.to_string();
            assert!(text.contains(&format!("by process {}", std::process::id())), "{text}");
            assert!(text.contains(&*directory.path().canonicalize().unwrap().to_string_lossy()), "{text}");
        }
        other => panic!("{other:?}"),
    }
    let writer = spool.begin_body().unwrap();
    spool.close();
    assert!(matches!(open(&directory).map(|_| ()), Err(OpenError::InUse { .. })), "a writer holds the lock");
    drop(writer);
    open(&directory).unwrap();
}

#[test]
fn formats_are_checked() {
    let directory = tempfile::tempdir().unwrap();
    open(&directory).unwrap().close();
    let mark = directory.path().join("FORMAT");
    assert_eq!(fs::read_to_string(&mark).unwrap(), "chappe-spool 2\n");
    fs::write(&mark, "chappe-spool 3\n").unwrap();
    let refused = open(&directory).map(|_| ()).unwrap_err();
    assert!(matches!(refused, OpenError::NewerFormat { found: 3, supported: 2, .. }), "{refused}");
    fs::write(&mark, "chappe-spool 1\n").unwrap();
    open(&directory).unwrap().close();
    assert_eq!(fs::read_to_string(&mark).unwrap(), "chappe-spool 2\n", "an older one becomes a newer one");
    let garbage: [&[u8]; 6] =
        [b"", b"chappe-spool", b"chappe-spool x\n", b"chappe-spool 0\n", &[0xff; 500], &[b'1'; 500]];
    for content in garbage {
        fs::write(&mark, content).unwrap();
        let refused = open(&directory).map(|_| ()).unwrap_err();
        assert!(matches!(refused, OpenError::UnknownFormat { .. }), "{refused}");
    }
}

#[test]
fn a_directory_of_something_else_is_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("letter.txt"), "mine").unwrap();
    let refused = open(&directory).map(|_| ()).unwrap_err();
    assert!(matches!(&refused, OpenError::NotEmpty { entry, .. } if entry == "letter.txt"), "{refused}");
    assert!(!directory.path().join("index").exists());
}

#[test]
fn an_interrupted_creation_is_begun_again() {
    let directory = tempfile::tempdir().unwrap();
    fs::create_dir_all(directory.path().join("index")).unwrap();
    fs::write(directory.path().join("index").join("half"), "written").unwrap();
    fs::write(directory.path().join("FORMAT.new"), "chap").unwrap();
    let spool = open(&directory).unwrap();
    put(&spool, b"k").unwrap();
    spool.close();
    let spool = open(&directory).unwrap();
    assert!(block_on(spool.get(A, b"k")).unwrap().is_some());
}

#[test]
fn a_lost_index_or_mark_costs_no_body() {
    let directory = tempfile::tempdir().unwrap();
    let spool = open(&directory).unwrap();
    store(&spool, b"precious");
    spool.close();
    let before = segments(directory.path());
    assert_eq!(before.len(), 1);
    let (index, aside) = (directory.path().join("index"), directory.path().join("aside"));
    fs::rename(&index, &aside).unwrap();
    assert!(matches!(open(&directory).map(|_| ()), Err(OpenError::IndexMissing { .. })));
    fs::create_dir(&index).unwrap();
    assert!(matches!(open(&directory).map(|_| ()), Err(OpenError::IndexMissing { .. })), "an empty index");
    fs::remove_dir_all(&index).unwrap();
    fs::rename(&aside, &index).unwrap();
    let mark = directory.path().join("FORMAT");
    let text = fs::read(&mark).unwrap();
    fs::remove_file(&mark).unwrap();
    assert!(matches!(open(&directory).map(|_| ()), Err(OpenError::NotEmpty { .. })));
    fs::write(&mark, text).unwrap();
    assert_eq!(segments(directory.path()), before);
    assert_eq!(open(&directory).unwrap().stats().bodies, 1);
}

#[test]
fn unlinked_files_go_and_strange_ones_stay() {
    let directory = tempfile::tempdir().unwrap();
    let spool = open(&directory).unwrap();
    let (small, large) = (store(&spool, b"small"), store(&spool, &[7; 5000]));
    spool.close();
    let kept = segments(directory.path());
    assert_eq!(kept.len(), 2);
    let folder = directory.path().join("segments");
    let whole = fs::read(&kept[1]).unwrap();
    for (number, cut) in [0, 1, HEADER, HEADER + 1, whole.len() - 1, whole.len()].into_iter().enumerate() {
        fs::write(folder.join(format!("{:016x}.seg", 100 + number)), &whole[..cut]).unwrap();
    }
    let strange = ["notes.txt", "1.seg", "000000000000000g.seg", "0000000000000000.seg.bak"];
    for name in strange {
        fs::write(folder.join(name), "not ours").unwrap();
    }
    let spool = open(&directory).unwrap();
    assert_eq!(segments(directory.path()).len(), kept.len() + strange.len());
    assert_eq!(spool.stats().segments, 2);
    assert_eq!(read(&spool, small).unwrap(), b"small");
    assert_eq!(read(&spool, large).unwrap(), [7; 5000]);
}

#[test]
fn a_torn_tail_does_not_matter() {
    let directory = tempfile::tempdir().unwrap();
    let spool = open(&directory).unwrap();
    let id = store(&spool, b"linked");
    spool.close();
    let path = segments(directory.path()).remove(0);
    let linked = fs::read(&path).unwrap();
    let last = directory.path().join("LAST");
    for cut in 0..=linked.len() {
        // What was being appended when the machine went down.
        fs::write(&path, [&linked[..], &linked[..cut]].concat()).unwrap();
        if cut % 2 == 0 {
            // Without it the log is looked through.
            fs::remove_file(&last).unwrap();
        }
        let spool = open(&directory).unwrap();
        assert_eq!(read(&spool, id).unwrap(), b"linked", "cut after {cut}");
        assert_eq!(spool.stats().bodies_damaged, 0);
        let next = store(&spool, b"next");
        assert_eq!(read(&spool, next).unwrap(), b"next");
        let mut batch = Batch::default();
        batch.release(next);
        spool.commit(batch).wait().unwrap();
        spool.close();
        assert_eq!(fs::read(&path).unwrap().len(), linked.len() + cut, "a referenced file isn't touched");
    }
}

#[test]
fn damage_is_told_and_kept() {
    let directory = tempfile::tempdir().unwrap();
    let spool = open(&directory).unwrap();
    let octets: Vec<u8> = (0..100).collect();
    let (damaged, healthy) = (store(&spool, &octets), store(&spool, b"healthy"));
    spool.close();
    let path = segments(directory.path()).remove(0);
    let whole = fs::read(&path).unwrap();
    for at in 0..HEADER + octets.len() + TRAILER {
        let mut bytes = whole.clone();
        bytes[BEGINNING + at] ^= 0x10;
        fs::write(&path, &bytes).unwrap();
        let spool = open(&directory).unwrap();
        let found = read(&spool, damaged);
        let Err(SpoolError::Damaged { body, damage, .. }) = found else { panic!("octet {at}: {found:?}") };
        assert_eq!(body, damaged);
        let expected = match at {
            0..HEADER => matches!(damage, Damage::Header),
            128.. => matches!(damage, Damage::Trailer),
            _ => matches!(damage, Damage::Checksum { .. }),
        };
        assert!(expected, "octet {at}: {damage:?}");
        assert_eq!(read(&spool, healthy).unwrap(), b"healthy", "other bodies are not affected");
        assert!(spool.stats().last_error.is_some_and(|text| text.contains(&damaged.to_string())));
        spool.close();
        assert_eq!(fs::read(&path).unwrap(), bytes, "what can't be read stays");
    }
}

#[test]
fn a_damaged_body_never_comes_to_its_end() {
    let directory = tempfile::tempdir().unwrap();
    let spool = open(&directory).unwrap();
    let id = store(&spool, &[1; 10_000]);
    spool.close();
    let path = segments(directory.path()).remove(0);
    let whole = fs::read(&path).unwrap();
    let mut bytes = whole.clone();
    bytes[HEADER + 4321] ^= 1;
    fs::write(&path, bytes).unwrap();
    let spool = open(&directory).unwrap();
    let piece = |offset, max| block_on(spool.read_body(id, offset, max));
    // In order, by two readers at once, and by one who goes straight to the end.
    for offset in (0..9000).step_by(1000) {
        assert_eq!(piece(offset, 1000).unwrap().len(), 1000);
        assert_eq!(piece(offset / 2, 700).unwrap().len(), 700);
    }
    for offset in [9000, 9999] {
        assert!(matches!(piece(offset, 1000), Err(SpoolError::Damaged { .. })));
    }
    fs::write(&path, whole).unwrap();
    assert_eq!(piece(9000, 1000).unwrap(), [1; 1000], "a fault that passes is forgotten");
    assert_eq!(piece(0, 10_000).unwrap(), [1; 10_000]);
}

#[test]
fn a_cut_or_missing_segment_is_counted_at_open() {
    let directory = tempfile::tempdir().unwrap();
    let spool = open(&directory).unwrap();
    let (first, last) = (store(&spool, b"first"), store(&spool, b"last"));
    spool.close();
    let path = segments(directory.path()).remove(0);
    let whole = fs::read(&path).unwrap();
    let end_of = |body: &[u8]| {
        let at = whole.windows(body.len()).position(|window| window == body).unwrap();
        at + body.len() + TRAILER
    };
    let first_record = end_of(b"first");
    for cut in 0..end_of(b"last") {
        OpenOptions::new().write(true).open(&path).unwrap().set_len(cut as u64).unwrap();
        let spool = open(&directory).unwrap();
        let damaged = if cut < first_record { 2 } else { 1 };
        assert_eq!(spool.stats().bodies_damaged, damaged, "cut to {cut}");
        let found = read(&spool, last);
        assert!(matches!(found, Err(SpoolError::Damaged { .. })), "cut to {cut}: {found:?}");
        assert_eq!(read(&spool, first).is_ok(), damaged == 1);
        assert_eq!(block_on(spool.body_len(last)).unwrap(), 4, "the index still knows it");
        spool.close();
        fs::write(&path, &whole).unwrap();
    }
    fs::remove_file(&path).unwrap();
    let spool = open(&directory).unwrap();
    assert_eq!(spool.stats().bodies_damaged, 2);
    let found = read(&spool, first);
    assert!(matches!(found, Err(SpoolError::Damaged { damage: Damage::Missing, .. })), "{found:?}");
    let mut batch = Batch::default();
    batch.release(first).release(last);
    spool.commit(batch).wait().expect("a damaged body can be given up");
    assert!(matches!(read(&spool, first), Err(SpoolError::NoSuchBody { .. })));
}

#[test]
fn an_entry_nobody_understands_keeps_every_file() {
    let directory = tempfile::tempdir().unwrap();
    let spool = open(&directory).unwrap();
    let id = store(&spool, b"body");
    spool.close();
    let database = fjall::Database::builder(directory.path().join("index")).open().unwrap();
    let keyspace = database.keyspace("spool", fjall::KeyspaceCreateOptions::default).unwrap();
    let key = [&[0xF0][..], &id.0.to_be_bytes()].concat();
    assert!(keyspace.contains_key(&key).unwrap());
    keyspace.insert(key, b"not an entry").unwrap();
    drop(keyspace);
    drop(database);
    let spool = open(&directory).unwrap();
    assert_eq!(segments(directory.path()).len(), 1);
    assert_eq!(spool.stats().bodies_damaged, 1);
    assert!(matches!(read(&spool, id), Err(SpoolError::BadEntry { .. })));
}

#[test]
fn a_failed_write_stops_writing_until_reopened() {
    let directory = tempfile::tempdir().unwrap();
    // Each step wants a segment of its own.
    let options = Options { segment_size: 1, ..options() };
    let spool = EmbeddedSpool::open(directory.path(), options).unwrap();
    put(&spool, b"before").unwrap();
    let (folder, aside) = (directory.path().join("segments"), directory.path().join("aside"));
    fs::rename(&folder, &aside).unwrap();
    let mut batch = Batch::default();
    batch.link_body(spool.begin_body().unwrap().finish().unwrap());
    batch.put(A, b"failed", b"v");
    let failed = spool.commit(batch).wait();
    assert!(matches!(failed, Err(CommitError::Io { .. })), "{failed:?}");
    let stopped = put(&spool, b"after");
    assert!(matches!(stopped, Err(CommitError::Stopped { .. })), "{stopped:?}");
    assert!(matches!(spool.begin_body().map(|_| ()), Err(SpoolError::Stopped { .. })));
    assert!(matches!(spool.unhealthy_reason(), Some(Unhealthy::Stopped { .. })));
    assert!(spool.stats().last_error.is_some_and(|text| text.contains("create")));
    assert!(block_on(spool.get(A, b"before")).unwrap().is_some(), "reads go on");
    spool.close();
    fs::rename(&aside, &folder).unwrap();
    let spool = open(&directory).unwrap();
    assert!(block_on(spool.get(A, b"failed")).unwrap().is_none());
    assert!(spool.unhealthy_reason().is_none());
    put(&spool, b"after").unwrap();
}

#[test]
fn a_writer_that_failed_stays_failed() {
    let directory = tempfile::tempdir().unwrap();
    let spool = open(&directory).unwrap();
    fs::remove_dir(directory.path().join("segments")).unwrap();
    let mut writer = spool.begin_body().unwrap();
    writer.write(&[0; 1000]).unwrap();
    assert!(matches!(writer.write(b"one too many"), Err(SpoolError::File { .. })));
    assert!(matches!(writer.write(b"more"), Err(SpoolError::Abandoned { .. })));
    assert!(matches!(writer.finish().map(|_| ()), Err(SpoolError::Abandoned { .. })));
    assert!(spool.unhealthy_reason().is_none(), "one body's trouble doesn't stop the store");
}

#[test]
fn the_reserve_makes_a_store_unhealthy_but_lets_it_drain() {
    let directory = tempfile::tempdir().unwrap();
    let greedy = Options { reserve_bytes: u64::MAX, ..options() };
    let spool = EmbeddedSpool::open(directory.path(), greedy).unwrap();
    match spool.unhealthy_reason() {
        Some(Unhealthy::DiskReserve { available_bytes, reserve_bytes: u64::MAX }) => {
            assert!(available_bytes > 0)
        }
        other => panic!("{other:?}"),
    }
    let id = store(&spool, b"still works");
    assert_eq!(read(&spool, id).unwrap(), b"still works");
    spool.close();
    assert!(open(&directory).unwrap().unhealthy_reason().is_none());
}

#[test]
fn closing_writes_what_waits() {
    let directory = tempfile::tempdir().unwrap();
    let spool = open(&directory).unwrap();
    let commits: Vec<_> = (0_u16..500)
        .map(|number| {
            let mut batch = Batch::default();
            batch.put(A, number.to_be_bytes(), [0; 1000]);
            spool.commit(batch)
        })
        .collect();
    spool.close();
    for commit in commits {
        commit.wait().unwrap();
    }
    let spool = open(&directory).unwrap();
    assert_eq!(block_on(spool.scan(A, b"", None, usize::MAX)).unwrap().len(), 500);
}
