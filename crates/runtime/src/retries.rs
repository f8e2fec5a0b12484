//! Items of one queue that wait after a failure, by the time of the next attempt; what has failed longest ago
//! first.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use agent::record::{OutboundKey, Rank};
use clock::MonoTime;

/// Keys that are taken in the window of their queue and belong to nobody else. Whoever takes one out has it.
#[derive(Debug, Default)]
pub(crate) struct Retries(Mutex<Waiting>);

/// Times, each with the key that waits for it.
type ByTime = BTreeSet<(MonoTime, Vec<u8>)>;

#[derive(Debug, Default)]
struct Waiting {
    /// Those whose time is still to come.
    later: ByTime,
    /// Those whose time has come, urgent ones and others.
    due: [ByTime; 2],
    by_key: BTreeMap<Vec<u8>, MonoTime>,
}

/// The first one of those whose time has come.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Due {
    pub(crate) key: Vec<u8>,
    pub(crate) at: MonoTime,
    pub(crate) urgent: bool,
}

impl Retries {
    /// Leaves a key alone until `at`.
    pub(crate) fn insert(&self, at: MonoTime, key: Vec<u8>) {
        let mut waiting = self.lock();
        waiting.remove(&key);
        waiting.by_key.insert(key.clone(), at);
        waiting.later.insert((at, key));
    }

    /// Looks whose time has come.
    pub(crate) fn look(&self, now: MonoTime) {
        let mut waiting = self.lock();
        while waiting.later.first().is_some_and(|(at, _)| *at <= now) {
            let Some((at, key)) = waiting.later.pop_first() else { return };
            let [urgent, other] = &mut waiting.due;
            if is_urgent(&key) { urgent } else { other }.insert((at, key));
        }
    }

    /// When the time of the next one comes.
    pub(crate) fn next(&self) -> Option<MonoTime> {
        self.lock().later.first().map(|(at, _)| *at)
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.lock().by_key.len()
    }

    /// How many had their time at the last look: urgent ones and others.
    pub(crate) fn due(&self) -> (usize, usize) {
        let [urgent, other] = &self.lock().due;
        (urgent.len(), other.len())
    }

    /// The first of these, urgent ones before all others.
    pub(crate) fn first_due(&self) -> Option<Due> {
        let [urgent, other] = &self.lock().due;
        let first = urgent.first().map(|due| (due, true)).or_else(|| other.first().map(|due| (due, false)));
        first.map(|((at, key), urgent)| Due { key: key.clone(), at: *at, urgent })
    }

    /// The one of these that was due first, whatever its priority.
    pub(crate) fn longest_due(&self) -> Option<Due> {
        let [urgent, other] = &self.lock().due;
        let first = match (urgent.first(), other.first()) {
            (Some(urgent), Some(other)) if other.0 < urgent.0 => Some((other, false)),
            (Some(urgent), _) => Some((urgent, true)),
            (None, other) => other.map(|other| (other, false)),
        };
        first.map(|((at, key), urgent)| Due { key: key.clone(), at: *at, urgent })
    }

    /// Takes out one whose time has come, the one that waits longest.
    pub(crate) fn take_due(&self, now: MonoTime) -> Option<Vec<u8>> {
        self.look(now);
        let due = self.longest_due()?;
        self.take(&due.key)?;
        Some(due.key)
    }

    /// When this key is to be tried again, if it waits.
    pub(crate) fn time(&self, key: &[u8]) -> Option<MonoTime> {
        self.lock().by_key.get(key).copied()
    }

    /// Takes a key out, before its time or after; `None` if it does not wait.
    pub(crate) fn take(&self, key: &[u8]) -> Option<MonoTime> {
        self.lock().remove(key)
    }

    /// Takes out all.
    pub(crate) fn take_all(&self) -> Vec<Vec<u8>> {
        std::mem::take(&mut *self.lock()).by_key.into_keys().collect()
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        // All maps are changed without a panic between; a poisoned lock is as good as a clean one.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    fn remove(&mut self, key: &[u8]) -> Option<MonoTime> {
        let (key, at) = self.by_key.remove_entry(key)?;
        let entry = (at, key);
        self.later.remove(&entry);
        self.due.iter_mut().for_each(|due| {
            due.remove(&entry);
        });
        Some(at)
    }
}

fn is_urgent(key: &[u8]) -> bool {
    OutboundKey::parse(key).is_some_and(|key| key.rank == Rank::Urgent)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn at(seconds: u64) -> MonoTime {
        MonoTime::after_start(Duration::from_secs(seconds))
    }

    fn key(rank: Rank, sequence: u64) -> Vec<u8> {
        OutboundKey { connector: "x".into(), rank, sequence }.encode()
    }

    #[test]
    fn each_key_is_there_once_and_due_at_its_time() {
        let (a, b) = (key(Rank::Normal, 1), key(Rank::Normal, 2));
        let retries = Retries::default();
        retries.insert(at(9), a.clone());
        retries.insert(at(5), a.clone());
        retries.insert(at(7), b.clone());
        assert_eq!((retries.next(), retries.time(&a), retries.len()), (Some(at(5)), Some(at(5)), 2));
        retries.look(at(4));
        assert_eq!((retries.first_due(), retries.due()), (None, (0, 0)));
        retries.look(at(6));
        let first = Due { key: a.clone(), at: at(5), urgent: false };
        assert_eq!((retries.first_due(), retries.due(), retries.next()), (Some(first), (0, 1), Some(at(7))));
        assert_eq!(retries.take(&a), Some(at(5)));
        assert_eq!(retries.take(&a), None);
        assert_eq!((retries.due(), retries.len()), ((0, 0), 1));
        // One that failed anew waits anew.
        retries.insert(at(7), a.clone());
        retries.look(at(8));
        retries.insert(at(20), a.clone());
        assert_eq!((retries.due(), retries.next()), ((0, 1), Some(at(20))));
        assert_eq!(retries.take_all(), [a.clone(), b]);
        assert_eq!((retries.time(&a), retries.len(), retries.due(), retries.next()), (None, 0, (0, 0), None));
    }

    #[test]
    fn of_those_that_are_due_urgent_ones_are_first_and_then_those_that_wait_longest() {
        let retries = Retries::default();
        for (time, rank, sequence) in [
            (3, Rank::Normal, 9),
            (5, Rank::Normal, 1),
            (4, Rank::Urgent, 8),
            (6, Rank::Urgent, 2),
            (1, Rank::NonUrgent, 5),
        ] {
            retries.insert(at(time), key(rank, sequence));
        }
        retries.look(at(6));
        assert_eq!(retries.due(), (2, 3));
        assert_eq!(
            retries.longest_due(),
            Some(Due { key: key(Rank::NonUrgent, 5), at: at(1), urgent: false })
        );
        let order: Vec<u64> = std::iter::from_fn(|| {
            let due = retries.first_due()?;
            retries.take(&due.key)?;
            Some(OutboundKey::parse(&due.key)?.sequence)
        })
        .collect();
        assert_eq!(order, [8, 2, 5, 9, 1]);
    }
}
