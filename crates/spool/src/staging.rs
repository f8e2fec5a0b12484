//! What a batch would change, worked out before anything is written. One set of rules for every engine: order of
//! operations, assertions, reference counts.

use std::collections::BTreeMap;

use crate::{Batch, BodyId, CommitError, Expected, FinishedBody, Op, Space, SpoolError};

/// The settled state below a stage.
pub(crate) trait Settled {
    /// How the engine names the whereabouts of a body.
    type Place: Clone;

    /// Whether a record exists; `key` is as [`full_key`] makes it.
    fn contains(&self, key: &[u8]) -> Result<bool, SpoolError>;

    /// A body with its references.
    fn body(&self, body: BodyId) -> Result<Option<Counted<Self::Place>>, SpoolError>;

    /// Takes over a reserved body; `None` if it is not of this store.
    fn adopt(&self, body: FinishedBody) -> Option<Self::Place>;
}

/// A body and how many references it has, at least one.
#[derive(Clone, Debug)]
pub(crate) struct Counted<P> {
    pub(crate) place: P,
    pub(crate) references: u32,
}

/// What becomes of a body.
#[derive(Clone, Debug)]
pub(crate) enum BodyChange<P> {
    /// It stays, or comes, with these references.
    Live(Counted<P>),
    /// It goes.
    Gone {
        /// Where it was.
        was: P,
    },
}

/// Changes not yet written.
#[derive(Debug)]
pub(crate) struct Stage<P> {
    /// New values by full key; `None` deletes.
    pub(crate) records: BTreeMap<Vec<u8>, Option<Vec<u8>>>,
    /// Changed bodies.
    pub(crate) bodies: BTreeMap<BodyId, BodyChange<P>>,
}

/// Why a batch can't be staged.
#[derive(Debug)]
pub(crate) enum StageError {
    /// The batch is at fault.
    Refused(CommitError),
    /// Reading the settled state failed.
    Unreadable(SpoolError),
}

impl From<SpoolError> for StageError {
    fn from(error: SpoolError) -> Self {
        StageError::Unreadable(error)
    }
}

impl From<CommitError> for StageError {
    fn from(error: CommitError) -> Self {
        StageError::Refused(error)
    }
}

/// The key of a record in one ordered map of all spaces.
pub(crate) fn full_key(space: Space, key: &[u8]) -> Vec<u8> {
    let mut full = Vec::with_capacity(key.len().saturating_add(1));
    full.push(space.0);
    full.extend_from_slice(key);
    full
}

/// Refuses the spaces which callers may not read.
pub(crate) fn check_space(space: Space) -> Result<(), SpoolError> {
    if space > Space::LAST { Err(SpoolError::ReservedSpace { space }) } else { Ok(()) }
}

impl<P> Default for Stage<P> {
    fn default() -> Self {
        Stage { records: BTreeMap::new(), bodies: BTreeMap::new() }
    }
}

impl<P: Clone> Stage<P> {
    /// Works out `batch` on top of `settled` and of the batches staged `earlier`, which it does not change.
    pub(crate) fn of<S: Settled<Place = P>>(
        settled: &S,
        earlier: &Stage<P>,
        batch: Batch,
    ) -> Result<Stage<P>, StageError> {
        let mut stage = Stage::default();
        for (index, op) in batch.into_ops().into_iter().enumerate() {
            match op {
                Op::Put { space, key, value } => {
                    stage.records.insert(full_key(space, &key), Some(value));
                }
                Op::Delete { space, key } => {
                    stage.records.insert(full_key(space, &key), None);
                }
                Op::AssertAbsent { space, key } => {
                    if stage.contains(settled, earlier, &full_key(space, &key))? {
                        let expected = Expected::Absent;
                        return Err(CommitError::AssertionFailed { index, space, expected }.into());
                    }
                }
                Op::AssertPresent { space, key } => {
                    if !stage.contains(settled, earlier, &full_key(space, &key))? {
                        let expected = Expected::Present;
                        return Err(CommitError::AssertionFailed { index, space, expected }.into());
                    }
                }
                Op::Link { body } => {
                    let id = body.id();
                    let place = settled.adopt(body).ok_or(CommitError::ForeignBody { index, body: id })?;
                    stage.bodies.insert(id, BodyChange::Live(Counted { place, references: 1 }));
                }
                Op::Retain { body, by } => {
                    let mut counted = stage.counted(settled, earlier, index, body)?;
                    counted.references = counted
                        .references
                        .checked_add(by)
                        .ok_or(CommitError::TooManyReferences { index, body })?;
                    stage.bodies.insert(body, BodyChange::Live(counted));
                }
                Op::Release { body } => {
                    let counted = stage.counted(settled, earlier, index, body)?;
                    let change = match counted.references.checked_sub(1) {
                        None | Some(0) => BodyChange::Gone { was: counted.place },
                        Some(references) => BodyChange::Live(Counted { references, ..counted }),
                    };
                    stage.bodies.insert(body, change);
                }
            }
        }
        Ok(stage)
    }

    /// Puts a `later` stage on top.
    pub(crate) fn merge(&mut self, later: Stage<P>) {
        self.records.extend(later.records);
        self.bodies.extend(later.bodies);
    }

    fn contains<S: Settled<Place = P>>(
        &self,
        settled: &S,
        earlier: &Stage<P>,
        key: &[u8],
    ) -> Result<bool, SpoolError> {
        match self.records.get(key).or_else(|| earlier.records.get(key)) {
            Some(value) => Ok(value.is_some()),
            None => settled.contains(key),
        }
    }

    fn counted<S: Settled<Place = P>>(
        &self,
        settled: &S,
        earlier: &Stage<P>,
        index: usize,
        body: BodyId,
    ) -> Result<Counted<P>, StageError> {
        match self.bodies.get(&body).or_else(|| earlier.bodies.get(&body)) {
            Some(BodyChange::Live(counted)) => Ok(counted.clone()),
            Some(BodyChange::Gone { .. }) => Err(CommitError::NoSuchBody { index, body }.into()),
            None => settled.body(body)?.ok_or_else(|| CommitError::NoSuchBody { index, body }.into()),
        }
    }
}
