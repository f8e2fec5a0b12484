//! How the index names a body, and what it says of it: where it is and how many references it has. Numbers are
//! big-endian.

use super::place::Location;
use crate::staging::{Counted, full_key};
use crate::{BodyId, Space, SpoolError};

/// Space of the entries.
pub(super) const BODIES: Space = Space(0xF0);
const VERSION: u8 = 1;
const OCTETS: usize = 33;

/// The key of a body's entry.
pub(super) fn body_key(body: BodyId) -> Vec<u8> {
    full_key(BODIES, &body.0.to_be_bytes())
}

/// Whose entry a key is, if it is one.
pub(super) fn body_of(key: &[u8]) -> Option<BodyId> {
    let name = <[u8; 8]>::try_from(key.strip_prefix(&[BODIES.0])?).ok()?;
    Some(BodyId(u64::from_be_bytes(name)))
}

/// The entry of a body.
pub(super) fn encode(location: &Location, references: u32) -> Vec<u8> {
    let mut value = Vec::with_capacity(OCTETS);
    value.push(VERSION);
    value.extend_from_slice(&location.segment.to_be_bytes());
    value.extend_from_slice(&location.offset.to_be_bytes());
    value.extend_from_slice(&location.len.to_be_bytes());
    value.extend_from_slice(&location.crc.to_be_bytes());
    value.extend_from_slice(&references.to_be_bytes());
    value
}

/// What an entry says.
///
/// # Errors
/// [`SpoolError::BadEntry`] if this version can't understand it.
pub(super) fn decode(body: BodyId, value: &[u8]) -> Result<Counted<Location>, SpoolError> {
    let bad = || SpoolError::BadEntry { what: format!("body {body}"), octets: value.len() };
    let (&VERSION, rest) = value.split_first().ok_or_else(bad)? else {
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
        let newer = [&[VERSION + 1], &value[1..]].concat();
        assert!(decode(BodyId(1), &newer).is_err());
    }

    #[test]
    fn keys_name_their_body() {
        assert_eq!(body_of(&body_key(BodyId(77))), Some(BodyId(77)));
        assert_eq!(body_of(&body_key(BodyId(77))[1..]), None);
        assert_eq!(body_of(&[BODIES.0, 1]), None);
    }
}
