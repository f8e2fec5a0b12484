//! Messages of one queue that wait after a failed transfer, by the time of the next attempt.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use clock::MonoTime;

/// Keys that are taken in the window of their queue and belong to nobody else. Whoever takes one out has it.
#[derive(Debug, Default)]
pub(crate) struct Retries(Mutex<Waiting>);

#[derive(Debug, Default)]
struct Waiting {
    by_time: BTreeSet<(MonoTime, Vec<u8>)>,
    by_key: BTreeMap<Vec<u8>, MonoTime>,
}

impl Retries {
    /// Leaves a key alone until `at`.
    pub(crate) fn insert(&self, at: MonoTime, key: Vec<u8>) {
        let mut waiting = self.lock();
        if let Some(before) = waiting.by_key.insert(key.clone(), at) {
            waiting.by_time.remove(&(before, key.clone()));
        }
        waiting.by_time.insert((at, key));
    }

    /// When the first of them is due.
    pub(crate) fn first(&self) -> Option<MonoTime> {
        self.lock().by_time.first().map(|(at, _)| *at)
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.lock().by_key.len()
    }

    /// When this key is due, if it waits.
    pub(crate) fn due(&self, key: &[u8]) -> Option<MonoTime> {
        self.lock().by_key.get(key).copied()
    }

    /// Takes a key out before its time; `None` if it does not wait.
    pub(crate) fn take(&self, key: &[u8]) -> Option<MonoTime> {
        let mut waiting = self.lock();
        let (key, at) = waiting.by_key.remove_entry(key)?;
        waiting.by_time.remove(&(at, key));
        Some(at)
    }

    /// Takes out one whose time has come.
    pub(crate) fn take_due(&self, now: MonoTime) -> Option<Vec<u8>> {
        let mut waiting = self.lock();
        if waiting.by_time.first().is_none_or(|(at, _)| *at > now) {
            return None;
        }
        let (_, key) = waiting.by_time.pop_first()?;
        waiting.by_key.remove(&key);
        Some(key)
    }

    /// Takes out all.
    pub(crate) fn take_all(&self) -> Vec<Vec<u8>> {
        let mut waiting = self.lock();
        waiting.by_key.clear();
        std::mem::take(&mut waiting.by_time).into_iter().map(|(_, key)| key).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        // Both maps are changed without a panic between; a poisoned lock is as good as a clean one.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn at(seconds: u64) -> MonoTime {
        MonoTime::after_start(Duration::from_secs(seconds))
    }

    #[test]
    fn each_key_is_taken_once_and_not_before_its_time() {
        let retries = Retries::default();
        retries.insert(at(9), b"a".to_vec());
        retries.insert(at(5), b"a".to_vec());
        retries.insert(at(7), b"b".to_vec());
        assert_eq!((retries.first(), retries.due(b"a")), (Some(at(5)), Some(at(5))));
        assert_eq!(retries.take_due(at(4)), None);
        assert_eq!(retries.take_due(at(6)), Some(b"a".to_vec()));
        assert_eq!(retries.take(b"a"), None);
        assert_eq!(retries.take(b"b"), Some(at(7)));
        assert_eq!((retries.first(), retries.take_due(at(10))), (None, None));
        retries.insert(at(1), b"c".to_vec());
        retries.insert(at(2), b"d".to_vec());
        assert_eq!(retries.take_all(), [b"c", b"d"]);
        assert_eq!((retries.due(b"c"), retries.take_due(at(10))), (None, None));
    }
}
