//! The only place which reads a clock.

use std::time::{SystemTime, UNIX_EPOCH};

use clock::{MonoTime, WallTime};
use tokio::time::Instant;

use crate::world::Surroundings;

/// Both clocks of the process. The monotonic one is tokio's, so that paused time in tests moves it.
#[derive(Clone)]
pub(crate) struct Clocks {
    start: Instant,
    surroundings: Surroundings,
}

impl Clocks {
    /// Starts the monotonic clock now.
    pub(crate) fn start(surroundings: Surroundings) -> Self {
        Clocks { start: Instant::now(), surroundings }
    }

    /// Now, for deadlines.
    pub(crate) fn mono(&self) -> MonoTime {
        MonoTime::after_start(self.start.elapsed())
    }

    /// The instant that a deadline names, for tokio's timers.
    pub(crate) fn instant(&self, at: MonoTime) -> Instant {
        // A deadline beyond what the timer can express is far enough to be looked at again in a day.
        let far = Instant::now() + std::time::Duration::from_secs(86_400);
        self.start.checked_add(at.since_start()).map_or(far, |instant| instant.min(far))
    }

    /// Now, for trace information and records.
    pub(crate) fn wall(&self) -> WallTime {
        self.surroundings.wall()
    }
}

/// The time of day as the system has it.
pub(crate) fn system_time() -> WallTime {
    let seconds = match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(after) => i64::try_from(after.as_secs()).unwrap_or(i64::MAX),
        Err(before) => -i64::try_from(before.duration().as_secs()).unwrap_or(i64::MAX),
    };
    WallTime::from_unix(seconds)
}

/// Microseconds since 1970, for recordings: finer than [`WallTime`], and never computed with.
pub(crate) fn unix_micros() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}
