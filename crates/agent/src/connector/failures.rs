//! When opens failed: enough to say how many did so since a message was queued.

use std::collections::VecDeque;

use clock::WallTime;

#[derive(Clone, Debug)]
pub(super) struct Failures {
    /// Oldest first, at most `limit`.
    times: VecDeque<WallTime>,
    limit: usize,
    in_a_row: u32,
}

impl Failures {
    pub(super) fn new(limit: u32) -> Self {
        Failures { times: VecDeque::new(), limit: super::limit(limit), in_a_row: 0 }
    }

    pub(super) fn set_limit(&mut self, limit: u32) {
        self.limit = super::limit(limit);
        while self.times.len() > self.limit {
            self.times.pop_front();
        }
    }

    pub(super) fn record(&mut self, at: WallTime) {
        // Those that seem to be still to come were before the clock was set back.
        self.times.retain(|&before| before <= at);
        if self.times.len() >= self.limit {
            self.times.pop_front();
        }
        self.times.push_back(at);
        self.in_a_row = self.in_a_row.saturating_add(1);
    }

    pub(super) fn clear(&mut self) {
        self.times.clear();
        self.in_a_row = 0;
    }

    pub(super) fn in_a_row(&self) -> u32 {
        self.in_a_row
    }

    /// How many there were from `time` to `now`. One that seems to be later than now was before the clock was set
    /// back: what has been queued since has not seen it.
    pub(super) fn between(&self, time: WallTime, now: WallTime) -> u32 {
        let seen = self.times.iter().filter(|&&at| time <= at && at <= now);
        u32::try_from(seen.count()).unwrap_or(u32::MAX)
    }
}
