//! Walks through a whole queue, page by page and beside the work on it: what was there at the start is counted, what has
//! waited too long is settled.

use std::collections::BTreeSet;

use agent::NotCarried;
use agent::connector::ConnectorPolicy;
use agent::record::{HELD, OUTBOUND, OutboundRecord, Record, held_prefix};
use clock::WallTime;
use spool::SpoolError;
use tokio::task::{JoinError, JoinSet};

use super::walker::{Stopping, Walker};
use super::{Connector, STORE_RETRY};
use crate::depth::Sizes;
use crate::events::EventKind;
use crate::pages::{self, Pages};
use crate::shelter::sheltered;

/// Rest after each page, in times of what it took: while operators wait for the numbers, and else.
const COUNTING_REST: u32 = 1;
const SETTLING_REST: u32 = 9;
/// How often what is held is counted again because operators changed it meanwhile.
const HELD_TRIES: u32 = 5;

/// One walk.
struct Survey {
    walker: Walker,
    /// As it was when the walk began: what has failed since is for the next one.
    policy: ConnectorPolicy,
}

impl Connector {
    /// Begins a walk, or sees to it that one follows the one under way. The first counts; all others settle what has
    /// waited too long, or has seen too many failed opens.
    pub(super) fn survey(&mut self) {
        if !self.surveys.is_empty() {
            self.survey_due = true;
            return;
        }
        self.survey_due = false;
        let survey = Survey { walker: self.walker(), policy: self.policy.clone() };
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
        let outcome = if self.walker.entry.depth.total().is_complete {
            self.settle().await
        } else {
            self.count().await
        };
        match outcome {
            Ok(Ok(()) | Err(Stopping)) => {}
            Err(error) => self.walker.tell_of_store(&error),
        }
    }

    /// Counts what was in the queue at the start, and what is held.
    async fn count(&self) -> Result<Result<(), Stopping>, SpoolError> {
        let entry = &self.walker.entry;
        while let Some(after) = entry.depth.begin() {
            let Ok((turn, began)) = self.walker.turn().await else { return Ok(Err(Stopping)) };
            let mut taken = self.walker.entry.backlog.taken_behind(after.as_deref());
            let mut pages =
                Pages::new(OUTBOUND, self.walker.entry.backlog.prefix().to_vec()).after(after.clone());
            let page = pages.next(&*self.walker.shared.spool).await?.unwrap_or_default();
            taken.append(&mut self.walker.entry.backlog.taken_behind(after.as_deref()));
            self.count_page(page, &taken);
            drop(turn);
            if self.walker.rest(began, COUNTING_REST).await.is_err() {
                return Ok(Err(Stopping));
            }
        }
        self.count_held().await
    }

    fn count_page(&self, page: Vec<(Vec<u8>, Vec<u8>)>, taken: &BTreeSet<Vec<u8>>) {
        let is_last = page.len() < pages::PAGE;
        let size = |octets: &[u8]| OutboundRecord::decode(octets).ok().map(|record| record.size);
        let sizes: Sizes = page.into_iter().map(|(key, octets)| (key, size(&octets))).collect();
        self.walker.entry.depth.counted(&sizes, taken, is_last);
    }

    async fn count_held(&self) -> Result<Result<(), Stopping>, SpoolError> {
        for tries_left in (0..HELD_TRIES).rev() {
            let (changes, mut held) = (self.walker.entry.hold_changes(), 0_u64);
            let mut pages = Pages::new(HELD, held_prefix(&self.walker.settings.name));
            loop {
                let Ok((turn, began)) = self.walker.turn().await else { return Ok(Err(Stopping)) };
                let Some(page) = pages.next(&*self.walker.shared.spool).await? else { break };
                held = held.saturating_add(page.len() as u64);
                drop(turn);
                if self.walker.rest(began, COUNTING_REST).await.is_err() {
                    return Ok(Err(Stopping));
                }
            }
            if changes == self.walker.entry.hold_changes() || tries_left == 0 {
                self.walker.entry.set_held(held);
                break;
            }
        }
        Ok(Ok(()))
    }

    /// Settles messages that are too old, and those for which the connector failed to open too often.
    async fn settle(&self) -> Result<Result<(), Stopping>, SpoolError> {
        let mut pages = Pages::new(OUTBOUND, self.walker.entry.backlog.prefix().to_vec());
        let mut count = self.walker.entry.depth.count();
        loop {
            let Ok((turn, began)) = self.walker.turn().await else { return Ok(Err(Stopping)) };
            let Some(page) = pages.next(&*self.walker.shared.spool).await? else {
                self.walker.entry.depth.correct(count);
                return Ok(Ok(()));
            };
            let now = self.walker.shared.clocks.wall();
            let mut commits = JoinSet::new();
            let mut unread = Ok(());
            for (key, octets) in page {
                let Ok(record) = OutboundRecord::decode(&octets) else { continue };
                count.add(record.size);
                unread = self.settle_if_hopeless(now, key, &octets, &record, &mut commits).await;
                if unread.is_err() {
                    break;
                }
            }
            // A store that is full makes these wait, and others must not.
            drop(turn);
            while commits.join_next().await.is_some() {}
            unread?;
            if self.walker.rest(began, SETTLING_REST).await.is_err() {
                return Ok(Err(Stopping));
            }
        }
    }

    async fn settle_if_hopeless(
        &self,
        now: WallTime,
        key: Vec<u8>,
        octets: &[u8],
        record: &OutboundRecord,
        commits: &mut JoinSet<()>,
    ) -> Result<(), SpoolError> {
        let Walker { shared, settings, entry } = &self.walker;
        let before = record.tries.of(&settings.name);
        // What is frozen becomes too old like anything else, but is not sent another way.
        let exhausted = !entry.is_frozen() && self.policy.is_exhausted(record.queued, now, before);
        if !exhausted && record.expires > now {
            return Ok(());
        }
        // One in transfer is left to finish; it is looked at again if it fails.
        if !self.walker.claim(&key, octets).await? {
            return Ok(());
        }
        let agent = shared.agent();
        let step = sheltered(|| {
            let expired = agent.expired(now, &shared.sequence, &key, record);
            let why = NotCarried::OpenRetriesExhausted;
            expired.unwrap_or_else(|| agent.without_connector(now, &shared.sequence, &key, record, why))
        });
        match step {
            Ok(step) => self.walker.leave(key, step, commits),
            Err(panicked) => self.walker.fell(&key, &panicked),
        }
        Ok(())
    }
}
