//! Looking words up: the hours in which all of them occur, the latest first, and the messages of each.
//!
//! Of each word the latest hour is looked for that is not after the one in hand; the earliest of these is the next in
//! hand, until all agree. So a rare word leads past whatever others fill.

use std::collections::BTreeMap;

use spool::{SpoolError, Walk};

use super::chunk::{self, Chunk, Messages};
use super::words::{Field, Word};
use super::{TrackingIndex, lock};

/// Words that the start of one may stand for within a week; with more of them it does not help to find anything.
const MAX_ENDINGS: usize = 200;
/// Looks into the index by one search.
const MAX_LOOKS: usize = 4_000;

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
    /// Hours from `from` back to `floor` in which all of the words occur, with the messages, until at least `most`
    /// messages are found. May block on the disk.
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
            let Some(next) = lookup.agreed(&asked, hour)? else {
                found.next = missing.map_or(Next::Nothing, Next::Missing);
                return Ok(found);
            };
            let messages = lookup.messages(&asked, next)?;
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
            return Ok(Some(Asked { exact, endings: BTreeMap::new(), in_memory: Vec::new() }));
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
        Ok((most <= MAX_ENDINGS).then_some(Asked { exact: None, endings, in_memory }))
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

    /// The latest hour, not after `hour`, in which all words occur.
    fn agreed(&mut self, asked: &[Asked], mut hour: u32) -> Result<Option<u32>, SpoolError> {
        loop {
            let before = hour;
            for word in asked {
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
    fn latest(&mut self, asked: &Asked, hour: u32) -> Result<Option<u32>, SpoolError> {
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
            for term in asked.exact.iter().chain(asked.endings.get(&shelf).into_iter().flatten()) {
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

    /// The messages of an hour in which all words occur, ascending.
    fn messages(&mut self, asked: &[Asked], hour: u32) -> Result<Messages, SpoolError> {
        let mut common: Option<Messages> = None;
        let shelf = chunk::shelf_of(hour);
        for word in asked {
            let mut messages = Messages::new();
            let in_memory = word.exact.iter().chain(&word.in_memory);
            if self.chunk.hour == hour {
                in_memory.for_each(|term| self.chunk.messages(term, &mut messages));
            }
            for term in word.exact.iter().chain(word.endings.get(&shelf).into_iter().flatten()) {
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
}
