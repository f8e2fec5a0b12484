//! How much a queue holds, without ever reading it at once.
//!
//! What comes and goes is counted as it is announced. What was there when the connector started is counted page by page
//! in the background ([`Depth::begin`], [`Depth::counted`]), while the queue is worked on; until that has come to its end
//! there is no total, only a lower bound. The total is exact then: what leaves before its page is read is never counted,
//! what leaves while a page is read is told apart by its key, and what has left the store without having been announced
//! yet, which only a key that somebody has taken can, is expected.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Messages and octets in a queue.
#[derive(Debug, Default)]
pub(crate) struct Depth {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    // A removal may be announced before the addition, so both may be negative for a moment.
    messages: i64,
    octets: i64,
    /// Rises with each change.
    changes: u64,
    /// What was there at the start and is not counted yet.
    rest: Option<Rest>,
    /// Keys that are gone from the store and were not counted; their removal is still to be announced.
    expected: BTreeSet<Vec<u8>>,
}

#[derive(Debug)]
struct Rest {
    /// Keys with this number or a later one are announced to us, all others are found in the store.
    below: u64,
    /// Everything up to this key is counted.
    position: Option<Vec<u8>>,
    /// While a page is being read: what was announced meanwhile of the keys behind the position, with the octets of what
    /// was added; nothing else is known of them.
    late: Option<BTreeMap<Vec<u8>, Option<u64>>>,
}

/// What a queue holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Total {
    pub(crate) messages: u64,
    pub(crate) octets: u64,
    /// Whether this is all; else it is what has been counted so far.
    pub(crate) is_complete: bool,
}

/// A count of what a queue holds in the store, while it is made.
#[derive(Debug)]
pub(crate) struct Count {
    messages: u64,
    octets: u64,
    changes: u64,
}

impl Count {
    pub(crate) fn add(&mut self, octets: u64) {
        self.messages = self.messages.saturating_add(1);
        self.octets = self.octets.saturating_add(octets);
    }
}

/// A page of what is stored: keys in order, with the octets of what they name, `None` for what is no message.
pub(crate) type Sizes = Vec<(Vec<u8>, Option<u64>)>;

impl Default for State {
    fn default() -> Self {
        // Until the first number that is ours is known, the store tells of everything.
        let rest = Rest { below: u64::MAX, position: None, late: None };
        State { messages: 0, octets: 0, changes: 0, rest: Some(rest), expected: BTreeSet::new() }
    }
}

impl Depth {
    /// From this number on what is queued will be announced. To be told when announcements have begun to arrive.
    pub(crate) fn announced_from(&self, number: u64) {
        if let Some(rest) = &mut self.lock().rest {
            rest.below = number;
        }
    }

    /// Something has been queued.
    pub(crate) fn queued(&self, key: &[u8], octets: u64) {
        let mut state = self.lock();
        state.changes = state.changes.wrapping_add(1);
        if !state.is_ahead(key, Some(octets)) {
            state.add(1, octets);
        }
    }

    /// Something has left the queue.
    pub(crate) fn dequeued(&self, key: &[u8], octets: u64) {
        let mut state = self.lock();
        state.changes = state.changes.wrapping_add(1);
        if !state.expected.remove(key) && !state.is_ahead(key, None) {
            state.add(-1, octets);
        }
    }

    /// Where to read the next page that is to be counted; `None` if all is counted. To be called before it is read.
    pub(crate) fn begin(&self) -> Option<Option<Vec<u8>>> {
        let mut state = self.lock();
        let rest = state.rest.as_mut()?;
        rest.late = Some(BTreeMap::new());
        Some(rest.position.clone())
    }

    /// Counts the page. `taken` are the keys which somebody had taken out of the window since [`Depth::begin`]; `is_last`
    /// says that nothing follows.
    pub(crate) fn counted(&self, page: &Sizes, taken: &BTreeSet<Vec<u8>>, is_last: bool) {
        let mut state = self.lock();
        let Some(mut rest) = state.rest.take() else { return };
        let late = rest.late.take().unwrap_or_default();
        let end = if is_last { None } else { page.last().map(|(key, _)| key.clone()) };
        let is_in = |key: &[u8]| {
            number(key) < rest.below
                && rest.position.as_deref().is_none_or(|position| key > position)
                && end.as_deref().is_none_or(|end| key <= end)
        };
        for (key, octets) in page {
            if let Some(octets) = octets
                && is_in(key)
                && !late.contains_key(key)
            {
                state.add(1, *octets);
            }
        }
        for (key, added) in &late {
            if let Some(octets) = added
                && is_in(key)
            {
                state.add(1, *octets);
            }
        }
        let is_gone = |key: &&Vec<u8>| {
            is_in(key)
                && !late.contains_key(*key)
                && page.binary_search_by(|(stored, _)| stored.cmp(key)).is_err()
        };
        state.expected.extend(taken.iter().filter(is_gone).cloned());
        if !is_last {
            rest.position = end.or(rest.position);
            state.rest = Some(rest);
        }
    }

    /// What is known to be there.
    pub(crate) fn total(&self) -> Total {
        let state = self.lock();
        let amount = |value: i64| u64::try_from(value).unwrap_or(0);
        Total {
            messages: amount(state.messages),
            octets: amount(state.octets),
            is_complete: state.rest.is_none(),
        }
    }

    /// Whether it is known that nothing is there.
    pub(crate) fn is_empty(&self) -> bool {
        let total = self.total();
        total.is_complete && total.messages == 0
    }

    /// Begins to count everything that is in the store.
    pub(crate) fn count(&self) -> Count {
        Count { messages: 0, octets: 0, changes: self.lock().changes }
    }

    /// Takes over what was counted, if nothing was added or removed meanwhile: what is queued in the moment in which a
    /// reload starts a connector may be counted twice or not at all.
    pub(crate) fn correct(&self, count: Count) {
        let mut state = self.lock();
        if state.rest.is_none() && state.changes == count.changes {
            state.messages = i64::try_from(count.messages).unwrap_or(i64::MAX);
            state.octets = i64::try_from(count.octets).unwrap_or(i64::MAX);
            state.expected.clear();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Each change is made as a whole; a poisoned lock is as good as a clean one.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn add(&mut self, messages: i64, octets: u64) {
        let octets = i64::try_from(octets).unwrap_or(i64::MAX);
        self.messages = self.messages.saturating_add(messages);
        self.octets = self.octets.saturating_add(octets.saturating_mul(messages));
    }

    /// Whether a change is of what is still to be found in the store, or to be missed there.
    fn is_ahead(&mut self, key: &[u8], added: Option<u64>) -> bool {
        let Some(rest) = &mut self.rest else { return false };
        if number(key) >= rest.below || rest.position.as_deref().is_some_and(|position| key <= position) {
            return false;
        }
        if let Some(late) = &mut rest.late {
            late.insert(key.to_vec(), added);
        }
        true
    }
}

/// The number at the end of a key.
fn number(key: &[u8]) -> u64 {
    key.last_chunk().map_or(0, |number| u64::from_be_bytes(*number))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn key(number: u64) -> Vec<u8> {
        [b"q\0\x01".as_slice(), &number.to_be_bytes()].concat()
    }

    /// A queue as it is: stored, taken, and with announcements on their way.
    struct Queue {
        depth: Depth,
        stored: BTreeMap<Vec<u8>, u64>,
        taken: BTreeSet<Vec<u8>>,
        /// Removed from the store, or put there, and not announced yet.
        unannounced: Vec<(Vec<u8>, u64, bool)>,
        reading: Option<(Sizes, BTreeSet<Vec<u8>>, bool)>,
        next: u64,
    }

    const PAGE: usize = 3;

    impl Queue {
        fn new(stored: u64) -> Queue {
            let depth = Depth::default();
            depth.announced_from(1_000);
            Queue {
                depth,
                stored: (0..stored).map(|n| (key(n), n + 1)).collect(),
                taken: BTreeSet::new(),
                unannounced: Vec::new(),
                reading: None,
                next: 1_000,
            }
        }

        fn step(&mut self, what: u8, which: usize) {
            match what {
                // Somebody takes a key and removes it.
                0 | 1 => {
                    let mut free = self.stored.keys().filter(|key| !self.taken.contains(*key));
                    let Some(key) = free.nth(which % self.stored.len().max(1)).cloned() else { return };
                    self.taken.insert(key.clone());
                    if what == 0 {
                        self.remove(&key);
                    }
                }
                // One that was taken is removed, or put back.
                2 => {
                    let mut found = self.taken.iter().filter(|key| self.stored.contains_key(*key));
                    if let Some(key) = found.nth(which % self.taken.len().max(1)).cloned() {
                        if which.is_multiple_of(3) {
                            self.taken.remove(&key);
                        } else {
                            self.remove(&key);
                        }
                    }
                }
                3 => {
                    let (key, octets) = (key(self.next), self.next);
                    self.next += 1;
                    self.stored.insert(key.clone(), octets);
                    self.unannounced.push((key, octets, true));
                }
                4 | 5 => self.announce(which),
                _ => self.read(),
            }
        }

        fn remove(&mut self, key: &[u8]) {
            let octets = self.stored.remove(key).unwrap();
            self.unannounced.push((key.to_vec(), octets, false));
        }

        fn announce(&mut self, which: usize) {
            if self.unannounced.is_empty() {
                return;
            }
            let (key, octets, added) = self.unannounced.swap_remove(which % self.unannounced.len());
            if added {
                self.depth.queued(&key, octets);
            } else {
                self.depth.dequeued(&key, octets);
                self.taken.remove(&key);
            }
        }

        /// The next step of counting.
        fn read(&mut self) {
            match self.reading.take() {
                None => {
                    let Some(position) = self.depth.begin() else { return };
                    let behind =
                        self.stored.iter().filter(|(key, _)| position.as_ref().is_none_or(|p| *key > p));
                    let page: Sizes = behind.take(PAGE).map(|(key, n)| (key.clone(), Some(*n))).collect();
                    let is_last = page.len() < PAGE;
                    self.reading = Some((page, self.taken.clone(), is_last));
                }
                Some((page, mut taken, is_last)) => {
                    taken.extend(self.taken.iter().cloned());
                    self.depth.counted(&page, &taken, is_last);
                }
            }
        }
    }

    proptest! {
        #[test]
        fn whatever_happens_meanwhile_the_total_is_exact(
            stored in 0_u64..20,
            steps in proptest::collection::vec((0_u8..9, 0_usize..40), 0..200),
        ) {
            let mut queue = Queue::new(stored);
            for (what, which) in steps {
                queue.step(what, which);
            }
            while !queue.depth.total().is_complete {
                queue.read();
            }
            while !queue.unannounced.is_empty() {
                queue.announce(0);
            }
            let octets = queue.stored.values().sum();
            let total = Total { messages: queue.stored.len() as u64, octets, is_complete: true };
            prop_assert_eq!(queue.depth.total(), total);
            prop_assert!(queue.depth.lock().expected.is_empty());
        }
    }

    #[test]
    fn what_is_counted_so_far_is_not_taken_for_all() {
        let queue = Queue::new(5);
        assert!(!queue.depth.total().is_complete);
        queue.depth.begin();
        queue.depth.counted(&vec![(key(0), Some(7)), (key(1), None)], &BTreeSet::new(), false);
        assert_eq!(queue.depth.total(), Total { messages: 1, octets: 7, is_complete: false });
        assert_eq!(queue.depth.begin(), Some(Some(key(1))));
        queue.depth.counted(&Sizes::new(), &BTreeSet::new(), true);
        assert_eq!(queue.depth.total(), Total { messages: 1, octets: 7, is_complete: true });
        assert_eq!(queue.depth.begin(), None);
    }
}
