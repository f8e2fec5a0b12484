//! The watchdog of transfers: an association that has something to transfer and moves next to nothing is ended.

use std::time::Duration;

use tokio::time::Instant;

/// Octets, in or out, that count as progress. A peer that sends one octet now and then makes none.
const ENOUGH: u64 = 1_024;

/// How far the connection of one association has come, and when.
#[derive(Debug)]
pub(super) struct Progress {
    patience: Duration,
    last: Option<(u64, Instant)>,
}

impl Progress {
    /// Nothing is in transfer. `patience` is how long [`ENOUGH`] octets may take.
    pub(super) fn new(patience: Duration) -> Progress {
        Progress { patience, last: None }
    }

    /// Something is in transfer, or waits for the turn, and so many octets have passed over the connection in its life;
    /// `None` if the association has nothing to do. Gives when it has to be looked at again.
    pub(super) fn look(&mut self, now: Instant, octets: Option<u64>) -> Option<Instant> {
        let Some(octets) = octets else {
            self.last = None;
            return None;
        };
        let (_, since) = *match &mut self.last {
            Some(last) if octets.saturating_sub(last.0) < ENOUGH => last,
            last => last.insert((octets, now)),
        };
        Some(since + self.patience)
    }

    /// Whether too little has passed for too long, when so many octets have.
    pub(super) fn has_stalled(&mut self, now: Instant, octets: u64) -> bool {
        self.look(now, Some(octets)).is_some_and(|at| at <= now)
    }

    /// How long that is.
    pub(super) fn patience(&self) -> Duration {
        self.patience
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_octet_a_second_is_no_progress_and_one_kilobyte_is() {
        let mut progress = Progress::new(Duration::from_secs(300));
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(progress.look(at(0), None), None);
        assert_eq!(progress.look(at(0), Some(5_000)), Some(at(300)));
        for second in 1..300 {
            assert!(!progress.has_stalled(at(second), 5_000 + second));
        }
        assert!(progress.has_stalled(at(300), 5_300));
        assert!(!progress.has_stalled(at(300), 6_024));
        assert_eq!(progress.look(at(301), Some(6_100)), Some(at(600)));
        // What has nothing to do may be silent for as long as it likes.
        assert_eq!(progress.look(at(302), None), None);
        assert!(!progress.has_stalled(at(90_000), 6_100));
    }
}
