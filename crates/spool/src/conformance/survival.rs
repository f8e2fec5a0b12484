//! What is there after the end: clean, or by a crash.

use super::{A, Ability, B, Harness, Make, commit, exists, finished, get, keys, octets, read, store};
use crate::{Batch, BodyId, Spool};

/// Bodies and records that make a small store.
struct Stored {
    bodies: Vec<(BodyId, Vec<u8>)>,
    gone: BodyId,
}

fn fill(spool: &dyn Spool) -> Stored {
    let contents = [0, 10, 5000, 300_000].map(|len| octets(len as u64, len));
    let bodies: Vec<_> = contents.into_iter().map(|octets| (store(spool, &octets), octets)).collect();
    let gone = store(spool, b"gone again");
    commit(spool, |batch| {
        batch.put(A, b"1", b"one").put(A, b"2", b"two").put(B, b"1", b"other").release(gone);
        batch.retain(bodies[1].0, 1);
    })
    .unwrap();
    commit(spool, |batch| {
        batch.delete(A, b"2");
    })
    .unwrap();
    Stored { bodies, gone }
}

fn check(spool: &dyn Spool, stored: &Stored) {
    assert_eq!(keys(spool, A, b"", None, 10), [b"1"]);
    assert_eq!(get(spool, A, b"1").as_deref(), Some(&b"one"[..]));
    assert_eq!(get(spool, B, b"1").as_deref(), Some(&b"other"[..]));
    for (id, octets) in &stored.bodies {
        assert!(read(spool, *id, 1000).unwrap() == *octets, "body {id} came back wrong");
    }
    assert!(!exists(spool, stored.gone), "what was released stays gone");
    let stats = spool.stats();
    assert_eq!((stats.bodies, stats.body_octets), (4, 305_010));
    assert_eq!((stats.bodies_damaged, stats.last_error), (0, None));
}

pub(super) fn reopen(make: Make<'_>) {
    let mut harness = make();
    let stored = fill(harness.spool());
    for _ in 0..2 {
        if harness.reopen() == Ability::Missing {
            return;
        }
        check(harness.spool(), &stored);
    }
    let (id, _) = stored.bodies[1];
    for left in [1, 0] {
        commit(harness.spool(), |batch| {
            batch.release(id);
        })
        .unwrap();
        assert_eq!(exists(harness.spool(), id), left > 0, "counts survive");
    }
}

pub(super) fn names(make: Make<'_>) {
    let mut harness = make();
    let mut used = Vec::new();
    for _ in 0..3 {
        let spool = harness.spool();
        let kept = store(spool, b"kept");
        let dropped = finished(spool, b"dropped", 10).id();
        let released = store(spool, b"released");
        commit(spool, |batch| {
            batch.release(released);
        })
        .unwrap();
        for id in [kept, dropped, released] {
            assert!(!used.contains(&id), "body {id} was used before");
            used.push(id);
        }
        harness.reopen();
        harness.crash();
    }
}

pub(super) fn crash(make: Make<'_>) {
    let mut harness = make();
    let stored = fill(harness.spool());
    if harness.hold_sync() == Ability::Missing {
        if harness.crash() == Ability::Done {
            check(harness.spool(), &stored);
        }
        return;
    }
    let unsynced = pending(&*harness, &stored);
    if harness.crash() == Ability::Missing {
        harness.release_sync();
        return;
    }
    check(harness.spool(), &stored);
    assert!(!exists(harness.spool(), unsynced), "a body without its batch is gone");
}

/// A commit which is not durable can't be seen, neither what it adds nor what it takes away.
pub(super) fn held(make: Make<'_>) {
    let mut harness = make();
    let stored = fill(harness.spool());
    if harness.hold_sync() == Ability::Missing {
        return;
    }
    let unsynced = pending(&*harness, &stored);
    check(harness.spool(), &stored);
    assert!(!exists(harness.spool(), unsynced));
    harness.release_sync();
    assert_eq!(read(harness.spool(), unsynced, 10).unwrap(), b"unsynced");
    assert_eq!(get(harness.spool(), A, b"1"), None);
    assert!(!exists(harness.spool(), stored.bodies[2].0));
}

/// Commits a batch that changes everything `check` looks at, without waiting for it.
fn pending(harness: &dyn Harness, stored: &Stored) -> BodyId {
    let mut batch = Batch::default();
    let id = batch.link_body(finished(harness.spool(), b"unsynced", 3));
    batch.delete(A, b"1").put(B, b"1", b"changed").put(A, b"3", b"three").release(stored.bodies[2].0);
    drop(harness.spool().commit(batch));
    id
}
