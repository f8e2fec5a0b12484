//! How a body lies in a segment file: header, octets, trailer. Numbers are little-endian.
//!
//! | part | octets |
//! |---|---|
//! | header | magic 4, version 1, flags 1 (bit 0: length known), zero 2, body name 8, length 8, CRC-32C of these 4 |
//! | payload | the body |
//! | trailer | CRC-32C of the payload 4, length 8, body name 8, end magic 4 |
//!
//! A body without a valid trailer is not complete. The index knows place, length and checksum as well; header and
//! trailer let a body be recognised, and judged, without it.

use crate::BodyId;

const MAGIC: [u8; 4] = *b"ChB\x01";
const END_MAGIC: [u8; 4] = *b"\x01BhC";
const VERSION: u8 = 1;
const LENGTH_KNOWN: u8 = 1;

/// Octets before the payload.
pub(super) const HEADER: usize = 28;
/// Octets after the payload.
pub(super) const TRAILER: usize = 24;

/// Octets of a whole record; `None` if no file can be that large.
pub(super) fn record_len(payload: u64) -> Option<u64> {
    payload.checked_add(HEADER as u64)?.checked_add(TRAILER as u64)
}

/// The header of a body; a body that streams doesn't know its length yet.
pub(super) fn header(body: BodyId, len: Option<u64>) -> [u8; HEADER] {
    let mut header = [0; HEADER];
    let (fields, check) = header.split_at_mut(HEADER - 4);
    let flags = if len.is_some() { LENGTH_KNOWN } else { 0 };
    let parts = [&MAGIC[..], &[VERSION, flags, 0, 0], &body.0.to_le_bytes(), &len.unwrap_or(0).to_le_bytes()]
        .concat();
    fields.copy_from_slice(&parts);
    check.copy_from_slice(&crc32c::crc32c(fields).to_le_bytes());
    header
}

/// Whose body of what length a header stands before, if it is one that knows the length.
pub(super) fn parse_header(octets: &[u8; HEADER]) -> Option<(BodyId, u64)> {
    let (_, numbers) = octets.split_at_checked(8)?;
    let (body, rest) = numbers.split_first_chunk()?;
    let (len, _) = rest.split_first_chunk()?;
    let (body, len) = (BodyId(u64::from_le_bytes(*body)), u64::from_le_bytes(*len));
    (*octets == header(body, Some(len))).then_some((body, len))
}

/// True for a header that this version may have written before that body.
pub(super) fn is_header_of(octets: &[u8; HEADER], body: BodyId, len: u64) -> bool {
    *octets == header(body, Some(len)) || *octets == header(body, None)
}

/// The trailer of a body.
pub(super) fn trailer(body: BodyId, len: u64, crc: u32) -> [u8; TRAILER] {
    let mut trailer = [0; TRAILER];
    let parts = [&crc.to_le_bytes()[..], &len.to_le_bytes(), &body.0.to_le_bytes(), &END_MAGIC].concat();
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
        assert_eq!(parse_header(&known), Some((BodyId(7), 9)));
        assert_eq!(parse_header(&header(BodyId(7), None)), None);
        for bit in 0..HEADER * 8 {
            let mut flipped = known;
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(parse_header(&flipped), None);
            assert!(!is_header_of(&flipped, BodyId(7), 9), "bit {bit}");
        }
    }
}
