use core::fmt;

/// Seconds since 1970-01-01T00:00:00Z, leap seconds not counted.
///
/// Valid for the years 0001 to 9999; constructors clamp to that range so that formatting always succeeds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WallTime(i64);

/// A [`WallTime`] taken apart in the proleptic Gregorian calendar, UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Civil {
    /// 1 to 9999.
    pub year: u16,
    /// 1 to 12.
    pub month: u8,
    /// 1 to 31.
    pub day: u8,
    /// 0 to 23.
    pub hour: u8,
    /// 0 to 59.
    pub minute: u8,
    /// 0 to 59.
    pub second: u8,
}

const MIN_SECONDS: i64 = -62_135_596_800; // 0001-01-01T00:00:00Z
const MAX_SECONDS: i64 = 253_402_300_799; // 9999-12-31T23:59:59Z
const DAY: i64 = 86_400;

impl WallTime {
    /// The time `seconds` after the Unix epoch, clamped to the years 0001 to 9999.
    pub const fn from_unix(seconds: i64) -> Self {
        if seconds < MIN_SECONDS {
            WallTime(MIN_SECONDS)
        } else if seconds > MAX_SECONDS {
            WallTime(MAX_SECONDS)
        } else {
            WallTime(seconds)
        }
    }

    /// Seconds since the Unix epoch.
    pub const fn unix(self) -> i64 {
        self.0
    }

    /// This time plus `seconds` (which may be negative), clamped.
    pub const fn plus_seconds(self, seconds: i64) -> Self {
        WallTime::from_unix(self.0.saturating_add(seconds))
    }

    /// The time that a calendar date names, or `None` if there is no such date.
    pub fn from_civil(c: Civil) -> Option<Self> {
        if c.year == 0
            || c.year > 9999
            || !(1..=12).contains(&c.month)
            || c.day == 0
            || c.day > days_in_month(c.year, c.month)
            || c.hour > 23
            || c.minute > 59
            || c.second > 59
        {
            return None;
        }
        let days = days_from_civil(i64::from(c.year), i64::from(c.month), i64::from(c.day));
        let time = i64::from(c.hour) * 3600 + i64::from(c.minute) * 60 + i64::from(c.second);
        Some(WallTime(days * DAY + time))
    }

    /// This time as a calendar date, UTC.
    pub fn civil(self) -> Civil {
        let (days, rest) = (self.0.div_euclid(DAY), self.0.rem_euclid(DAY));
        let (year, month, day) = civil_from_days(days);
        // The constructors keep every value inside years 1..=9999, so each part fits its type.
        Civil {
            year: year as u16,
            month: month as u8,
            day: day as u8,
            hour: (rest / 3600) as u8,
            minute: (rest / 60 % 60) as u8,
            second: (rest % 60) as u8,
        }
    }
}

/// RFC 3339, for example `2026-11-22T04:30:00Z`.
impl fmt::Display for WallTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let c = self.civil();
        write!(f, "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", c.year, c.month, c.day, c.hour, c.minute, c.second)
    }
}

fn is_leap(year: u16) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

fn days_in_month(year: u16, month: u8) -> u8 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days since 1970-01-01; years are taken to start in March, so that the leap day is the last of a year.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let y = if month <= 2 { year - 1 } else { year };
    let era = y.div_euclid(400);
    let year_of_era = y.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let doe = z.rem_euclid(146_097);
    let yoe = (doe - doe / 1_460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let day = doy - (153 * mp + 2) / 5 + 1;
    let month = if mp < 10 { mp + 3 } else { mp - 9 };
    (yoe + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;
    extern crate alloc;
    use alloc::string::ToString;

    #[test]
    fn known_dates() {
        assert_eq!(WallTime::from_unix(0).to_string(), "1970-01-01T00:00:00Z");
        assert_eq!(WallTime::from_unix(951_782_400).to_string(), "2000-02-29T00:00:00Z");
        assert_eq!(WallTime::from_unix(1_795_321_800).to_string(), "2026-11-22T04:30:00Z");
        assert_eq!(WallTime::from_unix(i64::MIN).to_string(), "0001-01-01T00:00:00Z");
        assert_eq!(WallTime::from_unix(i64::MAX).to_string(), "9999-12-31T23:59:59Z");
    }

    #[test]
    fn calendar_round_trips_on_every_day_of_four_centuries() {
        for day in -146_097..146_097 {
            let t = WallTime::from_unix(day * DAY + 12_345);
            assert_eq!(WallTime::from_civil(t.civil()), Some(t));
        }
    }

    #[test]
    fn impossible_dates_are_refused() {
        let ok = Civil { year: 2026, month: 2, day: 28, hour: 0, minute: 0, second: 0 };
        assert!(WallTime::from_civil(ok).is_some());
        for bad in [
            Civil { day: 29, ..ok },
            Civil { month: 13, ..ok },
            Civil { month: 0, ..ok },
            Civil { hour: 24, ..ok },
            Civil { minute: 60, ..ok },
            Civil { second: 60, ..ok },
            Civil { year: 0, ..ok },
        ] {
            assert_eq!(WallTime::from_civil(bad), None, "{bad:?}");
        }
    }
}
