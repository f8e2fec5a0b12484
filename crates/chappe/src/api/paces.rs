//! How fast somebody may go on: requests of each token, and wrong tokens of each address.
//!
//! Each has an allowance that fills up again at a steady rate. What it stands at is one time for each, the moment at which it
//! will be full again, so a table of them is small; those that are full are forgotten.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Wrong tokens of an address at once, and how long it takes until there may be one more.
const WRONG_AT_ONCE: u32 = 20;
const WRONG_EVERY: Duration = Duration::from_secs(1);
/// Most addresses that are remembered. The one that is soonest forgotten makes room.
const MAX_ADDRESSES: usize = 4096;
/// Most callers that are remembered: more than there can be tokens.
const MAX_CALLERS: usize = 256;
/// How many seconds' requests may come at once.
const REQUEST_BURST_S: u32 = 2;

/// An allowance.
#[derive(Clone, Copy, Debug)]
struct Pace {
    every: Duration,
    at_once: u32,
}

/// Allowances of many.
#[derive(Debug)]
struct Paces<K> {
    /// When each will be full again.
    full_at: Mutex<BTreeMap<K, Instant>>,
    most: usize,
}

/// All allowances of the API.
#[derive(Debug)]
pub(super) struct Limits {
    callers: Paces<String>,
    addresses: Paces<IpAddr>,
}

impl Pace {
    /// How long to wait until one more is allowed.
    fn wait(self, full_at: Option<Instant>, now: Instant) -> Option<Duration> {
        let used = full_at.map_or(Duration::ZERO, |full_at| full_at.saturating_duration_since(now));
        let room = self.every.saturating_mul(self.at_once.saturating_sub(1));
        used.checked_sub(room).filter(|wait| !wait.is_zero())
    }
}

impl<K: Ord + Clone> Paces<K> {
    fn new(most: usize) -> Self {
        Paces { full_at: Mutex::default(), most }
    }

    /// How long `who` has to wait, if it has to.
    fn wait(&self, who: &K, pace: Pace, now: Instant) -> Option<Duration> {
        let full_at = self.full_at.lock().unwrap_or_else(PoisonError::into_inner);
        pace.wait(full_at.get(who).copied(), now)
    }

    /// Takes one from the allowance of `who`, if there is one left; else tells how long it has to wait.
    fn take(&self, who: &K, pace: Pace, now: Instant) -> Result<(), Duration> {
        let mut all = self.full_at.lock().unwrap_or_else(PoisonError::into_inner);
        let full_at = all.get(who).copied();
        if let Some(wait) = pace.wait(full_at, now) {
            return Err(wait);
        }
        if full_at.is_none() && all.len() >= self.most {
            all.retain(|_, full_at| *full_at > now);
            if all.len() >= self.most
                && let Some(soonest) =
                    all.iter().min_by_key(|(_, full_at)| **full_at).map(|(who, _)| who.clone())
            {
                all.remove(&soonest);
            }
        }
        let from = full_at.map_or(now, |full_at| full_at.max(now));
        all.insert(who.clone(), from + pace.every);
        Ok(())
    }
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { callers: Paces::new(MAX_CALLERS), addresses: Paces::new(MAX_ADDRESSES) }
    }
}

impl Limits {
    /// One request of a caller who may make so many a second.
    ///
    /// # Errors
    /// How long to wait.
    pub(super) fn request(&self, who: &str, per_second: u32, now: Instant) -> Result<(), Duration> {
        let per_second = per_second.max(1);
        let pace = Pace {
            every: Duration::from_secs(1) / per_second,
            at_once: per_second.saturating_mul(REQUEST_BURST_S),
        };
        self.callers.take(&who.to_owned(), pace, now)
    }

    /// Whether a token that comes from this address is looked at.
    ///
    /// # Errors
    /// Too many were wrong: how long to wait.
    pub(super) fn try_token(&self, from: IpAddr, now: Instant) -> Result<(), Duration> {
        self.addresses.wait(&network(from), WRONG, now).map_or(Ok(()), Err)
    }

    /// A token from this address was wrong.
    pub(super) fn wrong_token(&self, from: IpAddr, now: Instant) {
        // Whether there was room for it was looked at before.
        let _ = self.addresses.take(&network(from), WRONG, now);
    }
}

const WRONG: Pace = Pace { every: WRONG_EVERY, at_once: WRONG_AT_ONCE };

/// What belongs to one holder: an IPv4 address, or a /64 of IPv6.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64))),
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_as_are_allowed_pass_at_once_and_then_one_by_one() {
        let (limits, now) = (Limits::default(), Instant::now());
        for _ in 0..20 {
            limits.request("anna", 10, now).unwrap();
        }
        let wait = limits.request("anna", 10, now).unwrap_err();
        assert_eq!(wait, Duration::from_millis(100));
        limits.request("bert", 10, now).unwrap();
        limits.request("anna", 10, now + wait).unwrap();
        assert!(limits.request("anna", 10, now + wait).is_err());
        for _ in 0..20 {
            limits.request("anna", 10, now + Duration::from_secs(60)).unwrap();
        }
        assert!(limits.request("anna", 10, now + Duration::from_secs(60)).is_err());
    }

    #[test]
    fn wrong_tokens_hold_up_their_own_network_only() {
        let (limits, now) = (Limits::default(), Instant::now());
        let address = |text: &str| text.parse::<IpAddr>().unwrap();
        for n in 0..WRONG_AT_ONCE {
            let from = address(&format!("2001:db8::{n:x}"));
            limits.try_token(from, now).unwrap();
            limits.wrong_token(from, now);
        }
        assert_eq!(limits.try_token(address("2001:db8::ffff"), now), Err(WRONG_EVERY));
        limits.try_token(address("2001:db8:0:1::1"), now).unwrap();
        limits.try_token(address("192.0.2.1"), now).unwrap();
        limits.try_token(address("2001:db8::ffff"), now + WRONG_EVERY).unwrap();
    }

    #[test]
    fn however_many_addresses_try_the_table_stays_small() {
        let (limits, now) = (Limits::default(), Instant::now());
        for n in 0..10_000_u32 {
            limits.wrong_token(IpAddr::V4(n.into()), now + Duration::from_millis(n.into()));
        }
        assert!(limits.addresses.full_at.lock().unwrap().len() <= MAX_ADDRESSES);
    }
}
