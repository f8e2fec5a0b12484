//! How things lie in a segment file: header, octets, trailer. Numbers are little-endian.
//!
//! | part | octets |
//! |---|---|
//! | header | magic 4, version 1, flags 1, zero 2, number 8, length 8, CRC-32C of these 4 |
//! | payload | the body, or the changes of a step |
//! | trailer | CRC-32C of the payload 4, length 8, number 8, end magic 4 |
//!
//! | flags | what it is | number | length |
//! |---|---|---|---|
//! | 0 | a body that was streamed to a file of its own | its name | 0 |
//! | 1 | a body | its name | of the payload |
//! | 3 | a step: what it changes in the index | of the step | of the payload |
//! | 4 | the beginning of a shared segment, without payload | of the first step that may stand in it | a salt |
//!
//! The trailer of a beginning says the same once more: salt 4, CRC-32C of step and salt 4, zero 4, step 8, end magic 4.
//!
//! A body without a valid trailer is not complete. The index knows place, length and checksum as well; header and
//! trailer let a body be recognised, and judged, without it. The checksums of a step, of header and payload, begin with
//! the salt of its segment: nobody who writes the text of a body can make it look like a step.

use crate::BodyId;

const MAGIC: [u8; 4] = *b"ChB\x01";
const END_MAGIC: [u8; 4] = *b"\x01BhC";
const VERSION: u8 = 1;
const LENGTH_KNOWN: u8 = 1;
const STEP: u8 = 2 | LENGTH_KNOWN;
const BEGINNING: u8 = 4;

/// Octets before the payload.
pub(super) const HEADER: usize = 28;
/// Octets after the payload.
pub(super) const TRAILER: usize = 24;

/// Octets of the record with which a shared segment begins.
pub(super) const BEGINNING_OCTETS: usize = HEADER + TRAILER;
/// The same, as a place in a file.
pub(super) const BEGINNING_LEN: u64 = BEGINNING_OCTETS as u64;

/// What a header of a shared segment says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Record {
    /// A body and its length.
    Body(BodyId, u64),
    /// A step and the length of its changes.
    Step(u64, u64),
    /// The beginning: the first step that may follow, and the salt.
    Beginning(u64, u32),
}

impl Record {
    /// `None` if it is nobody's header, or one of another salt.
    pub(super) fn parse(octets: &[u8; HEADER], salt: u32) -> Option<Record> {
        let (&[a, b, c, d, VERSION, flags, 0, 0], numbers) = octets.split_first_chunk()? else { return None };
        if [a, b, c, d] != MAGIC {
            return None;
        }
        let (number, rest) = numbers.split_first_chunk()?;
        let (len, _) = rest.split_first_chunk()?;
        let (number, len) = (u64::from_le_bytes(*number), u64::from_le_bytes(*len));
        let (record, seed) = match flags {
            LENGTH_KNOWN => (Record::Body(BodyId(number), len), 0),
            STEP => (Record::Step(number, len), salt),
            BEGINNING => (Record::Beginning(number, u32::try_from(len).ok()?), 0),
            _ => return None,
        };
        (*octets == fields(flags, number, len, seed)).then_some(record)
    }

    /// Octets of the whole record; `None` if no file can be that large.
    pub(super) fn len(self) -> Option<u64> {
        match self {
            Record::Body(_, len) | Record::Step(_, len) => record_len(len),
            Record::Beginning(..) => Some(BEGINNING_LEN),
        }
    }
}

/// Octets of a whole record; `None` if no file can be that large.
pub(super) fn record_len(payload: u64) -> Option<u64> {
    payload.checked_add(HEADER as u64)?.checked_add(TRAILER as u64)
}

/// The header of a body; a body that streams doesn't know its length yet.
pub(super) fn header(body: BodyId, len: Option<u64>) -> [u8; HEADER] {
    let flags = if len.is_some() { LENGTH_KNOWN } else { 0 };
    fields(flags, body.0, len.unwrap_or(0), 0)
}

/// The header of a step.
pub(super) fn step_header(step: u64, len: u64, salt: u32) -> [u8; HEADER] {
    fields(STEP, step, len, salt)
}

/// What stands at the beginning of a shared segment.
pub(super) fn beginning(step: u64, salt: u32) -> Vec<u8> {
    let header = fields(BEGINNING, step, u64::from(salt), 0);
    [&header[..], &closing(step, u64::from(sum_of_beginning(step, salt)), salt)].concat()
}

/// The first step that may follow, and the salt, if these octets begin a shared segment. One of its parts may be unreadable.
pub(super) fn parse_beginning(octets: &[u8; BEGINNING_OCTETS]) -> Option<(u64, u32)> {
    let (header, trailer) = octets.split_first_chunk()?;
    if let Some(Record::Beginning(step, salt)) = Record::parse(header, 0) {
        return Some((step, salt));
    }
    let (salt, rest) = trailer.split_first_chunk()?;
    let (_, rest) = rest.split_first_chunk::<8>()?;
    let (step, _) = rest.split_first_chunk()?;
    let (salt, step) = (u32::from_le_bytes(*salt), u64::from_le_bytes(*step));
    (*trailer == closing(step, u64::from(sum_of_beginning(step, salt)), salt)).then_some((step, salt))
}

fn sum_of_beginning(step: u64, salt: u32) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&step.to_le_bytes()), &salt.to_le_bytes())
}

fn fields(flags: u8, number: u64, len: u64, seed: u32) -> [u8; HEADER] {
    let mut header = [0; HEADER];
    let (fields, check) = header.split_at_mut(HEADER - 4);
    let parts = [&MAGIC[..], &[VERSION, flags, 0, 0], &number.to_le_bytes(), &len.to_le_bytes()].concat();
    fields.copy_from_slice(&parts);
    check.copy_from_slice(&crc32c::crc32c_append(seed, fields).to_le_bytes());
    header
}

/// True for a header that this version may have written before that body.
pub(super) fn is_header_of(octets: &[u8; HEADER], body: BodyId, len: u64) -> bool {
    *octets == header(body, Some(len)) || *octets == header(body, None)
}

/// The trailer of a body.
pub(super) fn trailer(body: BodyId, len: u64, crc: u32) -> [u8; TRAILER] {
    closing(body.0, len, crc)
}

/// The trailer of a step.
pub(super) fn step_trailer(step: u64, payload: &[u8], salt: u32) -> [u8; TRAILER] {
    closing(step, payload.len() as u64, crc32c::crc32c_append(salt, payload))
}

fn closing(number: u64, len: u64, crc: u32) -> [u8; TRAILER] {
    let mut trailer = [0; TRAILER];
    let parts = [&crc.to_le_bytes()[..], &len.to_le_bytes(), &number.to_le_bytes(), &END_MAGIC].concat();
    trailer.copy_from_slice(&parts);
    trailer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layout_is_fixed() {
        let header = header(BodyId(0x0102), Some(5));
        assert_eq!(
            header[..24],
            [b'C', b'h', b'B', 1, 1, 1, 0, 0, 2, 1, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0]
        );
        // CRC-32C of "123456789" is the check value of the catalogue of polynomials.
        assert_eq!(crc32c::crc32c(b"123456789"), 0xe306_9283);
        assert_eq!(header[24..], crc32c::crc32c(&header[..24]).to_le_bytes());
        assert_eq!(
            trailer(BodyId(0x0102), 5, 0xa1b2_c3d4),
            [0xd4, 0xc3, 0xb2, 0xa1, 5, 0, 0, 0, 0, 0, 0, 0, 2, 1, 0, 0, 0, 0, 0, 0, 1, b'B', b'h', b'C']
        );
    }

    #[test]
    fn a_header_belongs_to_one_body() {
        let known = header(BodyId(7), Some(9));
        assert!(is_header_of(&known, BodyId(7), 9));
        assert!(is_header_of(&header(BodyId(7), None), BodyId(7), 9));
        assert!(!is_header_of(&known, BodyId(8), 9));
        assert!(!is_header_of(&known, BodyId(7), 8));
        assert_eq!(Record::parse(&known, 5), Some(Record::Body(BodyId(7), 9)));
        assert_eq!(Record::parse(&header(BodyId(7), None), 5), None);
        for bit in 0..HEADER * 8 {
            let mut flipped = known;
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Record::parse(&flipped, 0), None);
            assert!(!is_header_of(&flipped, BodyId(7), 9), "bit {bit}");
        }
    }

    #[test]
    fn a_step_belongs_to_its_segment() {
        let step = step_header(9, 300, 0xdead_beef);
        assert_eq!(Record::parse(&step, 0xdead_beef), Some(Record::Step(9, 300)));
        assert_eq!(Record::parse(&step, 0xdead_bee0), None);
        let beginning = beginning(9, 0xdead_beef);
        assert_eq!(beginning.len() as u64, BEGINNING_LEN);
        let header = beginning.first_chunk().unwrap();
        assert_eq!(Record::parse(header, 0), Some(Record::Beginning(9, 0xdead_beef)));
        let whole: [u8; BEGINNING_OCTETS] = beginning.as_slice().try_into().unwrap();
        for at in 0..whole.len() {
            let mut rotten = whole;
            rotten[at] ^= 0x40;
            assert_eq!(parse_beginning(&rotten), Some((9, 0xdead_beef)), "octet {at}");
            rotten[(at + HEADER) % whole.len()] ^= 1;
            let both = at < HEADER && at + HEADER < whole.len()
                || at >= HEADER && (at + HEADER) % whole.len() < HEADER;
            assert_eq!(parse_beginning(&rotten).is_none(), both, "octet {at}");
        }
        assert_ne!(step_trailer(9, b"changes", 1), step_trailer(9, b"changes", 2));
    }
}
