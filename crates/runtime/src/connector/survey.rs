//! Walks through a whole queue, page by page and beside the work on it: what was there at the start is counted, what has
//! waited too long is settled.
//!
//! A queue may be a million messages long, so a walk is a task of its own that the connector does not wait for. Of all
//! walks of the MTA one reads at a time, and it rests in proportion to what it has worked: transfers keep nearly all of
//! the machine however long queues are.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use agent::NotCarried;
use agent::connector::ConnectorPolicy;
use agent::record::{HELD, OUTBOUND, OutboundRecord, Record, held_prefix};
use agent::settings::ConnectorSettings;
use clock::{MonoTime, WallTime};
use spool::{CommitError, SpoolError};
use tokio::sync::SemaphorePermit;
use tokio::task::{JoinError, JoinSet};

use super::{Connector, STORE_RETRY};
use crate::depth::Sizes;
use crate::events::EventKind;
use crate::pages::{self, Pages};
use crate::registry::ConnectorEntry;
use crate::shared::Shared;
use crate::shelter::sheltered;
use crate::trials::Fallen;

/// Rest after each page, in times of what it took: while operators wait for the numbers, and else.
const COUNTING_REST: u32 = 1;
const SETTLING_REST: u32 = 9;
/// How often what is held is counted again because operators changed it meanwhile.
const HELD_TRIES: u32 = 5;

/// One walk.
struct Survey {
    shared: Arc<Shared>,
    settings: Arc<ConnectorSettings>,
    entry: Arc<ConnectorEntry>,
    /// As it was when the walk began: what has failed since is for the next one.
    policy: ConnectorPolicy,
}

/// The MTA or the connector is stopping.
struct Stopping;

impl Connector {
    /// Begins a walk, or sees to it that one follows the one under way. The first counts; all others settle what has
    /// waited too long, or has seen too many failed opens.
    pub(super) fn survey(&mut self) {
        if !self.surveys.is_empty() {
            self.survey_due = true;
            return;
        }
        self.survey_due = false;
        let survey = Survey {
            shared: Arc::clone(&self.shared),
            settings: Arc::clone(&self.settings),
            entry: Arc::clone(&self.entry),
            policy: self.policy.clone(),
        };
        self.surveys.spawn(survey.run());
    }

    pub(super) fn survey_ended(&mut self, ended: Result<(), JoinError>) {
        if let Err(error) = ended {
            self.event(EventKind::InternalError, format!("a walk through the queue failed: {error}"));
        }
        if self.survey_due {
            self.survey();
        } else if !self.entry.depth.total().is_complete {
            // The store did not answer.
            self.next_expiry = self.next_expiry.min(self.shared.clocks.mono() + STORE_RETRY);
        }
    }
}

impl Survey {
    async fn run(self) {
        let outcome =
            if self.entry.depth.total().is_complete { self.settle().await } else { self.count().await };
        match outcome {
            Ok(Ok(()) | Err(Stopping)) => {}
            Err(error) => {
                let text = format!("the queue can't be read: {error}");
                self.shared.event(EventKind::StoreFailed, &self.settings.name, text);
            }
        }
    }

    /// Counts what was in the queue at the start, and what is held.
    async fn count(&self) -> Result<Result<(), Stopping>, SpoolError> {
        while let Some(after) = self.entry.depth.begin() {
            let Ok((turn, began)) = self.turn().await else { return Ok(Err(Stopping)) };
            let mut taken = self.entry.backlog.taken_behind(after.as_deref());
            let mut pages = Pages::new(OUTBOUND, self.entry.backlog.prefix().to_vec()).after(after.clone());
            let page = pages.next(&*self.shared.spool).await?.unwrap_or_default();
            taken.append(&mut self.entry.backlog.taken_behind(after.as_deref()));
            self.count_page(page, &taken);
            drop(turn);
            if self.rest(began, COUNTING_REST).await.is_err() {
                return Ok(Err(Stopping));
            }
        }
        self.count_held().await
    }

    fn count_page(&self, page: Vec<(Vec<u8>, Vec<u8>)>, taken: &BTreeSet<Vec<u8>>) {
        let is_last = page.len() < pages::PAGE;
        let size = |octets: &[u8]| OutboundRecord::decode(octets).ok().map(|record| record.size);
        let sizes: Sizes = page.into_iter().map(|(key, octets)| (key, size(&octets))).collect();
        self.entry.depth.counted(&sizes, taken, is_last);
    }

    async fn count_held(&self) -> Result<Result<(), Stopping>, SpoolError> {
        for tries_left in (0..HELD_TRIES).rev() {
            let (changes, mut held) = (self.entry.hold_changes(), 0_u64);
            let mut pages = Pages::new(HELD, held_prefix(&self.settings.name));
            loop {
                let Ok((turn, began)) = self.turn().await else { return Ok(Err(Stopping)) };
                let Some(page) = pages.next(&*self.shared.spool).await? else { break };
                held = held.saturating_add(page.len() as u64);
                drop(turn);
                if self.rest(began, COUNTING_REST).await.is_err() {
                    return Ok(Err(Stopping));
                }
            }
            if changes == self.entry.hold_changes() || tries_left == 0 {
                self.entry.set_held(held);
                break;
            }
        }
        Ok(Ok(()))
    }

    /// Settles messages that are too old, and those for which the connector failed to open too often.
    async fn settle(&self) -> Result<Result<(), Stopping>, SpoolError> {
        let mut pages = Pages::new(OUTBOUND, self.entry.backlog.prefix().to_vec());
        let mut count = self.entry.depth.count();
        loop {
            let Ok((turn, began)) = self.turn().await else { return Ok(Err(Stopping)) };
            let Some(page) = pages.next(&*self.shared.spool).await? else {
                self.entry.depth.correct(count);
                return Ok(Ok(()));
            };
            let now = self.shared.clocks.wall();
            let mut commits = JoinSet::new();
            for (key, octets) in page {
                if let Ok(record) = OutboundRecord::decode(&octets) {
                    count.add(record.size);
                    self.settle_if_hopeless(now, key, &record, &mut commits);
                }
            }
            // A store that is full makes these wait, and others must not.
            drop(turn);
            while commits.join_next().await.is_some() {}
            if self.rest(began, SETTLING_REST).await.is_err() {
                return Ok(Err(Stopping));
            }
        }
    }

    fn settle_if_hopeless(
        &self,
        now: WallTime,
        key: Vec<u8>,
        record: &OutboundRecord,
        commits: &mut JoinSet<()>,
    ) {
        let before = record.tries.of(&self.settings.name);
        // What is frozen becomes too old like anything else, but is not sent another way.
        let exhausted = !self.entry.is_frozen() && self.policy.is_exhausted(record.queued, now, before);
        if !exhausted && record.expires > now {
            return;
        }
        // One in transfer is left to finish; it is looked at again if it fails.
        if self.entry.stop.is_given() || !self.entry.backlog.take_this(&key) {
            return;
        }
        let agent = self.shared.agent();
        let step = sheltered(|| {
            let expired = agent.expired(now, &self.shared.sequence, &key, record);
            let why = NotCarried::OpenRetriesExhausted;
            expired.unwrap_or_else(|| agent.without_connector(now, &self.shared.sequence, &key, record, why))
        });
        let step = match step {
            Ok(step) => step,
            Err(panicked) => {
                let entry = Arc::clone(&self.entry);
                return self.shared.trials.fell(Fallen { entry, key, why: panicked.to_string() });
            }
        };
        let (shared, entry) = (Arc::clone(&self.shared), Arc::clone(&self.entry));
        commits.spawn(async move {
            match shared.commit(step).await {
                Ok(()) => {}
                // Transferred and removed since it was looked at.
                Err(CommitError::AssertionFailed { .. }) => entry.backlog.gone(&key),
                Err(error) => shared.store_failed(&error),
            }
        });
    }

    /// Waits until it may read, and tells when that was.
    async fn turn(&self) -> Result<(SemaphorePermit<'_>, MonoTime), Stopping> {
        tokio::select! {
            biased;
            () = self.entry.stop.given() => Err(Stopping),
            permit = self.shared.surveys.acquire() => {
                // Nobody closes it.
                Ok((permit.map_err(|_| Stopping)?, self.shared.clocks.mono()))
            }
        }
    }

    /// Rests from a page that was begun then.
    async fn rest(&self, began: MonoTime, times: u32) -> Result<(), Stopping> {
        let took: Duration = self.shared.clocks.mono().saturating_since(began);
        // Others come in between even if the clock has not moved.
        tokio::task::yield_now().await;
        tokio::select! {
            biased;
            () = self.entry.stop.given() => Err(Stopping),
            () = tokio::time::sleep(took * times) => Ok(()),
        }
    }
}
