//! The checks that every engine must pass, whatever is below it.
//!
//! An engine's tests implement [`Harness`] and call [`all`], or run [`CHECKS`] one by one to get them named. A
//! check panics when it finds a fault, with a message that says which promise was broken.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "checks report by panicking")]

mod bodies;
mod concurrency;
mod model;
mod records;
mod space;
mod survival;

use crate::{Batch, BodyId, CommitError, FinishedBody, Space, Spool, SpoolError, block_on};

/// One store under test, empty at first.
pub trait Harness {
    /// The store.
    fn spool(&self) -> &dyn Spool;

    /// Closes the store and opens it again.
    fn reopen(&mut self) -> Ability {
        Ability::Missing
    }

    /// Ends the store as a crash does, without any chance to write, and opens it again.
    fn crash(&mut self) -> Ability {
        Ability::Missing
    }

    /// Keeps what is committed from now on off the stable storage, until [`Harness::release_sync`].
    fn hold_sync(&mut self) -> Ability {
        Ability::Missing
    }

    /// Ends what [`Harness::hold_sync`] began.
    fn release_sync(&mut self) {}

    /// Fills the disk: from now on no write finds space, until [`Harness::give_space`].
    fn fill_disk(&mut self) -> Ability {
        Ability::Missing
    }

    /// Ends what [`Harness::fill_disk`] began.
    fn give_space(&mut self) {}
}

/// Whether a harness can do something to its store. A check that needs more than the harness has ends early.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ability {
    /// It was done.
    Done,
    /// This engine can't.
    Missing,
}

/// Makes an empty store.
pub type Make<'a> = &'a dyn Fn() -> Box<dyn Harness>;

/// A named check.
#[derive(Clone, Copy, Debug)]
pub struct Check {
    /// The promise, in words.
    pub name: &'static str,
    /// Panics when the promise is broken.
    pub run: fn(Make<'_>),
}

/// All checks.
pub const CHECKS: &[Check] = &[
    Check { name: "a batch applies in order, and wholly", run: records::in_order },
    Check { name: "a failed assertion leaves nothing", run: records::assertions },
    Check { name: "what no store takes is refused", run: records::limits },
    Check { name: "scans are ordered and bounded", run: records::scans },
    Check { name: "bodies come back at any chunking", run: bodies::chunking },
    Check { name: "a body is visible when a batch linked it", run: bodies::visibility },
    Check { name: "references are counted", run: bodies::references },
    Check { name: "reservations that are dropped leave nothing", run: bodies::dropped },
    Check { name: "a body of another store is refused", run: bodies::foreign },
    Check { name: "any history equals the model", run: model::random_histories },
    Check { name: "producers and consumers don't disturb one another", run: concurrency::queue },
    Check { name: "of many who claim one key, one wins", run: concurrency::claims },
    Check { name: "a body that goes is whole or gone for its readers", run: concurrency::vanishing },
    Check { name: "what was acknowledged survives a restart", run: survival::reopen },
    Check { name: "names of bodies are not used again", run: survival::names },
    Check { name: "a crash keeps what was acknowledged and nothing half", run: survival::crash },
    Check { name: "what is not durable is not visible", run: survival::held },
    Check { name: "a full disk refuses, and that is all", run: space::full },
];

/// Runs all checks, each on stores of its own.
pub fn all(make: Make<'_>) {
    for check in CHECKS {
        (check.run)(make);
    }
}

const A: Space = Space(1);
const B: Space = Space(2);

/// Commits and waits.
fn commit(spool: &dyn Spool, build: impl FnOnce(&mut Batch)) -> Result<(), CommitError> {
    let mut batch = Batch::default();
    build(&mut batch);
    spool.commit(batch).wait()
}

fn get(spool: &dyn Spool, space: Space, key: &[u8]) -> Option<Vec<u8>> {
    block_on(spool.get(space, key)).expect("a record can be read")
}

/// Keys of a scan.
fn keys(spool: &dyn Spool, space: Space, prefix: &[u8], after: Option<&[u8]>, limit: usize) -> Vec<Vec<u8>> {
    let found = block_on(spool.scan(space, prefix, after, limit)).expect("a scan ends");
    found.into_iter().map(|(key, _)| key).collect()
}

/// Reserves and completes a body, written in pieces.
fn finished(spool: &dyn Spool, octets: &[u8], piece: usize) -> FinishedBody {
    let mut writer = spool.begin_body().expect("a body can be reserved");
    for piece in octets.chunks(piece.max(1)) {
        writer.write(piece).expect("a body can be written");
    }
    assert_eq!(writer.len(), octets.len() as u64);
    assert_eq!(writer.is_empty(), octets.is_empty());
    let body = writer.finish().expect("a body can be finished");
    assert_eq!((body.len(), body.is_empty()), (octets.len() as u64, octets.is_empty()));
    body
}

/// Stores a body with one reference.
fn store(spool: &dyn Spool, octets: &[u8]) -> BodyId {
    let body = finished(spool, octets, 1 << 16);
    let id = body.id();
    commit(spool, |batch| {
        batch.link_body(body);
    })
    .expect("a body can be linked");
    id
}

/// Reads a body in pieces, to its end.
fn read(spool: &dyn Spool, body: BodyId, piece: usize) -> Result<Vec<u8>, SpoolError> {
    let mut octets = Vec::new();
    loop {
        let found = block_on(spool.read_body(body, octets.len() as u64, piece.max(1)))?;
        if found.is_empty() {
            return Ok(octets);
        }
        octets.extend_from_slice(&found);
    }
}

fn exists(spool: &dyn Spool, body: BodyId) -> bool {
    match block_on(spool.body_len(body)) {
        Ok(_) => true,
        Err(SpoolError::NoSuchBody { .. }) => {
            let read = block_on(spool.read_body(body, 0, 1));
            assert!(matches!(read, Err(SpoolError::NoSuchBody { .. })), "{read:?}");
            false
        }
        Err(other) => panic!("looking for a body failed: {other}"),
    }
}

/// Octets which differ from place to place and from seed to seed.
fn octets(seed: u64, len: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    (0..len)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.to_be_bytes()[0]
        })
        .collect()
}
