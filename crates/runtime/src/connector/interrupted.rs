//! What is remembered of transfers that were interrupted, so that they can be resumed.

use std::time::Duration;

use agent::record::{OUTBOUND, OutboundRecord, RESUME, Record};
use clock::MonoTime;
use spool::SpoolError;

use super::Connector;
use crate::events::EventKind;
use crate::pages::Pages;
use crate::recovery::ResumeRecord;

/// Interrupted transfers that are remembered. Each association leaves one at most, and they go with their time.
const MOST_INTERRUPTED: usize = 1_024;

impl Connector {
    /// Takes up what earlier associations of the connector, or an earlier process, left to be resumed.
    pub(crate) async fn load_interruptions(&mut self) -> Result<(), SpoolError> {
        let mut pages = Pages::new(RESUME, self.entry.backlog.prefix().to_vec());
        while let Some(page) = pages.next(&*self.shared.spool).await? {
            for (key, octets) in page {
                // Written by another version of the program: it begins anew.
                let Ok(resume) = ResumeRecord::decode(&octets) else {
                    self.forget(&key).await;
                    continue;
                };
                let timeout = self.settings.rts.recovery_timeout_s;
                let left = resume.seconds_left(self.shared.clocks.wall(), timeout);
                let until = self.shared.clocks.mono() + Duration::from_secs(u64::from(left));
                self.remember(key, until, resume);
            }
        }
        Ok(())
    }

    /// What is remembered of interrupted transfers of this item: after its time only how far they got.
    pub(super) fn resumable(&mut self, key: &[u8], record: &OutboundRecord) -> Option<ResumeRecord> {
        let now = self.shared.clocks.mono();
        let (until, resume) = self.interrupted.get_mut(key)?;
        let expired = *until <= now && resume.interruption.take().is_some();
        let resume = resume.clone();
        if expired {
            let (kind, id) = (record.item.kind(), &record.mts_identifier);
            let text = format!("{kind} {id} will be sent from the beginning: its time to be resumed is over");
            self.event(EventKind::ResumptionRefused, text);
        }
        Some(resume)
    }

    /// Whether the peer may be about to go on with an item, or may have all of it without our knowing: another way would
    /// take it to its recipients twice. The second holds until it has been transferred or is given up.
    pub(super) fn is_in_doubt(&self, key: &[u8]) -> bool {
        let now = self.shared.clocks.mono();
        self.interrupted.get(key).is_some_and(|(until, resume)| {
            let resumable = now < *until && resume.interruption.is_some();
            resumable || resume.may_be_complete(&self.settings.rts)
        })
    }

    pub(super) fn remember(&mut self, key: Vec<u8>, until: MonoTime, resume: ResumeRecord) {
        if self.interrupted.len() >= MOST_INTERRUPTED {
            // The one with the least time left begins anew.
            let first = self.interrupted.iter().min_by_key(|(_, (until, _))| *until);
            if let Some(first) = first.map(|(key, _)| key.clone()) {
                self.interrupted.remove(&first);
            }
        }
        self.interrupted.insert(key, (until, resume));
    }

    /// Forgets the interruptions of items that have left the queue.
    pub(super) async fn expire_interruptions(&mut self) {
        let now = self.shared.clocks.mono();
        let over = self.interrupted.iter().filter(|(_, (until, _))| *until <= now);
        let over: Vec<Vec<u8>> = over.map(|(key, _)| key.clone()).collect();
        for key in over {
            // One that can't be read now is looked at again.
            if let Ok(None) = self.shared.spool.get(OUTBOUND, &key).await {
                self.interrupted.remove(&key);
            }
        }
    }

    async fn forget(&self, key: &[u8]) {
        if let Err(error) = self.shared.commit(self.shared.agent().interruption_forgotten(key)).await {
            self.shared.store_failed(&error);
        }
    }
}
