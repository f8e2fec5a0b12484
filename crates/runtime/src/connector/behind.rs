//! When what has failed is tried again, beside what has not.
//!
//! A message at which a peer breaks every association costs the others an open interval at each attempt. So what has
//! failed waits while anything else does. As a queue may never be empty there is an end to that: one at a time goes
//! before the others when it has waited long enough, and the next one not before it is known what became of that one.

use std::time::Duration;

use clock::MonoTime;

/// Patience is so many times longer while associations break: each attempt may then cost the others an open interval,
/// half of what `stays_behind` is at least, and takes a tenth of the time at most.
const WHILE_BREAKING: u32 = 5;

/// The places of failed messages behind all others, in one queue.
#[derive(Debug, Default)]
pub(super) struct Behind {
    /// When an association broke last.
    broke: Option<MonoTime>,
    /// The last one that went before others, and when.
    ahead: Option<(MonoTime, Vec<u8>)>,
}

impl Behind {
    /// An association has broken.
    pub(super) fn broke(&mut self, now: MonoTime) {
        self.broke = Some(now);
    }

    /// One goes before others.
    pub(super) fn goes_ahead(&mut self, now: MonoTime, key: Vec<u8>) {
        self.ahead = Some((now, key));
    }

    /// The last one that went before others.
    pub(super) fn last_ahead(&self) -> Option<&[u8]> {
        self.ahead.as_ref().map(|(_, key)| key.as_slice())
    }

    /// When one that is due at `due` goes before others which wait and have not failed, if nothing happens until then.
    pub(super) fn turn(&self, due: MonoTime, stays_behind: Duration) -> MonoTime {
        let breaking = stays_behind * WHILE_BREAKING;
        let last = self.ahead.as_ref().map(|(at, _)| *at);
        let late = last.map_or(due, |at| at.max(due)) + breaking;
        let quiet = self.broke.map_or(due, |at| at.max(due)) + stays_behind;
        late.min(quiet)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use proptest::prelude::*;

    use super::*;

    const INTERVAL: u64 = 60;
    const STAYS: Duration = Duration::from_secs(2 * INTERVAL);

    fn at(seconds: u64) -> MonoTime {
        MonoTime::after_start(Duration::from_secs(seconds))
    }

    #[test]
    fn what_breaks_nothing_waits_no_longer_than_it_has_to() {
        let mut behind = Behind::default();
        assert_eq!(behind.turn(at(100), STAYS), at(220));
        behind.goes_ahead(at(220), b"a".to_vec());
        assert_eq!(behind.turn(at(100), STAYS), at(220));
        assert_eq!(behind.last_ahead(), Some(b"a".as_slice()));
        // An association breaks: time enough for the others to go.
        behind.broke(at(221));
        assert_eq!(behind.turn(at(100), STAYS), at(341));
        // They break again and again: there is an end to waiting all the same.
        behind.broke(at(800));
        assert_eq!(behind.turn(at(100), STAYS), at(820));
        assert_eq!(behind.turn(at(10_000), STAYS), at(10_120));
    }

    proptest! {
        /// A queue in order of its keys, some of which break the one association, which is opened again after the
        /// interval. Each attempt at one of these costs an interval. What a peer takes has gone when each of the others was tried
        /// once, and a tenth of the time later.
        #[test]
        fn what_a_peer_takes_waits_for_one_attempt_at_each_that_it_breaks_at(poisoned in prop::collection::btree_set(0..60_u8, 0..30)) {
            let mut fresh: BTreeSet<u8> = (0..60).collect();
            let mut failed: BTreeMap<u8, u64> = BTreeMap::new();
            let mut behind = Behind::default();
            let (mut now, mut intervals) = (0, 0);
            while intervals < 100 && fresh.iter().any(|key| !poisoned.contains(key)) {
                let turn = failed.iter().min_by_key(|(_, due)| **due);
                let ahead = turn.filter(|(_, due)| behind.turn(at(**due), STAYS) <= at(now)).map(|(key, _)| *key);
                if let Some(key) = ahead {
                    behind.goes_ahead(at(now), vec![key]);
                    failed.remove(&key);
                    fresh.insert(key);
                }
                let Some(key) = ahead.or_else(|| fresh.first().copied()) else { break };
                fresh.remove(&key);
                if poisoned.contains(&key) {
                    behind.broke(at(now));
                    failed.insert(key, now + INTERVAL / 3);
                    now += INTERVAL;
                    intervals += 1;
                }
            }
            prop_assert!(intervals <= poisoned.len() + poisoned.len() / 9 + 1, "{intervals} for {}", poisoned.len());
        }
    }

    /// A queue that is never empty, on a link that breaks all the time: whatever failed is tried again nevertheless.
    #[test]
    fn nothing_stays_behind_for_ever() {
        let mut behind = Behind::default();
        let mut tried = Vec::new();
        for second in 0..20_000 {
            if second % 50 == 0 {
                behind.broke(at(second));
            }
            if behind.turn(at(0), STAYS) <= at(second) {
                behind.goes_ahead(at(second), Vec::new());
                tried.push(second);
            }
        }
        assert!(tried.len() >= 30, "{tried:?}");
        assert!(tried.windows(2).all(|pair| pair[1] - pair[0] >= 600), "{tried:?}");
    }
}
