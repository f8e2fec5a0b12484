//! Random histories against a model of two maps.

use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::{Ability, Harness, Make, finished, keys, octets, read};
use crate::{Batch, BodyId, Space, block_on};

/// Few spaces, few keys, few bodies: histories should collide.
const SPACES: u8 = 3;
const KEYS: u8 = 6;

#[derive(Clone, Debug)]
enum Step {
    Commit(Vec<Act>),
    Scan { space: u8, prefix: Vec<u8>, after: Option<Vec<u8>>, limit: usize },
    Reopen,
    Crash,
}

#[derive(Clone, Debug)]
enum Act {
    Put {
        space: u8,
        key: Vec<u8>,
        value: Vec<u8>,
    },
    Delete {
        space: u8,
        key: Vec<u8>,
    },
    AssertAbsent {
        space: u8,
        key: Vec<u8>,
    },
    AssertPresent {
        space: u8,
        key: Vec<u8>,
    },
    Link {
        len: usize,
    },
    /// Bodies are named by their place among all that ever were.
    Retain {
        body: usize,
        by: u32,
    },
    Release {
        body: usize,
    },
}

#[derive(Clone, Default)]
struct Model {
    records: BTreeMap<(u8, Vec<u8>), Vec<u8>>,
    bodies: BTreeMap<BodyId, (Vec<u8>, u32)>,
}

fn key() -> impl Strategy<Value = Vec<u8>> {
    vec(0..KEYS, 0..3)
}

fn act() -> impl Strategy<Value = Act> {
    let at = || (0..SPACES, key());
    prop_oneof![
        4 => (at(), vec(any::<u8>(), 0..40)).prop_map(|((space, key), value)| Act::Put { space, key, value }),
        3 => at().prop_map(|(space, key)| Act::Delete { space, key }),
        1 => at().prop_map(|(space, key)| Act::AssertAbsent { space, key }),
        1 => at().prop_map(|(space, key)| Act::AssertPresent { space, key }),
        2 => prop_oneof![9 => 0..3000_usize, 1 => 262_000..264_000_usize].prop_map(|len| Act::Link { len }),
        1 => (any::<usize>(), 0..3_u32).prop_map(|(body, by)| Act::Retain { body, by }),
        3 => any::<usize>().prop_map(|body| Act::Release { body }),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let scan = (0..SPACES, vec(0..KEYS, 0..2), proptest::option::of(key()), 0..8_usize)
        .prop_map(|(space, prefix, after, limit)| Step::Scan { space, prefix, after, limit });
    prop_oneof![
        12 => vec(act(), 0..6).prop_map(Step::Commit),
        4 => scan,
        1 => Just(Step::Reopen),
        1 => Just(Step::Crash),
    ]
}

pub(super) fn random_histories(make: Make<'_>) {
    let mut runner = TestRunner::new(Config { cases: 32, failure_persistence: None, ..Config::default() });
    runner
        .run(&vec(step(), 1..40), |steps| {
            History::new(make()).run(&steps);
            Ok(())
        })
        .unwrap();
}

struct History {
    harness: Box<dyn Harness>,
    model: Model,
    known: Vec<BodyId>,
    seed: u64,
}

impl History {
    fn new(harness: Box<dyn Harness>) -> Self {
        History { harness, model: Model::default(), known: Vec::new(), seed: 0 }
    }

    fn run(mut self, steps: &[Step]) {
        for step in steps {
            match step {
                Step::Commit(acts) => self.commit(acts),
                Step::Scan { space, prefix, after, limit } => {
                    let expected: Vec<Vec<u8>> = self
                        .model
                        .records
                        .keys()
                        .filter(|(at, key)| at == space && key.starts_with(prefix))
                        .filter(|(_, key)| after.as_ref().is_none_or(|after| key > after))
                        .take(*limit)
                        .map(|(_, key)| key.clone())
                        .collect();
                    let found = keys(self.harness.spool(), Space(*space), prefix, after.as_deref(), *limit);
                    assert_eq!(found, expected, "a scan of {prefix:?} after {after:?}");
                }
                Step::Reopen => {
                    self.harness.reopen();
                }
                Step::Crash => {
                    if self.harness.crash() == Ability::Missing {
                        continue;
                    }
                }
            }
        }
        self.compare();
    }

    fn commit(&mut self, acts: &[Act]) {
        let mut batch = Batch::default();
        let mut after = self.model.clone();
        let mut accepted = true;
        for act in acts {
            accepted &= self.apply(act, &mut batch, &mut after);
        }
        let outcome = self.harness.spool().commit(batch).wait();
        assert_eq!(outcome.is_ok(), accepted, "{acts:?} gave {outcome:?}");
        if accepted {
            self.model = after;
        }
    }

    /// Adds an act to the batch and to the model; false if the model refuses it.
    fn apply(&mut self, act: &Act, batch: &mut Batch, model: &mut Model) -> bool {
        match act.clone() {
            Act::Put { space, key, value } => {
                batch.put(Space(space), &key[..], &value[..]);
                model.records.insert((space, key), value);
                true
            }
            Act::Delete { space, key } => {
                batch.delete(Space(space), &key[..]);
                model.records.remove(&(space, key));
                true
            }
            Act::AssertAbsent { space, key } => {
                batch.assert_absent(Space(space), &key[..]);
                !model.records.contains_key(&(space, key))
            }
            Act::AssertPresent { space, key } => {
                batch.assert_present(Space(space), &key[..]);
                model.records.contains_key(&(space, key))
            }
            Act::Link { len } => {
                self.seed += 1;
                let stored = octets(self.seed, len);
                let id = batch.link_body(finished(self.harness.spool(), &stored, 1000));
                assert!(!self.known.contains(&id), "body {id} was used before");
                self.known.push(id);
                model.bodies.insert(id, (stored, 1));
                true
            }
            Act::Retain { body, by } => {
                let id = self.pick(body);
                batch.retain(id, by);
                model.bodies.get_mut(&id).is_some_and(|(_, references)| {
                    *references += by;
                    true
                })
            }
            Act::Release { body } => {
                let id = self.pick(body);
                batch.release(id);
                let Some((_, references)) = model.bodies.get_mut(&id) else { return false };
                *references -= 1;
                if *references == 0 {
                    model.bodies.remove(&id);
                }
                true
            }
        }
    }

    fn pick(&self, body: usize) -> BodyId {
        match self.known.len() {
            0 => BodyId(u64::MAX),
            known => self.known[body % known],
        }
    }

    fn compare(&self) {
        let spool = self.harness.spool();
        for space in 0..SPACES {
            let found = block_on(spool.scan(Space(space), b"", None, usize::MAX)).unwrap();
            let expected = self.model.records.iter().filter(|((at, _), _)| *at == space);
            let expected: Vec<_> = expected.map(|((_, key), value)| (key.clone(), value.clone())).collect();
            assert_eq!(found, expected);
        }
        for id in &self.known {
            let found = read(spool, *id, 1 << 16).ok();
            let expected = self.model.bodies.get(id).map(|(octets, _)| octets);
            assert!(found.as_ref() == expected, "body {id} is not what it should be");
        }
        let stats = spool.stats();
        let octets: usize = self.model.bodies.values().map(|(octets, _)| octets.len()).sum();
        assert_eq!((stats.bodies, stats.body_octets), (self.model.bodies.len() as u64, octets as u64));
        assert_eq!((stats.bodies_damaged, stats.last_error), (0, None));
    }
}
