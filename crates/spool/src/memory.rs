//! An engine that keeps everything in memory and tells apart what was synced from what was not.
//!
//! It is for tests and simulation: commits can be held as if the disk were slow, a sync can be made to fail, and a
//! crash leaves a new store with what was synced, and no more than chance would add: batches whose sync never
//! ended may or may not be there afterwards, in order, and a test decides how many are. There are no threads, no
//! clocks and no files.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Bound;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use crate::spool::ScanResult;
use crate::staging::{BodyChange, Counted, Settled, Stage, StageError, check_space, full_key};
use crate::sync::lock;
use crate::{
    Batch, BodyId, BodyWriter, BoxFuture, Commit, CommitError, Completer, FinishedBody, LastStop,
    MAX_READ_OCTETS, Space, Spool, SpoolError, Stats, Unhealthy,
};

/// How an injected failure of a sync turns out when the store is opened again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The batch reached the disk all the same.
    Kept,
    /// The batch is lost.
    Lost,
}

/// A store in memory. Clones of the handle are the same store.
#[derive(Clone, Debug, Default)]
pub struct MemorySpool {
    inner: Arc<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    /// Shared with the stores that come out of a crash: names are not used twice.
    body_ids: Arc<AtomicU64>,
    /// `None` in a store that is new.
    last_stop: Option<LastStop>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    synced: Synced,
    /// Written, not synced.
    unsynced: VecDeque<(Batch, Completer)>,
    /// Its sync failed, but it reached the disk.
    kept: Vec<Stage<Body>>,
    held: bool,
    fault: Option<Fault>,
    stopped: Option<Arc<SpoolError>>,
    full: bool,
    crashed: bool,
    stats: Stats,
}

/// What a crash leaves.
#[derive(Clone, Debug, Default)]
struct Synced {
    records: BTreeMap<Vec<u8>, Vec<u8>>,
    bodies: BTreeMap<BodyId, Counted<Body>>,
}

type Body = Arc<Vec<u8>>;

/// Who waits for a batch, and what to tell.
type Outcomes = Vec<(Completer, Result<(), CommitError>)>;

/// Who is told may call back at once: the lock must not be held.
fn tell(outcomes: impl IntoIterator<Item = (Completer, Result<(), CommitError>)>) {
    for (completer, outcome) in outcomes {
        completer.complete(outcome);
    }
}

/// What a full disk says.
fn no_space() -> SpoolError {
    let source = std::io::ErrorKind::StorageFull.into();
    SpoolError::NoSpace { action: "write", path: "memory".into(), source }
}

struct MemoryBodyWriter {
    store: Arc<Inner>,
    id: BodyId,
    octets: Vec<u8>,
}

struct Reservation {
    store: Arc<Inner>,
    octets: Vec<u8>,
}

impl MemorySpool {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    /// From now on commits wait, as if the disk did not answer.
    pub fn hold_sync(&self) {
        lock(&self.inner.state).held = true;
    }

    /// Syncs what waits, in order, as one step, and holds no longer.
    pub fn release_sync(&self) {
        let mut state = lock(&self.inner.state);
        state.held = false;
        let group: Vec<_> = state.unsynced.drain(..).collect();
        let outcomes = self.sync(&mut state, group);
        drop(state);
        tell(outcomes);
    }

    /// Makes the next step fail as a failed sync does: its commits report [`CommitError::Io`], and nothing more
    /// is written until the store is "opened again" by [`MemorySpool::crash`].
    pub fn fail_next_commit(&self, fault: Fault) {
        lock(&self.inner.state).fault = Some(fault);
    }

    /// Makes the disk full, or gives space back. While it is full, commits are refused with
    /// [`CommitError::NoSpace`] and leave nothing.
    pub fn set_full(&self, full: bool) {
        lock(&self.inner.state).full = full;
    }

    /// Ends this store as a crash does and returns the one that a restart finds: what was synced, and what an
    /// injected failure kept. Commits which still wait resolve to [`CommitError::Closed`].
    pub fn crash(&self) -> MemorySpool {
        self.crash_keeping(0)
    }

    /// As [`MemorySpool::crash`], but the first `unsynced` of the batches that wait reached the disk before it.
    pub fn crash_keeping(&self, unsynced: usize) -> MemorySpool {
        let mut state = lock(&self.inner.state);
        state.crashed = true;
        let (batches, completers): (Vec<_>, Vec<_>) = state.unsynced.drain(..).unzip();
        let mut synced = state.synced.clone();
        for stage in state.kept.drain(..) {
            synced.apply(stage);
        }
        drop(state);
        for batch in batches.into_iter().take(unsynced) {
            // A batch that would have been refused leaves nothing.
            if let Ok(stage) =
                Stage::of(&View { store: &self.inner, synced: &synced }, &Stage::default(), batch)
            {
                synced.apply(stage);
            }
        }
        let mut survivor = State { synced, ..State::default() };
        survivor.gauge();
        tell(completers.into_iter().map(|completer| (completer, Err(CommitError::Closed))));
        self.successor(survivor, LastStop::Disorderly)
    }

    /// Ends this store in order and returns the one that a restart finds, with all that was committed. Commits that are
    /// held are synced first.
    pub fn end(&self) -> MemorySpool {
        self.release_sync();
        let survivor = self.crash();
        let state = std::mem::take(&mut *lock(&survivor.inner.state));
        self.successor(state, LastStop::InOrder)
    }

    fn successor(&self, state: State, last_stop: LastStop) -> MemorySpool {
        let body_ids = Arc::clone(&self.inner.body_ids);
        let inner = Inner { body_ids, last_stop: Some(last_stop), state: Mutex::new(state) };
        MemorySpool { inner: Arc::new(inner) }
    }

    /// Batches written but not synced.
    pub fn unsynced(&self) -> usize {
        lock(&self.inner.state).unsynced.len()
    }

    /// One durable step; what it returns is to be told when the lock is released.
    fn sync(&self, state: &mut State, group: Vec<(Batch, Completer)>) -> Outcomes {
        let mut outcomes = Outcomes::with_capacity(group.len());
        if group.is_empty() {
            return outcomes;
        }
        if let Some(cause) = &state.stopped {
            let stopped = || Err(CommitError::Stopped { cause: Arc::clone(cause) });
            return group.into_iter().map(|(_, completer)| (completer, stopped())).collect();
        }
        if state.full {
            let cause = Arc::new(no_space());
            let refused = || Err(CommitError::NoSpace { cause: Arc::clone(&cause) });
            return group.into_iter().map(|(_, completer)| (completer, refused())).collect();
        }
        let mut stage = Stage::default();
        for (batch, completer) in group {
            let view = View { store: &self.inner, synced: &state.synced };
            let outcome = match Stage::of(&view, &stage, batch) {
                Ok(staged) => {
                    stage.merge(staged);
                    Ok(())
                }
                Err(StageError::Refused(refusal)) => Err(refusal),
                Err(StageError::Unreadable(error)) => Err(CommitError::Io { cause: Arc::new(error) }),
            };
            outcomes.push((completer, outcome));
        }
        if let Some(fault) = state.fault.take() {
            let cause = state.stop(fault, stage);
            for (_, outcome) in &mut outcomes {
                *outcome = Err(CommitError::Io { cause: Arc::clone(&cause) });
            }
            return outcomes;
        }
        state.synced.apply(stage);
        state.stats.commits = state.stats.commits.saturating_add(1);
        state.stats.syncs = state.stats.syncs.saturating_add(1);
        for (_, outcome) in &outcomes {
            state.count(outcome);
        }
        state.gauge();
        outcomes
    }
}

impl State {
    fn stop(&mut self, fault: Fault, stage: Stage<Body>) -> Arc<SpoolError> {
        match fault {
            Fault::Kept => self.kept.push(stage),
            Fault::Lost => {}
        }
        let source = std::io::Error::other("a failure injected by a test");
        let error = SpoolError::File { action: "sync", path: "memory".into(), source };
        self.stats.last_error = Some(error.to_string());
        let cause = Arc::new(error);
        self.stopped = Some(Arc::clone(&cause));
        cause
    }

    fn count(&mut self, outcome: &Result<(), CommitError>) {
        let counter = match outcome {
            Ok(()) => &mut self.stats.batches_applied,
            Err(_) => &mut self.stats.batches_refused,
        };
        *counter = counter.saturating_add(1);
    }

    fn gauge(&mut self) {
        self.stats.bodies = self.synced.bodies.len() as u64;
        self.stats.body_octets = self.synced.bodies.values().map(|body| body.place.len() as u64).sum();
    }
}

impl Synced {
    fn apply(&mut self, stage: Stage<Body>) {
        for (key, value) in stage.records {
            match value {
                Some(value) => drop(self.records.insert(key, value)),
                None => drop(self.records.remove(&key)),
            }
        }
        for (id, change) in stage.bodies {
            match change {
                BodyChange::Live(counted) => drop(self.bodies.insert(id, counted)),
                BodyChange::Gone { .. } => drop(self.bodies.remove(&id)),
            }
        }
    }
}

/// The synced state of one store, as the state below a stage.
struct View<'a> {
    store: &'a Arc<Inner>,
    synced: &'a Synced,
}

impl Settled for View<'_> {
    type Place = Body;

    fn contains(&self, key: &[u8]) -> Result<bool, SpoolError> {
        Ok(self.synced.records.contains_key(key))
    }

    fn body(&self, body: BodyId) -> Result<Option<Counted<Body>>, SpoolError> {
        Ok(self.synced.bodies.get(&body).cloned())
    }

    fn adopt(&self, body: FinishedBody) -> Option<Body> {
        let reservation = body.into_reservation().downcast::<Reservation>().ok()?;
        Arc::ptr_eq(&reservation.store, self.store).then(|| Arc::new(reservation.octets))
    }
}

impl BodyWriter for MemoryBodyWriter {
    fn write(&mut self, bytes: &[u8]) -> Result<(), SpoolError> {
        self.octets.extend_from_slice(bytes);
        Ok(())
    }

    fn len(&self) -> u64 {
        self.octets.len() as u64
    }

    fn write_may_block(&self, _octets: usize) -> bool {
        false
    }

    fn finish_may_block(&self) -> bool {
        false
    }

    fn finish(self: Box<Self>) -> Result<FinishedBody, SpoolError> {
        let len = self.octets.len() as u64;
        let reservation = Reservation { store: self.store, octets: self.octets };
        // All bodies live in memory here, so none counts against what a batch may hold there.
        Ok(FinishedBody::new(self.id, len, 0, Box::new(reservation)))
    }
}

impl Spool for MemorySpool {
    fn begin_body(&self) -> Result<Box<dyn BodyWriter>, SpoolError> {
        let state = lock(&self.inner.state);
        state.check_alive()?;
        if let Some(cause) = &state.stopped {
            return Err(SpoolError::Stopped { cause: Arc::clone(cause) });
        }
        let id = BodyId(self.inner.body_ids.fetch_add(1, Ordering::Relaxed).saturating_add(1));
        Ok(Box::new(MemoryBodyWriter { store: Arc::clone(&self.inner), id, octets: Vec::new() }))
    }

    fn commit(&self, batch: Batch) -> Commit {
        let mut state = lock(&self.inner.state);
        if let Err(refusal) = batch.check() {
            state.count(&Err(refusal.clone()));
            return Commit::ready(Err(refusal));
        }
        if batch.is_empty() {
            return Commit::ready(Ok(()));
        }
        if state.crashed {
            return Commit::ready(Err(CommitError::Closed));
        }
        let (commit, completer) = Commit::pending();
        if state.held && state.stopped.is_none() {
            state.unsynced.push_back((batch, completer));
        } else {
            let outcomes = self.sync(&mut state, vec![(batch, completer)]);
            drop(state);
            tell(outcomes);
        }
        commit
    }

    fn get(&self, space: Space, key: &[u8]) -> BoxFuture<'_, Result<Option<Vec<u8>>, SpoolError>> {
        let key = full_key(space, key);
        Box::pin(async move {
            check_space(space)?;
            let state = lock(&self.inner.state);
            state.check_alive()?;
            Ok(state.synced.records.get(&key).cloned())
        })
    }

    fn scan(
        &self,
        space: Space,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> BoxFuture<'_, ScanResult> {
        let prefix = full_key(space, prefix);
        let after = after.map(|after| full_key(space, after));
        Box::pin(async move {
            check_space(space)?;
            let state = lock(&self.inner.state);
            state.check_alive()?;
            let lower = match &after {
                Some(after) if *after >= prefix => Bound::Excluded(after),
                Some(_) | None => Bound::Included(&prefix),
            };
            let records = state.synced.records.range::<Vec<u8>, _>((lower, Bound::Unbounded));
            Ok(records
                .take_while(|(key, _)| key.starts_with(&prefix))
                .take(limit)
                .map(|(key, value)| (key.get(1..).unwrap_or_default().to_vec(), value.clone()))
                .collect())
        })
    }

    fn body_len(&self, body: BodyId) -> BoxFuture<'_, Result<u64, SpoolError>> {
        Box::pin(async move { Ok(self.octets(body)?.len() as u64) })
    }

    fn read_body(&self, body: BodyId, offset: u64, max: usize) -> BoxFuture<'_, Result<Vec<u8>, SpoolError>> {
        Box::pin(async move {
            let octets = self.octets(body)?;
            let from = usize::try_from(offset).unwrap_or(usize::MAX);
            let rest = octets.get(from..).unwrap_or_default();
            Ok(rest.get(..max.min(MAX_READ_OCTETS)).unwrap_or(rest).to_vec())
        })
    }

    fn last_stop(&self) -> LastStop {
        self.inner.last_stop.unwrap_or(LastStop::NoneBefore)
    }

    fn unhealthy_reason(&self) -> Option<Unhealthy> {
        let state = lock(&self.inner.state);
        match &state.stopped {
            Some(cause) => Some(Unhealthy::Stopped { cause: Arc::clone(cause) }),
            None => state.full.then(|| Unhealthy::NoSpace { cause: Arc::new(no_space()) }),
        }
    }

    fn stats(&self) -> Stats {
        let state = lock(&self.inner.state);
        Stats { batches_waiting: state.unsynced.len() as u64, ..state.stats.clone() }
    }
}

impl MemorySpool {
    fn octets(&self, body: BodyId) -> Result<Body, SpoolError> {
        let state = lock(&self.inner.state);
        state.check_alive()?;
        let counted = state.synced.bodies.get(&body).ok_or(SpoolError::NoSuchBody { body })?;
        Ok(Arc::clone(&counted.place))
    }
}

impl State {
    fn check_alive(&self) -> Result<(), SpoolError> {
        if self.crashed { Err(SpoolError::Closed) } else { Ok(()) }
    }
}
