//! The one thread that writes: it takes every batch that waits and makes one durable step of them.
//!
//! A step is: judge the batches in order, append small bodies to the growing segment and behind them what the step
//! changes in the index, force that to the disk, and apply it to the index. Only then are the outcomes told, refusals
//! included: a refusal may rest on an earlier batch of the same step.
//!
//! A step for which there is no space is known not to have happened: what it wrote to segments is cut off again, and
//! what it wrote to the index has been taken back. Its batches are refused, and until a write finds
//! space again so are others, with a try every second. After any other failed write the state of the disk is
//! unknown, so nothing more is written until the store is opened again.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

use super::Shared;
use super::compaction::{Compaction, Piece};
use super::place::{Location, OwnSegment, Place, Reservation};
use super::queue::{Job, Taken};
use super::reserve;
use super::segment::{Before, Emptied, Segments};
use super::step::IndexBatch;
use crate::staging::{BodyChange, Counted, Settled, Stage, StageError};
use crate::{BodyId, CommitError, Completer, FinishedBody, SpoolError};

/// Shortest time between two pieces of a compaction while batches wait.
const COMPACTION_INTERVAL: Duration = Duration::from_millis(50);

pub(super) struct Committer {
    shared: Arc<Shared>,
    segments: Segments,
    sweeper: Sender<Emptied>,
    /// When a write was last tried while there was no space.
    tried: Instant,
    compaction: Option<Compaction>,
    /// When a piece of it was last done.
    compacted: Instant,
}

/// Who waits for each batch of a step, and what to tell if the step succeeds.
type Outcomes = Vec<(Completer, Result<(), CommitError>)>;

/// How a step failed.
enum Failed {
    /// Nothing of it happened.
    NoSpace(Arc<SpoolError>),
    /// What happened is unknown until the store is next opened; nothing more is written.
    Stopped(Arc<SpoolError>),
}

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
    pub(super) fn new(shared: Arc<Shared>, segments: Segments, sweeper: Sender<Emptied>) -> Self {
        let now = Instant::now();
        Committer { shared, segments, sweeper, tried: now, compaction: None, compacted: now }
    }

    /// Works until the queue is closed and empty.
    pub(super) fn run(mut self) {
        let _close = CloseQueue(Arc::clone(&self.shared));
        loop {
            let compacting = self.may_compact();
            match self.shared.queue.take(if compacting { Duration::ZERO } else { reserve::INTERVAL }) {
                Taken::Group(jobs) => {
                    self.step(jobs);
                    // Under load it still gets on, without taking much of the disk.
                    if compacting && self.compacted.elapsed() >= COMPACTION_INTERVAL {
                        self.compact();
                    }
                }
                Taken::Idle if compacting => self.compact(),
                Taken::Idle => self.look_for_space(),
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
        if let Some(cause) = self.shared.no_space() {
            if self.tried.elapsed() < reserve::INTERVAL {
                for job in jobs {
                    job.completer.complete(Err(CommitError::NoSpace { cause: Arc::clone(&cause) }));
                }
                return;
            }
            self.tried = Instant::now();
        }
        let (mut stage, outcomes) = self.judge(jobs);
        let before = self.segments.before();
        let written = self.write(&mut stage);
        match written.map_err(|error| self.take_back(error, before)) {
            Ok(moves) => {
                self.shared.found_space();
                self.count(&outcomes);
                self.settle(&moves);
                self.sweep();
                for (completer, outcome) in outcomes {
                    completer.complete(outcome);
                }
            }
            Err(Failed::NoSpace(cause)) => {
                for_own_segments(&stage, OwnSegment::let_go);
                self.sweep();
                for (completer, outcome) in outcomes {
                    // A refusal may rest on a batch that was not applied.
                    drop(outcome);
                    completer.complete(Err(CommitError::NoSpace { cause: Arc::clone(&cause) }));
                }
            }
            Err(Failed::Stopped(cause)) => {
                for (completer, _) in outcomes {
                    completer.complete(Err(CommitError::Io { cause: Arc::clone(&cause) }));
                }
            }
        }
    }

    /// Makes undone what failed, as far as that can be.
    fn take_back(&mut self, error: SpoolError, before: Before) -> Failed {
        if !matches!(error, SpoolError::NoSpace { .. }) {
            return Failed::Stopped(self.shared.stop(error));
        }
        if let Err(worse) = self.segments.take_back(before) {
            return Failed::Stopped(self.shared.stop(worse));
        }
        self.tried = Instant::now();
        self.shared.reserve.measure();
        Failed::NoSpace(self.shared.ran_out_of_space(error))
    }

    fn may_compact(&self) -> bool {
        (self.compaction.is_some() || self.segments.has_sparse())
            && self.shared.no_space().is_none()
            && self.shared.stopped().is_none()
    }

    /// Does one piece of moving bodies out of a mostly dead segment.
    fn compact(&mut self) {
        self.compacted = Instant::now();
        let mut compaction = match self.compaction.take() {
            Some(compaction) => compaction,
            None => {
                let Some(number) = self.segments.take_sparse() else { return };
                match Compaction::begin(&self.shared, number) {
                    Ok(compaction) => compaction,
                    Err(error) => return self.shared.note(&error),
                }
            }
        };
        let before = self.segments.before();
        match compaction.piece(&self.shared, &mut self.segments) {
            Ok(Piece { moved, finished }) => {
                for (from, to) in &moved {
                    self.segments.settled(to);
                    self.segments.gone(from);
                }
                self.shared.counters.bodies_moved.fetch_add(moved.len() as u64, Ordering::Relaxed);
                if !finished {
                    self.compaction = Some(compaction);
                }
                self.sweep();
            }
            Err(error) => {
                self.take_back(error, before);
                self.sweep();
            }
        }
    }

    /// Finds out whether there is space again.
    fn look_for_space(&mut self) {
        if self.shared.no_space().is_none() || self.shared.stopped().is_some() {
            return;
        }
        self.tried = Instant::now();
        let before = self.segments.before();
        let probed = self.segments.probe();
        match probed.and_then(|()| commit(&self.shared, &mut self.segments, &IndexBatch::default())) {
            Ok(()) => {
                self.shared.reserve.measure();
                self.shared.found_space();
            }
            Err(error) => {
                self.take_back(error, before);
                self.sweep();
            }
        }
    }

    /// Stages what can be applied, and finds the outcome each batch will have if the step succeeds.
    fn judge(&self, jobs: Vec<Job>) -> (Stage<Place>, Outcomes) {
        let mut stage = Stage::default();
        let mut outcomes = Vec::with_capacity(jobs.len());
        let mut of_patient = Vec::new();
        let settled = SettledIndex(&self.shared);
        for job in jobs {
            let is_patient = job.batch.is_patient();
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
            if is_patient { &mut of_patient } else { &mut outcomes }.push((job.completer, outcome));
        }
        // Those for whom a peer waits are told before the processors are busy with all that follows from the others.
        outcomes.append(&mut of_patient);
        (stage, outcomes)
    }

    /// Makes the stage durable.
    fn write(&mut self, stage: &mut Stage<Place>) -> Result<Moves, SpoolError> {
        let mut moves = Moves::default();
        if stage.records.is_empty() && stage.bodies.is_empty() {
            return Ok(moves);
        }
        let mut batch = IndexBatch::default();
        for (key, value) in std::mem::take(&mut stage.records) {
            match value {
                Some(value) => batch.put(key, value),
                None => batch.delete(key),
            }
        }
        // Bodies stay alive up to the commit below: a file of its own is removed when its place is dropped.
        for (&id, change) in &stage.bodies {
            self.write_body(id, change, &mut batch, &mut moves)?;
        }
        // From here on the log may refer to them, even if the commit reports failure.
        for_own_segments(stage, OwnSegment::keep);
        commit(&self.shared, &mut self.segments, &batch)?;
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
        for emptied in self.segments.take_empty() {
            self.shared.reader.retire(emptied.number);
            // Without a sweeper the file stays until the store is opened again.
            self.sweeper.send(emptied).ok();
        }
    }
}

/// Makes the step after the last: durable in the log with one sync, which covers the bodies that were appended for it as
/// well, then applied to the index.
///
/// # Errors
/// After [`SpoolError::NoSpace`] the index is as before, and the log has to be taken back to what it was.
pub(super) fn commit(shared: &Shared, segments: &mut Segments, batch: &IndexBatch) -> Result<(), SpoolError> {
    let step = shared.index.step().saturating_add(1);
    segments.append_step(step, batch)?;
    segments.sync()?;
    shared.index.apply(step, batch)
}

/// Does something with the files of bodies that a stage links.
fn for_own_segments(stage: &Stage<Place>, act: impl Fn(&OwnSegment)) {
    for change in stage.bodies.values() {
        if let BodyChange::Live(Counted { place: Place::OwnSegment(segment, _), .. }) = change {
            act(segment);
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
