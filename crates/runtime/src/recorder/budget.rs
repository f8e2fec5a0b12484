//! The memory that all recordings share, and the ended ones, which give way to live ones.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::{Shared, lock};

/// Octets that recordings may hold together.
#[derive(Debug)]
pub(super) struct Budget {
    total: usize,
    used: AtomicUsize,
    keep: usize,
    ended: Mutex<VecDeque<Shared>>,
}

impl Budget {
    pub(super) fn new(total: usize, keep: usize) -> Budget {
        Budget { total, used: AtomicUsize::new(0), keep, ended: Mutex::default() }
    }

    /// Takes `octets` out of the budget, if need be by forgetting ended recordings, oldest first.
    pub(super) fn take(&self, octets: usize) -> bool {
        loop {
            let room = |used: usize| used.checked_add(octets).filter(|used| *used <= self.total);
            if self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, room).is_ok() {
                return true;
            }
            // What it held is given back when it is dropped, here or by whoever reads it at this moment.
            let oldest = lock(&self.ended).pop_front();
            if oldest.is_none() {
                return false;
            }
        }
    }

    /// Gives octets back.
    pub(super) fn give(&self, octets: usize) {
        self.used.fetch_sub(octets, Ordering::Relaxed);
    }

    /// Keeps an ended recording as long as there is room.
    pub(super) fn keep(&self, recording: Shared) {
        let mut surplus = Vec::new();
        let mut ended = lock(&self.ended);
        ended.push_back(recording);
        while ended.len() > self.keep {
            surplus.extend(ended.pop_front());
        }
        // Dropping a recording takes no lock, but there is no reason to hold this one meanwhile.
        drop(ended);
    }

    /// The ended recordings, oldest first.
    pub(super) fn ended(&self) -> Vec<Shared> {
        lock(&self.ended).iter().cloned().collect()
    }

    #[cfg(test)]
    pub(super) fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }
}
