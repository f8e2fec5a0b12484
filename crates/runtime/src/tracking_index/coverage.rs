//! Of which hours the index has everything.

use std::collections::BTreeSet;

/// The note beside the index that this is kept in.
pub(super) const NOTE: &str = "coverage";

const VERSION: u8 = 1;
/// Hours that may be missing one by one; with more of them all older ones count as missing.
const MAX_MISSING: usize = 4_096;

/// Everything from an hour on, but for some.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Coverage {
    /// The earliest hour that is there; what is older is missing.
    low: u32,
    /// The latest hour of which something may have been written.
    high: u32,
    /// Later hours that are missing.
    missing: BTreeSet<u32>,
    /// The hour that is being read again.
    under_way: Option<u32>,
    /// The last portion.
    number: u32,
    /// The first number of the process after the one that ended in order.
    next: Option<u64>,
}

impl Coverage {
    /// What there is at a start in `hour`, by what was noted. What the process before had not written is missing, and all
    /// that other programs may have added since.
    pub(super) fn after_start(noted: Option<&[u8]>, hour: u32, first: u64) -> Coverage {
        let Some(mut coverage) = noted.and_then(Coverage::decode) else {
            let mut coverage = Coverage { low: hour, high: hour, ..Coverage::default() };
            coverage.missing.insert(hour);
            return coverage;
        };
        let before = coverage.high.min(hour);
        coverage.reach(hour);
        if coverage.next.take() != Some(first) {
            // An entry stands in the hour in which its step began, which may be the one before.
            coverage.lose_from(before.saturating_sub(1));
        }
        coverage
    }

    pub(super) fn has(&self, hour: u32) -> bool {
        hour >= self.low && self.under_way != Some(hour) && !self.missing.contains(&hour)
    }

    /// The latest missing hour that is not after `hour`.
    pub(super) fn missing_before(&self, hour: u32) -> Option<u32> {
        let listed = self.missing.range(..=hour).next_back().copied();
        let under_way = self.under_way.filter(|under_way| *under_way <= hour);
        let below = self.low.checked_sub(1).map(|below| below.min(hour));
        listed.max(under_way).max(below)
    }

    pub(super) fn is_complete(&self) -> bool {
        self.low == 0 && self.missing.is_empty() && self.under_way.is_none()
    }

    /// Hours up to this one are written.
    pub(super) fn reach(&mut self, hour: u32) {
        self.high = self.high.max(hour);
    }

    /// All from this hour on is to be read again.
    pub(super) fn lose_from(&mut self, hour: u32) {
        let from = hour.max(self.low);
        if self.high.saturating_sub(from) as usize >= MAX_MISSING {
            // As if it were new.
            self.low = self.high;
            self.missing.clear();
        }
        self.missing.extend(from.max(self.low)..=self.high);
    }

    /// What to read again next, if it is not older than `oldest`: from now on it is under way.
    pub(super) fn begin(&mut self, oldest: u32) -> Option<u32> {
        self.missing = self.missing.split_off(&oldest);
        if let Some(hour) = self.missing.pop_last() {
            self.under_way = Some(hour);
            return Some(hour);
        }
        let hour = self.low.checked_sub(1).filter(|hour| *hour >= oldest);
        match hour {
            Some(hour) => {
                self.low = hour;
                self.under_way = Some(hour);
            }
            // There is nothing older that could be missing.
            None => self.low = 0,
        }
        hour
    }

    /// The hour under way is there.
    pub(super) fn finish(&mut self) {
        self.under_way = None;
    }

    /// The hour under way has to be read once more.
    pub(super) fn give_up(&mut self) {
        self.missing.extend(self.under_way.take());
    }

    /// The number of a new portion.
    pub(super) fn next_number(&mut self) -> u32 {
        self.number = self.number.wrapping_add(1);
        self.number
    }

    /// The process ends in order.
    pub(super) fn end(&mut self, next: u64) {
        self.give_up();
        self.next = Some(next);
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut octets = vec![VERSION];
        for number in [self.low, self.high, self.number] {
            octets.extend_from_slice(&number.to_be_bytes());
        }
        octets.push(u8::from(self.next.is_some()));
        octets.extend_from_slice(&self.next.unwrap_or(0).to_be_bytes());
        for hour in self.missing.iter().chain(&self.under_way) {
            octets.extend_from_slice(&hour.to_be_bytes());
        }
        octets
    }

    /// `None` if it is not in the form that this program writes: the index is then as good as new.
    fn decode(octets: &[u8]) -> Option<Coverage> {
        let (&VERSION, rest) = octets.split_first()? else { return None };
        let (low, rest) = rest.split_first_chunk()?;
        let (high, rest) = rest.split_first_chunk()?;
        let (number, rest) = rest.split_first_chunk()?;
        let (&has_next, rest) = rest.split_first()?;
        let (next, rest) = rest.split_first_chunk()?;
        let (hours, []) = rest.as_chunks::<4>() else { return None };
        Some(Coverage {
            low: u32::from_be_bytes(*low),
            high: u32::from_be_bytes(*high),
            number: u32::from_be_bytes(*number),
            next: (has_next == 1).then(|| u64::from_be_bytes(*next)),
            missing: hours.iter().map(|hour| u32::from_be_bytes(*hour)).collect(),
            under_way: None,
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;

    /// Reads again whatever is missing.
    fn completed(mut coverage: Coverage, oldest: u32) -> (Vec<u32>, Coverage) {
        let mut hours = Vec::new();
        while let Some(hour) = coverage.begin(oldest) {
            assert!(!coverage.has(hour) && !coverage.is_complete());
            hours.push(hour);
            coverage.finish();
        }
        assert!(coverage.is_complete());
        (hours, coverage)
    }

    #[test]
    fn a_new_index_reads_everything_the_newest_first() {
        let coverage = Coverage::after_start(None, 100, 1);
        assert_eq!(coverage.missing_before(200), Some(100));
        assert_eq!(coverage.missing_before(50), Some(50));
        assert!(coverage.has(101));
        assert_eq!(completed(coverage, 97).0, [100, 99, 98, 97]);
    }

    #[test]
    fn after_an_end_in_order_nothing_is_missing_unless_somebody_else_was_there() {
        let (_, mut coverage) = completed(Coverage::after_start(None, 100, 1), 97);
        coverage.reach(105);
        coverage.end(77);
        let noted = coverage.encode();
        let after = Coverage::after_start(Some(&noted), 110, 77);
        assert!(after.is_complete() && after.has(105));
        let (hours, _) = completed(Coverage::after_start(Some(&noted), 107, 78), 97);
        assert_eq!(hours, [107, 106, 105, 104]);
    }

    #[test]
    fn after_a_disorderly_end_what_was_not_written_is_read_again() {
        let (_, mut coverage) = completed(Coverage::after_start(None, 100, 1), 97);
        coverage.reach(101);
        let after = Coverage::after_start(Some(&coverage.encode()), 103, 1);
        assert_eq!(completed(after, 97).0, [103, 102, 101, 100]);
        // A clock that has gone back.
        let after = Coverage::after_start(Some(&coverage.encode()), 99, 1);
        assert_eq!(completed(after, 97).0, [101, 100, 99, 98]);
    }

    #[test]
    fn an_end_in_the_middle_of_an_hour_reads_it_again() {
        let mut coverage = Coverage::after_start(None, 100, 1);
        assert_eq!(coverage.begin(90), Some(100));
        coverage.finish();
        assert_eq!(coverage.begin(90), Some(99));
        coverage.end(5);
        let after = Coverage::after_start(Some(&coverage.encode()), 100, 5);
        assert!(after.has(100) && !after.has(99) && !after.has(98));
        // The same if it never came to an end.
        let mut coverage = Coverage::after_start(None, 100, 1);
        coverage.begin(90);
        coverage.finish();
        coverage.begin(90);
        assert!(!Coverage::after_start(Some(&coverage.encode()), 100, 5).has(99));
    }

    #[test]
    fn what_is_older_than_everything_is_not_missing() {
        let mut coverage = Coverage::after_start(None, 100, 1);
        assert_eq!(coverage.begin(101), None);
        assert!(coverage.is_complete());
    }

    #[test]
    fn a_long_absence_is_as_if_it_were_new() {
        let (_, mut coverage) = completed(Coverage::after_start(None, 100, 1), 97);
        coverage.reach(100);
        let after = Coverage::after_start(Some(&coverage.encode()), 50_000, 1);
        assert!(after.missing.len() < 10);
        assert!(!after.has(40_000) && !after.has(50_000) && after.has(50_001));
    }

    #[test]
    fn a_note_in_disorder_is_none() {
        let coverage = Coverage::after_start(None, 100, 1);
        let noted = coverage.encode();
        assert_eq!(Coverage::decode(&noted).unwrap().encode(), noted);
        for end in 0..noted.len() {
            // Whole hours may be missing at the end, which nobody cuts off.
            assert!(Coverage::decode(&noted[..end]).is_none_or(|cut| cut.missing.is_empty()));
        }
        assert!(Coverage::decode(&[&[9], &noted[1..]].concat()).is_none());
    }
}
