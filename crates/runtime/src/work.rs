//! The work queue: every accepted item is routed, delivered, fanned out or reported about, in one atomic step.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use agent::record::{Record, WORK, WorkRecord};
use agent::{Agent, Processed};
use clock::WallTime;
use spool::CommitError;
use tokio::task::JoinSet;

use crate::content;
use crate::events::EventKind;
use crate::shared::Shared;

/// Items whose steps are committed together at most; the store turns them into one synchronization.
const TOGETHER: usize = 128;
/// Items held for deferred delivery that are remembered by time; beyond this the queue is read again instead.
const HELD_MAX: usize = 100_000;
/// Wait after the store failed, and longest sleep towards a deferred time (clocks may be set).
const PAUSE: Duration = Duration::from_secs(5);

/// Runs until the MTA stops.
pub(crate) async fn run(shared: Arc<Shared>) {
    // What whoever ran before had in hand, if it died.
    shared.work.start_over();
    let mut held = Held::default();
    while !shared.stop.is_given() {
        held.release_due(&shared);
        if let Err(error) = shared.work.refill(&*shared.spool).await {
            shared.event(EventKind::StoreFailed, "", format!("the work queue can't be read: {error}"));
            tokio::select! {
                biased;
                () = shared.stop.given() => break,
                () = tokio::time::sleep(PAUSE) => continue,
            }
        }
        if process_waiting(&shared, &mut held).await {
            continue;
        }
        let sleep = async {
            match held.next_look(shared.clocks.wall()) {
                None => std::future::pending().await,
                Some(after) => tokio::time::sleep(after).await,
            }
        };
        tokio::select! {
            biased;
            () = shared.stop.given() => {}
            () = sleep => {}
            () = shared.work.changed() => {}
        }
    }
}

/// Processes up to [`TOGETHER`] items; false if there was nothing to do.
async fn process_waiting(shared: &Arc<Shared>, held: &mut Held) -> bool {
    let mut commits = JoinSet::new();
    let mut taken = 0;
    while taken < TOGETHER {
        let Some(key) = shared.work.take() else { break };
        taken += 1;
        let record = match shared.spool.get(WORK, &key).await {
            Ok(Some(octets)) => octets,
            Ok(None) => {
                shared.work.gone(&key);
                continue;
            }
            Err(error) => {
                shared.event(EventKind::StoreFailed, "", format!("a work item can't be read: {error}"));
                shared.work.put_back(&key);
                tokio::time::sleep(PAUSE).await;
                break;
            }
        };
        let record = match WorkRecord::decode(&record) {
            Ok(record) => record,
            Err(error) => {
                put_aside(shared, &key, record, format!("a work item is damaged: {error}")).await;
                continue;
            }
        };
        let agent = shared.agent();
        let is_p2 = match content::is_p2(shared, &record.item, agent.has_1984_links()).await {
            Ok(is_p2) => is_p2,
            Err(error) => {
                shared.event(EventKind::StoreFailed, "", format!("a content can't be read: {error}"));
                shared.work.put_back(&key);
                tokio::time::sleep(PAUSE).await;
                break;
            }
        };
        match process(shared, &agent, &key, &record, is_p2).await {
            Processed::Done(step) => {
                let shared = Arc::clone(shared);
                commits.spawn(async move {
                    match shared.commit(step).await {
                        // If it was settled by somebody else, it is gone as well.
                        Ok(()) | Err(CommitError::AssertionFailed { .. }) => shared.work.gone(&key),
                        // The store refuses everything from now on; the item is processed after a restart.
                        Err(error) => shared.store_failed(&error),
                    }
                });
            }
            Processed::NotBefore(time) => held.insert(shared, time, key),
            // Given its content, an item never asks for it again.
            Processed::ContentWanted { .. } => {}
        }
    }
    while commits.join_next().await.is_some() {}
    taken > 0
}

/// Puts an item into quarantine that can't be processed, for people to look at: it holds nothing up there.
async fn put_aside(shared: &Arc<Shared>, key: &[u8], record: Vec<u8>, why: String) {
    match shared.commit(agent::quarantine(WORK, key, record, why)).await {
        Ok(()) | Err(CommitError::AssertionFailed { .. }) => shared.work.gone(key),
        Err(error) => shared.store_failed(&error),
    }
}

/// Asks the agent, and reads the content for it if a report is to return it. One that can't be read holds nothing up:
/// the report goes without it.
async fn process(shared: &Shared, agent: &Agent, key: &[u8], record: &WorkRecord, is_p2: bool) -> Processed {
    let processed = agent.process(shared.moment(), key, record, is_p2);
    let Processed::ContentWanted { body, length } = processed else { return processed };
    let content = shared.spool.read_body(body, 0, length).await.unwrap_or_else(|error| {
        shared.event(EventKind::StoreFailed, "", format!("a content to be returned can't be read: {error}"));
        Vec::new()
    });
    agent.process_with_content(shared.moment(), key, record, &content, is_p2)
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
        self.items.insert((time, key));
        if self.items.len() > HELD_MAX
            && let Some((time, key)) = self.items.pop_last()
        {
            self.forgotten = Some(self.forgotten.map_or(time, |first| first.min(time)));
            shared.work.gone(&key);
        }
    }

    fn release_due(&mut self, shared: &Shared) {
        let now = shared.clocks.wall();
        while self.items.first().is_some_and(|(time, _)| *time <= now) {
            if let Some((_, key)) = self.items.pop_first() {
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
