//! How long a connector has failed to open associations, and how often: what an operator asks first.

use clock::WallTime;

/// Seconds after which the next association is no longer opened at once.
const AT_ONCE: i64 = 5;

/// The failures of one connector since it last had an association open.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Outage {
    since: Option<WallTime>,
    attempts: u64,
}

impl Outage {
    /// The last association broke while something waits: whether the peer can still be reached is not known, and it
    /// counts as failing from now until an attempt has succeeded.
    pub(crate) fn broke(&mut self, now: WallTime) {
        self.since.get_or_insert(now);
    }

    /// An attempt has failed; gives how many have by now.
    pub(crate) fn failed(&mut self, now: WallTime) -> u64 {
        self.since.get_or_insert(now);
        self.attempts = self.attempts.saturating_add(1);
        self.attempts
    }

    /// An association was opened; gives what is to be told, if there is something to tell. Where the last one broke and the
    /// next was opened at once there is not: that may happen again and again.
    pub(crate) fn over(&mut self, now: WallTime) -> Option<String> {
        let Outage { since, attempts } = std::mem::take(self);
        let since = since?;
        let seconds = now.unix().saturating_sub(since.unix()).max(0);
        if attempts == 0 && seconds <= AT_ONCE {
            return None;
        }
        let times = if attempts == 1 { "attempt" } else { "attempts" };
        Some(format!("works again; it had failed since {since}, for {seconds} s, {attempts} {times}"))
    }

    /// Since when, while it lasts.
    pub(crate) fn since(&self) -> Option<WallTime> {
        self.since
    }

    /// Failed attempts so far.
    pub(crate) fn attempts(&self) -> u64 {
        self.attempts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outage_lasts_from_the_first_failure_to_the_first_success() {
        let at = |seconds: i64| WallTime::from_unix(1_700_000_000 + seconds);
        let mut outage = Outage::default();
        assert_eq!(outage.over(at(0)), None);
        assert_eq!((outage.failed(at(10)), outage.failed(at(20))), (1, 2));
        assert_eq!((outage.since(), outage.attempts()), (Some(at(10)), 2));
        let told = outage.over(at(70));
        assert!(told.as_ref().is_some_and(|told| told.contains("for 60 s, 2 attempts")), "{told:?}");
        assert_eq!(outage, Outage::default());
    }

    #[test]
    fn an_outage_begins_when_the_last_association_breaks() {
        let at = |seconds: i64| WallTime::from_unix(1_700_000_000 + seconds);
        let mut outage = Outage::default();
        outage.broke(at(0));
        assert_eq!((outage.since(), outage.attempts()), (Some(at(0)), 0));
        assert_eq!(outage.clone().over(at(5)), None);
        let told = outage.clone().over(at(6));
        assert!(told.as_ref().is_some_and(|told| told.contains("for 6 s, 0 attempts")), "{told:?}");
        assert_eq!(outage.failed(at(30)), 1);
        assert_eq!(outage.since(), Some(at(0)));
    }
}
