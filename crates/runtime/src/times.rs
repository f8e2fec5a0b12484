//! How long things took: histograms since the start.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::status::HistogramStatus;

/// Bounds of the buckets of a commit to disk, in microseconds.
const COMMIT: &[u64] =
    &[500, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000, 200_000, 500_000, 1_000_000, 5_000_000];
/// Bounds of the buckets of a message's stay here, in microseconds; stays are known to the second.
const TRANSIT: &[u64] = &[
    1_000_000,
    5_000_000,
    15_000_000,
    60_000_000,
    300_000_000,
    900_000_000,
    3_600_000_000,
    14_400_000_000,
    86_400_000_000,
    604_800_000_000,
];

/// All of them, of one MTA.
#[derive(Debug)]
pub(crate) struct Times {
    /// Commits to the store.
    pub(crate) commits: Histogram,
    /// From when this MTA became responsible for something to when the next one did.
    pub(crate) transits: Histogram,
}

impl Default for Times {
    fn default() -> Times {
        Times { commits: Histogram::new(COMMIT), transits: Histogram::new(TRANSIT) }
    }
}

/// Durations, counted by how long they were.
#[derive(Debug)]
pub(crate) struct Histogram {
    bounds: &'static [u64],
    /// One for each bound, and one for what is longer than all of them.
    buckets: Vec<AtomicU64>,
    sum_us: AtomicU64,
}

impl Histogram {
    fn new(bounds: &'static [u64]) -> Histogram {
        let buckets = (0..=bounds.len()).map(|_| AtomicU64::new(0)).collect();
        Histogram { bounds, buckets, sum_us: AtomicU64::new(0) }
    }

    /// One more that took so long.
    pub(crate) fn observe(&self, took: Duration) {
        let us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let place = self.bounds.partition_point(|bound| *bound < us);
        if let Some(bucket) = self.buckets.get(place) {
            bucket.fetch_add(1, Ordering::Relaxed);
        }
        self.sum_us.fetch_add(us, Ordering::Relaxed);
    }

    /// What was counted up to now.
    pub(crate) fn now(&self) -> HistogramStatus {
        let counts: Vec<u64> = self.buckets.iter().map(|bucket| bucket.load(Ordering::Relaxed)).collect();
        let mut sum = 0_u64;
        let up_to = self.bounds.iter().zip(&counts).map(|(bound, count)| {
            sum = sum.saturating_add(*count);
            (Duration::from_micros(*bound).as_secs_f64(), sum)
        });
        HistogramStatus {
            up_to: up_to.collect(),
            count: counts.iter().sum(),
            sum_s: Duration::from_micros(self.sum_us.load(Ordering::Relaxed)).as_secs_f64(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_counted_up_to_each_bound_and_those_beyond_all_of_them_as_well() {
        let histogram = Histogram::new(&[1_000, 2_000]);
        for us in [1, 1_000, 1_001, 2_000, 9_000] {
            histogram.observe(Duration::from_micros(us));
        }
        let now = histogram.now();
        assert_eq!(now.up_to, [(0.001, 2), (0.002, 4)]);
        assert_eq!(now.count, 5);
        assert!((now.sum_s - 0.013_002).abs() < 1e-9, "{}", now.sum_s);
    }
}
