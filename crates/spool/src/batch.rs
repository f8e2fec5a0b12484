//! One atomic step, as data: built by the caller, judged and applied by an engine.

use crate::{BatchLimit, BodyId, CommitError, FinishedBody};

/// Longest key in octets, the space not counted.
pub const MAX_KEY_OCTETS: usize = 4096;
/// Longest value in octets. What may be larger is a body.
pub const MAX_VALUE_OCTETS: usize = 16 << 20;
/// Most operations in one batch: a fan-out to the largest recipient lists fits.
pub const MAX_BATCH_OPS: usize = 1 << 17;
/// Most octets of keys, values and bodies held in memory which one batch may carry.
pub const MAX_BATCH_OCTETS: usize = 64 << 20;

/// A key space. Callers number theirs from 0 to [`Space::LAST`]; the rest belongs to the engines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Space(pub u8);

impl Space {
    /// The highest space a caller may use.
    pub const LAST: Space = Space(0xEF);
}

/// One operation of a batch. They apply in order, and each sees the effect of those before it.
#[derive(Debug)]
pub enum Op {
    /// Stores `value` under `key`, in place of any earlier value.
    Put {
        /// Space of the key.
        space: Space,
        /// Key, at most [`MAX_KEY_OCTETS`]; may be empty.
        key: Vec<u8>,
        /// Value, at most [`MAX_VALUE_OCTETS`].
        value: Vec<u8>,
    },
    /// Removes `key`; not an error if it isn't there.
    Delete {
        /// Space of the key.
        space: Space,
        /// Key.
        key: Vec<u8>,
    },
    /// Refuses the batch if `key` is there.
    AssertAbsent {
        /// Space of the key.
        space: Space,
        /// Key.
        key: Vec<u8>,
    },
    /// Refuses the batch if `key` is not there.
    AssertPresent {
        /// Space of the key.
        space: Space,
        /// Key.
        key: Vec<u8>,
    },
    /// Makes a reserved body part of the store, with one reference.
    Link {
        /// The body, reserved from the same store.
        body: FinishedBody,
    },
    /// Adds `by` references to a body that is there or was linked earlier in the batch.
    Retain {
        /// The body.
        body: BodyId,
        /// How many references.
        by: u32,
    },
    /// Takes one reference away; with the last one the body is gone and its space is given back.
    Release {
        /// The body.
        body: BodyId,
    },
}

/// Operations to be applied together or not at all.
#[derive(Debug, Default)]
pub struct Batch {
    ops: Vec<Op>,
    octets: usize,
    may_wait: bool,
}

impl Batch {
    /// Stores a value; see [`Op::Put`].
    pub fn put(&mut self, space: Space, key: impl Into<Vec<u8>>, value: impl Into<Vec<u8>>) -> &mut Self {
        self.push(Op::Put { space, key: key.into(), value: value.into() })
    }

    /// Removes a key; see [`Op::Delete`].
    pub fn delete(&mut self, space: Space, key: impl Into<Vec<u8>>) -> &mut Self {
        self.push(Op::Delete { space, key: key.into() })
    }

    /// Requires that a key is not there; see [`Op::AssertAbsent`].
    pub fn assert_absent(&mut self, space: Space, key: impl Into<Vec<u8>>) -> &mut Self {
        self.push(Op::AssertAbsent { space, key: key.into() })
    }

    /// Requires that a key is there; see [`Op::AssertPresent`].
    pub fn assert_present(&mut self, space: Space, key: impl Into<Vec<u8>>) -> &mut Self {
        self.push(Op::AssertPresent { space, key: key.into() })
    }

    /// Makes `body` part of the store with one reference, and returns its name.
    pub fn link_body(&mut self, body: FinishedBody) -> BodyId {
        let id = body.id();
        self.push(Op::Link { body });
        id
    }

    /// Adds references to a body; see [`Op::Retain`].
    pub fn retain(&mut self, body: BodyId, by: u32) -> &mut Self {
        self.push(Op::Retain { body, by })
    }

    /// Takes one reference of a body away; see [`Op::Release`].
    pub fn release(&mut self, body: BodyId) -> &mut Self {
        self.push(Op::Release { body })
    }

    /// Says that nobody outside waits for this batch: an engine may let it wait a moment for others whose durable step it
    /// can share. It never comes behind a batch that was committed later.
    pub fn may_wait(&mut self) -> &mut Self {
        self.may_wait = true;
        self
    }

    /// Whether [`Batch::may_wait`] was said.
    pub fn is_patient(&self) -> bool {
        self.may_wait
    }

    /// Adds any operation.
    pub fn push(&mut self, op: Op) -> &mut Self {
        self.octets = self.octets.saturating_add(octets(&op));
        self.ops.push(op);
        self
    }

    /// True without operations. Committing such a batch is a no-op that succeeds.
    pub fn is_empty(&self) -> bool {
        self.ops.is_empty()
    }

    /// Number of operations.
    pub fn len(&self) -> usize {
        self.ops.len()
    }

    /// Octets of keys, values and bodies held in memory.
    pub fn octets(&self) -> usize {
        self.octets
    }

    /// The same operations once more, for a second try; `None` if a body is linked, which can be done only once.
    pub fn duplicate(&self) -> Option<Batch> {
        let duplicate = |op: &Op| {
            Some(match op {
                Op::Put { space, key, value } => {
                    Op::Put { space: *space, key: key.clone(), value: value.clone() }
                }
                Op::Delete { space, key } => Op::Delete { space: *space, key: key.clone() },
                Op::AssertAbsent { space, key } => Op::AssertAbsent { space: *space, key: key.clone() },
                Op::AssertPresent { space, key } => Op::AssertPresent { space: *space, key: key.clone() },
                Op::Retain { body, by } => Op::Retain { body: *body, by: *by },
                Op::Release { body } => Op::Release { body: *body },
                Op::Link { .. } => return None,
            })
        };
        let ops = self.ops.iter().map(duplicate).collect::<Option<Vec<Op>>>()?;
        Some(Batch { ops, octets: self.octets, may_wait: self.may_wait })
    }

    /// For engines: the operations in order.
    pub fn into_ops(self) -> Vec<Op> {
        self.ops
    }

    /// Checks what can be judged without a store: sizes and spaces.
    ///
    /// # Errors
    /// [`CommitError::Limit`] or [`CommitError::ReservedSpace`], naming the first operation at fault.
    pub fn check(&self) -> Result<(), CommitError> {
        let limit = |index, limit, actual| Err(CommitError::Limit { index, limit, actual });
        if self.ops.len() > MAX_BATCH_OPS {
            return limit(MAX_BATCH_OPS, BatchLimit::Operations, self.ops.len());
        }
        for (index, op) in self.ops.iter().enumerate() {
            let (space, key, value) = match op {
                Op::Put { space, key, value } => (*space, key.len(), value.len()),
                Op::Delete { space, key }
                | Op::AssertAbsent { space, key }
                | Op::AssertPresent { space, key } => (*space, key.len(), 0),
                Op::Link { .. } | Op::Retain { .. } | Op::Release { .. } => continue,
            };
            if space > Space::LAST {
                return Err(CommitError::ReservedSpace { index, space });
            }
            if key > MAX_KEY_OCTETS {
                return limit(index, BatchLimit::KeyOctets, key);
            }
            if value > MAX_VALUE_OCTETS {
                return limit(index, BatchLimit::ValueOctets, value);
            }
        }
        if self.octets > MAX_BATCH_OCTETS {
            return limit(self.ops.len().saturating_sub(1), BatchLimit::BatchOctets, self.octets);
        }
        Ok(())
    }
}

fn octets(op: &Op) -> usize {
    match op {
        Op::Put { key, value, .. } => key.len().saturating_add(value.len()),
        Op::Delete { key, .. } | Op::AssertAbsent { key, .. } | Op::AssertPresent { key, .. } => key.len(),
        Op::Link { body } => body.memory_octets(),
        Op::Retain { .. } | Op::Release { .. } => 0,
    }
}
