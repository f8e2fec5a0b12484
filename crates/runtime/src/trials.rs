//! What becomes of an item whose handling fails: it is tried three times, then it goes into quarantine and the originator
//! is told. What fails is a panic, a decision that takes too long, or a process that dies.
//!
//! Failures are counted in the store ([`TRIED`]), so that a restart forgets none. Of deaths nothing is known beforehand, and the
//! ordinary course of things pays nothing for them: only after one the next process notes what it has in hand, for the first
//! few items that were there when the other died, one at a time. So each later death names one item. Such an item waits for a
//! while after the start before it is touched again, and lets all others go first.

mod fallen;
mod telling;
#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use agent::record::{OUTBOUND, OutboundKey, QUARANTINE, Record, TRIED, TriedRecord, WORK, WorkKey};
use agent::{Agent, Step, aside_key};
use clock::MonoTime;
use spool::{Batch, CommitError, LastStop, Space, SpoolError};
use tokio::sync::OwnedMutexGuard;

use crate::events::EventKind;
use crate::pages::Pages;
use crate::shared::Shared;

pub(crate) use fallen::{Fallen, run};

/// Items that are noted while they are in hand, after a process has died.
const MOST_NOTED: usize = 256;
/// How long an item waits for its turn to be noted; then it is handled without.
const TURN: Duration = Duration::from_secs(5);
/// How long after the start an item is left alone with which in hand a process has died; as often as that has happened.
const AFTER_DEATH: Duration = Duration::from_secs(10);
/// Wait after the first failure; five times as long after the second.
const AFTER_FAILURE: Duration = Duration::from_secs(1);

/// The trials of one MTA.
#[derive(Default)]
pub(crate) struct Trials {
    /// By key in [`TRIED`]; what is in quarantine is not among them.
    notes: Mutex<BTreeMap<Vec<u8>, TriedRecord>>,
    /// How many there are, to be asked without a lock.
    noted: AtomicUsize,
    /// Items of an earlier process that are still to be noted while in hand.
    to_note: AtomicUsize,
    turn: Arc<tokio::sync::Mutex<()>>,
    fallen: fallen::List,
}

/// What follows a failure.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Sentence {
    /// It is tried again, after this time.
    Again(Duration),
    /// It has left its queue.
    Quarantined,
}

/// Held while an item is in hand whose handling the process might not survive.
pub(crate) struct Noted {
    shared: Arc<Shared>,
    aside: Vec<u8>,
    _turn: OwnedMutexGuard<()>,
}

impl Trials {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<Vec<u8>, TriedRecord>> {
        // Entries are replaced as wholes; a poisoned lock is as good as a clean one.
        self.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn remember(&self, aside: Vec<u8>, note: TriedRecord) {
        let mut notes = self.lock();
        notes.insert(aside, note);
        self.noted.store(notes.len(), Ordering::SeqCst);
    }

    fn forget(&self, aside: &[u8]) -> bool {
        let mut notes = self.lock();
        let was_there = notes.remove(aside).is_some();
        self.noted.store(notes.len(), Ordering::SeqCst);
        was_there
    }

    fn note(&self, aside: &[u8]) -> Option<TriedRecord> {
        if self.noted.load(Ordering::SeqCst) == 0 { None } else { self.lock().get(aside).cloned() }
    }

    /// Until when an item is left alone, because a process has died with it in hand.
    pub(crate) fn not_before(&self, space: Space, key: &[u8]) -> Option<MonoTime> {
        if self.noted.load(Ordering::SeqCst) == 0 {
            return None;
        }
        let note = self.note(&aside_key(space, key)).filter(|note| note.deaths > 0)?;
        Some(MonoTime::after_start(AFTER_DEATH * note.deaths))
    }

    fn is_to_be_noted(&self, shared: &Shared, space: Space, key: &[u8]) -> bool {
        if self.note(&aside_key(space, key)).is_some_and(|note| note.deaths > 0) {
            return true;
        }
        let is_old = number(space, key).is_some_and(|number| number < shared.sequence.first());
        let left = &self.to_note;
        is_old && left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok()
    }
}

fn number(space: Space, key: &[u8]) -> Option<u64> {
    match space {
        WORK => WorkKey::parse(key).map(|key| key.sequence),
        OUTBOUND => OutboundKey::parse(key).map(|key| key.sequence),
        _ => None,
    }
}

/// What an item is called in events.
fn name(space: Space, key: &[u8]) -> String {
    let queue = OutboundKey::parse(key).filter(|_| space == OUTBOUND).map(|key| key.connector);
    let number = number(space, key).unwrap_or(0);
    format!("number {number} (queue {})", queue.as_deref().unwrap_or("work"))
}

impl Noted {
    /// It was handled, and the process is still there.
    pub(crate) async fn survived(self) {
        let Noted { shared, aside, _turn } = self;
        let before = shared.trials.note(&aside).filter(|note| note.failures > 0);
        let mut batch = Batch::default();
        match before {
            None => {
                shared.trials.forget(&aside);
                batch.delete(TRIED, aside);
            }
            Some(note) => {
                let note = TriedRecord { deaths: 0, ..note };
                batch.put(TRIED, aside.clone(), note.encode());
                shared.trials.remember(aside, note);
            }
        }
        // What stays there says that the process died, if it does: one death too many is counted, and two are needed.
        if let Err(error) = shared.spool.commit(batch).await {
            tracing::debug!("a note of what is in hand stays: {error}");
        }
    }
}

/// Takes up the notes of earlier processes, and puts aside what has killed them. Before anything is handled.
pub(crate) async fn load(shared: &Arc<Shared>) -> Result<(), SpoolError> {
    if shared.spool.last_stop() == LastStop::Disorderly {
        shared.trials.to_note.store(MOST_NOTED, Ordering::SeqCst);
    }
    let mut pages = Pages::new(TRIED, Vec::new());
    while let Some(page) = pages.next(&*shared.spool).await? {
        for (aside, octets) in page {
            let Some((&space, key)) = aside.split_first() else { continue };
            let (space, key) = (Space(space), key.to_vec());
            let Ok(mut note) = TriedRecord::decode(&octets) else { continue };
            if shared.spool.get(QUARANTINE, &aside).await?.is_some() {
                telling::take_up(shared, aside, note).await;
                continue;
            }
            if shared.spool.get(space, &key).await?.is_none() {
                remove(shared, &aside).await;
                continue;
            }
            if std::mem::take(&mut note.in_hand) {
                note.deaths = note.deaths.saturating_add(1);
                note.time = shared.clocks.wall();
                note.last = "the process died while it was in hand".to_owned();
                let name = name(space, &key);
                let text =
                    format!("{name}: the process died while it was in hand, {} times so far", note.deaths);
                shared.event(EventKind::ProcessingFailed, "", text);
                store(shared, space, &key, &note).await;
            }
            if note.is_hopeless() {
                quarantine(shared, space, &key, note).await;
            } else {
                shared.trials.remember(aside, note);
            }
        }
    }
    Ok(())
}

/// Notes that an item is in hand, if the process may have died of it before. Costs nothing otherwise. Without a note it is
/// handled all the same: a store that takes none must not stop anything.
pub(crate) async fn in_hand(shared: &Arc<Shared>, space: Space, key: &[u8]) -> Option<Noted> {
    let trials = &shared.trials;
    let nothing = trials.noted.load(Ordering::SeqCst) == 0 && trials.to_note.load(Ordering::SeqCst) == 0;
    if nothing || !trials.is_to_be_noted(shared, space, key) {
        return None;
    }
    let turn = tokio::time::timeout(TURN, Arc::clone(&trials.turn).lock_owned()).await.ok()?;
    let aside = aside_key(space, key);
    let before = trials.note(&aside).unwrap_or_else(|| TriedRecord::new(shared.clocks.wall()));
    let note = TriedRecord { in_hand: true, ..before };
    let mut batch = Batch::default();
    batch.assert_present(space, key).put(TRIED, aside.clone(), note.encode());
    match shared.spool.commit(batch).await {
        Ok(()) => Some(Noted { shared: Arc::clone(shared), aside, _turn: turn }),
        Err(error) => {
            tracing::debug!("what is in hand can't be noted: {error}");
            None
        }
    }
}

/// The handling of an item that somebody has taken has failed: counts it.
pub(crate) async fn failed(shared: &Arc<Shared>, space: Space, key: &[u8], why: &str) -> Sentence {
    let trials = &shared.trials;
    let aside = aside_key(space, key);
    let mut note = trials.note(&aside).unwrap_or_else(|| TriedRecord::new(shared.clocks.wall()));
    note.failures = note.failures.saturating_add(1);
    (note.in_hand, note.time) = (false, shared.clocks.wall());
    note.last = why.to_owned();
    let (failures, name) = (note.failures, name(space, key));
    shared.event(
        EventKind::ProcessingFailed,
        "",
        format!("{name} has failed, {failures} times so far: {why}"),
    );
    if note.is_hopeless() && quarantine(shared, space, key, note.clone()).await {
        return Sentence::Quarantined;
    }
    store(shared, space, key, &note).await;
    trials.remember(aside, note);
    Sentence::Again(AFTER_FAILURE * 5_u32.saturating_pow(failures.saturating_sub(1).min(4)))
}

/// An item has left its queue by a step that was committed.
pub(crate) async fn settled(shared: &Arc<Shared>, space: Space, key: &[u8]) {
    if shared.trials.noted.load(Ordering::SeqCst) > 0 {
        let aside = aside_key(space, key);
        if shared.trials.forget(&aside) {
            remove(shared, &aside).await;
        }
    }
}

/// Puts an item aside; false if the store did not take it.
async fn quarantine(shared: &Arc<Shared>, space: Space, key: &[u8], note: TriedRecord) -> bool {
    let aside = aside_key(space, key);
    let value = match shared.spool.get(space, key).await {
        Ok(Some(value)) => value,
        Ok(None) => return true,
        Err(error) => {
            shared.event(
                EventKind::StoreFailed,
                "",
                format!("what is to be quarantined can't be read: {error}"),
            );
            return false;
        }
    };
    match shared.commit(agent::poisonous(space, key, value, &note)).await {
        Ok(()) => {}
        Err(CommitError::AssertionFailed { .. }) => return true,
        Err(error) => {
            shared.store_failed(&error);
            return false;
        }
    }
    shared.trials.forget(&aside);
    let text = format!("{} is in quarantine: {}", name(space, key), note.last);
    shared.event(EventKind::Quarantined, "", text);
    shared.trials.fallen.to_tell(aside, note);
    true
}

async fn store(shared: &Arc<Shared>, space: Space, key: &[u8], note: &TriedRecord) {
    let mut step = Step::default();
    step.batch.assert_present(space, key).put(TRIED, aside_key(space, key), note.encode());
    match shared.commit(step).await {
        Ok(()) | Err(CommitError::AssertionFailed { .. }) => {}
        Err(error) => shared.store_failed(&error),
    }
}

async fn remove(shared: &Arc<Shared>, aside: &[u8]) {
    let mut step = Step::default();
    step.batch.delete(TRIED, aside);
    if let Err(error) = shared.commit(step).await {
        shared.store_failed(&error);
    }
}

/// Forgets the notes on what has left its queue in another way than by being handled.
async fn sweep(shared: &Arc<Shared>) {
    let noted: Vec<Vec<u8>> = shared.trials.lock().keys().cloned().collect();
    for aside in noted {
        let Some((&space, key)) = aside.split_first() else { continue };
        // One that can't be read now is looked at again.
        if let Ok(None) = shared.spool.get(Space(space), key).await
            && shared.trials.forget(&aside)
        {
            remove(shared, &aside).await;
        }
    }
}

/// Decides by what `decide` makes of the agent of the moment, where a decision can hold up nothing.
fn decide<T: Send + 'static>(
    shared: &Arc<Shared>,
    decide: impl FnOnce(&Shared, &Agent) -> T + Send + 'static,
) -> crate::pool::Decision<T> {
    let (of_decision, agent) = (Arc::clone(shared), shared.agent());
    shared.pool.begin(move || decide(&of_decision, &agent))
}
