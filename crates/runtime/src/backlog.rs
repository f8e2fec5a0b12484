//! A bounded window over an unbounded durable queue.
//!
//! The queue itself is in the spool, in key order. A [`Backlog`] remembers the keys of its first items, so that a
//! consumer never scans for work and a queue of any length costs the same memory. What does not fit is found
//! again by a scan after the *frontier*: every stored key up to it is in the window (or taken), what is beyond
//! is on disk only.

use std::collections::BTreeSet;
use std::ops::Bound;
use std::sync::{Mutex, PoisonError};

use spool::{BoxFuture, Space, Spool, SpoolError};
use tokio::sync::Notify;

/// Keys that the window holds at most.
const WINDOW: usize = 4_096;
/// The window is filled again when fewer are left.
const LOW_WATER: usize = 512;
/// Records read by one step of a scan.
const PAGE: usize = 256;

/// Keys, in order.
type Page<'a> = BoxFuture<'a, Result<Vec<Vec<u8>>, SpoolError>>;

/// Where a window is filled from.
pub(crate) trait Scan {
    /// The first keys, at most [`PAGE`], of a queue that come after `after`.
    fn page<'a>(&'a self, space: Space, prefix: &'a [u8], after: Option<&'a [u8]>) -> Page<'a>;
}

impl<S: Spool + ?Sized> Scan for S {
    fn page<'a>(&'a self, space: Space, prefix: &'a [u8], after: Option<&'a [u8]>) -> Page<'a> {
        Box::pin(async move {
            let page = self.scan(space, prefix, after, PAGE).await?;
            Ok(page.into_iter().map(|(key, _)| key).collect())
        })
    }
}

/// The window over one queue. One consumer takes keys, any number of producers add them.
#[derive(Debug)]
pub(crate) struct Backlog {
    space: Space,
    prefix: Vec<u8>,
    window: Mutex<Window>,
    changed: Notify,
}

#[derive(Debug)]
struct Window {
    waiting: BTreeSet<Vec<u8>>,
    taken: BTreeSet<Vec<u8>>,
    beyond: Beyond,
    /// Keys added beyond the frontier while a scan runs, which may have looked too early to see them.
    late: Late,
}

/// What came in during a scan.
#[derive(Debug)]
enum Late {
    /// No scan runs.
    Closed,
    /// A scan runs.
    Keys(BTreeSet<Vec<u8>>),
    /// So many that the scan has to be made again.
    TooMany,
}

/// What the spool holds outside the window.
#[derive(Debug)]
enum Beyond {
    Nothing,
    /// Keys after this one (from the start of the queue when `None`).
    After(Option<Vec<u8>>),
}

/// Where the first stored key of a kind is.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum First {
    /// There is none.
    Nowhere,
    /// It is this one, if it hasn't just been removed.
    At(Vec<u8>),
    /// Behind this one, or anywhere if `None`.
    Behind(Option<Vec<u8>>),
}

impl Backlog {
    /// A window over the keys of `space` that start with `prefix`; nothing is loaded yet.
    pub(crate) fn new(space: Space, prefix: Vec<u8>) -> Self {
        let window = Window {
            waiting: BTreeSet::new(),
            taken: BTreeSet::new(),
            beyond: Beyond::After(None),
            late: Late::Closed,
        };
        Backlog { space, prefix, window: Mutex::new(window), changed: Notify::new() }
    }

    /// The key prefix of the queue.
    pub(crate) fn prefix(&self) -> &[u8] {
        &self.prefix
    }

    /// A key has been committed to the queue.
    pub(crate) fn added(&self, key: Vec<u8>) {
        let mut window = self.lock();
        window.add(key);
        drop(window);
        self.changed.notify_one();
    }

    /// The first key in order that nobody has taken; it is taken by this call.
    pub(crate) fn take(&self) -> Option<Vec<u8>> {
        let mut window = self.lock();
        let key = window.waiting.pop_first()?;
        window.taken.insert(key.clone());
        Some(key)
    }

    /// The first key that nobody has taken, left where it is.
    pub(crate) fn first(&self) -> Option<Vec<u8>> {
        self.lock().waiting.first().cloned()
    }

    /// A taken key is no longer in the spool.
    pub(crate) fn gone(&self, key: &[u8]) {
        self.lock().taken.remove(key);
    }

    /// A taken key is in the spool still and may be taken again.
    pub(crate) fn put_back(&self, key: &[u8]) {
        let mut window = self.lock();
        if window.taken.remove(key) {
            window.add(key.to_vec());
        }
        drop(window);
        self.changed.notify_one();
    }

    /// Wakes the consumer: something else than the keys has changed.
    pub(crate) fn nudge(&self) {
        self.changed.notify_one();
    }

    /// Where the first stored key that starts with `prefix` is. Who looks for it in the store alone goes past all that has been
    /// removed there, which is the more the busier the queue is.
    pub(crate) fn first_of(&self, prefix: &[u8]) -> First {
        let window = self.lock();
        let of = |keys: &BTreeSet<Vec<u8>>| {
            let first = keys.range::<[u8], _>((Bound::Included(prefix), Bound::Unbounded)).next();
            first.filter(|key| key.starts_with(prefix)).cloned()
        };
        let known = [of(&window.waiting), of(&window.taken)].into_iter().flatten().min();
        match (known, &window.beyond) {
            (Some(key), Beyond::Nothing) => First::At(key),
            // What is taken may be from behind the frontier.
            (Some(key), Beyond::After(Some(frontier))) if key <= *frontier => First::At(key),
            (None, Beyond::Nothing) => First::Nowhere,
            (_, Beyond::After(frontier)) => First::Behind(frontier.clone()),
        }
    }

    /// How many keys are in the window, taken ones included, and whether there may be more behind it.
    pub(crate) fn known(&self) -> (usize, bool) {
        let window = self.lock();
        (window.waiting.len() + window.taken.len(), matches!(window.beyond, Beyond::After(_)))
    }

    /// Whether somebody has taken this key.
    pub(crate) fn is_taken(&self, key: &[u8]) -> bool {
        self.lock().taken.contains(key)
    }

    /// The keys behind `after` that somebody has taken.
    pub(crate) fn taken_behind(&self, after: Option<&[u8]>) -> BTreeSet<Vec<u8>> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        self.lock().taken.range::<[u8], _>((from, Bound::Unbounded)).cloned().collect()
    }

    /// Reads the queue from its start again, for keys that were given up without being removed.
    pub(crate) fn reread(&self) {
        self.lock().beyond = Beyond::After(None);
        self.changed.notify_one();
    }

    /// Nobody has anything in hand any more: everything is found again in the store.
    pub(crate) fn start_over(&self) {
        let mut window = self.lock();
        window.waiting.clear();
        window.taken.clear();
        window.beyond = Beyond::After(None);
        drop(window);
        self.changed.notify_one();
    }

    /// Takes a key wherever it stands, unless somebody has it.
    pub(crate) fn take_this(&self, key: &[u8]) -> bool {
        let mut window = self.lock();
        window.waiting.remove(key);
        window.taken.insert(key.to_vec())
    }

    /// How many keys are taken, if the spool may hold more than the window: then only who counts the queue knows how many
    /// wait.
    pub(crate) fn taken_beside_more(&self) -> Option<usize> {
        let window = self.lock();
        match window.beyond {
            Beyond::Nothing => None,
            Beyond::After(_) => Some(window.taken.len()),
        }
    }

    /// Keys waiting in the window whose octet at `position` is below `rank`, and the others. Counts the smaller
    /// part only.
    pub(crate) fn waiting_by_rank(&self, position: usize, rank: u8) -> (usize, usize) {
        let window = self.lock();
        let is_urgent = |key: &&Vec<u8>| key.get(position).is_some_and(|&r| r < rank);
        let all = window.waiting.len();
        // From both ends at once, so that the cost is the smaller part whichever it is.
        let mut ends = window.waiting.iter().zip(window.waiting.iter().rev()).enumerate();
        let found = ends.find_map(|(n, (first, last))| match (is_urgent(&first), is_urgent(&last)) {
            (false, _) => Some(n),
            (_, true) => Some(all - n),
            (true, false) => None,
        });
        let urgent = found.unwrap_or(0);
        (urgent, all - urgent)
    }

    /// Waits until something was added or put back since the last wait.
    pub(crate) async fn changed(&self) {
        self.changed.notified().await;
    }

    /// Loads more keys from the spool if the window runs low and the spool holds more.
    pub(crate) async fn refill(&self, spool: &(impl Scan + ?Sized)) -> Result<(), SpoolError> {
        loop {
            let after = {
                let mut window = self.lock();
                if window.waiting.len() >= LOW_WATER {
                    return Ok(());
                }
                match &window.beyond {
                    Beyond::Nothing => return Ok(()),
                    Beyond::After(after) => {
                        let after = after.clone();
                        window.late = Late::Keys(BTreeSet::new());
                        after
                    }
                }
            };
            let page = spool.page(self.space, &self.prefix, after.as_deref()).await;
            let mut window = self.lock();
            let late = std::mem::replace(&mut window.late, Late::Closed);
            let page = page?;
            let more = page.len() == PAGE;
            let last = page.last().cloned();
            window.load(page.into_iter());
            match late {
                Late::Keys(keys) if !more => {
                    window.load(keys.into_iter());
                    window.beyond = Beyond::Nothing;
                }
                Late::Keys(keys) => {
                    window.load(keys.into_iter().filter(|key| last.as_ref().is_some_and(|last| key <= last)));
                    window.beyond = Beyond::After(last);
                }
                // The frontier stays; what was loaded twice is in the set once.
                Late::TooMany | Late::Closed => {}
            }
            window.trim();
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Window> {
        // The window's operations do not panic half-way; a poisoned lock is as good as a clean one.
        self.window.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Window {
    fn add(&mut self, key: Vec<u8>) {
        if self.taken.contains(&key) {
            return;
        }
        match &self.beyond {
            Beyond::After(frontier) if frontier.as_ref().is_none_or(|frontier| key > *frontier) => {
                match &mut self.late {
                    Late::Keys(keys) if keys.len() < WINDOW => {
                        keys.insert(key);
                    }
                    Late::Keys(_) | Late::TooMany => self.late = Late::TooMany,
                    Late::Closed => {}
                }
                return;
            }
            Beyond::After(_) | Beyond::Nothing => {}
        }
        self.waiting.insert(key);
        self.trim();
    }

    fn load(&mut self, keys: impl Iterator<Item = Vec<u8>>) {
        for key in keys {
            if !self.taken.contains(&key) {
                self.waiting.insert(key);
            }
        }
    }

    /// Keeps the window to its size; what is put out is behind the frontier again.
    fn trim(&mut self) {
        while self.waiting.len() > WINDOW {
            self.waiting.pop_last();
            self.beyond = Beyond::After(self.waiting.last().cloned());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use spool::{Batch, MemorySpool, block_on};

    const SPACE: Space = Space(7);

    fn key(n: u32) -> Vec<u8> {
        [b"q".as_slice(), &n.to_be_bytes()].concat()
    }

    fn store(spool: &MemorySpool, numbers: impl Iterator<Item = u32>) {
        let mut batch = Batch::default();
        for n in numbers {
            batch.put(SPACE, key(n), []);
        }
        spool.commit(batch).wait().unwrap();
    }

    fn drain(backlog: &Backlog, spool: &MemorySpool) -> Vec<Vec<u8>> {
        let mut taken = Vec::new();
        loop {
            block_on(backlog.refill(spool)).unwrap();
            let Some(key) = backlog.take() else { return taken };
            let mut batch = Batch::default();
            batch.delete(SPACE, key.clone());
            spool.commit(batch).wait().unwrap();
            backlog.gone(&key);
            taken.push(key);
        }
    }

    #[test]
    fn a_queue_longer_than_the_window_is_drained_in_order() {
        let spool = MemorySpool::new();
        store(&spool, 0..10_000);
        let backlog = Backlog::new(SPACE, b"q".to_vec());
        assert_eq!(drain(&backlog, &spool), (0..10_000).map(key).collect::<Vec<_>>());
    }

    #[test]
    fn the_first_key_is_known_without_the_store_where_the_window_holds_it() {
        let spool = MemorySpool::new();
        store(&spool, 0..5_000);
        let backlog = Backlog::new(SPACE, b"q".to_vec());
        let first = |prefix: &[u8]| backlog.first_of(prefix);
        assert_eq!(first(b"q"), First::Behind(None), "nothing was read so far");
        block_on(backlog.refill(&spool)).unwrap();
        assert_eq!(first(b"q"), First::At(key(0)));
        // Taken ones are stored still.
        assert_eq!(backlog.take(), Some(key(0)));
        assert_eq!(first(b"q"), First::At(key(0)));
        backlog.gone(&key(0));
        assert_eq!(first(b"q"), First::At(key(1)));
        // The other half of the numbers is behind what has been read.
        let First::Behind(Some(frontier)) = first(&key(4_999)) else { panic!("{:?}", first(&key(4_999))) };
        assert!(frontier < key(4_999) && frontier > key(200));
        drain(&backlog, &spool);
        assert_eq!(first(b"q"), First::Nowhere);
        backlog.added(key(9_000));
        assert_eq!((first(b"q"), first(&key(4_999))), (First::At(key(9_000)), First::Nowhere));
    }

    #[test]
    fn keys_added_beyond_a_full_window_are_found_again() {
        let spool = MemorySpool::new();
        let backlog = Backlog::new(SPACE, b"q".to_vec());
        block_on(backlog.refill(&spool)).unwrap();
        for n in 0..10_000 {
            store(&spool, n..n + 1);
            backlog.added(key(n));
        }
        assert!(backlog.lock().waiting.len() <= WINDOW);
        assert_eq!(drain(&backlog, &spool).len(), 10_000);
    }

    #[test]
    fn a_late_key_of_higher_priority_comes_first() {
        let spool = MemorySpool::new();
        let backlog = Backlog::new(SPACE, b"q".to_vec());
        store(&spool, 10..10_000);
        block_on(backlog.refill(&spool)).unwrap();
        store(&spool, 3..4);
        backlog.added(key(3));
        assert_eq!(backlog.take(), Some(key(3)));
        assert_eq!(backlog.take(), Some(key(10)));
    }

    /// A store in which keys are committed and announced just after a scan has looked.
    struct Racing<'a> {
        spool: &'a MemorySpool,
        backlog: &'a Backlog,
        late: Mutex<Vec<u32>>,
    }

    impl Scan for Racing<'_> {
        fn page<'a>(&'a self, space: Space, prefix: &'a [u8], after: Option<&'a [u8]>) -> Page<'a> {
            let page = block_on(self.spool.page(space, prefix, after));
            for n in self.late.lock().unwrap().drain(..) {
                store(self.spool, n..n + 1);
                self.backlog.added(key(n));
            }
            Box::pin(std::future::ready(page))
        }
    }

    #[test]
    fn a_key_that_comes_during_a_scan_is_not_lost() {
        // Short and long queues; keys before, inside and behind what the scan saw.
        for stored in [0, 10, 300, 5_000] {
            for late in [0, 5, 250, 4_999, 6_000] {
                let spool = MemorySpool::new();
                store(&spool, (1..=stored).map(|n| n * 2 + 1));
                let backlog = Backlog::new(SPACE, b"q".to_vec());
                let racing = Racing { spool: &spool, backlog: &backlog, late: Mutex::new(vec![late * 2]) };
                block_on(backlog.refill(&racing)).unwrap();
                let drained = drain(&backlog, &spool);
                assert_eq!(drained.len(), stored as usize + 1, "{stored} stored, {} late", late * 2);
            }
        }
    }

    #[test]
    fn urgent_keys_are_counted_from_the_nearer_end() {
        for urgent in 0..6u32 {
            for other in 0..6u32 {
                let backlog = Backlog::new(SPACE, b"q".to_vec());
                block_on(backlog.refill(&MemorySpool::new())).unwrap();
                (0..urgent).for_each(|n| backlog.added([b"q\x00".as_slice(), &n.to_be_bytes()].concat()));
                (0..other).for_each(|n| backlog.added([b"q\x01".as_slice(), &n.to_be_bytes()].concat()));
                assert_eq!(backlog.waiting_by_rank(1, 1), (urgent as usize, other as usize));
            }
        }
    }

    #[test]
    fn a_taken_key_is_not_given_twice() {
        let spool = MemorySpool::new();
        store(&spool, 0..3);
        let backlog = Backlog::new(SPACE, b"q".to_vec());
        block_on(backlog.refill(&spool)).unwrap();
        assert_eq!(backlog.take(), Some(key(0)));
        backlog.added(key(0));
        assert_eq!(backlog.take(), Some(key(1)));
        backlog.put_back(&key(0));
        assert_eq!(backlog.take(), Some(key(0)));
        assert!(!backlog.take_this(&key(0)));
        assert!(backlog.take_this(&key(2)));
        assert_eq!(backlog.take(), None);
    }
}
