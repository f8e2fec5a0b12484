//! Bodies: octets in and out, visibility, references, reservations.

use proptest::test_runner::{Config, TestRunner};

use super::{A, Make, commit, exists, finished, get, octets, read, store};
use crate::{BodyId, CommitError, block_on};

/// Lengths on both sides of what engines hold in memory, and none.
const LENGTHS: [usize; 8] = [0, 1, 27, 4095, 65_536, 262_144, 262_145, 700_001];

pub(super) fn chunking(make: Make<'_>) {
    let harness = make();
    let spool = harness.spool();
    let run = |len: usize, written: usize, asked: usize| {
        let stored = octets(len as u64, len);
        let body = finished(spool, &stored, written);
        let id = body.id();
        commit(spool, |batch| {
            batch.link_body(body);
        })
        .unwrap();
        assert_eq!(block_on(spool.body_len(id)).unwrap(), len as u64);
        assert!(read(spool, id, asked).unwrap() == stored, "{len} octets came back wrong");
        assert!(read(spool, id, usize::MAX).unwrap() == stored, "{len} octets came back wrong at once");
        let from = len / 3;
        let piece = block_on(spool.read_body(id, from as u64, 10)).unwrap();
        assert!(piece == stored[from..(from + 10).min(len)], "a piece of {len} octets came back wrong");
        for past in [len as u64, len as u64 + 1, u64::MAX] {
            assert!(block_on(spool.read_body(id, past, 10)).unwrap().is_empty());
        }
        assert!(block_on(spool.read_body(id, 0, 0)).unwrap().is_empty());
        commit(spool, |batch| {
            batch.release(id);
        })
        .unwrap();
    };
    for len in LENGTHS {
        run(len, 65_536, 65_536);
    }
    let cases = (0_usize..300_000, 1_usize..100_000, 200_usize..100_000);
    let mut runner = TestRunner::new(Config { cases: 24, failure_persistence: None, ..Config::default() });
    runner
        .run(&cases, |(len, written, asked)| {
            run(len, written.max(len / 1000), asked);
            Ok(())
        })
        .unwrap();
}

pub(super) fn visibility(make: Make<'_>) {
    let harness = make();
    let spool = harness.spool();
    for len in [10, 300_000] {
        let stored = octets(1, len);
        let body = finished(spool, &stored, 1000);
        let id = body.id();
        assert!(!exists(spool, id), "a body can't be seen before a batch links it");
        let refused = commit(spool, |batch| {
            batch.retain(id, 1);
        });
        assert!(matches!(refused, Err(CommitError::NoSuchBody { index: 0, .. })), "{refused:?}");
        commit(spool, |batch| {
            let linked = batch.link_body(body);
            assert_eq!(linked, id);
            batch.put(A, linked.0.to_be_bytes(), b"");
        })
        .unwrap();
        assert_eq!(read(spool, id, 1 << 16).unwrap(), stored);
    }
    let refused_body = finished(spool, b"never", 1);
    let refused_id = refused_body.id();
    let refused = commit(spool, |batch| {
        batch.put(A, b"half", b"");
        batch.link_body(refused_body);
        batch.assert_present(A, b"not there");
    });
    assert!(matches!(refused, Err(CommitError::AssertionFailed { index: 2, .. })), "{refused:?}");
    assert!(!exists(spool, refused_id), "a refused batch links nothing");
    assert_eq!(get(spool, A, b"half"), None);
    assert_eq!(spool.stats().bodies, 2);
    assert_eq!(spool.stats().body_octets, 300_010);
}

pub(super) fn references(make: Make<'_>) {
    let harness = make();
    let spool = harness.spool();
    for len in [100, 300_000] {
        let stored = octets(2, len);
        let body = finished(spool, &stored, 1 << 16);
        let id = body.id();
        commit(spool, |batch| {
            batch.link_body(body);
            batch.retain(id, 2).retain(id, 0);
        })
        .unwrap();
        for left in [2, 1] {
            commit(spool, |batch| {
                batch.release(id);
            })
            .unwrap();
            assert!(exists(spool, id), "{left} references keep a body");
        }
        let refused = commit(spool, |batch| {
            batch.retain(id, u32::MAX);
        });
        assert!(matches!(refused, Err(CommitError::TooManyReferences { index: 0, .. })), "{refused:?}");
        commit(spool, |batch| {
            batch.retain(id, u32::MAX - 1);
        })
        .unwrap();
        let refused = commit(spool, |batch| {
            batch.retain(id, 1);
        });
        assert!(matches!(refused, Err(CommitError::TooManyReferences { .. })), "{refused:?}");
        assert_eq!(read(spool, id, 1 << 16).unwrap(), stored);
    }
    let id = store(spool, b"short");
    let refused = commit(spool, |batch| {
        batch.put(A, b"half", b"").release(id).release(id);
    });
    assert!(matches!(refused, Err(CommitError::NoSuchBody { index: 2, .. })), "{refused:?}");
    assert!(exists(spool, id), "a refused batch releases nothing");
    commit(spool, |batch| {
        batch.release(id);
    })
    .unwrap();
    assert!(!exists(spool, id), "the last reference takes the body along");
    for gone in [id, BodyId(u64::MAX)] {
        let refused = commit(spool, |batch| {
            batch.release(gone);
        });
        assert!(matches!(refused, Err(CommitError::NoSuchBody { index: 0, .. })), "{refused:?}");
    }
    for len in [10, 300_000] {
        let body = finished(spool, &octets(3, len), 1 << 16);
        let id = body.id();
        commit(spool, |batch| {
            batch.link_body(body);
            batch.release(id);
        })
        .expect("a body may come and go in one batch");
        assert!(!exists(spool, id));
    }
    assert_eq!(get(spool, A, b"half"), None);
    assert_eq!(spool.stats().bodies, 2);
}

pub(super) fn dropped(make: Make<'_>) {
    let mut harness = make();
    let spool = harness.spool();
    let kept = store(spool, b"kept");
    for len in [0, 100, 300_000] {
        let mut writer = spool.begin_body().unwrap();
        writer.write(&octets(4, len)).unwrap();
        drop(writer);
        drop(finished(spool, &octets(5, len), 1 << 16));
        let mut never_committed = crate::Batch::default();
        never_committed.link_body(finished(spool, &octets(6, len), 1 << 16));
        drop(never_committed);
    }
    let check = |spool: &dyn crate::Spool| {
        let stats = spool.stats();
        assert_eq!((stats.bodies, stats.body_octets), (1, 4), "only the linked body takes space");
        assert_eq!(read(spool, kept, 10).unwrap(), b"kept");
        stats.segments
    };
    let segments = check(spool);
    harness.reopen();
    assert_eq!(check(harness.spool()), segments, "dropped reservations gave their files back at once");
}

pub(super) fn foreign(make: Make<'_>) {
    let (here, there) = (make(), make());
    for len in [10, 300_000] {
        let body = finished(there.spool(), &octets(7, len), 1 << 16);
        let refused = commit(here.spool(), |batch| {
            batch.put(A, b"half", b"");
            batch.link_body(body);
        });
        assert!(matches!(refused, Err(CommitError::ForeignBody { index: 1, .. })), "{refused:?}");
    }
    assert_eq!(get(here.spool(), A, b"half"), None);
    assert_eq!(here.spool().stats().bodies, 0);
}
