//! What a step changes in the index, and how that is written in the log.
//!
//! The changes stand one after the other: kind (0 removes, 1 stores), length of the key as u16, length of the value as
//! u32, key, value. Numbers are little-endian. A key is as [`crate::staging::full_key`] makes it.

use super::entry::{self, body_key};
use super::place::Location;
use crate::BodyId;

const REMOVE: u8 = 0;
const STORE: u8 = 1;
/// Octets before key and value.
const HEAD: usize = 7;

/// Changes to be written together.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct IndexBatch {
    changes: Vec<(Vec<u8>, Option<Vec<u8>>)>,
}

impl IndexBatch {
    /// Stores under a full key.
    pub(super) fn put(&mut self, key: Vec<u8>, value: Vec<u8>) {
        self.changes.push((key, Some(value)));
    }

    /// Removes a full key.
    pub(super) fn delete(&mut self, key: Vec<u8>) {
        self.changes.push((key, None));
    }

    pub(super) fn put_body(&mut self, body: BodyId, location: &Location, references: u32) {
        self.put(body_key(body), entry::encode(location, references));
    }

    pub(super) fn delete_body(&mut self, body: BodyId) {
        self.delete(body_key(body));
    }

    /// The changes in order; `None` removes.
    pub(super) fn changes(&self) -> impl Iterator<Item = (&[u8], Option<&[u8]>)> {
        self.changes.iter().map(|(key, value)| (key.as_slice(), value.as_deref()))
    }

    /// The highest name among the bodies that it stores.
    pub(super) fn highest_body(&self) -> Option<BodyId> {
        let stored = self.changes().filter(|(_, value)| value.is_some());
        stored.filter_map(|(key, _)| entry::body_of(key)).max()
    }

    /// Appends the changes to `out`. Lengths are within the limits of a [`crate::Batch`].
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        for (key, value) in self.changes() {
            let kind = if value.is_some() { STORE } else { REMOVE };
            let value = value.unwrap_or_default();
            let key_len = u16::try_from(key.len()).unwrap_or(u16::MAX);
            let value_len = u32::try_from(value.len()).unwrap_or(u32::MAX);
            out.push(kind);
            out.extend_from_slice(&key_len.to_le_bytes());
            out.extend_from_slice(&value_len.to_le_bytes());
            out.extend_from_slice(key);
            out.extend_from_slice(value);
        }
    }

    /// The changes which [`IndexBatch::encode`] wrote; `None` if these octets are something else.
    pub(super) fn decode(mut octets: &[u8]) -> Option<IndexBatch> {
        let mut batch = IndexBatch::default();
        while !octets.is_empty() {
            let (&[kind, k0, k1, v0, v1, v2, v3], rest) = octets.split_first_chunk::<HEAD>()?;
            let key_len = usize::from(u16::from_le_bytes([k0, k1]));
            let value_len = usize::try_from(u32::from_le_bytes([v0, v1, v2, v3])).ok()?;
            let (key, rest) = rest.split_at_checked(key_len)?;
            let (value, rest) = rest.split_at_checked(value_len)?;
            match kind {
                STORE => batch.put(key.to_vec(), value.to_vec()),
                REMOVE => batch.delete(key.to_vec()),
                _ => return None,
            }
            octets = rest;
        }
        Some(batch)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn changes_come_back(
            changes in proptest::collection::vec(
                (proptest::collection::vec(any::<u8>(), 0..40), proptest::option::of(proptest::collection::vec(any::<u8>(), 0..90))),
                0..9,
            ),
        ) {
            let batch = IndexBatch { changes };
            let mut octets = Vec::new();
            batch.encode(&mut octets);
            let back = IndexBatch::decode(&octets);
            prop_assert_eq!(back.as_ref(), Some(&batch));
            // Cut short it is something else, or nothing.
            for cut in 0..octets.len() {
                let other = IndexBatch::decode(&octets[..cut]);
                prop_assert_ne!(other.as_ref(), Some(&batch));
            }
        }
    }

    #[test]
    fn the_form_is_fixed() {
        let mut batch = IndexBatch::default();
        batch.put(b"k".to_vec(), b"value".to_vec());
        batch.delete(b"gone".to_vec());
        let mut octets = Vec::new();
        batch.encode(&mut octets);
        assert_eq!(octets, b"\x01\x01\x00\x05\x00\x00\x00kvalue\x00\x04\x00\x00\x00\x00\x00gone");
        assert_eq!(IndexBatch::decode(b"\x02\x00\x00\x00\x00\x00\x00"), None);
    }

    #[test]
    fn names_of_bodies_are_found() {
        let location = Location { segment: 1, offset: 2, len: 3, crc: 4 };
        let mut batch = IndexBatch::default();
        assert_eq!(batch.highest_body(), None);
        batch.put_body(BodyId(7), &location, 1);
        batch.put_body(BodyId(5), &location, 1);
        batch.delete_body(BodyId(9));
        batch.put(vec![0; 9], vec![1]);
        assert_eq!(batch.highest_body(), Some(BodyId(7)));
    }
}
