//! Message tracking searched by anything but an identifier: hour by hour, the newest first.
//!
//! Words of subjects and addresses are looked up in the index, and what it finds is read and compared. Anything else, and
//! hours that the index does not have, is read entry by entry. In either case one request reads a bounded part of the
//! store, gives what it has found there, and names where to go on, as lists of queues do.

use std::collections::BTreeMap;
use std::sync::Arc;

use agent::TrackRecord;
use agent::record::{Record, TRACK, TrackKey};
use clock::WallTime;

use crate::handle::AdminError;
use crate::shared::Shared;
use crate::tracking::Tracked;
use crate::tracking_index::{Field, Next, TrackingIndex, TrackingQuery, Word, message_keys};

/// Records that one request reads at most.
const MOST_READ: usize = 20_000;
/// Messages that one request looks at because the index names them.
const MOST_NAMED: usize = 2_000;
/// Hours that one request looks at most.
const MOST_HOURS: usize = 2_000;
/// Records read at once.
const PAGE: usize = 1_000;

/// From when until when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TrackingSpan {
    /// The earliest time.
    pub since: WallTime,
    /// The latest time.
    pub until: WallTime,
}

/// A part of what was found.
#[derive(Clone, Debug)]
pub struct TrackingPage {
    /// What is in it, the newest first.
    pub items: Vec<Tracked>,
    /// Where the next part begins, if there may be one.
    pub next: Option<String>,
}

/// Where a search stands: an hour, and how far into it.
#[derive(Clone)]
struct Place {
    hour: u32,
    after: Option<Vec<u8>>,
}

impl Place {
    fn text(&self) -> String {
        let digits = self.after.iter().flatten().map(|octet| format!("{octet:02x}")).collect::<String>();
        format!("{}.{digits}", self.hour)
    }

    fn parse(text: &str) -> Option<Place> {
        let (hour, digits) = text.split_once('.')?;
        let hour = hour.parse().ok()?;
        if digits.is_empty() {
            return Some(Place { hour, after: None });
        }
        if !digits.len().is_multiple_of(2) || !digits.bytes().all(|octet| octet.is_ascii_hexdigit()) {
            return None;
        }
        let pairs = digits.as_bytes().chunks(2);
        let octets = pairs.map(|pair| u8::from_str_radix(str::from_utf8(pair).ok()?, 16).ok());
        Some(Place { hour, after: Some(octets.collect::<Option<Vec<u8>>>()?) })
    }

    /// The start of an hour.
    fn of(hour: u32) -> Place {
        Place { hour, after: None }
    }

    /// The hour before; none before the first.
    fn back(&self) -> Option<Place> {
        Some(Place { hour: self.hour.checked_sub(1)?, after: None })
    }
}

/// One search, and what it has found: by number, since what is found by two identifiers is there twice.
struct Search<'s, W> {
    shared: &'s Shared,
    first_hour: u32,
    limit: usize,
    is_wanted: W,
    found: BTreeMap<u64, TrackRecord>,
    read: usize,
    named: usize,
    hours: usize,
}

pub(crate) async fn search(
    shared: &Shared,
    span: TrackingSpan,
    query: &TrackingQuery,
    after: Option<&str>,
    limit: usize,
    wanted: impl Fn(&TrackRecord) -> bool,
) -> Result<TrackingPage, AdminError> {
    let first = shared.spool.scan(TRACK, &[], None, 1).await?;
    let oldest = first.first().and_then(|(key, _)| TrackKey::parse(key)).map(|key| key.hour);
    let Some(oldest) = oldest else { return Ok(TrackingPage { items: Vec::new(), next: None }) };
    let first_hour = oldest.max(TrackKey::hour_of(span.since));
    let place = match after {
        Some(text) => Place::parse(text).ok_or_else(|| AdminError::NoSuchPlace(text.to_owned()))?,
        None => Place::of(TrackKey::hour_of(span.until.min(shared.clocks.wall()))),
    };
    let is_wanted = |record: &TrackRecord| {
        (span.since..=span.until).contains(&record.time) && query.fits(record) && wanted(record)
    };
    let found = BTreeMap::new();
    let mut search = Search { shared, first_hour, limit, is_wanted, found, read: 0, named: 0, hours: 0 };
    let words = query.words();
    let mut index = shared.tracking_index.as_ref().filter(|_| !words.is_empty());
    let mut place = Some(place).filter(|place| place.hour >= first_hour);
    while let Some(here) = place.take() {
        place = match index {
            Some(of) if of.has(here.hour) => match search.indexed(of, &words, here).await? {
                Indexed::On(next) => next,
                Indexed::Unaided(here) => {
                    index = None;
                    Some(here)
                }
            },
            Some(_) | None => search.page(here).await?,
        };
        if search.is_enough() {
            break;
        }
    }
    let mut items: Vec<(u64, TrackRecord)> = search.found.into_iter().collect();
    items.sort_by_key(|(number, record)| std::cmp::Reverse((record.time, *number)));
    let items = items.into_iter().map(|(_, record)| Tracked::from(record)).collect();
    Ok(TrackingPage { items, next: place.map(|place| place.text()) })
}

impl<W: Fn(&TrackRecord) -> bool> Search<'_, W> {
    fn is_enough(&self) -> bool {
        self.found.len() >= self.limit
            || self.read >= MOST_READ
            || self.named >= MOST_NAMED
            || self.hours >= MOST_HOURS
    }

    /// Takes what is wanted of some entries.
    fn take(&mut self, page: &[(Vec<u8>, Vec<u8>)]) {
        self.read += page.len();
        for (key, octets) in page {
            if let (Some(key), Ok(record)) = (TrackKey::parse(key), TrackRecord::decode(octets))
                && (self.is_wanted)(&record)
            {
                self.found.insert(key.sequence, record);
            }
        }
    }

    /// Reads on, entry by entry; gives the next place.
    async fn page(&mut self, here: Place) -> Result<Option<Place>, AdminError> {
        let page =
            self.shared.spool.scan(TRACK, &here.hour.to_be_bytes(), here.after.as_deref(), PAGE).await?;
        self.take(&page);
        Ok(match page.into_iter().nth(PAGE - 1) {
            Some((last, _)) => Some(Place { after: Some(last), ..here }),
            None => {
                self.hours += 1;
                here.back().filter(|before| before.hour >= self.first_hour)
            }
        })
    }

    /// Reads what the index names; gives the next place.
    async fn indexed(
        &mut self,
        index: &Arc<TrackingIndex>,
        words: &[(Field, Word)],
        here: Place,
    ) -> Result<Indexed, AdminError> {
        let (of, asked) = (Arc::clone(index), words.to_vec());
        let (from, floor, most) = (here.hour, self.first_hour, self.limit);
        let look = move || of.find(&asked, from, floor, most);
        let looked = self.shared.surroundings.blocking(true, look).await?;
        for (hour, messages) in looked.messages {
            for message in messages {
                let (start, end) = message_keys(hour, message);
                let after = here.after.as_deref().filter(|_| hour == here.hour);
                if after.is_some_and(|after| after >= end.as_slice()) {
                    continue;
                }
                let page = self.shared.spool.scan(TRACK, &start, after, PAGE).await?;
                self.named += 1;
                self.take(&page);
                if self.is_enough() {
                    return Ok(Indexed::On(Some(Place { hour, after: Some(end) })));
                }
            }
        }
        Ok(match looked.next {
            Next::Nothing => Indexed::On(None),
            Next::Indexed(hour) => Indexed::On(Some(Place::of(hour))),
            Next::Missing(hour) => Indexed::On(Some(if hour == from { here } else { Place::of(hour) })),
            Next::Unaided => Indexed::Unaided(here),
        })
    }
}

/// What the index had.
enum Indexed {
    /// What it names has been read; the next place.
    On(Option<Place>),
    /// The words are of no help.
    Unaided(Place),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_read_as_it_was_written() {
        for text in ["12.", "497123.0007ff"] {
            assert_eq!(Place::parse(text).map(|place| place.text()).as_deref(), Some(text));
        }
        for odd in ["", "12", "x.", "1.0", "1.zz", "-1."] {
            assert!(Place::parse(odd).is_none(), "{odd}");
        }
        assert!(Place { hour: 0, after: None }.back().is_none());
    }
}
