//! What waits and would better go another way, by the links' state or by new settings.

use agent::Step;
use agent::record::{OUTBOUND, OutboundRecord, Record};
use spool::CommitError;
use tokio::task::JoinSet;

use super::{Arc, Connector};
use crate::pages::Pages;
use crate::shelter::{Panicked, sheltered};
use crate::trials::Fallen;

impl Connector {
    /// The connector could not be opened: what has a better way now is sent back to be routed. What can be resumed stays
    /// for as long as it can.
    pub(super) async fn reroute(&mut self) {
        if self.entry.is_frozen() || !self.shared.agent().has_alternatives(&self.settings.name) {
            return;
        }
        // One that has gone to and fro may have seen its last failed open by now.
        self.next_expiry = self.shared.clocks.mono();
        // Whoever routes what is sent back has to see that this connector waits.
        self.show();
        let mut pages = Pages::new(OUTBOUND, self.entry.backlog.prefix().to_vec());
        loop {
            let page = match pages.next(&*self.shared.spool).await {
                Ok(Some(page)) => page,
                Ok(None) => return,
                Err(error) => return self.store_trouble(&error.to_string()),
            };
            let mut commits = JoinSet::new();
            for (key, octets) in page {
                if self.entry.stop.is_given() {
                    break;
                }
                if let Ok(record) = OutboundRecord::decode(&octets) {
                    self.reroute_one(key, &record, &mut commits);
                }
            }
            while commits.join_next().await.is_some() {}
            if self.entry.stop.is_given() {
                return;
            }
        }
    }

    /// The settings have changed since what waits was queued: what belongs elsewhere by them is sent back to be routed.
    pub(super) async fn recheck(&mut self) {
        let mut pages = Pages::new(OUTBOUND, self.entry.backlog.prefix().to_vec());
        loop {
            let page = match pages.next(&*self.shared.spool).await {
                Ok(Some(page)) => page,
                Ok(None) => return,
                Err(error) => return self.store_trouble(&error.to_string()),
            };
            tokio::task::yield_now().await;
            let mut commits = JoinSet::new();
            for (key, octets) in page {
                let Ok(record) = OutboundRecord::decode(&octets) else { continue };
                let agent = self.shared.agent();
                let step = self.decided(&key, || agent.misplaced(self.shared.moment(), &key, &record));
                if let Some(step) = step.flatten() {
                    self.send_back(key, step, &mut commits);
                }
            }
            while commits.join_next().await.is_some() {}
            if self.entry.stop.is_given() {
                return;
            }
        }
    }

    fn reroute_one(&self, key: Vec<u8>, record: &OutboundRecord, commits: &mut JoinSet<()>) {
        let failures = self.policy.failures_since(record.queued, self.shared.clocks.wall());
        if failures == 0 || self.is_in_doubt(&key) {
            return;
        }
        let moment = self.shared.moment();
        let agent = self.shared.agent();
        let step = self.decided(&key, || agent.rerouted(moment, &key, record, failures));
        let Some(step) = step.flatten() else { return };
        self.send_back(key, step, commits);
    }

    /// What is decided about an item that waits. One that brings out a defect must not end the task of its connector: it
    /// counts as a failure of the item.
    fn decided<T>(&self, key: &[u8], decide: impl FnOnce() -> T) -> Option<T> {
        match sheltered(decide) {
            Ok(decided) => Some(decided),
            Err(panicked) => {
                if self.entry.backlog.take_this(key) {
                    self.fell(key.to_vec(), &panicked);
                }
                None
            }
        }
    }

    fn fell(&self, key: Vec<u8>, panicked: &Panicked) {
        let entry = Arc::clone(&self.entry);
        self.shared.trials.fell(Fallen { entry, key, why: panicked.to_string() });
    }

    /// Lets what waits leave the queue by this step, unless it is in transfer or settled already.
    fn send_back(&self, key: Vec<u8>, step: Step, commits: &mut JoinSet<()>) {
        if !self.entry.backlog.take_this(&key) {
            return;
        }
        let (shared, entry) = (Arc::clone(&self.shared), Arc::clone(&self.entry));
        commits.spawn(async move {
            match shared.commit(step).await {
                Ok(()) => {}
                // Settled by somebody else meanwhile.
                Err(CommitError::AssertionFailed { .. }) => entry.backlog.gone(&key),
                Err(error) => shared.store_failed(&error),
            }
        });
    }
}
