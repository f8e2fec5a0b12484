//! Many threads on one store.

use std::collections::BTreeSet;
use std::sync::mpsc;
use std::sync::{Barrier, Mutex};
use std::thread;

use super::{A, B, Make, commit, finished, get, keys, octets, read, store};
use crate::sync::lock;
use crate::{BodyId, CommitError, SpoolError, block_on};

const PRODUCERS: u64 = 6;
const CONSUMERS: usize = 3;
const EACH: u64 = 40;

/// Messages pass from producers to consumers: none lost, none twice, every body whole.
pub(super) fn queue(make: Make<'_>) {
    let harness = make();
    let spool = harness.spool();
    let (sender, receiver) = mpsc::channel::<(u64, BodyId)>();
    let receiver = Mutex::new(receiver);
    let consumed = Mutex::new(BTreeSet::new());
    thread::scope(|scope| {
        for producer in 0..PRODUCERS {
            let sender = sender.clone();
            scope.spawn(move || {
                for number in (0..EACH).map(|number| producer * EACH + number) {
                    // Some of them large.
                    let len = if number % 37 == 0 { 300_000 } else { 1000 };
                    let body = finished(spool, &octets(number, len), 1 << 15);
                    let id = body.id();
                    commit(spool, |batch| {
                        batch.link_body(body);
                        batch.assert_absent(A, number.to_be_bytes());
                        batch.put(A, number.to_be_bytes(), id.0.to_be_bytes());
                    })
                    .unwrap();
                    sender.send((number, id)).unwrap();
                }
            });
        }
        drop(sender);
        for _ in 0..CONSUMERS {
            scope.spawn(|| {
                loop {
                    let Ok((number, id)) = lock(&receiver).recv() else { return };
                    assert_eq!(get(spool, A, &number.to_be_bytes()), Some(id.0.to_be_bytes().to_vec()));
                    let found = read(spool, id, 1 << 16).unwrap();
                    assert!(found == octets(number, found.len()), "body {id} came back wrong");
                    commit(spool, |batch| {
                        let key = number.to_be_bytes();
                        batch.assert_present(A, key).delete(A, key).put(B, key, b"done").release(id);
                    })
                    .unwrap();
                    assert!(lock(&consumed).insert(number), "message {number} came twice");
                }
            });
        }
    });
    assert_eq!(lock(&consumed).len() as u64, PRODUCERS * EACH);
    assert_eq!(keys(spool, A, b"", None, 1).len(), 0, "the queue is empty");
    assert_eq!(keys(spool, B, b"", None, usize::MAX).len() as u64, PRODUCERS * EACH);
    assert_eq!(spool.stats().bodies, 0);
}

/// An assertion decides between batches which race, though they may be written with one step.
pub(super) fn claims(make: Make<'_>) {
    let harness = make();
    let spool = harness.spool();
    for round in 0_u8..10 {
        let winners = Mutex::new(Vec::new());
        thread::scope(|scope| {
            for claimant in 0_u8..8 {
                let winners = &winners;
                scope.spawn(move || {
                    let outcome = commit(spool, |batch| {
                        batch.assert_absent(A, [round]).put(A, [round], [claimant]).put(
                            B,
                            [round, claimant],
                            b"",
                        );
                    });
                    match outcome {
                        Ok(()) => lock(winners).push(claimant),
                        Err(CommitError::AssertionFailed { index: 0, .. }) => {}
                        Err(other) => panic!("a claim failed: {other}"),
                    }
                });
            }
        });
        let winners = lock(&winners);
        assert_eq!(winners.len(), 1, "exactly one of the claims holds");
        assert_eq!(get(spool, A, &[round]), Some(winners.clone()));
        assert_eq!(keys(spool, B, &[round], None, 10), [[round, winners[0]]], "losers leave nothing");
    }
}

/// Readers of a body that is released find it whole up to some point, then not at all.
pub(super) fn vanishing(make: Make<'_>) {
    let harness = make();
    let spool = harness.spool();
    for round in 0_u64..20 {
        let len = if round % 2 == 0 { 2000 } else { 300_000 };
        let expected = octets(round, len);
        let id = store(spool, &expected);
        let barrier = Barrier::new(4);
        thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    barrier.wait();
                    let mut offset = 0;
                    loop {
                        match block_on(spool.read_body(id, offset as u64, 7000)) {
                            Ok(piece) => {
                                assert!(piece == expected[offset..(offset + 7000).min(len)], "a torn piece");
                                offset = (offset + piece.len()) % len;
                            }
                            Err(SpoolError::NoSuchBody { .. }) => return,
                            Err(other) => panic!("round {round}: {other}"),
                        }
                    }
                });
            }
            barrier.wait();
            commit(spool, |batch| {
                batch.release(id);
            })
            .unwrap();
        });
    }
    assert_eq!(spool.stats().last_error, None);
}
