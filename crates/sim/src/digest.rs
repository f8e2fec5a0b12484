//! A digest of everything that happened, in order: two runs with the same digest are the same run.

use std::fmt;
use std::sync::{Mutex, PoisonError};

/// FNV-1a over what is told to it.
#[derive(Debug)]
pub struct Digest {
    state: Mutex<u64>,
    /// Everything is printed as well.
    trace: bool,
}

impl Digest {
    /// The digest of nothing. With `trace` everything that it is told is printed as well.
    pub fn new(trace: bool) -> Digest {
        Digest { state: Mutex::new(0xCBF2_9CE4_8422_2325), trace }
    }

    /// Takes in an event: what, when in microseconds, and with which octets.
    pub fn event(&self, what: &str, micros: u64, numbers: &[u64], octets: &[u8]) {
        self.octets(what.as_bytes());
        self.numbers(&[micros]);
        self.numbers(numbers);
        self.octets(octets);
        if self.trace {
            println!("{micros:>14} {what} {numbers:?} {} octets; {self}", octets.len());
        }
    }

    /// Whether everything is printed as well.
    pub fn traces(&self) -> bool {
        self.trace
    }

    /// Takes in octets.
    pub fn octets(&self, octets: &[u8]) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        for octet in octets {
            *state = (*state ^ u64::from(*octet)).wrapping_mul(0x0000_0100_0000_01B3);
        }
    }

    /// Takes in numbers.
    pub fn numbers(&self, numbers: &[u64]) {
        for number in numbers {
            self.octets(&number.to_be_bytes());
        }
    }

    /// The digest of what has come so far.
    pub fn value(&self) -> u64 {
        *self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.value())
    }
}
