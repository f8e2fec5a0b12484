//! A portion of the index as it is made in memory, and its form on the disk: for each word the messages of one hour in
//! whose entries it stands.
//!
//! A message is the first octets of the digest under which its entries stand, which name it well enough within an hour:
//! what is found is read and compared anyway.

use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;

use agent::TrackRecord;
use agent::record::{TrackKey, track_digest};

use super::words::{self, Field};

/// Messages by the start of their digests, ascending, each once.
pub(super) type Messages = Vec<u32>;

/// Hours of one shelf: a week.
const SHELF_HOURS: u32 = 168;
/// Octets behind the word in a key: a separator, the hour, the number of the portion.
const KEY_TAIL: usize = 9;

/// Addresses of which it is remembered where their words are.
const MAX_ADDRESSES: usize = 4_096;

/// Words of one hour.
#[derive(Debug, Default)]
pub(super) struct Chunk {
    /// Whose entries these are.
    pub(super) hour: u32,
    /// Where in `messages` those of a word are.
    terms: BTreeMap<Vec<u8>, usize>,
    messages: Vec<Messages>,
    /// The same for all words of an address: most come again and again.
    addresses: HashMap<(Field, String), Vec<usize>>,
    /// Messages that stand behind words, one by one.
    postings: usize,
}

impl Chunk {
    pub(super) fn of_hour(hour: u32) -> Chunk {
        Chunk { hour, ..Chunk::default() }
    }

    pub(super) fn add(&mut self, entry: &TrackRecord) {
        let message = message(&track_digest(&entry.mts_identifier));
        let identifiers = [&entry.mts_identifier].into_iter().chain(&entry.subject);
        let single = entry.ipm_subject.iter().flat_map(|subject| words::of_subject(subject));
        for term in single.chain(identifiers.map(|identifier| words::of_identifier(identifier))) {
            let place = self.place_of(term);
            self.post(place, message);
        }
        let originator = entry.originator.iter().map(|address| (Field::Originator, address));
        let recipients = entry.recipients.iter().map(|address| (Field::Recipient, address));
        for (field, address) in originator.chain(recipients) {
            let key = (field, address.clone());
            if let Some(places) = self.addresses.remove(&key) {
                places.iter().for_each(|place| self.post(*place, message));
                self.addresses.insert(key, places);
                continue;
            }
            let places: Vec<usize> =
                words::of_address(field, address).map(|term| self.place_of(term)).collect();
            places.iter().for_each(|place| self.post(*place, message));
            if self.addresses.len() < MAX_ADDRESSES {
                self.addresses.insert(key, places);
            }
        }
    }

    fn place_of(&mut self, term: Vec<u8>) -> usize {
        let next = self.messages.len();
        let place = *self.terms.entry(term).or_insert(next);
        if place == next {
            self.messages.push(Messages::new());
        }
        place
    }

    fn post(&mut self, place: usize, message: u32) {
        let Some(messages) = self.messages.get_mut(place) else { return };
        // What happens to a message in quick succession is one.
        if messages.last() != Some(&message) {
            messages.push(message);
            self.postings = self.postings.saturating_add(1);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.terms.is_empty()
    }

    pub(super) fn postings(&self) -> usize {
        self.postings
    }

    /// Its entries in the index, as portion `number`.
    pub(super) fn into_entries(mut self, number: u32) -> impl Iterator<Item = (Vec<u8>, Vec<u8>)> {
        let hour = self.hour;
        self.terms.into_iter().map(move |(term, place)| {
            let mut messages = self.messages.get_mut(place).map(std::mem::take).unwrap_or_default();
            messages.sort_unstable();
            messages.dedup();
            let mut key = self::place(&term, hour);
            key.extend_from_slice(&number.to_be_bytes());
            (key, messages.iter().flat_map(|message| message.to_be_bytes()).collect())
        })
    }

    /// Adds the messages of a word.
    pub(super) fn messages(&self, term: &[u8], to: &mut Messages) {
        let place = self.terms.get(term);
        to.extend(place.and_then(|place| self.messages.get(*place)).into_iter().flatten());
    }

    /// Whether there is such a word.
    pub(super) fn has(&self, term: &[u8]) -> bool {
        self.terms.contains_key(term)
    }

    /// The words that begin so.
    pub(super) fn beginning<'a>(&'a self, start: &'a [u8]) -> impl Iterator<Item = &'a Vec<u8>> {
        let from = (Bound::Included(start), Bound::Unbounded);
        self.terms
            .range::<[u8], _>(from)
            .map(|(term, _)| term)
            .take_while(move |term| term.starts_with(start))
    }
}

/// By what the index names a message within an hour: what its entries' keys have behind the hour.
pub(super) fn message(digest: &[u8; 16]) -> u32 {
    let [a, b, c, d, ..] = *digest;
    u32::from_be_bytes([a, b, c, d])
}

/// Start and end of the keys of the entries of a message.
pub(crate) fn message_keys(hour: u32, message: u32) -> (Vec<u8>, Vec<u8>) {
    let start = [hour.to_be_bytes(), message.to_be_bytes()].concat();
    let mut digest = [u8::MAX; 16];
    digest.iter_mut().zip(message.to_be_bytes()).for_each(|(to, from)| *to = from);
    (start, TrackKey { hour, digest, sequence: u64::MAX }.encode())
}

/// The shelf of an hour.
pub(super) fn shelf_of(hour: u32) -> u32 {
    hour / SHELF_HOURS
}

/// The first hour of a shelf.
pub(super) fn shelf_start(shelf: u32) -> u32 {
    shelf.saturating_mul(SHELF_HOURS)
}

/// The last hour of a shelf.
pub(super) fn shelf_end(shelf: u32) -> u32 {
    shelf.saturating_add(1).saturating_mul(SHELF_HOURS).saturating_sub(1)
}

/// Where what a word has of an hour begins; later hours stand before.
pub(super) fn place(term: &[u8], hour: u32) -> Vec<u8> {
    let mut key = Vec::with_capacity(term.len().saturating_add(KEY_TAIL));
    key.extend_from_slice(term);
    key.push(0);
    key.extend_from_slice(&(!hour).to_be_bytes());
    key
}

/// Word and hour of a key.
pub(super) fn parse(key: &[u8]) -> Option<(&[u8], u32)> {
    let (term, tail) = key.split_at_checked(key.len().checked_sub(KEY_TAIL)?)?;
    let hour = tail.get(1..5)?.try_into().ok()?;
    Some((term, !u32::from_be_bytes(hour)))
}

/// The messages of an entry.
pub(super) fn read(value: &[u8], to: &mut Messages) {
    to.extend(value.as_chunks::<4>().0.iter().map(|octets| u32::from_be_bytes(*octets)));
}

#[cfg(test)]
mod tests {
    use super::super::words::tests::entry;
    use super::*;

    #[test]
    fn later_hours_of_a_word_stand_first_and_no_word_stands_among_those_of_another() {
        let keys: Vec<Vec<u8>> = [("sab", 9), ("sab", 8), ("sabc", 9), ("sabc", 1), ("sabç", 9)]
            .map(|(term, hour)| [place(term.as_bytes(), hour), vec![0, 0, 0, 1]].concat())
            .into();
        assert!(keys.is_sorted());
        let parsed: Vec<_> = keys.iter().filter_map(|key| parse(key)).map(|(_, hour)| hour).collect();
        assert_eq!(parsed, [9, 8, 9, 1, 9]);
        assert_eq!(parse(&[0; 8]), None);
    }

    #[test]
    fn a_message_stands_once_behind_a_word_however_much_happens_to_it() {
        let mut chunk = Chunk::of_hour(5);
        let mut entries: Vec<_> = (0..3).map(|_| entry("invoice", "S=a", &[])).collect();
        entries[1].mts_identifier = "another".into();
        entries.iter().for_each(|entry| chunk.add(entry));
        let stored: Vec<_> = chunk.into_entries(7).collect();
        let mut messages = Messages::new();
        let (_, value) =
            stored.iter().find(|(key, _)| key.starts_with(b"sinvoice\0")).expect("the word is there");
        read(value, &mut messages);
        let mut expected = [message(&track_digest("id")), message(&track_digest("another"))];
        expected.sort_unstable();
        assert_eq!(messages, expected);
    }
}
