//! What is remembered of transfers that were interrupted, so that they can be resumed.
//!
//! All of it is in the store, beside the items. The newest is in memory as well: as long as that is all of it nobody
//! reads the store for it, and however much there is, a start reads one page.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use agent::record::{OUTBOUND, OutboundRecord, RESUME, Record};
use agent::settings::RtsSettings;
use clock::MonoTime;
use spool::SpoolError;

use super::Connector;
use crate::events::EventKind;
use crate::pages::{self, Pages};
use crate::recovery::ResumeRecord;
use crate::shared::Shared;

/// Interrupted transfers that are remembered in memory.
const MOST_IN_MEMORY: usize = 1_024;
/// How many of those whose time is over are looked for in the queue at once.
const LOOKED_FOR: usize = 256;

/// The interrupted transfers of one connector.
#[derive(Debug)]
pub(crate) struct Interruptions {
    rts: RtsSettings,
    known: Mutex<Known>,
}

#[derive(Debug)]
struct Known {
    /// By the keys of the items, and until when each can be resumed.
    entries: BTreeMap<Vec<u8>, (MonoTime, ResumeRecord)>,
    /// The store has no more.
    is_all: bool,
    /// Up to where those whose time is over were looked for.
    looked_up_to: Option<Vec<u8>>,
}

impl Interruptions {
    /// Of a connector with these settings; nothing is loaded yet.
    pub(super) fn new(rts: RtsSettings) -> Interruptions {
        let known = Known { entries: BTreeMap::new(), is_all: false, looked_up_to: None };
        Interruptions { rts, known: Mutex::new(known) }
    }

    /// Takes up what earlier associations of the connector, or an earlier process, left to be resumed: a page of it, and if
    /// there is more that is read when it is asked for.
    async fn load(&self, shared: &std::sync::Arc<Shared>, prefix: &[u8]) -> Result<(), SpoolError> {
        let mut pages = Pages::new(RESUME, prefix.to_vec());
        let page = pages.next(&*shared.spool).await?.unwrap_or_default();
        let is_all = page.len() < pages::PAGE;
        for (key, octets) in page {
            match self.read(shared, &octets) {
                Some((until, resume)) => self.remember(key, until, resume),
                // Written by another version of the program: it begins anew.
                None => {
                    if let Err(error) = shared.commit(shared.agent().interruption_forgotten(&key)).await {
                        shared.store_failed(&error);
                    }
                }
            }
        }
        self.lock().is_all = is_all;
        Ok(())
    }

    fn read(&self, shared: &Shared, octets: &[u8]) -> Option<(MonoTime, ResumeRecord)> {
        let resume = ResumeRecord::decode(octets).ok()?;
        let left = resume.seconds_left(shared.clocks.wall(), self.rts.recovery_timeout_s);
        Some((shared.clocks.mono() + Duration::from_secs(u64::from(left)), resume))
    }

    /// What is remembered of this item, from the store if need be.
    async fn find(
        &self,
        shared: &Shared,
        key: &[u8],
    ) -> Result<Option<(MonoTime, ResumeRecord)>, SpoolError> {
        {
            let known = self.lock();
            if let Some(found) = known.entries.get(key) {
                return Ok(Some(found.clone()));
            }
            if known.is_all {
                return Ok(None);
            }
        }
        let octets = shared.spool.get(RESUME, key).await?;
        Ok(octets.and_then(|octets| self.read(shared, &octets)))
    }

    /// Whether the peer may be about to go on with an item, or may have all of it without our knowing: another way would
    /// take it to its recipients twice. The second holds until it has been transferred or is given up.
    pub(super) async fn is_in_doubt(&self, shared: &Shared, key: &[u8]) -> Result<bool, SpoolError> {
        let now = shared.clocks.mono();
        Ok(self.find(shared, key).await?.is_some_and(|(until, resume)| {
            let resumable = now < until && resume.interruption.is_some();
            resumable || resume.may_be_complete(&self.rts)
        }))
    }

    /// Remembers one. If there are too many in memory the one with the least time left is found in the store from then on.
    pub(super) fn remember(&self, key: Vec<u8>, until: MonoTime, resume: ResumeRecord) {
        let mut known = self.lock();
        if known.entries.len() >= MOST_IN_MEMORY {
            let first = known.entries.iter().min_by_key(|(_, (until, _))| *until);
            if let Some(first) = first.map(|(key, _)| key.clone()) {
                known.entries.remove(&first);
                known.is_all = false;
            }
        }
        known.entries.insert(key, (until, resume));
    }

    /// Nothing is to be resumed of this item.
    pub(super) fn forget(&self, key: &[u8]) {
        self.lock().entries.remove(key);
    }

    /// Some of those whose time is over; each comes in its turn.
    fn over(&self, now: MonoTime) -> Vec<Vec<u8>> {
        let mut known = self.lock();
        let from = known.looked_up_to.take().map_or(Bound::Unbounded, Bound::Excluded);
        let entries = known.entries.range::<Vec<u8>, _>((from, Bound::Unbounded));
        let over = entries.filter(|(_, (until, _))| *until <= now).map(|(key, _)| key.clone());
        let over: Vec<Vec<u8>> = over.take(LOOKED_FOR).collect();
        known.looked_up_to = over.last().filter(|_| over.len() == LOOKED_FOR).cloned();
        over
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        // Entries are replaced as wholes; a poisoned lock is as good as a clean one.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Connector {
    /// Takes up what is to be resumed; see [`Interruptions`].
    pub(crate) async fn load_interruptions(&mut self) -> Result<(), SpoolError> {
        self.interrupted.load(&self.shared, self.entry.backlog.prefix()).await
    }

    /// What is remembered of interrupted transfers of this item: after its time only how far they got.
    pub(super) async fn resumable(
        &mut self,
        key: &[u8],
        record: &OutboundRecord,
    ) -> Result<Option<ResumeRecord>, SpoolError> {
        let Some((until, mut resume)) = self.interrupted.find(&self.shared, key).await? else {
            return Ok(None);
        };
        if until <= self.shared.clocks.mono() && resume.interruption.take().is_some() {
            // Said once.
            self.interrupted.remember(key.to_vec(), until, resume.clone());
            let (kind, id) = (record.item.kind(), &record.mts_identifier);
            let text = format!("{kind} {id} will be sent from the beginning: its time to be resumed is over");
            self.event(EventKind::ResumptionRefused, text);
        }
        Ok(Some(resume))
    }

    /// Forgets the interruptions of items that have left the queue.
    pub(super) async fn expire_interruptions(&mut self) {
        for key in self.interrupted.over(self.shared.clocks.mono()) {
            // One that can't be read now is looked at again.
            if let Ok(None) = self.shared.spool.get(OUTBOUND, &key).await {
                self.interrupted.forget(&key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use clock::WallTime;

    use super::*;

    #[test]
    fn what_is_over_is_looked_for_in_turns_and_memory_is_bounded() {
        let interruptions = Interruptions::new(RtsSettings::default());
        let at = |seconds: u64| MonoTime::after_start(Duration::from_secs(seconds));
        let resume = || ResumeRecord::unanswered(None, WallTime::from_unix(0));
        interruptions.lock().is_all = true;
        for n in 0..MOST_IN_MEMORY as u64 {
            interruptions.remember(n.to_be_bytes().to_vec(), at(n + 1), resume());
        }
        assert!(interruptions.lock().is_all);
        interruptions.remember(b"one more".to_vec(), at(5_000), resume());
        let first = 0_u64.to_be_bytes().to_vec();
        {
            let known = interruptions.lock();
            assert_eq!((known.entries.len(), known.is_all), (MOST_IN_MEMORY, false));
            assert!(!known.entries.contains_key(&first), "the one with the least time left");
        }
        // Four rounds see all whose time is over, each once; then it begins anew.
        let rounds: Vec<Vec<Vec<u8>>> = (0..5).map(|_| interruptions.over(at(4_999))).collect();
        assert_eq!(rounds.iter().map(Vec::len).collect::<Vec<_>>(), [256, 256, 256, 255, 256]);
        assert_eq!(rounds[0], rounds[4]);
        let mut seen: Vec<Vec<u8>> = rounds[..4].concat();
        seen.dedup();
        assert_eq!(seen.len(), MOST_IN_MEMORY - 1);
    }
}
