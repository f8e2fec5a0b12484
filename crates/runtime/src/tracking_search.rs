//! Message tracking searched by anything but an identifier: hour by hour, the newest first.
//!
//! There is no index for this. One request reads a bounded part of the store, gives what it has found there, and names
//! where to go on, as lists of queues do.

use std::collections::BTreeMap;

use agent::TrackRecord;
use agent::record::{Record, TRACK, TrackKey};
use clock::WallTime;

use crate::handle::AdminError;
use crate::shared::Shared;
use crate::tracking::Tracked;

/// Records that one request reads at most.
const MOST_READ: usize = 20_000;
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

    /// The hour before; none before the first.
    fn back(&self) -> Option<Place> {
        Some(Place { hour: self.hour.checked_sub(1)?, after: None })
    }
}

pub(crate) async fn search(
    shared: &Shared,
    span: TrackingSpan,
    after: Option<&str>,
    limit: usize,
    wanted: impl Fn(&TrackRecord) -> bool,
) -> Result<TrackingPage, AdminError> {
    let spool = &*shared.spool;
    let first = spool.scan(TRACK, &[], None, 1).await?;
    let oldest = first.first().and_then(|(key, _)| TrackKey::parse(key)).map(|key| key.hour);
    let Some(oldest) = oldest else { return Ok(TrackingPage { items: Vec::new(), next: None }) };
    let last_hour = oldest.max(TrackKey::hour_of(span.since));
    let mut place = match after {
        Some(text) => Some(Place::parse(text).ok_or_else(|| AdminError::NoSuchPlace(text.to_owned()))?),
        None => Some(Place { hour: TrackKey::hour_of(span.until.min(shared.clocks.wall())), after: None }),
    };
    // By number: what is found by two identifiers is there twice.
    let mut found = BTreeMap::new();
    let (mut read, mut hours) = (0_usize, 0_usize);
    while let Some(Place { hour, after }) = place.take() {
        if hour < last_hour {
            break;
        }
        let page = spool.scan(TRACK, &hour.to_be_bytes(), after.as_deref(), PAGE).await?;
        read += page.len();
        for (key, octets) in &page {
            let (Some(key), Ok(record)) = (TrackKey::parse(key), TrackRecord::decode(octets)) else {
                continue;
            };
            if (span.since..=span.until).contains(&record.time) && wanted(&record) {
                found.insert(key.sequence, record);
            }
        }
        let here = Place { hour, after };
        place = match page.into_iter().nth(PAGE - 1) {
            Some((last, _)) => Some(Place { after: Some(last), ..here }),
            None => {
                hours += 1;
                here.back().filter(|before| before.hour >= last_hour)
            }
        };
        if found.len() >= limit || read >= MOST_READ || hours >= MOST_HOURS {
            break;
        }
    }
    let mut items: Vec<(u64, TrackRecord)> = found.into_iter().collect();
    items.sort_by_key(|(number, record)| std::cmp::Reverse((record.time, *number)));
    let items = items.into_iter().map(|(_, record)| Tracked::from(record)).collect();
    Ok(TrackingPage { items, next: place.map(|place| place.text()) })
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
