//! Looking words up: the hours in which all of them occur, the latest first, and the messages of each.
//!
//! Of each word the latest hour is looked for that is not after the one in hand; the earliest of these is the next in
//! hand, until all agree. So a rare word leads past whatever others fill. Which words are rare is seen as they are read:
//! from then on they come first, what a common one fills is read only where others leave many messages, and several
//! hours of a rare one are read at once. Whatever is found is compared anyway, so a word may be passed over.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use spool::{SpoolError, Walk};

use super::chunk::{self, Chunk, Messages};
use super::words::{Field, Word};
use super::{TrackingIndex, lock};

/// Words that the start of one may stand for within a week; with more of them it does not help to find anything.
const MAX_ENDINGS: usize = 200;
/// Looks into the index by one search.
const MAX_LOOKS: usize = 4_000;
/// A word with more messages than this in an hour leads nowhere that a rarer one does not.
const COMMON: usize = 64;
/// So few messages are read rather than what a common word fills.
const FEW: usize = 4;
/// Portions of a word read at once, as long as they have no more messages than a common word.
const AHEAD: usize = 64;

/// What was found of some hours.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Found {
    /// Hours, and messages in them, in the order in which they are to be looked at.
    pub(crate) messages: Vec<(u32, Messages)>,
    /// The hour to go on with.
    pub(crate) next: Next,
}

/// How a search goes on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Next {
    /// All hours have been looked at.
    #[default]
    Nothing,
    /// With this hour, by the index.
    Indexed(u32),
    /// With this hour, which the index does not have.
    Missing(u32),
    /// Without the index, which is of no help.
    Unaided,
}

/// A word with what it stands for on each shelf.
struct Asked {
    exact: Option<Vec<u8>>,
    endings: BTreeMap<u32, Vec<Vec<u8>>>,
    in_memory: Vec<Vec<u8>>,
    /// Messages of the last hour that was read of it.
    messages: usize,
    /// What was read of an exact one beyond what was asked for.
    ahead: Option<Ahead>,
}

/// All that some hours of a shelf have of a word.
struct Ahead {
    hours: RangeInclusive<u32>,
    /// The latest first; an hour may have several portions.
    portions: Vec<(u32, Messages)>,
}

/// One search.
struct Lookup<'i> {
    index: &'i TrackingIndex,
    chunk: &'i Chunk,
    shelves: Vec<u32>,
    floor: u32,
    looks: usize,
}

impl TrackingIndex {
    /// Hours from `from` back to `floor` in which all of the words occur, with the messages, and perhaps a few in which only
    /// some do, until at least `most` messages are found. May block on the disk.
    ///
    /// # Errors
    /// The index can't be read.
    pub(crate) fn find(
        &self,
        words: &[(Field, Word)],
        from: u32,
        floor: u32,
        most: usize,
    ) -> Result<Found, SpoolError> {
        let mut live = lock(&self.live);
        // What steps have left until now is found as well.
        let may_write = live.may_write;
        self.absorb(&mut live, may_write)?;
        let live = &*live;
        let shelves: Vec<u32> = self.side.shelves().into_iter().rev().collect();
        let mut lookup = Lookup { index: self, chunk: &live.chunk, shelves, floor, looks: 0 };
        let mut asked = Vec::new();
        for (field, word) in words {
            asked.extend(lookup.endings(*field, word)?);
        }
        let mut found = Found::default();
        if asked.is_empty() {
            found.next = Next::Unaided;
            return Ok(found);
        }
        let mut hour = from;
        let mut count = 0;
        loop {
            if !live.coverage.has(hour) {
                found.next = Next::Missing(hour);
                return Ok(found);
            }
            // A missing hour is not to be passed over.
            let missing = live.coverage.missing_before(hour).filter(|missing| *missing >= floor);
            lookup.floor = missing.map_or(floor, |missing| missing.saturating_add(1));
            let Some(next) = lookup.agreed(&mut asked, hour)? else {
                found.next = missing.map_or(Next::Nothing, Next::Missing);
                return Ok(found);
            };
            let messages = lookup.messages(&mut asked, next)?;
            asked.sort_by_key(|word| word.messages);
            count += messages.len();
            if !messages.is_empty() {
                found.messages.push((next, messages));
            }
            match next.checked_sub(1).filter(|before| *before >= floor) {
                None => return Ok(found),
                Some(before) if count >= most || lookup.looks >= MAX_LOOKS => {
                    found.next = Next::Indexed(before);
                    return Ok(found);
                }
                Some(before) => hour = before,
            }
        }
    }

    /// The hours in which there is anything of an MTS-identifier as it is printed, ascending; `None` as long as something is
    /// missing from the index. May block on the disk.
    ///
    /// # Errors
    /// The index can't be read.
    pub(crate) fn hours_of(&self, identifier: &str, most: usize) -> Result<Option<Vec<u32>>, SpoolError> {
        if !self.is_complete() {
            return Ok(None);
        }
        let words = [(Field::Identifier, Word::of_identifier(identifier))];
        let found = self.find(&words, u32::MAX, 0, most)?;
        let mut hours: Vec<u32> = found.messages.into_iter().map(|(hour, _)| hour).collect();
        hours.reverse();
        Ok((found.next == Next::Nothing).then_some(hours))
    }

    /// Whether the index has an hour.
    pub(crate) fn has(&self, hour: u32) -> bool {
        lock(&self.live).coverage.has(hour)
    }
}

impl Lookup<'_> {
    /// What a word stands for; `None` if it stands for too much.
    fn endings(&mut self, field: Field, word: &Word) -> Result<Option<Asked>, SpoolError> {
        let start = field.term(&word.text);
        if !word.is_prefix {
            let exact = Some(start);
            return Ok(Some(Asked::of(exact, BTreeMap::new(), Vec::new())));
        }
        let in_memory: Vec<Vec<u8>> = self.chunk.beginning(&start).take(MAX_ENDINGS + 1).cloned().collect();
        let mut endings = BTreeMap::new();
        let mut most = in_memory.len();
        for shelf in self.shelves.clone() {
            if chunk::shelf_end(shelf) < self.floor {
                break;
            }
            let terms = self.beginning(shelf, &start)?;
            most = most.max(terms.len());
            endings.insert(shelf, terms);
        }
        Ok((most <= MAX_ENDINGS).then(|| Asked::of(None, endings, in_memory)))
    }

    /// Words of a shelf that begin so, by leaping from one to the next.
    fn beginning(&mut self, shelf: u32, start: &[u8]) -> Result<Vec<Vec<u8>>, SpoolError> {
        let mut terms: Vec<Vec<u8>> = Vec::new();
        let mut from = start.to_vec();
        while terms.len() <= MAX_ENDINGS {
            self.looks += 1;
            let mut next = None;
            self.index.side.walk(shelf, &from, |key, _| {
                next = chunk::parse(key).map(|(term, _)| term.to_vec());
                Walk::Enough
            })?;
            let Some(term) = next.filter(|term| term.starts_with(start)) else { break };
            // Behind all that it has: its keys go on with a zero octet.
            from = [term.as_slice(), &[1]].concat();
            terms.push(term);
        }
        Ok(terms)
    }

    /// The latest hour, not after `hour`, in which all words occur, those aside that are common.
    fn agreed(&mut self, asked: &mut [Asked], mut hour: u32) -> Result<Option<u32>, SpoolError> {
        loop {
            let before = hour;
            for (n, word) in asked.iter_mut().enumerate() {
                if n > 0 && word.messages > COMMON {
                    continue;
                }
                match self.latest(word, hour)? {
                    Some(latest) => hour = latest,
                    None => return Ok(None),
                }
            }
            if hour == before {
                return Ok(Some(hour));
            }
        }
    }

    /// The latest hour, not after `hour`, in which a word occurs.
    fn latest(&mut self, asked: &mut Asked, hour: u32) -> Result<Option<u32>, SpoolError> {
        let mut latest = None;
        let is_here = |term: &Vec<u8>| self.chunk.has(term);
        if self.chunk.hour <= hour
            && self.chunk.hour >= self.floor
            && (asked.exact.as_ref().is_some_and(is_here) || !asked.in_memory.is_empty())
        {
            latest = Some(self.chunk.hour);
        }
        for shelf in self.shelves.clone() {
            if shelf > chunk::shelf_of(hour) {
                continue;
            }
            if chunk::shelf_end(shelf) < self.floor
                || latest.is_some_and(|hour| hour > chunk::shelf_end(shelf))
            {
                break;
            }
            latest = latest.max(self.leap(asked, shelf, hour)?);
            for term in asked.endings.get(&shelf).into_iter().flatten() {
                let place = chunk::place(term, hour);
                self.looks += 1;
                self.index.side.walk(shelf, &place, |key, _| {
                    if let Some((found, of)) = chunk::parse(key)
                        && found == term.as_slice()
                    {
                        latest = latest.max(Some(of));
                    }
                    Walk::Enough
                })?;
            }
        }
        Ok(latest.filter(|latest| *latest >= self.floor))
    }

    /// The latest hour of a shelf, not after `hour`, that has an exact word.
    fn leap(&mut self, asked: &mut Asked, shelf: u32, hour: u32) -> Result<Option<u32>, SpoolError> {
        let Some(term) = &asked.exact else { return Ok(None) };
        let mut hour = hour.min(chunk::shelf_end(shelf));
        if let Some(ahead) = asked.ahead.as_ref().filter(|ahead| ahead.hours.contains(&hour)) {
            if let Some((of, _)) = ahead.portions.iter().find(|(of, _)| *of <= hour) {
                return Ok(Some(*of));
            }
            let Some(before) = ahead.hours.start().checked_sub(1) else { return Ok(None) };
            if chunk::shelf_of(before) != shelf {
                return Ok(None);
            }
            hour = before;
        }
        let mut portions: Vec<(u32, Messages)> = Vec::new();
        let mut count = 0;
        let mut is_all = true;
        self.looks += 1;
        self.index.side.walk(shelf, &chunk::place(term, hour), |key, value| {
            let Some((_, of)) = chunk::parse(key).filter(|(found, _)| *found == term.as_slice()) else {
                return Walk::Enough;
            };
            let mut messages = Messages::new();
            if count <= COMMON {
                chunk::read(value, &mut messages);
                count += messages.len();
            }
            portions.push((of, messages));
            is_all = count <= COMMON && portions.len() < AHEAD;
            if is_all { Walk::On } else { Walk::Enough }
        })?;
        let latest = portions.first().map(|(of, _)| *of);
        let mut start = chunk::shelf_start(shelf);
        if !is_all && let Some((last, _)) = portions.last() {
            // There may be more of this hour.
            start = last.saturating_add(1);
            portions.retain(|(of, _)| *of >= start);
        }
        asked.ahead = Some(Ahead { hours: start..=hour, portions });
        Ok(latest)
    }

    /// Messages of an hour: all in which all words occur, and perhaps a few more. Ascending.
    fn messages(&mut self, asked: &mut [Asked], hour: u32) -> Result<Messages, SpoolError> {
        let mut common: Option<Messages> = None;
        for word in asked {
            if word.messages > COMMON && common.as_ref().is_some_and(|common| common.len() <= FEW) {
                continue;
            }
            let messages = self.of_word(word, hour)?;
            word.messages = messages.len();
            common = Some(match common {
                None => messages,
                Some(mut common) => {
                    common.retain(|message| messages.binary_search(message).is_ok());
                    common
                }
            });
            if common.as_ref().is_some_and(Vec::is_empty) {
                break;
            }
        }
        Ok(common.unwrap_or_default())
    }

    /// The messages of an hour in which a word occurs, ascending.
    fn of_word(&mut self, word: &Asked, hour: u32) -> Result<Messages, SpoolError> {
        let mut messages = Messages::new();
        if self.chunk.hour == hour {
            let in_memory = word.exact.iter().chain(&word.in_memory);
            in_memory.for_each(|term| self.chunk.messages(term, &mut messages));
        }
        let shelf = chunk::shelf_of(hour);
        let ahead = word.ahead.as_ref().filter(|ahead| ahead.hours.contains(&hour));
        if let Some(ahead) = ahead {
            let portions = ahead.portions.iter().filter(|(of, _)| *of == hour);
            portions.for_each(|(_, of_portion)| messages.extend(of_portion));
        }
        let exact = word.exact.iter().filter(|_| ahead.is_none());
        for term in exact.chain(word.endings.get(&shelf).into_iter().flatten()) {
            let place = chunk::place(term, hour);
            self.looks += 1;
            self.index.side.walk(shelf, &place, |key, value| {
                if !key.starts_with(&place) {
                    return Walk::Enough;
                }
                chunk::read(value, &mut messages);
                Walk::On
            })?;
        }
        messages.sort_unstable();
        messages.dedup();
        Ok(messages)
    }
}

impl Asked {
    fn of(exact: Option<Vec<u8>>, endings: BTreeMap<u32, Vec<Vec<u8>>>, in_memory: Vec<Vec<u8>>) -> Asked {
        Asked { exact, endings, in_memory, messages: 0, ahead: None }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic, reason = "a failed unwrap is a failed test")]
mod tests {
    use std::collections::BTreeSet;

    use agent::TrackRecord;
    use agent::record::track_digest;
    use clock::WallTime;

    use super::super::words::tests::entry;
    use super::*;

    /// More than two shelves.
    const HOURS: u32 = 400;

    /// An entry of the nth message of an hour. What comes how often: `all` always and `most` with one exception, `some` and
    /// `odd` in a part of each hour, `rare` twice in some hours, `once` once.
    fn nth(hour: u32, n: u32) -> TrackRecord {
        let mut words = vec!["all"];
        words.extend((hour != 77).then_some("most"));
        words.extend(n.is_multiple_of(3).then_some("some"));
        words.extend(n.is_multiple_of(10).then_some("odd"));
        words.extend((hour.is_multiple_of(37) && (n == 3 || n == 4)).then_some("rare"));
        words.extend((hour == 111 && n == 3).then_some("once"));
        TrackRecord {
            time: WallTime::from_unix(i64::from(hour) * 3_600),
            mts_identifier: format!("{hour}-{n}"),
            ..entry(&words.join(" "), "", &[])
        }
    }

    #[test]
    fn whatever_has_all_words_is_found_be_they_rare_or_common() {
        let directory = tempfile::tempdir().unwrap();
        let index = TrackingIndex::open(directory.path(), 1, 1).unwrap();
        for hour in 2..HOURS {
            // Every sixth hour comes in two portions, as if others had come between.
            let split = if hour.is_multiple_of(6) { 50 } else { 100 };
            for part in [0..split, split..100] {
                index.leave(part.map(|n| nth(hour, n)).collect());
                let mut live = lock(&index.live);
                index.absorb(&mut live, true).unwrap();
                if hour + 1 < HOURS {
                    index.write(&mut live, hour, true).unwrap();
                }
            }
        }
        for asked in [
            "rare",
            "all",
            "all rare",
            "rare most",
            "some odd all",
            "once all rare",
            "some rare odd",
            "all nowhere",
            "od* rar*",
            "most all",
        ] {
            let words: Vec<(Field, Word)> = asked
                .split(' ')
                .map(|word| {
                    let text = word.trim_end_matches('*').to_owned();
                    (Field::Subject, Word { text, is_prefix: word.ends_with('*') })
                })
                .collect();
            let mut expected = BTreeSet::new();
            for (hour, n) in (2..HOURS).flat_map(|hour| (0..100).map(move |n| (hour, n))) {
                let subject = nth(hour, n).ipm_subject.unwrap();
                let is_there = |(_, asked): &(Field, Word)| {
                    subject
                        .split(' ')
                        .any(|word| word == asked.text || asked.is_prefix && word.starts_with(&asked.text))
                };
                if words.iter().all(is_there) {
                    expected.insert((hour, chunk::message(&track_digest(&format!("{hour}-{n}")))));
                }
            }
            let (mut found, mut hours) = (BTreeSet::new(), Vec::new());
            let mut from = HOURS;
            loop {
                let part = index.find(&words, from, 2, 500).unwrap();
                for (hour, messages) in part.messages {
                    hours.push(hour);
                    found.extend(messages.into_iter().map(|message| (hour, message)));
                }
                match part.next {
                    Next::Nothing => break,
                    Next::Indexed(next) => from = next,
                    other => panic!("{asked}: {other:?}"),
                }
            }
            assert!(hours.is_sorted_by(|a, b| a > b), "{asked}: {hours:?}");
            assert!(found.is_superset(&expected), "{asked}");
            let more = found.len() - expected.len();
            assert!(more <= FEW * hours.len(), "{asked}: {more} too many");
        }
    }
}
