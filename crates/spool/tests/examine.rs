//! What a look through a store finds, and what repairing does to it.

#![expect(clippy::unwrap_used, reason = "a test reports by panicking")]

use std::fs;
use std::path::Path;

use spool::{Batch, BodyId, EmbeddedSpool, Examined, Gravity, OpenError, Options, Space, Spool, block_on};
use tempfile::TempDir;

const A: Space = Space(1);

fn directory() -> TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

fn options() -> Options {
    Options { inline_limit: 1000, reserve_bytes: 0, ..Options::default() }
}

fn store(spool: &EmbeddedSpool, octets: &[u8]) -> BodyId {
    let mut writer = spool.begin_body().unwrap();
    writer.write(octets).unwrap();
    let mut batch = Batch::default();
    let id = batch.link_body(writer.finish().unwrap());
    batch.put(A, id.0.to_be_bytes(), octets.len().to_string());
    spool.commit(batch).wait().unwrap();
    id
}

fn examine(directory: &Path, repair: bool) -> Result<Examined, OpenError> {
    EmbeddedSpool::examine(directory, options(), repair, &mut |_, _, _| {})
}

#[test]
fn a_healthy_store_is_clean() {
    let directory = directory();
    let spool = EmbeddedSpool::open(directory.path(), options()).unwrap();
    for number in 0..20_u8 {
        store(&spool, &[number; 300]);
    }
    store(&spool, &[7; 50_000]);
    let in_use = examine(directory.path(), true).map(|_| ()).unwrap_err();
    assert!(matches!(in_use, OpenError::InUse { .. }), "{in_use}");
    spool.close();
    let found = examine(directory.path(), false).unwrap();
    assert_eq!(found.findings, []);
    assert_eq!((found.count, found.worst), (0, None));
    assert_eq!((found.bodies, found.body_octets), (21, 56_000));
    assert_eq!(found.records, [(A, 21)]);
    assert!(found.damaged_bodies.is_empty());
}

#[test]
fn what_is_no_store_is_not_made_one() {
    let directory = directory();
    let missing = directory.path().join("missing");
    for path in [directory.path(), &missing] {
        let refused = examine(path, true).map(|_| ()).unwrap_err();
        assert!(matches!(refused, OpenError::NoStore { .. }), "{refused}");
    }
    assert!(!missing.exists());
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
}

#[test]
fn damaged_bodies_are_named_and_left_alone() {
    let directory = directory();
    let spool = EmbeddedSpool::open(directory.path(), options()).unwrap();
    let bodies: Vec<BodyId> = (0..5_u8).map(|number| store(&spool, &[number; 300])).collect();
    let large = store(&spool, &[7; 50_000]);
    spool.close();
    let segment = directory.path().join("segments/0000000000000000.seg");
    let mut octets = fs::read(&segment).unwrap();
    let third = octets.windows(300).position(|window| window == [2; 300]).unwrap();
    octets[third + 100] ^= 1;
    fs::write(&segment, &octets).unwrap();
    fs::remove_file(directory.path().join("segments/0000000000000001.seg")).unwrap();
    fs::write(directory.path().join("segments/notes.txt"), "not ours").unwrap();
    for repair in [false, true] {
        let found = examine(directory.path(), repair).unwrap();
        assert_eq!(found.damaged_bodies, [bodies[2], large]);
        assert_eq!((found.count, found.worst), (3, Some(Gravity::Damaged)));
        assert!(found.findings[2].what.contains("notes.txt"), "{:?}", found.findings);
        assert_eq!(fs::read(&segment).unwrap(), octets);
    }
}

#[test]
fn a_journal_damaged_in_the_middle_is_salvaged() {
    let directory = directory();
    let spool = EmbeddedSpool::open(directory.path(), options()).unwrap();
    for key in 0..10_u8 {
        let mut batch = Batch::default();
        batch.put(A, [key], vec![key; 2000]);
        spool.commit(batch).wait().unwrap();
    }
    spool.close();
    let journal = directory.path().join("index/0.jnl");
    let mut octets = fs::read(&journal).unwrap();
    let used = octets.iter().rposition(|octet| *octet != 0).unwrap() + 1;
    octets.truncate(used + 100);
    let at = octets.windows(500).position(|window| window == [4; 500]).unwrap();
    octets[at + 700] = 0;
    fs::write(&journal, &octets).unwrap();

    let found = examine(directory.path(), false).unwrap();
    assert_eq!(found.worst, Some(Gravity::Serious));
    assert!(found.spool.is_none(), "it is not opened, since the index would drop what follows the damage");
    assert_eq!(fs::read(&journal).unwrap(), octets, "nothing is changed");

    let found = examine(directory.path(), true).unwrap();
    assert_eq!(found.worst, Some(Gravity::Serious));
    let done = found.findings[0].done.as_deref().unwrap();
    let kept = directory.path().join("quarantine/0.jnl.1");
    assert!(done.contains(&*kept.canonicalize().unwrap().to_string_lossy()), "{done}");
    assert_eq!(fs::read(&kept).unwrap(), octets, "the journal as it was is kept");
    drop(found);

    let found = examine(directory.path(), false).unwrap();
    assert_eq!((found.findings, found.records), (vec![], vec![(A, 9)]));
    let spool = found.spool.unwrap();
    for key in 0..10_u8 {
        let value = block_on(spool.get(A, &[key])).unwrap();
        assert_eq!(value, (key != 4).then(|| vec![key; 2000]));
    }
}

#[test]
fn a_lost_acknowledged_step_is_told_and_the_rest_goes_on() {
    // The end is damaged, or missing as if it had never been.
    for damaged in [true, false] {
        let directory = directory();
        let spool = EmbeddedSpool::open(directory.path(), options()).unwrap();
        for key in 0..5_u8 {
            let mut batch = Batch::default();
            batch.put(A, [key], vec![key; 2000]);
            spool.commit(batch).wait().unwrap();
        }
        spool.close();
        let journal = directory.path().join("index/0.jnl");
        let mut octets = fs::read(&journal).unwrap();
        let at = octets.windows(500).position(|window| window == [4; 500]).unwrap();
        if damaged {
            octets[at] ^= 1;
        } else {
            let ends = octets.windows(4).enumerate().filter(|(_, window)| window == b"FJL\x03");
            let end = ends.map(|(end, _)| end + 4).take_while(|end| *end < at).last().unwrap();
            octets.truncate(end);
        }
        fs::write(&journal, &octets).unwrap();

        let found = examine(directory.path(), false).unwrap();
        assert_eq!(found.worst, Some(Gravity::Serious), "{:?}", found.findings);
        assert!(found.spool.is_none());
        assert_eq!(fs::read(&journal).unwrap(), octets, "nothing is changed");

        let found = examine(directory.path(), true).unwrap();
        assert_eq!(found.worst, Some(Gravity::Serious));
        assert!(found.findings.iter().all(|finding| finding.done.is_some()), "{:?}", found.findings);
        assert!(directory.path().join("quarantine/LAST.1").exists());
        assert_eq!(directory.path().join("quarantine/0.jnl.1").exists(), damaged);
        drop(found);

        let found = examine(directory.path(), false).unwrap();
        assert_eq!((found.findings, found.records), (vec![], vec![(A, 4)]));
    }
}
