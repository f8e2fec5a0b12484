//! The engine in memory passes the conformance suite and does what its test hooks say.

#![expect(clippy::unwrap_used, reason = "a test reports by panicking")]

use std::pin::pin;
use std::task::{Context, Poll, Waker};

use spool::conformance::{self, Ability, Harness};
use spool::{Batch, CommitError, Fault, MemorySpool, Space, Spool, SpoolError, Unhealthy, block_on};

const A: Space = Space(1);

struct Memory(MemorySpool);

impl Harness for Memory {
    fn spool(&self) -> &dyn Spool {
        &self.0
    }

    fn reopen(&mut self) -> Ability {
        self.0 = self.0.crash();
        Ability::Done
    }

    fn crash(&mut self) -> Ability {
        self.0 = self.0.crash();
        Ability::Done
    }

    fn hold_sync(&mut self) -> Ability {
        self.0.hold_sync();
        Ability::Done
    }

    fn release_sync(&mut self) {
        self.0.release_sync();
    }

    fn fill_disk(&mut self) -> Ability {
        self.0.set_full(true);
        Ability::Done
    }

    fn give_space(&mut self) {
        self.0.set_full(false);
    }
}

#[test]
fn conformance() {
    conformance::all(&|| Box::new(Memory(MemorySpool::new())));
}

fn put(key: &[u8]) -> Batch {
    let mut batch = Batch::default();
    batch.put(A, key, b"v");
    batch
}

fn has(store: &MemorySpool, key: &[u8]) -> bool {
    block_on(store.get(A, key)).unwrap().is_some()
}

#[test]
fn a_held_commit_resolves_on_release() {
    let store = MemorySpool::new();
    store.hold_sync();
    let mut commit = pin!(store.commit(put(b"1")));
    let mut context = Context::from_waker(Waker::noop());
    assert!(matches!(commit.as_mut().poll(&mut context), Poll::Pending));
    assert_eq!((store.unsynced(), store.stats().batches_waiting), (1, 1));
    store.release_sync();
    assert!(matches!(commit.as_mut().poll(&mut context), Poll::Ready(Ok(()))));
    assert!(has(&store, b"1"));
    assert_eq!(store.unsynced(), 0);
}

#[test]
fn a_crash_keeps_a_prefix_of_what_waits() {
    for kept in 0..4 {
        let store = MemorySpool::new();
        store.hold_sync();
        let commits: Vec<_> = [b"0", b"1", b"2"].map(|key| store.commit(put(key))).into();
        let survivor = store.crash_keeping(kept);
        for (number, commit) in commits.into_iter().enumerate() {
            assert!(matches!(commit.wait(), Err(CommitError::Closed)), "nobody may take a crash for success");
            assert_eq!(has(&survivor, number.to_string().as_bytes()), number < kept);
        }
        assert!(matches!(store.commit(put(b"9")).wait(), Err(CommitError::Closed)));
        assert!(matches!(block_on(store.get(A, b"0")), Err(SpoolError::Closed)));
        assert!(matches!(store.begin_body().map(|_| ()), Err(SpoolError::Closed)));
    }
}

#[test]
fn a_failed_sync_stops_writing_and_may_or_may_not_have_happened() {
    for (fault, kept) in [(Fault::Kept, true), (Fault::Lost, false)] {
        let store = MemorySpool::new();
        store.commit(put(b"before")).wait().unwrap();
        store.fail_next_commit(fault);
        assert!(matches!(store.commit(put(b"failed")).wait(), Err(CommitError::Io { .. })));
        assert!(matches!(store.commit(put(b"after")).wait(), Err(CommitError::Stopped { .. })));
        assert!(matches!(store.unhealthy_reason(), Some(Unhealthy::Stopped { .. })));
        assert!(matches!(store.begin_body().map(|_| ()), Err(SpoolError::Stopped { .. })));
        assert!(has(&store, b"before"), "reads go on");
        assert!(!has(&store, b"failed"), "what failed is not visible");
        let survivor = store.crash();
        assert_eq!(has(&survivor, b"failed"), kept);
        assert!(has(&survivor, b"before") && !has(&survivor, b"after"));
        survivor.commit(put(b"again")).wait().unwrap();
    }
}

#[test]
fn a_body_reserved_before_a_crash_is_foreign_after_it() {
    let store = MemorySpool::new();
    let body = store.begin_body().unwrap().finish().unwrap();
    let survivor = store.crash();
    let mut batch = Batch::default();
    batch.link_body(body);
    assert!(matches!(survivor.commit(batch).wait(), Err(CommitError::ForeignBody { .. })));
}
