//! A disk without space: nothing gets in, nothing is lost, and it passes.

use std::thread;
use std::time::Duration;

use super::{A, Ability, Make, commit, exists, get, octets, read, store};
use crate::{BodyId, CommitError, Spool, SpoolError, Unhealthy};

/// How often a commit is tried again; an engine may take its time to look for space.
const TRIES: u32 = 1000;
const PAUSE: Duration = Duration::from_millis(10);

/// Stores a body, small or large, with a record, as far as the store lets it.
fn try_store(spool: &dyn Spool, key: &[u8], len: usize) -> Result<BodyId, CommitError> {
    let write = || {
        let mut writer = spool.begin_body()?;
        writer.write(&octets(9, len))?;
        writer.finish()
    };
    let body = write().map_err(|error| match error {
        error @ SpoolError::NoSpace { .. } => CommitError::NoSpace { cause: error.into() },
        other => panic!("a body without space is refused as such: {other}"),
    })?;
    let id = body.id();
    commit(spool, |batch| {
        batch.link_body(body);
        batch.put(A, key, b"");
    })?;
    Ok(id)
}

pub(super) fn full(make: Make<'_>) {
    let mut harness = make();
    let kept = octets(1, 5000);
    let id = store(harness.spool(), &kept);
    commit(harness.spool(), |batch| {
        batch.put(A, b"before", b"v");
    })
    .unwrap();
    if harness.fill_disk() == Ability::Missing {
        return;
    }
    let spool = harness.spool();
    for len in [0, 5000, 400_000] {
        let refused = try_store(spool, b"refused", len);
        assert!(matches!(refused, Err(CommitError::NoSpace { .. })), "{len} octets: {refused:?}");
    }
    let refused = commit(spool, |batch| {
        batch.delete(A, b"before").release(id);
    });
    assert!(matches!(refused, Err(CommitError::NoSpace { .. })), "{refused:?}");
    let reason = spool.unhealthy_reason();
    assert!(matches!(reason, Some(Unhealthy::NoSpace { .. })), "{reason:?}");
    assert_eq!(get(spool, A, b"before").as_deref(), Some(&b"v"[..]), "what was refused changes nothing");
    assert_eq!(read(spool, id, 1000).unwrap(), kept, "reads go on");
    harness.give_space();
    let mut tries = 0..TRIES;
    let new = loop {
        match try_store(harness.spool(), b"after", 400_000) {
            Ok(id) => break id,
            Err(CommitError::NoSpace { .. }) if tries.next().is_some() => thread::sleep(PAUSE),
            Err(other) => panic!("writing does not go on: {other}"),
        }
    };
    assert!(harness.spool().unhealthy_reason().is_none(), "the trouble is over");
    for _ in 0..2 {
        let spool = harness.spool();
        assert_eq!(get(spool, A, b"refused"), None);
        assert!(get(spool, A, b"before").is_some() && get(spool, A, b"after").is_some());
        assert_eq!(read(spool, id, 1000).unwrap(), kept);
        assert_eq!(read(spool, new, 70_000).unwrap(), octets(9, 400_000));
        let stats = spool.stats();
        assert_eq!((stats.bodies, stats.bodies_damaged), (2, 0));
        harness.reopen();
    }
    commit(harness.spool(), |batch| {
        batch.release(id);
    })
    .unwrap();
    assert!(!exists(harness.spool(), id));
}
