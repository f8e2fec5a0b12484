//! Which repetitions of an event are told: the first, the second, the fourth, the eighth and so on, and one a day in any
//! case.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use clock::WallTime;

use super::EventKind;

/// Different events that are remembered. The one that has not come for longest makes room, and is news when it comes.
const MOST: usize = 1_024;
/// Characters of a cause that count.
const CAUSE: usize = 256;
/// One that has not come for so long is news, or for four times as long as it took before.
const QUIET_S: i64 = 3_600;
/// However often it comes, it is told once in this time.
const AT_LEAST_EVERY_S: i64 = 86_400;

/// Kind, subject, cause.
type Key = (EventKind, String, String);

/// What has happened before.
#[derive(Debug, Default)]
pub(super) struct Repeats {
    runs: BTreeMap<Key, Run>,
}

#[derive(Debug)]
struct Run {
    times: u64,
    first: WallTime,
    last: WallTime,
    /// Longest time between two of them.
    gap_s: i64,
    /// When it is told again: at this count.
    next: u64,
    told: WallTime,
    told_as: u64,
}

/// Whether an event is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// It is new.
    First,
    /// It has happened so often.
    Again {
        /// This time included.
        times: u64,
        /// When it was new.
        first: WallTime,
    },
    /// It is not; the count of the one that was is to be raised.
    Not {
        /// Number of the last one that was told.
        told_as: u64,
        /// This time included.
        times: u64,
        /// When it was new.
        first: WallTime,
    },
}

impl Repeats {
    /// An event happens, which is to have `number` if it is told.
    pub(super) fn note(
        &mut self,
        now: WallTime,
        kind: EventKind,
        subject: &str,
        cause: &str,
        number: u64,
    ) -> Told {
        let key = (kind, host_of(subject), cause.chars().take(CAUSE).collect());
        let since = |then: WallTime| now.unix().saturating_sub(then.unix());
        if let Some(run) = self.runs.get_mut(&key)
            && since(run.last) <= QUIET_S.max(run.gap_s.saturating_mul(4))
        {
            run.gap_s = run.gap_s.max(since(run.last));
            run.last = now;
            run.times += 1;
            let (times, first) = (run.times, run.first);
            if times < run.next && since(run.told) < AT_LEAST_EVERY_S {
                return Told::Not { told_as: run.told_as, times, first };
            }
            run.next = run.next.max(times).saturating_mul(2);
            (run.told, run.told_as) = (now, number);
            return Told::Again { times, first };
        }
        if self.runs.len() >= MOST {
            let oldest = self.runs.iter().min_by_key(|(_, run)| run.last).map(|(key, _)| key.clone());
            oldest.and_then(|key| self.runs.remove(&key));
        }
        let run = Run { times: 1, first: now, last: now, gap_s: 0, next: 2, told: now, told_as: number };
        self.runs.insert(key, run);
        Told::First
    }

    /// Whatever happens to `subject` from now on is new.
    pub(super) fn forget(&mut self, subject: &str) {
        let host = host_of(subject);
        self.runs.retain(|(_, of, _), _| *of != host);
    }
}

/// A text in which each number is one and the same.
pub(super) fn without_numbers(text: &str) -> String {
    let mut masked = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '0'..='9' if masked.ends_with('#') => {}
            '0'..='9' => masked.push('#'),
            c => masked.push(c),
        }
    }
    masked
}

/// A peer's port says nothing of who it is.
fn host_of(subject: &str) -> String {
    subject.parse::<SocketAddr>().map_or_else(|_| subject.to_owned(), |address| address.ip().to_string())
}
