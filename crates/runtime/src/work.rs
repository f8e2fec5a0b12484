//! The work queue: every accepted item is routed, delivered, fanned out or reported about, in one atomic step.
//!
//! Items are read here in order and decided about on threads of their own ([`crate::pool`]); each is committed by itself, and
//! the store makes one synchronization of many. So an item that takes long, or brings out a defect, costs no other anything.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use agent::record::{Record, WORK, WorkRecord};
use agent::{Agent, Processed};
use clock::WallTime;
use spool::{CommitError, SpoolError};
use tokio::task::JoinSet;

use crate::content;
use crate::events::EventKind;
use crate::pool::{Decision, Undecided};
use crate::retries::Retries;
use crate::shared::Shared;
use crate::shelter::{Panicked, sheltered_async};
use crate::trials::{self, Noted, Sentence};

/// Items in hand at the same time at most; the store turns their steps into one synchronization.
const TOGETHER: usize = 128;
/// Items held for deferred delivery that are remembered by time; beyond this the queue is read again instead.
const HELD_MAX: usize = 100_000;
/// Wait after the store failed, and longest sleep towards a deferred time (clocks may be set).
const PAUSE: Duration = Duration::from_secs(5);
/// How long a stop waits for what is being decided.
const STOP_WAIT: Duration = Duration::from_secs(2);

/// Makes a decision: [`decide`], but in tests of what becomes of one that goes wrong.
pub(crate) type Decide = fn(&Shared, &Agent, &Job) -> Processed;

/// What is to be decided about.
pub(crate) struct Job {
    key: Vec<u8>,
    pub(crate) record: WorkRecord,
    is_p2: bool,
    /// The content, if it was wanted.
    content: Option<Vec<u8>>,
}

/// The keys of what waits in the work queue for the time before which it is not delivered, as far as they are remembered.
#[derive(Debug, Default)]
pub(crate) struct Deferred(Mutex<BTreeSet<Vec<u8>>>);

impl Deferred {
    fn lock(&self) -> MutexGuard<'_, BTreeSet<Vec<u8>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn insert(&self, key: &[u8]) {
        self.lock().insert(key.to_vec());
    }

    pub(crate) fn remove(&self, key: &[u8]) {
        self.lock().remove(key);
    }

    fn clear(&self) {
        self.lock().clear();
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.lock().len()
    }
}

/// How far an item has come.
enum Settled {
    /// It is there no more, or must not be touched again by this process.
    Done,
    /// Its delivery is deferred.
    Held(WallTime),
    /// It has failed, and is tried again after this time.
    Again(Duration),
}

/// Asks the agent.
pub(crate) fn decide(shared: &Shared, agent: &Agent, job: &Job) -> Processed {
    let Job { key, record, is_p2, content } = job;
    match content {
        None => agent.process(shared.moment(), key, record, *is_p2),
        Some(content) => agent.process_with_content(shared.moment(), key, record, content, *is_p2),
    }
}

/// Runs until the MTA stops.
pub(crate) async fn run(shared: Arc<Shared>) {
    // What whoever ran before had in hand, if it died.
    shared.work.start_over();
    shared.deferred.clear();
    let mut queue = Queue { held: Held::default(), again: Retries::default(), items: JoinSet::new(), shared };
    queue.run().await;
}

struct Queue {
    shared: Arc<Shared>,
    held: Held,
    /// What waits after a failure.
    again: Retries,
    /// What is in hand.
    items: JoinSet<(Vec<u8>, Result<Settled, Panicked>)>,
}

impl Queue {
    async fn run(&mut self) {
        let shared = Arc::clone(&self.shared);
        let mut pause = None;
        while !shared.stop.is_given() {
            self.held.release_due(&shared);
            while let Some(key) = self.again.take_due(shared.clocks.mono()) {
                shared.work.put_back(&key);
            }
            if pause.is_none() {
                if let Err(error) = shared.work.refill(&*shared.spool).await {
                    shared.event(
                        EventKind::StoreFailed,
                        "",
                        format!("the work queue can't be read: {error}"),
                    );
                    pause = Some(shared.clocks.mono() + PAUSE);
                } else if self.begin_waiting().await.is_err() {
                    pause = Some(shared.clocks.mono() + PAUSE);
                }
            }
            let wake = [pause, self.again.next()].into_iter().flatten().min();
            let wake = async {
                match wake {
                    None => std::future::pending().await,
                    Some(at) => tokio::time::sleep_until(shared.clocks.instant(at)).await,
                }
            };
            let next_look = async {
                match self.held.next_look(shared.clocks.wall()) {
                    None => std::future::pending().await,
                    Some(after) => tokio::time::sleep(after).await,
                }
            };
            let has_room = self.items.len() < TOGETHER && pause.is_none();
            tokio::select! {
                biased;
                () = shared.stop.given() => {}
                () = wake => pause = None,
                Some(ended) = self.items.join_next() => {
                    self.ended(ended).await;
                    while let Some(ended) = self.items.try_join_next() {
                        self.ended(ended).await;
                    }
                }
                () = next_look => {}
                () = shared.work.changed(), if has_room => {}
            }
        }
        // What is decided is still committed; what hangs ends with the process.
        let _ =
            tokio::time::timeout(STOP_WAIT, async { while self.items.join_next().await.is_some() {} }).await;
    }

    /// Begins what waits, as far as there is room; an error means that the store does not answer.
    async fn begin_waiting(&mut self) -> Result<(), SpoolError> {
        let shared = Arc::clone(&self.shared);
        while self.items.len() < TOGETHER {
            let Some(key) = shared.work.take() else { return Ok(()) };
            if let Some(at) = shared.trials.not_before(WORK, &key)
                && shared.clocks.mono() < at
            {
                self.again.insert(at, key);
                continue;
            }
            let mut noted = trials::in_hand(&shared, WORK, &key).await;
            let agent = shared.agent();
            let loaded = sheltered_async(load(&shared, &agent, &key)).await;
            if let Ok(Ok(None) | Err(_)) = &loaded
                && let Some(noted) = noted.take()
            {
                noted.survived().await;
            }
            let job = match loaded {
                Ok(Ok(Some(job))) => job,
                Ok(Ok(None)) => {
                    shared.work.gone(&key);
                    continue;
                }
                Ok(Err(error)) => {
                    shared.event(EventKind::StoreFailed, "", format!("a work item can't be read: {error}"));
                    shared.work.put_back(&key);
                    return Err(error);
                }
                Err(panicked) => {
                    self.settle(key, Err(panicked)).await;
                    continue;
                }
            };
            let decision = begin(&shared, &agent, job);
            let of_item = Arc::clone(&shared);
            let item = async move {
                let settled = sheltered_async(finish(&of_item, &agent, &key, decision, noted)).await;
                (key, settled)
            };
            self.items.spawn(item);
        }
        Ok(())
    }

    async fn ended(&mut self, ended: Result<(Vec<u8>, Result<Settled, Panicked>), tokio::task::JoinError>) {
        // Whatever panics in an item is caught in it; only the end of the process cuts one off.
        if let Ok((key, settled)) = ended {
            self.settle(key, settled).await;
        }
    }

    async fn settle(&mut self, key: Vec<u8>, settled: Result<Settled, Panicked>) {
        let settled = match settled {
            Ok(settled) => settled,
            Err(panicked) => match trials::failed(&self.shared, WORK, &key, &panicked.to_string()).await {
                Sentence::Again(wait) => Settled::Again(wait),
                Sentence::Quarantined => {
                    self.shared.work.gone(&key);
                    Settled::Done
                }
            },
        };
        match settled {
            Settled::Done => {}
            Settled::Held(time) => self.held.insert(&self.shared, time, key),
            Settled::Again(wait) => self.again.insert(self.shared.clocks.mono() + wait, key),
        }
    }
}

/// Reads an item; `None` if there is nothing to be decided about any more.
async fn load(shared: &Arc<Shared>, agent: &Agent, key: &[u8]) -> Result<Option<Job>, SpoolError> {
    let Some(octets) = shared.spool.get(WORK, key).await? else { return Ok(None) };
    let record = match WorkRecord::decode(&octets) {
        Ok(record) => record,
        Err(error) => {
            // For people to look at: it holds nothing up there.
            let step = agent::quarantine(WORK, key, octets, format!("a work item is damaged: {error}"));
            match shared.commit(step).await {
                Ok(()) | Err(CommitError::AssertionFailed { .. }) => {}
                Err(error) => shared.store_failed(&error),
            }
            return Ok(None);
        }
    };
    let is_p2 = content::is_p2(shared, &record.item, agent.has_1984_links()).await?;
    Ok(Some(Job { key: key.to_vec(), record, is_p2, content: None }))
}

fn begin(shared: &Arc<Shared>, agent: &Arc<Agent>, job: Job) -> Decision<(Processed, Job)> {
    let (shared, agent) = (Arc::clone(shared), Arc::clone(agent));
    let pool = Arc::clone(&shared.pool);
    pool.begin(move || ((shared.decide)(&shared, &agent, &job), job))
}

/// Waits for a decision and makes it durable.
async fn finish(
    shared: &Arc<Shared>,
    agent: &Arc<Agent>,
    key: &[u8],
    mut decision: Decision<(Processed, Job)>,
    mut noted: Option<Noted>,
) -> Settled {
    loop {
        let decided = decision.within(shared.limits().processing_timeout).await;
        // Only what it was noted for is over with the decision; the turn of others does not wait for an endless one.
        let is_overdue = matches!(decided, Err(Undecided::Overdue(..)));
        if let Some(noted) = noted.take().filter(|_| !is_overdue) {
            noted.survived().await;
        }
        match decided {
            Ok((Processed::Done(mut step), _)) => {
                step.batch.may_wait();
                match shared.commit(step).await {
                    // If it was settled by somebody else, it is gone as well.
                    Ok(()) | Err(CommitError::AssertionFailed { .. }) => {
                        shared.work.gone(key);
                        trials::settled(shared, WORK, key).await;
                    }
                    // The store refuses everything from now on; the item is processed after a restart.
                    Err(error) => shared.store_failed(&error),
                }
                return Settled::Done;
            }
            Ok((Processed::NotBefore(time), _)) => return Settled::Held(time),
            Ok((Processed::ContentWanted { body, length }, job)) => {
                // One that can't be read holds nothing up: the report goes without it. Given one, an item never asks again.
                let content = shared.spool.read_body(body, 0, length).await.unwrap_or_else(|error| {
                    let text = format!("a content to be returned can't be read: {error}");
                    shared.event(EventKind::StoreFailed, "", text);
                    Vec::new()
                });
                decision = begin(shared, agent, Job { content: Some(content), ..job });
            }
            // It goes on where it is: each further budget that it uses up counts as one more failure. Should it come
            // to an end before it is put aside, that is as good as any other decision.
            Err(undecided @ Undecided::Overdue(..)) => {
                match trials::failed(shared, WORK, key, &undecided.to_string()).await {
                    Sentence::Again(_) => {}
                    Sentence::Quarantined => {
                        shared.work.gone(key);
                        return Settled::Done;
                    }
                }
            }
            Err(Undecided::Panicked(panicked)) => {
                return match trials::failed(shared, WORK, key, &panicked.to_string()).await {
                    Sentence::Again(wait) => Settled::Again(wait),
                    Sentence::Quarantined => {
                        shared.work.gone(key);
                        Settled::Done
                    }
                };
            }
        }
    }
}

/// Items held here for deferred delivery, by time. Bounded: the latest are forgotten and read again when the
/// first of them is due.
#[derive(Default)]
struct Held {
    items: BTreeSet<(WallTime, Vec<u8>)>,
    forgotten: Option<WallTime>,
}

impl Held {
    fn insert(&mut self, shared: &Shared, time: WallTime, key: Vec<u8>) {
        shared.deferred.insert(&key);
        self.items.insert((time, key));
        if self.items.len() > HELD_MAX
            && let Some((time, key)) = self.items.pop_last()
        {
            self.forgotten = Some(self.forgotten.map_or(time, |first| first.min(time)));
            shared.deferred.remove(&key);
            shared.work.gone(&key);
        }
    }

    fn release_due(&mut self, shared: &Shared) {
        let now = shared.clocks.wall();
        while self.items.first().is_some_and(|(time, _)| *time <= now) {
            if let Some((_, key)) = self.items.pop_first() {
                shared.deferred.remove(&key);
                shared.work.put_back(&key);
            }
        }
        if self.forgotten.is_some_and(|time| time <= now) {
            self.forgotten = None;
            shared.work.reread();
        }
    }

    /// When to look again; never far away, since the wall clock may be set.
    fn next_look(&self, now: WallTime) -> Option<Duration> {
        let first = self.items.first().map(|(time, _)| *time);
        let next = match (first, self.forgotten) {
            (Some(a), Some(b)) => a.min(b),
            (a, b) => a.or(b)?,
        };
        let seconds = next.unix().saturating_sub(now.unix()).max(0);
        Some(Duration::from_secs(seconds.unsigned_abs()).clamp(Duration::from_millis(200), PAUSE))
    }
}
