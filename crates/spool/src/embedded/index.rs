//! The ordered index: records of the callers, and where each body is with its references.
//!
//! Everything lives in ONE keyspace, told apart by the first octet of the key; the spaces above
//! [`Space::LAST`] are the engine's. One keyspace means one table in memory, one flush, and no idle keyspace
//! whose old changes keep the journal from being cut; the price is the sixteen reserved spaces. Values are never
//! separated from keys: large ones don't come here.

use std::ops::Bound;
use std::path::Path;

use fjall::{Database, Keyspace, KeyspaceCreateOptions, OwnedWriteBatch, PersistMode};

use super::Options;
use super::place::Location;
use crate::spool::ScanResult;
use crate::staging::{Counted, full_key};
use crate::{BodyId, Space, SpoolError};

const BODIES: Space = Space(0xF0);
const ENGINE: Space = Space(0xF1);
const BODY_ID_LIMIT: &[u8] = b"body-id-limit";
const ENTRY_VERSION: u8 = 1;
const ENTRY_OCTETS: usize = 33;

/// Smallest journal that the index can be told to keep to.
const JOURNAL_BYTES: u64 = 64 << 20;
const WORKERS: usize = 2;

/// The open index.
pub(super) struct Index {
    // Before the database: its handle must go first when the index closes.
    keyspace: Keyspace,
    database: Database,
}

/// Changes to be written together.
pub(super) struct IndexBatch {
    batch: OwnedWriteBatch,
    keyspace: Keyspace,
}

impl Index {
    pub(super) fn open(path: &Path, options: &Options) -> Result<Index, SpoolError> {
        let database = Database::builder(path)
            .cache_size(options.index_cache_bytes)
            .max_journaling_size(JOURNAL_BYTES)
            .worker_threads(WORKERS)
            .open()
            .map_err(failed("open"))?;
        let memtable = options.index_memtable_bytes;
        let keyspace = database
            .keyspace("spool", || KeyspaceCreateOptions::default().max_memtable_size(memtable))
            .map_err(failed("open"))?;
        Ok(Index { keyspace, database })
    }

    /// First body name that is not yet set aside; `None` in an index without a store.
    pub(super) fn body_id_limit(&self) -> Result<Option<u64>, SpoolError> {
        let Some(value) = self.keyspace.get(full_key(ENGINE, BODY_ID_LIMIT)).map_err(failed("read"))? else {
            return Ok(None);
        };
        let octets = <[u8; 8]>::try_from(&*value)
            .map_err(|_| SpoolError::BadEntry { what: "the body names".to_owned(), octets: value.len() })?;
        Ok(Some(u64::from_be_bytes(octets)))
    }

    /// Durably sets aside all body names below `limit`.
    pub(super) fn set_body_id_limit(&self, limit: u64) -> Result<(), SpoolError> {
        let mut batch = self.batch();
        batch.put(full_key(ENGINE, BODY_ID_LIMIT), limit.to_be_bytes().to_vec());
        self.commit(batch)
    }

    pub(super) fn batch(&self) -> IndexBatch {
        IndexBatch { batch: self.database.batch(), keyspace: self.keyspace.clone() }
    }

    /// Applies `batch` as one step; on stable storage, then visible, when it returns `Ok`.
    pub(super) fn commit(&self, batch: IndexBatch) -> Result<(), SpoolError> {
        batch.batch.durability(Some(PersistMode::SyncData)).commit().map_err(failed("commit"))
    }

    pub(super) fn contains(&self, key: &[u8]) -> Result<bool, SpoolError> {
        self.keyspace.contains_key(key).map_err(failed("read"))
    }

    pub(super) fn get(&self, space: Space, key: &[u8]) -> Result<Option<Vec<u8>>, SpoolError> {
        let value = self.keyspace.get(full_key(space, key)).map_err(failed("read"))?;
        Ok(value.map(|value| value.to_vec()))
    }

    pub(super) fn scan(&self, space: Space, prefix: &[u8], after: Option<&[u8]>, limit: usize) -> ScanResult {
        let prefix = full_key(space, prefix);
        let after = after.map(|after| full_key(space, after));
        let lower = match after {
            Some(after) if after >= prefix => Bound::Excluded(after),
            Some(_) | None => Bound::Included(prefix.clone()),
        };
        let upper = successor(&prefix).map_or(Bound::Unbounded, Bound::Excluded);
        if !is_range(&lower, &upper) {
            return Ok(Vec::new());
        }
        let mut found = Vec::new();
        for guard in self.keyspace.range((lower, upper)).take(limit) {
            let (key, value) = guard.into_inner().map_err(failed("scan"))?;
            found.push((key.get(1..).unwrap_or_default().to_vec(), value.to_vec()));
        }
        Ok(found)
    }

    /// Where a body is and how many references it has.
    pub(super) fn body(&self, body: BodyId) -> Result<Option<Counted<Location>>, SpoolError> {
        match self.keyspace.get(body_key(body)).map_err(failed("read"))? {
            Some(value) => decode(body, &value).map(Some),
            None => Ok(None),
        }
    }

    /// All bodies in ascending order of names. An entry that can't be understood is an error of its own.
    pub(super) fn bodies(
        &self,
    ) -> impl Iterator<Item = Result<(BodyId, Result<Counted<Location>, SpoolError>), SpoolError>> {
        self.keyspace.prefix([BODIES.0]).map(|guard| {
            let (key, value) = guard.into_inner().map_err(failed("scan"))?;
            let name = key.get(1..).and_then(|name| <[u8; 8]>::try_from(name).ok());
            let Some(name) = name else {
                return Err(SpoolError::BadEntry { what: format!("{key:?}"), octets: value.len() });
            };
            let body = BodyId(u64::from_be_bytes(name));
            Ok((body, decode(body, &value)))
        })
    }
}

impl IndexBatch {
    /// Stores under a full key.
    pub(super) fn put(&mut self, key: Vec<u8>, value: Vec<u8>) {
        self.batch.insert(&self.keyspace, key, value);
    }

    /// Removes a full key.
    pub(super) fn delete(&mut self, key: Vec<u8>) {
        self.batch.remove(&self.keyspace, key);
    }

    pub(super) fn put_body(&mut self, body: BodyId, location: &Location, references: u32) {
        self.put(body_key(body), encode(location, references));
    }

    pub(super) fn delete_body(&mut self, body: BodyId) {
        self.delete(body_key(body));
    }
}

fn body_key(body: BodyId) -> Vec<u8> {
    full_key(BODIES, &body.0.to_be_bytes())
}

fn encode(location: &Location, references: u32) -> Vec<u8> {
    let mut value = Vec::with_capacity(ENTRY_OCTETS);
    value.push(ENTRY_VERSION);
    value.extend_from_slice(&location.segment.to_be_bytes());
    value.extend_from_slice(&location.offset.to_be_bytes());
    value.extend_from_slice(&location.len.to_be_bytes());
    value.extend_from_slice(&location.crc.to_be_bytes());
    value.extend_from_slice(&references.to_be_bytes());
    value
}

fn decode(body: BodyId, value: &[u8]) -> Result<Counted<Location>, SpoolError> {
    let bad = || SpoolError::BadEntry { what: format!("body {body}"), octets: value.len() };
    let (&ENTRY_VERSION, rest) = value.split_first().ok_or_else(bad)? else {
        return Err(bad());
    };
    let (segment, rest) = rest.split_first_chunk().ok_or_else(bad)?;
    let (offset, rest) = rest.split_first_chunk().ok_or_else(bad)?;
    let (len, rest) = rest.split_first_chunk().ok_or_else(bad)?;
    let (crc, rest) = rest.split_first_chunk().ok_or_else(bad)?;
    let references = rest.try_into().map_err(|_| bad())?;
    let place = Location {
        segment: u64::from_be_bytes(*segment),
        offset: u64::from_be_bytes(*offset),
        len: u64::from_be_bytes(*len),
        crc: u32::from_be_bytes(*crc),
    };
    Ok(Counted { place, references: u32::from_be_bytes(references) })
}

/// The least key greater than all keys which start with `prefix`.
fn successor(prefix: &[u8]) -> Option<Vec<u8>> {
    let last = prefix.iter().rposition(|&octet| octet != 0xFF)?;
    let mut successor = prefix.get(..=last)?.to_vec();
    if let Some(octet) = successor.last_mut() {
        *octet = octet.saturating_add(1);
    }
    Some(successor)
}

/// False when the bounds have nothing between them.
fn is_range(lower: &Bound<Vec<u8>>, upper: &Bound<Vec<u8>>) -> bool {
    match (lower, upper) {
        (Bound::Included(low) | Bound::Excluded(low), Bound::Included(high) | Bound::Excluded(high)) => {
            low < high
        }
        (Bound::Unbounded, _) | (_, Bound::Unbounded) => true,
    }
}

fn failed(action: &'static str) -> impl FnOnce(fjall::Error) -> SpoolError {
    move |error| SpoolError::Index { action, source: Box::new(error) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_come_back() {
        let location = Location { segment: 1, offset: u64::MAX, len: 3, crc: 0x0102_0304 };
        let value = encode(&location, 9);
        let back = decode(BodyId(1), &value).unwrap();
        assert_eq!((back.place, back.references), (location, 9));
        for cut in 0..value.len() {
            assert!(decode(BodyId(1), &value[..cut]).is_err());
        }
        let newer = [&[ENTRY_VERSION + 1], &value[1..]].concat();
        assert!(decode(BodyId(1), &newer).is_err());
    }

    #[test]
    fn successors() {
        assert_eq!(successor(b"\x01ab"), Some(b"\x01ac".to_vec()));
        assert_eq!(successor(b"\x01\xff\xff"), Some(b"\x02".to_vec()));
        assert_eq!(successor(b"\xff"), None);
    }
}
