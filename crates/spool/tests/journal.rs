//! The journal of the index, damaged: torn at its end by a power cut, or rotten in the middle.

#![expect(clippy::unwrap_used, reason = "a test reports by panicking")]

use std::fs;
use std::path::{Path, PathBuf};

use spool::{Batch, EmbeddedSpool, LastStop, OpenError, Options, Space, Spool, SpoolError, block_on};
use tempfile::TempDir;

const A: Space = Space(1);
const RECORDS: u8 = 12;

/// In memory where there is such a file system: what a sync costs is not the matter here.
fn directory() -> TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

fn options() -> Options {
    Options { reserve_bytes: 0, ..Options::default() }
}

/// A store with some batches, each larger than a page; returns its journal.
fn filled(directory: &Path) -> PathBuf {
    let spool = EmbeddedSpool::open(directory, options()).unwrap();
    for key in 0..RECORDS {
        let mut batch = Batch::default();
        batch.put(A, [key], value(key));
        batch.put(A, [key, 1], b"small");
        spool.commit(batch).wait().unwrap();
    }
    spool.close();
    let entries = fs::read_dir(directory.join("index")).unwrap();
    let mut journals: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    journals.retain(|path| path.extension().is_some_and(|extension| extension == "jnl"));
    assert_eq!(journals.len(), 1);
    journals.remove(0)
}

fn value(key: u8) -> Vec<u8> {
    vec![key ^ 0x55; 9000]
}

fn keys(spool: &EmbeddedSpool) -> Vec<u8> {
    let records = block_on(spool.scan(A, b"", None, usize::MAX)).unwrap();
    assert!(records.iter().all(|(key, value)| key.len() == 2 || *value == self::value(key[0])));
    records.iter().filter(|(key, _)| key.len() == 1).map(|(key, _)| key[0]).collect()
}

/// The journal without most of the zeros at its end, which are set aside for what is still to come.
fn written(path: &Path) -> Vec<u8> {
    let mut octets = fs::read(path).unwrap();
    let used = octets.iter().rposition(|&octet| octet != 0).unwrap();
    octets.truncate(used + 5000);
    octets
}

/// Where each batch ends, by the mark that ends it.
fn ends(journal: &[u8]) -> Vec<usize> {
    let marks = journal.windows(4).enumerate();
    marks.filter(|(_, window)| window == b"FJL\x03").map(|(at, _)| at + 4).collect()
}

#[test]
fn any_part_of_the_last_batch_may_be_missing() {
    let directory = directory();
    let path = filled(directory.path());
    let whole = written(&path);
    let ends = ends(&whole);
    let [.., from, to] = ends[..] else { panic!("{ends:?}") };
    // Sectors that never reached the disk, one by one and from each to the end.
    let mut holes: Vec<(usize, usize)> = Vec::new();
    for sector in from / 512..=(to - 1) / 512 {
        let (start, end) = ((sector * 512).max(from), (sector * 512 + 512).min(to));
        holes.extend([(start, end), (start, to)]);
    }
    for (start, end) in holes {
        let mut torn = whole.clone();
        torn[start..end].fill(0);
        fs::write(&path, &torn).unwrap();
        // The power failed before this step was acknowledged.
        fs::remove_file(directory.path().join("LAST")).unwrap();
        let spool = EmbeddedSpool::open(directory.path(), options()).unwrap();
        assert_eq!(keys(&spool), (0..RECORDS - 1).collect::<Vec<u8>>(), "without {start} to {end}");
        let mut batch = Batch::default();
        batch.put(A, [RECORDS], value(RECORDS));
        spool.commit(batch).wait().unwrap();
        spool.close();
        let spool = EmbeddedSpool::open(directory.path(), options()).unwrap();
        assert_eq!(keys(&spool).len(), usize::from(RECORDS), "what is written after it stays");
        spool.close();
    }
}

#[test]
fn what_rotted_in_the_middle_is_not_taken_for_the_end() {
    let directory = directory();
    let path = filled(directory.path());
    let whole = written(&path);
    let ends = ends(&whole);
    let (from, to) = (ends[4], ends[5]);
    for at in (from..to).step_by(997).chain(from..from + 40).chain(to - 20..to) {
        let mut rotten = whole.clone();
        rotten[at] ^= 0x20;
        fs::write(&path, &rotten).unwrap();
        match EmbeddedSpool::open(directory.path(), options()).map(|_| ()) {
            Err(OpenError::Storage { source: SpoolError::IndexDamaged { valid, .. } }) => {
                assert_eq!(valid, from as u64, "octet {at}");
            }
            // Its number is not covered by the checksum. One that is too high makes it pass for the last step.
            Ok(()) | Err(OpenError::Storage { source: SpoolError::IndexBehind { .. } })
                if (from + 5..from + 13).contains(&at) => {}
            other => panic!("octet {at}: {other:?}"),
        }
        if !(from + 5..from + 13).contains(&at) {
            assert_eq!(fs::read(&path).unwrap(), rotten, "nothing is changed");
        }
    }
    fs::write(&path, &whole).unwrap();
    let spool = EmbeddedSpool::open(directory.path(), options()).unwrap();
    assert_eq!(keys(&spool), (0..RECORDS).collect::<Vec<u8>>());
}

#[test]
fn what_rotted_in_the_last_acknowledged_batch_is_no_torn_end() {
    let directory = directory();
    let path = filled(directory.path());
    let whole = written(&path);
    let ends = ends(&whole);
    let [.., from, to] = ends[..] else { panic!("{ends:?}") };
    for at in [from, from + 30, (from + to) / 2, to - 1] {
        let mut rotten = whole.clone();
        rotten[at] ^= 0x20;
        fs::write(&path, &rotten).unwrap();
        match EmbeddedSpool::open(directory.path(), options()).map(|_| ()) {
            Err(OpenError::Storage { source: SpoolError::IndexDamaged { valid, .. } }) => {
                assert_eq!(valid, from as u64, "octet {at}");
            }
            other => panic!("octet {at}: {other:?}"),
        }
        assert_eq!(fs::read(&path).unwrap(), rotten, "nothing is changed");
    }
    // Without its end altogether, as an older copy of the file would be.
    fs::write(&path, &whole[..from]).unwrap();
    match EmbeddedSpool::open(directory.path(), options()).map(|_| ()) {
        Err(OpenError::Storage { source: SpoolError::IndexBehind { step, acknowledged, .. } }) => {
            assert_eq!(step + 1, acknowledged);
        }
        other => panic!("{other:?}"),
    }
    fs::write(&path, &whole).unwrap();
    let spool = EmbeddedSpool::open(directory.path(), options()).unwrap();
    assert_eq!(keys(&spool), (0..RECORDS).collect::<Vec<u8>>());
    assert_eq!(spool.last_stop(), LastStop::InOrder, "a refused opening changes nothing");
}

#[test]
fn a_store_knows_how_it_was_left() {
    let directory = directory();
    let put = |spool: &EmbeddedSpool, key: u8| {
        let mut batch = Batch::default();
        batch.put(A, [key], value(key));
        spool.commit(batch).wait()
    };
    let open = || EmbeddedSpool::open(directory.path(), options()).unwrap();
    let spool = open();
    assert_eq!(spool.last_stop(), LastStop::NoneBefore);
    put(&spool, 1).unwrap();
    // The directory as a kill would leave it.
    let killed = fs::read(directory.path().join("LAST")).unwrap();
    spool.close();
    let spool = open();
    assert_eq!(spool.last_stop(), LastStop::InOrder);
    spool.end().unwrap();
    assert!(put(&spool, 2).is_err(), "nothing is written behind the end");
    assert_eq!(keys(&spool), [1], "reading goes on");
    spool.end().unwrap();
    spool.close();
    let stopped = fs::read(directory.path().join("LAST")).unwrap();
    fs::write(directory.path().join("LAST"), &killed).unwrap();
    let spool = open();
    assert_eq!(spool.last_stop(), LastStop::Disorderly);
    put(&spool, 3).unwrap();
    spool.close();
    // A version that knows nothing of the file has been at work since.
    fs::write(directory.path().join("LAST"), &stopped).unwrap();
    let spool = open();
    assert_eq!(spool.last_stop(), LastStop::Disorderly);
    spool.close();
    for other in [None, Some(&b""[..]), Some(&killed[1..])] {
        match other {
            Some(octets) => fs::write(directory.path().join("LAST"), octets).unwrap(),
            None => fs::remove_file(directory.path().join("LAST")).unwrap(),
        }
        let spool = open();
        assert_eq!(spool.last_stop(), LastStop::Disorderly, "{other:?}");
        spool.close();
        assert_eq!(open().last_stop(), LastStop::InOrder);
    }
    assert_eq!(keys(&open()), [1, 3]);
}
