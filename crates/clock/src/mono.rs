use core::ops::{Add, Sub};
use core::time::Duration;

/// A point on a clock that never goes back, counted from an arbitrary start (the start of the process).
///
/// Used for deadlines and nothing else: it has no meaning in another process or after a restart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MonoTime(Duration);

impl MonoTime {
    /// The arbitrary start of the clock.
    pub const START: MonoTime = MonoTime(Duration::ZERO);

    /// The point `elapsed` after the start of the clock.
    pub const fn after_start(elapsed: Duration) -> Self {
        MonoTime(elapsed)
    }

    /// Time passed since the start of the clock.
    pub const fn since_start(self) -> Duration {
        self.0
    }

    /// Time from `earlier` to `self`; zero when `earlier` is later.
    pub const fn saturating_since(self, earlier: MonoTime) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

impl Add<Duration> for MonoTime {
    type Output = MonoTime;

    /// Saturates: a deadline too far to express is never reached.
    fn add(self, rhs: Duration) -> MonoTime {
        MonoTime(self.0.saturating_add(rhs))
    }
}

impl Sub<MonoTime> for MonoTime {
    type Output = Duration;

    fn sub(self, rhs: MonoTime) -> Duration {
        self.saturating_since(rhs)
    }
}
