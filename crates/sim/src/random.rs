//! Chance that a seed decides.

use std::ops::Range;
use std::sync::{Mutex, PoisonError};

/// A generator of numbers (SplitMix64); good enough to choose faults, and the same on every machine.
#[derive(Debug)]
pub struct Random {
    state: Mutex<u64>,
}

impl Random {
    /// The generator of a seed.
    pub fn new(seed: u64) -> Random {
        Random { state: Mutex::new(seed) }
    }

    /// Another generator that takes nothing more from this one: what is chosen with it later changes nothing here.
    pub fn split(&self) -> Random {
        Random::new(self.number())
    }

    /// Any number.
    pub fn number(&self) -> u64 {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = *state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number of the range, which must not be empty.
    pub fn within(&self, range: Range<u64>) -> u64 {
        let width = range.end.saturating_sub(range.start).max(1);
        range.start + self.number() % width
    }

    /// An index below `length`; 0 if that is 0.
    pub fn below(&self, length: usize) -> usize {
        let length = u64::try_from(length).unwrap_or(u64::MAX).max(1);
        usize::try_from(self.number() % length).unwrap_or(0)
    }

    /// True in so many of a hundred cases.
    pub fn percent(&self, chance: u64) -> bool {
        self.number() % 100 < chance
    }

    /// A number spread over orders of magnitude, from 1 to `most`: small ones are as likely as large ones.
    pub fn spread(&self, most: u64) -> u64 {
        let bits = 64 - most.max(1).leading_zeros();
        let mask = 1_u64 << self.within(0..u64::from(bits));
        (mask + self.number() % mask).min(most.max(1))
    }
}
