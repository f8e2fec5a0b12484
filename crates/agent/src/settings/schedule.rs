//! The times of a week at which a connector may open associations: a grid of quarters of an hour, UTC.

use std::fmt;

use clock::WallTime;

/// Quarters of an hour in a week.
const CELLS: usize = 7 * CELLS_OF_A_DAY;
const CELLS_OF_A_DAY: usize = 96;
/// Length of a cell, seconds.
const CELL_S: i64 = 900;
/// The epoch was a Thursday; weeks begin on Monday here.
const EPOCH_CELL: i64 = 3 * 96;

const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

/// A selection of the 672 quarters of an hour of a week, which begins on Monday at 00:00 UTC.
///
/// There is no local time in it: a summer time would make one hour of a year come twice and another never.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Schedule {
    cells: [u64; CELLS.div_ceil(64)],
}

/// Why a text names no times.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScheduleError {
    /// Not days and times.
    #[error("it is not days, a space and a time of the day")]
    Form,
    /// A day that is none.
    #[error("a day is none of Mon, Tue, Wed, Thu, Fri, Sat, Sun and daily")]
    Day,
    /// A time that is none, or not at a quarter of an hour.
    #[error("a time is not HH:00, HH:15, HH:30 or HH:45 from 00:00 to 24:00")]
    Time,
    /// It ends when it begins.
    #[error("it ends when it begins; the whole day is 00:00-24:00")]
    Empty,
}

impl Schedule {
    /// No time at all.
    pub const EMPTY: Schedule = Schedule { cells: [0; CELLS.div_ceil(64)] };

    /// Selects what `text` names, in addition to what is selected: `Mon 08:00-18:00`, `Mon-Fri 08:00-18:00`,
    /// `Sat,Sun 10:00-12:30` or `daily 22:00-06:00`, which ends on the next day.
    ///
    /// # Errors
    /// It names no times; then nothing is selected by it.
    pub fn select(&mut self, text: &str) -> Result<(), ScheduleError> {
        let (days, times) = text.trim().split_once(' ').ok_or(ScheduleError::Form)?;
        let (from, to) = times.trim().split_once('-').ok_or(ScheduleError::Form)?;
        let (from, to) = (cell_of_the_day(from)?, cell_of_the_day(to)?);
        if from == to || from == CELLS_OF_A_DAY {
            return Err(ScheduleError::Empty);
        }
        let length = if from < to { to - from } else { CELLS_OF_A_DAY - from + to };
        let days = days_of(days)?.into_iter().enumerate();
        for (day, _) in days.filter(|(_, selected)| *selected) {
            let first = day * CELLS_OF_A_DAY + from;
            (first..first + length).for_each(|cell| self.set(cell % CELLS));
        }
        Ok(())
    }

    /// Whether this time is selected.
    pub fn is_active(&self, at: WallTime) -> bool {
        self.is_set(cell_of(at))
    }

    /// The first selected time from `at` on; `None` if nothing is selected.
    pub fn next_active(&self, at: WallTime) -> Option<WallTime> {
        if self.is_active(at) {
            return Some(at);
        }
        let cell = cell_of(at);
        let ahead = (1..CELLS).find(|ahead| self.is_set((cell + ahead) % CELLS))?;
        let begin = at.unix() - at.unix().rem_euclid(CELL_S);
        i64::try_from(ahead).ok().map(|ahead| WallTime::from_unix(begin + ahead * CELL_S))
    }

    /// Whether nothing is selected.
    pub fn is_empty(&self) -> bool {
        self.cells.iter().all(|word| *word == 0)
    }

    /// Number of the quarter of an hour since the epoch: what changes when a time of the grid begins.
    pub fn quarter(at: WallTime) -> i64 {
        at.unix().div_euclid(CELL_S)
    }

    /// Seconds until the next quarter of an hour begins; 1 to 900.
    pub fn seconds_to_next_quarter(at: WallTime) -> u64 {
        (CELL_S - at.unix().rem_euclid(CELL_S)).unsigned_abs()
    }

    fn set(&mut self, cell: usize) {
        if let Some(word) = self.cells.get_mut(cell / 64) {
            *word |= 1 << (cell % 64);
        }
    }

    fn is_set(&self, cell: usize) -> bool {
        self.cells.get(cell / 64).is_some_and(|word| word & (1 << (cell % 64)) != 0)
    }
}

/// The selected times, day by day.
impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut written = false;
        for (day, name) in DAYS.iter().enumerate() {
            let mut cell = 0;
            while cell < CELLS_OF_A_DAY {
                let selected = |cell: &usize| self.is_set(day * CELLS_OF_A_DAY + cell);
                let end = (cell..CELLS_OF_A_DAY).find(|cell| !selected(cell)).unwrap_or(CELLS_OF_A_DAY);
                if end > cell {
                    let separator = if std::mem::replace(&mut written, true) { ", " } else { "" };
                    let (from, to) = (Time(cell), Time(end));
                    write!(f, "{separator}{name} {from}-{to}")?;
                }
                cell = end + 1;
            }
        }
        if written { Ok(()) } else { f.write_str("no time") }
    }
}

struct Time(usize);

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}", self.0 / 4, self.0 % 4 * 15)
    }
}

fn cell_of(at: WallTime) -> usize {
    let cells = i64::try_from(CELLS).unwrap_or(i64::MAX);
    usize::try_from((Schedule::quarter(at) + EPOCH_CELL).rem_euclid(cells)).unwrap_or_default()
}

fn cell_of_the_day(text: &str) -> Result<usize, ScheduleError> {
    let (hours, minutes) = text.trim().split_once(':').ok_or(ScheduleError::Time)?;
    let number = |text: &str| match text.len() {
        2 if text.bytes().all(|b| b.is_ascii_digit()) => text.parse::<usize>().ok(),
        _ => None,
    };
    match (number(hours), number(minutes)) {
        (Some(hours @ 0..=23), Some(minutes @ (0 | 15 | 30 | 45))) => Ok(hours * 4 + minutes / 15),
        (Some(24), Some(0)) => Ok(CELLS_OF_A_DAY),
        _ => Err(ScheduleError::Time),
    }
}

fn days_of(text: &str) -> Result<[bool; 7], ScheduleError> {
    let mut selected = [false; 7];
    if text.eq_ignore_ascii_case("daily") {
        return Ok([true; 7]);
    }
    let day =
        |text: &str| DAYS.iter().position(|day| day.eq_ignore_ascii_case(text)).ok_or(ScheduleError::Day);
    for part in text.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last) = (day(first)?, day(last)?);
        // Sat-Mon goes over the end of the week.
        let length = (last + 7 - first) % 7 + 1;
        for ahead in 0..length {
            if let Some(day) = selected.get_mut((first + ahead) % 7) {
                *day = true;
            }
        }
    }
    Ok(selected)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// 2026-11-23 was a Monday.
    const MONDAY: WallTime = WallTime::from_unix(1_795_392_000);

    fn schedule(texts: &[&str]) -> Schedule {
        let mut schedule = Schedule::default();
        texts.iter().for_each(|text| schedule.select(text).unwrap_or_else(|e| panic!("{text}: {e}")));
        schedule
    }

    fn at(day: i64, hour: i64, minute: i64, second: i64) -> WallTime {
        MONDAY.plus_seconds(((day * 24 + hour) * 60 + minute) * 60 + second)
    }

    #[test]
    fn times_are_selected_to_the_second() {
        assert_eq!(MONDAY.to_string(), "2026-11-23T00:00:00Z");
        let schedule = schedule(&["Mon-Fri 08:00-18:15"]);
        for day in 0..5 {
            assert!(!schedule.is_active(at(day, 7, 59, 59)), "{day}");
            assert!(schedule.is_active(at(day, 8, 0, 0)), "{day}");
            assert!(schedule.is_active(at(day, 18, 14, 59)), "{day}");
            assert!(!schedule.is_active(at(day, 18, 15, 0)), "{day}");
        }
        assert!(!schedule.is_active(at(5, 12, 0, 0)));
        assert_eq!(schedule.next_active(at(4, 18, 15, 0)), Some(at(7, 8, 0, 0)));
        assert_eq!(schedule.next_active(at(2, 9, 1, 7)), Some(at(2, 9, 1, 7)));
    }

    #[test]
    fn a_time_may_go_over_midnight_and_over_the_end_of_the_week() {
        let schedule = schedule(&["Sun 23:30-00:30"]);
        assert!(schedule.is_active(at(6, 23, 30, 0)));
        assert!(schedule.is_active(at(0, 0, 29, 59)));
        assert!(!schedule.is_active(at(0, 0, 30, 0)));
        assert_eq!(schedule.to_string(), "Mon 00:00-00:30, Sun 23:30-24:00");
        assert_eq!(Schedule::EMPTY.next_active(MONDAY), None);
    }

    #[test]
    fn what_names_no_times_selects_none() {
        for (text, error) in [
            ("Mon", ScheduleError::Form),
            ("Mon 08:00", ScheduleError::Form),
            ("Monday 08:00-09:00", ScheduleError::Day),
            ("Mon- 08:00-09:00", ScheduleError::Day),
            ("Mon 08:10-09:00", ScheduleError::Time),
            ("Mon 8:00-09:00", ScheduleError::Time),
            ("Mon 08:00-24:15", ScheduleError::Time),
            ("Mon 08:00-08:00", ScheduleError::Empty),
            ("Mon 24:00-08:00", ScheduleError::Empty),
        ] {
            let mut schedule = Schedule::default();
            assert_eq!(schedule.select(text), Err(error), "{text}");
            assert!(schedule.is_empty(), "{text}");
        }
    }

    #[test]
    fn days_are_named_alone_in_lists_and_in_ranges() {
        assert_eq!(schedule(&["sat,SUN 10:00-12:30"]).to_string(), "Sat 10:00-12:30, Sun 10:00-12:30");
        assert_eq!(schedule(&["Sat-Mon 01:00-02:00"]), schedule(&["Sat,Sun,Mon 01:00-02:00"]));
        assert_eq!(
            schedule(&["daily 00:00-24:00"]),
            schedule(&["Mon-Sun 00:00-12:00", "Tue-Mon 12:00-24:00"])
        );
    }

    proptest! {
        /// What is shown selects the same again.
        #[test]
        fn the_text_of_a_schedule_gives_it_back(cells in proptest::collection::vec(0..CELLS, 1..40)) {
            let mut schedule = Schedule::default();
            cells.into_iter().for_each(|cell| schedule.set(cell));
            let mut again = Schedule::default();
            for part in schedule.to_string().split(", ") {
                again.select(part).unwrap();
            }
            prop_assert_eq!(again, schedule);
        }

        /// Nothing is active between a time and the next one that is.
        #[test]
        fn the_next_time_is_the_next(cells in proptest::collection::vec(0..CELLS, 1..4), after in 0_i64..604_800) {
            let mut schedule = Schedule::default();
            cells.into_iter().for_each(|cell| schedule.set(cell));
            let from = MONDAY.plus_seconds(after);
            let next = schedule.next_active(from).unwrap();
            prop_assert!(schedule.is_active(next) && next.unix() - from.unix() < 604_800);
            let mut time = from;
            while time < next {
                prop_assert!(!schedule.is_active(time));
                time = time.plus_seconds(300).min(next);
            }
        }

        #[test]
        fn no_text_makes_it_panic(text in ".{0,30}") {
            let _ = Schedule::default().select(&text);
        }
    }
}
