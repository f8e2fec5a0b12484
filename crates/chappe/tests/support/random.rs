//! Numbers that look random and can be had again from their seed.

use std::time::{SystemTime, UNIX_EPOCH};

/// SplitMix64.
#[derive(Clone, Debug)]
pub struct Random {
    seed: u64,
    state: u64,
}

impl Random {
    /// A new seed for each run, or that in the environment variable `CHAPPE_TEST_SEED`. It is printed, which a
    /// test runner shows if the test fails.
    pub fn new() -> Random {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Random::from(since.as_nanos() as u64)
    }

    /// The same seed in each run, unless the environment names one.
    pub fn from(usual: u64) -> Random {
        let given = std::env::var("CHAPPE_TEST_SEED").ok().and_then(|text| text.parse().ok());
        let seed = given.unwrap_or(usual);
        println!("to repeat: CHAPPE_TEST_SEED={seed}");
        Random { seed, state: seed }
    }

    /// What to start from to get the same numbers.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// A number below `bound`, which is above zero.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % bound
    }

    /// Octets in which nothing repeats.
    pub fn octets(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| self.below(256) as u8).collect()
    }
}
