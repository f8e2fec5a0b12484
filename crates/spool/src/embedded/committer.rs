//! The one thread that writes: it takes every batch that waits and makes one durable step of them.
//!
//! A step is: judge the batches in order, append small bodies to the growing segment, force that to the disk, then
//! commit the index durably. Only then are the outcomes told, refusals included: a refusal may rest on an earlier
//! batch of the same step. After a failed write the state of the disk is unknown, so nothing more is written until
//! the store is opened again.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::Sender;

use super::Shared;
use super::index::IndexBatch;
use super::place::{Location, Place, Reservation};
use super::queue::{Job, Taken};
use super::reserve;
use super::segment::Segments;
use crate::staging::{BodyChange, Counted, Settled, Stage, StageError};
use crate::{BodyId, CommitError, Completer, FinishedBody, SpoolError};

pub(super) struct Committer {
    shared: Arc<Shared>,
    segments: Segments,
    sweeper: Sender<u64>,
}

/// Who waits for each batch of a step, and what to tell if the step succeeds.
type Outcomes = Vec<(Completer, Result<(), CommitError>)>;

/// What a step did to the bodies, to be counted once it is durable.
#[derive(Default)]
struct Moves {
    settled: Vec<Location>,
    gone: Vec<(BodyId, Location)>,
}

/// Closes the queue however the thread ends: nobody must wait for a committer that isn't there, nor take the
/// store for a healthy one.
struct CloseQueue(Arc<Shared>);

impl Drop for CloseQueue {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.stop(SpoolError::Closed);
        }
        self.0.queue.abandon();
    }
}

impl Committer {
    pub(super) fn new(shared: Arc<Shared>, segments: Segments, sweeper: Sender<u64>) -> Self {
        Committer { shared, segments, sweeper }
    }

    /// Works until the queue is closed and empty.
    pub(super) fn run(mut self) {
        let _close = CloseQueue(Arc::clone(&self.shared));
        loop {
            match self.shared.queue.take(reserve::INTERVAL) {
                Taken::Group(jobs) => self.step(jobs),
                Taken::Idle => {}
                Taken::Closed => break,
            }
            self.shared.reserve.tick();
        }
        if self.shared.stopped().is_none() {
            self.segments.close();
            self.sweep();
        }
    }

    fn step(&mut self, jobs: Vec<Job>) {
        if let Some(cause) = self.shared.stopped() {
            for job in jobs {
                job.completer.complete(Err(CommitError::Stopped { cause: Arc::clone(&cause) }));
            }
            return;
        }
        let (stage, outcomes) = self.judge(jobs);
        match self.write(stage) {
            Ok(moves) => {
                self.count(&outcomes);
                self.settle(&moves);
                self.sweep();
                for (completer, outcome) in outcomes {
                    completer.complete(outcome);
                }
            }
            Err(error) => {
                let cause = self.shared.stop(error);
                for (completer, _) in outcomes {
                    completer.complete(Err(CommitError::Io { cause: Arc::clone(&cause) }));
                }
            }
        }
    }

    /// Stages what can be applied, and finds the outcome each batch will have if the step succeeds.
    fn judge(&self, jobs: Vec<Job>) -> (Stage<Place>, Outcomes) {
        let mut stage = Stage::default();
        let mut outcomes = Vec::with_capacity(jobs.len());
        let settled = SettledIndex(&self.shared);
        for job in jobs {
            let outcome = match Stage::of(&settled, &stage, job.batch) {
                Ok(staged) => {
                    stage.merge(staged);
                    Ok(())
                }
                Err(StageError::Refused(refusal)) => Err(refusal),
                Err(StageError::Unreadable(error)) => {
                    self.shared.note(&error);
                    Err(CommitError::Io { cause: Arc::new(error) })
                }
            };
            outcomes.push((job.completer, outcome));
        }
        (stage, outcomes)
    }

    /// Makes the stage durable.
    fn write(&mut self, stage: Stage<Place>) -> Result<Moves, SpoolError> {
        let mut moves = Moves::default();
        if stage.records.is_empty() && stage.bodies.is_empty() {
            return Ok(moves);
        }
        let mut batch = self.shared.index.batch();
        for (key, value) in stage.records {
            match value {
                Some(value) => batch.put(key, value),
                None => batch.delete(key),
            }
        }
        // Bodies stay alive up to the commit below: a file of its own is removed when its place is dropped.
        for (&id, change) in &stage.bodies {
            self.write_body(id, change, &mut batch, &mut moves)?;
        }
        self.segments.sync()?;
        for change in stage.bodies.values() {
            if let BodyChange::Live(Counted { place: Place::OwnSegment(segment, _), .. }) = change {
                // From here on the index may refer to it, even if the commit reports failure.
                segment.keep();
            }
        }
        self.shared.index.commit(batch)?;
        self.shared.counters.syncs.fetch_add(1, Ordering::Relaxed);
        self.shared.counters.commits.fetch_add(1, Ordering::Relaxed);
        Ok(moves)
    }

    fn write_body(
        &mut self,
        id: BodyId,
        change: &BodyChange<Place>,
        batch: &mut IndexBatch,
        moves: &mut Moves,
    ) -> Result<(), SpoolError> {
        match change {
            BodyChange::Live(Counted { place, references }) => {
                let location = match place {
                    Place::Settled(location) => *location,
                    Place::Memory(body) => self.segments.append(id, body)?,
                    Place::OwnSegment(_, location) => *location,
                };
                if !matches!(place, Place::Settled(_)) {
                    moves.settled.push(location);
                }
                batch.put_body(id, &location, *references);
            }
            BodyChange::Gone { was: Place::Settled(location) } => {
                moves.gone.push((id, *location));
                batch.delete_body(id);
            }
            // Linked and released in one step: it never comes to be.
            BodyChange::Gone { was: Place::Memory(_) | Place::OwnSegment(..) } => {}
        }
        Ok(())
    }

    fn count(&self, outcomes: &[(Completer, Result<(), CommitError>)]) {
        let applied = outcomes.iter().filter(|(_, outcome)| outcome.is_ok()).count();
        let refused = outcomes.len().saturating_sub(applied);
        let counters = &self.shared.counters;
        counters.batches_applied.fetch_add(applied as u64, Ordering::Relaxed);
        counters.batches_refused.fetch_add(refused as u64, Ordering::Relaxed);
    }

    fn settle(&mut self, moves: &Moves) {
        let counters = &self.shared.counters;
        for location in &moves.settled {
            self.segments.settled(location);
            counters.bodies.fetch_add(1, Ordering::Relaxed);
            counters.body_octets.fetch_add(location.len, Ordering::Relaxed);
        }
        for (id, location) in &moves.gone {
            self.segments.gone(location);
            self.shared.reader.forget(*id);
            counters.bodies.fetch_sub(1, Ordering::Relaxed);
            counters.body_octets.fetch_sub(location.len, Ordering::Relaxed);
        }
    }

    /// Hands empty segments to the sweeper: to unlink a large file takes long enough to hold up a step.
    fn sweep(&mut self) {
        for number in self.segments.take_empty() {
            self.shared.reader.retire(number);
            // Without a sweeper the file stays until the store is opened again.
            self.sweeper.send(number).ok();
        }
    }
}

/// The index as the state below a stage.
struct SettledIndex<'a>(&'a Arc<Shared>);

impl Settled for SettledIndex<'_> {
    type Place = Place;

    fn contains(&self, key: &[u8]) -> Result<bool, SpoolError> {
        self.0.index.contains(key)
    }

    fn body(&self, body: BodyId) -> Result<Option<Counted<Place>>, SpoolError> {
        let counted = self.0.index.body(body)?;
        Ok(counted.map(|Counted { place, references }| Counted { place: Place::Settled(place), references }))
    }

    fn adopt(&self, body: FinishedBody) -> Option<Place> {
        let reservation = body.into_reservation().downcast::<Reservation>().ok()?;
        Arc::ptr_eq(&reservation.shared, self.0).then_some(reservation.place)
    }
}
