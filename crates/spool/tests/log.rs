//! The log gives the index back what it lacks, and nothing else.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test reports by panicking")]

use std::fs;
use std::path::{Path, PathBuf};

use spool::{Batch, BodyId, EmbeddedSpool, Gravity, OpenError, Options, Space, Spool, SpoolError, block_on};
use tempfile::TempDir;

const A: Space = Space(1);
/// Octets of a record beside its payload: header and trailer.
const FRAME: usize = 28 + 24;
const HEADER: usize = 28;

fn directory() -> TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

fn options() -> Options {
    Options { inline_limit: 1000, segment_size: 4000, reserve_bytes: 0, ..Options::default() }
}

fn open(directory: &Path) -> Result<EmbeddedSpool, OpenError> {
    EmbeddedSpool::open(directory, options())
}

fn octets(key: u8) -> Vec<u8> {
    vec![key; 200 + usize::from(key)]
}

fn store(spool: &EmbeddedSpool, key: u8) -> BodyId {
    let mut writer = spool.begin_body().unwrap();
    writer.write(&octets(key)).unwrap();
    let mut batch = Batch::default();
    let id = batch.link_body(writer.finish().unwrap());
    batch.put(A, [key], id.0.to_be_bytes());
    spool.commit(batch).wait().unwrap();
    id
}

fn remove(spool: &EmbeddedSpool, key: u8) {
    let id = block_on(spool.get(A, &[key])).unwrap().unwrap();
    let mut batch = Batch::default();
    batch.delete(A, [key]).release(BodyId(u64::from_be_bytes(id.try_into().unwrap())));
    spool.commit(batch).wait().unwrap();
}

/// Keys whose bodies can be read.
fn keys(spool: &EmbeddedSpool) -> Vec<u8> {
    let records = block_on(spool.scan(A, b"", None, usize::MAX)).unwrap();
    let read = |(key, id): (Vec<u8>, Vec<u8>)| {
        let id = BodyId(u64::from_be_bytes(id.try_into().unwrap()));
        assert_eq!(block_on(spool.read_body(id, 0, usize::MAX)).unwrap(), octets(key[0]));
        key[0]
    };
    records.into_iter().map(read).collect()
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).unwrap();
        }
    }
}

/// A store as the power left it: its segments hold all steps, its index only those up to when it was copied.
struct Behind {
    directory: TempDir,
}

impl Behind {
    /// Makes `steps` after the index was copied. It had keys 0 to 4.
    fn after(steps: impl FnOnce(&EmbeddedSpool)) -> Behind {
        let directory = directory();
        let (live, cut) = (directory.path().join("live"), directory.path().join("cut"));
        let spool = open(&live).unwrap();
        for key in 0..5 {
            store(&spool, key);
        }
        copy(&live.join("index"), &cut.join("index"));
        steps(&spool);
        copy(&live.join("segments"), &cut.join("segments"));
        fs::copy(live.join("FORMAT"), cut.join("FORMAT")).unwrap();
        fs::copy(live.join("LAST"), cut.join("LAST")).unwrap();
        spool.close();
        Behind { directory }
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("cut")
    }

    /// Forgets what was acknowledged, as a power cut may.
    fn without_last(self) -> Behind {
        fs::remove_file(self.path().join("LAST")).unwrap();
        self
    }

    fn segments(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.path().join("segments")).unwrap();
        let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        paths
    }

    /// A copy to try something on.
    fn copied(&self) -> Behind {
        let directory = directory();
        copy(&self.path(), &directory.path().join("cut"));
        Behind { directory }
    }
}

/// Where the records of a segment begin, and their flags.
fn records(segment: &[u8]) -> Vec<(usize, u8)> {
    let (mut at, mut found) = (0, Vec::new());
    while at < segment.len() {
        let flags = segment[at + 5];
        found.push((at, flags));
        let len = u64::from_le_bytes(segment[at + 16..at + 24].try_into().unwrap());
        // The length of a beginning is its salt.
        at += FRAME + if flags == BEGINNING { 0 } else { usize::try_from(len).unwrap() };
    }
    found
}

const STEP: u8 = 3;
const BEGINNING: u8 = 4;

#[test]
fn what_the_index_lacks_comes_back() {
    let behind = Behind::after(|spool| {
        for key in 5..30 {
            store(spool, key);
            // In each segment enough stays that nothing is moved out of it.
            if key % 3 == 0 {
                remove(spool, key);
            }
        }
    });
    assert!(behind.segments().len() > 1, "steps of several segments");
    let spool = open(&behind.path()).unwrap();
    assert_eq!(keys(&spool), (0..5).chain((5..30).filter(|key| key % 3 != 0)).collect::<Vec<u8>>());
    assert_eq!(spool.stats().bodies_damaged, 0);
    let used: Vec<u64> = (0..2_u64).map(|_| store(&spool, 77).0).collect();
    assert!(used[0] > 30, "no name is given twice: {used:?}");
    spool.close();
    let spool = open(&behind.path()).unwrap();
    assert_eq!(keys(&spool).len(), 23);
}

#[test]
fn a_journal_that_rotted_is_made_whole() {
    let directory = directory();
    let spool = open(directory.path()).unwrap();
    for key in 0..9 {
        store(&spool, key);
    }
    spool.close();
    let journal = directory.path().join("index/0.jnl");
    let whole = fs::read(&journal).unwrap();
    let used = whole.iter().rposition(|&octet| octet != 0).unwrap();
    let rot = |at: usize| {
        let mut rotten = whole[..used + 5000].to_vec();
        rotten[at] ^= 0x20;
        fs::write(&journal, &rotten).unwrap();
        rotten
    };
    // Which names are set aside stands in the journal alone.
    let rotten = rot(60);
    let refused = open(directory.path()).map(|_| ()).unwrap_err();
    assert!(matches!(refused, OpenError::Storage { source: SpoolError::IndexDamaged { .. } }), "{refused}");
    assert_eq!(fs::read(&journal).unwrap(), rotten, "nothing is changed");
    for at in [used / 2, used - 3] {
        rot(at);
        let spool = open(directory.path()).unwrap();
        assert_eq!(keys(&spool), (0..9).collect::<Vec<u8>>(), "octet {at}");
        spool.close();
        let left = fs::read_dir(directory.path().join("quarantine")).unwrap().count();
        assert_eq!(left, 0, "nothing is kept of what nobody needs");
    }
}

#[test]
fn a_torn_last_step_never_happened() {
    let behind = Behind::after(|spool| {
        store(spool, 5);
        store(spool, 6);
    })
    .without_last();
    let last = behind.segments().pop().unwrap();
    let whole = fs::read(&last).unwrap();
    let records = records(&whole);
    let [.., (_, STEP), (body, _), (step, STEP)] = records[..] else { panic!("{records:?}") };
    let sectors = [(body, step), (step, whole.len()), (body + HEADER, body + HEADER + 20)];
    let torn = sectors.into_iter().chain((body..whole.len()).step_by(41).map(|at| (at, at + 1)));
    for (from, to) in torn {
        let cut = behind.copied();
        let mut octets = whole.clone();
        octets[from..to].iter_mut().for_each(|octet| *octet ^= 0x5a);
        fs::write(cut.segments().pop().unwrap(), octets).unwrap();
        let spool = open(&cut.path()).unwrap();
        assert_eq!(keys(&spool), (0..6).collect::<Vec<u8>>(), "without {from} to {to}");
        store(&spool, 9);
        spool.close();
        assert_eq!(keys(&open(&cut.path()).unwrap()), [0, 1, 2, 3, 4, 5, 9]);
    }
    for len in (body..whole.len()).step_by(43) {
        let cut = behind.copied();
        fs::write(cut.segments().pop().unwrap(), &whole[..len]).unwrap();
        assert_eq!(keys(&open(&cut.path()).unwrap()), (0..6).collect::<Vec<u8>>(), "cut to {len}");
    }
}

#[test]
fn a_step_that_others_follow_is_not_taken_for_a_torn_one() {
    let behind = Behind::after(|spool| {
        for key in 5..8 {
            store(spool, key);
        }
    })
    .without_last();
    let last = behind.segments().pop().unwrap();
    let whole = fs::read(&last).unwrap();
    let steps: Vec<usize> =
        records(&whole).into_iter().filter_map(|(at, flags)| (flags == STEP).then_some(at)).collect();
    let [.., sixth, _] = steps[..] else { panic!("{steps:?}") };
    for at in [sixth, sixth + 9, sixth + HEADER + 3] {
        let cut = behind.copied();
        let mut octets = whole.clone();
        octets[at] ^= 0x20;
        let segment = cut.segments().pop().unwrap();
        fs::write(&segment, &octets).unwrap();
        match open(&cut.path()).map(|_| ()) {
            Err(OpenError::Storage { source: SpoolError::IndexDamaged { path, valid } }) => {
                assert_eq!((path.file_name(), valid), (segment.file_name(), sixth as u64), "octet {at}");
            }
            other => panic!("octet {at}: {other:?}"),
        }
        assert_eq!(fs::read(&segment).unwrap(), octets, "nothing is changed");

        let found = EmbeddedSpool::examine(cut.path(), options(), true, &mut |_, _, _| {}).unwrap();
        assert_eq!(found.worst, Some(Gravity::Serious));
        let done = found.findings[0].done.as_deref().unwrap();
        assert!(done.contains("the steps that are left"), "{done}");
        assert_eq!(keys(&found.spool.unwrap()), [0, 1, 2, 3, 4, 5, 7], "what is left is there");
        assert_eq!(fs::read(&segment).unwrap(), octets, "and no file was touched");
    }
}

#[test]
fn a_body_that_rotted_is_no_torn_step() {
    let behind = Behind::after(|spool| {
        for key in 5..8 {
            store(spool, key);
        }
    });
    let segment = behind.segments().pop().unwrap();
    let mut octets = fs::read(&segment).unwrap();
    let at = octets.windows(100).position(|window| window == [6; 100]).unwrap();
    octets[at] ^= 1;
    fs::write(&segment, octets).unwrap();
    let spool = open(&behind.path()).unwrap();
    assert_eq!(block_on(spool.scan(A, b"", None, usize::MAX)).unwrap().len(), 8);
    let id = block_on(spool.get(A, &[6])).unwrap().unwrap();
    let read = block_on(spool.read_body(BodyId(u64::from_be_bytes(id.try_into().unwrap())), 0, 1000));
    assert!(matches!(read, Err(SpoolError::Damaged { .. })), "{read:?}");
}

#[test]
fn an_acknowledged_step_that_is_nowhere_is_missed() {
    let behind = Behind::after(|spool| {
        for key in 5..30 {
            store(spool, key);
        }
    });
    let segments = behind.segments();
    assert!(segments.len() > 2);
    // Its end, and then one in the middle.
    let last = segments.last().unwrap();
    let whole = fs::read(last).unwrap();
    let (at, _) = records(&whole).pop().unwrap();
    let cut = behind.copied();
    fs::write(cut.segments().pop().unwrap(), &whole[..at]).unwrap();
    let refused = open(&cut.path()).map(|_| ()).unwrap_err();
    assert!(matches!(refused, OpenError::Storage { source: SpoolError::IndexBehind { .. } }), "{refused}");
    let cut = behind.copied();
    let mut segments = cut.segments();
    let gone = segments.len() - 2;
    fs::remove_file(segments.remove(gone)).unwrap();
    let refused = open(&cut.path()).map(|_| ()).unwrap_err();
    assert!(matches!(refused, OpenError::Storage { source: SpoolError::IndexDamaged { .. } }), "{refused}");
    assert_eq!(cut.segments(), segments, "nothing goes as long as anything is missed");
}

/// Whoever writes the text of a message must not be able to make it a step.
#[test]
fn a_body_is_never_taken_for_a_step() {
    let behind = Behind::after(|spool| {
        let segments = fs::read_dir(spool.directory().join("segments")).unwrap();
        let mut paths: Vec<PathBuf> = segments.map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        let segment = fs::read(paths.pop().unwrap()).unwrap();
        let (at, flags) = records(&segment).pop().unwrap();
        assert_eq!(flags, STEP);
        let mut forged = segment[at..].to_vec();
        let next = u64::from_le_bytes(forged[8..16].try_into().unwrap()) + 2;
        forged[8..16].copy_from_slice(&next.to_le_bytes());
        // With the checksum that everybody can reckon.
        let sum = crc32c::crc32c(&forged[..24]);
        forged[24..28].copy_from_slice(&sum.to_le_bytes());
        let mut writer = spool.begin_body().unwrap();
        writer.write(&forged).unwrap();
        let mut batch = Batch::default();
        batch.link_body(writer.finish().unwrap());
        spool.commit(batch).wait().unwrap();
    })
    .without_last();
    let segment = behind.segments().pop().unwrap();
    let mut octets = fs::read(&segment).unwrap();
    let [.., (body, _), _] = records(&octets)[..] else { panic!("no records") };
    octets[body] ^= 1;
    fs::write(&segment, octets).unwrap();
    let spool = open(&behind.path()).unwrap();
    assert_eq!(keys(&spool), [0, 1, 2, 3, 4], "the step was torn, and nothing follows it");
}

/// Keys of all records, and those whose body can't be read.
fn damaged_keys(spool: &EmbeddedSpool) -> (Vec<u8>, Vec<u8>) {
    let records = block_on(spool.scan(A, b"", None, usize::MAX)).unwrap();
    let mut damaged = Vec::new();
    for (key, id) in &records {
        let id = BodyId(u64::from_be_bytes(id.as_slice().try_into().unwrap()));
        match block_on(spool.read_body(id, 0, usize::MAX)) {
            Ok(body) => assert_eq!(body, octets(key[0])),
            Err(SpoolError::Damaged { .. }) => damaged.push(key[0]),
            Err(other) => panic!("{other}"),
        }
    }
    (records.into_iter().map(|(key, _)| key[0]).collect(), damaged)
}

#[test]
fn rot_in_what_is_old_hides_no_later_step() {
    for later in 1..4_u8 {
        let behind = Behind::after(|spool| {
            for key in 5..5 + later {
                store(spool, key);
            }
        })
        .without_last();
        let segments = behind.segments();
        assert_eq!(segments.len(), 1);
        let whole = fs::read(&segments[0]).unwrap();
        let records = records(&whole);
        // Of the third body and its step, long in the index: the header, the text, the step.
        let (body, step) = (records[5].0, records[6].0);
        for (at, hurts) in [(body + 3, true), (body + HEADER + 7, true), (step + 12, false)] {
            let cut = behind.copied();
            let mut octets = whole.clone();
            octets[at] ^= 0x20;
            fs::write(&cut.segments()[0], &octets).unwrap();
            let spool = open(&cut.path()).unwrap();
            let expected: Vec<u8> = (0..5 + later).collect();
            assert_eq!(damaged_keys(&spool), (expected, if hurts { vec![2] } else { vec![] }), "octet {at}");
        }
    }
}

#[test]
fn a_body_that_rotted_before_the_end_of_a_segment_is_no_torn_step() {
    let behind = Behind::after(|spool| {
        for key in 5..30 {
            store(spool, key);
        }
    })
    .without_last();
    let segments = behind.segments();
    let first = fs::read(&segments[0]).unwrap();
    let last_body =
        records(&first).into_iter().filter(|(_, flags)| *flags == 1).map(|(at, _)| at).max().unwrap();
    let key = first[last_body + HEADER];
    let mut octets = first;
    octets[last_body + HEADER + 50] ^= 1;
    fs::write(&segments[0], octets).unwrap();
    let spool = open(&behind.path()).unwrap();
    assert_eq!(damaged_keys(&spool), ((0..30).collect(), vec![key]));
}

#[test]
fn a_gap_is_left_out_by_a_repair_and_nothing_else() {
    let behind = Behind::after(|spool| {
        for key in 5..40 {
            store(spool, key);
        }
    });
    let segments = behind.segments();
    assert!(segments.len() > 3);
    // The first segment there is, and one in the middle.
    for gone in [0, 2] {
        let cut = behind.copied();
        fs::remove_file(&cut.segments()[gone]).unwrap();
        assert!(open(&cut.path()).is_err());
        let found = EmbeddedSpool::examine(cut.path(), options(), true, &mut |_, _, _| {}).unwrap();
        assert_eq!(found.worst, Some(Gravity::Serious));
        let (keys, damaged) = damaged_keys(&found.spool.unwrap());
        assert!(keys.contains(&39) && keys.contains(&4), "{keys:?}");
        assert!(
            damaged.iter().all(|key| *key < 5),
            "only what the index knew of the file is damaged: {damaged:?}"
        );
        let aside = fs::read_dir(cut.path().join("quarantine")).unwrap();
        let aside = aside.filter(|entry| entry.as_ref().unwrap().path().to_string_lossy().contains(".seg"));
        // A segment which holds the end of the log alone is put aside, too.
        assert_eq!(cut.segments().len() + aside.count(), segments.len() - 1, "no other file goes");
        let again = EmbeddedSpool::examine(cut.path(), options(), false, &mut |_, _, _| {}).unwrap();
        assert!(again.worst < Some(Gravity::Serious), "{:?}", again.findings);
    }
}

#[test]
fn what_an_interrupted_opening_left_aside_returns() {
    let directory = directory();
    let spool = open(directory.path()).unwrap();
    for key in 0..9 {
        store(&spool, key);
    }
    spool.close();
    let (index, quarantine) = (directory.path().join("index"), directory.path().join("quarantine"));
    let whole = fs::read(index.join("0.jnl")).unwrap();
    let used = whole.iter().rposition(|&octet| octet != 0).unwrap();
    // As if it had ended between putting the journal aside and whatever comes next.
    fs::create_dir_all(&quarantine).unwrap();
    fs::write(quarantine.join("0.jnl.aside"), &whole).unwrap();
    fs::write(index.join("0.jnl"), &whole[..used / 2]).unwrap();
    let spool = open(directory.path()).unwrap();
    assert_eq!(keys(&spool), (0..9).collect::<Vec<u8>>());
    assert_eq!(fs::read_dir(&quarantine).unwrap().count(), 0);
}
